#!/usr/bin/env bash
# Checks what the code depends on: the domain on no AWS crate; everything on licences, sources and versions we accept (deny.toml);
# nothing on a crate with a known vulnerability. It deliberately does not fail when the list of those cannot be fetched: it says so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cargo check --quiet --package shared --no-default-features
aws=$(cargo tree --package shared --no-default-features --edges normal --prefix none | grep '^aws-' | sort -u || true)
if [ -n "$aws" ]; then
  printf 'shared without features must not depend on AWS, but does on:\n%s\n' "$aws" >&2
  exit 1
fi

cargo deny --all-features check --hide-inclusion-graph licenses bans sources

# A host that cannot be reached may also never answer.
if reason=$(timeout 120 cargo deny --all-features fetch db 2>&1); then
  cargo deny --all-features check --disable-fetch --hide-inclusion-graph advisories
else
  echo "WARNING: known vulnerabilities were NOT checked, because their list cannot be fetched: $(tail -n 1 <<<"$reason")" >&2
fi
