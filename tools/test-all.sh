#!/bin/sh
# Runs a set of tests, keeps what each part did in BUILD/results/SET, adds it up and closes with one
# line "N passed, N failed". Usage: test-all.sh test|asan|lint|fuzz|cluster|mesh BUILD
#
#   test     unit tests, the model checker's short form, a short run of the simulation, every pytest
#            folder that needs no real control plane, and airisd killed at each of its failpoints
#            (tests/crash), built for that in BUILD/crash
#   asan     unit, e2e and most scenarios under AddressSanitizer and UBSan, in BUILD/asan
#   lint     make lint
#   fuzz     every fuzz target for FUZZ_SECONDS (3), from its seeds; the same each time
#   cluster  tests/scenarios, tests/cluster and some of tests/crash against a real control plane:
#            kubelab, built from ../shared/kubelab where that and Go are (or built before).
#            Otherwise, on the cluster that KUBECONFIG names, what tools/test-kubeconfig.sh can;
#            nothing without either
#   mesh     tests/mesh; tools/test-mesh.sh calls it with the labs in AIRIS_MESH_CACHE
set -u
set=$1 build=$2
cd "$(dirname "$0")/.." || exit 1
results=$build/results/$set
rm -rf "$results"
mkdir -p "$results"
case " ${MAKEFLAGS:-}" in
*" -j"* | *jobserver*) jobs= ;; # as the make above has it
*) jobs=-j$(nproc) ;;
esac

tally() {
	kind=$1 name=$2
	shift 2
	/usr/bin/python3 -B tools/tally.py "$kind" "$results" "$name" "$@"
}

# build FOLDER GOAL...: a build that fails is a test that failed, and the end
build() {
	folder=$1
	shift
	# shellcheck disable=SC2086  # empty means no argument
	if ! make --no-print-directory -s $jobs "O=$folder" "$@" >"$folder.log" 2>&1; then
		tail -n 40 "$folder.log"
		tally check build false
		finish
	fi
	rm -f "$folder.log"
}

finish() {
	/usr/bin/python3 -B tools/tally.py sum "$results"
	exit
}

unit_tests() {
	programs=
	for source in tests/unit/test_*.c; do
		programs="$programs $1/${source%.c}"
	done
	# shellcheck disable=SC2086  # a list of words
	tally unit unit $programs
}

pytests() {
	for folder in "$@"; do
		if ls "$folder"/test_*.py >/dev/null 2>&1; then
			tally pytest "$(basename "$folder")" "$folder"
		fi
	done
}

# crashes FORM: of an airisd in which failpoints are compiled
crashes() {
	mkdir -p "$build/crash"
	export CRASH=1
	build "$build/crash" "$build/crash/airisd"
	unset CRASH
	tally crash crash /usr/bin/python3 -B tests/crash/crash.py "$1"
}

run_test() {
	build "$build" all unit-programs "$build/model-check" "$build/simulate"
	AIRIS_BUILD=$(realpath "$build")
	export AIRIS_BUILD
	unit_tests "$build"
	tally check model "$build/model-check"
	tally check simulate "$build/simulate" --seeds 10000 --from 1 --kept tests/simulation/kept
	for folder in tests/*/; do
		folder=${folder%/}
		case $folder in
		tests/cluster | tests/mesh) ;;
		*) pytests "$folder" ;;
		esac
	done
	crashes short
}

run_asan() {
	asan=$build/asan reports=$results.reports
	rm -rf "$reports"
	mkdir -p "$asan" "$reports"
	reports=$(realpath "$reports")
	export SAN=1
	build "$asan" all unit-programs
	unset SAN
	AIRIS_BUILD=$(realpath "$asan")
	export AIRIS_BUILD
	unit_tests "$asan"
	# A daemon that a test started may die unseen: what it said is counted.
	export ASAN_OPTIONS="log_path=$reports/asan:${ASAN_OPTIONS:-}"
	export UBSAN_OPTIONS="log_path=$reports/ubsan:print_stacktrace=1:${UBSAN_OPTIONS:-}"
	export AIRIS_SLOW=3 # deadlines of the tests
	pytests tests/e2e
	# Routes of both kinds go through the same code: one kind is enough here.
	PYTEST_ADDOPTS="-k 'not gateway' ${PYTEST_ADDOPTS:-}" pytests tests/scenarios
	tally reports sanitizers "$reports"
}

run_lint() {
	tally lines lint make --no-print-directory -s "O=$build" lint
}

run_fuzz() {
	build "$build" fuzz-programs
	export FUZZ_FRESH=1
	tally lines fuzz make --no-print-directory -s "O=$build" "FUZZ_SECONDS=${FUZZ_SECONDS:-3}" \
		fuzz
}

run_cluster() {
	lab=../shared/kubelab
	cache=${XDG_CACHE_HOME:-$HOME/.cache}/airis/kubelab
	go=$(command -v go || echo /usr/local/go/bin/go)
	if [ -x "$lab/build" ] && [ -x "$go" ]; then
		mkdir -p "$cache"
		if ! PATH=$(dirname "$go"):$PATH "$lab/build" "$cache"; then
			tally check kubelab false
			finish
		fi
	elif [ -x "$cache/kubelab" ]; then
		echo "cluster: without Go: $cache/kubelab as it was built before"
	elif [ -n "${KUBECONFIG:-}" ]; then
		build "$build" all
		tally check any-cluster tools/test-kubeconfig.sh "$build"
		finish
	else
		echo "cluster: neither $lab with Go nor KUBECONFIG: nothing was tested"
		rmdir "$results"
		exit 0
	fi
	export AIRIS_LAB=kubelab AIRIS_KUBELAB="$cache/kubelab"
	# Each file has a control plane of its own.
	AIRIS_JOBS=${AIRIS_JOBS:-$(nproc)}
	export AIRIS_JOBS
	build "$build" all
	AIRIS_BUILD=$(realpath "$build")
	export AIRIS_BUILD
	pytests tests/scenarios tests/cluster
	crashes cluster
}

run_mesh() {
	build "$build" all
	AIRIS_BUILD=$(realpath "$build")
	export AIRIS_BUILD
	pytests tests/mesh
}

case $set in
mesh) run_mesh ;;
test) run_test ;;
asan) run_asan ;;
lint) run_lint ;;
fuzz) run_fuzz ;;
cluster) run_cluster ;;
*)
	echo "test-all.sh: there is no set $set" >&2
	exit 2
	;;
esac
finish
