#!/bin/sh
# Installs the Debian packages that building, testing and linting need. Does nothing, and asks
# the network nothing, when all are there. Needs root only when something is missing.
set -eu

packages="build-essential lintian pkg-config libevent-dev libcurl4-openssl-dev libmicrohttpd-dev
libjansson-dev libsqlite3-dev libyaml-dev libssl-dev libgnutls28-dev libcmocka-dev prometheus
python3 python3-venv python3-pytest python3-yaml curl jq sqlite3 procps openssl mandoc iproute2
systemd clang-14 libclang-rt-14-dev clang-format-14 clang-tidy-14 cppcheck git"

missing=
for package in $packages; do
	dpkg -s "$package" 2>/dev/null | grep -q '^Status: .* installed$' || missing="$missing $package"
done
if [ -z "$missing" ]; then
	echo "deps: all packages are installed"
	exit 0
fi
if [ "$(id -u)" -ne 0 ]; then
	echo "deps: missing:$missing" >&2
	echo "deps: run it as root, or: apt-get install --no-install-recommends$missing" >&2
	exit 1
fi
echo "deps: installing$missing"

# Packages must not start their services here: the tests start what they need themselves.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086  # a list of words
apt-get install -y -qq --no-install-recommends $missing
