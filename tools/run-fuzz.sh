#!/bin/sh
# Runs each fuzz target for some seconds, as many at once as there are processors: one line each,
# and the report of those that fail. Usage: run-fuzz.sh SECONDS CORPUS_FOLDER TARGET...
#
# It begins with the seeds and with what was found before. FUZZ_FRESH=1: with the seeds alone and
# the same random numbers each time; nothing that is found is kept, but for inputs that fail.
set -u

one() {
	target=$1
	name=$(basename "$target")
	name=${name#fuzz_}
	out=$(mktemp)
	found=$corpus/$name fresh=
	mkdir -p "$corpus"
	if [ -n "${FUZZ_FRESH:-}" ]; then
		fresh=$(mktemp -d)
	else
		mkdir -p "$found"
	fi
	seeds=tests/fuzz/corpus/$name
	[ -d "$seeds" ] || seeds=
	words=tests/fuzz/$name.dict
	[ -f "$words" ] && words=-dict=$words || words=
	# shellcheck disable=SC2086  # empty means no argument
	"$target" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=1024 -print_final_stats=1 \
		-detect_leaks=1 -close_fd_mask=1 -artifact_prefix="$found-" ${fresh:+-seed=1} $words \
		"${fresh:-$found}" $seeds >"$out" 2>&1
	status=$?
	runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$out")
	if [ $status = 0 ] && [ "${runs:-0}" -gt 0 ]; then
		echo "fuzz_$name: ok, $runs runs in $seconds s"
	else
		status=1
		echo "fuzz_$name: FAILED
$(grep -v '^#' "$out" | tail -n 40)
fuzz_$name: the input is in $(ls -t "$found"-* 2>/dev/null | head -n 1)"
	fi
	rm -rf "$out" "$fresh"
	return $status
}

if [ "$1" = --one ]; then
	seconds=$2 corpus=$3
	one "$4"
	exit
fi
seconds=$1 corpus=$2
shift 2
printf '%s\n' "$@" |
	xargs -P "${FUZZ_JOBS:-$(nproc)}" -I TARGET "$0" --one "$seconds" "$corpus" TARGET
