#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Sets of addresses that change while weir runs: a flow that goes on has another class when its
# host comes into a set or leaves it; what cannot be read changes nothing and is told.
. "$(dirname "$0")/lib.sh"
router_up
have_queues || { ok "weir starts" false; finish; }

policy() { # BACKEND SET
	cat >"$tmp/p.yaml" <<-EOP
	links:
	  - name: up
	    interface: wan
	    backend: $1
	    rate: 100mbit
	    classes:
	      - {name: set, set: $2, queue: fifo, limit: 5000p}
	      - {name: rest, default: true, queue: fifo, limit: 5000p}
	EOP
}
in_class() { stats "cls('up', '$1')['in']['packets']"; }
more() { [ "$(in_class "$1")" -gt "$2" ]; }
# it goes to that class, now and from now on
goes_to() { until_ok 20 more "$1" $(($(in_class "$1") + 20)); }
no_more() { # CLASS: no packet of what goes on comes there while others come elsewhere
	local was=$(in_class "$1")
	goes_to "$2" && [ "$(in_class "$1")" = "$was" ]
}
settled() { goes_to "$2" && until_ok 20 no_more "$1" "$2"; }
flow() {
	ip netns exec "$ns-i" "$NETTOOL" send 10.77.2.2 5001 --pps 200 --count 1000000 --from 10.77.1.2:7777 >/dev/null &
	pids+=($!)
}
finding() { "$WEIR" status --socket "$sock" --json >"$tmp/status.json"; python3 - "$tmp/status.json" <<-EOP
	import json, sys
	j = json.load(open(sys.argv[1]))
	print(" ".join(f["kind"] + ":" + (f["cause"] or "") for f in j["findings"] if f["kind"] == "sets"))
	EOP
}
has_finding() { finding | grep -qE -- "$1"; }
no_finding() { [ -z "$(finding)" ]; }
logged() { grep -qE -- "$1" "$tmp/weir.log"; }

echo 192.0.2.1 >"$tmp/hosts.txt"
for backend in queue mark; do
	policy $backend hosts.txt
	echo 192.0.2.1 >"$tmp/hosts.txt"
	weir_start "$tmp/p.yaml" || { ok "$backend: weir starts" false; cat "$tmp/weir.log"; continue; }
	flow
	ok "$backend: a flow whose host is not in the file" goes_to rest
	echo 10.77.1.0/24 >"$tmp/new"
	mv "$tmp/new" "$tmp/hosts.txt"
	ok "$backend: a file is renamed over it: the flow has the class" settled rest set
	ok "$backend: which is logged" until_ok 20 logged 'set hosts\.txt: it has changed'
	echo 192.0.2.1 >"$tmp/hosts.txt"
	ok "$backend: it is written to: the flow has it no more" settled set rest
	printf '10.77.1.2\n10.77.1.300\n' >"$tmp/hosts.txt"
	ok "$backend: an error in it is told" until_ok 20 has_finding 'hosts\.txt:2:1'
	ok "$backend: and changes nothing" no_more set rest
	rm "$tmp/hosts.txt"
	ok "$backend: so is that it is gone" until_ok 20 has_finding 'No such file'
	ok "$backend: and changes nothing" no_more set rest
	echo 10.77.1.2 >"$tmp/hosts.txt"
	ok "$backend: it is there again: the flow has the class" settled rest set
	ok "$backend: and nothing is wrong any more" until_ok 20 no_finding
	# a reload follows what the new policy has
	policy $backend other.txt
	echo 192.0.2.1 >"$tmp/other.txt"
	ok "$backend: a reload" "$WEIR" reload --socket "$sock"
	ok "$backend: with another file" settled set rest
	echo 10.77.2.2 >"$tmp/other.txt"
	ok "$backend: which is followed now" settled rest set
	echo x >"$tmp/other.txt"
	status 1 "$backend: a reload with an error in a file is refused" reload --socket "$sock"
	like "$backend: with its place" "$tmp/err" 'other\.txt:1:1'
	kill "${pids[-1]}"
	ok "$backend: weir ends well" weir_stop
done

# ---- nftables

nft() { in_r nft "$@"; }
tables() {
	nft -f - <<-EOP
	table inet filter {
		set kids { type ipv4_addr; flags interval, timeout; elements = { 192.0.2.0/24 }; }
		set single { type ipv4_addr; timeout 1h; elements = { 192.0.2.1 }; }
		set added { type ipv4_addr; flags dynamic, timeout; timeout 3s; }
		set ports { type inet_service; elements = { 80 }; }
	}
	EOP
}
policy queue '{nft: inet filter kids, match: src}'
status 1 "nft: a set that is not there" run "$tmp/p.yaml" --socket "$sock"
like "is an error at its place" "$tmp/err" 'p\.yaml:7:32: the nft set "inet filter kids" cannot be read: there is none'
tables
policy queue '{nft: inet filter ports}'
ip netns exec "$ns-r" "$WEIR" run "$tmp/p.yaml" --socket "$sock" >"$tmp/out" 2>"$tmp/err"
is "nft: one of something else" $? 1
like "is an error, too" "$tmp/err" 'p\.yaml:7:32: .*something else'

policy queue '{nft: inet filter kids, match: src}'
weir_start "$tmp/p.yaml" || { ok "nft: weir starts" false; cat "$tmp/weir.log"; finish; }
flow
ok "nft: a flow whose host is not in the set" goes_to rest
nft add element inet filter kids '{ 10.77.0.0/16 }'
ok "nft: an interval is added: the flow has the class" settled rest set
nft delete element inet filter kids '{ 10.77.0.0/16 }'
ok "nft: and taken away" settled set rest
nft add element inet filter kids '{ 10.77.1.2-10.77.1.9 timeout 3s }'
ok "nft: one for three seconds" goes_to set
ok "nft: is over, though nobody tells" settled set rest
nft add element inet filter kids '{ 10.77.1.2 }'
ok "nft: one address" settled rest set
nft delete table inet filter
ok "nft: its table is gone: that is told" until_ok 20 has_finding 'there is none'
ok "nft: and changes nothing" no_more rest set
tables
ok "nft: it is there again, without it" settled set rest
ok "nft: and nothing is wrong any more" until_ok 20 no_finding
nft flush set inet filter kids
nft add element inet filter kids '{ 0.0.0.0/0 }'
ok "nft: all addresses" settled rest set

policy queue '[{nft: inet filter added, match: src}, {nft: inet filter single}]'
ok "nft: a reload with others" "$WEIR" reload --socket "$sock"
ok "nft: that do not have it" settled set rest
nft add element inet filter single '{ 10.77.2.2 }'
ok "nft: one without intervals" settled rest set
nft flush set inet filter single
ok "nft: is emptied" settled set rest
nft -f - <<-EOP
table inet filter {
	chain c { type filter hook forward priority mangle; udp dport 5001 update @added { ip saddr }; }
}
EOP
ok "nft: a rule adds to one" settled rest set
nft delete chain inet filter c
ok "nft: and does so no more" settled set rest
is "nft: status tells what there is" "$("$WEIR" status --socket "$sock" | grep -cE '^set inet filter (added|single): 0 ranges of addresses')" 2
kill "${pids[-1]}"
ok "nft: weir ends well" weir_stop
finish
