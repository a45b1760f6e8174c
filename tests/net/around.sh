#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What goes round a link's queue, and what stands behind it: found, told with its remedy, and
# told no more when it is gone; nothing is told when all is well. By `look`, which asks what
# the gateway asks; at the end the gateway itself, and that what is said of bridges, XDP and
# redirects is true of packets.
. "$(dirname "$0")/lib.sh"
router_up
LOOK=$(realpath "${BUILD:-build}/tests/net/look")
XDP=$(realpath "${BUILD:-build}/tests/net/xdp")
tc_r() { ip netns exec "$ns-r" tc "$@"; }
# up DEVICE...: up, and known to be so, which takes the kernel a moment
up() {
	local d
	for d in "$@"; do ip -n "$ns-r" link set "$d" up; done
	for d in "$@"; do until_ok 30 in_r grep -qE 'up|unknown' "/sys/class/net/$d/operstate" || return 1; done
}
index() { in_r cat "/sys/class/net/$1/ifindex"; }

look() { in_r "$LOOK" "$1" "$2" >"$tmp/found" 2>&1; }
# well NAME [INTERFACE [RATE]]: nothing is told
well() {
	look "${2:-wan}" "${3:-10000000}"
	ok "$1" empty "$tmp/found"
}
# told NAME REGEX [INTERFACE [RATE]]: one line is, and it is like that
told() {
	look "${3:-wan}" "${4:-10000000}"
	is "$1: one finding" "$(lines "$tmp/found")" 1
	like "$1" "$tmp/found" "$2"
	cp "$tmp/found" "$tmp/told"
}
# fixed NAME COMMAND...: it is, word for word, in what was told last; carried out, all is well
fixed() {
	local name=$1
	shift
	ok "$name: its remedy is told" grep -qF -- "$*" "$tmp/told"
	ok "$name: and can be done" in_r "$@"
	well "$name: and then all is well"
}
# needs NAME REASON COMMAND...: this kernel can do that, or the tests of NAME are skipped, loudly
needs() {
	local name=$1 reason=$2
	shift 2
	"$@" >"$tmp/needs" 2>&1 && return 0
	tests=$((tests + 1))
	echo "ok $tests # SKIP $name: $reason ($(grep -m 1 . "$tmp/needs"))"
	return 1
}

well "an idle router: nothing is told"
well "nor of the other interface" lan
look nowhere 1000
like "an interface that is not there is told" "$tmp/found" "there is no interface nowhere"
ip -n "$ns-r" link add down0 type veth peer name down1
told "an interface that is down" "interface down0 is down: ip link set down0 up" down0
ip -n "$ns-r" link del down0

# ---- A slower qdisc: at the root, below mq, below classes, of classes; and none that is not
tc_r qdisc add dev wan root tbf rate 5mbit burst 5000 latency 50ms
told "a slower tbf" 'qdisc tbf \(root\) on wan lets through only 5.00mbit, less than the link.s 10.0mbit'
well "one as fast as the link is not told" wan 5000000
fixed "a slower tbf" tc qdisc del dev wan root
tc_r qdisc add dev wan root handle 1: htb default 10
well "htb without classes: nothing is told"
tc_r class add dev wan parent 1: classid 1:1 htb rate 6mbit ceil 6mbit
tc_r class add dev wan parent 1:1 classid 1:10 htb rate 1mbit ceil 1mbit
told "htb whose classes are slower together" 'qdisc htb \(root\) on wan lets through only 6.00mbit'
tc_r class add dev wan parent 1: classid 1:2 htb rate 4mbit ceil 4mbit
well "htb whose classes are not: nothing is told"
tc_r qdisc add dev wan parent 1:2 handle 2: tbf rate 1mbit burst 5000 latency 50ms
told "a slower tbf in a class" 'qdisc tbf \(parent 1:2\) on wan lets through only 1.00mbit'
fixed "a slower tbf in a class" tc qdisc del dev wan parent 1:2
tc_r qdisc del dev wan root
ip -n "$ns-r" link add many numtxqueues 4 type veth peer name many2 numrxqueues 4
up many many2
tc_r qdisc add dev many root handle 1: mq
well "mq: nothing is told" many
tc_r qdisc add dev many parent 1:3 tbf rate 5mbit burst 5000 latency 50ms
told "a slower tbf below mq" 'qdisc tbf \(parent 1:3\) on many' many
ip -n "$ns-r" link del many
if needs "cake" "this kernel has none" tc_r qdisc add dev wan root cake bandwidth 5mbit; then
	told "a slower cake" 'qdisc cake \(root\) on wan lets through only 5.00mbit'
	tc_r qdisc replace dev wan root cake bandwidth 20mbit
	well "a faster cake: nothing is told"
	tc_r qdisc replace dev wan root cake unlimited
	well "cake without a rate: nothing is told"
	tc_r qdisc del dev wan root
fi
for q in "netem rate 5mbit" "hfsc default 1"; do
	if needs "${q%% *}" "this kernel has none" tc_r qdisc add dev wan root handle 1: $q; then
		[ "${q%% *}" = netem ] || tc_r class add dev wan parent 1: classid 1:1 hfsc ls m2 5mbit ul m2 5mbit
		told "a slower ${q%% *}" "qdisc ${q%% *} \\(root\\) on wan lets through only 5.00mbit"
		tc_r qdisc del dev wan root
	fi
done

# ---- The device below: macvlan, VLAN, bond
slow_wan() { tc_r qdisc add dev wan root tbf rate 5mbit burst 5000 latency 50ms; }
for kind in "macvlan" "vlan id 5"; do
	needs "a device below, ${kind%% *}" "this kernel has none" \
		ip -n "$ns-r" link add link wan name up0 type $kind || continue
	up up0
	well "${kind%% *}: nothing is told" up0
	slow_wan
	told "a slower qdisc below a ${kind%% *}" 'qdisc tbf \(root\) on wan, by which up0 goes out, lets' up0
	ok "... with its remedy" grep -qF "tc qdisc del dev wan root" "$tmp/found"
	tc_r qdisc del dev wan root
	well "${kind%% *}: and then nothing is told" up0
	ip -n "$ns-r" link del up0
done
if needs "a bond" "this kernel has none" ip -n "$ns-r" link add bond0 type bond mode active-backup; then
	ip -n "$ns-r" link add m1 type veth peer name m1p
	ip -n "$ns-r" link add m2 type veth peer name m2p
	for d in m1 m2; do ip -n "$ns-r" link set $d master bond0; done
	ok "the bond is up" up m1p m2p bond0
	is "with one member in use" "$(in_r cat /sys/class/net/bond0/bonding/active_slave)" m1
	well "a bond: nothing is told" bond0
	tc_r qdisc add dev m2 root tbf rate 5mbit burst 5000 latency 50ms
	well "a slower qdisc on the spare member: nothing is told" bond0
	tc_r qdisc add dev m1 root tbf rate 5mbit burst 5000 latency 50ms
	told "a slower qdisc on the active member" 'on m1, by which bond0 goes out' bond0
	ip -n "$ns-r" link del bond0
	ip -n "$ns-r" link del m1
	ip -n "$ns-r" link del m2
fi
# the other end of a veth pair in the same namespace is no device below
ip -n "$ns-r" link add a1 type veth peer name a2
up a1 a2
tc_r qdisc add dev a2 root tbf rate 5mbit burst 5000 latency 50ms
well "a slower qdisc on the other end of a pair: nothing is told" a1
ip -n "$ns-r" link del a1

# ---- tc filters that send straight to the interface
# filter DEVICE KIND PLACE...: one for all packets; REST is what it does with them
filter() {
	local dev=$1 kind=$2
	shift 2
	case $kind in
	u32) tc_r filter add dev "$dev" "$@" protocol all pref 7 u32 match u32 0 0 action mirred $REST ;;
	bpf) tc_r filter add dev "$dev" "$@" protocol all pref 7 bpf bytecode '1,6 0 0 4294967295' action mirred $REST ;;
	*) tc_r filter add dev "$dev" "$@" protocol all pref 7 "$kind" action mirred $REST ;;
	esac
}
for kind in u32 bpf flower matchall; do
	tc_r qdisc add dev lan clsact
	REST="egress redirect dev wan"
	if needs "a $kind filter" "this kernel has none" filter lan $kind ingress; then
		told "a $kind filter that redirects" "a tc filter on lan ingress \\(pref 7, $kind\\) redirects packets straight to wan"
		well "... which is nothing to the interface itself" lan
		fixed "a $kind filter that redirects" tc filter del dev lan ingress pref 7
	fi
	tc_r qdisc del dev lan clsact
done
tc_r qdisc add dev lan clsact
well "clsact: nothing is told"
for REST in "ingress redirect dev wan" "ingress mirror dev wan" "egress redirect dev many"; do
	ip -n "$ns-r" link add many type veth peer name many2 2>/dev/null
	filter lan u32 ingress
	well "a filter that does $REST: nothing is told"
	tc_r filter del dev lan ingress pref 7
done
ip -n "$ns-r" link del many
REST="egress mirror dev wan"
filter lan u32 ingress
told "a filter that copies" "on lan ingress \\(pref 7, u32\\) copies packets straight to wan"
filter lan u32 ingress
told "two of them" "2 tc filters on lan ingress \\(the first: pref 7, u32\\) copy packets"
fixed "two of them" tc filter del dev lan ingress pref 7
REST="egress redirect dev wan"
filter lan u32 egress
told "one on the way out of another interface" "on lan egress \\(pref 7, u32\\)"
fixed "one on the way out of another interface" tc filter del dev lan egress pref 7
tc_r qdisc del dev lan clsact
tc_r qdisc add dev lan ingress
filter lan u32 ingress
told "one below an ingress qdisc" "on lan ingress \\(pref 7, u32\\)"
fixed "one below an ingress qdisc" tc filter del dev lan ingress pref 7
tc_r qdisc del dev lan ingress
tc_r qdisc add dev lan root handle 1: htb
filter lan u32 parent 1:
told "one below a root qdisc" "on lan parent 1: \\(pref 7, u32\\)"
fixed "one below a root qdisc" tc filter del dev lan parent 1: pref 7
tc_r qdisc del dev lan root
tc_r qdisc add dev lan ingress_block 9 clsact
tc_r filter add block 9 protocol all pref 7 u32 match u32 0 0 action mirred egress redirect dev wan
told "one of a block that interfaces share" "on lan ingress \\(pref 7, u32\\)"
tc_r qdisc del dev lan clsact
well "and then all is well"

# ---- XDP, by a program that passes everything
for mode in generic native; do
	[ $mode = generic ] && off=xdpgeneric || off=xdpdrv
	needs "XDP ($mode)" "it cannot be put there" in_r "$XDP" lan $mode pass || continue
	told "XDP on another interface ($mode)" "XDP program \\(id [1-9][0-9]*\\) is on lan: .*redirects to wan \\(XDP_REDIRECT\\)"
	look lan 10000000
	like "... is another thing for the interface itself" "$tmp/found" "is on lan: .*sends back by lan \\(XDP_TX\\)"
	fixed "XDP on another interface ($mode)" ip link set dev lan $off off
	well "... and for itself" lan
done
if needs "XDP" "it cannot be put there" in_r "$XDP" lan generic pass; then
	in_r "$XDP" wan generic pass
	look wan 10000000
	is "XDP on both: two findings" "$(grep -c XDP "$tmp/found")" 2
	ip -n "$ns-r" link add x0 type veth peer name x1
	in_r "$XDP" x0 generic pass
	in_r "$XDP" x1 generic pass
	look wan 10000000
	like "XDP on many: one line" "$tmp/found" "is on lan and on 2 more: packets"
	ip -n "$ns-r" link del x0
	for d in lan wan; do ip -n "$ns-r" link set dev $d xdpgeneric off; done
	well "and then all is well"
fi

# ---- Flowtables
flowtable() { # DEVICES [RULE]
	in_r nft -f - <<-EOP
	add table inet fast
	delete table inet fast
	table inet fast {
		flowtable ft { hook ingress priority 0; devices = { $1 }; }
		chain forward {
			type filter hook forward priority 0
			${2:-}
		}
	}
	EOP
}
add='meta l4proto { tcp, udp } flow add @ft'
if needs "flowtables" "this kernel has none" flowtable "lan, wan" "$add"; then
	told "a flowtable of both interfaces" 'flowtable "ft" \(table inet "fast"\) that come in by lan and leave by wan go round .*take its "flow add" rule away, or lan out of its devices'
	flowtable lan "$add"
	told "one that has only the way in" 'that come in by lan and leave by wan go round'
	well "... which takes nothing past the way in" lan
	flowtable "lan, wan"
	well "one without a rule: nothing is told"
	flowtable wan "$add"
	well "one that has only the way out: nothing is told"
	# that it is so: of 100 packets of a flow the first few come to postrouting
	for devices in lan wan; do
		flowtable $devices "$add"
		in_r nft 'add chain inet fast post { type filter hook postrouting priority 0; }'
		in_r nft add rule inet fast post oifname wan udp dport 5000 counter
		recv_start o $devices 5000 --count 100
		in_i "$NETTOOL" send 10.77.2.2 5000 --count 100 >/dev/null
		recv_end $devices
		passed=$(in_r nft list chain inet fast post | sed -n 's/.*packets \([0-9]*\).*/\1/p')
		if [ $devices = lan ]; then
			ok "what comes in by a flowtable's device goes round" test "$(got lan received)" = 100 -a "$passed" -lt 20
		else
			is "what leaves by one does not" "$(got wan received) $passed" "100 100"
		fi
	done
	in_r nft delete table inet fast
	well "and then all is well"
fi

# ---- Bridges: the switch is on in a new namespace
ip -n "$ns-r" link add br0 type bridge forward_delay 0
ip -n "$ns-r" link add p1 type veth peer name e2 netns "$ns-o"
ip -n "$ns-r" link set p1 master br0
ip -n "$ns-o" link set e2 up
ok "br0 is up" up p1 br0
bridge_nf() { in_r sh -c "echo $1 >/proc/sys/net/bridge/bridge-nf-call-iptables && echo $2 >/proc/sys/net/bridge/bridge-nf-call-ip6tables"; }
told "a port of a bridge" 'p1 is a port of the bridge br0: .*write "interface: br0"' p1
if needs "bridges without br_netfilter" "this kernel has no br_netfilter" bridge_nf 0 0; then
	well "a bridge of one port: nothing is told" br0
	ip -n "$ns-r" link set lan master br0
	told "a bridge" 'br0 is a bridge: IPv4 and IPv6 packets .*modprobe br_netfilter; sysctl' br0
	bridge_nf 1 0
	told "one whose IPv6 packets are not seen" 'br0 is a bridge: IPv6 packets' br0
	bridge_nf 0 1
	told "one whose IPv4 packets are not seen" 'br0 is a bridge: IPv4 packets' br0
	ok "the remedy is told" grep -qF "sysctl net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1" "$tmp/found"
	ok "and can be done" in_r sysctl -q net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1
	well "and then all is well" br0
	bridge_nf 0 0
	in_r sh -c 'echo 1 >/sys/class/net/br0/bridge/nf_call_iptables; echo 1 >/sys/class/net/br0/bridge/nf_call_ip6tables'
	well "a bridge's own switches do as well" br0
	bridge_nf 1 1
	ip -n "$ns-r" link set lan nomaster
fi
ip -n "$ns-r" link del br0
ip -n "$ns-r" link del p1
well "and then all is well" lan

# ---- Without permission: what cannot be looked for is told
if setpriv --no-new-privs --bounding-set=-all --reuid=65534 --regid=65534 --clear-groups true 2>/dev/null; then
	in_r setpriv --no-new-privs --bounding-set=-all --reuid=65534 --regid=65534 --clear-groups "$LOOK" wan 10000000 >"$tmp/found" 2>&1
	is "without CAP_NET_ADMIN: one finding" "$(cat "$tmp/found")" "flowtables could not be looked for: that needs CAP_NET_ADMIN"
fi

# ---- The gateway tells it, and that what it tells is true of packets
have_queues || { ok "weir starts" false; finish; }
policy() { # INTERFACE
	cat <<-EOP
	links:
	  - name: up
	    interface: wan
	    rate: 50mbit
	    classes: [{name: ours, match: udp port 5000}, {name: all, default: true}]
	  - name: down
	    interface: $1
	    rate: 50mbit
	    classes: [{name: across, match: [host 10.77.1.3, "host fd77:1::3"]}, {name: all, default: true}]
	EOP
}
# seen LINK [CLASS]: packets that came to it
seen() { stats "$([ $# = 1 ] && echo "link('$1')" || echo "cls('$1', '$2')")['in']['packets']"; }
warnings() { "$WEIR" status --socket "$sock" | grep WARNING >"$tmp/warnings"; [ "$(lines "$tmp/warnings")" = "$1" ]; }
# that inside does not ask for the router's address while that is redirected too
lan_mac=$(in_r cat /sys/class/net/lan/address)
for a in 10.77.1.1 fd77:1::1; do
	ip -n "$ns-i" neigh replace "$a" lladdr "$lan_mac" dev e nud permanent
done
policy lan >"$tmp/p.yaml"
ok "weir starts" weir_start "$tmp/p.yaml"
ok "nothing is told of an idle router" warnings 0

# DESTINATION...: how many packets to there left by wan, and how many of them the gateway saw
left_and_seen() {
	local sent=0 before to
	before=$(in_r cat /sys/class/net/wan/statistics/tx_packets)
	came=$(seen up ours)
	for to in "$@"; do in_i "$NETTOOL" send "$to" 5000 --count 50 >/dev/null && sent=$((sent + 50)); done
	until_ok 20 sh -c "[ \$(ip netns exec $ns-r cat /sys/class/net/wan/statistics/tx_packets) -ge $((before + sent)) ]"
	left=$(($(in_r cat /sys/class/net/wan/statistics/tx_packets) - before))
	came=$(($(seen up ours) - came))
	[ $left -ge $sent ] && left=all
}
left_and_seen 10.77.2.2 fd77:2::2
ok "packets of both families leave by wan, and are seen" test $left = all -a $came = 100
tc_r qdisc add dev lan clsact
REST="egress redirect dev wan"
filter lan u32 ingress
left_and_seen 10.77.2.2 fd77:2::2
is "those that a filter redirects leave, and none is seen" "$left $came" "all 0"
tc_r qdisc del dev lan clsact
if needs "XDP" "it cannot be put there" in_r "$XDP" lan generic redirect "$(index wan)"; then
	left_and_seen 10.77.2.2 fd77:2::2
	is "those that XDP redirects leave, and none is seen" "$left $came" "all 0"
	ip -n "$ns-r" link set dev lan xdpgeneric off
fi
left_and_seen 10.77.2.2 fd77:2::2
ok "and then they are seen again" test $left = all -a $came = 100

ok "nothing is told any more" until_ok 60 warnings 0
: >"$tmp/weir.log"
slow_wan
tc_r qdisc add dev lan clsact
filter lan u32 ingress
ok "a slower qdisc and a redirect are told by the gateway" until_ok 60 warnings 2
like "... the qdisc" "$tmp/warnings" "qdisc tbf .*tc qdisc del dev wan root"
like "... the redirect" "$tmp/warnings" "tc filter del dev lan ingress pref 7"
status 1 "status then" status --socket "$sock"
is "each was logged once" "$(grep -c 'qdisc tbf' "$tmp/weir.log") $(grep -c 'redirects packets' "$tmp/weir.log")" "1 1"
# what is meant so can be accepted, by its kind: it is shown, and is no warning
accept() { policy lan | sed "s/^    rate:/    accepted-warnings: $1\n    rate:/" >"$tmp/p.yaml"; status 0 "a reload that accepts $1" reload --socket "$sock"; }
accept '[filter]'
status 1 "what is not accepted stays a warning" status --socket "$sock"
like "... that" "$tmp/out" "WARNING .*the qdisc tbf"
like "... and the other is shown as accepted" "$tmp/out" "accepted +filter: a tc filter on lan"
accept '[qdisc, filter]'
status 0 "with all accepted, all is well" status --socket "$sock"
unlike "... and nothing a warning" "$tmp/out" "WARNING"
is "... for programs, too" "$(stats '[(len(link(n)["warnings"]), sorted(w.split(":")[0] for w in link(n)["accepted_warnings"])) for n in ("up", "down")]')" "[(0, ['filter', 'qdisc']), (0, [])]"
like "the log has it" "$tmp/weir.log" "link up: accepted: filter: a tc filter on lan"
policy lan >"$tmp/p.yaml"
status 0 "a reload that accepts nothing" reload --socket "$sock"
ok "makes them warnings again" warnings 2
tc_r qdisc del dev lan clsact
tc_r qdisc del dev wan root
ok "and no more when they are gone" until_ok 60 warnings 0

# A bridge: its port's packets leave by the bridge
ip -n "$ns-r" link add br0 type bridge forward_delay 0
ip -n "$ns-r" addr flush dev lan
ip -n "$ns-r" link set lan master br0
port r br0 10.77.1.1/24 fd77:1::1/64
ok "packets pass the bridge" until_ok 20 in_o ping -c 1 -W 1 10.77.1.2
ok "... of IPv6 too" until_ok 20 in_o ping -6 -c 1 -W 1 fd77:1::2
ok "that the link is on a port is told" until_ok 60 warnings 1
like "... with the bridge's name" "$tmp/warnings" 'write "interface: br0"'
before=$(seen down)
in_o ping -c 5 -i 0.05 -W 5 10.77.1.2 >/dev/null
in_o ping -6 -c 5 -i 0.05 -W 5 fd77:1::2 >/dev/null
is "a link on a port sees nothing" "$(($(seen down) - before))" 0
policy br0 >"$tmp/p.yaml"
status 0 "the remedy" reload --socket "$sock"
in_o ping -c 5 -i 0.05 -W 5 10.77.1.2 >/dev/null
in_o ping -6 -c 5 -i 0.05 -W 5 fd77:1::2 >/dev/null
ok "a link on the bridge sees all" test "$(seen down)" -ge 10
ok "and nothing is told" until_ok 60 warnings 0
# from port to port, with and without br_netfilter
ip netns add "$ns-b" && ip -n "$ns-r" link add p1 type veth peer name e netns "$ns-b"
ip -n "$ns-r" link set p1 master br0
ip -n "$ns-r" link set p1 up
port b e 10.77.1.3/24 fd77:1::3/64
across() { in_i ping -c "$1" -i 0.05 -W 5 10.77.1.3 && in_i ping -6 -c "$1" -i 0.05 -W 5 fd77:1::3; }
ok "packets pass from port to port" until_ok 20 across 1
before=$(seen down across)
across 5 >/dev/null
ok "they are seen with br_netfilter" test $(($(seen down across) - before)) -ge 20
bridge_nf 0 0
before=$(seen down across)
across 5 >/dev/null
is "and are not without" "$(($(seen down across) - before))" 0
ok "which is told" until_ok 60 warnings 1
like "... for both families" "$tmp/warnings" "br0 is a bridge: IPv4 and IPv6"
bridge_nf 1 1
ok "and no more with it" until_ok 60 warnings 0
ok "it ends well" weir_stop
ip netns del "$ns-b"
finish
