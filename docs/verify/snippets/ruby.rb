# gem install standardwebhooks:1.1.0 sinatra:4.2.1 rackup puma
require "sinatra"
require "standardwebhooks"

secret = ENV.fetch("SYNCHUB_WEBHOOK_SECRET")
abort "SYNCHUB_WEBHOOK_SECRET is empty" if secret.empty?
webhook = StandardWebhooks::Webhook.new(secret)

set :port, 8000
set :host_authorization, permitted_hosts: [] # by any name: the signature tells who calls

post "/hooks" do
  body = request.body&.read.to_s # the bytes as they arrived: verify first, parse afterwards
  names = %w[webhook-id webhook-timestamp webhook-signature]
  headers = names.to_h { |name| [name, request.get_header("HTTP_#{name.upcase.tr("-", "_")}")] }
  begin
    event = webhook.verify(body, headers)
  rescue StandardError # malformed headers are not always a WebhookVerificationError
    halt 401
  end
  # Delivery is at least once: remember webhook-id, and skip a request whose id you have seen.
  puts "received #{headers["webhook-id"]} #{event["type"]}"
  status 204
end
