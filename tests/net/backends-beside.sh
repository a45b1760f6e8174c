#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A gateway whose links the kernel schedules, and who else touches them: `weir tc` at the same
# time, and interfaces that get another name, go to another namespace, or come again. What is the
# gateway's stays its own, what happens is told, and nothing of it is left behind.
. "$(dirname "$0")/lib.sh"
router_up
have_queues || { ok "weir starts" false; finish; }

policy() { # BACKEND [RATE]
	cat >"$tmp/p.yaml" <<-EOP
	links:
	  - name: up
	    interface: wan
	    backend: $1
	    rate: ${2:-20mbit}
	    classes:
	      - {name: call, match: udp port 5000, min: 1mbit, queue: fifo, limit: 5000p}
	      - {name: own, match: [icmp6, "dst net ff00::/8"], queue: fifo}
	      - {name: rest, default: true, queue: fifo, limit: 5000p}
	EOP
}
# The same, and what comes in by wan
both_ways() { # [RATE]
	policy kernel
	cat >>"$tmp/p.yaml" <<-EOP
	  - name: in
	    interface: wan
	    direction: ingress
	    backend: kernel
	    rate: ${1:-30mbit}
	    classes: [{name: all, default: true, queue: fifo}]
	EOP
}
sent() { stats 'cls("up", "'"$1"'")["sent"]["packets"]'; }
tc_weir() { in_r timeout 60 "$WEIR" tc "$@" >"$tmp/tc.out" 2>"$tmp/tc.err"; }
tc_status() { # EXIT NAME ARGS...
	local want=$1 name=$2
	shift 2
	tc_weir "$@"
	is "$name: exit $want" $? "$want"
}
traces() { # DEVICE: objects of weir's on it, on its way in, and the ifb
	in_r tc qdisc show dev "$1" | grep -c -e 'htb 7765:' -e ingress
}
# What is in a namespace of weir's
look() {
	in_r tc -j qdisc show
	in_r nft list ruleset
	in_r ip -j link | python3 -c "import json, sys; print(sorted(l['ifname'] for l in json.load(sys.stdin)))"
}
traffic() { # PORT COUNT
	recv_start o "t$1" "$1" --count "$2"
	in_i "$NETTOOL" send 10.77.2.2 "$1" --pps 2000 --count "$2" >/dev/null
	recv_end "t$1"
}
told() { grep -qE "$1" "$tmp/weir.log"; }
warns() { stats '[1 for w in link("up")["warnings"] if "'"$1"'" in w][0]'; }
link_is() { [ "$(stats 'link("up")["up"]')" = "$1" ]; }

# ---- weir tc beside a gateway
for backend in kernel mark; do
	policy $backend; : >"$tmp/weir.log"
	weir_start "$tmp/p.yaml"
	policy $backend 7mbit; cp "$tmp/p.yaml" "$tmp/other.yaml"; policy $backend
	in_r tc class show dev wan >"$tmp/classes"
	tc_status 2 "$backend: weir tc apply on what a gateway has" apply "$tmp/other.yaml"
	like "$backend: ... says who has it" "$tmp/tc.err" 'link "up": a running gateway.*of wan.*weir reload'
	tc_status 2 "$backend: weir tc apply --replace" apply --replace "$tmp/other.yaml"
	tc_status 2 "$backend: weir tc remove" remove "$tmp/p.yaml"
	like "$backend: ... says who has it, too" "$tmp/tc.err" 'link "up": a running gateway'
	in_r tc class show dev wan >"$tmp/classes2"
	ok "$backend: ... and nothing is changed" diff "$tmp/classes" "$tmp/classes2"
	tc_status 0 "$backend: weir tc diff may look" diff "$tmp/p.yaml"
	# another interface, and the other way of this one, are free
	sed 's/interface: wan/interface: lan/' "$tmp/other.yaml" >"$tmp/lan.yaml"
	tc_status 0 "$backend: another interface is free" apply "$tmp/lan.yaml"
	tc_status 0 "$backend: ... also to be left" remove "$tmp/lan.yaml"
	sed 's/backend: .*/backend: kernel\n    direction: ingress/' "$tmp/other.yaml" >"$tmp/in.yaml"
	tc_status 0 "$backend: so is the other way of the same" apply "$tmp/in.yaml"
	tc_status 0 "$backend: ... also to be left" remove "$tmp/in.yaml"
	status 0 "$backend: and status sees no drift" status --socket "$sock"
	# of two links one is the gateway's
	{ cat "$tmp/other.yaml"; sed 1d "$tmp/lan.yaml" | sed 's/name: up/name: down/'; } >"$tmp/two.yaml"
	tc_status 2 "$backend: a policy with a link of the gateway's" apply "$tmp/two.yaml"
	is "$backend: ... is not applied to the other either" "$(traces lan)" 0
	weir_stop
	tc_status 0 "$backend: once the gateway has ended" apply "$tmp/p.yaml"
	tc_status 0 "$backend: ... weir tc has it" remove "$tmp/p.yaml"
done
policy kernel; weir_start "$tmp/p.yaml"
kill -9 "$weir_pid"; wait "$weir_pid" 2>/dev/null; weir_pid=
tc_status 0 "what a killed gateway has left" remove "$tmp/p.yaml"
is "... weir tc takes away" "$(traces wan)" 0
policy kernel
tc_status 0 "what weir tc apply made" apply "$tmp/p.yaml"
cp "$tmp/p.yaml" "$tmp/applied.yaml"; policy queue
in_r timeout 60 "$WEIR" run "$tmp/p.yaml" --socket "$sock" >"$tmp/out" 2>"$tmp/err"
is "... is no place for a gateway's queue" $? 2
like "... which would shape twice" "$tmp/err" 'link up: the kernel shapes wan already, by "weir tc apply .*/p.yaml", .*shaped twice: "weir tc remove'
in_r tc qdisc del dev wan root
ok "what somebody else took away is in nobody's way" weir_start "$tmp/p.yaml"
weir_stop
tc_status 0 "... and then weir tc has nothing left" remove "$tmp/applied.yaml"
policy queue; weir_start "$tmp/p.yaml"
tc_status 2 "queue: weir tc apply" apply "$tmp/p.yaml"
like "queue: ... would shape twice" "$tmp/tc.err" 'gateway.*shapes what leaves by wan.*shaped twice'
tc_status 0 "queue: weir tc remove has nothing to do" remove "$tmp/p.yaml"
policy kernel
status 0 "a reload to the kernel" reload --socket "$sock"
tc_status 2 "takes the classes" remove "$tmp/p.yaml"
sed 's/interface: wan/interface: lan/' "$tmp/p.yaml" >"$tmp/lan.yaml"
cp "$tmp/lan.yaml" "$tmp/p.yaml"
status 0 "a reload to another interface" reload --socket "$sock"
tc_status 2 "takes that" remove "$tmp/p.yaml"
policy kernel; cp "$tmp/p.yaml" "$tmp/wan.yaml"; cp "$tmp/lan.yaml" "$tmp/p.yaml"
tc_status 0 "and leaves the one before" apply "$tmp/wan.yaml"
tc_status 0 "... to weir tc" remove "$tmp/wan.yaml"
in_r tc qdisc add dev wan root handle 1: tbf rate 5mbit burst 5000 latency 50ms
cp "$tmp/wan.yaml" "$tmp/p.yaml"
status 2 "a reload that fails" reload --socket "$sock"
tc_status 2 "keeps what it had" remove "$tmp/lan.yaml"
tc_status 0 "and takes nothing" apply --replace "$tmp/wan.yaml"
tc_status 0 "... from weir tc" remove "$tmp/wan.yaml"
in_r tc qdisc del dev wan root
weir_stop

# ---- A tc command that runs: a gateway waits for it. The lock is held as that does.
policy kernel; : >"$tmp/weir.log"
mkdir -p /run/weir/tc
exec {lock}>>"$(tc_lock_path)"
ok "somebody changes traffic control" flock -w 60 "$lock"
ip netns exec "$ns-r" "$WEIR" run "$tmp/p.yaml" --socket "$sock" 2>>"$tmp/weir.log" {lock}>&- &
weir_pid=$!
# it has opened the lock and looks again and again, asleep (in nanosleep) meanwhile
waits() { ls -l "/proc/$weir_pid/fd" | grep "$(tc_lock_path)" && grep -E '^(230|115|407) ' "/proc/$weir_pid/syscall"; }
ok "a gateway that starts waits" until_ok 20 waits
is "... and touches nothing" "$(traces wan)" 0
flock -u "$lock"
ok "... until that has ended" until_ok 20 weir_up
is "... and then has its classes" "$(traces wan)" 1
flock -w 60 "$lock"
policy kernel 7mbit
"$WEIR" reload --socket "$sock" 2>"$tmp/err"
is "a reload that would wait too long: exit 2" $? 2
like "... says why" "$tmp/err" "another weir changes traffic control"
flock -u "$lock"
status 0 "and does it when there is nobody else" reload --socket "$sock"
is "... with the new rate" "$(in_r tc class show dev wan | grep -c 'class htb 7765:1 .*7Mbit')" 1
flock -w 60 "$lock"
kill -TERM "$weir_pid"
wait "$weir_pid"; weir_pid=
is "an end that would wait too long goes on" "$(traces wan)" 0
ip netns exec "$ns-r" timeout 60 "$WEIR" run "$tmp/p.yaml" --socket "$sock" 2>"$tmp/err" {lock}>&-
is "and a start that would: exit 2" $? 2
like "... says why" "$tmp/err" "another weir changes traffic control"
flock -u "$lock"
exec {lock}>&-

# ---- Another name
look >"$tmp/before"
for backend in queue mark kernel both; do
	[ $backend = both ] && both_ways || policy $backend
	: >"$tmp/weir.log"
	weir_start "$tmp/p.yaml"
	traffic 5000 20
	is "$backend: before it is renamed" "$(sent call)" 20
	ip -n "$ns-r" link set wan down
	ip -n "$ns-r" link set wan name dsl
	ip -n "$ns-r" link set dsl up
	ok "$backend: another name is told" until_ok 20 told "link up: interface wan was renamed to dsl"
	ok "$backend: the link waits" until_ok 20 link_is False
	[ $backend = queue ] || is "$backend: its classes are gone with the name" "$(traces dsl)" 0
	ok "$backend: status says what is missing" until_ok 20 warns "there is no interface wan"
	is "$backend: nor are they there for the metrics" "$(stats '[link("up")["up"], link("up")["programmed"]]')" "[False, $([ $backend = queue ] && echo None || echo False)]"
	port r dsl 10.77.2.1/24 fd77:2::1/64 2>/dev/null
	ok "$backend: packets pass in both directions" until_ok 20 in_i ping -c 1 -W 1 10.77.2.2
	ip -n "$ns-r" link set dsl down
	ip -n "$ns-r" link set dsl name wan
	ip -n "$ns-r" link set wan up
	port r wan 10.77.2.1/24 fd77:2::1/64 2>/dev/null
	ok "$backend: with the old name, all is well" until_ok 20 link_is True
	[ $backend = queue ] || ok "$backend: ... and the classes are there" until_ok 20 sh -c "ip netns exec $ns-r tc qdisc show dev wan | grep -q 7765:"
	until_ok 20 in_i ping -c 1 -W 1 10.77.2.2
	n=$(sent call)
	traffic 5000 30
	is "$backend: ... and count" $(($(sent call) - n)) 30
	# renamed, and ended at once: the news may not have been read
	ip -n "$ns-r" link set wan down
	ip -n "$ns-r" link set wan name dsl
	weir_stop
	ip -n "$ns-r" link set dsl name wan
	port r wan 10.77.2.1/24 fd77:2::1/64 2>/dev/null
	until_ok 20 in_i ping -c 1 -W 1 10.77.2.2
	look >"$tmp/after"
	ok "$backend: renamed and ended, nothing is left" diff "$tmp/before" "$tmp/after"
done

# ---- Two interfaces exchange their names
cat >"$tmp/p.yaml" <<'EOP'
links:
  - {name: up, interface: wan, backend: kernel, rate: 20mbit, classes: [{name: all, default: true, queue: fifo}]}
  - {name: down, interface: lan, backend: kernel, rate: 30mbit, classes: [{name: all, default: true, queue: fifo}]}
EOP
rates() { for d in lan wan; do in_r tc class show dev $d | sed -n 's/^class htb 7765:1 root.* rate \([^ ]*\) .*/'$d' \1/p'; done | xargs; }
: >"$tmp/weir.log"
weir_start "$tmp/p.yaml"
is "each has its rate" "$(rates)" "lan 30Mbit wan 20Mbit"
for d in wan lan; do ip -n "$ns-r" link set $d down; done
kill -STOP "$weir_pid" # so that it hears of all of it at once
ip -n "$ns-r" link set wan name x
ip -n "$ns-r" link set lan name wan
ip -n "$ns-r" link set x name lan
for d in wan lan; do ip -n "$ns-r" link set $d up; done
kill -CONT "$weir_pid"
changed_names() { [ "$(rates)" = "lan 30Mbit wan 20Mbit" ]; }
ok "after an exchange of names, too" until_ok 30 changed_names
ok "... and all is well" until_ok 30 "$WEIR" status --socket "$sock"
for d in wan lan; do ip -n "$ns-r" link set $d down; done
ip -n "$ns-r" link set wan name x
ip -n "$ns-r" link set lan name wan
ip -n "$ns-r" link set x name lan
weir_stop
is "and at the end there is nothing on either" "$(traces wan) $(traces lan)" "0 0"
port r wan 10.77.2.1/24 fd77:2::1/64 2>/dev/null
port r lan 10.77.1.1/24 fd77:1::1/64 2>/dev/null
until_ok 20 in_i ping -c 1 -W 1 10.77.2.2

# ---- What a class counted that is no more stays in the count of its link, as tc tells of 7765:1
counted() { # CLASSES
	cat >"$tmp/p.yaml" <<-EOP
	links:
	  - name: up
	    interface: wan
	    backend: kernel
	    rate: 20mbit
	    classes: [$1]
	EOP
}
call='{name: call, match: udp port 5000, queue: fifo, limit: 5000p}'
mail='{name: mail, match: udp port 5001, queue: fifo, limit: 5000p}'
rest='{name: rest, default: true, queue: fifo}'
two="{name: two, match: udp portrange 5000-5001, classes: [$call, {name: mail, default: true, queue: fifo}]}"
both='{name: two, match: udp portrange 5000-5001, queue: fifo, limit: 5000p}'
link_sent() { stats '[link("up")["sent"][k] for k in ("packets", "bytes")]'; }
tc_sent() { in_r tc -s class show dev wan | awk '/^class htb 7765:1 root/ { getline; print "[" $4 ", " $2 "]" }'; }
same_count() { [ "$(link_sent)" = "$(tc_sent)" ]; }
counted "$call, $mail, $rest"; weir_start "$tmp/p.yaml"
traffic 5000 40; traffic 5001 30
ok "a link's count is that of its class in tc" until_ok 5 same_count
for next in "$call, $rest" "$call, $mail, $rest" "$two, $rest" "$both, $rest" "$two, $rest" "$mail, $rest"; do
	counted "$next"
	"$WEIR" reload --socket "$sock" 2>>"$tmp/reload.err"
	ok "it stays that when the classes are: $(echo "$next" | grep -o 'name: [a-z]*' | cut -c7- | xargs)" until_ok 5 same_count
	traffic 5000 10; traffic 5001 10
	ok "... and after some more" until_ok 5 same_count
done
is "of all that were sent" "$([ "$(stats 'link("up")["sent"]["packets"]')" -ge 190 ] && echo all)" all
is "in = sent + dropped + waiting" "$(stats 'all(l["in"]["packets"] == l["sent"]["packets"] + l["dropped"]["packets"] + l["waiting"]["packets"] for l in d["links"])')" True
weir_stop

# ---- To another namespace and back
ip netns add "$ns-b"
for backend in queue mark kernel both; do
	[ $backend = both ] && both_ways || policy $backend
	: >"$tmp/weir.log"
	weir_start "$tmp/p.yaml"
	ip -n "$ns-r" link set wan netns "$ns-b"
	ok "$backend: that it went to another namespace is told" until_ok 20 told "link up: interface wan (is gone|went down): the link waits"
	ok "$backend: ... and known" until_ok 20 link_is False
	is "$backend: it took nothing of weir's along" "$(ip netns exec "$ns-b" tc qdisc show dev wan | grep -c -e 7765: -e ingress)" 0
	ip -n "$ns-b" link set wan netns "$ns-r"
	port r wan 10.77.2.1/24 fd77:2::1/64
	ok "$backend: back again, all is well" until_ok 20 link_is True
	[ $backend = queue ] || ok "$backend: ... and the classes are there" until_ok 20 sh -c "ip netns exec $ns-r tc qdisc show dev wan | grep -q 7765:"
	until_ok 20 in_i ping -c 1 -W 1 10.77.2.2
	n=$(sent call)
	traffic 5000 30
	is "$backend: ... and count" $(($(sent call) - n)) 30
	ip -n "$ns-r" link set wan netns "$ns-b"
	weir_stop
	is "$backend: ended while it is away" $? 0
	ip -n "$ns-b" link set wan netns "$ns-r"
	port r wan 10.77.2.1/24 fd77:2::1/64
	until_ok 20 in_i ping -c 1 -W 1 10.77.2.2
	look >"$tmp/after"
	ok "$backend: ... nothing is left" diff "$tmp/before" "$tmp/after"
done
finish
