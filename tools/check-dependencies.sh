#!/usr/bin/env bash
# Checks the dependencies: of the crates that functions are built from, only `adapters` depends on an SDK; licences, sources and
# versions are those that we accept (deny.toml); no crate has a known vulnerability. If the list of vulnerabilities cannot be fetched,
# it prints a warning and does not fail.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

for crate in domain ports runtime testing authorizer api portal fanout deliver redrive; do
  sdks=$(cargo tree --package "$crate" --edges normal --prefix none | grep -E '^(aws-(config|sdk|smithy|sigv4)|reqwest|adapters)' | sort -u || true)
  if [ -n "$sdks" ]; then
    printf '%s must not depend on an SDK or on adapters, but depends on:\n%s\n' "$crate" "$sdks" >&2
    exit 1
  fi
done

cargo deny --all-features check --hide-inclusion-graph licenses bans sources

# The time limit is for a host that never answers.
if reason=$(timeout 120 cargo deny --all-features fetch db 2>&1); then
  cargo deny --all-features check --disable-fetch --hide-inclusion-graph advisories
else
  echo "WARNING: known vulnerabilities were NOT checked, because the list of them cannot be fetched: $(tail -n 1 <<<"$reason")" >&2
fi
