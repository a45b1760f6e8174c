#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Reloads of links that the kernel schedules, and from one backend to another, under load with
# numbered packets: none is lost, none comes twice; what may be overtaken is told.
. "$(dirname "$0")/lib.sh"
router_up
have_queues || { ok "weir starts" false; finish; }

policy() { # BACKEND [RATE [WEIGHT]]
	cat >"$tmp/p.yaml" <<-EOP
	links:
	  - name: up
	    interface: wan
	    backend: $1
	    rate: ${2:-12mbit}
	    classes:
	      - {name: call, match: udp port 5000, min: 2mbit, queue: fifo, limit: 30000p}
	      - {name: mail, match: udp port 5001, weight: ${3:-1}, queue: fifo, limit: 30000p}
	      - {name: rest, default: true, queue: fifo}
	EOP
}
reload() { "$WEIR" reload --socket "$sock" 2>>"$tmp/reload.err"; }
waiting() { stats 'link("up")["waiting"]["packets"]'; }
backend() { stats 'link("up")["backend"]'; }
busy() { [ "$(waiting)" -gt "$1" ]; }

# Numbered packets in flows of both classes, until load_end: two thirds of what the line takes,
# so that a machine that is busy with other things does not pile them up
load_start() {
	senders=()
	socket_lost=$(socket_losses) socket_read=$(socket_reads)
	for p in 5000 5001; do
		recv_start o $p $p --count 1000000 --idle 8000
		ip netns exec "$ns-i" "$NETTOOL" send 10.77.2.2 $p --pps 480 --size 1000 --count 1000000 --flows 20 >"$tmp/sent-$p" &
		senders+=($!)
		pids+=($!)
	done
}
load_end() {
	kill -TERM "${senders[@]}"
	wait "${senders[@]}"
	# that some are missing is not said here
	until_ok 60 all_through
	kill -TERM "${receiver[5000]}" "${receiver[5001]}"
	recv_end 5000; recv_end 5001
}
# What the receivers have read, and what they did not read in time
socket_reads() { in_o awk '$1 == "Udp:" && $2 ~ /^[0-9]+$/ { print $2 }' /proc/net/snmp; }
socket_losses() { in_o awk '$1 == "Udp:" && $6 ~ /^[0-9]+$/ { print $6 }' /proc/net/snmp; }
sent() { awk '$1 == "sent" { n += $2 } END { print n + 0 }' "$tmp/sent-5000" "$tmp/sent-5001"; }
# As many have come as were sent, and none waits any more
all_through() {
	[ $(($(socket_reads) - socket_read + $(socket_losses) - socket_lost)) -ge "$(sent)" ] && [ "$(waiting)" = 0 ]
}
none_missing() { # NAME
	local p sent received=0 doubled=0
	sent=$(sent)
	for p in 5000 5001; do
		received=$((received + $(got $p received) - $(got $p doubled)))
		doubled=$((doubled + $(got $p doubled)))
	done
	echo "# $sent packets sent; gaps $(got 5000 lost) $(got 5001 lost); the receivers' sockets lost $(($(socket_losses) - socket_lost))"
	is "$1: no packet is missing or doubled" "$((received + $(socket_losses) - socket_lost)) $doubled" "$sent 0"
}
in_order() { is "$1: and none was overtaken" "$(got 5000 reordered) $(got 5001 reordered)" "0 0"; }
# Each of these, in turn, in the midst of the load. Before each, the line is slow for a while, so
# that there is a backlog in both classes.
changes() { # BACKEND...
	local b before
	for b in "$@"; do
		policy "$(backend)" 5mbit; reload
		until_ok 60 busy 300
		before=$(waiting)
		policy "$b"
		if ! reload; then
			echo "# to $b: $(tail -n 2 "$tmp/reload.err" | tr '\n' ' ')"
			return 1
		fi
		echo "# to $b with $before packets waiting; $(waiting) after it"
		[ "$(backend)" = "$b" ] || return 1
	done
}

# ---- A rate and a weight, many times: the classes stay, and go on counting
policy kernel; weir_start "$tmp/p.yaml"
in_r tc class show dev wan | awk '{ print $3 }' | sort >"$tmp/classes"
load_start
policy kernel 5mbit; reload
until_ok 60 busy 300
failed=0
for i in $(seq 40); do
	[ $((i % 2)) = 1 ] && policy kernel 9mbit 4 || policy kernel 8mbit
	reload || failed=$((failed + 1))
done
is "40 reloads under load that change a rate and a weight" "$failed" 0
load_end
none_missing "a rate that changes"
in_order "a rate that changes"
is "a rate that changes: the classes are the same, and have counted every packet" \
	"$(in_r tc class show dev wan | awk '{ print $3 }' | sort | diff - "$tmp/classes") $(stats '[cls("up", c)["in"]["packets"] for c in ("call", "mail")]')" \
	" [$(got 5000 received), $(got 5001 received)]"
in_r tc class show dev wan >"$tmp/out"
unlike "a rate that changes: and are as the last policy says" "$tmp/out" "9Mbit"

# ---- From backend to backend, where no packet may be overtaken
load_start
ok "kernel to mark to queue to mark to queue" changes mark queue mark queue
grep '^#' "$tmp/ok.log"
load_end
none_missing "kernel, mark, queue"
in_order "kernel, mark, queue"
in_r tc qdisc show dev wan >"$tmp/out"
unlike "queue: nothing of it is in the kernel" "$tmp/out" htb
policy kernel; reload
load_start
ok "kernel to queue" changes queue
grep '^#' "$tmp/ok.log"
load_end
none_missing "kernel, queue"
in_order "kernel, queue"

# ---- To the kernel: what is on its way through the queue at that moment may be overtaken
load_start
ok "queue to kernel to queue to mark to kernel to mark to kernel" changes kernel queue mark kernel mark kernel
grep '^#' "$tmp/ok.log"
load_end
none_missing "to the kernel"
echo "# overtaken at three changes to the kernel: $(got 5000 reordered) and $(got 5001 reordered) packets"

# ---- A reload that cannot be: everything is as before
policy kernel 5mbit; reload
load_start
until_ok 60 busy 300
in_r tc qdisc add dev lan root handle 1: tbf rate 50mbit burst 5000 latency 50ms
in_r tc class show dev wan >"$tmp/classes"; in_r tc filter show dev wan >>"$tmp/classes"
policy kernel 9mbit 3
sed -i 's/port 5001/port 5009/' "$tmp/p.yaml"
echo "  - {name: down, interface: lan, backend: kernel, rate: 2mbit, classes: [{name: all, default: true}]}" >>"$tmp/p.yaml"
failed=0
for i in $(seq 10); do
	reload || failed=$((failed + 1))
done
is "ten reloads meet a qdisc that others made" "$failed" 10
in_r tc class show dev wan >"$tmp/classes2"; in_r tc filter show dev wan >>"$tmp/classes2"
ok "they change neither classes nor filters" diff "$tmp/classes" "$tmp/classes2"
in_r tc qdisc del dev lan root
load_end
none_missing "a reload that cannot be"
in_order "a reload that cannot be"

# ---- Address translation, with another link that holds packets: its packets stay
in_r nft -f - <<-'EOP'
	table ip nat {
		chain post {
			type nat hook postrouting priority srcnat
			oifname "wan" masquerade
		}
	}
EOP
two() { # BACKEND [RATE]: a rate that holds what waits until another is asked for
	policy "$1"
	echo "  - {name: down, interface: lan, rate: ${2:-200kbit}, classes: [{name: all, default: true, queue: fifo, limit: 8000p}]}" >>"$tmp/p.yaml"
}
table() { in_r nft list table inet weir-tc-wan 2>/dev/null; }
two kernel; ok "with a table before translation" reload
is "which has rules" "$(table | grep -c 'jump c0')" 1
recv_start i held 5003 --count 900 --idle 20000
ip netns exec "$ns-o" "$NETTOOL" send 10.77.1.2 5003 --pps 2000 --size 1000 --count 900 --flows 4 >/dev/null
down() { stats 'link("down")["waiting"]["packets"]'; }
ok "packets are held on another link" test "$(down)" -gt 300
for b in mark kernel queue kernel mark; do
	two $b; reload || echo "not ok - reload to $b"
done
ok "they are still held after changes from backend to backend" test "$(down)" -gt 100
is "the rules before translation are gone with the kernel's classes" "$(table | grep -cE 'bpf|jump')" 0
two mark 20mbit; reload
recv_end held
is "and all of them come out" "$(got held received) $(got held lost) $(got held reordered)" "900 0 0"

# A table that cannot be had, of the last link of three: the others are as before
two mark; reload
mkfifo "$tmp/fifo"
in_r nft -i <"$tmp/fifo" >/dev/null 2>&1 &
pids+=($!)
exec 7>"$tmp/fifo"
echo 'add table inet weir-tc-lan { flags owner; }; add chain inet weir-tc-lan c0; add rule inet weir-tc-lan c0 counter' >&7
ok "somebody owns a table of that name" until_ok 10 sh -c "ip netns exec $ns-r nft list table inet weir-tc-lan | grep -q counter"
in_r tc class show dev wan >"$tmp/classes"; in_r tc filter show dev wan >>"$tmp/classes"
two kernel
sed -i 's/port 5001/port 5009/; s/12mbit/10mbit/; s/lan, rate/lan, backend: kernel, rate/' "$tmp/p.yaml"
status 2 "a reload that fails in the middle" reload --socket "$sock"
like "... says where" "$tmp/err" "link down: nftables"
in_r tc class show dev wan >"$tmp/classes2"; in_r tc filter show dev wan >>"$tmp/classes2"
ok "... and takes back what was done" diff "$tmp/classes" "$tmp/classes2"
is "... also before translation" "$(table | grep -cE 'bpf|jump')" 0
in_r tc qdisc show dev lan >"$tmp/out"
unlike "... and of the link itself" "$tmp/out" 7765
is "... and goes on as before" "$(backend) $(stats 'link("down")["backend"]')" "mark queue"
exec 7>&-
weir_stop
is "it ends well" $? 0
in_r nft list tables >"$tmp/out"
unlike "and leaves no table" "$tmp/out" weir
in_r tc qdisc show >"$tmp/out"
unlike "nor a class" "$tmp/out" 7765
in_r nft delete table ip nat

# ---- What still waits in the kernel when it ends is dropped, and that is told
policy kernel; : >"$tmp/weir.log"; weir_start "$tmp/p.yaml"
in_i "$NETTOOL" send 10.77.2.2 5000 --pps 20000 --size 1000 --count 3000 >/dev/null
ok "packets wait in the kernel" busy 20
weir_stop
like "what is dropped with the classes is told" "$tmp/weir.log" "link up: [0-9]+ packets that waited in the kernel's queues were dropped"
finish
