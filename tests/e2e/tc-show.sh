#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# weir tc show: what a policy becomes in the kernel, without asking the kernel.
. "$(dirname "$0")/lib.sh"

# ---- Usage
status 2 "tc without anything" tc
like "says what there is" "$tmp/err" 'usage: weir tc show'
status 2 "tc with something else" tc shw policies/home.yaml
like "guesses" "$tmp/err" 'did you mean "show"'
status 0 "tc --help" tc --help
like "on stdout" "$tmp/out" '--strict'
status 0 "tc show --help" tc show --help
status 2 "tc show without a policy" tc show
status 2 "tc show with two" tc show policies/home.yaml policies/isp.yaml
status 2 "tc show with an unknown option" tc show --no-such policies/home.yaml
status 2 "tc show of a file that is not there" tc show "$tmp/none.yaml"
like "names it" "$tmp/err" 'none\.yaml'
status 2 "tc show of an unknown link" tc show policies/home.yaml --link wan-upp
like "names it" "$tmp/err" 'wan-upp'
printf 'links: []\n' >"$tmp/bad.yaml"
status 1 "tc show of a wrong policy" tc show "$tmp/bad.yaml"
ok "and no result" empty "$tmp/out"
full() { "$WEIR" "$@" >/dev/full 2>"$tmp/err"; [ $? = 2 ]; }
ok "tc show to a full disk" full tc show policies/home.yaml
ok "tc show --json to a full disk" full tc show --json policies/home.yaml

# ---- Every policy of the project, for people and for programs
for policy in policies/*.yaml; do
	case $policy in *.test.yaml) continue ;; esac
	status 0 "tc show $policy" tc show "$policy"
	ok "... says nothing on stderr" empty "$tmp/err"
	cp "$tmp/out" "$tmp/once"
	status 0 "tc show $policy again" tc show "$policy"
	ok "... is the same" cmp "$tmp/once" "$tmp/out"
	status 0 "tc show --json $policy" tc show --json "$policy"
	ok "... is JSON" python3 -m json.tool "$tmp/out"
done

# ---- What is in it
cat >"$tmp/p.yaml" <<'EOP'
links:
  - name: up
    interface: nowhere0
    rate: 8mbit
    scheduler: priority
    classes:
      - {name: calls, match: udp port 5060, dscp: [ef], priority: 1, deadline: 20ms}
      - name: work
        priority: 2
        match: tcp port 22
        scheduler: drr
        classes:
          - {name: ssh, dscp: cs2, weight: 2, queue: fifo, limit: 20p}
          - {name: copies, default: true, max: 4mbit}
      - {name: rest, default: true, priority: 3, queue: codel}
  - name: down
    interface: nowhere0
    direction: ingress
    backend: kernel
    rate: 80mbit
    overhead: ethernet
    classes: [{name: all, default: true}]
EOP
status 0 "tc show" tc show "$tmp/p.yaml"
like "a link is named" "$tmp/out" '^link up: 8mbit, egress nowhere0, backend: queue$'
like "and the other" "$tmp/out" '^link down: 80mbit, ingress nowhere0, backend: kernel$'
like "what is assumed is said" "$tmp/out" 'no such device here: taken to have: a header of 14 bytes, packets of up to 1500; a kernel that has all'
like "the link's class" "$tmp/out" '^  \(the link\) +7765:1 +8mbit +8mbit'
like "a leaf" "$tmp/out" '^    calls +7765:[0-9a-f]+ +8bit +8mbit .* 1 +1514  fq_codel limit 10240p'
like "a class below another" "$tmp/out" '^      ssh +7765:[0-9a-f]+ .* 2 +3028  pfifo limit 20p$'
like "its sibling, with half of its weight" "$tmp/out" '^      copies +7765:[0-9a-f]+ +8bit +4mbit .* 2 +1514  fq_codel'
like "codel" "$tmp/out" '^    rest .* 3 +1514  codel limit 1000p target 5000us interval 100000us ecn$'
like "a filter, with its length" "$tmp/out" '^  7765: +[0-9]+ +[0-9]+  calls: udp port 5060$'
like "one of DSCP alone" "$tmp/out" '^  7765:[0-9a-f]+ +[0-9]+ +[0-9]+  work/ssh: its DSCP$'
like "a default" "$tmp/out" '^  7765: +[0-9]+ +1  rest: all that is left$'
like "what is not IP" "$tmp/out" '^  7765: +[0-9]+ +5  unshaped: what is not IP$'
like "an exact key" "$tmp/out" '^  scheduler +exact: the classes. prio'
like "one that is not" "$tmp/out" '^  deadline +NOT EXACT: no queue of the kernel'
like "and whose it is" "$tmp/out" '^ +of calls$'
like "a size table" "$tmp/out" 'stab overhead 24 mpu 84 linklayer ethernet tsize 2087$'
status 0 "tc show --link" tc show "$tmp/p.yaml" --link down
unlike "shows one" "$tmp/out" '^link up'
like "and no other" "$tmp/out" '^link down'

# the filters stand in file order
"$WEIR" tc show "$tmp/p.yaml" --link up | sed -nE 's/^  7765: +[0-9]+ +[0-9]+  ([a-z]+): .*/\1/p' | uniq | tr '\n' ' ' >"$tmp/order"
is "in file order" "$(cat "$tmp/order")" "unshaped calls work rest "

# ---- Strict
status 1 "tc show --strict" tc show --strict "$tmp/p.yaml" --link up
like "names the place, the key and the class" "$tmp/err" '^[^:]*/p\.yaml:7:9: deadline of class "calls": tc does not do exactly this'
like "of a filter, its own place" "$tmp/err" '^[^:]*/p\.yaml:7:30: match of class "calls": .*later fragments'
unlike "exact ones are no complaint" "$tmp/err" 'priority'
ok "the table is there all the same" grep -q '^link up' "$tmp/out"
status 0 "tc show --strict of what can be had" tc show --strict "$tmp/p.yaml" --link down
ok "without a word" empty "$tmp/err"
status 0 "a single queue is exact" tc show --strict policies/sqm.yaml

# ---- JSON
json() { python3 -c 'import json,sys
d = json.load(open(sys.argv[1]))
up = d["links"][0]
c = {k["class"]: k for k in up["classes"]}
print(eval(sys.argv[2]))' "$tmp/out" "$1" 2>&1; }
status 0 "tc show --json" tc show --json "$tmp/p.yaml"
is "its version and format" "$(json '"weir" in d and d["format"]')" 1
is "two links" "$(json '[l["link"] for l in d["links"]]')" "['up', 'down']"
is "the device is not there" "$(json 'up["device"]')" "{'there': False, 'header': 14, 'mtu': 1500}"
is "no table on Ethernet" "$(json 'up["size_table"]')" None
is "one where it takes one" "$(json 'd["links"][1]["size_table"]')" "{'overhead': 24, 'mpu': 84, 'entries': 2087}"
is "the link's class" "$(json 'c[None]["classid"], c[None]["rate_bps"], c[None]["ceil_bps"]')" "('7765:1', 8000000, 8000000)"
is "a leaf" "$(json 'c["work/ssh"]["prio"], c["work/ssh"]["quantum"], c["work/ssh"]["queue"]["limit_packets"]')" "(2, 3028, 20)"
is "no queue in a class with classes" "$(json '"queue" in c["work"]')" False
is "max" "$(json 'c["work/copies"]["ceil_bps"]')" 4000000
is "first what the link hangs on" "$(json '[f["class"] for f in up["filters"]].index("link-control"), {f["class"] for f in up["filters"][1:13]}')" "(1, {'link-control'})"
is "each filter" "$(json '[f["class"] for f in up["filters"] if f["class"] != "link-control"]')" "[None, 'calls', 'work', 'rest', 'work/ssh', 'work/copies']"
is "what is not exact" "$(json 'sorted({n["key"] for n in up["notes"] if not n["exact"]})')" "['deadline', 'match']"

# ---- The device, where there is one
status 0 "of the loopback device" tc show --json - <<'EOP'
links: [{name: l, interface: lo, rate: 8mbit, classes: [{name: a, default: true}]}]
EOP
is "what it has is asked" "$(json 'up["device"]["there"], up["device"]["header"], up["device"]["mtu"] >= 1500')" "(True, 14, True)"

# ---- What cannot be had at all
cat >"$tmp/deep.yaml" <<'EOP'
links:
  - name: l
    rate: 1mbit
    classes: [{name: a, default: true, classes: [{name: a, default: true, classes: [{name: a, default: true,
      classes: [{name: a, default: true, classes: [{name: a, default: true, classes: [{name: a, default: true,
      classes: [{name: a, default: true, classes: [{name: a, default: true}]}]}]}]}]}]}]}]
EOP
status 1 "eight levels" tc show "$tmp/deep.yaml"
like "says where and why" "$tmp/err" '^[^:]*/deep\.yaml:6:52: class "a/a/a/a/a/a/a/a" is 8 levels below its link: HTB has room for 7$'
ok "and shows nothing" empty "$tmp/out"
finish
