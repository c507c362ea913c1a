"""Verifies one webhook request, given as JSON {"secret", "headers", "body"} on standard input.

Prints "verified", or says why not and exits with 1. It needs `pip install standardwebhooks==1.1.0`.
In a receiver, `body` is the text of the request exactly as it arrived: verify first, parse afterwards.
"""

import json
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

request = json.load(sys.stdin)
try:
    # Returns the event, parsed. Some malformed headers raise a ValueError instead: answer both with 401.
    event = Webhook(request["secret"]).verify(request["body"], request["headers"])
except (WebhookVerificationError, ValueError) as error:
    sys.exit(f"not verified: {error}")
print("verified")
