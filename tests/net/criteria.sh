#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Criteria that a packet's bytes do not tell, of real packets: firewall mark, the sender's MAC
# address, the interface by which a packet came; with each backend that can ask for them.
. "$(dirname "$0")/lib.sh"
router_up
have_queues || { ok "weir starts" false; finish; }

mac=$(ip -n "$ns-i" -j link show e | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["address"])')

policy() { # BACKEND
	cat >"$tmp/p.yaml" <<-EOP
	links:
	  - name: up
	    interface: wan
	    backend: $1
	    rate: 100mbit
	    classes:
	      - {name: marked, mark: 0x10/0xff, queue: fifo, limit: 5000p}
	      - {name: stranger, mac: "02:00:00:00:00:99", queue: fifo}
	      - {name: elsewhere, in-interface: [lan0, la, "guest*"], queue: fifo}
	      - {name: inside, mac: ["02:00:00:00:00:98", "$mac"], match: udp port 5002, queue: fifo, limit: 5000p}
	      - {name: came, in-interface: l*, match: udp port 5003, queue: fifo, limit: 5000p}
	      - {name: rest, default: true, queue: fifo, limit: 5000p}
	EOP
}
in_class() { stats "cls('up', '$1')['in']['packets']"; }
counts() { for c in marked stranger elsewhere inside came; do in_class "$c"; done | xargs; }
# what the firewall does, before weir at priority -150
firewall() {
	in_r nft -f - <<-EOP
	table ip test {
		chain c { type filter hook forward priority mangle; udp dport 5001 meta mark set 0x310; }
	}
	EOP
}
traffic() { # PORT COUNT [FROM: i|r]
	recv_start o "t$1" "$1" --count "$2"
	"in_${3:-i}" "$NETTOOL" send 10.77.2.2 "$1" --pps 1000 --count "$2" >/dev/null
	recv_end "t$1"
}
# One flow that goes on while the firewall begins to mark it
flow_changes() {
	local from=$1
	ip netns exec "$ns-i" "$NETTOOL" send 10.77.2.2 5001 --pps 200 --count 100000 --from 10.77.1.2:7777 >/dev/null &
	pids+=($!)
	until_ok 20 more rest "$from" || return 1
	firewall
	until_ok 20 more marked 100 || return 1
	in_r nft delete table ip test
	from=$(in_class rest)
	until_ok 20 more rest $((from + 50))
	from=$?
	kill "${pids[-1]}"
	return $from
}
more() { [ "$(in_class "$1")" -gt "$2" ]; }

# What the kernel gives with a verdict's packet needs a new kernel for HTB: 5.18
for backend in queue mark; do
	policy $backend
	weir_start "$tmp/p.yaml" || { ok "$backend: weir starts" false; cat "$tmp/weir.log"; continue; }
	firewall
	traffic 5001 20
	traffic 5002 30
	traffic 5003 40
	traffic 5003 50 r
	is "$backend: mark, MAC and interface tell packets apart" "$(counts)" "20 0 0 30 40"
	in_r nft delete table ip test
	before=$(in_class rest)
	ok "$backend: a flow changes its class when its mark changes, and back" flow_changes $((before + 50))
	# what waits is classified again as it came: another policy, with the classes' names turned
	sed -i 's/name: came/name: was-came/; s/name: inside/name: came/' "$tmp/p.yaml"
	ok "$backend: reload" "$WEIR" reload --socket "$sock"
	was=$(in_class came)
	traffic 5002 30
	is "$backend: and after a reload" $(($(in_class came) - was)) 30
	ok "$backend: weir ends well" weir_stop
done

# The kernel alone: the mark is exact, the others take nothing and say so
policy kernel
weir_start "$tmp/p.yaml"
firewall
traffic 5001 20
traffic 5002 30
sent() { stats "cls('up', '$1')['sent']['packets']"; }
both() { [ "$(sent marked) $(sent inside)" = "20 0" ]; }
ok "kernel: the mark alone" until_ok 20 both
weir_stop
status 1 "kernel: what cannot be had is an error when asked for exactness" tc show --strict "$tmp/p.yaml"
like "it says which" "$tmp/err" "mac"
finish
