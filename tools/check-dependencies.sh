#!/usr/bin/env bash
# Checks what the code depends on: no crate that names an SDK but `adapters` among those that functions rest on; licences, sources and
# versions that we accept (deny.toml); no crate with a known vulnerability. When the list of those cannot be fetched it does not fail,
# but says so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

for crate in domain ports runtime testing authorizer api portal fanout deliver redrive; do
  sdks=$(cargo tree --package "$crate" --edges normal --prefix none | grep -E '^(aws-(config|sdk|smithy|sigv4)|reqwest|adapters)' | sort -u || true)
  if [ -n "$sdks" ]; then
    printf '%s must depend on no SDK and no adapter, but does on:\n%s\n' "$crate" "$sdks" >&2
    exit 1
  fi
done

cargo deny --all-features check --hide-inclusion-graph licenses bans sources

# A host that cannot be reached may also never answer.
if reason=$(timeout 120 cargo deny --all-features fetch db 2>&1); then
  cargo deny --all-features check --disable-fetch --hide-inclusion-graph advisories
else
  echo "WARNING: known vulnerabilities were NOT checked, because their list cannot be fetched: $(tail -n 1 <<<"$reason")" >&2
fi
