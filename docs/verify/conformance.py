"""Tries a verifier with the requests of conformance.json, which lies beside this file.

Prints each case that it judges otherwise than the file says, and exits with 1 if there is any. The verifier here is
that of `pip install standardwebhooks==1.1.0`: change `verifies` to try your own.
"""

import datetime
import json
import pathlib
import sys

from standardwebhooks import webhooks

file = json.loads(pathlib.Path(__file__).with_name("conformance.json").read_text(encoding="utf-8"))


class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(file["now"], tz)


webhooks.datetime = Clock  # the verifier's clock, which stands at `now`


def verifies(headers, body):
    try:
        webhooks.Webhook(file["secret"]).verify(body, headers)
        return True
    except (webhooks.WebhookVerificationError, ValueError):
        return False


wrong = 0
for case in file["cases"]:
    body = case["request"]["body"].replace("FILL", "x" * case.get("fill", 0))
    done = "accept" if verifies(case["request"]["headers"], body) else "refuse"
    if case["expect"] not in (done, "either"):
        wrong += 1
        print(f"{case['name']}: {done}, but {case['expect']} is right. {case['why']}")
if wrong:
    sys.exit(f"{wrong} of {len(file['cases'])} cases are judged otherwise")
print(f"all {len(file['cases'])} cases are judged as they should be")
