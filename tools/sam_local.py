"""Runs one function on one sample with `sam local invoke`, against the local AWS that `make dev` keeps running.

    tools/sam_local.py                                       every function with each of its samples
    tools/sam_local.py fanout events/fanout-two-events.json  one function with one sample

It fills in events/env.json for the running deployment, and adds the one variable that production does not have (AWS_ENDPOINT_URL) to
a copy of the built template. Containers cannot reach this machine's loopback interface, so a forwarder on Docker's bridge lets them
in. It installs nothing: Docker must run and have the image public.ecr.aws/lambda/provided:al2023-<architecture>. The run fails if a
function answers a sample with an error.
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
# The order matters: the first sample registers the account that the events belong to.
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
    # A newly installed Docker engine gives only the network; its own address there is the first one.
    return network.get("Gateway") or str(next(ipaddress.ip_network(network["Subnet"]).hosts()))


def write_env_file(local: dict, endpoint: str) -> pathlib.Path:
    names = {re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower(): value for name, value in local["outputs"].items()}
    text = string.Template((ROOT / "events/env.json").read_text()).substitute(names, endpoint=endpoint)
    path = ROOT / "target/local/env.json"
    path.write_text(text)
    return path


def write_template() -> pathlib.Path:
    """The built template with AWS_ENDPOINT_URL declared, because only declared variables can be set from outside."""
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
    """Runs one sample, prints the answer, and returns whether it is a success."""
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
    # The SAM CLI exits with 0 even if the function fails.
    if process.returncode == 0 and is_answer(answer[0], json.loads(sample.read_text())):
        return True
    print(errors.decode(), file=sys.stderr)
    return False


def is_answer(text: str, event: dict) -> bool:
    """Whether the function did its work. In some samples a part of the records fails, but never all of them."""
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
        fail("give a function and a sample, or no argument for all samples")
    local, host = deployment(), bridge()
    server, port = await start_forwarder(host, local["port"])
    async with server:
        env_file, template = write_env_file(local, f"http://{host}:{port}"), write_template()
        answered = [await invoke(function, sample, local, template, env_file) for function, sample in runs]
    print(f"{sum(answered)} of {len(answered)} samples were answered")
    return 0 if all(answered) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
