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
