#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# pcapng whose interfaces differ: link types, snapshot lengths, resolutions, byte orders.
. "$(dirname "$0")/lib.sh"
PYTHONPATH=tests/e2e PYTHONDONTWRITEBYTECODE=1 python3 - "$tmp" <<'END'
import sys
from pcapng import *
S = 1700000000 * 10**9
q = ip4("192.0.2.1", "198.51.100.1", 17, udp(40000, 53, 40))
at = lambda ms: S + ms * 10**6
def write(name, *blocks):
    open("%s/%s.pcapng" % (sys.argv[1], name), "wb").write(b"".join(blocks))
write("types", section(), interface(113), interface(1), interface(276), interface(101),
      packet(0, at(0), cooked(q, 4)), packet(1, at(10), ether(q)),
      packet(2, at(20), cooked2(q, 4, 3)), packet(3, at(30), q))
write("snap", section(), interface(1, 262144), interface(1, 96), interface(1, 0),
      *[packet(i, at(10 * i), ether(q)) for i in range(3)])
write("late", section(), interface(1), packet(0, at(0), ether(q)),
      interface(113, 96, 6), packet(1, at(10) // 1000, cooked(q, 4)))
write("orders", section(), interface(1), packet(0, at(0), ether(q)),
      section(">"), interface(101, e=">"), packet(0, at(10), q, e=">"))
write("usb", section(), interface(220), interface(1), packet(0, at(0), b"\0" * 80),
      packet(1, at(10), ether(q)))
write("bad", section(), interface(1), packet(0, at(0), ether(q)), packet(5, at(10), ether(q)))
write("none", section())
END
cat >"$tmp/p.yaml" <<-END
	links:
	  - name: wan
	    rate: 10mbit
	    classes: [{name: dns, match: port 53}, {name: rest, default: true}]
END
for f in types:4 snap:3 late:2 orders:2; do
	n=${f#*:} f=${f%:*}
	status 0 "$f" replay "$tmp/p.yaml" "$tmp/$f.pcapng" --trace "$tmp/trace"
	is "$f: classes and times" "$(tail -n +2 "$tmp/trace" | cut -f2,4 | tr '\t\n' '= ')" \
		"$(for i in $(seq 0 $((n - 1))); do printf '17000000000%d0000000=dns ' "$i"; done)"
done
# An output begins with the link type that was known then; what differs later is made to fit
status 0 "what left, of link types that come late" replay "$tmp/p.yaml" "$tmp/late.pcapng" -o "$tmp/out.pcap"
is "both are there, by another's reader" \
	"$(tcpdump -nr "$tmp/out.pcap" 2>/dev/null | grep -c '192.0.2.1.40000 > 198.51.100.1.53')" 2
status 0 "what left, of several link types" replay "$tmp/p.yaml" "$tmp/types.pcapng" -o "$tmp/out.pcap"
is "raw IP" "$(tcpdump -nr "$tmp/out.pcap" 2>/dev/null | grep -c '192.0.2.1.40000 > 198.51.100.1.53')" 4
status 0 "an interface without IP beside one with it" replay "$tmp/p.yaml" "$tmp/usb.pcapng" --trace "$tmp/trace"
is "its packets are passed" "$(tail -n +2 "$tmp/trace" | cut -f6,8 | tr '\t\n' '= ')" "passed=link-type sent=- "
status 2 "no interface at all" replay "$tmp/p.yaml" "$tmp/none.pcapng"
like "says so" "$tmp/err" 'none.pcapng: describes no interface'
finish
