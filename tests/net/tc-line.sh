#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What the kernel counts for packets of all kinds of lengths, on all kinds of lines, as tc reads
# it from the class's counter; and as many levels of classes as HTB has.
. "$(dirname "$0")/lib.sh"

ip netns add "$ns-r"
ip -n "$ns-r" link add wan mtu 9000 type veth peer name far mtu 9000
in_r sh -c 'echo 1 >/proc/sys/net/ipv6/conf/wan/disable_ipv6'
ip -n "$ns-r" addr add 10.78.0.1/24 dev wan
ip -n "$ns-r" link set wan up
ip -n "$ns-r" link set far up
ip -n "$ns-r" neigh add 10.78.0.2 lladdr 02:00:00:00:00:02 dev wan

apply() { in_r "$WEIR" tc apply "$1" >"$tmp/out" 2>"$tmp/err"; }

printf 'links: [{name: l, interface: wan, rate: 1gbit, classes: [{name: a, default: true}]}]\n' >"$tmp/p.yaml"
apply "$tmp/p.yaml" || { cat "$tmp/err"; skip_all "this kernel's traffic control does not serve"; }

# one packet of each length; the counter of the leaf tells what each was taken for
cat >"$tmp/send.py" <<'EOP'
import re, socket, subprocess, sys

overhead, mpu, layer = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]

def charge(n):
    n = max(n + overhead, mpu, 1)
    return {"ethernet": n, "atm": (n + 47) // 48 * 53, "ptm": n + (n + 63) // 64}[layer]

def counter():
    t = subprocess.check_output(["tc", "-s", "class", "show", "dev", "wan"], text=True)
    return int(re.search(r"class htb 7765:\w+ parent 7765:1 .*\n Sent (\d+) bytes", t)[1])

s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
before = counter()
for n in [28, 29, 38, 47, 48, 49, 64, 65, 80, 128, 129, 527, 1027, 1427, 1500, 2047, 2048, 5000, 9000]:
    s.sendto(b"x" * (n - 28), ("10.78.0.2", 9))
    now = counter()
    if now - before != charge(n):
        print(f"{n} bytes: {now - before} instead of {charge(n)}")
    before = now
EOP

line() { # KEYS OVERHEAD MPU LINKLAYER
	printf 'links: [{name: l, interface: wan, rate: 1gbit, control: none, %s, classes: [{name: a, queue: fifo, default: true}]}]\n' "$1" >"$tmp/p.yaml"
	ok "$1: is applied" apply "$tmp/p.yaml"
	is "$1: counts as the policy does" "$(in_r python3 "$tmp/send.py" "$2" "$3" "$4" 2>&1)" ""
}
line 'overhead: 14' 14 0 ethernet
line 'overhead: -10' -10 0 ethernet
line 'overhead: 40' 40 0 ethernet
line 'overhead: ethernet' 38 84 ethernet
line 'overhead: docsis' 18 64 ethernet
line 'overhead: conservative' 48 0 atm
line 'overhead: pppoe-llcsnap' 40 0 atm
line 'overhead: pppoe-ptm' 30 0 ptm
line 'overhead: 10, mpu: 200, linklayer: atm' 10 200 atm
line 'overhead: -20, mpu: 64, linklayer: ptm' -20 64 ptm

# ---- As deep as HTB goes: a packet finds its way down
{
	printf 'links:\n- name: l\n  interface: wan\n  rate: 1gbit\n  classes:\n'
	for level in 1 2 3 4 5 6; do
		printf '%*s- {name: no, match: tcp port %d}\n' $((2 * level)) '' $((80 + level))
		printf '%*s- name: deep\n%*sdefault: true\n%*sclasses:\n' $((2 * level)) '' $((2 * level + 2)) '' $((2 * level + 2)) ''
	done
	printf '%*s- {name: no, match: tcp port 87}\n%*s- {name: leaf, default: true}\n' 14 '' 14 ''
} >"$tmp/p.yaml"
ok "seven levels are applied" apply "$tmp/p.yaml"
id=$(in_r "$WEIR" tc show --json "$tmp/p.yaml" | python3 -c "
import json, sys
print(next(c['classid'] for c in json.load(sys.stdin)['links'][0]['classes'] if (c['class'] or '').endswith('leaf')))")
in_r python3 -c "
import socket
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x' * 100, ('10.78.0.2', 9))"
like "and a packet is in the last of them" <(in_r tc -s class show dev wan classid "$id") 'Sent 142 bytes 1 pkt'
ok "and away again" in_r "$WEIR" tc remove "$tmp/p.yaml"
finish
