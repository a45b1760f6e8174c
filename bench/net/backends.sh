#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# One policy of two classes through each backend of a link, in one run: the rates that they give
# against the fluid model's, the delay of a thin class beside a full line, and what a packet
# costs the processor. Lines: name, parameter, value, unit. Needs root.
. "$(dirname "$0")/../../tests/net/lib.sh"
finished=1
skip_all() { echo "bench: backends: skipped: $*" >&2; exit 0; }
ROUNDS=${ROUNDS:-3}
router_up
have_queues || { cat "$tmp/weir.log" >&2; exit 1; }

line() { printf '%s\t%s\t%s\t%s\n' "$@"; }
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
least() { sort -n | head -n 1; }
stop() { kill "$weir_pid"; wait "$weir_pid" 2>/dev/null; weir_pid=; }
# What each class asks for is more than it gets. The fluid model: 4 + t and t, 20 together, so 12
# and 8 Mbit/s
policy() { # BACKEND RATE [BURST]
	cat >"$tmp/p.yaml" <<-EOP
	links:
	  - name: up
	    interface: wan
	    backend: $1
	    rate: $2
	    ${3:+burst: $3}
	    classes:
	      - {name: a, match: udp port 5000, min: 4mbit, queue: fifo, limit: 1000p}
	      - {name: b, default: true, queue: fifo, limit: 1000p}
	EOP
}

# ---- Rates: what arrives outside in a while in which both are backlogged, counted there. 10 kB
# ahead at most (5 ms), so that the late wake-ups of a busy machine are made good.
in_o nft -f - <<-'EOP'
	table inet count {
		counter a { }
		counter b { }
		chain in {
			type filter hook prerouting priority 0
			udp dport 5000 counter name a
			udp dport 5001 counter name b
		}
	}
EOP
arrived() { # of each class, bytes as the link counts them (14 a packet more), and when, in ns
	in_o nft -j list counters | python3 -c "
import json, sys, time
c = {x['counter']['name']: x['counter'] for x in json.load(sys.stdin)['nftables'] if 'counter' in x}
print(*(c[k]['bytes'] + 14 * c[k]['packets'] for k in 'ab'), time.monotonic_ns())"
}
rates() { # BACKEND
	local from to
	policy "$1" 20mbit 10kb; weir_start "$tmp/p.yaml"
	for p in 5000 5001; do
		ip netns exec "$ns-i" "$NETTOOL" send 10.77.2.2 $p --pps 2000 --size 1372 --count 24000 --flows 8 >/dev/null &
		pids+=($!)
		[ $p = 5000 ] && a=$! || b=$!
	done
	until_ok 20 sh -c "[ \$('$WEIR' stats --json --socket $sock | python3 -c 'import json,sys; print(min(c[\"waiting\"][\"packets\"] for c in json.load(sys.stdin)[\"links\"][0][\"classes\"]))') -gt 500 ]"
	from=$(arrived)
	read -rt 8 <> <(:)
	to=$(arrived)
	kill "$a" "$b"; wait "$a" "$b" 2>/dev/null
	stop
	awk -v from="$from" -v to="$to" 'BEGIN {
		split(from, f); split(to, t); s = (t[3] - f[3]) / 1e9
		printf "%.0f %.0f\n", (t[1] - f[1]) * 8 / s, (t[2] - f[2]) * 8 / s }' >>"$tmp/rates-$1"
}

# ---- Delay: 50 packets a second in class a, while b has more than the line takes
delay() { # BACKEND
	local load
	policy "$1" 20mbit; weir_start "$tmp/p.yaml"
	ip netns exec "$ns-i" "$NETTOOL" send 10.77.2.2 5001 --pps 2000 --size 1372 --count 24000 --flows 8 >/dev/null &
	load=$!
	pids+=($load)
	until_ok 20 sh -c "[ \$('$WEIR' stats --json --socket $sock | python3 -c 'import json,sys; print(json.load(sys.stdin)[\"links\"][0][\"classes\"][1][\"waiting\"][\"packets\"])') -gt 500 ]"
	recv_start o "$1" 5000 --count 400 --idle 3000
	in_i "$NETTOOL" send 10.77.2.2 5000 --pps 50 --size 172 --count 400 >/dev/null
	recv_end "$1"
	kill "$load"; wait "$load" 2>/dev/null
	stop
	got "$1" p50_us >>"$tmp/p50-$1"
	got "$1" p99_us >>"$tmp/p99-$1"
}

# ---- Processor time: 30,000 packets a second, all of which the line takes. Three ways to count it:
#     machine  all that the machine did (/proc/stat: user, system, interrupts)
#     path     the sender, in whose system calls packets go through the router, weir, and the
#              kernel's threads for soft interrupts
#     thread   the link's thread, where there is one
# The first two less what the same packets cost without weir are `more`. Of the rounds the least
# counts: what other programs do meanwhile only adds to it.
busy() { awk -v hz="$(getconf CLK_TCK)" '$1 == "cpu" { printf "%.0f\n", ($2 + $3 + $4 + $7 + $8) * 1e9 / hz }' /proc/stat; }
# Of weir and of the soft interrupts' threads, ns
threads() {
	local p files=()
	for p in $(pgrep -x 'ksoftirqd/[0-9]+'); do files+=("/proc/$p/schedstat"); done
	[ -z "$weir_pid" ] || files+=(/proc/"$weir_pid"/task/*/schedstat)
	awk '{ n += $1 } END { printf "%.0f\n", n }' "${files[@]}"
}
PACKETS=240000
cost() { # BACKEND or none
	local machine path sent
	if [ "$1" != none ]; then
		policy "$1" 1gbit; weir_start "$tmp/p.yaml"
	fi
	machine=$(busy) path=$(threads)
	TIMEFORMAT='%U %S'
	{ time in_i "$NETTOOL" flood 10.77.2.2 20000 --pps 30000 --size 100 --count $PACKETS --flows 64 >"$tmp/flood"; } 2>"$tmp/time"
	machine=$(($(busy) - machine)) path=$(($(threads) - path))
	sent=$(awk '$1 == "sent" { print $2 }' "$tmp/flood")
	echo $((machine / sent)) >>"$tmp/machine-$1"
	awk -v path="$path" -v n="$sent" '{ printf "%.0f\n", (path + ($1 + $2) * 1e9) / n }' "$tmp/time" >>"$tmp/path-$1"
	[ "$1" = none ] && return
	[ "$1" = kernel ] || stats 'link("up")["health"]["cpu_ns"] // max(1, link("up")["health"]["received"])' >>"$tmp/thread-$1"
	stop
}

for i in $(seq "$ROUNDS"); do
	cost none
	for backend in queue mark kernel; do
		rates $backend
		delay $backend
		cost $backend
	done
done
line backends-rate-a fluid 12000000 bit/s
line backends-rate-b fluid 8000000 bit/s
for backend in queue mark kernel; do
	line backends-rate-a $backend "$(awk '{ print $1 }' "$tmp/rates-$backend" | median)" bit/s
	line backends-rate-b $backend "$(awk '{ print $2 }' "$tmp/rates-$backend" | median)" bit/s
done
for backend in queue mark kernel; do
	line backends-rate-error-a $backend "$(awk '{ print $1 }' "$tmp/rates-$backend" | median | awk '{ printf "%+.3f", 100 * ($1 / 12e6 - 1) }')" %
	line backends-rate-error-b $backend "$(awk '{ print $2 }' "$tmp/rates-$backend" | median | awk '{ printf "%+.3f", 100 * ($1 / 8e6 - 1) }')" %
done
for backend in queue mark kernel; do
	line backends-delay-p50 $backend "$(median <"$tmp/p50-$backend")" us
	line backends-delay-p99 $backend "$(median <"$tmp/p99-$backend")" us
done
for k in machine path; do
	none=$(least <"$tmp/$k-none")
	line backends-cpu-$k none "$none" ns/packet
	for backend in queue mark kernel; do
		n=$(least <"$tmp/$k-$backend")
		line backends-cpu-$k $backend "$n" ns/packet
		line backends-cpu-$k-more $backend $((n - none)) ns/packet
	done
done
for backend in queue mark; do
	line backends-cpu-thread $backend "$(least <"$tmp/thread-$backend")" ns/packet
done
