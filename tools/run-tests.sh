#!/usr/bin/env bash
# All checks and tests: `make check`, `make build`, the unit tests, and the end-to-end tests against their own deployments.
# Stops at the first step that fails. The last line says how many tests passed and failed in all steps; a step that fails without a
# failing test counts as one failure. All output is shown, and kept in target/tests.log. The output of the tests on the second
# deployment is in target/tests-aside.log until they have ended.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
log=target/tests.log
mkdir -p target
: >"$log"

# Adds up cargo's lines ("test result: ok. 3 passed; 0 failed; ...") and those of Python's unittest ("Ran 3 tests in 0.1s").
count() {
  awk '
    /^test result: / { for (i = 2; i <= NF; i++) { if ($i == "passed;") passed += $(i - 1); if ($i == "failed;") failed += $(i - 1) } }
    /^Ran [0-9]+ tests? in / { ran = $2 }
    ran != "" && /^(OK|FAILED)( |$)/ {
      bad = 0; skipped = 0
      gsub(/[(),]/, " ")
      for (i = 2; i <= NF; i++) { split($i, part, "="); if (part[1] ~ /^(failures|errors)$/) bad += part[2]; if (part[1] == "skipped") skipped += part[2] }
      passed += ran - bad - skipped; failed += bad; ran = ""
    }
    END { print passed + 0, failed + 0 }
  ' "$log"
}

finish() {
  local code=$1 passed failed
  read -r passed failed < <(count)
  if [ "$code" -ne 0 ] && [ "$failed" -eq 0 ]; then failed=1; fi
  if [ "$failed" -ne 0 ] && [ "$code" -eq 0 ]; then code=1; fi
  echo "$passed passed, $failed failed"
  exit "$code"
}

step() {
  local what=$1 code=0
  shift
  echo "── $what (after $((SECONDS / 60)) min)"
  "$@" 2>&1 | tee -a "$log" || code=$?
  if [ "$code" -ne 0 ]; then
    echo "── $what: failed"
    finish "$code"
  fi
}

# The tests that need the feature e2e, as options of `cargo test`.
end_to_end_tests() {
  cargo metadata --no-deps --format-version 1 | python -c '
import json, sys
for package in json.load(sys.stdin)["packages"]:
    for target in package["targets"]:
        if package["name"] == "tests" and "e2e" in target.get("required-features", []):
            print("--test=" + target["name"])'
}

# Replaces this process by a run of end-to-end tests on their own deployment, with this value of CompactEvents. The command names the
# whole workspace although it runs only these tests: with fewer packages, cargo would build all dependencies again.
deployed() {
  local compact=$1
  shift
  exec "${CARGO_TARGET_DIR:-target}/debug/local" run "CompactEvents=$compact" -- \
    cargo test --workspace --features tests/e2e --no-fail-fast "$@"
}

# Uses two deployments side by side, each with about half of the work. One is for tests that take minutes because they do one thing after
# another or wait (`ASIDE`); their output is shown at the end. The other is for everything else. The first stores events in the compact
# form, so that both forms are tried.
end_to_end() {
  local code=0 log=target/tests-aside.log aside
  deployed true "${ASIDE[@]}" >"$log" 2>&1 &
  aside=$!
  trap 'kill "$aside" 2>/dev/null' EXIT
  (deployed false "$@") || code=$?
  wait "$aside" || code=$?
  trap - EXIT
  cat "$log"
  return "$code"
}

step "checks" "${MAKE:-make}" --no-print-directory check
step "build" "${MAKE:-make}" --no-print-directory build
step "unit tests" cargo test --workspace --no-fail-fast

ASIDE=(--test=side_by_side --test=browser --test=restoring --test=traces)
mapfile -t tests < <(end_to_end_tests | grep -vxF "${ASIDE[@]/#/-e}")
if [ "${#tests[@]}" -eq 0 ]; then
  echo "── there are no end-to-end tests"
  finish 1
fi
# The tests are built together with the program that runs them: alone, cargo would build that program without the features that the
# tests turn on, and so build all its dependencies again.
step "building the end-to-end tests" cargo build --workspace --features tests/e2e --bin local "${ASIDE[@]}" "${tests[@]}"
step "end-to-end tests" end_to_end "${tests[@]}"
finish 0
