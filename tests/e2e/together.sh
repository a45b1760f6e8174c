#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# How tests run side by side (tests/together.sh): told in order, so many at once and no more,
# and none that fails, is killed or still runs at the end is lost. And that tests/run.sh fails
# when one of them does.
. "$(dirname "$0")/lib.sh"

# Waits until a file is there, which another command makes
printf '#!/bin/bash\nexec {n}<> <(:)\nuntil [ -e "$1" ]; do read -rt 0.02 -u "$n"; done\nexit 0\n' >"$tmp/await"
chmod +x "$tmp/await"
cat >"$tmp/head" <<'EOP'
set -uo pipefail
. tests/together.sh
trap together_stop EXIT
ended() { printf '%s %s %s;' "$1" "$2" "$(tr '\n' ' ' <"$3")"; }
EOP
# told NAME EXPECTED: what is told by the commands on standard input, and the exit status
told() {
	cat "$tmp/head" - >"$tmp/script"
	rm -rf "$tmp/d"
	mkdir "$tmp/d"
	TMPDIR=$tmp/d D=$tmp/d A=$tmp/await LC_ALL=C timeout 60 bash "$tmp/script" >"$tmp/out" 2>"$tmp/err"
	is "$1" "$?;$(cat "$tmp/out")" "$2"
}

# a can only end after b: were they not side by side, this would not end
told "two at once, told in order" "0;a 0 a ;b 0 b ;c 0 c ;" <<'EOP'
at_once 2
begin a sh -c '$A $D/b; echo a'
begin b sh -c 'echo b; touch $D/b'
begin c echo c
all_ended
EOP
told "three places, then one: no two at once" "0;a 0 ;b 0 ;c 0 ;x 0 ;y 0 ;z 0 ;" <<'EOP'
at_once 3
begin a $A $D/c
begin b $A $D/c
begin c touch $D/c
at_once 1
for n in x y z; do begin $n sh -c 'mkdir $D/one || exit; ls / >/dev/null; rmdir $D/one'; done
all_ended
EOP
told "a place is free as soon as any has ended" "0;a 0 ;b 1 ;c 0 ;" <<'EOP'
at_once 2
begin a $A $D/c
begin b false
begin c touch $D/c
all_ended
EOP
told "how each ended is told" "0;a 3 out err ;b 137 ;c 127 env: 'no-such-program': No such file or directory ;" <<'EOP'
at_once 2
begin a sh -c 'echo out; echo err >&2; exit 3'
begin b sh -c 'kill -9 $$'
begin c no-such-program
all_ended
EOP
ok "... and nothing else" empty "$tmp/err"
told "one that is killed from outside, with all that could tell, has failed" "0;a 137 ;b 0 ;c 0 ;" <<'EOP'
at_once 2
begin a sh -c 'echo $$ >$D/a.new; mv $D/a.new $D/a; exec $A $D/never'
$A $D/a
kill -9 "${runners[0]}" "$(cat $D/a)"
begin b true
at_once 1
begin c true
all_ended
EOP
told "no places are none: said" "2;" <<<'at_once 0; begin a true; all_ended'
like "... and what" "$tmp/err" '^"0" tests side by side'
told "SIGINT and SIGQUIT are what they are in the foreground" "0;a 0 1 ;" <<'EOP'
at_once 1
# the last digit of the signals that are ignored, in hexadecimal: 2 is SIGINT, 4 SIGQUIT
begin a awk '/^SigIgn/ { print $2 ~ /[0189]$/ }' /proc/self/status
all_ended
EOP
told "a script that ends before ends what it began" "7;" <<'EOP'
at_once 1
begin a sh -c 'echo $$ >$D/a.new; mv $D/a.new $D/a; exec $A $D/never'
$A $D/a
cp $D/a $D/../pid
exit 7
EOP
ok "... it is gone" sh -c "! kill -0 $(cat "$tmp/pid")"
ok "... and so is what was written meanwhile" sh -c "! ls -d $tmp/d/tmp.*"

# tests/run.sh itself, on a tree of one file of each kind
mkdir -p "$tmp/tree/tests/unit" "$tmp/tree/tests/net" "$tmp/tree/build/tests/unit"
cp tests/run.sh tests/together.sh "$tmp/tree/tests/"
unit() { # NAME WHAT-IT-DOES
	: >"$tmp/tree/tests/unit/test_$1.c"
	printf '#!/bin/sh\n%s\n' "$2" >"$tmp/tree/build/tests/unit/test_$1"
	chmod +x "$tmp/tree/build/tests/unit/test_$1"
}
runs() { # NAME STATUS LAST-LINE KIND...
	local name=$1 want=$2 last=$3
	shift 3
	TOTALS='' BUILD=build TEST_TIMEOUT=${limit:-300} TEST_JOBS=2 bash "$tmp/tree/tests/run.sh" "$@" >"$tmp/out" 2>&1
	is "$name" "$? $(tail -n 1 "$tmp/out")" "$want $last"
}
unit a 'echo 1..2; echo ok 1; echo ok 2'
unit b 'echo 1..2; echo ok 1; echo "ok 2 # SKIP not here"'
runs "all passed: exit 0" 0 "3 passed, 0 failed, 1 skipped" unit
is "... each is told, in order" "$(grep -c . "$tmp/out") $(sed -n 1p "$tmp/out")" "4 ok    unit/test_a (2)"
unit b 'echo 1..2; echo ok 1; echo "not ok 2 - bad"; echo "# why"; exit 1'
runs "one that failed: exit 1" 1 "3 passed, 1 failed" unit
like "... and says why" "$tmp/out" '^        # why$'
unit b 'echo 1..2; echo ok 1'
runs "one that says less than it promised" 1 "3 passed, 1 failed" unit
unit b 'kill -9 $$'
runs "one that is killed" 1 "2 passed, 1 failed" unit
unit b 'exec tail -f /dev/null'
limit=2 runs "one that does not end" 1 "2 passed, 1 failed" unit
like "... is told" "$tmp/out" 'not ok - unit/test_b: still running after 2 s'
rm "$tmp/tree/build/tests/unit/test_b"
runs "one that is not there" 1 "2 passed, 1 failed" unit
runs "a kind of which there is nothing" 1 "0 passed, 1 failed" e2e
# of the network's: one that runs beside others, two that run alone, of which the last fails
for n in tc zz yy; do echo 'echo ok 1; [ "${0##*/}" != zz.sh ]' >"$tmp/tree/tests/net/$n.sh"; done
echo false >"$tmp/tree/tests/net/lib.sh"
echo false >"$tmp/tree/tests/net/tc-lib.sh"
runs "scripts of the network" 1 "3 passed, 1 failed" net
is "... all but what they share" "$(grep -oE 'net/[a-z-]+ ' "$tmp/out" | tr -d '\n')" "net/tc net/yy net/zz "
finish
