#!/bin/sh
# Writes config/airisd.yaml and the man pages into a folder, from the tables in the programs and the
# prose in docs/man/*.in. Usage: docs.sh BUILD_FOLDER TARGET_FOLDER
set -eu
build=$1 to=$2
mkdir -p "$to/config" "$to/docs/man"
part=$(mktemp)
trap 'rm -f "$part"' EXIT

# insert MARK: copies a page, with the part in place of the line @MARK@
insert() {
	sed -e "/^@$1@\$/{r $part" -e 'd}'
}

"$build/airis-docs" sample >"$to/config/airisd.yaml"

"$build/airisctl" --man >"$to/docs/man/airisctl.1"

"$build/airis-docs" metrics >"$part"
insert METRICS <docs/metrics.md.in >"$to/docs/metrics.md"

"$build/airis-docs" settings >"$part"
insert KEYS <docs/man/airisd.yaml.5.in >"$to/docs/man/airisd.yaml.5"

# "  --name ARG   text" becomes an item.
"$build/airisd" --help | sed -n -e 's/^  --\([a-z-]*\) \([A-Z][A-Z]*\)  *\(.*\)/.It Fl \\-\1 Ar \2\n\3./p' \
	-e 's/^  --\([a-z-]*\)  *\(.*\)/.It Fl \\-\1\n\2./p' >"$part"
insert FLAGS <docs/man/airisd.8.in >"$to/docs/man/airisd.8"

"$build/airis-docs" app >"$part"
insert KEYS <docs/man/airis-app.5.in >"$to/docs/man/airis-app.5.new"
{
	echo '.Bd -literal'
	sed -e 's/\\/\\e/g' -e "s/^[.']/\\\\\&&/" config/apps/analytics-engine.yaml
	echo '.Ed'
} >"$part"
insert EXAMPLE <"$to/docs/man/airis-app.5.new" >"$to/docs/man/airis-app.5"
rm "$to/docs/man/airis-app.5.new"

"$build/airisctl" --man >"$to/docs/man/airisctl.1"
