#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# How the gateway comes, goes, is killed and changes its policy: with packets on their way.
. "$(dirname "$0")/lib.sh"
router_up
have_queues || { ok "weir starts" false; finish; }
KILLS=${KILLS:-50} RELOADS=${RELOADS:-200} senders=()

cat >"$tmp/a.yaml" <<'EOP'
links:
  - name: up
    interface: wan
    rate: 20mbit
    classes:
      - {name: one, match: udp portrange 5000-5001, queue: fifo, limit: 5000p}
      - name: work
        match: net 10.77.0.0/16
        classes:
          - {name: x, match: net 10.77.2.0/24, weight: 3}
          - {name: y, default: true}
      - {name: rest, default: true}
EOP
cat >"$tmp/b.yaml" <<'EOP'
links:
  - name: up
    interface: wan
    rate: 20mbit
    scheduler: drr
    classes:
      - {name: two, match: udp port 5000, weight: 2, queue: fifo, limit: 5000p, set-dscp: af41}
      - {name: work, default: true, queue: fifo, limit: 5000p}
EOP
no_trace() { ! in_r nft list tables 2>/dev/null | grep -q weir && ! in_r grep -q . /proc/net/netfilter/nfnetlink_queue; }
pings() { in_i ping -c 1 -W 5 10.77.2.2; }

# ---- Starting: all or nothing
printf 'links: [{name: a, rate: 1mbit, classes: [{name: b, default: true}]}]\n' >"$tmp/bad.yaml"
run_r() { in_r timeout 20 "$WEIR" run "$@" >"$tmp/out" 2>"$tmp/err"; }
run_r "$tmp/bad.yaml" --socket "$sock"
is "a link without an interface: exit 1" $? 1
like "... and says where" "$tmp/err" 'bad.yaml:1:[0-9]+: link "a" has no "interface"'
run_r "$tmp/a.yaml" --socket /nowhere/at/all/w.sock
is "no folder for the socket: exit 2" $? 2
run_r "$tmp/a.yaml" --user no-such-user --socket "$sock"
is "no such user: exit 2" $? 2
ok "nothing is left of those that did not start" no_trace
status 2 "status without a gateway" status --socket "$sock"
like "... says what to do" "$tmp/err" "is .weir run. running"

cp "$tmp/a.yaml" "$tmp/p.yaml"
ok "it starts" weir_start "$tmp/p.yaml"
run_r "$tmp/p.yaml" --socket "$tmp/second.sock"
is "a second one stops: exit 2" $? 2
like "... and says why" "$tmp/err" "another weir runs here"
run_r "$tmp/p.yaml" --socket "$sock"
is "one with the same socket as well" $? 2
ok "the first goes on" pings
is "it kept CAP_NET_ADMIN alone" "$(awk '/^Cap(Eff|Prm|Bnd)/ { print $2 }' /proc/$weir_pid/status | sort -u)" 0000000000001000
is "and no new privileges" "$(awk '/^NoNewPrivs/ { print $2 }' /proc/$weir_pid/status)" 1
# the real-time priorities of its threads (field 40 of stat), where a limit says that it may
first() { for t in /proc/$weir_pid/task/*; do awk '{ sub(/.*\) /, ""); print $38 }' "$t/stat"; done | sort -u | tr '\n' ' '; }
if [ "$(awk '/realtime priority/ { print $4 }' /proc/$weir_pid/limits)" != 0 ]; then
	is "each link's thread goes before programs that compute, and only that" "$(first)" "0 1 "
	is "... and status knows" "$(stats 'link("up")["health"]["realtime"]')" True
else
	is "without the right to real time, status says so" "$(stats 'link("up")["health"]["realtime"]') $(first)" "False 0 "
fi
is "its socket is for its user and group only" "$(stat -c %a "$sock")" 660

# ---- Reloading, under numbered packets of 40 flows
for p in 5000 5001; do
	recv_start o $p $p --count 40000 --idle 3000
	ip netns exec "$ns-i" "$NETTOOL" send 10.77.2.2 $p --pps 1500 --size 600 --count 12000 --flows 20 >"$tmp/sent-$p" &
	pids+=($!)
done
until_ok 10 sh -c "[ \"\$('$WEIR' stats --json --socket $sock | grep -c two)\" -ge 0 ]"
failed=0
for i in $(seq "$RELOADS"); do
	[ $((i % 2)) = 1 ] && cp "$tmp/b.yaml" "$tmp/p.yaml" || cp "$tmp/a.yaml" "$tmp/p.yaml"
	if [ $((i % 20)) = 7 ]; then
		echo 'links: [}' >"$tmp/p.yaml"
		"$WEIR" reload --socket "$sock" 2>/dev/null && failed=$((failed + 1))
	elif [ $((i % 3)) = 0 ]; then
		kill -HUP "$weir_pid"
	else
		"$WEIR" reload --socket "$sock" 2>>"$tmp/reload.err" || failed=$((failed + 1))
	fi
done
is "$RELOADS reloads under load: each as it should be" "$failed" 0
recv_end 5000; recv_end 5001
for p in 5000 5001; do
	is "no packet of port $p is missing, doubled or overtaken" \
		"$(got $p received) $(got $p lost) $(got $p doubled) $(got $p reordered)" "12000 0 0 0"
done
cp "$tmp/a.yaml" "$tmp/p.yaml"; "$WEIR" reload --socket "$sock"
is "the link has counted every packet once" "$(stats 'link("up")["in"]["packets"] >= 24000 and link("up")["in"]["packets"] == link("up")["sent"]["packets"] + link("up")["dropped"]["packets"] + link("up")["waiting"]["packets"]')" True
asked=() failed=0
for i in 1 2 3 4 5 6; do "$WEIR" reload --socket "$sock" 2>>"$tmp/reload.err" & asked+=($!); done
for i in "${asked[@]}"; do wait "$i" || failed=$((failed + 1)); done
is "six at once: each is answered" "$failed" 0
ok "it has been reloaded more than $((RELOADS / 2)) times" test "$(stats 'd["generation"]')" -gt $((RELOADS / 2))
echo 'links: [}' >"$tmp/p.yaml"
status 1 "a bad policy" reload --socket "$sock"
like "... says where" "$tmp/err" 'p.yaml:1:[0-9]+:'
ok "and changes nothing" pings
cp "$tmp/a.yaml" "$tmp/p.yaml"

# ---- An interface that goes and comes
ip -n "$ns-r" link set wan down
until_ok 10 sh -c "'$WEIR' status --socket $sock | grep -q DOWN"
status 1 "status while an interface is down" status --socket "$sock"
like "... says so" "$tmp/out" "DOWN"
ip -n "$ns-r" link set wan up
ip -n "$ns-r" -6 addr add fd77:2::1/64 dev wan nodad 2>/dev/null
ok "it is up again, and shaped" until_ok 20 pings
until_ok 10 sh -c "! '$WEIR' status --socket $sock | grep -q DOWN"

# ---- One that does nothing else cannot fill the log, and nothing of it is lost there
weir_stop; : >"$tmp/weir.log"
weir_start "$tmp/p.yaml"
flaps=40
for i in $(seq $flaps); do
	ip -n "$ns-r" link set wan down
	until_ok 10 sh -c "'$WEIR' status --socket $sock | grep -q DOWN"
	ip -n "$ns-r" link set wan up
	until_ok 10 sh -c "! '$WEIR' status --socket $sock | grep -q DOWN"
done
ip -n "$ns-r" -6 addr add fd77:2::1/64 dev wan nodad 2>/dev/null
ok "an interface that was down and up $flaps times is shaped" until_ok 20 pings
weir_stop
# lines, and what they stand for
read -r lines_told stand_for <<<"$(sed -nE 's/.*interface wan (went|is up)([^(]*)(\(and ([0-9]+) more.*)?$/\4/p' "$tmp/weir.log" | awk '{ n += 1 + $1 } END { print NR, n }')"
ok "... which is told in few lines" test "$lines_told" -le 24
is "... that stand for all of it" "$stand_for" $((2 * flaps))
weir_start "$tmp/p.yaml"

# ---- Many reloads: a flow over its flow-max gets nothing by them, nor does its host
cat >"$tmp/c.yaml" <<'EOP'
inside: 10.77.1.0/24
links:
  - name: up
    interface: wan
    rate: 20mbit
    classes:
      - {name: flow, match: udp port 5002, flow-max: 500kbit, queue: fifo, limit: 50p}
      - {name: host, match: udp port 5003, host-max: 500kbit, limit: 50p}
      - {name: rest, default: true}
EOP
sed 's/20mbit/19mbit/; s/name: flow,/name: flow, weight: 2,/' "$tmp/c.yaml" >"$tmp/d.yaml"
cp "$tmp/c.yaml" "$tmp/p.yaml"; "$WEIR" reload --socket "$sock"
for p in 5002 5003; do
	recv_start o $p $p --count 100000 --idle 3000
	ip netns exec "$ns-i" "$NETTOOL" send 10.77.2.2 $p --pps 500 --size 600 --count 4000 >/dev/null &
	pids+=($!)
	senders+=($!)
done
failed=0
for i in $(seq "$RELOADS"); do
	[ $((i % 2)) = 1 ] && cp "$tmp/d.yaml" "$tmp/p.yaml" || cp "$tmp/c.yaml" "$tmp/p.yaml"
	"$WEIR" reload --socket "$sock" 2>>"$tmp/reload.err" || failed=$((failed + 1))
done
is "$RELOADS reloads while flows are held back" "$failed" 0
wait "${senders[@]}"
recv_end 5002; recv_end 5003
for p in 5002 5003; do
	# headers added; a tenth more is for the receiver's clock on a busy machine
	echo "# port $p, 500 kbit/s: $(got $p bytes) bytes in $(got $p ns) ns, $(got $p received) packets"
	ok "port $p: no more than 500 kbit/s has left" holds \
		"$(got $p received) > 100 && ($(got $p bytes) + 28 * $(got $p received)) * 8 < 1.1 * 500000 * $(got $p ns) / 1e9 + 8 * 10000"
done

# ---- Another interface for a link, with packets held for the old one
# (so slow that 600 packets take a minute: a reload on a busy machine is over before)
iface() { # INTERFACE [RATE]
	sed "s/20mbit/${2:-80kbit}/; s/interface: wan/interface: $1/" "$tmp/a.yaml" >"$tmp/p.yaml" && "$WEIR" reload --socket "$sock"
}
one() { stats 'cls("up", "one")["in"]["packets"]'; }
ok "slower, to hold packets" iface wan
ip netns exec "$ns-r" stdbuf -oL nft monitor >"$tmp/monitor" 2>/dev/null &
monitor=$!
pids+=($monitor)
ok "changes of rules are watched" until_ok 10 sh -c "ip netns exec $ns-r nft 'add table inet other; delete table inet other'; grep -q other $tmp/monitor"
recv_start o moved 5000 --count 600 --idle 60000
in_i "$NETTOOL" send 10.77.2.2 5000 --pps 20000 --size 1000 --count 600 --flows 4 >/dev/null
ok "packets are held" test "$(stats 'link("up")["waiting"]["packets"]')" -gt 10
ok "a reload with another interface" iface lan
is "... is in force" "$(stats 'link("up")["interface"]')" lan
ok "... while packets are held for the old one" test "$(stats 'link("up")["waiting"]["packets"]')" -gt 10
in_r nft add table inet after
until_ok 10 grep -q after "$tmp/monitor"
is "the rules have changed in one transaction" "$(grep -c "^# new generation .* by process $weir_pid " "$tmp/monitor")" 1
kill "$monitor"
in_r nft delete table inet after
ok "faster again" iface lan 20mbit
recv_end moved
is "all that was held for the old one came out, in order" "$(got moved received) $(got moved lost) $(got moved reordered)" "600 0 0"
before=$(one)
recv_start o old 5001 --count 50
in_i "$NETTOOL" send 10.77.2.2 5001 --pps 200 --size 100 --count 50 >/dev/null
recv_end old
is "what leaves by the old one is not the link's any more" "$(got old received) $(($(one) - before))" "50 0"
recv_start i new 5001 --count 50
in_o "$NETTOOL" send 10.77.1.2 5001 --pps 200 --size 100 --count 50 >/dev/null
recv_end new
is "what leaves by the new one is" "$(got new received) $(($(one) - before))" "50 50"
ok "an interface that is not there" iface nowhere 20mbit
like "... is told" "$tmp/weir.log" "link up: there is no interface nowhere yet"
ok "and back again" iface wan 20mbit
ok "packets pass, and nothing was lost or refused" pings
is "... by any count" "$(stats '[link("up")["health"][k] for k in ("missed", "verdict_errors", "broken_messages")] + [link("up")["in"]["packets"] == link("up")["sent"]["packets"] + link("up")["dropped"]["packets"] + link("up")["waiting"]["packets"]]')" "[0, 0, 0, True]"

# ---- Ending, with packets held: all come out, in order
sed 's/20mbit/80kbit/' "$tmp/a.yaml" >"$tmp/p.yaml"
"$WEIR" reload --socket "$sock"
recv_start o end 5000 --count 600 --idle 60000
in_i "$NETTOOL" send 10.77.2.2 5000 --pps 20000 --size 1000 --count 600 --flows 4 >/dev/null
ok "packets are held" test "$(stats 'link("up")["waiting"]["packets"]')" -gt 10
weir_stop
is "SIGTERM: exit 0" $? 0
recv_end end
is "all that was held came out, in order" "$(got end received) $(got end lost) $(got end reordered)" "600 0 0"
ok "and nothing is left" no_trace
ok "nor the socket" test ! -e "$sock"

# ---- Killed at any moment, under load
ip netns exec "$ns-i" "$NETTOOL" send 10.77.2.2 5001 --pps 2000 --size 800 --count 200000 --flows 8 >/dev/null &
load=$!
pids+=($load)
bad=
for i in $(seq "$KILLS"); do
	ip netns exec "$ns-r" "$WEIR" run "$tmp/a.yaml" --socket "$sock" 2>>"$tmp/kill.log" &
	weir_pid=$!
	# some die while they start, some later
	case $((i % 3)) in
	0) until_ok 20 weir_up || bad="$bad start-$i" ;;
	1) until_ok 20 sh -c "ip netns exec $ns-r nft list tables 2>/dev/null | grep -q weir" || bad="$bad table-$i" ;;
	2) until_ok 20 weir_up && "$WEIR" stats --socket "$sock" >/dev/null ;;
	esac
	kill -9 "$weir_pid"
	wait "$weir_pid" 2>/dev/null
	weir_pid=
	pings >/dev/null || bad="$bad ping-$i"
	no_trace || bad="$bad trace-$i"
done
is "killed $KILLS times: traffic flows at once, nothing is left, the next one starts" "$bad" ""
kill "$load"
ok "and it starts again" weir_start "$tmp/a.yaml"
ok "and ends" weir_stop
finish
