#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Reloads that take a link's rate over the limit from which large segments come whole, and
# back, while TCP fills the line: the queue that is bound changes, and nothing is lost by it.
. "$(dirname "$0")/lib.sh"
router_up
have_queues || { ok "weir starts" false; finish; }
TURNS=${TURNS:-10}

policy() { # RATE
	cat >"$tmp/p.yaml" <<-EOP
	links:
	  - name: up
	    interface: wan
	    rate: $1
	    classes: [{name: all, default: true, limit: 10000p}]
	EOP
}
reload() { policy "$1" && "$WEIR" reload --socket "$sock"; }
whole() { [ "$(stats 'link("up")["whole_segments"]')" = "$1" ]; }
segments() { stats 'link("up")["health"]["segments"]'; }
seen() { stats 'link("up")["in"]["packets"]'; }
# more KIND NUMBER: so many more of them have come
more() { local n; n=$(($("$1") + $2)); until_ok 30 sh_more "$1" "$n"; }
sh_more() { [ "$("$1")" -ge "$2" ]; }
# Cut before the queue: none comes whole any more. One that another processor was about to
# put into the queue meanwhile may still be under way, so some packets pass first.
none_whole() {
	local a b
	more seen 200 && a=$(segments) && more seen 2000 && b=$(segments)
	echo "segments: $a, and 2000 packets later $b"
	[ -n "$b" ] && [ "$a" = "$b" ]
}

policy 400mbit
weir_start "$tmp/p.yaml"
iperf_server
ip netns exec "$ns-i" iperf3 -c 10.77.2.2 -t 250 -i 0 --json >"$tmp/iperf" &
iperf=$!
pids+=($iperf)
ok "TCP fills the line" more seen 2000
ok "400mbit: the kernel says that segments are cut" whole False
is "... and none comes whole" "$(segments)" 0
ok "a reload to 1gbit" reload 1gbit
ok "the queue is changed: segments come whole" until_ok 10 whole True
ok "... and they do" more segments 100
ok "a reload to 400mbit" reload 400mbit
ok "the queue is changed: they are cut" until_ok 10 whole False
ok "... and none comes whole any more" none_whole
ok "a reload to 500mbit, which is the limit" reload 500mbit
ok "they come whole" until_ok 10 whole True
ok "... and they do" more segments 100

bad=
for i in $(seq "$TURNS"); do
	reload 400mbit && reload 1gbit && reload 400mbit || bad="$bad reload-$i"
	until_ok 10 whole False || bad="$bad cut-$i"
	more seen 200 || bad="$bad stuck-$i"
	reload 1gbit && until_ok 10 whole True || bad="$bad whole-$i"
	more segments 10 || bad="$bad segments-$i"
done
is "changed $((4 * TURNS)) times in a row: each time as it was said" "$bad" ""
is "no packet was missed, no verdict or change refused" \
	"$(stats '[link("up")["health"][k] for k in ("missed", "verdict_errors", "broken_messages", "changes_refused", "vanished", "kernel_queue_dropped", "kernel_socket_dropped")]')" \
	"[0, 0, 0, 0, 0, 0, 0]"
is "in = sent + dropped + waiting" "$(stats 'all(c["in"]["packets"] == c["sent"]["packets"] + c["dropped"]["packets"] + c["waiting"]["packets"] for l in d["links"] for c in [l] + l["classes"])')" True
ok "the connection is the same one, and still at work" kill -0 "$iperf"
ok "and packets go on" more seen 1000
kill -INT "$iperf"
wait "$iperf"
echo "# $(stats 'link("up")["in"]'), $(segments) of them whole; log: $(grep -c . "$tmp/weir.log") lines"
# that a busy machine kept packets waiting is none: it is what was to be told
grep -v 'waited 100 ms or more' "$tmp/weir.log" >"$tmp/complaints"
unlike "nothing was complained of" "$tmp/complaints" 'link up: (the kernel|[0-9]+ (packets|verdicts))'
ok "it ends well" weir_stop
finish
