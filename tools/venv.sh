#!/bin/sh
# Programs of PyPI that a test runs, in a folder of their own. Usage: venv.sh FOLDER REQUIREMENTS.
# Made anew when the requirements have changed; two at once wait for each other.
set -eu
venv=$1 wanted=$2
mkdir -p "$(dirname "$venv")"
exec 9>"$venv.lock"
flock 9
if cmp -s "$wanted" "$venv/made"; then
	exit 0
fi
rm -rf "$venv"
echo "  VENV  $venv"
/usr/bin/python3 -m venv "$venv"
# The file has all of them, so nobody has to look for what they need; and what is used of them is
# compiled by who uses it.
"$venv/bin/pip" --disable-pip-version-check --no-input install -q --no-deps --no-compile \
	-r "$wanted"
cp "$wanted" "$venv/made"
