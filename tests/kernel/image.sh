#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Makes the initial file system of the virtual machine, $BUILD/kernel/image.cpio: weir, the
# tests and what they use, programs of this host with their libraries, modules of the kernel
# in $BUILD/kernel/root. In the guest this folder's place is /weir.
#
# A guest test that needs another program, Python module or kernel module: add it here.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PATH=/usr/sbin:/usr/bin:/sbin:/bin # Debian's own programs only

programs="bash sh env
basename cat chmod cmp cp cut date diff dirname expr false find head id ln ls mkdir mkfifo mktemp
mv nproc od readlink realpath rm rmdir seq sleep sort stat stty tail tee test timeout touch tr
true uname uniq wc xargs awk grep gzip sed
mount umount nsenter setpriv taskset unshare ps sysctl modprobe lsmod
ip tc ss bridge nft ping ethtool iperf3 tcpdump python3"

python="json re struct socket subprocess time ipaddress encodings.ascii encodings.latin_1 encodings.idna"

# folders of the kernel's modules, or single ones; what they depend on comes with them
modules="net/sched net/netfilter net/ipv4/netfilter net/ipv6/netfilter net/bridge net/8021q
drivers/net/veth.ko drivers/net/ifb.ko drivers/net/dummy.ko drivers/net/tun.ko"

# of the tree, at the same place below /weir
tree="tests/e2e tests/net tests/kernel policies tests/captures"

BUILD=${BUILD:-build}
dir=$BUILD/kernel
root=$dir/image
release=$(ls "$dir/root/lib/modules")

rm -rf "$root"
mkdir -p "$root"/{usr/bin,usr/sbin,usr/lib,usr/lib64,proc,sys,dev,run,tmp,etc,root,weir}
for d in bin sbin lib lib64; do ln -s usr/$d "$root/$d"; done

# libraries_of FILE...: at the same place as here
libraries_of() {
	local f lib
	for f in "$@"; do
		for lib in $(ldd "$f" 2>/dev/null | grep -oE '/[^ ]+'); do
			[ -e "$root$lib" ] || install -D "$lib" "$root$lib"
		done
	done
}

files=()
for p in $programs busybox; do
	f=$(type -P "$p") || { echo "there is no $p here"; exit 1; }
	real=$(realpath "$f")
	install -D "$real" "$root$real"
	# a name that is a link ("awk") is one there too
	[ -e "$root$f" ] || ln -s "$real" "$root$f"
	files+=("$real")
done
libraries_of "${files[@]}"

# Python's modules: those that these load here, at the same places and with the same times, by
# which Python knows that what it compiled is still right
python3 -I -c "
import importlib, sys
for name in sys.argv[1:]:
	importlib.import_module(name)
for m in list(sys.modules.values()):
	for f in (getattr(m, '__file__', None), getattr(m, '__cached__', None)):
		if f: print(f)" $python | sort -u >"$dir/python"
while read -r f; do
	[ ! -e "$f" ] || install -p -D -m 644 "$f" "$root$(realpath "$f")"
done <"$dir/python"
# shellcheck disable=SC2046
libraries_of $(grep '\.so$' "$dir/python" || true)

# The modules and all that they depend on, by modules.dep ("net/a.ko: lib/b.ko lib/c.ko")
from=$dir/root/lib/modules/$release
to=$root/lib/modules/$release
mkdir -p "$to"
awk -v want="$modules" '
	BEGIN { n = split(want, w) }
	{
		module = $1
		sub(/:$/, "", module)
		for (i = 1; i <= n; i++)
			if (index(module, "kernel/" w[i]) == 1) {
				print module
				for (d = 2; d <= NF; d++) print $d
				break
			}
	}' "$from/modules.dep" | sort -u >"$dir/modules"
tar -C "$from" -cf - -T "$dir/modules" modules.order modules.builtin modules.builtin.modinfo | tar -C "$to" -xf -
find "$to" -name '*.ko.xz' -exec xz -d {} +
depmod -b "$root" "$release"

# names that filters, tcpdump and --user look up
for f in protocols services ethertypes; do [ ! -e /etc/$f ] || cp /etc/$f "$root/etc/"; done
for f in passwd group; do grep -E '^(root|daemon|nobody|nogroup|tcpdump):' /etc/$f >"$root/etc/$f"; done
[ ! -d /etc/iproute2 ] || cp -r /etc/iproute2 "$root/etc/"

# shellcheck disable=SC2086
tar -cf - $tree | tar -C "$root/weir" -xf -
mapfile -t files < <(cd "$BUILD" && echo weir && find tests/net -type f -perm /100 &&
	echo tests/props/prop_tc_kernel && echo tests/unit/test_tc_side)
for f in "${files[@]}"; do install -D "$BUILD/$f" "$root/weir/build/$f"; done
libraries_of "${files[@]/#/$BUILD/}"
install tests/kernel/init "$root/init"

# not compressed: that would only have to be undone, slowly
(cd "$root" && find . | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet) >"$dir/image.cpio"
