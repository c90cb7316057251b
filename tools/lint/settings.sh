#!/bin/sh
# Every setting is in the sample and in its man page, and both are as the tables have them today.
# Usage: settings.sh BUILD_FOLDER (with airis-docs and airisd in it)
set -u
build=$1
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
failed=0

for path in $("$build/airis-docs" paths); do
	key=${path##*.}
	grep -q "^[# -]*$key:" config/airisd.yaml ||
		{ echo "  config/airisd.yaml: $path is not in it: run make docs" && failed=1; }
	grep -qxF -e ".It Ic $path" -e ".Ss $path" docs/man/airisd.yaml.5 ||
		{ echo "  docs/man/airisd.yaml.5: $path is not in it: run make docs" && failed=1; }
done
tools/docs.sh "$build" "$fresh" || failed=1
for file in config/airisd.yaml docs/man/airisd.yaml.5 docs/man/airis-app.5 docs/man/airisd.8; do
	cmp -s "$file" "$fresh/$file" || { echo "  $file: is not current: run make docs" && failed=1; }
done
exit $failed
