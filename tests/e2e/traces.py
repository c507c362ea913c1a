"""A sync job and a receiver that record traces with OpenTelemetry's SDK: `tests/e2e/traces.rs` runs both.

    python traces.py push <queue> <sampler>            reads an event from standard input and pushes it to the queue
    python traces.py post <url> <host> <key> <sampler> the same, posted to the API
    python traces.py receive                           answers requests until it is killed, on a port that it chooses

The sampler is `on` or `off`. Each prints a line of JSON for each of its spans; the receiver's first line is its port. A path that begins
with `/later` is asked for again after 121 s, once: longer than a delivery waits in the queue.
"""

import http.client
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

PROPAGATOR = TraceContextTextMapPropagator()


def tracer(service, sampler):
    return TracerProvider(sampler=sampler, resource=Resource.create({"service.name": service})).get_tracer("traces")


def described(context):
    return {
        "trace_id": trace.format_trace_id(context.trace_id),
        "span_id": trace.format_span_id(context.span_id),
        "sampled": context.trace_flags.sampled,
    }


def say(line):
    print(json.dumps(line), flush=True)


def produce(send, sampler):
    """Sends the event within a span, whose context goes along."""
    with tracer("sync-job", ALWAYS_ON if sampler == "on" else ALWAYS_OFF).start_as_current_span("sync run") as span:
        carrier = {}
        PROPAGATOR.inject(carrier)
        send(sys.stdin.read(), carrier)
    say(described(span.get_span_context()))


def push(queue, sampler):
    def send(event, carrier):
        attributes = {name: {"DataType": "String", "StringValue": value} for name, value in carrier.items()}
        group = json.loads(event)["account"]
        boto3.client("sqs").send_message(QueueUrl=queue, MessageGroupId=group, MessageBody=event, MessageAttributes=attributes)

    produce(send, sampler)


def post(address, host, key, sampler):
    def send(event, carrier):
        # The host's name is looked up by nobody: every stack on this machine is at the same address.
        connection = http.client.HTTPConnection(address)
        headers = {"host": host, "authorization": f"Bearer {key}", "content-type": "application/json"}
        connection.request("POST", "/v1/events", event.encode(), headers | carrier)
        answer = connection.getresponse()
        assert answer.status == 202, (answer.status, answer.read())

    produce(send, sampler)


def receive():
    receiving = tracer("receiver", ParentBased(ALWAYS_ON))
    put_off = set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            parent = PROPAGATOR.extract(dict(self.headers.items()))
            with receiving.start_as_current_span("receive", context=parent, kind=trace.SpanKind.SERVER) as span:
                first = self.path.startswith("/later") and self.headers["webhook-id"] not in put_off
                put_off.add(self.headers["webhook-id"])
                line = {"path": self.path, "delivery": self.headers["webhook-id"], "attempt": self.headers["webhook-attempt"]}
                line |= described(span.get_span_context())
                say(line | {"parent": described(trace.get_current_span(parent).get_span_context())})
                self.send_response(500 if first else 204)
                if first:
                    self.send_header("retry-after", "121")
                self.send_header("content-length", "0")
                self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    say({"port": server.server_port})
    server.serve_forever()


if __name__ == "__main__":
    {"push": push, "post": post, "receive": receive}[sys.argv[1]](*sys.argv[2:])
