#!/bin/sh
# Planted bugs: each tests/mutants/NAME.patch is applied to a copy of the tree, and a check must
# find it; one that survives is a failure of the checks. Usage: mutants.sh BUILD [NAME...]
#
# The first lines of a patch say what it breaks and who may find it:
#
#   # breaks: law 1: a weight for endpoints that are not ready
#   # found-by: model, simulate  the checks, a list; the first that finds it will do:
#                                model: build/model-check; simulate: build/simulate, SEEDS (3000)
#                                at most; unit:test_X: a program of tests/unit. The quickest first
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
	make --no-print-directory -s -C "$copy" "CURDIR=$top" "O=$build" LENIENT=-Wno-error \
		"$(program "$1")"
}

# found_by_model PATCH: a law is broken in one of its worlds
found_by_model() {
	# shellcheck disable=SC2046  # a list of numbers
	timeout 600 "$copy/$build/model-check" $(field worlds "$1") >"$copy/output" 2>&1
	[ $? -eq 1 ] && grep -q 'VIOLATION' "$copy/output"
}

# found_by_seeds: an invariant is broken in one of the simulated worlds
found_by_seeds() {
	(cd "$copy" && timeout 600 "$build/simulate" --seeds "$seeds" --from 1 --most 1) \
		>"$copy/output" 2>&1
	[ $? -eq 1 ]
}

found_by_unit() {
	! (cd "$copy" && timeout 120 "$(program "$1")") >"$copy/output" 2>&1
}

# A test that fails anyhow finds nothing.
sound() {
	if ! "$build/simulate" --seeds 300 --from 1 >"$copy/output" 2>&1; then
		cat "$copy/output"
		echo "mutants: simulate fails without any planted bug"
		exit 1
	fi
	for check in $(cd tests/mutants && sed -n 's/^# found-by: //p' "$@" | tr , ' ' |
		tr ' ' '\n' | grep '^unit:' | sort -u); do
		if ! (timeout 300 "$(program "$check")") >"$copy/output" 2>&1; then
			cat "$copy/output"
			echo "mutants: $check fails without any planted bug"
			exit 1
		fi
	done
}

# row NAME VERDICT DETAIL PATCH
row() {
	printf '%-34s %-22s %-16s %4d s  %s\n' "$1" "$2" "$3" $(($(date +%s) - begun)) \
		"$(field breaks "$4")"
}

# effort: how far the check had to look
effort() {
	sed -n -e 's/^seed \([0-9]*\).*/seed \1/p' \
		-e 's/^model: [0-9]* .*: \([0-9,]*\) states.*/\1 states/p' \
		-e 's/^.*VIOLATION: .*/a state/p' \
		-e 's/^\[  FAILED  \] [a-zA-Z].*/a test/p' "$copy/output" | tail -n 1
}

# try NAME PATCH: says by whom it was found
try() {
	for check in $(field found-by "$2" | tr , ' '); do
		if ! make_check "$check" >"$copy/output" 2>&1; then
			row "$1" "DOES NOT COMPILE" - "$2"
			tail -n 20 "$copy/output"
			return 1
		fi
		case $check in
		model) found_by_model "$2" || continue ;;
		simulate) found_by_seeds || continue ;;
		unit:*) found_by_unit "$check" || continue ;;
		*) continue ;;
		esac
		row "$1" "$check" "$(effort)" "$2"
		return 0
	done
	row "$1" SURVIVED - "$2"
	return 1
}

one() {
	patch=$top/tests/mutants/$1.patch
	begun=$(date +%s)
	if ! patch -s -p1 -d "$copy" <"$patch" >"$copy/output" 2>&1; then
		row "$1" "DOES NOT APPLY" - "$patch"
		cat "$copy/output"
		make_copy
		return 1
	fi
	try "$1" "$patch"
	result=$?
	patch -s -R -p1 -d "$copy" <"$patch" || make_copy
	return $result
}

# per_invariant: at least two planted bugs for each; a law of the order is an invariant, too
per_invariant() {
	few=
	for pair in I1: I2:1 I3:2 I4:4 I5:3 I6: I7: I8: I9: I10: I11:5 I12:; do
		also=${pair#*:}
		n=$(cd tests/mutants && sed -n 's/^# breaks: //p' ./*.patch |
			grep -cwE "${pair%:*}${also:+|law $also}")
		printf '%s %d  ' "${pair%:*}" "$n"
		[ "$n" -ge 2 ] || few="$few ${pair%:*}"
	done
	echo
	[ -z "$few" ] || echo "mutants: fewer than two planted bugs for:$few"
	[ -z "$few" ]
}

all=
if [ $# -eq 0 ]; then
	all=1
	for patch in tests/mutants/*.patch; do
		set -- "$@" "$(basename "$patch" .patch)"
	done
fi
make_copy
# shellcheck disable=SC2046  # names without spaces
sound $(printf '%s.patch\n' "$@")
for name in "$@"; do
	count=$((count + 1))
	one "$name" || failed=$((failed + 1))
done
thin=
[ -z "$all" ] || per_invariant || thin=1
echo "mutants: $count planted, $((count - failed)) found, $failed survived"
[ "$count" -gt 0 ] && [ "$failed" -eq 0 ] && [ -z "$thin" ]
