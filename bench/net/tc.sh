#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# weir tc against `tc -batch` of the same commands: to apply a policy, to change one rate, to
# remove all, at 10, 1,000 and 10,000 classes. weir's time is that of the whole command: reading
# and compiling the policy (told apart as tc-compile: what `weir tc diff` takes where nothing
# differs, all reading of the kernel included), making, reading back. tc's commands are ready
# made, from what tc tells of what weir had made. Lines: name, parameter, value, unit. Root.
. "$(dirname "$0")/../../tests/net/lib.sh"
finished=1
skip_all() { echo "bench: tc: skipped: $*" >&2; exit 0; }
ROUNDS=${ROUNDS:-3}
for n in r i o; do ip netns add "$ns-$n"; done
ip -n "$ns-r" link add wan type veth peer name e netns "$ns-o"
ip -n "$ns-r" link set wan up
line() { printf '%s\t%s\t%s\t%s\n' "$@"; }
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
# took FILE COMMAND...: seconds that it takes in the router, into the file
took() {
	local file=$1 begin end
	shift
	begin=$EPOCHREALTIME
	in_r "$@" >"$tmp/out" 2>"$tmp/err" || { cat "$tmp/err" >&2; exit 1; }
	end=$EPOCHREALTIME
	awk "BEGIN { printf \"%.4f\n\", $end - $begin }" >>"$file"
}
policy() { # CLASSES RATE-OF-ONE
	python3 - "$1" "$2" <<-'EOP'
		import sys
		n = int(sys.argv[1])
		print("links:\n  - name: up\n    interface: wan\n    rate: 10gbit\n    classes:")
		for i in range(n - 1):
		    rate = sys.argv[2] if i == n // 2 else "10mbit"
		    print(f"      - {{name: c{i}, match: host 10.{i >> 8}.{i & 255}.1, min: 10kbit, max: {rate}, queue: fifo, limit: 100p}}")
		print("      - {name: rest, default: true, queue: fifo, limit: 100p}")
	EOP
}
# What tc tells, as its commands
commands() {
	{ in_r tc class show dev wan; echo; in_r tc -j qdisc show dev wan; echo; in_r tc -j filter show dev wan; } | python3 -c "
import json, re, sys
classes, qdiscs, filters = sys.stdin.read().split('\n\n')
print('qdisc add dev wan root handle 7765: htb default 0')
rows = [re.match(r'class htb (\S+) (?:root|parent (\S+)) .*?rate (\S+) ceil (\S+)', l).groups() for l in classes.splitlines()]
for c, parent, rate, ceil in sorted(rows, key=lambda r: r[1] is not None):
    print(f'class add dev wan parent {parent or \"7765:\"} classid {c} htb rate {rate.lower()} ceil {ceil.lower()} burst 1600 cburst 1600 quantum 1514')
for q in json.loads(qdiscs):
    if q['kind'] == 'pfifo':
        print(f'qdisc add dev wan parent {q[\"parent\"]} handle {q[\"handle\"]} pfifo limit {q[\"options\"][\"limit\"]}')
for f in json.loads(filters):
    if 'options' in f:
        b = f['options']['bytecode']
        code = ','.join(f\"{i['code']} {i['jt']} {i['jf']} {i['k']}\" for i in b['insns'])
        print(f'filter add dev wan parent {f[\"parent\"]} protocol all prio {f[\"pref\"]} handle 1 bpf bytecode \"{b[\"length\"]},{code}\" classid {f[\"options\"][\"flowid\"]}')
"
}
in_r "$WEIR" tc apply <(policy 2 10mbit) >"$tmp/out" 2>"$tmp/err" || skip_all "$(tail -n 1 "$tmp/err")"
in_r "$WEIR" tc remove <(policy 2 10mbit) >/dev/null

for n in ${CLASSES:-10 1000 10000}; do
	policy "$n" 10mbit >"$tmp/a.yaml"
	policy "$n" 11mbit >"$tmp/b.yaml"
	rm -f "$tmp"/t-*
	for i in $(seq "$ROUNDS"); do
		took "$tmp/t-apply-weir" "$WEIR" tc apply "$tmp/a.yaml"
		if [ ! -s "$tmp/apply.tc" ] || [ "$i" = 1 ]; then
			commands >"$tmp/apply.tc"
			grep ' ceil 10mbit ' "$tmp/apply.tc" | sed -n "$((n / 2))p" | sed 's/^class add/class change/; s/ceil 10mbit/ceil 11mbit/' >"$tmp/change.tc"
			[ -s "$tmp/change.tc" ] || { echo "bench: tc: no class to change" >&2; exit 1; }
			echo 'qdisc del dev wan root' >"$tmp/remove.tc"
		fi
		took "$tmp/t-compile-weir" "$WEIR" tc diff "$tmp/a.yaml"
		took "$tmp/t-change-weir" "$WEIR" tc apply "$tmp/b.yaml"
		took "$tmp/t-remove-weir" "$WEIR" tc remove "$tmp/b.yaml"
		for what in apply change remove; do took "$tmp/t-$what-tc" tc -batch "$tmp/$what.tc"; done
	done
	line tc-compile "$n" "$(median <"$tmp/t-compile-weir")" s
	for what in apply change remove; do
		w=$(median <"$tmp/t-$what-weir") t=$(median <"$tmp/t-$what-tc")
		line "tc-$what-weir" "$n" "$w" s
		line "tc-$what-batch" "$n" "$t" s
		line "tc-$what-ratio" "$n" "$(awk "BEGIN { printf \"%.2f\", $w / $t }")" ""
	done
done
