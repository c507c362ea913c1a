# Defines the names that the documentation's commands use, for bash and zsh. Source it:
#
#   . tools/shell.sh synchub-webhooks   # for a deployed stack, with the name of the stack
#   . target/dev.sh                     # for a running `make dev`, which writes that file
#
# It needs curl, Python 3, the AWS CLI, credentials in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (for temporary credentials also
# AWS_SESSION_TOKEN), and the stack's region in AWS_REGION. Set KEY to an API key of the account before you use `call`.

# An output of the stack: output TableName
output() {
  aws cloudformation describe-stacks --stack-name "$STACK" --query "Stacks[0].Outputs[?OutputKey=='$1'].OutputValue" --output text
}

# One field of the JSON on standard input: call /v1/destinations/$ID | field url
field() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }

# A request of the account whose API key is in KEY: call <path> [<options of curl>]
call() {
  request "$@" -H "authorization: Bearer $KEY"
}

# A request of the operator, signed with AWS credentials: admin <path> [<options of curl>]
admin() {
  set -- "$@" --aws-sigv4 "aws:amz:$AWS_REGION:execute-api" --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"
  if [ -n "${AWS_SESSION_TOKEN-}" ]; then
    set -- "$@" -H "x-amz-security-token: $AWS_SESSION_TOKEN"
  fi
  request "$@"
}

request() {
  set -- "$API$1" "${@:2}"
  curl -sS --fail-with-body -w '\n' -H 'content-type: application/json' "$@"
}

if [ "$#" -gt 0 ]; then
  STACK=$1
  API=$(output ApiUrl)
  QUEUE=$(output EventsQueueUrl)
fi
