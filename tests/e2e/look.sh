#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What has to be said before a replay's figures are believed.
. "$(dirname "$0")/lib.sh"
PYTHONPATH=tests/e2e PYTHONDONTWRITEBYTECODE=1 python3 - "$tmp" <<'END'
import sys
from pcapng import *
S = 1700000000 * 10**9
A, W, B = "192.168.1.2", "203.0.113.5", "198.51.100.1"
def segment(src, i, ttl):
    return ip4(src, B, 6, tcp(50000, 443, 400, seq=1 + 400 * i), ttl=ttl, ident=i)
def routed(i, out):     # in by the one, out by the other, with another address
    return segment(W if out else A, i, 63 if out else 64)
def save(name, packets, link=1):
    pcap("%s/%s.pcap" % (sys.argv[1], name), packets, link)
save("any", [(S + i * 10**7 + o * 10**5, cooked(routed(i, o), 4 * o))
             for i in range(100) for o in (0, 1)], 113)
save("once", [(S + i * 10**7, cooked(routed(i, 1), 4)) for i in range(200)], 113)
# sent again by the host itself: the same way, so not the capture's doing
save("again", [(S + i * 10**7 + o * 10**5, cooked(segment(A, i, 64), 0))
               for i in range(100) for o in (0, 1)], 113)
save("lan", [(S + i * 10**7, ether(routed(i, 0))) for i in range(100)])
save("wan", [(S + i * 10**7 + 10**5, ether(routed(i, 1))) for i in range(100)])
both = [(S + i * 10**7, ether(ip4(A, B, 17, udp(5000, 53, 40)) if i % 2 else
                              ip4(B, A, 17, udp(53, 5000, 40)))) for i in range(40)]
save("both", both)
open(sys.argv[1] + "/two.pcapng", "wb").write(
    section() + interface(1, name="lan0") + interface(1, name="wan0")
    + b"".join(packet(o, S + i * 10**7 + o * 10**5, ether(routed(i, o)))
               for i in range(100) for o in (0, 1)))
open(sys.argv[1] + "/bad.pcapng", "wb").write(
    section() + interface(1) + packet(0, S, both[0][1]) + packet(5, S + 1, both[1][1]))
END
cat >"$tmp/p.yaml" <<-END
	links:
	  - {name: up, rate: 10mbit, classes: [{name: all, default: true}]}
END
sed 's/rate:/capture: src net 10.0.0.0\/8, rate:/' "$tmp/p.yaml" >"$tmp/none.yaml"
sed 's/rate:/capture: src net 192.168.1.0\/24, rate:/' "$tmp/p.yaml" >"$tmp/up.yaml"

twice() { # NAME CAPTURE...
	local name=$1
	shift
	status 1 "$name: twice" replay "$tmp/p.yaml" "$@"
	like "$name: how many, and what helps" "$tmp/err" \
		'^weir: warning: link up: 100 of 200 packets are in the captures twice.*tcpdump -i'
}
twice "in and out of a router, behind NAT" "$tmp/any.pcap"
twice "two interfaces of a pcapng" "$tmp/two.pcapng"
twice "a capture of each interface" "$tmp/lan.pcap" "$tmp/wan.pcap"
for c in once again; do
	status 0 "$c: once" replay "$tmp/p.yaml" "$tmp/$c.pcap"
	ok "$c: no word" empty "$tmp/err"
done
status 0 "where the policy takes one of both" replay "$tmp/up.yaml" "$tmp/any.pcap"
ok "no word" empty "$tmp/err"

# The remedy: what goes out, or by one interface
remedy() { # CAPTURE FILE: 100 packets, and no word
	sed "s/rate:/capture: $1, rate:/" "$tmp/p.yaml" >"$tmp/r.yaml"
	status 0 "capture: $1" replay "$tmp/r.yaml" "$tmp/$2" --trace "$tmp/trace"
	ok "no word" empty "$tmp/err"
	is "each packet once" "$(grep -c sent "$tmp/trace") $(grep -c passed "$tmp/trace")" "100 100"
}
remedy outbound any.pcap
remedy inbound any.pcap
remedy 'outbound and src net 203.0.113.0\/24' any.pcap
remedy '[inbound and tcp port 443]' any.pcap
remedy 'ifname wan0' two.pcapng
remedy 'ifname lan0 and (tcp or udp)' two.pcapng
for bad in 'inbound and outbound' 'outbound or tcp' 'outbound and tcp or udp' 'ifname' 'ifindex x' \
	'outbound tcp' 'outbound and' 'tcp and outbound'; do
	sed "s/rate:/capture: $bad, rate:/" "$tmp/p.yaml" >"$tmp/r.yaml"
	status 1 "capture: $bad" check "$tmp/r.yaml"
	like "says where" "$tmp/err" 'r\.yaml:2:[0-9]+: filter'
done
status 1 "nothing is on a link" replay "$tmp/none.yaml" "$tmp/both.pcap"
like "says so, and which networks there are" "$tmp/err" \
	'^weir: warning: no packet of the captures is on a link: their networks are 192\.168\.1\.0/24 \(20 packets from it, 20 to it\), 198\.51\.100\.0/24 \(20 packets'
status 0 "both directions on a link without capture" replay "$tmp/p.yaml" "$tmp/both.pcap"
like "says so, and which networks there are" "$tmp/err" \
	'^weir: warning: link up has no `capture`, so both directions .*192\.168\.1\.0/24 \(20 packets from it, 20 to it\)'
for how in "$tmp/up.yaml" "$tmp/p.yaml --link up"; do
	# shellcheck disable=SC2086
	status 0 "one direction, or as one said" replay $how "$tmp/both.pcap"
	ok "no word" empty "$tmp/err"
done
status 1 "what cannot be read goes on" replay "$tmp/up.yaml" "$tmp/bad.pcapng"
like "says so" "$tmp/err" 'bad\.pcapng: ends after its packet 1: a packet of interface 5'
cat >"$tmp/t.test.yaml" <<-END
	policy: p.yaml
	tests:
	  - {name: a part, capture: bad.pcapng, expect: [{class: all, packets: 1}]}
END
status 2 "a test of a part of its capture" test "$tmp/t.test.yaml"
like "is no verdict" <(cat "$tmp/out" "$tmp/err") 'could be read only in part, up to packet 1'
finish
