#!/bin/sh
# Which lines and branches of daemon/model and daemon/engine the tests reach, and which not: the
# unit programs, the model checker's short form and a short simulation; COVERAGE=full: the scenarios
# and some of tests/e2e too. Prints a table; BUILD/uncovered has the lines that nothing reached.
# Usage: coverage.sh BUILD, with everything in it built with GCOV=1
set -u
cd "$(dirname "$0")/.." || exit 1
build=$1
log=$build/log
failed=0

if ! command -v gcovr >/dev/null; then
	echo "coverage: gcovr is missing: apt-get install --no-install-recommends gcovr" >&2
	exit 1
fi

# part NAME COMMAND...: what fails is said; what it reached still counts
part() {
	echo "  $1"
	shift
	if ! "$@" >"$log" 2>&1; then
		echo "  FAILED: $*"
		tail -n 20 "$log"
		failed=1
	fi
}

# They mostly wait: some at once.
units() {
	printf '%s\n' tests/unit/test_*.c | sed -e "s|^|$build/|" -e 's/\.c$//' |
		xargs -n 8 -P 4 tools/run-unit.sh
}

pytests() {
	AIRIS_BUILD=$(realpath "$build") AIRIS_SLOW=2 \
		/usr/bin/python3 -B -m pytest -q -p no:cacheprovider "$@"
}

find "$build" -name '*.gcda' -delete
part "unit programs" units
part "model checker" "$build/model-check"
part "simulation" "$build/simulate" --seeds "500" --from 1 --kept tests/simulation/kept
if [ "${COVERAGE:-}" = full ]; then
	part "scenarios" pytests -k 'not gateway' tests/scenarios
	part "daemon" pytests tests/e2e/test_daemon.py tests/e2e/test_fm_*.py tests/e2e/test_lease.py
fi

gcovr --root . --filter daemon/model/ --filter daemon/engine/ --object-directory "$build" \
	--json "$build/coverage.json" "$build/daemon/model" "$build/daemon/engine" || exit 1
/usr/bin/python3 -B tools/coverage.py "$build/coverage.json" "$build/uncovered" || exit 1
[ "$failed" -eq 0 ]
