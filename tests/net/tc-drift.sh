#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# weir tc on a host that others use as well: what somebody did by hand to what weir made is told
# and mended with the fewest changes; a policy that was edited, an interface that was renamed,
# a namespace that is another by now; and the streams that weir was started without.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/tc-lib.sh"
router_up
policy() { # INTERFACE [LINK-KEYS]
	cat <<-EOP
		links:
		  - name: up
		    interface: $1
		    rate: 20mbit${2:+
		    $2}
		    classes:
		      - {name: call, match: udp port 5000, min: 1mbit, queue: fifo, limit: 50p}
		      - {name: rest, default: true, queue: fifo, limit: 500p}
	EOP
}
policy wan >"$tmp/p.yaml"
policy wan "direction: ingress" >"$tmp/in.yaml"
clean=$(snapshot wan)
tc_or_skip "$tmp/p.yaml"

# ---- Streams that are closed: nothing is written into what got their numbers
: >/run/weir/tc/lock
in_r "$WEIR" tc apply "$tmp/p.yaml" >&- 2>"$tmp/err"
is "apply with stdout closed: what it says cannot be written" "$?" 2
like "... and that is told" "$tmp/err" '^weir: standard output: '
in_r "$WEIR" tc apply "$tmp/p.yaml" <&- >&- 2>&-
is "... with all three closed" "$?" 2
ok "... nothing was written elsewhere" test ! -s /run/weir/tc/lock
wtc diff "$tmp/p.yaml"
is "... and it is applied" "$? $(cat "$tmp/out")" "0 "

# ---- What one class alone counts for a packet is seen, and put right in its place
classid() { # CLASS
	in_r "$WEIR" tc show "$tmp/p.yaml" --json | python3 -c "
import json, sys
print(next(c['classid'] for l in json.load(sys.stdin)['links'] for c in l['classes'] if c['class'] == '$1'))"
}
call=$(classid call)
for key in "linklayer atm" "mpu 1000" "overhead 10"; do
	# all but the last as weir has it
	in_r tc class change dev wan parent 7765:1 classid "$call" htb rate 1mbit ceil 20mbit \
		burst 1514b cburst 70091b quantum 1514 $key
	wtc diff "$tmp/p.yaml"
	is "a class with $key differs" "$? $(lines "$tmp/out") $(cut -c1-12 "$tmp/out")" "1 1 ~ wan: class"
	like "... and it is said" "$tmp/out" "$key.*; wanted: class"
	wtc apply "$tmp/p.yaml"
	is "... one change mends it" "$? $(cat "$tmp/out")" "0 up: wan: 1 object changed"
	wtc diff "$tmp/p.yaml"
	is "... nothing differs" "$?" 0
done
in_r tc qdisc del dev wan root
in_r tc qdisc add dev wan root handle 7765: stab overhead 6 linklayer atm mtu 128 htb
sed 's/rate: 20mbit/rate: 20mbit\n    overhead: 20/' "$tmp/p.yaml" >"$tmp/stab.yaml"
wtc diff "$tmp/stab.yaml"
ok "two size tables that differ do not look alike" python3 - "$tmp/out" <<'EOP'
import re, sys
for line in open(sys.argv[1]):
    m = re.match(r'~ wan: (.*); wanted: (.*)', line)
    assert not m or m[1] != m[2], line
EOP
in_r tc qdisc del dev wan root

# ---- What comes in: the one list of filters that an ingress qdisc has is used by others as well
wtc apply "$tmp/in.yaml"
mirror() { in_r tc filter add dev wan ingress prio 7 u32 match u32 0 0 action mirred egress mirror dev lan; }
mirror # tc has a number of its own for the parent, and the kernel tells it of all filters
wtc diff "$tmp/in.yaml"
is "a filter of others on weir's ingress qdisc is the one that differs" "$? $(cut -c1-40 "$tmp/out")" "1 - wan: filter pref 7 parent ffff: u32"
printf '  - {name: down, interface: lan, rate: 20mbit, classes: [{name: all, default: true, queue: fifo}]}\n' |
	cat "$tmp/in.yaml" - >"$tmp/two.yaml"
in_r tc qdisc add dev lan root handle 4: pfifo limit 7
before=$(snapshot wan)
for i in 1 2 3; do
	wtc apply "$tmp/two.yaml"
	is "... $i: it is back when another link is refused" "$? $(grep -c 'taking back' "$tmp/err") $(snapshot wan)" "2 0 $before"
done
wtc apply "$tmp/in.yaml"
is "... it goes with one change" "$? $(cat "$tmp/out")" "0 up: wi-wan: 1 object changed"
wtc diff "$tmp/in.yaml"
is "... nothing differs" "$? $(cat "$tmp/out")" "0 "
