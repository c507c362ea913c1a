# pip install flask==3.1.3 standardwebhooks==1.1.0
import os

from flask import Flask, request
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

webhook = Webhook(os.environ["SYNCHUB_WEBHOOK_SECRET"])
app = Flask(__name__)


@app.post("/hooks")
def receive():
    body = request.get_data()  # the bytes as they arrived: verify first, parse afterwards
    try:
        event = webhook.verify(body, request.headers)
    except (WebhookVerificationError, ValueError):  # malformed headers can be a ValueError
        return "", 401
    # Delivery is at least once: remember webhook-id, and skip a request whose id you have seen.
    print("received", request.headers["webhook-id"], event["type"])
    return "", 204


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(os.environ.get("PORT", "8000")))
