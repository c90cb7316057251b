#!/bin/sh
# Planted bugs: each tests/mutants/NAME.patch is applied to a copy of the tree, and a check must
# find it; one that survives is a failure of the checks. Usage: mutants.sh BUILD [NAME...]
#
# The first lines of a patch say what it breaks and who may find it:
#
#   # breaks: law 1: a weight for endpoints that are not ready
#   # found-by: model, simulate  the checks, a list; the first that finds it will do:
#                                model: build/model-check; simulate: build/simulate, SEEDS (3000)
#                                at most; unit:test_X: a program of tests/unit
#   # worlds: 0 2                of the model checker; none named: all of the short form
#
# The copy has the objects of BUILD, so only what a patch touches is compiled again. BUILD is
# relative to the tree, and has all checks in it.
set -u
cd "$(dirname "$0")/.." || exit 1
top=$PWD build=$1
shift
copy=$build/mutants
seeds=${SEEDS:-3000}
failed=0 count=0

# field NAME PATCH
field() {
	sed -n "s/^# $1: //p" "$2"
}

make_copy() {
	rm -rf "$copy"
	mkdir -p "$copy/$build/tests" || exit 1
	cp -a Makefile VERSION daemon migrations "$copy/"
	mkdir -p "$copy/tests" "$copy/tools"
	cp -a tests/model tests/simulation tests/unit "$copy/tests/"
	cp -a tests/wire config "$copy/tests/" 2>/dev/null
	cp -a tools/embed-migrations.sh "$copy/tools/"
	cp -a "$build/flags" "$build/gen" "$build/daemon" "$build/libairis.a" "$copy/$build/"
	cp -a "$build/libunit.a" "$build/model-check" "$build/simulate" "$copy/$build/"
	cp -a "$build/tests/model" "$build/tests/simulation" "$build/tests/unit" \
		"$copy/$build/tests/"
}

# program CHECK: what it is built as
program() {
	case $1 in
	model) echo "$build/model-check" ;;
	unit:*) echo "$build/tests/unit/${1#unit:}" ;;
	*) echo "$build/$1" ;;
	esac
}

# The flags name the tree that the objects were compiled in.
make_check() {
	make --no-print-directory -s -C "$copy" "CURDIR=$top" "O=$build" "$(program "$1")"
}

# found_by_model PATCH: a law is broken in one of its worlds
found_by_model() {
	# shellcheck disable=SC2046  # a list of numbers
	"$copy/$build/model-check" $(field worlds "$1") >"$copy/output" 2>&1
	[ $? -eq 1 ] && grep -q 'VIOLATION' "$copy/output"
}

# found_by_seeds: an invariant is broken in one of the simulated worlds
found_by_seeds() {
	(cd "$copy" && "$build/simulate" --seeds "$seeds" --from 1 --most 1) >"$copy/output" 2>&1
	[ $? -eq 1 ]
}

found_by_unit() {
	! (cd "$copy" && timeout 120 "$(program "$1")") >"$copy/output" 2>&1
}

# try NAME PATCH: says by whom it was found
try() {
	for check in $(field found-by "$2" | tr , ' '); do
		if ! make_check "$check" >"$copy/output" 2>&1; then
			printf '%-36s DOES NOT COMPILE\n' "$1"
			tail -n 20 "$copy/output"
			return 1
		fi
		case $check in
		model) found_by_model "$2" || continue ;;
		simulate) found_by_seeds || continue ;;
		unit:*) found_by_unit "$check" || continue ;;
		*) continue ;;
		esac
		what=$(sed -n -e 's/^  VIOLATION: //p' -e 's/^seed \([0-9]*\).*/seed \1/p' \
			-e 's/^\[  FAILED  \] //p' "$copy/output" | head -n 1 | cut -c 1-60)
		printf '%-36s found by %-22s %s\n' "$1" "$check" "$what"
		return 0
	done
	printf '%-36s SURVIVED        breaks %s\n' "$1" "$(field breaks "$2")"
	return 1
}

one() {
	patch=$top/tests/mutants/$1.patch
	if ! patch -s -p1 -d "$copy" <"$patch" >"$copy/output" 2>&1; then
		printf '%-36s DOES NOT APPLY\n' "$1"
		cat "$copy/output"
		make_copy
		return 1
	fi
	try "$1" "$patch"
	result=$?
	patch -s -R -p1 -d "$copy" <"$patch" || make_copy
	return $result
}

make_copy
if [ $# -eq 0 ]; then
	for patch in tests/mutants/*.patch; do
		set -- "$@" "$(basename "$patch" .patch)"
	done
fi
for name in "$@"; do
	count=$((count + 1))
	one "$name" || failed=$((failed + 1))
done
echo "mutants: $count planted, $((count - failed)) found, $failed not"
[ "$count" -gt 0 ] && [ "$failed" -eq 0 ]
