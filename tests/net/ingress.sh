#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What comes in, taken at forward and input, where inside addresses stand in the packets though
# this host translates them; and what a link itself hangs on, beside an upload of many seconds.
. "$(dirname "$0")/lib.sh"
router_up
have_queues
in_r nft -f - <<-'EOP'
	table ip nat {
		chain post {
			type nat hook postrouting priority srcnat
			oifname "wan" masquerade
		}
	}
EOP
ip -n "$ns-i" addr add 10.77.1.3/24 dev e
cat >"$tmp/p.yaml" <<'EOP'
links:
  - name: down
    interface: wan
    direction: ingress
    rate: 4mbit
    classes:
      - {name: boss, match: dst host 10.77.1.3, queue: fifo}
      - {name: inside, match: 'dst net 10.77.1.0/24 or dst net fd77:1::/64', queue: fifo, limit: 5000p}
      - {name: own, match: 'dst host 10.77.2.1 or dst host fd77:2::1', queue: fifo}
      - {name: rest, default: true, queue: fifo}
  - name: up
    interface: wan
    rate: 400kbit
    classes: [{name: all, default: true, queue: fifo, limit: 100000p}]
  - name: lan
    interface: lan
    rate: 100mbit
    classes: [{name: all, default: true, queue: fifo}]
EOP
weir_start "$tmp/p.yaml" || { cat "$tmp/weir.log"; exit 1; }
came() { stats 'cls("'"$1"'", "'"$2"'")["in"]["packets"]'; }
sums='all(c["in"][k] == c["sent"][k] + c["dropped"][k] + c["waiting"][k] for l in d["links"] for c in [l] + l["classes"] for k in ("packets", "bytes"))'

# Answers to what the inside asked for: on the wire they are all to the router's address
status=0
in_i ping -c 7 -i 0.01 -I 10.77.1.3 10.77.2.2 >/dev/null || status=1
in_i ping -c 5 -i 0.01 -I 10.77.1.2 10.77.2.2 >/dev/null || status=1
in_r ping -c 3 -i 0.01 10.77.2.2 >/dev/null || status=1
in_i ping -6 -c 4 -i 0.01 fd77:2::2 >/dev/null || status=1
in_r ping -6 -c 2 -i 0.01 fd77:2::2 >/dev/null || status=1
is "all are answered" $status 0
is "behind translation, each is in the class of its inside host" "$(came down boss) $(came down inside)" "7 9"
is "what comes to the router itself is there, too" "$(came down own)" 5
is "and goes on to the link by which it leaves" "$(stats '16 <= link("lan")["in"]["packets"]')" True
is "every packet is accounted for" "$(stats "$sums")" True
is "our bits of the mark are gone behind forward" "$(in_r nft list chain inet weir release-forward 2>/dev/null | grep -c 'meta mark set meta mark & 0x803fffff')" 1

# It is held to its rate: 600 kB at 4 mbit/s take 1.2 s, and come at once
recv_start i a 5000 --count 600
in_r nft add chain ip nat pre '{ type nat hook prerouting priority dstnat; }'
in_r nft add rule ip nat pre iifname wan udp dport 5000 dnat to 10.77.1.2
in_o "$NETTOOL" send 10.77.2.1 5000 --pps 20000 --count 600 --size 1000 >/dev/null
recv_end a
is "all of it arrives" "$(got a received)" 600
is "at the link's rate" "$(stats 'cls("down", "inside")["delay_ns"]["max"] > 500e6')" True
is "every packet is accounted for still" "$(stats "$sums")" True

# Neighbour discovery beside ten seconds of upload
in_i "$NETTOOL" send 10.77.2.2 5001 --pps 20000 --count 500 --size 1000 >/dev/null
until_ok 10 eval '[ "$(stats "cls(\"up\", \"all\")[\"waiting\"][\"packets\"] > 200")" = True ]'
before=$(stats 'sum(c["sent"]["packets"] for c in link("up")["classes"] if c["class"] == "link-control")')
in_o ip -6 neigh flush dev e
in_o ping -6 -c 1 -W 1 fd77:2::1 >/dev/null # its answer waits, but not that of who has the address
ok "an advertisement leaves" until_ok 10 eval '[ "$(stats "sum(c[\"sent\"][\"packets\"] for c in link(\"up\")[\"classes\"] if c[\"class\"] == \"link-control\")")" -gt '"$before"' ]'
ok "and the neighbour knows the router" until_ok 10 eval 'in_o ip -6 neigh show fd77:2::1 dev e | grep -qE "REACHABLE|DELAY|STALE"'
is "while the upload waits yet" "$(stats 'cls("up", "all")["waiting"]["packets"] > 0')" True
until_ok 60 eval '[ "$(stats "cls(\"up\", \"all\")[\"waiting\"][\"packets\"]")" = 0 ]'
is "what the link hangs on never waited for it" "$(stats 'cls("up", "link-control")["delay_ns"]["max"] < 1e9 < cls("up", "all")["delay_ns"]["max"]')" True
is "every packet is accounted for to the end" "$(stats "$sums")" True

# A reload without what comes in keeps the chains, and takes nothing there any more
sed -i '/name: down/,/name: rest/d' "$tmp/p.yaml"
status 0 "a reload" reload --socket "$sock"
ok "leaves the chain" sh -c "ip netns exec $ns-r nft list chain inet weir take-forward | grep -q 'hook forward'"
ok "without a queue" sh -c "! ip netns exec $ns-r nft list chain inet weir take-forward | grep -qE 'queue|NFQUEUE'"
status 0 "all is well" status --socket "$sock"
weir_stop
is "it ends well" $? 0
finish
