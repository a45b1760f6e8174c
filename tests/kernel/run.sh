#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests weir on a stock Debian kernel, in a virtual machine: what the kernel of this host may lack
# (nft's queue expression, fq_codel, cake, flower) is there, and nothing of this host is.
# `make test-kernel` builds, fetches the kernel (fetch.sh) and runs this.
#
#   BUILD=build bash tests/kernel/run.sh [NAME...]      tests/kernel/guest/NAME.sh; all
#
# The machine (QEMU) has two processors, no network device and no disk, only a file system in
# memory with the tests in it (image.sh). It is emulated, so nothing in a guest test may depend
# on time; KVM is used where it works (ACCEL=tcg or kvm: only that). KERNEL_LIMIT: seconds after
# which it is ended: many more than it takes, which is two or three minutes.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
BUILD=${BUILD:-build}
dir=$BUILD/kernel
limit=${KERNEL_LIMIT:-840}
qemu=
ulimit -c 0

skip() { echo "ok 1 # SKIP $*"; echo "1..1"; exit 0; }
stop() {
	[ -z "$qemu" ] || { kill "$qemu"; wait "$qemu"; } 2>/dev/null
	qemu=
}
trap stop EXIT
trap 'exit 1' INT TERM

[ ! -s "$dir/skip" ] || skip "$(cat "$dir/skip")"
[ -s "$dir/unpacked" ] || skip "there is no kernel in $dir (make test-kernel downloads one)"
[ $# -gt 0 ] || set -- $(for t in tests/kernel/guest/*.sh; do basename "$t" .sh; done)
tests=$*
for t in "$@"; do
	[ -f "tests/kernel/guest/$t.sh" ] || { echo "not ok 1 - there is no tests/kernel/guest/$t.sh"; exit 1; }
done
if ! BUILD=$BUILD bash tests/kernel/image.sh >"$dir/image.log" 2>&1; then
	sed 's/^/# /' "$dir/image.log"
	echo "not ok 1 - the file system of the virtual machine can be made"
	exit 1
fi

# Two of the kernel's options save a third of the time: an emulated processor leaks nothing, and
# reads its own clock far faster than the board's.
start() { # ACCEL
	local cpu=qemu64
	: >"$dir/console"
	: >"$dir/guest"
	[ "$1" = tcg ] || cpu=host
	timeout -k 5 "$limit" qemu-system-x86_64 -accel "$1" -cpu $cpu -smp 2 -m 768 \
		-nodefaults -no-user-config -no-reboot -display none -nic none \
		-serial "file:$dir/console" -serial "file:$dir/guest" \
		-kernel "$dir"/root/boot/vmlinuz-* -initrd "$dir/image.cpio" \
		-append "console=ttyS0 loglevel=5 panic=-1 oops=panic mitigations=off tsc=reliable TESTS=${tests// /,}" \
		</dev/null >"$dir/qemu.log" 2>&1 &
	qemu=$!
}
# Waits until it is up: that it is, within so many seconds
comes_up() {
	local end=$((SECONDS + $1))
	until grep -q '^== up' "$dir/guest"; do
		kill -0 "$qemu" 2>/dev/null && [ $SECONDS -lt $end ] || return 1
		sleep 0.1
	done
}

accel=${ACCEL:-tcg}
if [ -z "${ACCEL:-}" ] && [ -w /dev/kvm ]; then
	start kvm
	# should QEMU end by a signal, bash would tell that too
	if comes_up 15 2>/dev/null; then
		accel=kvm
	else
		stop
		echo "# /dev/kvm is there, but runs no guest here: it is emulated"
	fi
fi
[ -n "$qemu" ] || start "$accel"
wait "$qemu"
status=$?
qemu=

awk -v tests="$tests" -f tests/kernel/tap.awk "$dir/guest"
bad=$?
if [ $status = 124 ]; then
	echo "# the virtual machine was ended after $limit s"
fi
# Its warning at a packet that is dropped because its hook is gone (a table removed while packets
# are held, here by kill -9) is no news: Linux 4.14 to 6.10 give it once, later ones no more.
if grep -E 'Kernel panic|Oops|BUG: |WARNING: CPU|general protection' "$dir/console" |
	grep -vqE 'nf_queue\.c:[0-9]+ nf_reinject'; then
	echo "not ok - the kernel has nothing to complain of"
	bad=1
else
	echo "ok - the kernel has nothing to complain of"
fi
if [ $bad != 0 ]; then
	echo "# with $accel; the last that the kernel and QEMU said:"
	tail -n 40 "$dir/console" "$dir/qemu.log" | tr -d '\r' | sed 's/^/# /'
fi
exit $bad
