"""Checks a deployed stack from end to end, as an operator, a customer, a producer and a receiver: `make smoke STACK=<name> URL=<address>`.

    tools/smoke.py <stack> <public address> [--port 8787] [--no-wait]

It registers an account of its own, proves a receiver, subscribes it, pushes an event, sees it arrive, and deletes the account again, also
if a step fails or it is interrupted. The receiver is this program: it listens on a port of this machine, and the public address has to lead
there, for example through a tunnel. Signatures are verified by a Standard Webhooks library that is not ours.

It needs the AWS credentials and the region of the stack in the environment, and touches nothing but its own account.
"""

import argparse
import contextlib
import datetime
import functools
import http.client
import http.server
import json
import pathlib
import secrets
import signal
import sys
import threading
import time
import urllib.parse

try:
    import boto3
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from standardwebhooks import Webhook, WebhookVerificationError
except ImportError as missing:
    raise SystemExit(f"smoke: {missing}: run it with `make smoke`, which installs what it needs")

ROOT = pathlib.Path(__file__).resolve().parent.parent
PATIENCE = 60          # seconds until an event has to arrive; usually it takes less than one
DELETION = 10 * 60     # seconds until an account is deleted: 100 s of waiting, and up to a minute for each step
LONGEST_ANSWER = 60    # seconds


class Failed(Exception):
    """A step did not do what it should. Its text says what to look at."""


class Steps:
    """Prints each step with the time that it took."""

    def __init__(self):
        self.made = 0

    @contextlib.contextmanager
    def step(self, what):
        began = time.monotonic()
        try:
            yield
        except BaseException as error:
            print(f"{time.monotonic() - began:6.1f} s  FAILED: {what}", flush=True)
            if isinstance(error, (Failed, KeyboardInterrupt, SystemExit)):
                raise
            raise Failed(f"{type(error).__name__}: {error}") from error
        self.made += 1
        print(f"{time.monotonic() - began:6.1f} s  {what}", flush=True)


# ---- The receiver --------------------------------------------------------------------------------------------------------------

class Receiver:
    """Listens on this machine below a path that nobody can guess, and keeps what it verified."""

    def __init__(self, port):
        self.path = f"/{secrets.token_hex(16)}"
        self.secret = None
        self.verified = []
        self.arrived = threading.Condition()
        handler = functools.partial(Handler, self)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, headers, body):
        """The status for a request."""
        try:
            Webhook(self.secret or "").verify(body, headers)
        except (WebhookVerificationError, ValueError):
            return 401
        with self.arrived:
            self.verified.append(json.loads(body))
            self.arrived.notify_all()
        return 204

    def wait_for(self, event):
        with self.arrived:
            if not self.arrived.wait_for(lambda: any(each["id"] == event for each in self.verified), PATIENCE):
                raise Failed(f"the event did not arrive within {PATIENCE} s: look at the alarms, and at GET /v1/deliveries?event_id={event}")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, receiver, *arguments):
        self.receiver = receiver
        super().__init__(*arguments)

    def answer(self, status, text=b""):
        self.send_response(status)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        is_ours = self.path == self.receiver.path
        self.answer(200 if is_ours else 404, self.path.encode() if is_ours else b"")

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.answer(self.receiver.take(dict(self.headers), body) if self.path == self.receiver.path else 404)

    def log_message(self, *_):
        """Strangers find every public address; their requests are of no interest."""


# ---- The stack -----------------------------------------------------------------------------------------------------------------

def send(method, url, headers, body=None):
    """One request, without proxies and redirects. Names below `localhost` are this machine, which not every resolver knows."""
    parts = urllib.parse.urlsplit(url)
    host = "127.0.0.1" if (parts.hostname or "").endswith("localhost") else parts.hostname
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(host, parts.port, timeout=LONGEST_ANSWER)
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request(method, path, body, {"host": parts.netloc, **headers})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


class Stack:
    """A deployed stack: its outputs, and calls of its API for an operator and for a customer."""

    def __init__(self, name):
        self.session = boto3.Session()
        if self.session.region_name is None or self.session.get_credentials() is None:
            raise Failed("there are no AWS credentials or no region in the environment: set AWS_DEFAULT_REGION as well")
        found = self.session.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
        self.outputs = {each["OutputKey"]: each["OutputValue"] for each in found["Outputs"]}
        self.api = self.outputs["ApiUrl"]
        self.key = None

    def admin(self, method, path, body=None, expected=(200, 201, 202, 204)):
        """A request that is signed with the AWS credentials."""
        data = None if body is None else json.dumps(body)
        request = AWSRequest(method, self.api + path, {"content-type": "application/json"}, data)
        SigV4Auth(self.session.get_credentials(), "execute-api", self.session.region_name).add_auth(request)
        return self.read(method, path, send(method, self.api + path, dict(request.headers), data), expected)

    def call(self, method, path, body=None):
        """A request with the account's API key."""
        headers = {"authorization": f"Bearer {self.key}", "content-type": "application/json"}
        data = None if body is None else json.dumps(body)
        return self.read(method, path, send(method, self.api + path, headers, data), (200, 201, 204))

    @staticmethod
    def read(method, path, answer, expected):
        status, text = answer
        if status not in expected:
            raise Failed(f"{method} {path} was answered with {status}: {text.decode(errors='replace')[:500]}")
        return json.loads(text) if text else None

    def push(self, event):
        """Sends an event as a sync job does."""
        client, group = self.session.client("sqs"), event["account"]
        client.send_message(QueueUrl=self.outputs["EventsQueueUrl"], MessageGroupId=group, MessageBody=json.dumps(event))


def sample(account):
    """A sync run that ended now."""
    event = json.loads((ROOT / "events/demo-sync-run-succeeded.json").read_text(encoding="utf-8"))
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return event | {"id": f"evt-{account}", "account": account, "occurred_at": now}


# ---- The test ------------------------------------------------------------------------------------------------------------------

def check(steps, stack, receiver, url, account):
    with steps.step("give it an API key"):
        stack.key = stack.admin("POST", f"/admin/v1/accounts/{account}/keys", {"name": "smoke", "role": "admin"})["key"]
    with steps.step("create a destination"):
        made = stack.call("POST", "/v1/destinations", {"name": "Smoke test", "url": url + receiver.path})
        receiver.secret = made["secret"]
    with steps.step("prove the receiver: one signed request and three forged ones"):
        proof = stack.call("POST", f"/v1/destinations/{made['id']}/test", {"event_type": "sync_run.completed", "prove": True})
        if proof["proven"] is not True:
            raise Failed(f"{proof['detail']}; {proof['conclusion']}")
    with steps.step("subscribe it to everything"):
        body = {"name": "Smoke test", "destination_id": made["id"], "event_types": ["*"], "scope": "*"}
        stack.call("POST", "/v1/subscriptions", body)
    event = sample(account)
    with steps.step("push an event to the queue"):
        stack.push(event)
    with steps.step("see it arrive, with a signature that verifies"):
        receiver.wait_for(event["id"])
    with steps.step("read that it is delivered, and that the ledger closes"):
        until(PATIENCE, "the delivery is not recorded", lambda: [each["status"] for each in stack.call(
            "GET", f"/v1/deliveries?event_id={event['id']}")["data"]] == ["delivered"])
        if stack.call("GET", "/v1/ledger")["closes"] is not True:
            raise Failed("the ledger does not close")


def clean_up(steps, stack, account, wait):
    """Deletes the account, and with it everything that belongs to it."""
    with steps.step(f"delete the account {account}"):
        job = stack.admin("DELETE", f"/admin/v1/accounts/{account}", expected=(202, 404))
    if job and "id" in job and wait:
        with steps.step("wait until it is gone, which takes two to four minutes"):
            until(DELETION, f"the job {job['id']} does not end", lambda: stack.admin("GET", f"/admin/v1/jobs/{job['id']}")["status"] == "succeeded")


def until(limit, otherwise, is_so):
    began = time.monotonic()
    while not is_so():
        if time.monotonic() - began > limit:
            raise Failed(f"{otherwise} after {limit} s")
        time.sleep(1)


def run(steps, arguments):
    url, account = arguments.url.rstrip("/"), f"smoke-{int(time.time())}-{secrets.token_hex(3)}"
    with steps.step(f"read the outputs of {arguments.stack}"):
        stack = Stack(arguments.stack)
    receiver = Receiver(arguments.port)
    with steps.step(f"find that {url} leads to port {arguments.port} of this machine"):
        if send("GET", url + receiver.path, {}) != (200, receiver.path.encode()):
            raise Failed(f"{url} is answered by something else: start the tunnel first")
    with steps.step(f"register the account {account}"):
        stack.admin("POST", "/admin/v1/accounts", {"id": account})
    failures = []
    try:
        check(steps, stack, receiver, url, account)
    except (Failed, KeyboardInterrupt, SystemExit) as error:
        failures.append(str(error) or "interrupted")
    try:
        clean_up(steps, stack, account, arguments.wait)
    except (Failed, KeyboardInterrupt, SystemExit) as error:
        failures.append(f"{error or 'interrupted'}. Delete the account {account} yourself: DELETE /admin/v1/accounts/{account}")
    return failures


def main():
    parser = argparse.ArgumentParser(description="Checks a deployed stack from end to end.")
    parser.add_argument("stack", help="name of the stack")
    parser.add_argument("url", help="public address that leads to the port below, such as https://abc.example")
    parser.add_argument("--port", type=int, default=8787, help="port of this machine on which the receiver listens (default: 8787)")
    parser.add_argument("--no-wait", dest="wait", action="store_false", help="do not wait until the account is gone")
    arguments, steps = parser.parse_args(), Steps()
    # A termination cleans up as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    try:
        failures = run(steps, arguments)
    except (Failed, KeyboardInterrupt, SystemExit) as error:
        failures = [str(error) or "interrupted"]
    for failure in failures:
        print(f"smoke: {failure}", file=sys.stderr)
    print("the stack works" if not failures else f"failed after {steps.made} steps", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
