"""Measures each built function: the size of its binary, and its cold start.

A cold start is the time from spawning the process to its first poll of the Lambda runtime API, on this machine: reading the
configuration and building all clients. It does not include what AWS adds (starting the sandbox, loading the code), so use the
figures only to compare builds and functions with each other. Run by `make bench`, after `make build`.
"""

import os
import pathlib
import socket
import statistics
import subprocess
import sys
import time

RUNS = 20
ROOT = pathlib.Path(__file__).resolve().parent.parent
# The environment of all functions; each reads its part. No address in it is called before the first poll.
ENVIRONMENT = {
    "LOG_LEVEL": "INFO",
    "TABLE_NAME": "table",
    "EVENTS_QUEUE_URL": "http://127.0.0.1:9/events",
    "ALERTS_TOPIC_ARN": "arn:aws:sns:us-east-1:000000000000:alerts",
    "WORK_TOPIC_ARN": "arn:aws:sns:us-east-1:000000000000:work",
    "REDRIVE_CONCURRENCY": "20",
    "DELIVERIES_QUEUE_URL": "http://127.0.0.1:9/deliveries",
    "UNREGISTERED_ACCOUNTS": "ignore",
    "SECRETS_KEY_ARN": "arn:aws:kms:us-east-1:000000000000:key/k",
    "ALLOW_HTTP": "false",
    "ALLOWED_CIDRS": "",
    "OWN_HOST": "api.example",
    "PUBLIC_URL": "",
    "PAGE_URL": "https://api.example",
    "FRAME_ANCESTORS": "",
    "RETRY_WAITS": "5,300",
    "HORIZON_SECONDS": "3600",
    "LEASE_SECONDS": "900",
    "RETENTION_DAYS": "30",
    "MAX_DESTINATIONS": "1000",
    "MAX_SUBSCRIPTIONS": "20000",
    "ACCOUNT_UNITS_PER_SECOND": "100",
    "ACCOUNT_EVENTS_PER_SECOND": "100",
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_LAMBDA_FUNCTION_NAME": "measured",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
    "AWS_LAMBDA_LOG_STREAM_NAME": "log",
    "AWS_LAMBDA_LOG_GROUP_NAME": "log",
}


def cold_start_ms(binary: pathlib.Path) -> float:
    """Spawns the binary once and returns the milliseconds until it asks for its first invocation."""
    with socket.create_server(("127.0.0.1", 0)) as runtime_api:
        runtime_api.settimeout(10)
        address = "127.0.0.1:%d" % runtime_api.getsockname()[1]
        started = time.perf_counter()
        process = subprocess.Popen(
            [binary], env=ENVIRONMENT | {"AWS_LAMBDA_RUNTIME_API": address}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        try:
            connection, _ = runtime_api.accept()
            with connection:
                request = connection.recv(4096)
            took = (time.perf_counter() - started) * 1000
            if b"/runtime/invocation/next" not in request:
                sys.exit(f"{binary} failed to start: {request!r}")
            return took
        except TimeoutError:
            process.kill()
            output, _ = process.communicate()
            sys.exit(f"{binary} never polled: {output.decode(errors='replace')}")
        finally:
            process.kill()
            process.wait()


def main() -> None:
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "target" / "lambda"
    binaries = sorted(folder.glob("*/bootstrap"))
    if not binaries:
        sys.exit(f"no functions below {os.path.relpath(folder)}: run `make build`")
    print(f"{'function':<12} {'size':>9}  cold start, median of {RUNS} (least - most)")
    for binary in binaries:
        cold_start_ms(binary)  # once to have the file in memory
        times = [cold_start_ms(binary) for _ in range(RUNS)]
        size = binary.stat().st_size / 1e6
        print(f"{binary.parent.name:<12} {size:>6.1f} MB  {statistics.median(times):.1f} ms ({min(times):.1f} - {max(times):.1f})")


if __name__ == "__main__":
    main()
