#!/usr/bin/env bash
# Fuzzes with cargo-fuzz: tools/fuzz.sh <seconds> <target>...; without a target, all of them, one after another.
# Prints a line for each target: how many inputs were tried, how much of the code was covered, and how many inputs broke a property.
# Such an input is in fuzz/artifacts/<target>/, and the command to try it again is printed.
# Inputs that cover more are collected in target/fuzz-corpus/<target>. With KEEP=1, kept inputs that cover nothing of their own are
# then removed from fuzz/corpus/<target>, and up to 2 KB of inputs that cover more are added, the longest first, but none of more than 512 bytes.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
seconds=$1
shift
# AddressSanitizer needs an unreleased compiler. Nothing is lost without it: our code has no `unsafe`.
cargo_fuzz=(.venv/fuzz/bin/cargo-fuzz fuzz)
options=(--sanitizer none --target-dir "${CARGO_TARGET_DIR:-target}/fuzz")
longest=8192

[ $# -gt 0 ] || mapfile -t targets < <("${cargo_fuzz[@]}" list)
[ $# -eq 0 ] || targets=("$@")
for target in "${targets[@]}"; do
  "${cargo_fuzz[@]}" build "${options[@]}" "$target" || exit 1
done

# merge <target> <into> <from> [<option>...]: copies the inputs that cover more, the shortest first.
merge() {
  "${cargo_fuzz[@]}" run "${options[@]}" "$1" -- -merge=1 "${@:4}" "$2" "$3" >/dev/null 2>&1
}

# keep <target> <directory>: leaves out kept inputs that cover nothing that others do not, and adds a few that cover more.
keep() {
  local kept=fuzz/corpus/$1 fewest=target/fuzz-corpus/$1.fewest size=0 file
  rm -rf "$fewest"
  mkdir -p "$fewest"
  merge "$1" "$fewest" "$kept"
  rm -rf "$kept"
  cp -r "$fewest" "$kept"
  merge "$1" "$fewest" "$2" -max_len=512
  while read -r file; do
    [ -e "$kept/$(basename "$file")" ] && continue
    size=$((size + $(stat -c %s "$file")))
    [ "$size" -le 2048 ] || break
    cp "$file" "$kept/"
  done < <(find "$fewest" -type f -size +0 -printf '%s %p\n' | sort -rn | cut -d' ' -f2-)
}

failed=0
printf '%-12s %12s %10s %8s %8s\n' target executions coverage inputs findings
for target in "${targets[@]}"; do
  new=target/fuzz-corpus/$target log=target/fuzz-corpus/$target.log
  mkdir -p "$new"
  "${cargo_fuzz[@]}" run "${options[@]}" "$target" "$new" "fuzz/corpus/$target" -- -max_total_time="$seconds" -timeout=20 \
    -rss_limit_mb=3000 -max_len=$longest -dict=fuzz/words.dict -print_final_stats=1 >"$log" 2>&1
  code=$?
  awk -v target="$target" -v code="$code" '
    /^stat::number_of_executed_units/ { executed = $2 }
    match($0, /cov: [0-9]+/) { cov = substr($0, RSTART + 5, RLENGTH - 5) }
    match($0, /corp: [0-9]+/) { corp = substr($0, RSTART + 6, RLENGTH - 6) }
    END { printf "%-12s %12d %10d %8d %8d\n", target, executed, cov, corp, code != 0 }
  ' "$log"
  if [ "$code" -ne 0 ]; then
    failed=1
    grep -aE -A2 '^thread .* panicked|^SUMMARY: |Test unit written to' "$log" | head -12
    echo "again: ${cargo_fuzz[*]} run ${options[*]} $target fuzz/artifacts/$target/<file>"
  elif [ "${KEEP:-}" = 1 ]; then
    keep "$target" "$new"
  fi
done
exit "$failed"
