#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The gateway where nftables has no queue expression, and xtables' NFQUEUE is a module that
# nobody has loaded yet.
. "$(dirname "$0")/../../net/lib.sh"
router_up
printf 'links: [{name: up, interface: wan, rate: 1gbit, classes: [{name: all, default: true}]}]\n' >"$tmp/p.yaml"

mkdir -p /etc/modprobe.d
echo 'install nft_queue /bin/false' >/etc/modprobe.d/no-queue.conf
without() { modprobe -r "$1"; ! lsmod | grep -q "^$1 "; }
for m in nft_queue xt_NFQUEUE nft_compat; do ok "without $m" until_ok 20 without $m; done

weir_start "$tmp/p.yaml" || { cat "$tmp/weir.log"; ok "weir starts" false; finish; }
"$WEIR" status --socket "$sock" >"$tmp/out"
is "all is well" $? 0
like "it queues by xtables' NFQUEUE" "$tmp/out" "^queueing: nftables with xtables' NFQUEUE"
ok "ping over IPv4" in_i ping -c 1 -W 20 10.77.2.2
ok "ping over IPv6" in_i ping -6 -c 1 -W 20 fd77:2::2
ok "both went through it" test "$(stats 'link("up")["sent"]["packets"]')" -ge 2
ok "it ends well" weir_stop
rm /etc/modprobe.d/no-queue.conf
finish
