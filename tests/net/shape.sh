#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# That shaping holds: the rate, the shares, and a call beside uploads that fill the line.
. "$(dirname "$0")/lib.sh"
router_up
have_queues || { ok "weir starts" false; finish; }

policy() { # RATE UP-CLASSES
	cat <<-EOP
	inside: [10.77.1.0/24, "fd77:1::/64"]
	links:
	  - name: up
	    interface: wan
	    rate: $1
	    overhead: 0
	    burst: ${3:-10kb}
	    classes:
	$2
	  - {name: down, interface: lan, rate: 30mbit, overhead: 0, classes: [{name: all, default: true}]}
	EOP
}

# The rate, of a line that always has something to send: what the receiver counts from its
# first packet to its last, IP and UDP headers added. Both directions at once.
one='      - {name: all, default: true, queue: fifo, limit: 2000p}'
rate() { # NAME RATE BIT/S PAYLOAD PACKETS
	# 10 ms ahead at most: what a busy machine's late wake-ups may cost is made good
	policy "$2" "$one" "$(($3 / 800 > 3000 ? $3 / 800 : 3000))b" >"$tmp/p.yaml"
	weir_start "$tmp/p.yaml" || { cat "$tmp/weir.log"; return 1; }
	recv_start o up 5000 --count 1000000 --idle 2500
	recv_start i down 5001 --count 1000000 --idle 2500
	ip netns exec "$ns-o" "$NETTOOL" send 10.77.1.2 5001 --pps 3600 --size 1172 --count 18000 >/dev/null &
	pids+=($!)
	in_i "$NETTOOL" send 10.77.2.2 5000 --pps $(($3 * 13 / 10 / 8 / ($4 + 28))) --size "$4" --count "$5" >/dev/null
	recv_end up; recv_end down
	weir_stop
	awk -v rate="$3" -v head=28 '
		{ v[$1] = $2 }
		END {
			got = (v["bytes"] + (v["received"] - 1) * head) * 8e9 / v["ns"]
			printf "# measured %.0f bit/s of %.0f: %+.3f %%\n", got, rate, 100 * (got / rate - 1)
			exit got >= 1.01 * rate ? 2 : got <= 0.99 * rate
		}' "$tmp/recv-up"
}
# A machine that is busy elsewhere for longer than the burst costs the line that time: then once
# more, and again. Above its rate it must never be.
rate_holds() {
	for try in 1 2 3; do
		rate "$@"
		case $? in 0) return 0 ;; 2) return 1 ;; esac
	done
	return 1
}
for r in "1mbit 1000000 372 2200" "20mbit 20000000 1372 12000" "200mbit 200000000 1372 120000"; do
	set -- $r
	ok "$1 is $1 within 1 % over some 5 s, up and down at once" rate_holds "$1" "$@"
	cat "$tmp/ok.log" | grep '^#'
done

# Shares 3 to 1, both backlogged: they are filled first, so that no sender's time has a part in
# it, and looked at twice before either is empty.
three='      - {name: a, match: udp port 5000, weight: 3, queue: fifo, limit: 9000p}
      - {name: b, default: true, weight: 1, queue: fifo, limit: 9000p}'
policy 4mbit "$three" >"$tmp/p.yaml"
both() { stats '*[cls("up", c)[k][u] for c in "ab" for k, u in (("sent", "bytes"), ("waiting", "packets"))]'; }
gone() { # BYTES: so many of a have left since
	[ "$(stats 'cls("up", "a")["sent"]["bytes"]')" -ge $((a0 + $1)) ]
}
shares() { # COUNT of packets for each: bytes of a and b between the two looks, if both had some
	weir_start "$tmp/p.yaml" || return 1
	in_i "$NETTOOL" send 10.77.2.2 5000 --pps 20000 --size 1372 --count "$1" >/dev/null
	in_i "$NETTOOL" send 10.77.2.2 5001 --pps 20000 --size 1372 --count "$1" >/dev/null
	read -r a0 wait_a b0 wait_b <<<"$(both)"
	until_ok 20 gone 600000
	read -r a1 wait_a b1 wait_b <<<"$(both)"
	a=$((a1 - a0)) b=$((b1 - b0))
	[ "$wait_a" -gt 0 ] && [ "$wait_b" -gt 0 ]
}
# a machine that was away for so long that a class ran empty shows nothing: more, then
for count in 2000 4000 8000; do
	! shares $count || break
	[ $count = 8000 ] || weir_stop
done
echo "# shares: a $a, b $b bytes; $wait_a and $wait_b packets still wait"
ok "both classes had something to send all the time" test "$wait_a" -gt 0 -a "$wait_b" -gt 0
ok "two classes share 3 to 1" holds "$a > 2.8 * $b && $a < 3.2 * $b"
is "nothing is lost in silence" "$(stats 'all(c["in"]["packets"] == c["sent"]["packets"] + c["dropped"]["packets"] + c["waiting"]["packets"] for l in d["links"] for c in l["classes"])')" True
weir_stop

# A call beside four uploads
call='      - {name: call, match: udp port 5000, min: 1mbit, max-latency: 20ms}
      - {name: rest, default: true}'
policy 20mbit "$call" >"$tmp/p.yaml"
weir_start "$tmp/p.yaml"
iperf_server
uploads_and_call() {
	ip netns exec "$ns-i" iperf3 -c 10.77.2.2 -P 4 -t 6 --json >"$tmp/iperf" &
	local up=$!
	until_ok 10 sh -c "in=\$('$WEIR' stats --json --socket '$sock' | tr -d '\n'); echo \"\$in\" | grep -q '\"aqm\"'"
	recv_start o call 5000 --count 200
	in_i "$NETTOOL" send 10.77.2.2 5000 --pps 50 --size 172 --count 200 >/dev/null
	recv_end call
	wait $up
	line=$(python3 -c "import json; print(int(json.load(open('$tmp/iperf'))['end']['sum_received']['bits_per_second']))")
	echo "# call beside four uploads at 20 mbit/s: p50 $(got call p50_us) us, p99 $(got call p99_us) us, max $(got call max_us) us; uploads $line bit/s"
	[ "$(got call lost)" = 0 ] || lost=1
}
# As above: a busy machine may be late, once and again; it loses nothing. Without weir half of
# the packets wait more than 50 ms; how late the latest are is the machine's matter as well, and
# only told (the replay of the same, which has no machine, is held to every packet).
lost=0
for try in 1 2 3; do
	uploads_and_call
	[ "$(got call p50_us)" -ge 10000 ] || [ "$line" -le 16000000 ] || break
done
is "a call beside four uploads loses nothing" "$lost" 0
ok "and half of its packets wait less than 10 ms" test "$(got call p50_us)" -lt 10000
ok "and the uploads fill the rest of the line" test "$line" -gt 16000000
ok "it ends well" weir_stop
finish
