#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tc behind address translation: filters that name inside hosts mean there what they mean
# before it; what cannot be had so is told, and refused under --strict.
. "$(dirname "$0")/lib.sh"
router_up
ip -n "$ns-i" addr add 10.77.1.3/24 dev e
cat >"$tmp/p.yaml" <<'EOP'
links:
  - name: up
    interface: wan
    rate: 50mbit
    classes:
      - name: boss
        match: src host 10.77.1.3
        classes:
          - {name: mail, match: udp port 5001, queue: fifo}
          - {name: other, default: true, queue: fifo}
      - {name: game, match: udp src port 4000, dscp: [0], queue: fifo}
      - {name: own, match: ip6, queue: fifo}
      - {name: rest, default: true, queue: fifo}
EOP
wtc() { in_r "$WEIR" tc "$@" >"$tmp/out" 2>"$tmp/err"; }
packets() { # CLASS: packets that HTB has sent of it
	local id
	id=$(in_r "$WEIR" tc show "$tmp/p.yaml" --json | python3 -c "
import json, sys
print(next(c['classid'] for l in json.load(sys.stdin)['links'] for c in l['classes'] if c['class'] == '$1'))")
	# this tc has no JSON for the statistics of HTB's classes
	in_r tc -s class show dev wan | awk -v id="$id" '
		$1 == "class" { here = $3 == id }
		here && $1 == "Sent" { print $4 }'
}
# In each of four classes a number of its own
traffic() {
	recv_start o "$1" 5001 --count 36
	in_i "$NETTOOL" send 10.77.2.2 5001 --from 10.77.1.3 --pps 2000 --count 11 >/dev/null
	in_i "$NETTOOL" send 10.77.2.2 5002 --from 10.77.1.3 --pps 2000 --count 13 >/dev/null
	in_i "$NETTOOL" send 10.77.2.2 5001 --from 10.77.1.2:4000 --pps 2000 --count 17 >/dev/null
	in_i "$NETTOOL" send 10.77.2.2 5001 --from 10.77.1.2 --pps 2000 --count 8 >/dev/null
	recv_end "$1"
}
counts() { echo "$(packets boss/mail) $(packets boss/other) $(packets game) $(packets rest)"; }

# What comes in is classified before addresses are translated back
cat >"$tmp/in.yaml" <<'EOP'
links:
  - {name: down, interface: wan, direction: ingress, backend: kernel, rate: 50mbit, classes: [
      {name: boss, match: dst net 10.77.1.3/32, queue: fifo},
      {name: far, match: src net 10.9.0.0/16, queue: fifo}, {name: rest, default: true, queue: fifo}]}
EOP
matches() { in_r "$WEIR" tc show "$tmp/in.yaml" --json | python3 -c "
import json, sys
print([(n['class'], n['exact']) for n in json.load(sys.stdin)['links'][0]['notes'] if n['key'] == 'match'])"; }
is "without translation, filters of what comes in are exact" "$(matches)" "[('boss', True), ('far', True)]"

wtc apply "$tmp/p.yaml"
is "apply without translation" $? 0
ok "makes no table" sh -c "! ip netns exec $ns-r nft list tables | grep -q weir-tc"
traffic one
is "each packet is in its class" "$(counts)" "11 13 17 8"
wtc remove "$tmp/p.yaml"

in_r nft -f - <<-'EOP'
	table ip nat {
		chain post {
			type nat hook postrouting priority srcnat
			oifname "wan" masquerade fully-random
		}
	}
EOP
is "with it, those that name inside hosts are not" "$(matches)" "[('boss', False), ('far', True)]"
wtc apply "$tmp/p.yaml"
is "apply with translation" $? 0
ok "makes a table that classifies before it" sh -c "ip netns exec $ns-r nft list tables | grep -q 'inet weir-tc-wan'"
traffic two
is "each packet is in the same class as before" "$(counts)" "11 13 17 8"
ok "while the wire has other addresses" test "$(got two ports)" -gt 2
wtc diff "$tmp/p.yaml"
is "nothing differs" $? 0
in_r nft list table inet weir-tc-wan >"$tmp/table"
wtc apply "$tmp/p.yaml"
in_r nft list table inet weir-tc-wan >"$tmp/table2"
ok "applying it again changes nothing" cmp "$tmp/table" "$tmp/table2"

# Drift: rules that somebody flushed are seen, and mended
in_r nft flush chain inet weir-tc-wan c0
wtc diff "$tmp/p.yaml"
is "a rule that is missing is a difference" $? 1
like "... and is told" "$tmp/out" "weir-tc-wan"
wtc apply "$tmp/p.yaml"
is "apply mends it" $? 0
traffic three
is "and packets are in their classes again" "$(counts)" "22 26 34 16"
# ... one that was put in the place of another
handle=$(in_r nft -a list chain inet weir-tc-wan c0 2>/dev/null | sed -n 's/.*# handle \([0-9]*\)$/\1/p' | tail -n 1)
drift() { # WHAT COMMAND...
	local what=$1
	shift
	"$@" 2>"$tmp/nft" || sed 's/^/# /' "$tmp/nft"
	wtc diff "$tmp/p.yaml"
	is "$what is a difference" "$? $(cut -c1-7 "$tmp/out")" "1 ${sign:-~} wan: "
	wtc apply "$tmp/p.yaml" && wtc diff "$tmp/p.yaml"
	is "... and mended" "$? $(cat "$tmp/out")" "0 "
}
drift "a rule in the place of another" in_r nft replace rule inet weir-tc-wan c0 handle "$handle" accept
drift "a chain that drops" in_r nft 'add chain inet weir-tc-wan classify { policy drop; }'
drift "a table that sleeps" in_r nft 'add table inet weir-tc-wan { flags dormant; }'
empty_table() { in_r nft 'delete table inet weir-tc-wan; add table inet weir-tc-wan'; }
sign=+ drift "a table that is empty" empty_table
traffic four
is "and packets are in their classes again" "$(counts)" "33 39 51 24"
empty_table
wtc remove "$tmp/p.yaml"
ok "remove takes the table away" sh -c "! ip netns exec $ns-r nft list tables | grep -q weir-tc"

# A program that is too long for xt_bpf: what would mean something else is told
{
	echo 'links:'
	echo '  - name: up'
	echo '    interface: wan'
	echo '    rate: 50mbit'
	echo '    classes:'
	printf '      - {name: many, match: "src host 10.77.1.3'
	for i in $(seq 80); do printf ' or src host 10.99.%d.1' "$i"; done
	echo '", queue: fifo}'
	echo '      - {name: ports, match: udp dst port 7, queue: fifo}'
	echo '      - {name: rest, default: true, queue: fifo}'
} >"$tmp/long.yaml"
wtc apply "$tmp/long.yaml" --strict
is "--strict refuses a filter that translation changes and that cannot be asked before it" $? 1
like "... and says which" "$tmp/err" 'long.yaml:6:[0-9]+: .*translat'
unlike "... and only that one" "$tmp/err" 'long.yaml:7:'
ok "nothing was made" sh -c "! ip netns exec $ns-r tc qdisc show dev wan | grep -q htb"
wtc apply "$tmp/long.yaml"
is "without --strict it is a warning" $? 0
like "... of that filter" "$tmp/err" 'long.yaml:6:[0-9]+: warning: .*translat'
wtc remove "$tmp/long.yaml"
finish
