"""What the property-based tester of the HTTP API cannot know by itself: where the local AWS is, how the operator signs, and what
makes a request right beyond what a schema says.

It corrects only requests that are meant to be valid, where a schema cannot say what is valid; requests that are meant to be invalid
stay as they are. It changes nothing in the accounts of other tests, and no answers.
"""

import base64
import datetime
import json
import os
import pathlib
import re
import socket

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import requests
import schemathesis

resolve = socket.getaddrinfo


def getaddrinfo(host, *arguments, **named):
    """Names below `localhost` are this machine (RFC 6761), but not every resolver knows that."""
    return resolve("127.0.0.1" if str(host).endswith(".localhost") else host, *arguments, **named)


socket.getaddrinfo = getaddrinfo


class Signature(requests.auth.AuthBase):
    """AWS Signature Version 4, as the operator of the platform signs."""

    def __call__(self, request):
        credentials = botocore.credentials.Credentials(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
        signed = botocore.awsrequest.AWSRequest(request.method, request.url, data=request.body)
        botocore.auth.SigV4Auth(credentials, "execute-api", os.environ["AWS_REGION"]).add_auth(signed)
        request.headers.update(dict(signed.headers.items()))
        return request


@schemathesis.hook
def after_load_schema(context, schema):
    """Signs the operator's operations; all others use the accounts' keys from the configuration."""
    schema.auth.set_from_requests(Signature()).apply_to(path_regex="^/admin/")
    # The first matching provider is used, and the one with the keys matches everything.
    schema.auth.providers.insert(0, schema.auth.providers.pop())


EVENT = json.loads((pathlib.Path(__file__).parent.parent / "events/demo-sync-run-succeeded.json").read_text())

# An address on this machine where nothing listens, so that test payloads reach nobody.
NOBODY = "http://127.0.0.1:9/hooks"

# The accounts that this run has registered.
accounts = set()

# A job of each caller.
jobs = {}


def make(path, body, **named):
    """Creates what a request is about, apart from the requests of the tester."""
    answer = requests.post(os.environ["API_URL"] + path, json=body, timeout=30, **named)
    answer.raise_for_status()
    return answer.json()


def make_account():
    account = make("/admin/v1/accounts", {"id": f"tester-{os.urandom(8).hex()}"}, auth=Signature())["id"]
    accounts.add(account)
    return account


def make_destination(caller):
    settings = {"name": f"tester-{os.urandom(8).hex()}", "url": NOBODY}
    return make("/v1/destinations", settings, headers={"Authorization": caller})["id"]


def yesterday():
    return (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)).isoformat()


def own_job(caller):
    """A job of the caller's account, started before the tester's requests have used up the account's limit of jobs."""
    if caller not in jobs:
        path = f"/v1/destinations/{make_destination(caller)}/recover"
        jobs[caller] = make(path, {"since": yesterday()}, headers={"Authorization": caller})["id"]
    return jobs[caller]


@schemathesis.hook
def after_call(context, case, response):
    if operation_of(case) == "create_account" and response.status_code == 201:
        accounts.add(response.json()["id"])


def operation_of(case):
    return case.operation.definition.raw.get("operationId")


@schemathesis.hook
def before_call(context, case, kwargs):
    operation = operation_of(case)
    if case.path.startswith("/admin/") and case.method != "GET":
        own_account_only(case)
    if operation in ("resubmit_rejected_event", "delete_rejected_event") and names_a_rejection(case):
        # The same deployment has rejected events of other tests.
        case.path_parameters["id"] = "rej_" + os.urandom(13).hex()
    if operation == "create_account" and isinstance(case.body, dict) and own_name(case.body.get("id")):
        # The example in the document is an account of other tests.
        case.body["id"] = f"tester-{os.urandom(8).hex()}"
    case.body = loopback(None, case.body)
    if operation == "put_config":
        # If it were applied, it would delete what other requests use.
        case.query["dry_run"] = "true"
    if case.meta is None or case.meta.generation.mode.is_negative:
        return
    if "If-Match" in case.headers:
        # A made-up version is never right; `*` stands for any version.
        case.headers["If-Match"] = "*"
    if "Idempotency-Key" in case.headers and operation != "publish_event":
        # A key that was used for another request would be refused.
        case.headers["Idempotency-Key"] = os.urandom(16).hex()
    mend_query(operation, case.query)
    if isinstance(case.body, dict):
        case.body = mended(None, case.body)
        mend_body(operation, case)
    if operation in ("read_job", "recover_destination", "replay_subscription"):
        job = own_job(case.headers.get("Authorization"))
        if operation == "read_job":
            case.path_parameters = {"id": job}
    if operation == "delete_key":
        account = make_account()
        key = make(f"/admin/v1/accounts/{account}/keys", {"name": "tester", "role": "viewer"}, auth=Signature())
        case.path_parameters = {"account": account, "key": key["id"]}
    if operation == "revoke_account_session":
        account = make_account()
        case.path_parameters = {"account": account, "session": make_session(account)}
    if operation == "revoke_session":
        case.path_parameters = {"id": make_session(account_of(case.headers.get("Authorization")))}


def make_session(account):
    return make(f"/admin/v1/accounts/{account}/sessions", {}, auth=Signature())["id"]


def account_of(authorization):
    """The account of a key; the key contains it."""
    return authorization.split("whk_")[1].split(".")[0]


def own_account_only(case):
    """Uses an account of this run: the operator can change every account, and other tests have theirs in the same deployment."""
    account = case.path_parameters.get("account")
    if account not in accounts and own_name(account):
        case.path_parameters["account"] = make_account()


def names_a_rejection(case):
    """Whether it names an event that may have been rejected."""
    return re.fullmatch("rej_[0-9a-v]{26}", str(case.path_parameters.get("id")))


def own_name(text):
    """Whether it is a name that an account can have."""
    return re.fullmatch("[A-Za-z0-9_-]{1,64}", str(text))


def mend_body(operation, case):
    caller, body = case.headers.get("Authorization"), case.body
    if operation == "publish_event":
        mend_event(case)
    elif operation in ("create_subscription", "change_subscription"):
        mend_reach(body)
        if "destination_id" in body:
            body["destination_id"] = make_destination(caller)
    elif operation == "create_setup":
        mend_reach(body)
        if "id" in body["destination"]:
            body["destination"]["id"] = make_destination(caller)
    elif operation == "rotate_secret" and body.get("secret") is not None:
        # The current secret would be refused.
        body["secret"] = "whsec_" + base64.b64encode(os.urandom(32)).decode()
    elif operation in ("recover_destination", "replay_subscription"):
        # The end of the span must come after its beginning.
        body["since"] = yesterday()
        body.pop("until", None)
    elif operation == "match_subscriptions":
        mend_question(body)
    elif operation == "put_config":
        mend_configuration(body)
    elif operation == "open_session":
        offered = make(f"/admin/v1/accounts/{make_account()}/sessions", {}, auth=Signature())
        body["token"] = offered["url"].split("#")[1]


def mend_reach(subscription):
    """Listens everywhere: a subscription that no event could ever reach, by its types and place, is refused."""
    subscription |= {"event_types": ["*"], "scope": "*"}


def loopback(field, value):
    """The same body, valid or not, without URLs of other machines."""
    if isinstance(value, dict):
        return {field: loopback(field, below) for field, below in value.items()}
    if isinstance(value, list):
        return [loopback(None, below) for below in value]
    if field == "url" and re.match("https?://", str(value), re.IGNORECASE):
        return NOBODY
    return value


def mended(field, value):
    """Corrects values in a body, at any depth."""
    if field == "condition" and value is not None:
        # Few generated objects are valid conditions. Conditions have their own test, with 10,000 of them.
        return {"status": ["failed"]}
    if field == "retry_policy" and isinstance(value, list):
        # The longest wait with which 20 waits stay within the limit of their sum.
        return [min(int(wait), 56_160) for wait in value]
    if isinstance(value, dict):
        mended_one = {field: mended(field, below) for field, below in value.items()}
        if mended_one.get("status") and not str(mended_one.get("event_type", ".completed")).endswith(".completed"):
            # The system's own event types have other statuses. Without a status, the most usual one is used.
            mended_one["status"] = None
        return mended_one
    if isinstance(value, list):
        return [mended(None, below) for below in value]
    if field == "url":
        # Most generated URLs have a private address or no valid host.
        return NOBODY
    if field == "status" and value is not None:
        # The statuses depend on the event type; every type that producers publish has this one.
        return "failed"
    if isinstance(value, float) and value.is_integer():
        # For JSON Schema, 15.0 is an integer, but the API requires whole numbers without a fraction.
        return int(value)
    return value


def mend_query(operation, query):
    # A made-up cursor is never valid.
    query.pop("cursor", None)
    if "since" in query and "until" in query and not moment(query["since"]) < moment(query["until"]):
        query.pop("until")
    if operation in ("read_ledger", "list_ledger_deliveries") and ("since" in query or "until" in query):
        # The length of the ledger's span is limited.
        begin = moment(query["since"]) if "since" in query else moment("2026-11-23T00:00:00Z")
        query["until"] = (begin + datetime.timedelta(days=1)).isoformat().replace("+00:00", "Z")


def moment(text):
    return datetime.datetime.fromisoformat(str(text).upper())


def new_event():
    """An event that follows the schema in the catalogue and happened just now."""
    now = datetime.datetime.now(datetime.timezone.utc).isoformat()
    event = {field: EVENT[field] for field in ("type", "scope", "data")}
    return event | {"data": event["data"] | {"started_at": now, "completed_at": now}}


def mend_event(case):
    case.body.pop("account", None)
    case.body.pop("occurred_at", None)
    case.body |= new_event()
    if case.body.get("id") is not None:
        # The id and the key would have to be the same.
        case.headers.pop("Idempotency-Key", None)


def mend_question(body):
    """Asks about either an event or a sample, at a place that its type has."""
    if body.get("event") is not None:
        body |= {"event": new_event(), "sample": None}
    else:
        body["sample"] = body.get("sample") or {"event_type": EVENT["type"]}
        body["sample"].pop("scope", None)


def mend_configuration(body):
    """Makes every name unique, and lets subscriptions name a destination of the document."""
    for kind in ("destinations", "subscriptions"):
        for number, one in enumerate(body[kind]):
            one["name"] = f"{one['name'][:100]}{number}"
    if not body["destinations"]:
        body["subscriptions"] = []
    for one in body["subscriptions"]:
        mend_reach(one)
        one["destination"] = body["destinations"][0]["name"]
