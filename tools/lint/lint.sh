#!/bin/sh
# All checks, one line each; goes on after a failed one. Usage: lint.sh BUILD_FOLDER
set -u
build=$1
here=$(dirname "$0")
failed=0

# step NAME COMMAND...: quiet when it passes
step() {
	name=$1
	shift
	if output=$("$@" 2>&1); then
		printf '%-18s ok\n' "$name"
	else
		printf '%-18s FAILED\n%s\n' "$name" "$output"
		failed=1
	fi
}

run_cppcheck() {
	mkdir -p "$build/cppcheck"
	cppcheck -q -j2 --std=c11 --language=c --error-exitcode=1 --inline-suppr \
		--enable=warning,performance,portability --cppcheck-build-dir="$build/cppcheck" \
		--suppress=missingIncludeSystem --library=posix --library="$here/macros.cfg" -D_GNU_SOURCE -D__linux__ \
		--template='  {file}:{line}: {id}: {message}' -Idaemon \
		$(ls -d daemon cli tests/sim 2>/dev/null)
}

# What kills it is for tests alone (base/failpoint.h).
no_failpoints() {
	[ -x "$build/airisd" ] && ! grep -qa AIRIS_FAILPOINT "$build/airisd"
}

python3 -B "$here/lint.py" "$build" || failed=1
step failpoints no_failpoints
step format make -s check-format
step cppcheck run_cppcheck
if [ -x "$here/settings.sh" ]; then
	step settings "$here/settings.sh" "$build"
fi
exit $failed
