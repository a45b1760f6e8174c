#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What weir says is wrong, beside a gateway at work: a class at its max loses a call, a full link
# starves a class, and status, stats, top and the metrics say the same of it.
. "$(dirname "$0")/lib.sh"

router_up
have_queues || { ok "weir starts" false; finish; }
cat >"$tmp/p.yaml" <<'EOP'
links:
  - name: up
    interface: wan
    rate: 8mbit
    overhead: 0
    classes:
      # 50 packets of 500 bytes a second are 200 kbit/s: more than the call may have
      - {name: call, match: udp port 5000, max: 100kbit, queue: fifo, limit: 20p, max-latency: 20ms}
      - {name: well, match: udp port 5001, min: 1mbit, max-latency: 2s}
      - {name: rest, default: true}
EOP
ok "it starts" weir_start "$tmp/p.yaml" --metrics 127.0.0.1:9590
status 0 "status of an idle gateway" status --socket "$sock"
like "... says so" "$tmp/out" '^all is well$'
for p in 5000 5001; do
	ip netns exec "$ns-i" "$NETTOOL" send 10.77.2.2 $p --pps 50 --size 472 --count 100000000 >/dev/null &
	pids+=($!)
done

# found KIND CLASS: whether the gateway has such a warning
found() {
	stats "[0 for f in d['findings'] if f['severity'] == 'warning' and f['kind'] == '$1' and f['class'] == '$2'][0]"
}
ok "that the objective is missed is found" until_ok 120 found latency call
ok "and that packets are dropped" until_ok 120 found drops call
is "and that all is not well" "$(stats "d['well']")" False
"$WEIR" status --socket "$sock" >"$tmp/out" 2>"$tmp/err"
is "status exits 1" $? 1
unlike "... and does not say that all is well" "$tmp/out" 'all is well'
like "... the objective, and since when" "$tmp/out" '^WARNING up/call, for .*: max-latency 20ms missed: [0-9]+ of [0-9]+ packets'
like "... the drops, and their reason" "$tmp/out" '^WARNING up/call, for .*packets were dropped .*limit 20p'
like "... why" "$tmp/out" '^ +why: +the class is at its max of 100kbit'
like "... and what helps" "$tmp/out" '^ +help: +raise its max'
unlike "a class that is served well is not named" "$tmp/out" 'up/well'
status 0 "stats" stats --socket "$sock"
like "... has the same" "$tmp/out" '^WARNING up/call, for .*: max-latency 20ms missed'
status 0 "top" top --count 1 --socket "$sock"
like "... has the same" "$tmp/out" 'WARNING up/call, for .*max-latency 20ms missed.*why: the class is at its max'
in_r python3 - >"$tmp/metrics" <<'EOP'
import urllib.request
print(urllib.request.urlopen("http://127.0.0.1:9590/metrics").read().decode())
EOP
like "and so have the metrics" "$tmp/metrics" '^weir_finding_age_seconds\{link="up",class="call",kind="latency",severity="warning"\} [0-9]'

# ---- A reload keeps what is known, where the class stays
since=$(stats "[f['since_ns_ago'] for f in d['findings'] if f['kind'] == 'latency'][0]")
sed 's/name: rest/name: others/' "$tmp/p.yaml" >"$tmp/q.yaml"
cp "$tmp/q.yaml" "$tmp/p.yaml"
ok "a reload" "$WEIR" reload --socket "$sock"
longer() { [ "$(stats "[f['since_ns_ago'] for f in d['findings'] if f['kind'] == 'latency'][0]")" -gt "$since" ]; }
ok "does not forget since when" until_ok 60 longer

# ---- What the policy mends is over
sed 's/max: 100kbit, //; s/name: call/name: speech/' "$tmp/p.yaml" >"$tmp/q.yaml"
cp "$tmp/q.yaml" "$tmp/p.yaml"
ok "another reload" "$WEIR" reload --socket "$sock"
clean() { "$WEIR" status --socket "$sock" >"$tmp/out"; }
ok "the class without a max is well" until_ok 120 clean
ok "it ends" weir_stop
finish
