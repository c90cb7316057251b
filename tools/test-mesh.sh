#!/bin/sh
# tests/mesh: whole canaries on real istiod, Envoy and requests. The labs are built from ../shared
# where Go is, into a cache outside of the checkout, once; a cache that is there is used as it is.
# Needs root and the ip program (a network namespace). One run at a time.
# Usage: test-mesh.sh BUILD    (PYTEST_ADDOPTS="-k churn" for a part of it)
set -u
cd "$(dirname "$0")/.." || exit 1
build=$1
cache=${AIRIS_MESH_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/airis}
go=$(command -v go || echo /usr/local/go/bin/go)

for lab in kubelab meshlab; do
	[ ! -x "$cache/$lab/$lab" ] || continue
	if ! [ -x "../shared/$lab/build" ] || ! [ -x "$go" ]; then
		echo "test-mesh: $cache/$lab is not there, and there is no Go or no ../shared/$lab to" \
			"build it: nothing was tested"
		exit 1
	fi
	mkdir -p "$cache/$lab"
	PATH=$(dirname "$go"):$PATH "../shared/$lab/build" "$cache/$lab" || exit 1
done
if [ "$(id -u)" != 0 ] || ! command -v ip >/dev/null; then
	echo "test-mesh: needs root and the ip program: nothing was tested"
	exit 1
fi
export AIRIS_MESH_CACHE="$cache"
exec flock "${TMPDIR:-/tmp}/airis-test-mesh.lock" tools/test-all.sh mesh "$build"
