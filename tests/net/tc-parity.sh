#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The kernel's classes are the replay's: every policy of policies/ with every capture of the
# project, packet for packet; and what tc cannot know is told apart from faults.
. "$(dirname "$0")/lib.sh"

parity() { "$WEIR" tc parity "$@" >"$tmp/out" 2>"$tmp/err"; }
parity policies/sqm.yaml $captures/home.pcap.gz
if [ $? = 2 ]; then
	grep -qE 'network namespace|veth|the kernel (has no|lacks)' "$tmp/err" && skip_all "$(cat "$tmp/err")"
fi

field() { python3 -c "
import json
d = json.load(open('$tmp/out'))
print($1)"; }

for p in policies/*.yaml; do
	case $p in *.test.yaml) continue ;; esac
	for c in $captures/*.gz; do
		name="${p#policies/} with ${c#"$captures"/}"
		parity "$p" "$c" --json
		is "$name: exit 0" $? 0
		# the replay counts what it charged; the kernel must have counted the same bytes
		is "$name: the same packets and bytes in each class" "$(field '[
			(l["name"], c["class"], c["replay"], c["kernel"])
			for l in d["links"] for c in l["classes"]
			if c["replay"] != c["kernel"] and not d["differ"]["fragment"] and not d["differ"]["cut"] and not d["differ"]["size"]]')" "[]"
		is "$name: no filter means something else" "$(field 'd["differ"]["filter"]')" 0
	done
done

# Every packet on one link: more of them meet more filters
for link in wan-up wan-down; do
	parity policies/home.yaml $captures/office.pcapng.gz --link $link --json
	is "home.yaml, all packets of office on $link" "$? $(field '(d["differ"]["filter"], d["sent"] > 1000)')" "0 (0, True)"
done

# What the replay does with them is asked of the replay itself
"$WEIR" replay policies/home.yaml $captures/home.pcap.gz --json >"$tmp/replay"
parity policies/home.yaml $captures/home.pcap.gz --json
is "the packets of each class are those of weir replay" "$(field '[
	(a["class"], a["kernel"]["packets"], b["in"]["packets"])
	for l, r in zip(d["links"], json.load(open("'"$tmp/replay"'"))["links"])
	for a in l["classes"] for b in r["classes"] if a["class"] == b["class"]
	and a["kernel"]["packets"] != b["in"]["packets"]]')" "[]"

# A later fragment has no ports: weir sends it after its first, tc sees no more than it
cat >"$tmp/ports.yaml" <<'EOP'
links:
  - name: up
    rate: 10mbit
    classes:
      - {name: ports, match: udp portrange 1-65535}
      - {name: rest, default: true}
EOP
# two datagrams in two fragments each, and one that the capture has cut before its ports
python3 - "$tmp/frag.pcap" <<'EOP'
import struct, sys

def ip(ident, off, more, payload, proto=17):
    return struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), ident, more << 13 | off // 8, 64, proto, 0,
                       bytes([192, 168, 0, 1]), bytes([10, 0, 0, 1])) + payload

udp = struct.pack(">HHHH", 4000, 4001, 8 + 1480, 0) + bytes(1480)
packets = []
for ident in (1, 2):
    packets += [ip(ident, 0, 1, udp[:1480]), ip(ident, 1480, 0, udp[1480:])]
whole = ip(3, 0, 0, udp[:200])
with open(sys.argv[1], "wb") as f:
    f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))
    for n, p in enumerate(packets):
        f.write(struct.pack("<IIII", n, 0, len(p), len(p)) + p)
    f.write(struct.pack("<IIII", 9, 0, 20, len(whole)) + whole[:20])
EOP
parity "$tmp/ports.yaml" "$tmp/frag.pcap" --json
is "later fragments and cut packets are no fault" "$? $(field 'd["differ"]')" "0 {'filter': 0, 'fragment': 2, 'cut': 0, 'size': 0}"
is "... but are told, each with its number and its filters" "$(field '[(x["packet"], x["replay"], x["kernel"]) for x in d["differences"] if "follows its first fragment" in x["filters"]]')" \
	"[(2, 'ports', 'rest'), (4, 'ports', 'rest')]"
parity "$tmp/ports.yaml" "$tmp/frag.pcap"
like "... to people as well" "$tmp/out" '^packet 2: link up: replay ports, kernel rest \(fragment\)'
sed 's/udp portrange 1-65535/udp dst port 0/' "$tmp/ports.yaml" >"$tmp/zero.yaml"
parity "$tmp/zero.yaml" "$tmp/frag.pcap" --json
is "what the capture has cut is told apart" "$? $(field '[(x["packet"], x["replay"], x["kernel"], x["why"]) for x in d["differences"]]')" \
	"0 [(5, 'rest', 'ports', 'cut')]"

gzip -dc $captures/home.pcap.gz | head -c 50000 >"$tmp/part.pcap"
parity policies/home.yaml "$tmp/part.pcap"
is "a capture that ends too early: exit 1" $? 1
like "... and that is told" "$tmp/out" "^1 captures could be read only in part"
parity policies/home.yaml /nowhere.pcap
is "no such capture: exit 2" $? 2
parity "$tmp/none.yaml" $captures/home.pcap.gz
is "no such policy: exit 2" $? 2
finish
