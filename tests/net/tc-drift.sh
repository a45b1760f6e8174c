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
lock=$(tc_lock_path)
: >"$lock"
in_r "$WEIR" tc apply "$tmp/p.yaml" >&- 2>"$tmp/err"
is "apply with stdout closed: what it says cannot be written" "$?" 2
like "... and that is told" "$tmp/err" '^weir: standard output: '
in_r "$WEIR" tc apply "$tmp/p.yaml" <&- >&- 2>&-
is "... with all three closed" "$?" 2
ok "... nothing was written elsewhere" test ! -s "$lock"
wtc diff "$tmp/p.yaml"
is "... and it is applied" "$? $(cat "$tmp/out")" "0 "

# ---- Two at once: the second waits, and says why nothing happens
coproc python3 -c "
import fcntl
f = open('$lock')
fcntl.flock(f, fcntl.LOCK_EX)
print('held', flush=True)
input()"
read -r -u "${COPROC[0]}" held
in_r "$WEIR" tc apply "$tmp/p.yaml" >"$tmp/out" 2>"$tmp/err" &
second=$!
pids+=("$second")
ok "a second apply says that it waits" until_ok 20 grep -q '^weir: another weir is changing traffic control' "$tmp/err"
is "... and has done nothing yet" "$(cat "$tmp/out")" ""
echo end >&"${COPROC[1]}"
wait "$second"
is "... and goes on when the first is done" "$? $(cat "$tmp/out")" "0 up: wan: nothing to change"

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
# ... and what a queue has that no policy says
sed 's/queue: fifo, limit: 500p/queue: fq_codel/' "$tmp/p.yaml" >"$tmp/fq.yaml"
wtc apply "$tmp/fq.yaml"
if in_r tc qdisc show dev wan | grep -q fq_codel; then
	rest=$(classid rest)
	for key in "memory_limit 4096" "drop_batch 1" "ce_threshold 1ms"; do
		in_r tc qdisc change dev wan parent "$rest" fq_codel $key
		wtc diff "$tmp/fq.yaml"
		is "a queue with $key differs" "$?" 1
		wtc apply "$tmp/fq.yaml" && wtc diff "$tmp/fq.yaml"
		is "... and is mended" "$?" 0
	done
else
	echo "# no fq_codel here"
fi
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
is "... each line says where the object is" "$(
	in_r tc qdisc del dev wan ingress
	wtc diff "$tmp/in.yaml" --json
	python3 -c "
import json
d = json.load(open('$tmp/out'))['links'][0]
print(d['device'], [x['device'] for x in d['differ']])"
)" "wi-wan ['wan', 'wan']"
wtc apply "$tmp/in.yaml" && wtc diff "$tmp/in.yaml"
is "... and it is mended" "$? $(cat "$tmp/out")" "0 "

# ---- All is as it was: also that the ifb was down
in_r ip link set wi-wan down
wtc apply "$tmp/two.yaml"
is "an ifb that was down is down again when another link is refused" \
	"$? $(in_r cat /sys/class/net/wi-wan/flags)" "2 0x82"
in_r tc qdisc del dev lan root

# ---- A policy that was edited since: its link has another direction, and remove takes both
wtc apply "$tmp/in.yaml"
wtc diff "$tmp/p.yaml"
like "what is left of another direction is told" "$tmp/err" \
	'p.yaml:2:5: warning: link "up": what comes in by wan is shaped as well, as weir did it'
wtc remove "$tmp/p.yaml" --json
is "applied to what comes in, removed by a policy for what leaves" "$? $(python3 -c "
import json
d = json.load(open('$tmp/out'))['links'][0]
print(d['device'], d['removed'])")" "0 wan True"
is "... nothing is left" "$(snapshot wan)$(in_r ip -o link show type ifb)" "$clean"
wtc apply "$tmp/p.yaml"
wtc apply "$tmp/in.yaml"
like "... of the other as well" "$tmp/err" 'warning: link "up": what leaves by wan is shaped as well'
wtc remove "$tmp/in.yaml"
is "... and the other way round" "$? $(cat "$tmp/out") $(snapshot wan)" "0 up: wan: removed $clean"
in_r ip link add wi-wan type veth peer name other
wtc apply "$tmp/p.yaml" && wtc remove "$tmp/p.yaml"
is "... others may use the name that an ifb would have" "$? $(cat "$tmp/out")" "0 up: wan: removed"
in_r ip link del other
{
	policy wan
	policy wan "direction: ingress" | sed '1d; s/name: up/name: down/'
} >"$tmp/both.yaml"
wtc apply "$tmp/both.yaml"
is "... and is not told where both are the policy's" "$(grep -c 'shaped as well' "$tmp/err")" 0
wtc remove "$tmp/both.yaml" --link up
is "... one link of two takes its own alone" "$? $(in_r ip -o link show type ifb | wc -l) $(in_r tc qdisc show dev wan | cut -d' ' -f2 | tr '\n' ' ')" \
	"0 1 noqueue ingress "
wtc remove "$tmp/both.yaml"
is "... and the other goes with the policy" "$(snapshot wan)$(in_r ip -o link show type ifb)" "$clean"

# ---- What was replaced belongs to one interface of one namespace
tbf() { in_r tc qdisc add dev "$1" root handle 5: tbf rate 5mbit burst 20000 limit 30000; }
tbf wan
before=$(snapshot wan)
wtc apply --replace "$tmp/p.yaml"
rename() { in_r ip link set "$1" down && in_r ip link set "$1" name "$2" && in_r ip link set "$2" up; }
rename wan wan2
policy wan2 >"$tmp/wan2.yaml"
wtc diff "$tmp/wan2.yaml"
is "an interface that was renamed has what it had" "$?" 0
wtc remove "$tmp/wan2.yaml"
rename wan2 wan
is "... and gets back what it had had" "$? $(snapshot wan)" "0 $before"
wtc apply --replace "$tmp/p.yaml"
in_r tc qdisc del dev wan root
wtc apply "$tmp/p.yaml" && wtc remove "$tmp/p.yaml"
is "... also when weir's was deleted by hand meanwhile" "$? $(snapshot wan)" "0 $before"
wtc apply --replace "$tmp/p.yaml"
file=/run/weir/tc/$(in_r stat -L -c %i /proc/self/ns/net)-$(in_r cat /sys/class/net/wan/ifindex)-root.json
sed -i -E 's|("where": "[^/]*/)[0-9]+|\10|' "$file"
in_r tc qdisc del dev wan root
wtc remove "$tmp/p.yaml"
is "... a file of a namespace that had the same number is not of this one" "$? $(cat "$tmp/out") $(snapshot wan)" \
	"0 up: wan: nothing of weir's $clean"
ok "... and is no more" test ! -e "$file"
# ... and of an interface that is gone: the next that is written down or done with takes it away
in_r ip link add gone type veth peer name other
tbf gone
policy gone >"$tmp/gone.yaml"
wtc apply --replace "$tmp/gone.yaml"
file=/run/weir/tc/$(in_r stat -L -c %i /proc/self/ns/net)-$(in_r cat /sys/class/net/gone/ifindex)-root.json
ok "what an interface had is written down" test -e "$file"
in_r ip link del gone
tbf wan
wtc apply --replace "$tmp/p.yaml"
ok "... until it is gone" test ! -e "$file"
wtc remove "$tmp/p.yaml"
in_r tc qdisc del dev wan root
# the loopback, whose packets are larger than those of the device that it is tried on
tbf lo
before=$(snapshot lo)
policy lo >"$tmp/lo.yaml"
wtc apply --replace "$tmp/lo.yaml"
is "the loopback's is replaced as well" "$? $(grep -v warning "$tmp/err")" "0 "
wtc remove "$tmp/lo.yaml"
is "... and back" "$? $(snapshot lo)" "0 $before"

# ---- Names
in_r ip link property add dev wan altname uplink0
policy uplink0 >"$tmp/alt.yaml"
wtc apply "$tmp/alt.yaml"
is "another name of an interface" "$?" 2
like "... its own is said" "$tmp/err" '"uplink0" is another name of the interface "wan"'
wtc remove "$tmp/alt.yaml"
is "... remove as well" "$? $(grep -c 'another name' "$tmp/err")" "2 1"
policy nosuch >"$tmp/nosuch.yaml"
wtc remove "$tmp/nosuch.yaml"
is "an interface that is not there has nothing of weir's, and may be a slip" "$? $(cat "$tmp/out")" \
	"0 up: nosuch: nothing of weir's (there is no such interface)"

# ---- A kernel without netfilter's netlink translates nothing, and does the rest
without() { in_r python3 tests/net/no-nfnetlink.py "$WEIR" tc "$@" "$tmp/p.yaml" >"$tmp/out" 2>"$tmp/err"; }
without apply
status=$?
if [ "$status" = 77 ]; then
	echo "# no system calls can be refused here (no seccomp, or no ctypes)"
else
	is "apply without netfilter" "$status $(cat "$tmp/out")" "0 up: wan: 23 objects changed"
	without diff
	is "... diff" "$? $(cat "$tmp/out")" "0 "
	without remove
	is "... remove" "$? $(cat "$tmp/out")" "0 up: wan: removed"
fi
finish
