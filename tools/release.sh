#!/usr/bin/env bash
# Builds what a release consists of, into target/release-files: a zip of each function for each processor, the list of everything that is
# compiled in (an SBOM in CycloneDX's form), and checksums. It publishes nothing.
#
#   tools/release.sh <version>         the version has to be that of Cargo.toml, to have a section in CHANGELOG.md, and rows in
#                                      tests/recorded/releases; docs/changing-the-table.md has the steps of a release
#   tools/release.sh notes <version>   prints that section, without its heading
#   tools/release.sh sums <directory>  writes the checksums of the files in a directory into its SHA256SUMS
set -euo pipefail
cd "$(dirname "$0")/.."
sbom_version=0.10.0

fail() {
  echo "release: $1" >&2
  exit 1
}

# The section of a version in the changelog.
notes() {
  local text
  text=$(awk -v heading="## [$1]" '/^## / { inside = index($0, heading) == 1 } inside && !/^## /' CHANGELOG.md)
  [ -n "${text//[[:space:]]/}" ] || fail "CHANGELOG.md has no section ## [$1] with text: write down what changed"
  echo "$text"
}

sums() (
  cd "$1"
  rm -f SHA256SUMS
  sha256sum -- * >SHA256SUMS.new
  mv SHA256SUMS.new SHA256SUMS
)

case ${1:?"say which version, such as: tools/release.sh 0.2.0"} in
  notes | sums)
    "$1" "${2:?"say of what: tools/release.sh $1 ..."}"
    exit
    ;;
esac

version=$1
declared=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -1)
[ "$version" = "$declared" ] || fail "Cargo.toml says version $declared, not $version: change it there first"
notes "$version" >/dev/null
[ -d "tests/recorded/releases/$version" ] || fail "what version $version stores and sends is not kept: run python3 tools/record_release.py $version and commit it"

tools/bootstrap.sh sam zig
export PATH="$PWD/.venv/sam/bin:$PWD/.venv/zig/bin:$PATH"
files=target/release-files
rm -rf "$files"
mkdir -p "$files"
functions=$(sed -n 's/.*BuildProperties: {Binary: \([a-z]*\)}.*/\1/p' template.yaml)

for processor in arm64 x86_64; do
  echo "building the functions for $processor (some minutes) ..."
  if [ "$processor" = arm64 ]; then target=--arm64; else target=--x86-64; fi
  cargo lambda build --release --output-format zip "$target"
  for function in $functions; do
    cp "target/lambda/$function/bootstrap.zip" "$files/$function-$processor.zip"
  done
done

echo "listing what is compiled in ..."
[ -x target/tools/bin/cargo-sbom ] || cargo install --quiet cargo-sbom --version "=$sbom_version" --locked --root target/tools
target/tools/bin/cargo-sbom --cargo-package wiring --output-format cyclone_dx_json_1_6 >"$files/sbom.cdx.json"
cp template.yaml "$files/"

sums "$files"
echo "in $files:"
cat "$files/SHA256SUMS"
