#!/bin/sh
# Runs each fuzz target for some seconds: one line each, and the report of those that fail.
# Usage: run-fuzz.sh SECONDS CORPUS_FOLDER TARGET...
set -u
seconds=$1 corpus=$2
shift 2
out=$(mktemp)
trap 'rm -f "$out"' EXIT
failed=0
for target in "$@"; do
	name=$(basename "$target")
	name=${name#fuzz_}
	found=$corpus/$name
	mkdir -p "$found"
	seeds=tests/fuzz/corpus/$name
	[ -d "$seeds" ] || seeds=
	words=tests/fuzz/$name.dict
	[ -f "$words" ] && words=-dict=$words || words=
	# shellcheck disable=SC2086  # empty means no argument
	if "$target" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=1024 -print_final_stats=1 \
		-close_fd_mask=1 -artifact_prefix="$found-" $words "$found" $seeds >"$out" 2>&1; then
		runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$out")
		echo "fuzz_$name: ok, $runs runs in $seconds s"
	else
		grep -v '^#' "$out" | tail -n 40
		echo "fuzz_$name: FAILED; the input is in $(ls -t "$found"-* | head -n 1)"
		failed=1
	fi
done
exit $failed
