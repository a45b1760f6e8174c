#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The gateway on a stock kernel: nftables' own queue expression, a kernel that may search a list
# for each verdict, classes kept apart over IPv4 and IPv6, a reload under held packets, kill -9.
. "$(dirname "$0")/../../net/lib.sh"
router_up

# With rates so small that what is sent at once waits for a minute, however slow this machine is
policy() { # RATE
	cat <<-EOP
	inside: [10.77.1.0/24, "fd77:1::/64"]
	links:
	  - name: up
	    interface: wan
	    rate: $1
	    overhead: 0
	    classes:
	      - {name: call, match: udp port 5000, min: 50%, set-dscp: ef, queue: fifo, limit: 5000p}
	      - {name: upload, match: udp port 5001, queue: fifo, limit: 5000p}
	      - {name: rest, default: true}
	EOP
}
no_trace() { ! in_r nft list tables | grep -q weir && ! in_r grep -q . /proc/net/netfilter/nfnetlink_queue; }
pings() { in_i ping -c 1 -W 20 10.77.2.2 && in_i ping -6 -c 1 -W 20 fd77:2::2; }
send() { in_i "$NETTOOL" send "$@" >/dev/null; }
class() { stats "[cls('up', '$1')[k]['packets'] for k in ('in', 'sent', 'dropped', 'waiting')]"; }
waiting() { test "$(stats "cls('up', '$1')['waiting']['packets']")" "$2" "$3"; }
sums='all(c["in"]["packets"] == c["sent"]["packets"] + c["dropped"]["packets"] + c["waiting"]["packets"] for l in d["links"] for c in [l] + l["classes"])'
status() { "$WEIR" status --socket "$sock" >"$tmp/out" 2>"$tmp/err"; }

policy 16kbit >"$tmp/p.yaml"
weir_start "$tmp/p.yaml" || { cat "$tmp/weir.log"; ok "weir starts" false; finish; }
status
is "all is well" $? 0
like "it queues by nftables' own expression" "$tmp/out" '^queueing: nftables$'
in_r nft list table inet weir >"$tmp/table"
like "... and nft knows it" "$tmp/table" 'queue flags bypass to [0-9]+'
unlike "... nothing of xtables" "$tmp/table" 'xt target|NFQUEUE'

# What the module has tells what the kernel does, whatever weir thinks of its version
if grep -q rhashtable "/lib/modules/$(uname -r)/kernel/net/netfilter/nfnetlink_queue.ko"; then
	linear=False held=60000
	unlike "it finds a verdict's packet by a hash: status agrees" "$tmp/out" 'searches a list'
else
	linear=True held=2048
	like "it searches a list for each verdict: status agrees" "$tmp/out" 'searches a list'
fi
is "... and what may be held is chosen by it" "$(stats '[link("up")["linear_search"], link("up")["held_max"]]')" "[$linear, $held]"

# field 40 of stat: the real-time priorities of its threads
priorities() { for t in /proc/$weir_pid/task/*; do awk '{ sub(/.*\) /, ""); print $38 }' "$t/stat"; done | sort -u | tr '\n' ' '; }
is "the link's thread goes before programs that compute" "$(priorities)" "0 1 "
is "... and status knows" "$(stats 'link("up")["health"]["realtime"]')" True

# ---- Classes are kept apart: an upload waits, a call does not wait for it
recv_start o upload 5001 --count 120 --idle 60000
send 10.77.2.2 5001 --pps 100000 --size 1000 --count 60 --flows 2
send fd77:2::2 5001 --pps 100000 --size 1000 --count 60 --flows 2
ok "an upload's packets are held, of both protocols" until_ok 20 waiting upload -gt 20
recv_start o call 5000 --count 20 --idle 60000
send 10.77.2.2 5000 --pps 100000 --size 60 --count 10
send fd77:2::2 5000 --pps 100000 --size 60 --count 10
recv_end call
is "a call that comes after them arrives, in order" "$(got call received) $(got call reordered)" "20 0"
ok "... while they wait" waiting upload -gt 0
is "... in a class of its own" "$(class call)" "[20, 20, 0, 0]"

# ---- A reload, with packets held: nothing is lost, nothing is overtaken
policy 100mbit >"$tmp/p.yaml"
ok "a faster link by a reload" "$WEIR" reload --socket "$sock"
recv_end upload
is "all that was held comes out, in order" "$(got upload received) $(got upload lost) $(got upload reordered)" "120 0 0"
is "... and is counted once" "$(class upload)" "[120, 120, 0, 0]"

# ---- More than may be held: weir's own limit comes before the kernel's
policy 20kbit >"$tmp/p.yaml"
"$WEIR" reload --socket "$sock"
send 10.77.2.2 5001 --pps 100000 --size 1000 --count 2600 --flows 4
all_in() { [ "$(stats 'cls("up", "upload")["in"]["packets"]')" = 2720 ]; }
ok "2600 packets at once are taken in" until_ok 60 all_in
ok "no more wait than this kernel can bear" test "$(stats 'link("up")["waiting"]["packets"]')" -le "$held"
if [ $linear = True ]; then
	ok "... and others were dropped for it" test "$(stats 'cls("up", "upload")["dropped"]["limit"]["packets"] + cls("up", "upload")["dropped"]["memory"]["packets"]')" -gt 0
fi
is "the kernel's queue was never full, nothing was lost or refused" "$(stats '[link("up")["health"][k] for k in ("kernel_queue_dropped", "kernel_socket_dropped", "missed", "vanished", "verdict_errors", "broken_messages", "twice", "undissected")]')" "[0, 0, 0, 0, 0, 0, 0, 0]"
is "in = sent + dropped + waiting" "$(stats "$sums")" True

# ---- Killed with packets held: the network is not cut off, and nothing is left
kill -9 "$weir_pid"
wait "$weir_pid" 2>/dev/null
weir_pid=
ok "killed with packets held: traffic flows at once" pings
ok "... and nothing is left" no_trace
bad=
for i in 1 2 3 4; do
	ip netns exec "$ns-r" "$WEIR" run "$tmp/p.yaml" --socket "$sock" 2>>"$tmp/kill.log" &
	weir_pid=$!
	# some die while they start, some later
	case $((i % 2)) in
	0) until_ok 60 weir_up || bad="$bad start-$i" ;;
	1) until_ok 60 sh -c "ip netns exec $ns-r nft list tables | grep -q weir" || bad="$bad table-$i" ;;
	esac
	kill -9 "$weir_pid"
	wait "$weir_pid" 2>/dev/null
	weir_pid=
	pings >/dev/null || bad="$bad ping-$i"
	no_trace || bad="$bad trace-$i"
done
is "killed at other moments: the same, and the next one starts" "$bad" ""

# ---- What ends well
policy 8kbit >"$tmp/p.yaml"
ok "it starts again" weir_start "$tmp/p.yaml"
recv_start o end 5000 --count 60 --idle 60000
send 10.77.2.2 5000 --pps 100000 --size 1000 --count 60
ok "packets are held" until_ok 20 waiting call -gt 5
weir_stop
is "SIGTERM: exit 0" $? 0
recv_end end
is "all that was held came out, in order" "$(got end received) $(got end lost) $(got end reordered)" "60 0 0"
ok "and nothing is left" no_trace
finish
