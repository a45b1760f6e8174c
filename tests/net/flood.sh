#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A flood of small packets beside a call that is promised something: none of the call is lost, even
# while the gateway reads nothing for a moment. What is beyond what the link carries is dropped
# before it is read, whether it comes from one host or has a forged sender in each packet; all of it
# is counted and told, and the rules for it go when it is over.
. "$(dirname "$0")/lib.sh"
router_up
have_queues || { ok "weir starts" false; finish; }
cat >"$tmp/p.yaml" <<'EOP'
links:
  - name: up
    interface: wan
    rate: 5mbit
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
	ip netns exec "$ns-i" "$NETTOOL" flood 10.77.2.2 20000 --pps 20000 --size 64 --count 100000000 "$@" >"$tmp/flood" &
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

# what came to the router's way out of the flood, counted by the test itself
in_r nft -f - <<-'EOP'
	table inet count {
		counter flood { }
		chain forward { type filter hook forward priority 0; udp dport 20000-52000 counter name flood; }
	}
EOP
flooded() { in_r nft list counter inet count flood | awk '/packets/ { print $2 }'; }
before=0
# all of it is somewhere: it came to its class, or was dropped before
accounted() { [ "$(stats 'cls("up", "rest")["in"]["packets"] + link("up")["dropped"]["early"]["packets"]')" = $(($(flooded) - before)) ]; }
in_force() { in_r nft list table inet weir 2>/dev/null | grep -E 'elements|limit rate over'; }
calm() { ! in_force; }
remembered() { { "$WEIR" status --socket "$sock" || true; } | grep -E "^WARNING up, .*: $1 flooded: [0-9]+ packets of it were shed"; }

checks() { # NAME WHAT WHO: what is the same however the flood came
	is "$1: none of the call is lost" "$(got "$1" received)" "$(said sent sent)"
	is "$1: nor overtaken" "$(got "$1" reordered)" 0
	is "$1: as weir has it too" "$(stats 'cls("up", "call")["sent"]["packets"]')" "$(said sent sent)"
	ok "$1: it went by the queue that is read first" test "$(health received_first)" -ge "$(said sent sent)"
	is "$1: in = sent + dropped + waiting" "$(stats "$sums")" True
	ok "$1: every packet of the flood is accounted for" until_ok 5 accounted
	is "$1: what was shed is among the link's drops" \
		"$(stats 'link("up")["dropped"]["early"]["packets"] >= link("up")["shed"]["'"$2"'"] > 5000')" True
	status 1 "$1: status says that not all is well" status --socket "$sock"
	like "$1: and who it was" "$tmp/out" "^WARNING up, .*: $3 flood"
	like "$1: so does the log" "$tmp/weir.log" "warning: link up: $3 floods"
	ok "$1: when it is over, the rules for it go" until_ok 20 calm
	ok "$1: and it is remembered" until_ok 5 remembered "$3"
}

# ---- From one host, while the gateway stands still for a moment
weir_start "$tmp/p.yaml"
begins one --flows 16
kept=$(dropped)
kill -STOP "$weir_pid"
ok "while nobody reads, the kernel drops what is too much" until_ok 20 more_dropped $((kept + 1000))
kill -CONT "$weir_pid"
ok "the gateway goes on" until_ok 20 weir_answers
ok "what is too much is shed" until_ok 20 holds_now 'link("up")["shed"]["of_hosts_packets"] > 5000'
is "of the host that sends it" "$(stats '[(h["address"], h["active"]) for h in link("up")["shed"]["hosts"]]')" "[('10.77.1.2', True)]"
ends one
checks one of_hosts_packets 10.77.1.2
is "the table is as weir made it" "$(grep -c 'was changed or removed' "$tmp/weir.log")" 0
ok "it ends well" weir_stop

# ---- From nobody in particular
before=$(flooded)
: >"$tmp/weir.log"
weir_start "$tmp/p.yaml"
begins crowd --forge
ok "what is too much is shed" until_ok 20 holds_now 'link("up")["shed"]["of_all_packets"] > 5000'
ends crowd
checks crowd of_all_packets "a crowd of senders"
ok "it ends well" weir_stop
is "and leaves nothing" "$(in_r nft list tables | grep -c weir)" 0
finish
