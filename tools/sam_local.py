"""Runs one function on one sample with `sam local invoke`, against the local AWS that `make dev` keeps running.

    tools/sam_local.py                                       every function with every sample of its own
    tools/sam_local.py fanout events/fanout-two-events.json  one

It fills in events/env.json for the running deployment, adds the one variable that production does not have (AWS_ENDPOINT_URL) to
a copy of the built template, and lets the containers, which cannot reach this machine's loopback, in through a forwarder on
Docker's own bridge. It deliberately installs nothing: Docker must answer and have the image
public.ecr.aws/lambda/provided:al2023-<architecture>. A sample whose function answers with an error fails the run.
"""

import asyncio
import ipaddress
import json
import os
import pathlib
import platform
import re
import string
import subprocess
import sys
from urllib.parse import urlsplit

ROOT = pathlib.Path(__file__).resolve().parent.parent
SAM = ROOT / ".venv/sam/bin/sam"
# In this order the samples tell a story: the account that the events belong to is registered first.
FUNCTIONS = ("api", "portal", "authorizer", "fanout", "deliver", "redrive")


def fail(message: str) -> None:
    sys.exit(f"sam_local: {message}")


def deployment() -> dict:
    """The deployment that `make dev` describes while it runs."""
    path = ROOT / "target/local/deployment.json"
    if not path.exists():
        fail("no deployment is running: start `make dev` in another terminal")
    return json.loads(path.read_text())


def bridge() -> str:
    """This machine's address on Docker's bridge."""
    command = ["docker", "network", "inspect", "bridge", "--format", "{{json (index .IPAM.Config 0)}}"]
    try:
        network = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    except (OSError, subprocess.CalledProcessError) as error:
        fail(f"Docker does not answer ({error}): install and start it")
        raise
    # An engine that was just installed names the network alone, of which it takes the first address.
    return network.get("Gateway") or str(next(ipaddress.ip_network(network["Subnet"]).hosts()))


def write_env_file(local: dict, endpoint: str) -> pathlib.Path:
    names = {re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower(): value for name, value in local["outputs"].items()}
    text = string.Template((ROOT / "events/env.json").read_text()).substitute(names, endpoint=endpoint)
    path = ROOT / "target/local/env.json"
    path.write_text(text)
    return path


def write_template() -> pathlib.Path:
    """The built template with AWS_ENDPOINT_URL declared: only declared variables can be given from outside."""
    built = ROOT / ".aws-sam/build/template.yaml"
    if not built.exists():
        fail("the functions are not built: run `make build`")
    declared, places = re.subn(r"(?m)^( *)Variables:\n( *)", r"\1Variables:\n\2AWS_ENDPOINT_URL: ''\n\2", built.read_text(), count=1)
    if places != 1:
        fail("the built template has no variables in its Globals")
    path = built.with_name("template-local.yaml")
    path.write_text(declared)
    return path


async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def start_forwarder(host: str, port: int) -> tuple[asyncio.Server, int]:
    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(forward(reader, upstream_writer), forward(upstream_reader, writer), return_exceptions=True)

    server = await asyncio.start_server(connect, host, 0)
    return server, server.sockets[0].getsockname()[1]


async def invoke(function: str, sample: pathlib.Path, local: dict, template: pathlib.Path, env_file: pathlib.Path) -> bool:
    """Runs one sample, prints the answer, and says whether it is one."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{local['port']}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "SAM_CLI_TELEMETRY": "0",
    }
    architecture = "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"
    command = [SAM, "local", "invoke", f"{function.capitalize()}Function", "--template-file", template, "--event", sample]
    command += ["--env-vars", env_file, "--skip-pull-image", "--parameter-overrides", f"Architecture={architecture}"]
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, errors = await process.communicate()
    answer = output.decode().strip().splitlines()[-1:] or [""]
    print(f"{sample.relative_to(ROOT)}\n  {answer[0]}", flush=True)
    # The SAM CLI ends with 0 even when the function fails.
    if process.returncode == 0 and is_answer(answer[0], json.loads(sample.read_text())):
        return True
    print(errors.decode(), file=sys.stderr)
    return False


def is_answer(text: str, event: dict) -> bool:
    """Whether the function did its work. What a sample is about may be a failure of some of its records, but not of all."""
    try:
        answer = json.loads(text)
    except ValueError:
        return False
    if answer is None:
        return True
    if not isinstance(answer, dict) or "errorType" in answer or answer.get("statusCode", 200) >= 500:
        return False
    failed = len(answer.get("batchItemFailures", []))
    return failed == 0 or failed < len(event.get("Records", []))


async def main(arguments: list[str]) -> int:
    if len(arguments) == 2:
        runs = [(arguments[0], pathlib.Path(arguments[1]).resolve())]
    elif not arguments:
        runs = [(name, sample) for name in FUNCTIONS for sample in sorted((ROOT / "events").glob(f"{name}-*.json"))]
    else:
        fail("give a function and a sample, or nothing for all")
    local, host = deployment(), bridge()
    server, port = await start_forwarder(host, local["port"])
    async with server:
        env_file, template = write_env_file(local, f"http://{host}:{port}"), write_template()
        answered = [await invoke(function, sample, local, template, env_file) for function, sample in runs]
    print(f"{sum(answered)} of {len(answered)} samples were answered")
    return 0 if all(answered) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
