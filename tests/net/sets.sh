#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Sets of addresses that change while weir runs: a flow that goes on has another class when its
# host comes into a set or leaves it; what cannot be read changes nothing and is told.
. "$(dirname "$0")/lib.sh"
router_up
have_queues || { ok "weir starts" false; finish; }

policy() { # BACKEND SET
	cat >"$tmp/p.yaml" <<-EOP
	links:
	  - name: up
	    interface: wan
	    backend: $1
	    rate: 100mbit
	    classes:
	      - {name: set, set: $2, queue: fifo, limit: 5000p}
	      - {name: rest, default: true, queue: fifo, limit: 5000p}
	EOP
}
in_class() { stats "cls('up', '$1')['in']['packets']"; }
more() { [ "$(in_class "$1")" -gt "$2" ]; }
# it goes to that class, now and from now on
goes_to() { until_ok 20 more "$1" $(($(in_class "$1") + 20)); }
no_more() { # CLASS: no packet of what goes on comes there while others come elsewhere
	local was=$(in_class "$1")
	goes_to "$2" && [ "$(in_class "$1")" = "$was" ]
}
settled() { goes_to "$2" && until_ok 20 no_more "$1" "$2"; }
flow() {
	ip netns exec "$ns-i" "$NETTOOL" send 10.77.2.2 5001 --pps 200 --count 1000000 --from 10.77.1.2:7777 >/dev/null &
	pids+=($!)
}
finding() { "$WEIR" status --socket "$sock" --json >"$tmp/status.json"; python3 - "$tmp/status.json" <<-EOP
	import json, sys
	j = json.load(open(sys.argv[1]))
	print(" ".join(f["kind"] + ":" + (f["cause"] or "") for f in j["findings"] if f["kind"] == "sets"))
	EOP
}
has_finding() { finding | grep -qE -- "$1"; }
no_finding() { [ -z "$(finding)" ]; }
logged() { grep -qE -- "$1" "$tmp/weir.log"; }

echo 192.0.2.1 >"$tmp/hosts.txt"
for backend in queue mark; do
	policy $backend hosts.txt
	echo 192.0.2.1 >"$tmp/hosts.txt"
	weir_start "$tmp/p.yaml" || { ok "$backend: weir starts" false; cat "$tmp/weir.log"; continue; }
	flow
	ok "$backend: a flow whose host is not in the file" goes_to rest
	echo 10.77.1.0/24 >"$tmp/new"
	mv "$tmp/new" "$tmp/hosts.txt"
	ok "$backend: a file is renamed over it: the flow has the class" settled rest set
	ok "$backend: which is logged" until_ok 20 logged 'set hosts\.txt: it has changed'
	echo 192.0.2.1 >"$tmp/hosts.txt"
	ok "$backend: it is written to: the flow has it no more" settled set rest
	printf '10.77.1.2\n10.77.1.300\n' >"$tmp/hosts.txt"
	ok "$backend: an error in it is told" until_ok 20 has_finding 'hosts\.txt:2:1'
	ok "$backend: and changes nothing" no_more set rest
	rm "$tmp/hosts.txt"
	ok "$backend: so is that it is gone" until_ok 20 has_finding 'No such file'
	ok "$backend: and changes nothing" no_more set rest
	echo 10.77.1.2 >"$tmp/hosts.txt"
	ok "$backend: it is there again: the flow has the class" settled rest set
	ok "$backend: and nothing is wrong any more" until_ok 20 no_finding
	# a reload follows what the new policy has
	policy $backend other.txt
	echo 192.0.2.1 >"$tmp/other.txt"
	ok "$backend: a reload" "$WEIR" reload --socket "$sock"
	ok "$backend: with another file" settled set rest
	echo 10.77.2.2 >"$tmp/other.txt"
	ok "$backend: which is followed now" settled rest set
	echo x >"$tmp/other.txt"
	status 1 "$backend: a reload with an error in a file is refused" reload --socket "$sock"
	like "$backend: with its place" "$tmp/err" 'other\.txt:1:1'
	kill "${pids[-1]}"
	ok "$backend: weir ends well" weir_stop
done
finish
