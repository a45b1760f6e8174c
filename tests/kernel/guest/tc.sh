#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# `weir tc` on a stock kernel: fq_codel and codel at the leaves, real packets in each of them,
# beside cake and flower that others configured. `tc -j` is the witness.
. "$(dirname "$0")/../../net/lib.sh"
router_up

wtc() { in_r "$WEIR" tc "$@" >"$tmp/out" 2>"$tmp/err"; }
# seen DEVICE: all of its traffic control, as tc tells it, without counters, and without what
# fq_codel and cake call classes: the flows of the moment
seen() {
	local q
	in_r tc -j qdisc show dev "$1" | sed 's/"direct_packets_stat":[0-9]*,//'
	printf '\n%s\n' "$(in_r tc class show dev "$1" | grep -vE '^class (fq_codel|cake) ')"
	for q in $(in_r tc qdisc show dev "$1" | awk '$3 != "0:" { print $2 "/" $3 }'); do
		case $q in
		ingress/*) set -- "$1" ingress ;;
		clsact/*) set -- "$1" ingress egress ;;
		*) set -- "$1" "parent ${q#*/}" ;;
		esac
		# shellcheck disable=SC2086
		for q in "${@:2}"; do printf '%s: %s\n' "$q" "$(in_r tc -j filter show dev "$1" $q 2>&1)"; done
	done
}
# tree EXPRESSION [DEVICE]: python over what tc says of wan; leaf(CLASS) is its qdisc, cls(CLASS)
# its HTB class, of which Debian 12's tc knows no JSON
tree() {
	{
		in_r "$WEIR" tc show "$tmp/p.yaml" --json
		echo ==
		in_r tc -s -j qdisc show dev "${2:-wan}"
		echo ==
		in_r tc -s class show dev "${2:-wan}"
	} | python3 -c "
import json, re, sys
show, qdiscs, classes = sys.stdin.read().split('==\n')
ids = {c['class']: c['classid'] for l in json.loads(show)['links'] for c in l['classes']}
unit = {'bit': 1, 'Kbit': 10**3, 'Mbit': 10**6, 'Gbit': 10**9}
def rate(text, key):
    n, u = re.search(r'\b%s (\d+)(\w+)' % key, text).groups()
    return int(n) * unit[u]
def cls(name):
    text = re.search(r'^class htb %s .*?(?=^class|\Z)' % ids[name], classes, re.M | re.S).group()
    return {'rate': rate(text, 'rate'), 'ceil': rate(text, 'ceil'), 'id': ids[name],
            'parent': re.search(r' parent (\S+)', text).group(1),
            'packets': int(re.search(r'Sent \d+ bytes (\d+) pkt', text).group(1))}
def leaf(name): return next(q for q in json.loads(qdiscs) if q.get('parent') == ids[name])
def near(a, b): return abs(a - b) <= 2 # CoDel counts in units of 1.024 us
print($1)"
}
links() { # RATE-OF-A [DIRECTION]
	cat <<-EOP
	links:
	  - name: up
	    interface: wan
	    backend: kernel
	    direction: ${2:-egress}
	    rate: 50mbit
	    classes:
	      - {name: call, match: udp port 5000, min: 1mbit, queue: fifo, limit: 100p}
	      - name: work
	        match: udp portrange 5001-5002
	        min: 5mbit
	        classes:
	          - {name: a, match: udp port 5001, min: $1, queue: fq_codel, limit: 500p, target: 7ms, interval: 120ms, flows: 64, quantum: 600b, ecn: true}
	          - {name: b, default: true, queue: codel, limit: 600p, target: 9ms, interval: 110ms}
	      - {name: rest, default: true}
	EOP
}
# A number of its own in each class, over both protocols
traffic() {
	local p to=$1
	shift
	recv_start "$to" call 5000 --count 13
	recv_start "$to" a 5001 --count 17
	recv_start "$to" b 5002 --count 8
	recv_start "$to" rest 5003 --count 7
	for p in "5000 6 $1" "5000 7 $2" "5001 10 $1" "5001 7 $2" "5002 3 $1" "5002 5 $2" "5003 7 $1"; do
		set -- "$1" "$2" $p
		ip netns exec "$ns-$from" "$NETTOOL" send "$5" "$3" --pps 2000 --size 100 --count "$4" >/dev/null
	done
	for p in call a b rest; do recv_end $p; done
}
received='13 17 8 7'
arrived() { echo "$(got call received) $(got a received) $(got b received) $(got rest received)"; }
counts='[cls(c)["packets"] for c in ("call", "work/a", "work/b")]'
from=i

links 2mbit >"$tmp/p.yaml"
seen wan >"$tmp/clean"
in_r tc qdisc add dev lan root cake bandwidth 90mbit nat diffserv4 overhead 18
seen lan >"$tmp/lan"
like "cake is on the other interface" "$tmp/lan" '"kind":"cake"'

# ---- What is made, and that packets go through it
wtc apply "$tmp/p.yaml"
is "apply" $? 0
is "fq_codel at a leaf, as the policy has it" "$(tree '(lambda q, o: [q["kind"], o["limit"], near(o["target"], 7000), near(o["interval"], 120000), o["flows"], o["quantum"], o["ecn"]])(leaf("work/a"), leaf("work/a")["options"])')" "['fq_codel', 500, True, True, 64, 600, True]"
is "codel at a leaf, as the policy has it" "$(tree '(lambda q, o: [q["kind"], o["limit"], near(o["target"], 9000), near(o["interval"], 110000)])(leaf("work/b"), leaf("work/b")["options"])')" "['codel', 600, True, True]"
is "fifo at a leaf" "$(tree '[leaf("call")["kind"], leaf("call")["options"]["limit"]]')" "['pfifo', 100]"
is "fq_codel where the policy says nothing" "$(tree 'leaf("rest")["kind"]')" fq_codel
is "HTB's rates" "$(tree '[cls("call")["rate"], cls("work/a")["rate"], cls("call")["ceil"]]')" "[1000000, 2000000, 50000000]"
traffic o 10.77.2.2 fd77:2::2
is "packets pass, of both protocols" "$(arrived)" "$received"
is "each in its class" "$(tree "$counts")" "[13, 17, 8]"
is "... and in its leaf" "$(tree '[leaf(c)["packets"] for c in ("call", "work/a", "work/b")]')" "[13, 17, 8]"
wtc diff "$tmp/p.yaml"
is "nothing differs: exit 0" $? 0
seen lan >"$tmp/lan-2"
ok "cake on the other interface is as it was" cmp "$tmp/lan" "$tmp/lan-2"

# ---- Only what differs is changed: the kernel's own notices tell
ip netns exec "$ns-r" tc monitor >"$tmp/monitor" &
monitor=$!
pids+=($monitor)
# a change on another device, as the end of what came before
n=100
notice() {
	n=$((n + 1))
	in_r tc qdisc replace dev lo root pfifo limit $n
	until_ok "$1" grep -q "limit ${n}p" "$tmp/monitor"
}
ok "tc's notices are watched" until_ok 20 notice 1
before=$(wc -l <"$tmp/monitor")
wtc apply "$tmp/p.yaml"
is "apply again" $? 0
notice 20
is "... changes nothing" "$(tail -n +$((before + 1)) "$tmp/monitor" | grep -vc 'dev lo ')" 0
links 3mbit >"$tmp/p.yaml"
wtc diff "$tmp/p.yaml"
is "a policy with another rate differs: exit 1" $? 1
before=$(wc -l <"$tmp/monitor")
wtc apply "$tmp/p.yaml"
is "apply it" $? 0
notice 20
kill "$monitor"
tail -n +$((before + 1)) "$tmp/monitor" | grep -v 'dev lo ' >"$tmp/changed"
is "... changes classes alone" "$(grep -c '^class' "$tmp/changed") $(grep -vc '^class' "$tmp/changed")" "1 0"
is "... that one" "$(tree 'cls("work/a")["rate"]')" 3000000
in_r tc class change dev wan parent "$(tree 'cls("work/b")["parent"]')" classid "$(tree 'cls("work/b")["id"]')" htb rate 5mbit ceil 6mbit
wtc diff "$tmp/p.yaml"
is "what somebody else changed is a difference: exit 1" $? 1
wtc apply "$tmp/p.yaml"
wtc diff "$tmp/p.yaml"
is "... and is mended" $? 0
wtc remove "$tmp/p.yaml"
is "remove" $? 0
seen wan >"$tmp/now"
ok "... leaves the interface as it was" cmp "$tmp/clean" "$tmp/now"
in_r tc qdisc del dev lo root

# ---- What others configured on this interface
others_cake() { in_r tc qdisc add dev wan handle 8: root cake bandwidth 20mbit besteffort dual-srchost nat wash ack-filter overhead 44 mpu 84 rtt 50ms memlimit 4mb; }
others_flower() {
	in_r tc qdisc add dev wan root handle 1: htb default 30 &&
		in_r tc class add dev wan parent 1: classid 1:1 htb rate 40mbit burst 20k &&
		in_r tc class add dev wan parent 1:1 classid 1:10 htb rate 10mbit ceil 40mbit prio 1 &&
		in_r tc class add dev wan parent 1:1 classid 1:30 htb rate 5mbit ceil 30mbit prio 3 quantum 3000 &&
		in_r tc qdisc add dev wan parent 1:10 handle 10: fq_codel limit 700 flows 128 target 3ms memory_limit 2mb noecn &&
		in_r tc qdisc add dev wan parent 1:30 handle 30: cake bandwidth 4mbit flowblind &&
		in_r tc filter add dev wan parent 1: protocol ip prio 5 flower ip_proto udp dst_port 5000-5100 classid 1:10 &&
		in_r tc filter add dev wan parent 1: protocol ip prio 5 flower ip_proto tcp src_ip 10.77.1.0/24 dst_port 22 ip_tos 0x10/0xfc classid 1:10 &&
		in_r tc filter add dev wan parent 1: protocol ipv6 prio 6 flower ip_proto udp dst_ip fd77:2::/64 dst_port 5000 classid 1:10
}
for kind in cake flower; do
	ok "others configure the interface with $kind" "others_$kind"
	seen wan >"$tmp/before"
	wtc apply "$tmp/p.yaml"
	is "apply refuses to touch it" $? 2
	like "... and says what there is to do" "$tmp/err" '--replace'
	seen wan >"$tmp/now"
	ok "... it is as it was" cmp "$tmp/before" "$tmp/now"
	wtc diff "$tmp/p.yaml"
	ok "diff says that something differs" test $? != 0
	wtc remove "$tmp/p.yaml"
	seen wan >"$tmp/now"
	ok "remove does not touch it either" cmp "$tmp/before" "$tmp/now"
	wtc apply "$tmp/p.yaml" --replace
	is "apply --replace" $? 0
	wtc diff "$tmp/p.yaml"
	is "... and nothing differs" $? 0
	traffic o 10.77.2.2 fd77:2::2
	is "... and packets are in their classes" "$(arrived) $(tree "$counts")" "$received [13, 17, 8]"
	wtc remove "$tmp/p.yaml"
	is "remove" $? 0
	seen wan >"$tmp/now"
	ok "... brings $kind back, as it was" cmp "$tmp/before" "$tmp/now"
	recv_start o after 5000 --count 5
	in_i "$NETTOOL" send 10.77.2.2 5000 --pps 2000 --size 100 --count 5 >/dev/null
	recv_end after
	is "... and packets pass it" "$(got after received)" 5
	in_r tc qdisc del dev wan root
done
seen lan >"$tmp/lan-2"
ok "cake on the other interface is as it was all the time" cmp "$tmp/lan" "$tmp/lan-2"

# ---- Ingress, through an ifb device, and what others have there
others_ingress() {
	in_r tc qdisc add dev wan ingress &&
		in_r tc filter add dev wan ingress protocol ip prio 5 flower ip_proto udp dst_port 5000 action pass &&
		in_r tc filter add dev wan ingress protocol ipv6 prio 6 flower dst_ip fd77:1::2/128 ip_proto udp dst_port 6000-6001 action drop
}
devices() { in_r ip -o link show | awk '{ print $2 }'; }
ok "others configure what comes in with flower" others_ingress
seen wan >"$tmp/before"
devices >"$tmp/devices"
wtc apply "$tmp/p.yaml"
is "apply for what goes out" $? 0
in_r tc -j filter show dev wan ingress >"$tmp/now"
ok "... leaves that as it is" grep -qF "$(sed -n 's/^ingress: //p' "$tmp/before")" "$tmp/now"
wtc remove "$tmp/p.yaml"
links 2mbit ingress >"$tmp/p.yaml"
wtc apply "$tmp/p.yaml"
is "apply for what comes in refuses to touch it" $? 2
seen wan >"$tmp/now"
ok "... it is as it was" cmp "$tmp/before" "$tmp/now"
devices >"$tmp/now"
ok "... and there is no other device" cmp "$tmp/devices" "$tmp/now"
wtc apply "$tmp/p.yaml" --replace
is "apply --replace" $? 0
from=o
traffic i 10.77.1.2 fd77:1::2
is "packets pass, of both protocols" "$(arrived)" "$received"
is "each in its class" "$(tree "$counts" wi-wan)" "[13, 17, 8]"
is "... fq_codel and codel at the leaves" "$(tree '[leaf(c)["kind"] for c in ("work/a", "work/b")]' wi-wan)" "['fq_codel', 'codel']"
wtc diff "$tmp/p.yaml"
is "nothing differs" $? 0
wtc remove "$tmp/p.yaml"
is "remove" $? 0
seen wan >"$tmp/now"
ok "... brings flower back, as it was" cmp "$tmp/before" "$tmp/now"
devices >"$tmp/now"
ok "... and leaves no device" cmp "$tmp/devices" "$tmp/now"
finish
