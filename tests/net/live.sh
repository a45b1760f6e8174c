#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Live against replay: what entered the gateway is captured and put to the replay with the same
# policy; then, packet for packet, both must have given the same class and the same order, and
# delays that agree. On the wire each class is known by the DSCP that it sets.
. "$(dirname "$0")/lib.sh"
router_up
have_queues || { ok "weir starts" false; finish; }

# 10 ms ahead at most, so that a late wake-up of a busy machine is made good; the replay has
# the same burst.
cat >"$tmp/p.yaml" <<'EOP'
inside: [10.77.1.0/24, "fd77:1::/64"]
links:
  - name: up
    interface: wan
    rate: 8mbit
    overhead: 18
    burst: 10kb
    classes:
      - {name: voice, match: udp port 5000, min: 500kbit, set-dscp: ef, queue: fifo, limit: 1000p}
      - name: work
        match: [net 10.77.2.0/24 and udp portrange 5001-5003, ip6 and udp portrange 5001-5003]
        weight: 3
        scheduler: drr
        classes:
          - {name: a, match: udp port 5001, weight: 2, set-dscp: af41, queue: fifo, limit: 3000p}
          - {name: b, match: udp port 5002, set-dscp: af31, queue: fifo, limit: 3000p}
          - {name: c, default: true, set-dscp: af21, queue: fifo, limit: 3000p, max: 1mbit}
      - {name: ping, match: [icmp, "icmp6 and ip6[40] = 128"], set-dscp: cs6, queue: fifo, limit: 1000p}
      - {name: tcp, match: tcp, set-dscp: cs1, queue: fq_codel}
      - {name: rest, default: true, set-dscp: cs2, queue: fifo, limit: 1000p}
EOP
# what is captured must be what is on the line: no segments larger than a packet
in_i ethtool -K e tso off gso off tx off >/dev/null 2>&1
weir_start "$tmp/p.yaml" || { cat "$tmp/weir.log"; ok "weir starts" false; finish; }

sniff() { # DEVICE DIRECTION FILE
	ip netns exec "$ns-r" tcpdump -i "$1" -Q "$2" -s 0 -B 32768 --time-stamp-precision nano -w "$3" "dst net 10.77.2.0/24 or dst net fd77:2::/64" 2>"$3.log" &
	sniffer=$!
	pids+=($!)
	until_ok 20 grep -q "listening on" "$3.log"
}
sniff lan in "$tmp/in.pcap"; in_dump=$sniffer
sniff wan out "$tmp/out.pcap"; out_dump=$sniffer

# All senders on one processor: from there each packet is brought to the queue before the next
# is sent, so that the order at the capture is that at the queue.
cpu=$(taskset -cp $$ | sed 's/.*: *\([0-9]*\).*/\1/')

# Bursts with rests between them, so that queues fill and drain; both protocols; all classes
iperf_server
sends=()
send() { # PORT ADDRESS PPS SIZE COUNT FLOWS
	ip netns exec "$ns-i" taskset -c "$cpu" "$NETTOOL" send "$2" "$1" --pps "$3" --size "$4" --count "$5" --flows "$6" >/dev/null &
	sends+=($!)
	pids+=($!)
}
recv_start o v 5000 --count 100000 --idle 4000
for round in 1 2 3; do
	sends=()
	send 5000 10.77.2.2 100 172 150 2
	send 5001 10.77.2.2 700 1000 700 8
	send 5001 fd77:2::2 300 900 300 4
	send 5002 10.77.2.2 600 700 600 16
	send 5003 fd77:2::2 300 600 250 3
	send 6000 10.77.2.2 200 300 200 5
	ip netns exec "$ns-i" taskset -c "$cpu" iperf3 -c 10.77.2.2 -n 400K >/dev/null 2>&1 &
	sends+=($!)
	in_i taskset -c "$cpu" ping -c 40 -i 0.02 -W 5 10.77.2.2 >/dev/null
	in_i taskset -c "$cpu" ping -6 -c 40 -i 0.02 -W 5 fd77:2::2 >/dev/null
	wait "${sends[@]}"
done
recv_end v
idle() { [ "$(stats 'link("up")["waiting"]["packets"]')" = 0 ]; }
ok "all queues drain" until_ok 20 idle
"$WEIR" stats --json --socket "$sock" >"$tmp/stats.json"
# what the kernel has for tcpdump is written when it is told to end
kill -INT "$in_dump" "$out_dump"
wait "$in_dump" "$out_dump"
unlike "tcpdump saw every packet" "$tmp/in.pcap.log" "[1-9][0-9]* packets? dropped by kernel"
ok "it ends well" weir_stop

status 0 "the replay" replay "$tmp/p.yaml" "$tmp/in.pcap" --link up --trace "$tmp/trace.tsv" --json
cp "$tmp/out" "$tmp/replay.json"
python3 tests/net/live.py "$tmp/in.pcap" "$tmp/out.pcap" "$tmp/trace.tsv" "$tmp/stats.json" "$tmp/replay.json" >"$tmp/live"
grep '^#' "$tmp/live"
result() { # NAME KEY: what live.py says of it
	is "$1" "$(sed -n "s/^$2: //p" "$tmp/live")" holds
}
result "every packet is of the same class, live and in the replay" class
result "every class counts as many packets in, live and in the replay" counts
result "what has no active queue management loses the same packets" sent
result "the packets of a flow leave in the order in which they came" flows
result "the packets of a class without flow queueing leave in the order of the replay" order
result "delays agree" delay
finish
