#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What counts as failed of what a virtual machine told (tests/kernel/tap.awk): all that is
# missing in it.
. "$(dirname "$0")/lib.sh"

# tap NAME STATUS FAILED: of the log on standard input, in which a and b should have run
tap() {
	tr '|' '\n' >"$tmp/log"
	awk -v tests="a b" -f tests/kernel/tap.awk "$tmp/log" >"$tmp/tap"
	is "$1: exit status" $? "$2"
	is "$1: not ok" "$(sed -nE 's/^not ok [0-9]+ - //p' "$tmp/tap" | tr '\n' ';')" "$3"
	is "$1: its plan" "$(grep -cE '^(not )?ok ' "$tmp/tap")" "$(sed -n 's/^1\.\.//p' "$tmp/tap")"
}
a='== begin a|ok 1 - x|ok 2 - y|1..2|== end a 0 7'
b='== begin b|ok 1 - z|1..1|== end b 0'
tap "all is well" 0 "" <<<"== up 6.1|$a|$b|== done"
like "how long a test took is told" "$tmp/tap" '^# a: 7 s$'
is "results say of which test they are" "$(grep '^ok 3' "$tmp/tap")" "ok 3 - b: z"
tap "carriage returns" 0 "" < <(printf '== up 6.1\r|%s\r|%s\r|== done\r' "${a//|/$'\r'|}" "${b//|/$'\r'|}")
tap "nothing" 1 "the virtual machine comes up;a: it has not run;b: it has not run;" </dev/null
tap "stopped in a test" 1 "a: the virtual machine stopped in it;b: it has not run;the virtual machine runs to its end;" <<<"== up 6.1|== begin a|ok 1 - x"
tap "stopped between tests" 1 "b: it has not run;the virtual machine runs to its end;" <<<"== up 6.1|$a"
tap "stopped after the last" 1 "the virtual machine runs to its end;" <<<"== up 6.1|$a|$b"
tap "a test that was left out" 1 "b: it has not run;" <<<"== up 6.1|$a|== done"
tap "a test that fails" 1 "b: z;" <<<"== up 6.1|$a|== begin b|not ok 1 - z|1..1|== end b 1|== done"
tap "fewer than promised" 1 "b: 1 results, 2 were promised;" <<<"== up 6.1|$a|${b/1..1/1..2}|== done"
tap "nothing promised" 1 "b: 1 results, and it did not say how many there should be;" <<<"== up 6.1|$a|${b/1..1/}|== done"
tap "a bad end" 1 "b: exit status 3;" <<<"== up 6.1|$a|${b/b 0/b 3}|== done"
tap "one that skips itself" 1 "b: may not be skipped: no network namespaces;" <<<"== up 6.1|$a|== begin b|1..0 # SKIP no network namespaces|ok 1 # SKIP no network namespaces|== end b 0|== done"
finish
