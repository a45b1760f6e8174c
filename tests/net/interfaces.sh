#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A link of several interfaces: one queue, one engine and one rate for what leaves by them, or for
# what comes in; each has its claim, and one that goes leaves the link its others.
. "$(dirname "$0")/lib.sh"
router_up
have_queues || { ok "weir starts" false; finish; }
ip netns add "$ns-b" && ip -n "$ns-b" link set lo up
ip -n "$ns-r" link add lan1 type veth peer name e netns "$ns-b"
port r lan1 10.77.3.1/24 fd77:3::1/64
port b e 10.77.3.2/24 fd77:3::2/64
ip -n "$ns-b" route add default via 10.77.3.1
in_b() { ip netns exec "$ns-b" "$@"; }
until_ok 10 in_b ping -c 1 -W 1 10.77.2.2

policy() { # INTERFACES DIRECTION
	cat >"$tmp/p.yaml" <<-EOP
	links:
	  - name: lans
	    interface: $1
	    direction: $2
	    rate: 4mbit
	    control: none
	    classes:
	      - {name: first, match: net 10.77.1.0/24 and udp, queue: fifo, limit: 5000p}
	      - {name: second, match: net 10.77.3.0/24 and udp, queue: fifo, limit: 5000p}
	      - {name: rest, default: true, queue: fifo, limit: 5000p}
	EOP
}
came() { stats "cls('lans', '$1')['in']['packets']"; }
both() { echo "$(came first) $(came second)"; }
is_now() { [ "$(both)" = "$1" ]; }
# PORT: 300 kB to each LAN at once
down() {
	recv_start i "i$1" "$1" --count 300
	recv_start b "b$1" "$1" --count 300
	in_o "$NETTOOL" send 10.77.1.2 "$1" --pps 20000 --count 300 --size 1000 >/dev/null
	in_o "$NETTOOL" send 10.77.3.2 "$1" --pps 20000 --count 300 --size 1000 >/dev/null
	recv_end "i$1"
	recv_end "b$1"
}
findings() { "$WEIR" status --socket "$sock" --json >"$tmp/status.json"; python3 - "$tmp/status.json" <<-EOP
	import json, sys
	j = json.load(open(sys.argv[1]))
	print(";".join(f["kind"] + ":" + f["what"] for f in j["findings"]), j["links"][0]["up"],
	      j["links"][0]["interface"], " ".join("%s=%s" % (i["interface"], i["up"]) for i in j["links"][0]["interfaces"]))
	EOP
}
told() { findings | grep -qE -- "$1"; }
chains() { in_r nft list table inet weir 2>/dev/null | sed -nE 's/.*chain (queue[^ ]*).*/\1/p' | sort | xargs; }
claimed() { # INTERFACE: tc apply finds that a gateway has it
	sed "s/interface: .*/interface: $1/" "$tmp/p.yaml" >"$tmp/other.yaml"
	! in_r "$WEIR" tc apply "$tmp/other.yaml" >"$tmp/out" 2>"$tmp/err" && grep -q 'running gateway' "$tmp/err"
}

policy "[lan, lan1]" egress
weir_start "$tmp/p.yaml" || { ok "weir starts" false; cat "$tmp/weir.log"; finish; }
is "status: both, up" "$(findings)" " True lan,lan1 lan=True lan1=True"
down 5001
is "what leaves by either is on the link" "$(both)" "300 300"
# 600 kB at 4 mbit/s take 1.2 s; each alone would take half of that
is "and they share one rate" "$(stats 'max(cls("lans", c)["delay_ns"]["max"] for c in ("first", "second")) > 800e6')" True
is "every packet is accounted for" "$(stats 'all(c["in"]["packets"] == c["sent"]["packets"] + c["dropped"]["packets"] + c["waiting"]["packets"] for l in d["links"] for c in [l] + l["classes"])')" True
ok "one is claimed" claimed lan
ok "and so is the other" claimed lan1

ip -n "$ns-r" link set lan1 down
ok "one goes down: that is told, and the link is up" until_ok 20 told 'down:interface lan1 is not there or down: the link has its others True'
like "in the log, too" "$tmp/weir.log" 'link lans: interface lan1 went down: the link has its others'
in_o ping -c 3 -i 0.2 10.77.1.2 >/dev/null
ok "the other goes on" test "$(came rest)" -ge 3
ip -n "$ns-r" link set lan1 up
ok "it comes again: nothing is wrong" until_ok 20 told '^ True lan,lan1 lan=True lan1=True$'
ip -n "$ns-r" link set lan1 down
ip -n "$ns-r" link set lan1 name was
ok "it has another name: that is told" until_ok 20 told 'down:interface lan1'
ip -n "$ns-r" link set was name lan1
ip -n "$ns-r" link set lan1 up
ok "and its own again: nothing is wrong" until_ok 20 told '^ True lan,lan1 lan=True lan1=True$'

policy lan egress
ok "a reload with one of them" "$WEIR" reload --socket "$sock"
until_ok 10 in_b ping -c 1 -W 1 10.77.2.2
before=$(both)
down 5002
ok "leaves the other alone" until_ok 10 is_now "$((${before% *} + 300)) ${before#* }"
status=0
claimed lan1 && status=1
in_r "$WEIR" tc remove "$tmp/other.yaml" >/dev/null 2>&1
is "which is claimed no more" $status 0

policy "[lan1, lan]" ingress
ok "a reload with what comes in by both" "$WEIR" reload --socket "$sock"
before=$(both)
recv_start o up 5003 --count 60
in_i "$NETTOOL" send 10.77.2.2 5003 --pps 1000 --count 20 >/dev/null
in_b "$NETTOOL" send 10.77.2.2 5003 --pps 1000 --count 40 >/dev/null
recv_end up
is "takes it" "$(both)" "$((${before% *} + 20)) $((${before#* } + 40))"
ok "one is claimed for what comes in" claimed lan
ok "and so is the other" claimed lan1
in_r nft -f - 2>/dev/null <<-EOP
	table inet shortcut {
		flowtable f { hook ingress priority 0; devices = { lan1, wan }; }
		chain c { type filter hook forward priority 0; ip protocol udp flow add @f; }
	}
EOP
if [ $? = 0 ]; then
	ok "what goes round one of them is told" until_ok 30 told 'bypass:flowtable: .* has lan1 among its devices'
	is "and of that one alone" "$(findings | grep -c 'has lan among')" 0
	in_r nft delete table inet shortcut
	ok "until it is gone" until_ok 30 told '^ True'
fi
ip -n "$ns-r" link set lan down
ok "one goes down: that is told here, too" until_ok 20 told '^down:interface lan is not there or down: the link has its others True'
ip -n "$ns-r" link set lan1 down
ok "both are down: so is the link" until_ok 20 told 'interface lan is down.*interface lan1 is down.* False|interface lan1 is down.*interface lan is down.* False'
ok "weir ends well" weir_stop

status 2 "weir tc has none of it" tc apply "$tmp/p.yaml"
like "and says why" "$tmp/err" 'several interfaces'
finish
