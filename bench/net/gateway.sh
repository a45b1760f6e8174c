#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The gateway on real packets against its peers, in one run: an accept-all program of the same
# batches, and the kernel's HTB. Lines: name, parameter, value, unit. Needs root.
. "$(dirname "$0")/../../tests/net/lib.sh"
finished=1
skip_all() { echo "bench: gateway: skipped: $*" >&2; exit 0; }
ACCEPT=$(realpath "${BUILD:-build}/bench/net/nfq_accept")
ROUNDS=${ROUNDS:-3}
router_up
have_queues || { cat "$tmp/weir.log" >&2; exit 1; }

cat >"$tmp/open.yaml" <<'EOP'
links: [{name: up, interface: wan, rate: 100gbit, classes: [{name: a, match: udp port 1, min: 1mbit}, {name: all, default: true}]}]
EOP
sed 's/100gbit/400mbit/' "$tmp/open.yaml" >"$tmp/split.yaml"
accept_start() { # [gso]
	ip netns exec "$ns-r" "$ACCEPT" wan "$@" >"$tmp/accept" &
	weir_pid=$!
	until_ok 10 grep -q ready "$tmp/accept"
}
stop() { kill "$weir_pid"; wait "$weir_pid" 2>/dev/null; weir_pid=; }
rx() { in_o cat /sys/class/net/e/statistics/rx_packets; }
# Packets a second that come out, of as many as one sender can make
pps() {
	local a b
	a=$(rx)
	in_i "$NETTOOL" flood 10.77.2.2 20000 --pps 2000000 --size 24 --count 1000000 --flows 64 >"$tmp/flood"
	b=$(rx)
	awk -v n=$((b - a)) '$1 == "ns" { printf "%.0f\n", n * 1e9 / $2 }' "$tmp/flood"
}
tcp() { in_i iperf3 -c 10.77.2.2 -t 4 --json | python3 -c 'import json,sys; print("%.0f" % json.load(sys.stdin)["end"]["sum_received"]["bits_per_second"])'; }
# What a packet costs the link's thread: in all, in weir, in the kernel (system calls: receiving,
# and verdicts, in which the kernel runs the rest of the packet's path)
cpu_per_packet() {
	local ns user system
	ns=$(stats 'link("up")["health"]["cpu_ns"] // max(1, link("up")["health"]["received"])')
	read -r user system < <(cat /proc/"$weir_pid"/task/*/stat | awk '/weir-up/ { sub(/.*\) /, ""); print $12, $13 }')
	awk -v ns="$ns" -v u="$user" -v s="$system" 'BEGIN { printf "%d %d %d\n", ns, ns * u / (u + s + 1e-9), ns * s / (u + s + 1e-9) }'
}
line() { printf '%s\t%s\t%s\t%s\n' "$@"; }
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

iperf_server
for i in $(seq "$ROUNDS"); do
	accept_start; pps >>"$tmp/pps-accept"; stop
	# of the same kind of queue: large segments are cut before both, or before none
	weir_start "$tmp/split.yaml"; pps >>"$tmp/pps-weir"; cpu=$(cpu_per_packet); stop
	accept_start gso; tcp >>"$tmp/tcp-accept"; stop
	weir_start "$tmp/open.yaml"; tcp >>"$tmp/tcp-weir"
	stop
done
for k in pps tcp; do
	u=packet/s; [ $k = tcp ] && u=bit/s
	a=$(median <"$tmp/$k-accept") w=$(median <"$tmp/$k-weir")
	line "gateway-$k" accept-all "$a" $u
	line "gateway-$k" weir "$w" $u
	line "gateway-$k" ratio "$(awk "BEGIN { printf \"%.3f\", $w / $a }")" ""
done
set -- $cpu
line gateway-cpu all "$1" ns/packet
line gateway-cpu weir "$2" ns/packet
line gateway-cpu kernel "$3" ns/packet

# The rate of a line that always has something to send, against HTB's: what the receiver counts
# from its first packet to its last
rate_error() { # NAME RATE BIT/S PAYLOAD PACKETS
	recv_start o rate 5000 --count 1000000 --idle 2500
	in_i "$NETTOOL" send 10.77.2.2 5000 --pps $(($3 * 13 / 10 / 8 / ($4 + 42))) --size "$4" --count "$5" >/dev/null
	recv_end rate
	line "gateway-rate-error-$2" "$1" "$(awk -v rate="$3" '
		{ v[$1] = $2 }
		END { printf "%+.3f", 100 * ((v["bytes"] + (v["received"] - 1) * 42) * 8e9 / v["ns"] / rate - 1) }' "$tmp/recv-rate")" %
}
for r in "1mbit 1000000 372 2000" "20mbit 20000000 1372 11000" "200mbit 200000000 1372 110000"; do
	set -- $r
	echo "links: [{name: up, interface: wan, rate: $1, classes: [{name: all, default: true, queue: fifo, limit: 2000p}]}]" >"$tmp/rate.yaml"
	weir_start "$tmp/rate.yaml"; rate_error weir "$@"; stop
	in_r tc qdisc add dev wan root handle 1: htb default 10
	in_r tc class add dev wan parent 1: classid 1:10 htb rate "$1"
	rate_error htb "$@"
	in_r tc qdisc del dev wan root
done

# A call beside four uploads: shaped at 19 mbit/s before a real line of 20, whose queue is on
# the other side (a TBF with a burst of one packet)
in_o ip link add ifb0 type ifb && in_o ip link set ifb0 up
in_o tc qdisc add dev ifb0 root tbf rate 20mbit burst 1540 limit 500000
in_o tc qdisc add dev e ingress
in_o tc filter add dev e parent ffff: protocol all u32 match u32 0 0 action mirred egress redirect dev ifb0 >/dev/null
cat >"$tmp/call.yaml" <<'EOP'
links:
  - name: up
    interface: wan
    rate: 19mbit
    classes:
      - {name: call, match: udp port 5000, min: 1mbit}
      - {name: rest, default: true}
EOP
htb() {
	in_r tc qdisc add dev wan root handle 1: htb default 20
	in_r tc class add dev wan parent 1: classid 1:1 htb rate 19mbit
	in_r tc class add dev wan parent 1:1 classid 1:10 htb rate 1mbit ceil 19mbit prio 0
	in_r tc class add dev wan parent 1:1 classid 1:20 htb rate 18mbit ceil 19mbit prio 1
	in_r tc filter add dev wan parent 1: protocol ip prio 1 u32 match ip protocol 17 0xff match ip dport 5000 0xffff flowid 1:10
}
delay() { # NAME
	ip netns exec "$ns-i" iperf3 -c 10.77.2.2 -P 4 -t 9 --json >"$tmp/iperf" &
	local up=$!
	until_ok 10 in_o sh -c "tc -s qdisc show dev ifb0 | grep -qE 'Sent [0-9]{7}'"
	recv_start o "$1" 5000 --count 300 --idle 3000
	in_i "$NETTOOL" send 10.77.2.2 5000 --pps 50 --size 172 --count 300 >/dev/null
	recv_end "$1"
	wait $up
	line gateway-delay-p50 "$1" "$(got "$1" p50_us)" us
	line gateway-delay-p99 "$1" "$(got "$1" p99_us)" us
	line gateway-line "$1" "$(python3 -c "
import json
print('%.0f' % json.load(open('$tmp/iperf'))['end']['sum_received']['bits_per_second'])")" bit/s
}
delay nothing
htb; delay htb
in_i ethtool -K e tso off gso off >/dev/null 2>&1; delay htb-split; in_i ethtool -K e tso on gso on >/dev/null 2>&1
in_r tc qdisc del dev wan root
weir_start "$tmp/call.yaml"; delay weir
echo "$(stats '"wake-ups late p50 %d p99 %d ns" % tuple(link("up")["health"]["wakeup_late_ns"][k] for k in ("p50", "p99"))')" >&2
stop
