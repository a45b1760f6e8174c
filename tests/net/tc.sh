#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# weir tc on this kernel, with tc as the independent reader: what is applied is what the policy
# says; nothing is done where nothing differs, and one change for one rate, with packets
# flowing; what was there before comes back, byte for byte, and what others have stays.
. "$(dirname "$0")/lib.sh"
router_up
. "$(dirname "$0")/tc-lib.sh"
policy() { # CLASSES [LINK-KEYS]
	printf 'links:\n  - {name: up, interface: wan, rate: 20mbit, control: none, overhead: %s%s, classes: [\n%s]}\n' "${over:-14}" "${2:-}" "$1" >"$tmp/p.yaml"
}
classes='      {name: call, match: udp port 5000, min: 1mbit, max: 4mbit, queue: fifo, limit: 50p},
      {name: work, match: "net 10.8.0.0/16 or udp port 5001", weight: 3, classes: [
        {name: ssh, match: tcp port 22, queue: fifo, limit: 20kb},
        {name: web, default: true, queue: fifo, limit: 8000p}]},
      {name: rest, default: true, queue: fifo, limit: 500p}'
policy "$classes"
tc_or_skip "$tmp/p.yaml"

# What tc tells of the class of that path: RATE CEIL PARENT LEAF
shown() {
	in_r "$WEIR" tc show "$tmp/p.yaml" --json | CLASSES=$(in_r tc class show dev wan) python3 -c "
import json, os, re, sys
ids = {c['class']: c['classid'] for l in json.load(sys.stdin)['links'] for c in l['classes']}
names = {v: k for k, v in ids.items()}
for line in os.environ['CLASSES'].splitlines():
    m = re.match(r'class htb (\S+) (root|parent (\S+)) (?:leaf (\S+) )?.*?rate (\S+) ceil (\S+)', line)
    if m[1] == ids['$1']:
        print(m[5], m[6], names.get(m[3], '-') or 'link')"
}

# What was applied
ok "the root qdisc is weir's HTB" sh -c "ip netns exec $ns-r tc qdisc show dev wan | grep -q '^qdisc htb 7765: root'"
is "a class with min and max" "$(shown call)" "1Mbit 4Mbit link"
is "a class without them may have what the link has" "$(shown rest)" "8bit 20Mbit link"
is "a class in a class" "$(shown work/ssh)" "8bit 20Mbit work"
is "five classes and the link" "$(in_r tc class show dev wan | wc -l)" 6
is "four queues, each as the policy says" "$(in_r tc -j qdisc show dev wan | python3 -c "
import json, sys
print(sorted((q['kind'], q['options']['limit']) for q in json.load(sys.stdin) if q['kind'] != 'htb'))")" \
	"[('bfifo', 20000), ('pfifo', 50), ('pfifo', 500), ('pfifo', 8000)]"
is "filters in file order, each with a program" "$(in_r tc -j filter show dev wan | python3 -c "
import json, sys
f = [x for x in json.load(sys.stdin) if 'options' in x]
print(len(f), all(x['kind'] == 'bpf' and x['options']['bytecode']['length'] > 0 and x['protocol'] == 'all' for x in f),
      [x['pref'] for x in f] == sorted(x['pref'] for x in f))")" "4 True True"

# Where the kernel has neither fq_codel nor codel, what stands for them must be short by itself
in_r tc qdisc add dev lo root handle 9: fq_codel 2>/dev/null || in_r tc qdisc add dev lo root handle 9: codel 2>/dev/null && codel=1
in_r tc qdisc del dev lo root 2>/dev/null
printf 'links: [{name: up, interface: lan, rate: 8mbit, control: none, classes: [{name: a, default: true}]}]\n' >"$tmp/short.yaml"
wtc apply "$tmp/short.yaml"
is "the default queue, or the nearest" "$(in_r tc -j qdisc show dev lan | python3 -c "
import json, sys
print([(q['kind'], q['options']['limit']) if q['kind'] == 'bfifo' else 'codel' in q['kind'] for q in json.load(sys.stdin) if q['kind'] != 'htb'])")" \
	"$([ -n "${codel:-}" ] && echo '[True]' || echo "[('bfifo', 25000)]")"
[ -n "${codel:-}" ] || like "... is told" "$tmp/err" "a fifo that is kept short"
wtc remove "$tmp/short.yaml"

# Nothing for nothing: what the kernel tells everybody of changes
# itself, not a shell around it: it must end when it is told to
ip netns exec "$ns-r" tc monitor >>"$tmp/monitor" &
monitor=$!
pids+=($monitor)
mark() { # until the monitor has told of a change of ours on another device
	local n
	n=$(grep -c 'dev lo' "$tmp/monitor")
	in_r tc qdisc add dev lo ingress
	in_r tc qdisc del dev lo ingress
	until_ok 10 eval '[ "$(grep -c "dev lo" "$tmp/monitor")" -ge $((n + 2)) ]'
}
until_ok 10 eval 'in_r tc qdisc add dev lo ingress; in_r tc qdisc del dev lo ingress; grep -q "dev lo" "$tmp/monitor"'
mark
: >"$tmp/monitor"
wtc apply "$tmp/p.yaml"
is "applied again" "$? $(cat "$tmp/out")" "0 up: wan: nothing to change"
mark
ok "... the kernel tells of no change" sh -c "! grep -v 'dev lo' '$tmp/monitor' | grep ."
wtc diff "$tmp/p.yaml"
is "diff finds nothing" "$? $(cat "$tmp/out")" "0 "

# One rate
: >"$tmp/monitor"
policy "${classes/max: 4mbit/max: 5mbit}"
wtc diff "$tmp/p.yaml"
is "diff finds one rate" "$? $(lines "$tmp/out") $(cut -c1-12 "$tmp/out")" "1 1 ~ wan: class"
before=$(snapshot wan)
is "... and changes nothing" "$(snapshot wan)" "$before"
wtc apply "$tmp/p.yaml"
is "one rate is one change" "$? $(cat "$tmp/out")" "0 up: wan: 1 object changed"
mark
is "... the kernel tells of that one" "$(grep -v 'dev lo' "$tmp/monitor" | grep -c .)" 1
like "... a class" "$tmp/monitor" '^class htb .*ceil 5Mbit'
kill "$monitor"

# ... while packets flow (into a queue that has room for all of them), and a class that comes and goes in the middle
recv_start o flow 5001 --count 6000 --idle 4000
ip netns exec "$ns-i" "$NETTOOL" send 10.77.2.2 5001 --pps 2000 --size 472 --count 6000 >"$tmp/send" &
sender=$!
pids+=($sender)
until_ok 10 sh -c "ip netns exec $ns-o cat /sys/class/net/e/statistics/rx_packets | awk '{ exit \$1 < 100 }'"
middle='      {name: new, match: udp port 7000, queue: fifo},
      {name: work,'
rounds=0
while kill -0 "$sender" 2>/dev/null; do
	for c in "${classes/weight: 3/weight: 4, max: 15mbit}" "${classes/      \{name: work,/$middle}" "${classes/name: web, default: true, queue: fifo, limit: 8000p/name: web, default: true, queue: fifo, limit: 9000p}"; do
		policy "$c"
		wtc apply "$tmp/p.yaml" || cat "$tmp/err"
		cat "$tmp/out" >>"$tmp/rounds"
	done
	rounds=$((rounds + 1))
done
recv_end flow
echo "# $rounds rounds of three changes"
is "no packet is lost while classes change" "$(got flow lost) $(got flow received)" "0 6000"
is "... and none overtakes another" "$(got flow reordered)" 0
policy "$classes"
wtc apply "$tmp/p.yaml"
policy "${classes/      \{name: work,/$middle}"
wtc apply "$tmp/p.yaml"
is "a class in the middle is a class, its queue and its filter" "$(cat "$tmp/out")" "up: wan: 3 objects changed"
is "... and is where it is in the file" "$(in_r tc -j filter show dev wan | python3 -c "
import json, sys
print([x['pref'] for x in json.load(sys.stdin) if 'options' in x])")" "[100, 200, 250, 300, 400]"
wtc diff "$tmp/p.yaml"
is "... and nothing differs" "$?" 0

# Drift
in_r tc class change dev wan parent 7765:1 classid "$(in_r "$WEIR" tc show "$tmp/p.yaml" --json | python3 -c "
import json, sys
print(next(c['classid'] for l in json.load(sys.stdin)['links'] for c in l['classes'] if c['class'] == 'rest'))")" htb rate 2mbit ceil 3mbit
in_r tc filter add dev wan parent 7765: protocol ip prio 7 u32 match ip dport 9 0xffff flowid 7765:1
wtc diff "$tmp/p.yaml"
is "what others changed is found" "$? $(cut -c1 "$tmp/out" | sort | tr -d '\n')" "1 -~"
wtc diff "$tmp/p.yaml" --json
is "... in JSON as well" "$? $(python3 -c "
import json
d = json.load(open('$tmp/out'))['links'][0]
print(d['device'], sorted((x['is'] is None, x['wanted'] is None) for x in d['differ']))")" "1 wan [(False, False), (False, True)]"
wtc apply "$tmp/p.yaml"
is "... and put right" "$? $(cat "$tmp/out")" "0 up: wan: 2 objects changed"
wtc diff "$tmp/p.yaml"
is "... nothing differs" "$?" 0

# A line with ATM cells: a size table, in place
root_sent() { in_r tc -s -j qdisc show dev wan | python3 -c "
import json, sys
print(next(q['packets'] for q in json.load(sys.stdin) if q.get('root')))"; }
sent=$(root_sent)
ok "packets have gone through it" test "$sent" -gt 5000
over=24
policy "${classes}" ", linklayer: atm, mpu: 53b"
wtc apply "$tmp/p.yaml"
is "another line is another size table" "$? $(sed 's/[0-9]* objects/N objects/' "$tmp/out")" "0 up: wan: N objects changed"
ok "... which tc tells" sh -c "ip netns exec $ns-r tc -d qdisc show dev wan | grep -A1 '^qdisc htb' | grep -q 'linklayer atm overhead 10 mpu 53'"
ok "... of the same root, which has sent what it had sent" test "$(root_sent)" -ge "$sent"
wtc apply "$tmp/p.yaml"
is "... and is right" "$? $(cat "$tmp/out")" "0 up: wan: nothing to change"

# Away
other_before=$(snapshot lan)
wtc remove "$tmp/p.yaml"
is "removed" "$? $(cat "$tmp/out")" "0 up: wan: removed"
is "nothing is left" "$(in_r tc qdisc show dev wan | cut -d' ' -f2)" noqueue
wtc remove "$tmp/p.yaml"
is "removed again: nothing to do" "$? $(cat "$tmp/out")" "0 up: wan: nothing of weir's"
wtc diff "$tmp/p.yaml"
is "then all differs" "$? $(cut -c1 "$tmp/out" | sort -u)" "1 +"
is "other interfaces are untouched" "$(snapshot lan)" "$other_before"

# Who may not
setpriv=$(command -v setpriv)
if [ -n "$setpriv" ]; then
	in_r "$setpriv" --reuid 65534 --clear-groups "$WEIR" tc apply - <"$tmp/p.yaml" >"$tmp/out" 2>"$tmp/err"
	is "without permission: exit 2" $? 2
	like "... and the reason" "$tmp/err" 'it takes root'
fi
status 2 "no interface: said" tc apply "$captures/../../policies/sqm.yaml" --link nosuch
finish
