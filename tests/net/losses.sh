#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What others do to it, and what is too much for it: seen, counted, told once, survived.
. "$(dirname "$0")/lib.sh"
router_up
have_queues || { ok "weir starts" false; finish; }
cat >"$tmp/p.yaml" <<'EOP'
links:
  - name: up
    interface: wan
    rate: 10mbit
    overhead: 0
    classes:
      - {name: call, match: udp port 5000, min: 1mbit}
      - {name: rest, default: true}
EOP
sums='all(c["in"]["packets"] == c["sent"]["packets"] + c["dropped"]["packets"] + c["waiting"]["packets"] for l in d["links"] for c in [l] + l["classes"])'
weir_start "$tmp/p.yaml"
begun=$SECONDS

# ---- A firewall that is reloaded: deleting a base chain drops what any queue holds
recv_start o num 5001 --count 10000000 --idle 60000
ip netns exec "$ns-i" "$NETTOOL" send 10.77.2.2 5001 --pps 3000 --size 800 --count 10000000 --flows 16 >"$tmp/sent" &
load=$!
pids+=($load)
until_ok 10 sh -c "[ \$('$WEIR' stats --json --socket $sock | python3 -c 'import json,sys; print(json.load(sys.stdin)[\"links\"][0][\"waiting\"][\"packets\"])') -gt 20 ]"
for i in $(seq 20); do
	in_r nft -f - <<-EOP
	add table inet other
	delete table inet other
	table inet other {
		chain early { type filter hook postrouting priority -200; }
		chain forwarding { type filter hook forward priority 0; counter; }
	}
	EOP
	until_ok 5 sh -c "[ \$('$WEIR' stats --json --socket $sock | python3 -c 'import json,sys; print(json.load(sys.stdin)[\"links\"][0][\"waiting\"][\"packets\"])') -gt 20 ]"
done
# it sends for as long as firewalls are reloaded, however long that takes
kill -TERM $load
wait $load
ok "what waits leaves" until_ok 30 sh -c "[ \$('$WEIR' stats --json --socket $sock | python3 -c 'import json,sys; print(json.load(sys.stdin)[\"links\"][0][\"waiting\"][\"packets\"])') = 0 ]"
kill -TERM "${receiver[num]}"
recv_end num
vanished=$(stats 'link("up")["health"]["vanished"]')
echo "# vanished $vanished; lost to the receiver $(got num lost); doubled $(got num doubled)"
ok "packets that others had dropped are counted" test "$vanished" -gt 0
is "what is missing outside is what was counted: vanished or dropped" \
	"$(($(stats 'link("up")["dropped"]["packets"]')))" "$(($(awk '$1 == "sent" { print $2 }' "$tmp/sent") - $(got num received)))"
is "all of them stand in the class's account as well" "$(stats 'link("up")["dropped"]["vanished"]["packets"]')" "$vanished"
is "in = sent + dropped + waiting" "$(stats "$sums")" True
ok "it is told" until_ok 10 grep -q "vanished while they were held" "$tmp/weir.log"
# at most once a minute, by the gateway's own rule: a busy machine may be about it for some
told=$(grep -c 'vanished while' "$tmp/weir.log")
echo "# told $told times in $((SECONDS - begun)) s"
ok "once a minute, not once a packet" test "$told" -le $((1 + (SECONDS - begun) / 60))
ok "weir lives, and packets pass" in_i ping -c 3 -i 0.1 -W 5 10.77.2.2
in_r nft delete table inet other

# ---- Ten times the link's rate in 100,000 flows, most of it shed before it is read: memory stays,
# calls pass, questions are answered
rss() { awk '/^VmRSS/ { print $2 }' /proc/$weir_pid/status; }
# those that the table knows: they take memory as they come, some 80 bytes each
flows() { stats 'link("up")["flow_table"]["flows"]'; }
many_flows() { [ "$(flows)" -gt 9000 ]; }
first= flows=
flood() { # a call meanwhile
	ip netns exec "$ns-i" "$NETTOOL" flood 10.77.2.2 20000 --pps 50000 --size 200 --count 400000 --flows 100000 >"$tmp/flood" &
	load=$!
	pids+=($load)
	until_ok 10 many_flows
	flows=${flows:-$(flows)}
	first=${first:-$(rss)}
	recv_start o call 5000 --count 150 --idle 3000
	ip netns exec "$ns-i" "$NETTOOL" send 10.77.2.2 5000 --pps 50 --size 172 --count 150 >/dev/null &
	local call=$!
	pids+=($call)
	while kill -0 $load 2>/dev/null || [ $asked = 0 ]; do
		"$WEIR" status --json --socket "$sock" >/dev/null 2>&1
		[ $? -le 1 ] || break
		asked=$((asked + 1))
	done
	wait $call
	recv_end call
	wait $load
	echo "# flood: $(tr '\n' ' ' <"$tmp/flood"); memory $first kB, then $(rss) kB; $asked questions answered"
	echo "# the call meanwhile: p50 $(got call p50_us) us, p99 $(got call p99_us) us"
	[ "$(got call lost)" = 0 ] || lost=1
}
# Packets that nobody reads since the machine is busy with others are late whatever is done: half
# of them may not be, and if they are, then once more, and again. None may be lost at any time.
asked=0 lost=0
for try in 1 2 3; do
	flood
	[ "$(got call p50_us)" -ge 20000 ] || break
done
is "a call loses nothing in the flood" "$lost" 0
ok "and half of its packets take less than 20 ms" test "$(got call p50_us)" -lt 20000
ok "memory stays as it is" test "$(rss)" -lt $((first + first / 20 + 2000 + ($(flows) - flows) / 8))
ok "the control socket answers" test "$asked" -gt 0
is "the kernel's queue was never full: our limits come first" "$(stats 'link("up")["health"]["kernel_queue_dropped"]')" 0
is "in = sent + dropped + waiting" "$(stats "$sums")" True

# ---- What goes round it is told
ip netns exec "$ns-r" tc qdisc add dev wan root tbf rate 5mbit burst 5000 latency 50ms
ok "a slower qdisc on the interface is told, with its remedy" \
	until_ok 30 sh -c "'$WEIR' status --socket $sock | grep -q 'WARNING.*tbf.*tc qdisc del'"
status 1 "status then" status --socket "$sock"
ip netns exec "$ns-r" tc qdisc del dev wan root
ok "and no more when it is gone" until_ok 30 sh -c "! '$WEIR' status --socket $sock | grep -q WARNING"
ok "it ends well" weir_stop
finish
