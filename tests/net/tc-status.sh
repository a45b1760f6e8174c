#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What `weir tc apply` made is shown though nothing of weir's runs: status, stats and top tell of
# it, whether it still stands, and what the kernel counts.
. "$(dirname "$0")/lib.sh"
router_up
. "$(dirname "$0")/tc-lib.sh"
sock=/run/weir/weir.sock
policy() { # RATE
	cat >"$tmp/p.yaml" <<-EOP
	links:
	  - name: up
	    interface: wan
	    rate: $1
	    classes:
	      - name: work
	        match: udp portrange 5000-5001
	        classes:
	          - {name: call, match: udp port 5000, queue: fifo, limit: 5000p}
	          - {name: mail, default: true, queue: fifo, limit: 5000p}
	      - {name: rest, default: true, queue: fifo, limit: 5000p}
	EOP
}
policy 20mbit
tc_or_skip "$tmp/p.yaml"
asked() { # WANTED NAME ARGUMENTS...: weir in the router, as `status` does
	local want=$1 name=$2
	shift 2
	in_r "$WEIR" "$@" >"$tmp/out" 2>"$tmp/err"
	is "$name: exit" $? "$want"
}
json() { in_r "$WEIR" "$1" --json | python3 -c "
import json, sys
d = json.load(sys.stdin)
l = d['links'][0]
def cls(c): return next(k for k in l['classes'] if k['class'] == c)
print($2)"; }

# tc_or_skip has applied it
asked 0 "status" status
like "... says that no gateway runs" "$tmp/out" "no gateway runs here; .*weir tc apply"
like "... that all is well" "$tmp/out" "^all is well"
like "... the link" "$tmp/out" "^link up: wan, 20.* backend kernel on wan, up"
like "... and from which policy, when" "$tmp/out" "applied .* ago from $tmp/p.yaml"
is "status --json" "$(json status "d['by'], d['well'], l['policy'], l['applied_ns_ago'] > 0, d['generation'], d['intact'], l['programmed']")" \
	"weir tc apply True $tmp/p.yaml True None None True"

recv_start o a 5000 --count 300 --idle 3000
in_i "$NETTOOL" send 10.77.2.2 5000 --pps 500 --size 500 --count 300 >/dev/null
recv_end a
asked 0 "stats" stats
like "... the class with what it sent" "$tmp/out" '^ +call +300 +300 '
like "... and the one above it" "$tmp/out" '^ +work +300 +300 '
is "stats --json" "$(json stats "cls('work/call')['sent']['packets'], cls('work')['sent']['packets'], cls('work/call')['delay_ns']")" "300 300 None"
asked 0 "stats of a link" stats up
asked 2 "stats of a link that is not there" stats down
recv_start o b 5001 --count 400 --idle 3000
in_i "$NETTOOL" send 10.77.2.2 5001 --pps 100 --size 500 --count 400 >/dev/null &
pids+=($!)
ok "top shows a rate" until_ok 30 sh -c "ip netns exec $ns-r '$WEIR' top --interval 500ms --count 2 >$tmp/top && grep -E '^ +mail +[1-9]' $tmp/top"
like "... of the link" "$tmp/top" '^link up: wan up, .*backend kernel on wan'
recv_end b

# What no longer stands
in_r tc class change dev wan parent 7765: classid 7765:1 htb rate 10mbit ceil 10mbit
asked 1 "another rate by hand" status
like "... is told" "$tmp/out" "WARNING up: what the kernel has on wan is not what the policy wants \(1 difference\)"
like "... with who did it" "$tmp/out" "why: +somebody changed it"
like "... and the remedy" "$tmp/out" "help: .*weir tc apply $tmp/p.yaml"
is "... --json" "$(json status "d['well'], len(d['findings'])")" "False 1"
wtc apply "$tmp/p.yaml"
asked 0 "applied again, all is well" status
policy 15mbit
asked 1 "a policy that was changed since" status
like "... is told as such" "$tmp/out" "why: +the policy was changed"
wtc apply "$tmp/p.yaml"
asked 0 "applied, it is well" status
like "... with the new rate" "$tmp/out" "^link up: wan, 15"
in_r tc qdisc del dev wan root
asked 1 "the root qdisc deleted" status
asked 0 "stats go on" stats
mv "$tmp/p.yaml" "$tmp/q.yaml"
asked 1 "the policy is gone" status
like "... is told" "$tmp/out" "p.yaml cannot be read"
mv "$tmp/q.yaml" "$tmp/p.yaml"
ip -n "$ns-r" link del wan
asked 1 "the interface is gone" status
like "... is told" "$tmp/out" "interface wan is not there"
asked 0 "so do they without it" stats
wtc remove "$tmp/p.yaml"
asked 2 "removed: nothing is to be shown" status
like "... and no gateway answers" "$tmp/err" "no gateway answers"

# Another namespace has its own, and a gateway comes first
policy 20mbit
sed -i 's/interface: wan/interface: lan/' "$tmp/p.yaml"
wtc apply "$tmp/p.yaml"
in_i "$WEIR" status >"$tmp/out" 2>"$tmp/err"
is "another namespace knows nothing of it: exit" $? 2
sed 's/rate: 20mbit/&\n    backend: kernel/' "$tmp/p.yaml" >"$tmp/k.yaml"
ok "a gateway takes over" weir_start "$tmp/k.yaml"
is "... and answers" "$(json status "d['by']")" "weir run"
asked 2 "who asks elsewhere sees nothing of what it has" status --socket "$tmp/other.sock"
ok "it ends" weir_stop
asked 2 "what it removed is not missed" status
finish
