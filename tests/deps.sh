#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Installs the Debian packages that weir needs and that are not there yet.
#
#   tests/deps.sh build     to build and run weir
#   tests/deps.sh demo      ... and to show it (iproute2, iperf3, ping, python3)
#   tests/deps.sh test      ... and to test it
#   tests/deps.sh kernel    ... and to test it on another kernel in a virtual machine (QEMU)
#   tests/deps.sh ci        ... and to analyse it (clang, cppcheck, valgrind)
#
# Does nothing, and needs no root, when nothing is missing.
set -euo pipefail

# netbase: names in filters ("ip proto esp", "port domain") are looked up in its files
build="gcc libc6-dev make netbase libpcap-dev libyaml-dev libjansson-dev zlib1g-dev
libmnl-dev libnetfilter-queue-dev libnftnl-dev libmicrohttpd-dev libnl-3-dev libnl-route-3-dev"
demo="iproute2 iputils-ping iperf3 python3 ethtool"
test="libcmocka-dev binutils gzip tcpdump procps mandoc util-linux
nftables"
kernel="qemu-system-x86 busybox-static cpio kmod xz-utils"
ci="clang clang-tidy clang-format libclang-rt-dev cppcheck valgrind"

case ${1:-test} in
build) want=$build ;;
demo) want="$build $demo" ;;
test) want="$build $demo $test" ;;
kernel) want="$build $demo $test $kernel" ;;
ci) want="$build $demo $test $ci" ;;
*) echo "usage: tests/deps.sh build|demo|test|kernel|ci" >&2; exit 2 ;;
esac

if ! command -v dpkg-query >/dev/null; then
	echo "deps: no dpkg here, so nothing is installed. On Debian the packages are: $want" >&2
	exit 0
fi

missing=
for p in $want; do
	s=$(dpkg-query -W -f '${db:Status-Abbrev}' "$p" 2>/dev/null || true)
	[ "${s:0:2}" = ii ] || missing="$missing $p"
done
if [ -z "$missing" ]; then
	echo "deps: nothing is missing"
	exit 0
fi

echo "deps: weir needs these Debian packages, which are not installed:$missing"
if [ "$(id -u)" != 0 ]; then
	echo "deps: installing needs root: run 'sudo make deps', or 'apt-get install$missing'" >&2
	exit 2
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive
install="apt-get install -q -y --no-install-recommends $missing"
echo "deps: $install (downloads; a minute or more)"
# says that it is at work while apt-get is silent, as long as this runs
(while sleep 5; do
	kill -0 $$ 2>/dev/null || exit
	echo "deps: still at it: $(tail -n 1 "$log" | cut -c 1-100)"
done) &
beat=$!
trap 'kill $beat 2>/dev/null; rm -f "$log"' EXIT
if ! $install >"$log" 2>&1; then
	apt-get update -q >"$log" 2>&1 && $install >"$log" 2>&1 || {
		cat "$log" >&2
		echo "deps: apt-get could not install them" >&2
		exit 2
	}
fi
echo "deps: installed"
