#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A gateway that stands still under load: what waited in the kernel is bounded, counts as delay,
# and is told.
. "$(dirname "$0")/lib.sh"
router_up
have_queues || { ok "weir starts" false; finish; }
cat >"$tmp/p.yaml" <<'EOP'
links:
  - name: up
    interface: wan
    rate: 2mbit
    overhead: 0
    classes:
      - {name: call, match: udp port 5000, min: 1mbit}
      - {name: rest, default: true, queue: fifo, limit: 100p}
EOP
health() { stats "link(\"up\")[\"health\"][\"$1\"]"; }
sums='all(c["in"]["packets"] == c["sent"]["packets"] + c["dropped"]["packets"] + c["waiting"]["packets"] for l in d["links"] for c in [l] + l["classes"])'
weir_start "$tmp/p.yaml"
recv_start o call 5000 --count 1000000 --idle 4000
ip netns exec "$ns-i" "$NETTOOL" send 10.77.2.2 5000 --pps 200 --size 172 --count 1000000 >"$tmp/sent" &
call=$!
ip netns exec "$ns-i" "$NETTOOL" flood 10.77.2.2 20000 --pps 4000 --size 100 --count 1000000 --flows 16 >"$tmp/flood" &
load=$!
pids+=($call $load)
ok "packets come" until_ok 10 sh -c "[ \$(cat /proc/$weir_pid/net/netfilter/nfnetlink_queue | awk '{ n += \$8 } END { print n }') -gt 3000 ]"
waiting() { awk '{ n += $3 } END { print n + 0 }' "/proc/$weir_pid/net/netfilter/nfnetlink_queue"; }
dropped() { awk '{ n += $6 + $7 } END { print n + 0 }' "/proc/$weir_pid/net/netfilter/nfnetlink_queue"; }

kill -STOP "$weir_pid"
stopped=$(date +%s%N)
# until the kernel keeps no more of what is not read
until_ok 30 sh -c "[ \$(awk '{ n += \$6 + \$7 } END { print n + 0 }' /proc/$weir_pid/net/netfilter/nfnetlink_queue) -gt 500 ]"
ok "while it stands still, the kernel drops what is too much" test "$(dropped)" -gt 500
kept=$(waiting)
ok "and keeps no more than some 2,000 packets" test "$kept" -le 4000
ns_stood=$(($(date +%s%N) - stopped))
kill -CONT "$weir_pid"
ok "the gateway goes on" until_ok 20 weir_answers
ok "it is told in the log" until_ok 20 grep -q "stood still for 250 ms or more" "$tmp/weir.log"
kill -TERM $call $load
wait $call $load
recv_end call
echo "# stood still for $((ns_stood / 1000000)) ms; kept $kept; said: $(($(health stall_max_ns) / 1000000)) ms," \
	"unread at most $(health unread_packets_max), for $(($(health unread_wait_max_ns) / 1000000)) ms;" \
	"call p50 $(got call p50_us) p99 $(got call p99_us) max $(got call max_us) us"
half=$((ns_stood / 2))
ok "the stall has its length" test "$(health stall_max_ns)" -ge "$half"
ok "the wake-ups say how late it was" test "$(stats 'link("up")["health"]["wakeup_late_ns"]["max"]')" -ge "$half"
ok "what was unread was seen" test "$(health unread_packets_max)" -gt 500
ok "and for how long" test "$(health unread_wait_max_ns)" -ge "$half"
ok "the call's own delay has it" test "$(stats 'cls("up", "call")["delay_ns"]["max"]')" -ge "$half"
is "nothing is unread afterwards" "$(health unread_packets)" 0
is "in = sent + dropped + waiting" "$(stats "$sums")" True
status 1 "status says that not all is well" status --socket "$sock"
ok "and why" sh -c "'$WEIR' status --socket $sock | grep -q 'WARNING.*stood still'"
ok "it ends well" weir_stop
finish
