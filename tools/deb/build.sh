#!/bin/sh
# Packs what `make install` puts in place into BUILD/airis_VERSION-1_ARCH.deb, and what debuggers
# need into airis-dbgsym_…deb. Uses dpkg-dev alone, which building needs anyway, so it asks no
# network. The same tree gives the same bytes: times are those of the changelog, owners are root.
# Usage: build.sh BUILD, for `make deb`
set -eu
umask 022
export LC_ALL=C TZ=UTC
cd "$(dirname "$0")/../.."
source=tools/deb
build=$(realpath "$1")
folder=$build/deb root=$build/deb/root symbols=$build/deb/symbols
doc=$root/usr/share/doc/airis

say() {
	echo "deb: $*" >&2
	exit 1
}

version=$(dpkg-parsechangelog -l $source/changelog -S Version)
[ "${version%-*}" = "$(cat VERSION)" ] ||
	say "VERSION says $(cat VERSION), and $source/changelog $version; write an entry for it"
arch=$(dpkg-architecture -qDEB_HOST_ARCH)
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(dpkg-parsechangelog -l $source/changelog -S Timestamp)}
export SOURCE_DATE_EPOCH
maintainer=${DEB_MAINTAINER:-$(dpkg-parsechangelog -l $source/changelog -S Maintainer)}

# Where Debian has what other systems have elsewhere.
place() {
	mkdir -p "$root/lib/systemd" "$root/usr/share/zsh"
	mv "$root/usr/lib/systemd/system" "$root/lib/systemd/system"
	rmdir "$root/usr/lib/systemd"
	mv "$root/usr/share/zsh/site-functions" "$root/usr/share/zsh/vendor-completions"
	# Its group is not there yet: postinst has systemd-tmpfiles give it mode 0640, and dpkg keeps
	# that. The sample holds no secret.
	chmod 644 "$root/etc/airis/airisd.yaml"
	find "$root/usr/share/man" -type f -exec gzip -9n {} +
	gzip -9n <$source/changelog >"$doc/changelog.Debian.gz"
	install -m 644 $source/copyright "$doc/copyright"
	if [ -e $source/lintian-overrides ]; then
		install -D -m 644 $source/lintian-overrides "$root/usr/share/lintian/overrides/airis"
	fi
}

# The program loses its symbols; they go where gdb looks, by the build id.
strip_one() {
	id=$(readelf -n "$1" | sed -n 's/^ *Build ID: //p')
	[ -n "$id" ] || say "$1 has no build id"
	to=$symbols/usr/lib/debug/.build-id/$(echo "$id" | cut -c 1-2)
	mkdir -p "$to"
	to=$to/$(echo "$id" | cut -c 3-).debug
	objcopy --only-keep-debug --compress-debug-sections "$1" "$to"
	chmod 644 "$to"
	strip --strip-unneeded --remove-section=.comment --remove-section=.note "$1"
	objcopy --add-gnu-debuglink="$to" "$1"
	ids="$ids${ids:+ }$id"
}

sums() {
	(cd "$1" && find . -type f ! -path './DEBIAN/*' ! -path './etc/*' -printf '%P\0' |
		sort -z | xargs -0 md5sum >DEBIAN/md5sums)
}

# control PACKAGE ROOT FIELD...: from debian/, where dpkg's tools look
control() {
	package=$1 of=$2
	shift 2
	mkdir -p "$of/DEBIAN"
	(cd "$folder" && dpkg-gencontrol -p"$package" -P"$of" -Tdebian/substvars \
		-fdebian/files -O"$of/DEBIAN/control" "$@")
}

pack() {
	find "$1" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
	dpkg-deb --root-owner-group -Zxz --build "$1" "$build/$2_${version}_$arch.deb" >/dev/null
	echo "$build/$2_${version}_$arch.deb"
}

rm -rf "$folder"
mkdir -p "$folder/debian" "$root/DEBIAN"
make --no-print-directory -s "O=$1" install "DESTDIR=$root" prefix=/usr sysconfdir=/etc \
	>"$folder/install.log" || say "make install failed: $folder/install.log"
place
ids=
for program in airisctl airisd; do
	strip_one "$root/usr/bin/$program"
done

sed -e "s/@MAINTAINER@/$maintainer/" $source/control >"$folder/debian/control"
cp $source/changelog "$folder/debian/changelog"
(cd "$folder" && dpkg-shlibdeps -Tdebian/substvars -eroot/usr/bin/airisd -eroot/usr/bin/airisctl)

control airis "$root"
for script in postinst prerm postrm; do
	install -m 755 $source/$script "$root/DEBIAN/$script"
done
echo /etc/airis/airisd.yaml >"$root/DEBIAN/conffiles"
sums "$root"

control airis "$symbols" -DPackage=airis-dbgsym -DSection=debug -DPriority=optional \
	-DAuto-Built-Package=debug-symbols "-DDepends=airis (= $version)" "-DBuild-Ids=$ids" \
	"-DDescription=debug symbols for airis"
mkdir -p "$symbols/usr/share/doc"
ln -s airis "$symbols/usr/share/doc/airis-dbgsym"
sums "$symbols"

pack "$root" airis
pack "$symbols" airis-dbgsym
