#!/usr/bin/env bash
# Upgrades a running stack from a release to the present version, and rolls it back, both under load (tests/upgrade). `make test-upgrade`
# calls it. The present version is the build in .aws-sam/unoptimized.
#
# Usage: tools/test-upgrade.sh [<commit or tag>]
# Without a commit, it takes the newest release in the table of CHANGELOG.md that is an ancestor of this commit, deploys something else,
# and can be upgraded in place.
#
# The release is checked out and built below target/upgrade/<commit>. The checkout is removed again; what was built is used the next time.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
export PATH="$root/.venv/sam/bin:$PATH" SAM_CLI_TELEMETRY=0
deployed=(shared functions wiring template.yaml Cargo.lock)

# The table's rows: | version | commit | upgraded in place |
releases() {
  awk -F ' *\\| *' '/^## / { inside = /^## Releases$/ } inside && $2 ~ /^[0-9]+\.[0-9]+\.[0-9]+$/ { gsub(/`/, "", $3); print $2, $3, $4 }' CHANGELOG.md
}

from=${1:-}
if [ -z "$from" ]; then
  while read -r version commit in_place; do
    if [ "$in_place" = yes ] && git merge-base --is-ancestor "$commit" HEAD && ! git diff --quiet "$commit" -- "${deployed[@]}"; then
      from=$commit
      echo "upgrading from version $version ($commit), and back"
      break
    fi
  done < <(releases)
fi
if [ -z "$from" ]; then
  echo "no release in CHANGELOG.md can be upgraded to this commit and differs from it: name one with FROM=<commit>" >&2
  exit 1
fi
commit=$(git rev-parse --verify "$from^{commit}")
if releases | grep -qx ".* $commit no"; then
  echo "that release cannot be upgraded in place: docs/upgrading.md says what to do instead" >&2
  exit 1
fi

work=target/upgrade/${commit:0:12}
if [ ! -f "$work/built/template.yaml" ]; then
  echo "building the release below $work (the first time takes about five minutes) ..."
  mkdir -p "$work"
  # What an interrupted run has left.
  git worktree remove --force "$work/checkout" 2>/dev/null || true
  git worktree add --quiet --detach "$work/checkout" "$commit"
  trap 'cd "$root" && git worktree remove --force "$work/checkout"' EXIT
  (
    cd "$work/checkout"
    # Unoptimized, with this machine's own linker. All releases share what they compile.
    export CARGO_LAMBDA_COMPILER=cargo SAM_BUILD_MODE=debug CARGO_TARGET_DIR="$root/target/upgrade/cargo"
    processor=$(uname -m | sed 's/aarch64/arm64/')
    sam build --template-file template.yaml --build-dir "$root/$work/being-built" --parameter-overrides "Architecture=$processor"
  )
  # What is smaller is deployed sooner.
  strip "$work"/being-built/*/bootstrap
  rm -rf "$work/built"
  mv "$work/being-built" "$work/built"
fi

"${CARGO_TARGET_DIR:-target}/debug/examples/upgrade" "$work/built/template.yaml" .aws-sam/unoptimized/template.yaml
