#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Large segments: the same traffic as the network card has it and as the line has it.
. "$(dirname "$0")/lib.sh"
PYTHONPATH=tests/e2e PYTHONDONTWRITEBYTECODE=1 python3 - "$tmp" <<'END'
import sys
from pcapng import *
S = 1700000000 * 10**9
A, B = "192.168.1.2", "198.51.100.1"
stamp = b"\1\1\x08\x0a" + b"\0" * 8
def call():
    return [(S + i * 20 * 10**6, ether(ip4(A, "198.51.100.9", 17, udp(5004, 5004, 172))))
            for i in range(500)]
def upload(mss, large, gap):
    n, out = 45 * mss, []
    for k in range(10 * 10**9 // gap):
        t = S + 7 * 10**6 + k * gap
        for j in range(1 if large else 45):
            out.append((t, ether(ip4(A, B, 6, tcp(50000, 443, n if large else mss,
                                                  seq=k * n + j * mss, options=stamp)))))
    return out
for large in 0, 1:
    pcap("%s/call%d.pcap" % (sys.argv[1], large),
         sorted(call() + upload(1448, large, 130 * 10**6), key=lambda p: p[0]))
# a handshake that allows 1200 only
mss = lambda n: struct.pack("!BBH", 2, 4, n)
hello = [(S, ether(ip4(A, B, 6, tcp(50000, 443, 0, 0, 2, mss(1460))))),
         (S + 10**6, ether(ip4(B, A, 6, tcp(443, 50000, 0, 0, 0x12, mss(1200)))))]
for large in 0, 1:
    pcap("%s/mss%d.pcap" % (sys.argv[1], large), hello + upload(1188, large, 130 * 10**6))
# what is no TCP, and lengths of 0 as some hosts show them
pcap(sys.argv[1] + "/odd.pcap",
     [(S, ether(ip4(A, B, 17, udp(443, 443, 4000)))),
      (S + 10**9, ether(ip4(A, B, 6, tcp(50000, 443, 4 * 1448, options=stamp), total=0))),
      (S + 2 * 10**9, ether(ip6("2001:db8::1", "2001:db8::2", 6,
                                tcp(50000, 443, 4 * 1428, options=stamp), length=0)))])
END
policy() { # RATE
	cat <<-END
	links:
	  - name: up
	    rate: $1
	    overhead: 10
	    linklayer: atm
	    classes:
	      - {name: calls, match: udp port 5004, min: 500kbit, max-latency: 20ms}
	      - {name: rest, default: true}
	END
}
policy 6mbit >"$tmp/p.yaml"
policy 500mbit >"$tmp/fast.yaml"
facts() { sed '1d; /^large segments/d; s/  *$//' "$1"; }
for what in call mss; do
	status 0 "$what, as the line has it" replay "$tmp/p.yaml" "$tmp/${what}0.pcap" -o "$tmp/line.pcap"
	unlike "no word of large segments" "$tmp/out" 'large'
	facts "$tmp/out" >"$tmp/want"
	status 0 "$what, as the card has it" replay "$tmp/p.yaml" "$tmp/${what}1.pcap" -o "$tmp/card.pcap" --trace "$tmp/trace"
	like "says so" "$tmp/out" '^large segments: 76 packets of the captures are 3420 packets on the line'
	ok "all facts are the same" cmp <(facts "$tmp/out") "$tmp/want"
	is "a line of the trace for each packet of the capture" "$(($(lines "$tmp/trace") - 1))" \
		"$(tcpdump -nr "$tmp/${what}1.pcap" 2>/dev/null | wc -l)"
	# by another's reader: sequence numbers, lengths and times of what left
	left() { tcpdump -tt --nano -nvr "$1" 2>/dev/null | grep -v 'proto' | sed 's/cksum[^)]*), //'; }
	times() { tcpdump -tt --nano -nr "$1" 2>/dev/null | cut -d' ' -f1; }
	ok "what left is the same" cmp <(left "$tmp/card.pcap") <(left "$tmp/line.pcap")
	ok "and when" cmp <(times "$tmp/card.pcap") <(times "$tmp/line.pcap")
done
status 0 "JSON" replay "$tmp/p.yaml" "$tmp/call1.pcap" --json
is "the same numbers in JSON" "$(python3 -c '
import json, sys
print(json.load(open(sys.argv[1]))["large_segments"])' "$tmp/out")" \
	"{'mtu': 1500, 'packets': 76, 'pieces': 3420, 'whole': 0, 'unknown': 0}"

# The length of a packet that is cut is what its pieces take: 45 times 1500 + 10 in cells
status 0 "trace" replay "$tmp/p.yaml" "$tmp/call1.pcap" --trace "$tmp/trace"
is "charged for each piece" "$(awk 'NR > 1 && $5 > 5000 {print $5; exit}' "$tmp/trace")" $((45 * 32 * 53))
status 0 "a fast link" replay "$tmp/fast.yaml" "$tmp/call1.pcap" --trace "$tmp/fast"
like "whole there, and says so" "$tmp/out" '^large segments: 76 packets, scheduled whole'
is "charged the same" "$(cut -f5 "$tmp/fast" | tail -n +2)" "$(cut -f5 "$tmp/trace" | tail -n +2)"
status 0 "another MTU" replay "$tmp/p.yaml" "$tmp/call0.pcap" --mtu 576
like "cut by it" "$tmp/out" '^large segments: 3420 packets of the captures are 10260 packets'
status 0 "no MTU in the way" replay "$tmp/p.yaml" "$tmp/call1.pcap" --mtu 65535
unlike "nothing cut" "$tmp/out" '^large'
for bad in 67 65536 -1 1500b ''; do
	status 2 "--mtu $bad" replay "$tmp/p.yaml" "$tmp/call0.pcap" --mtu "$bad"
done
status 0 "odd ones" replay "$tmp/p.yaml" "$tmp/odd.pcap" --trace "$tmp/trace"
like "says what it cannot know" "$tmp/out" '^larger than 1500 bytes and no TCP: 1 packets'
like "and what it cut" "$tmp/out" '^large segments: 2 packets of the captures are 8 packets'
is "charged" "$(tail -n +2 "$tmp/trace" | cut -f5 | tr '\n' ' ')" \
	"$((2 * 32 * 53 + 53 * ((1056 + 28 + 10 + 47) / 48))) $((4 * 32 * 53)) $((4 * 32 * 53)) "

# Pieces that find no room: the packet's line says that it is some of them
cat >"$tmp/short.yaml" <<-END
	links:
	  - {name: up, rate: 1mbit, classes: [{name: all, default: true, queue: fifo, limit: 20p}]}
END
status 0 "a short queue" replay "$tmp/short.yaml" "$tmp/mss1.pcap" --trace "$tmp/trace"
like "some pieces left" "$tmp/trace" 'sent.*part-limit$'
cat >"$tmp/t.test.yaml" <<-END
	policy: p.yaml
	tests:
	  - {name: pieces, capture: call1.pcap, expect: [{class: rest, packets: 3420}, {class: calls, packets: 500, objectives: met}]}
END
status 0 "a policy test cuts as well" test "$tmp/t.test.yaml"
finish
