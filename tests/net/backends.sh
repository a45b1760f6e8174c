#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# One policy with each backend: packets in the same classes, and a host that is afterwards as it
# was before, whatever became of the gateway.
. "$(dirname "$0")/lib.sh"
router_up
have_queues || { ok "weir starts" false; finish; }

policy() { # BACKEND [RATE]
	cat >"$tmp/p.yaml" <<-EOP
	links:
	  - name: up
	    interface: wan
	    backend: $1
	    rate: ${2:-20mbit}
	    classes:
	      - name: work
	        match: udp portrange 5000-5001
	        weight: 3
	        classes:
	          - {name: call, match: udp port 5000, min: 1mbit, queue: fifo, limit: 5000p}
	          - {name: mail, default: true, queue: fifo, limit: 5000p}
	      - {name: own, match: [icmp6, "dst net ff00::/8"], queue: fifo}
	      - {name: rest, default: true, queue: fifo, limit: 5000p}
	EOP
}
# (own: what the router itself says over IPv6: who are my neighbours?)
# The router as others see it: qdiscs, classes, filters, rules, interfaces
look() {
	local d
	for d in wan lan; do
		in_r tc -j qdisc show dev "$d"
		in_r tc -j class show dev "$d"
		in_r tc -j filter show dev "$d"
		in_r tc -j filter show dev "$d" ingress
	done
	in_r nft list ruleset
	in_r ip -j link | python3 -c "import json, sys; print(sorted(l['ifname'] for l in json.load(sys.stdin)))"
}
# Packets and bytes that the leaves of HTB on a device have sent, in the order of those numbers
leaves() { # DEVICE
	in_r tc -s class show dev "$1" | python3 -c "
import re, sys
c = re.findall(r'class htb (\S+) (?:root|parent (\S+)) (leaf)?.*\n Sent (\d+) bytes (\d+) pkt', sys.stdin.read())
print(sorted([int(p), int(b)] for _, _, leaf, b, p in c if leaf))"
}
# (the class of what the link hangs on is not shown before something came to it)
told() { stats 'sorted([[c["sent"]["packets"], c["sent"]["bytes"]] for c in link("up")["classes"] if c["leaf"]] + [[0, 0]] * (not any(c["class"] == "link-control" for c in link("up")["classes"])))'; }
# between the two, neighbours may have been looked for
agree() { [ "$(leaves wan)" = "$(told)" ]; }
sent() { stats 'cls("up", "'"$1"'")["sent"]["packets"]'; }
in_kernel() { in_r tc qdisc show dev wan | grep "htb 7765:"; }
traffic() { # PORT COUNT ADDRESS [OPTION...]
	local port=$1 count=$2 to=$3
	shift 3
	recv_start o "t$port" "$port" --count "$count"
	in_i "$NETTOOL" send "$to" "$port" --pps 2000 --count "$count" "$@" >/dev/null
	recv_end "t$port"
}
sums='all(c["in"][k] == c["sent"][k] + c["dropped"][k] + c["waiting"][k] for l in d["links"] for c in [l] + l["classes"] for k in ("packets", "bytes"))'

look >"$tmp/before"

# ---- The same packets in the same classes
for backend in queue mark kernel; do
	policy $backend
	: >"$tmp/weir.log"
	ok "$backend: it starts" weir_start "$tmp/p.yaml"
	is "$backend: status names it" "$(stats '[link("up")[k] for k in ("backend", "device", "programmed")]')" \
		"$(case $backend in queue) echo "['queue', None, None]" ;; *) echo "['$backend', 'wan', True]" ;; esac)"
	traffic 5000 101 10.77.2.2
	traffic 5000 52 fd77:2::2
	traffic 5001 203 10.77.2.2
	traffic 5001 104 fd77:2::2
	traffic 5002 305 10.77.2.2
	is "$backend: IPv4 and IPv6 packets are in their classes" "$(sent work/call) $(sent work/mail) $(sent work) $(sent rest)" "153 307 460 305"
	is "$backend: in = sent + dropped + waiting" "$(stats "$sums")" True
	if [ $backend = queue ]; then
		ok "queue: nothing of it is in the kernel's traffic control" sh -c "! ip netns exec $ns-r tc qdisc show dev wan | grep -q htb"
	else
		ok "$backend: tc counts what weir tells" until_ok 20 agree
		is "$backend: of delays nothing is known" "$(stats '[cls("up", "work/call")[k] for k in ("delay_ns", "jitter_ns", "marked")]')" "[None, None, None]"
		status 0 "$backend: stats for people" stats --socket "$sock"
		like "$backend: ... say where" "$tmp/out" "^link up: wan, 20.0?mbit, backend $backend on wan$"
		like "$backend: ... and no delay" "$tmp/out" "^ +call +153 +153 .* - +- +- +-$"
	fi
	status 0 "$backend: all is well" status --socket "$sock"
	if [ $backend = kernel ]; then
		is "kernel: no queue, no thread" "$(stats '[link("up")[k] for k in ("health", "queue_number", "flow_table")]') $(ls /proc/$weir_pid/task | wc -l)" "[None, None, None] 1"
		ok "kernel: no packet goes to a queue" sh -c "! ip netns exec $ns-r nft list table inet weir | grep -qE 'queue|NFQUEUE'"
	fi
	weir_stop
	is "$backend: it ends well" $? 0
	look >"$tmp/after"
	ok "$backend: and the router is as it was" diff "$tmp/before" "$tmp/after"
done

# ---- Mark: it is weir that classifies. The later fragments of a datagram have no port.
fragments() { # the class counts of 20 datagrams of 3 packets each
	recv_start o frag 5000 --count 20
	in_i "$NETTOOL" send 10.77.2.2 5000 --pps 500 --count 20 --size 4000 >/dev/null
	recv_end frag
	echo "$(got frag received) $(sent work/call) $(test "$(sent rest)" -ge 40 && echo many || echo few)"
}
policy kernel; weir_start "$tmp/p.yaml"
is "the kernel's filters do not know a later fragment" "$(fragments)" "20 20 many"
weir_stop
policy mark; weir_start "$tmp/p.yaml"
is "weir does, and its word counts" "$(fragments)" "20 60 few"
filters() {
	local parent
	for parent in 7765: $(in_r tc class show dev wan | awk '{ print $3 }'); do
		in_r tc filter "$1" dev wan parent "$parent" 2>/dev/null
	done
}
filters show >"$tmp/filters"
like "mark: filters are there for what goes round the queue" "$tmp/filters" bpf
filters del
filters show >"$tmp/filters"
ok "mark: they can be deleted" empty "$tmp/filters"
traffic 5001 30 10.77.2.2
is "without them, packets find their class nonetheless" "$(sent work/mail)" 30
ok "as tc sees it" until_ok 20 agree
weir_stop

# ---- Address translation: inside hosts keep their classes
ip -n "$ns-i" addr add 10.77.1.3/24 dev e
in_r nft -f - <<-'EOP'
	table ip nat {
		chain post {
			type nat hook postrouting priority srcnat
			oifname "wan" masquerade fully-random
		}
	}
EOP
look >"$tmp/before-nat"
for backend in queue mark kernel; do
	sed "s/udp portrange 5000-5001/src host 10.77.1.3/; s/match: udp port 5000/match: udp src port 4000/" <(policy $backend; cat "$tmp/p.yaml") >"$tmp/nat.yaml"
	weir_start "$tmp/nat.yaml"
	recv_start o nat 5000 --count 36
	in_i "$NETTOOL" send 10.77.2.2 5000 --from 10.77.1.3:4000 --pps 2000 --count 11 >/dev/null
	in_i "$NETTOOL" send 10.77.2.2 5000 --from 10.77.1.3 --pps 2000 --count 8 >/dev/null
	in_i "$NETTOOL" send 10.77.2.2 5000 --from 10.77.1.2:4000 --pps 2000 --count 17 >/dev/null
	recv_end nat
	is "$backend: behind address translation, each packet is in its class" "$(sent work/call) $(sent work/mail) $(sent rest) $(test "$(got nat ports)" -ge 2 && echo translated)" "11 8 17 translated"
	weir_stop
	look >"$tmp/after"
	ok "$backend: and nothing is left" diff "$tmp/before-nat" "$tmp/after"
done
in_r nft delete table ip nat
ip -n "$ns-i" addr del 10.77.1.3/24 dev e

# ---- Killed: its classes go on, and the next one takes them over
policy kernel; weir_start "$tmp/p.yaml"
traffic 5000 40 10.77.2.2
kill -9 "$weir_pid"; wait "$weir_pid" 2>/dev/null; weir_pid=
ok "killed: its classes stay" in_kernel
traffic 5000 2 10.77.2.2
ip netns exec "$ns-r" stdbuf -oL tc monitor >"$tmp/monitor" 2>&1 &
monitor=$!
pids+=($monitor)
ok "changes are watched" until_ok 10 sh -c "ip netns exec $ns-r tc qdisc add dev lan ingress; ip netns exec $ns-r tc qdisc del dev lan ingress; grep -q ingress $tmp/monitor"
ok "the next one starts" weir_start "$tmp/p.yaml"
is "and goes on where it was" "$(sent work/call)" 42
in_r tc qdisc add dev lan ingress; in_r tc qdisc del dev lan ingress
until_ok 10 sh -c "[ \$(grep -c 'deleted.*ingress' $tmp/monitor) -ge 2 ]"
kill "$monitor"
is "... without a change" "$(grep -c "dev wan" "$tmp/monitor")" 0
# with another backend as well
kill -9 "$weir_pid"; wait "$weir_pid" 2>/dev/null; weir_pid=
policy mark; weir_start "$tmp/p.yaml"
traffic 5000 8 10.77.2.2
is "also with another backend" "$(sent work/call)" 50
kill -9 "$weir_pid"; wait "$weir_pid" 2>/dev/null; weir_pid=
policy queue; weir_start "$tmp/p.yaml"
status 1 "what is left over is told when a queue shapes" status --socket "$sock"
like "... with its remedy" "$tmp/out" "WARNING.*wan still has classes.*weir tc remove"
weir_stop
policy kernel; weir_start "$tmp/p.yaml"; weir_stop
look >"$tmp/after"
ok "and after all that, the router is as it was" diff "$tmp/before" "$tmp/after"

# ---- All or nothing
in_r tc qdisc add dev wan root handle 1: tbf rate 5mbit burst 5000 latency 50ms
cat >"$tmp/two.yaml" <<'EOP'
links:
  - {name: down, interface: lan, backend: kernel, rate: 30mbit, classes: [{name: all, default: true, queue: fifo}]}
  - {name: in, interface: lan, direction: ingress, backend: kernel, rate: 30mbit, classes: [{name: udp, match: udp, queue: fifo}, {name: all, default: true, queue: fifo}]}
  - {name: up, interface: wan, backend: kernel, rate: 20mbit, classes: [{name: all, default: true, queue: fifo}]}
EOP
look >"$tmp/before-two"
in_r timeout 20 "$WEIR" run "$tmp/two.yaml" --socket "$sock" 2>"$tmp/err"
is "a qdisc that others made: exit 2" $? 2
like "... is named, and what to do" "$tmp/err" "link up: wan: .*weir did not make \(.*tbf.*weir tc apply --replace"
look >"$tmp/after"
ok "... and nothing is left of the other links" diff "$tmp/before-two" "$tmp/after"
# ... unless weir tc has put it aside: then it is back when the gateway ends
policy kernel
in_r "$WEIR" tc apply --replace "$tmp/p.yaml" >/dev/null 2>&1
weir_start "$tmp/p.yaml"
is "what weir tc apply --replace made is taken over" "$(stats 'link("up")["programmed"]')" True
weir_stop
look >"$tmp/after"
ok "... and what it had replaced is back at the end" diff "$tmp/before-two" "$tmp/after"
policy queue; cp "$tmp/p.yaml" "$tmp/r.yaml"
weir_start "$tmp/r.yaml"
in_r nft list ruleset >"$tmp/rules"
cp "$tmp/two.yaml" "$tmp/r.yaml"
status 2 "a reload that meets it" reload --socket "$sock"
like "... says the same" "$tmp/err" "wan: .*weir did not make"
in_r nft list ruleset >"$tmp/rules2"
ok "... and leaves the rules" diff "$tmp/rules" "$tmp/rules2"
ok "... and no class" sh -c "! ip netns exec $ns-r tc qdisc show | grep -q 7765"
traffic 5000 5 10.77.2.2
is "... and the policy before is in force" "$(sent work/call)" 5
weir_stop
in_r tc qdisc del dev wan root
in_r setpriv --bounding-set=-sys_admin timeout 20 "$WEIR" run "$tmp/two.yaml" --socket "$sock" 2>"$tmp/err"
is "without the right to try what the kernel has: exit 2" $? 2
like "... says so" "$tmp/err" "link down: \"backend: kernel\" needs.*CAP_SYS_ADMIN"

# ---- Both ways of an interface
ok "ingress: it starts" weir_start "$tmp/two.yaml"
is "ingress: status says where" "$(stats '[l["device"] for l in d["links"]]')" "['lan', 'wi-lan', 'wan']"
traffic 5000 60 10.77.2.2
is "ingress: what comes in is counted" "$(stats 'cls("in", "udp")["sent"]["packets"]')" 60
weir_stop
look >"$tmp/after"
ok "ingress: and the router is as it was" diff "$tmp/before" "$tmp/after"

# ---- Somebody changes them
: >"$tmp/weir.log" # gateways before this one were changed, too, and may have looked in time
policy kernel; weir_start "$tmp/p.yaml" --metrics 127.0.0.1:9591
in_r tc class change dev wan parent 7765: classid 7765:1 htb rate 3mbit burst 15k
ok "a change by others is told" until_ok 30 sh -c "'$WEIR' status --socket $sock | grep -q 'WARNING.*wan are not as weir made them.*weir tc diff'"
is "once in the log" "$(grep -c 'are not as weir made them' "$tmp/weir.log")" 1
status 0 "a reload of the same policy" reload --socket "$sock"
status 0 "puts it right" status --socket "$sock"
status 0 "top" top --count 1 --socket "$sock"
like "top says where" "$tmp/out" "link up: wan up, .*backend kernel on wan"
in_r python3 -c "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9591/metrics').read().decode())" >"$tmp/metrics"
like "so do the metrics" "$tmp/metrics" '^weir_link_info\{link="up",interface="wan",backend="kernel",device="wan"\} 1'
like "which say that the classes are there" "$tmp/metrics" '^weir_link_programmed\{link="up"\} 1'
unlike "and nothing of a queue" "$tmp/metrics" '^weir_link_(held|received|cpu|running|wakeup)'
unlike "nor of delays" "$tmp/metrics" '^weir_class_delay'

# ---- An interface that goes and comes
wan_again() {
	ip -n "$ns-r" link add wan type veth peer name e netns "$ns-o"
	port r wan 10.77.2.1/24 fd77:2::1/64
	port o e 10.77.2.2/24 fd77:2::2/64
	ip -n "$ns-o" route add default via 10.77.2.1
	ip -n "$ns-o" -6 route add default via fd77:2::1
	until_ok 20 in_i ping -c 1 -W 1 10.77.2.2
}
for backend in kernel mark; do
	[ $backend = kernel ] || { policy mark; weir_start "$tmp/p.yaml"; }
	ip -n "$ns-r" link del wan
	ok "$backend: an interface that goes is told" until_ok 20 sh -c "'$WEIR' status --socket $sock | grep -q DOWN"
	wan_again
	ok "$backend: when it comes, it gets its classes" until_ok 20 in_kernel
	traffic 5000 25 10.77.2.2
	is "$backend: which get their packets" "$(sent work/call)" 25
	ok "$backend: as tc sees it" until_ok 20 agree
	ok "$backend: all is well then" until_ok 30 "$WEIR" status --socket "$sock"
	weir_stop
done
for backend in kernel mark; do
	ip -n "$ns-r" link del wan
	: >"$tmp/weir.log"
	policy $backend
	ok "$backend: it starts without the interface" weir_start "$tmp/p.yaml"
	like "$backend: ... which is told" "$tmp/weir.log" "no interface wan yet"
	is "$backend: ... and known" "$(stats '[link("up")[k] for k in ("up", "device", "programmed")]')" "[False, None, False]"
	wan_again
	ok "$backend: and gives it its classes when it comes" until_ok 20 in_kernel
	traffic 5001 25 10.77.2.2
	is "$backend: which get their packets, too" "$(sent work/mail)" 25
	weir_stop
done
ip -n "$ns-r" link del wan
policy kernel; weir_start "$tmp/p.yaml"
ip -n "$ns-r" link add wan type veth peer name e netns "$ns-o"
until_ok 20 in_kernel
in_r tc qdisc del dev wan root
in_r tc qdisc add dev wan root handle 1: tbf rate 5mbit burst 5000 latency 50ms
ip -n "$ns-r" link set wan mtu 1400
ok "what cannot be done when an interface changes is told" until_ok 20 sh -c "'$WEIR' status --socket $sock | grep -q 'WARNING.*weir did not make'"
in_r tc qdisc del dev wan root
ok "and done as soon as it can be" until_ok 30 in_kernel
weir_stop
look >"$tmp/after"
ip -n "$ns-r" link set wan mtu 1500
ok "nothing is left of that" lacks "$tmp/after" "7765"
finish
