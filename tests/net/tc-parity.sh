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
			if c["replay"] != c["kernel"] and not d["differ"]["fragment"] and not d["differ"]["cut"]]')" "[]"
		is "$name: no filter means something else" "$(field 'd["differ"]["filter"]')" 0
	done
done

# Every packet on one link: more of them meet more filters
for link in wan-up wan-down; do
	parity policies/home.yaml $captures/office.pcapng.gz --link $link --json
	is "home.yaml, all packets of office on $link" "$? $(field 'd["differ"]["filter"], d["sent"] > 1000')" "0 (0, True)"
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
parity "$tmp/ports.yaml" $captures/odd.pcap.gz --json
is "later fragments are no fault" $? 0
is "... but are told, each with its number and its filters" "$(field 'd["differ"]["fragment"] > 0 and all(x["packet"] and "portrange" in x["filters"] for x in d["differences"] if x["why"] == "fragment")')" True
parity "$tmp/ports.yaml" $captures/odd.pcap.gz
like "... to people as well" "$tmp/out" '^packet [0-9]+: link up: replay ports, kernel rest \(fragment\)'

parity policies/home.yaml /nowhere.pcap
is "no such capture: exit 2" $? 2
parity "$tmp/none.yaml" $captures/home.pcap.gz
is "no such policy: exit 2" $? 2
finish
