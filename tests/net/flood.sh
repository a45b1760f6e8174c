#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A flood of small packets beside a call that is promised something: none of the call is lost, even
# while the gateway reads nothing for a moment, and what is dropped of the flood is counted.
. "$(dirname "$0")/lib.sh"
router_up
have_queues || { ok "weir starts" false; finish; }
cat >"$tmp/p.yaml" <<'EOP'
links:
  - name: up
    interface: wan
    rate: 20mbit
    overhead: 0
    classes:
      - {name: call, match: udp port 5000, min: 1mbit, max-latency: 20ms, queue: fifo, limit: 5000p}
      - {name: rest, default: true, queue: fifo, limit: 2000p}
EOP
health() { stats "link(\"up\")[\"health\"][\"$1\"]"; }
sums='all(c["in"]["packets"] == c["sent"]["packets"] + c["dropped"]["packets"] + c["waiting"]["packets"] for l in d["links"] for c in [l] + l["classes"])'
# packets that the kernel dropped because nobody had read those before them
dropped() { awk '{ n += $6 + $7 } END { print n + 0 }' "/proc/$weir_pid/net/netfilter/nfnetlink_queue"; }
more_dropped() { [ "$(dropped)" -gt "$1" ]; }

holds_now() { [ "$(stats "$1")" = True ]; }
begins() { # NAME [OPTION...]: a call, and a flood beside it
	local name=$1
	shift
	recv_start o "$name" 5000 --count 1000000 --idle 60000
	ip netns exec "$ns-i" "$NETTOOL" send 10.77.2.2 5000 --pps 200 --size 172 --count 1000000 >"$tmp/sent" &
	call=$!
	ip netns exec "$ns-i" "$NETTOOL" flood 10.77.2.2 20000 --pps 50000 --size 64 --count 100000000 "$@" >"$tmp/flood" &
	load=$!
	pids+=($call $load)
	ok "$name: packets of the flood are dropped" until_ok 20 holds_now 'cls("up", "rest")["dropped"]["packets"] > 1000'
}
ends() { # NAME
	kill -TERM $call $load
	wait $call $load
	until_ok 20 holds_now 'link("up")["waiting"]["packets"] == 0 and link("up")["health"]["unread_packets"] == 0'
	kill -TERM "${receiver[$1]}"
	recv_end "$1"
}
said() { awk -v k="$2" '$1 == k { print $2 }' "$tmp/$1"; }

# ---- From one host, while the gateway stands still for a moment
weir_start "$tmp/p.yaml"
begins one --flows 16
before=$(dropped)
kill -STOP "$weir_pid"
ok "while nobody reads, the kernel drops what is too much" until_ok 20 more_dropped $((before + 3000))
kill -CONT "$weir_pid"
ok "the gateway goes on" until_ok 20 weir_answers
ends one
is "none of the call is lost" "$(got one received)" "$(said sent sent)"
is "nor overtaken" "$(got one reordered)" 0
is "as weir has it too" "$(stats 'cls("up", "call")["sent"]["packets"]')" "$(said sent sent)"
ok "it went by the queue that is read first" test "$(health received_first)" -ge "$(said sent sent)"
is "in = sent + dropped + waiting" "$(stats "$sums")" True
ok "it ends well" weir_stop
finish
