#!/bin/sh
# Runs the cmocka programs given as arguments: one line each, and the output of those that fail.
set -u
out=$(mktemp)
trap 'rm -f "$out"' EXIT
programs=0 tests=0 failed=0
for program in "$@"; do
	programs=$((programs + 1))
	if timeout 120 "$program" >"$out" 2>&1; then
		mark=ok
	else
		mark="FAILED ($?)"
		failed=$((failed + 1))
		cat "$out"
	fi
	count=$(sed -n 's/^\[==========\].* \([0-9][0-9]*\) test(s) run.*/\1/p' "$out" |
		awk '{ n += $1 } END { print n + 0 }')
	tests=$((tests + count))
	if [ "$mark" = ok ] && [ "$count" -eq 0 ]; then
		mark="FAILED (ran no test)"
		failed=$((failed + 1))
	fi
	printf '%-28s %3d tests  %s\n' "$(basename "$program")" "$count" "$mark"
done
echo "unit: $tests tests in $programs programs, $failed programs failed"
[ "$failed" -eq 0 ]
