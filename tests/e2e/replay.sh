#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# weir replay: the trace, the capture that it writes and the JSON agree, and hold what
# they promise (see check_trace.py).
. "$(dirname "$0")/lib.sh"

# A link's burst, from the printed policy
burst() { "$WEIR" check --print "$1" | awk -v l="$2" '
	$1 == "-" && $2 == "name:" { name = $3; level = index($0, "-") }
	$1 == "burst:" && name == l && level <= 5 { sub(/b$/, "", $2); print $2 }'; }

# holds NAME POLICY CAPTURE LINK:RATE...
holds() {
	local name=$1 policy=$2 capture=$3 rates=() spec b
	shift 3
	for spec in "$@"; do
		b=$(burst "$policy" "${spec%%:*}")
		ok "$name: ${spec%%:*} has a burst ($b)" test "${b:-0}" -gt 0
		rates+=(--rate "${spec%%:*}=${spec#*:}:$b")
	done
	status 0 "$name: replay" replay "$policy" "$capture" --trace "$tmp/trace" -o "$tmp/out.pcap"
	cp "$tmp/out" "$tmp/text"
	status 0 "$name: replay --json" replay "$policy" "$capture" --json
	cp "$tmp/out" "$tmp/json"
	ok "$name: JSON is valid" python3 -m json.tool "$tmp/json"
	ok "$name: all agree" python3 tests/e2e/check_trace.py "$tmp/trace" "$capture" \
		--out "$tmp/out.pcap" --json "$tmp/json" "${rates[@]}"
	ok "$name: tcpdump reads what is written" tcpdump -nqr "$tmp/out.pcap"
}
holds "home" policies/home.yaml $captures/home.pcap.gz wan-up:5000000 wan-down:20000000
holds "plain" policies/plain.yaml $captures/home.pcap.gz wan-up:5000000 wan-down:20000000
holds "sqm" policies/sqm.yaml $captures/home.pcap.gz wan-up:5000000 wan-down:20000000
holds "isp" policies/isp.yaml $captures/isp.pcap.gz sector-up:30000000 sector-down:60000000

# The trace counts what the table says
status 0 "a trace of home" replay policies/home.yaml $captures/home.pcap.gz --trace "$tmp/trace"
is "a line for each packet, and a header" "$(lines "$tmp/trace")" \
	"$(($(zcat $captures/home.pcap.gz | tcpdump -r - -n 2>/dev/null | wc -l) + 1))"
like "something is dropped or waits" "$tmp/trace" 'wan-up'

# A packet that meets an idle link departs when it arrives
printf 'links:\n  - {name: l, rate: 100gbit, classes: [{name: c, default: true}]}\n' >"$tmp/fast.yaml"
status 0 "a link that is never busy" replay "$tmp/fast.yaml" $captures/home.pcap.gz --trace "$tmp/trace"
is "delays nobody" "$(awk -F'\t' 'NR > 1 && $6 == "sent" && $2 != $7' "$tmp/trace" | wc -l)" 0

# Charged bytes: the IP packet and the overhead
for overhead in 0 14 18; do
	sed "s/100gbit/100gbit, overhead: $overhead/" "$tmp/fast.yaml" >"$tmp/o.yaml"
	status 0 "overhead $overhead" replay "$tmp/o.yaml" $captures/odd.pcap.gz --trace "$tmp/trace"
	is "a 68 byte packet is charged $((68 + overhead))" \
		"$(awk -F'\t' '$1 == 1 {print $5}' "$tmp/trace")" $((68 + overhead))
done

# --link puts all packets on that link; without it, `capture` decides
status 0 "--link" replay policies/home.yaml $captures/home.pcap.gz --link wan-up --trace "$tmp/trace"
is "puts every IP packet there" "$(awk -F'\t' 'NR > 1 {print $3}' "$tmp/trace" | sort -u | tr '\n' ' ')" \
	"- wan-up "
status 0 "no --link" replay policies/home.yaml $captures/home.pcap.gz --trace "$tmp/trace"
is "uses both" "$(awk -F'\t' 'NR > 1 {print $3}' "$tmp/trace" | sort -u | tr '\n' ' ')" \
	"- wan-down wan-up "

# Filters mean what tcpdump means by them
for filter in 'tcp port 22' 'udp' 'ip6' 'src net 192.168.1.0/24' 'port 53' 'tcp[13] & 2 != 0' \
	'greater 1000' 'icmp or icmp6' 'ip[1] & 0xfc = 8'; do
	cat >"$tmp/f.yaml" <<-END
		links:
		  - name: l
		    rate: 100gbit
		    control: none
		    classes:
		      - {name: hit, match: "$filter"}
		      - {name: miss, default: true}
	END
	status 0 "filter '$filter'" replay "$tmp/f.yaml" $captures/home.pcap.gz --trace "$tmp/trace"
	f=$filter
	[ "${f#src net}" = "$f" ] || f="ip and $f"     # it means ARP, too
	[ "$f" != 'greater 1000' ] || f='greater 1014' # tcpdump counts the Ethernet header
	is "counts what tcpdump counts" \
		"$(awk -F'\t' '$4 == "hit"' "$tmp/trace" | wc -l)" \
		"$(($(zcat $captures/home.pcap.gz | tcpdump -r - -n "$f" 2>/dev/null | wc -l)))"
done
finish
