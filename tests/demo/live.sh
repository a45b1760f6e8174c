#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The gateway on real packets: a router of three network namespaces, whose line of 5.3 mbit/s
# four uploads fill while somebody makes a call. All of it is made here and removed again.
#
#   tests/demo/live.sh FILE    exit 77, the reason in FILE: it cannot be done here
reason=${1:-/dev/stderr}
# before lib.sh, which looks whether it can be done at all
skip_all() { finished=1; echo "$*" >"$reason"; exit 77; }
. "$(dirname "$0")/../net/lib.sh"
finished=1
say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] || say() { printf '\n%s\n' "$*"; }
policy=policies/home.yaml

router_up
have_queues || { cat "$tmp/weir.log" >"$reason"; exit 77; }
# The real line: a queue of 400 ms, as modems have them
in_r tc qdisc add dev wan root tbf rate 5300kbit burst 3000 latency 400ms || skip_all "no TBF in this kernel"

# The uploads fill the line: without weir they wait in its queue, with weir in their class
full_without() { in_r tc -s qdisc show dev wan | awk '/backlog/ { exit !($3 + 0 > 20) }'; }
full_with() { [ "$(stats 'cls("wan-up", "rest")["in"]["packets"]')" -gt 200 ]; }
measure() { # NAME PORT
	iperf_server "$2"
	recv_start o "$1" 10000 --count 250 --idle 3000
	ip netns exec "$ns-i" iperf3 -c 10.77.2.2 -p "$2" -P 4 -t 10 --json >"$tmp/iperf-$1" &
	local up=$!
	until_ok 1 "full_$1" || { echo "the uploads do not fill the line"; exit 1; }
	in_i "$NETTOOL" send 10.77.2.2 10000 --pps 50 --size 172 --count 250 >/dev/null
	recv_end "$1"
	wait "$up"
}
call() { printf '  %-14s half of its packets within %6.1f ms, 99 of 100 within %6.1f ms, lost: %s of 250\n' \
	"$1" "$(got "$2" p50_us)e-3" "$(got "$2" p99_us)e-3" "$(got "$2" lost)"; }
uploads() { python3 -c "
import json
print('%.2f mbit/s' % (json.load(open('$tmp/iperf-$1'))['end']['sum_received']['bits_per_second'] / 1e6))"; }

say "A line of 5.3 mbit/s, four uploads that fill it, and a call of 50 packets a second."
echo "(three network namespaces on this machine; real TCP, real queues in the kernel)"
say "Without weir (10 seconds):"
measure without 5201
call "the call:" without
echo "  uploads:       $(uploads without)"

say "With weir: weir run $policy"
weir_start "$policy" || { cat "$tmp/weir.log"; exit 1; }
sed 's/^/  /' "$tmp/weir.log"
measure with 5202
call "the call:" with
echo "  uploads:       $(uploads with)"
say "\$ weir stats wan-up"
"$WEIR" stats wan-up --socket "$sock"
say "\$ weir status"
"$WEIR" status --socket "$sock" | sed -n '1,/^link wan-down/p' | sed '$d'
weir_stop || { echo "weir did not end well"; exit 1; }
say "On the call, 99 of 100 packets:  without weir $(printf %.1f "$(got without p99_us)e-3") ms,  with it $(printf %.1f "$(got with p99_us)e-3") ms"
echo
echo "What was made is gone again. Next: README.md, 'Your first policy'; policies/home.yaml."
[ "$(got with p99_us)" -lt "$(got without p99_us)" ]
