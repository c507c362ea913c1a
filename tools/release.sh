#!/usr/bin/env bash
# Builds what a release consists of, into target/release-files: a zip of each function for each processor, the list of everything that is
# compiled in (an SBOM in CycloneDX's form), and checksums. It publishes nothing.
#
# Usage: tools/release.sh <version>, which has to be the version in Cargo.toml, and have a section in CHANGELOG.md and rows in
# tests/recorded/releases. docs/changing-the-table.md has the steps of a release.
set -euo pipefail
cd "$(dirname "$0")/.."

version=${1:?"say which version, such as: tools/release.sh 0.2.0"}
declared=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -1)
if [ "$version" != "$declared" ]; then
  echo "Cargo.toml says version $declared, not $version: change it there first" >&2
  exit 1
fi
if ! grep -q "^## \[$version\]" CHANGELOG.md; then
  echo "CHANGELOG.md has no section ## [$version]: write down what changed" >&2
  exit 1
fi
if [ ! -d "tests/recorded/releases/$version" ]; then
  echo "what version $version stores and sends is not kept: run python3 tools/record_release.py $version and commit it" >&2
  exit 1
fi

sbom_version=0.10.0
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
target/tools/bin/cargo-sbom --cargo-package wiring --output-format cyclone_dx_json_1_6 > "$files/sbom.cdx.json"
cp template.yaml "$files/"

cd "$files"
sha256sum -- * > SHA256SUMS
echo "in $files:"
cat SHA256SUMS
