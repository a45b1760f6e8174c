#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The kernel that tests/kernel/run.sh boots: Debian's linux-image-cloud-amd64, downloaded and
# unpacked in $BUILD/kernel. It is not installed, and kept there for the next time.
#
# Installs the packages that the virtual machine takes (`tests/deps.sh kernel`). Where that or
# the download cannot be done, the reason is said and left in $BUILD/kernel/skip: the tests are
# then skipped with it.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
dir=${BUILD:-build}/kernel
meta=linux-image-cloud-amd64 # depends on the package of the newest version
log=$dir/fetch.log

skip() {
	echo "kernel: $*"
	echo "$*" >"$dir/skip"
	exit 0
}

# "linux-image-6.1.0-56-cloud-amd64 6.1.192-2", or nothing when apt has no list that says so
newest() {
	local package version
	package=$(apt-cache depends "$meta" 2>/dev/null | sed -nE 's/.*Depends: (linux-image-[0-9].*)/\1/p' | head -n 1)
	[ -n "$package" ] || return
	version=$(apt-cache show --no-all-versions "$package" 2>/dev/null | sed -n 's/^Version: //p')
	[ -n "$version" ] && echo "$package $version"
}

download() { # PACKAGE VERSION
	local size
	size=$(apt-cache show "$1=$2" | sed -n 's/^Size: //p')
	echo "kernel: downloading $1 $2 ($(((${size:-0} + 500000) / 1000000)) MB) to $dir; it is unpacked there, not installed"
	# in a folder of its own: what has the package's name is all of it
	rm -rf "$dir/partial"
	mkdir "$dir/partial"
	(cd "$dir/partial" && apt-get -q -o APT::Sandbox::User=root download "$1=$2") >"$log" 2>&1 &&
		mv "$dir"/partial/linux-image-*.deb "$dir/"
}

mkdir -p "$dir"
rm -f "$dir/skip"
: >"$log"
[ "$(dpkg --print-architecture 2>/dev/null)" = amd64 ] || skip "only Debian's kernel for amd64 is known here"
bash tests/deps.sh kernel || skip "the virtual machine's packages cannot be installed (tests/deps.sh kernel)"

# take: the newest of apt's lists, into $deb
take() {
	local package version
	read -r package version < <(newest)
	[ -n "$package" ] || return 1
	deb=$dir/${package}_${version}_amd64.deb
	[ -f "$deb" ] || download "$package" "$version"
}
deb=
if ! take; then
	# no list, or an old one, which names what is no longer there
	if [ "$(id -u)" != 0 ] || ! apt-get -q update >>"$log" 2>&1 || ! take; then
		deb=$(find "$dir" -maxdepth 1 -name 'linux-image-*.deb' | sort -V | tail -n 1)
		[ -n "$deb" ] || skip "$meta cannot be downloaded: $(tail -n 1 "$log")"
		echo "kernel: a newer one cannot be had"
	fi
fi

# what was unpacked from it; named only when all of it is there
if [ "$(cat "$dir/unpacked" 2>/dev/null)" != "$deb" ]; then
	rm -rf "$dir/unpacked" "$dir/root"
	mkdir -p "$dir/root"
	dpkg-deb -x "$deb" "$dir/root" >"$log" 2>&1 || skip "$deb cannot be unpacked: $(tail -n 1 "$log")"
	[ -d "$dir/root/lib" ] || ln -s usr/lib "$dir/root/lib"
	PATH=$PATH:/usr/sbin:/sbin depmod -b "$dir/root" "$(ls "$dir/root/lib/modules")" >"$log" 2>&1 ||
		skip "depmod fails: $(tail -n 1 "$log")"
	find "$dir" -maxdepth 1 -name 'linux-image-*.deb' ! -name "$(basename "$deb")" -delete
	echo "$deb" >"$dir/unpacked"
fi
echo "kernel: $(ls "$dir/root/lib/modules"), from $deb"
