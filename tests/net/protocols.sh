#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# IPv4 and IPv6, TCP and UDP, ICMP, fragments, path MTU; and that DSCP is on the wire.
. "$(dirname "$0")/lib.sh"
router_up
have_queues || { ok "weir starts" false; finish; }
cat >"$tmp/p.yaml" <<'EOP'
inside: [10.77.1.0/24, "fd77:1::/64"]
links:
  - name: up
    interface: wan
    rate: 50mbit
    classes:
      - {name: voice, match: udp port 5000, set-dscp: ef}
      - {name: fix, match: udp port 5002, set-dscp: cs1}
      - {name: ping, match: [icmp, "icmp6 and ip6[40] = 128"]}
      - {name: tcp, match: tcp}
      - {name: rest, default: true}
  - {name: down, interface: lan, rate: 50mbit, classes: [{name: all, default: true}]}
EOP
weir_start "$tmp/p.yaml"
count() { stats "cls('up', '$1')['sent']['packets']"; }

for v in "4 10.77.2.2" "6 fd77:2::2"; do
	set -- $v
	before=$(count ping)
	ok "ping over IPv$1" in_i ping -"$1" -c 5 -i 0.05 -W 5 "$2"
	is "... in its class" "$(($(count ping) - before))" 5
	ok "large pings over IPv$1, in fragments" in_i ping -"$1" -c 3 -i 0.05 -W 5 -s 4000 "$2"
	before=$(count voice)
	ip netns exec "$ns-o" timeout 20 tcpdump -i e -c 20 -w "$tmp/wire$1.pcap" "udp port 5000 or udp port 5002" 2>"$tmp/dump$1" &
	dump=$!; pids+=($dump)
	until_ok 20 grep -q listening "$tmp/dump$1"
	recv_start o "u$1" 5000 --count 10
	in_i "$NETTOOL" send "$2" 5000 --count 10 --tos 0x01 >/dev/null
	in_i "$NETTOOL" send "$2" 5002 --count 10 --tos 0xb8 >/dev/null
	recv_end "u$1"; wait $dump
	is "UDP over IPv$1 arrives, in order" "$(got "u$1" received) $(got "u$1" reordered)" "10 0"
	is "... in its class" "$(($(count voice) - before))" 10
	# tcpdump -v says "tos 0xb9" of IPv4, "class 0xb9" of IPv6, and "bad cksum" of a bad header
	tcpdump -nvr "$tmp/wire$1.pcap" 2>/dev/null >"$tmp/wire$1.txt"
	is "DSCP EF is on the wire over IPv$1, ECN as it was" "$(grep -cE '(tos|class) 0xb9' "$tmp/wire$1.txt")" 10
	is "and CS1 instead of EF" "$(grep -cE '(tos|class) 0x20' "$tmp/wire$1.txt")" 10
	unlike "the header's checksum is right" "$tmp/wire$1.txt" "bad cksum"
	iperf_server "52$1"1
	before=$(count tcp)
	ok "TCP over IPv$1" in_i iperf3 -c "$2" -p "52$1"1 -n 2M
	ok "... in its class" test "$(count tcp)" -gt "$((before + 100))"
	ok "TCP the other way" in_i iperf3 -c "$2" -p "52$1"1 -n 2M -R
done

# A narrower line behind: the sender learns of it, and TCP goes on
ip -n "$ns-r" link set wan mtu 1300; ip -n "$ns-o" link set e mtu 1300
ok "a packet that is too large is answered" sh -c "! ip netns exec $ns-i ping -c 1 -W 5 -M do -s 1400 10.77.2.2 && ip netns exec $ns-i ping -c 1 -W 5 -M do -s 1400 10.77.2.2 2>&1 | grep -qE 'mtu|too long'"
for v in "4 10.77.2.2" "6 fd77:2::2"; do
	set -- $v
	iperf_server "53$1"1
	ok "TCP finds the path's MTU over IPv$1" in_i iperf3 -c "$2" -p "53$1"1 -n 1M
done
is "the gateway knows the new MTU" "$(stats 'link("up")["mtu"]')" 1300
is "nothing was lost or refused" "$(stats '[sum(l["health"][k] for l in d["links"]) for k in ("vanished", "missed", "verdict_errors", "broken_messages", "undissected", "twice")]')" "[0, 0, 0, 0, 0, 0]"
is "our bits of the mark are gone behind the rules" "$(in_r nft list chain inet weir release 2>/dev/null | grep -c 'meta mark set meta mark & 0x803fffff')" 1
ok "it ends well" weir_stop

# Flows whose first packets are all held at once, behind source NAT: conntrack has confirmed
# none of them when the second comes. None is lost, none overtaken, and a flow has one address.
in_r nft -f - <<-EOP
	table ip nat {
		chain post {
			type nat hook postrouting priority srcnat
			oifname "wan" masquerade
		}
	}
EOP
sed 's/50mbit/2mbit/' "$tmp/p.yaml" >"$tmp/slow.yaml"
weir_start "$tmp/slow.yaml"
recv_start o first 5003 --count 400 --idle 4000
in_i "$NETTOOL" send 10.77.2.2 5003 --pps 20000 --size 300 --count 400 --flows 40 >/dev/null
ok "packets are held" test "$(stats 'link("up")["health"]["held_packets_max"]')" -gt 80
recv_end first
is "first packets behind NAT: none lost, none overtaken, one address for each flow" \
	"$(got first received) $(got first lost) $(got first reordered) $(got first ports)" "400 0 0 40"
ok "it ends well again" weir_stop
finish
