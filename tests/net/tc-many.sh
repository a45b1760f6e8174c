#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Ten thousand classes, flat and in groups: applied, nothing differs; one rate is one change, a
# class in the middle is three objects; and all of them go again.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/tc-lib.sh"
N=${CLASSES:-10000}
for n in r i o; do ip netns add "$ns-$n"; done
ip -n "$ns-r" link add wan type veth peer name e netns "$ns-o"
ip -n "$ns-r" link set wan up
policy() { # PER-GROUP RATE-OF-ONE WITHOUT: PER-GROUP 0: no groups
	python3 - "$N" "$@" >"$tmp/p.yaml" <<-'EOP'
		import sys
		n, per, rate, without = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
		print("links:\n  - name: up\n    interface: wan\n    rate: 10gbit\n    control: none\n    classes:")
		size = per or 250 # hosts of a network
		def leaf(i, indent, default):
		    if i != without:
		        what = "default: true" if default else f"match: host 10.{i // size}.{i % size}.1"
		        print(f"{indent}- {{name: c{i}, {what}, max: {rate if i == n // 2 else '9mbit'}, queue: fifo, limit: 90p}}")
		for i in range(n):
		    if per and i % per == 0:
		        what = "default: true" if i + per >= n else f"match: net 10.{i // per}.0.0/16"
		        print(f"      - name: g{i // per}\n        {what}\n        classes:")
		    leaf(i, " " * (10 if per else 6), i == n - 1 or (per and i % per == per - 1))
	EOP
}
for per in 0 100; do
	name=$([ "$per" = 0 ] && echo flat || echo "$per in a group")
	policy "$per" 9mbit 77
	tc_or_skip "$tmp/p.yaml"
	is "$name: $N classes but one, a root and the link" "$(in_r tc class show dev wan | grep -c 'leaf')" $((N - 1))
	is "... each with its queue" "$(in_r tc qdisc show dev wan | grep -c pfifo)" $((N - 1))
	wtc diff "$tmp/p.yaml"
	is "... nothing differs" "$? $(head -n 3 "$tmp/out")" "0 "
	policy "$per" 8mbit 77
	wtc apply "$tmp/p.yaml"
	is "... one rate is one change" "$? $(cat "$tmp/out")" "0 up: wan: 1 object changed"
	policy "$per" 8mbit -1
	wtc apply "$tmp/p.yaml"
	# in a group, its 99 siblings have a smaller share of what the group has
	is "... a class more is three objects" "$? $(cat "$tmp/out")" \
		"0 up: wan: $([ "$per" = 0 ] && echo 3 || echo $((3 + per - 1))) objects changed"
	wtc remove "$tmp/p.yaml"
	is "... removed" "$? $(in_r tc qdisc show dev wan | wc -l)" "0 1"
done
finish
