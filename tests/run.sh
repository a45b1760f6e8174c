#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs weir's tests and counts them.
#
#   BUILD=build bash tests/run.sh unit|props|layers|e2e|policies|net|kernel ...
#
# Every test program says its tests in TAP ("ok 1 - name", "not ok 2 - name"). A program
# counts as one test more, failed, when it exits badly without having said so, says less
# than it promised, or takes longer than TEST_TIMEOUT seconds. The last line is
# "N passed, N failed", with ", N skipped" when there are any; exit 1 when any failed.
# TOTALS=FILE: adds the three numbers to that file instead of printing the line.
#
# TEST_JOBS of them run side by side (as many as there are processors); those of tests/net that
# mostly wait, twice as many; those that look at time, alone. What they say comes in order.
set -uo pipefail

cd "$(dirname "$0")/.." || exit 2
BUILD=${BUILD:-build}
# The last resort against what never ends; a busy machine takes long, and that is no failure.
TEST_TIMEOUT=${TEST_TIMEOUT:-1800}
export BUILD WEIR="${WEIR:-$BUILD/weir}"
export CMOCKA_MESSAGE_OUTPUT=TAP
TEST_JOBS=${TEST_JOBS:-$(nproc)}
passed=0 failed=0 skipped=0
declare -A limit
. tests/together.sh
trap together_stop EXIT

# Of tests/net, those that hold no rate and no delay against a bound, nor fill the machine. Each
# has namespaces of its own, so they do not meet. A script that is not named here runs alone.
beside=" around backends backends-beside backends-reload criteria life many protocols tc tc-drift tc-line "
beside+="service sets tc-many tc-nat tc-parity tc-status top "
# those that a build which is slow can do too: rates and delays are looked at loosely or not at all
short="life protocols top backends backends-reload segments"

# ended NAME STATUS LOG: takes the TAP of a test that has ended into the totals
ended() {
	local name=$1 status=$2 log=$3 p f s plan
	[ "$status" != 124 ] || echo "not ok - $name: still running after ${limit[$name]} s" >>"$log"
	# cmocka says "not ok 5 # SKIP" of a test that skips itself
	s=$(grep -ciE '^(not )?ok\b.*# *skip' "$log")
	p=$(grep -E '^ok\b' "$log" | grep -civE '# *skip')
	f=$(grep -E '^not ok\b' "$log" | grep -civE '# *skip')
	plan=$(sed -nE 's/^1\.\.([0-9]+).*/\1/p' "$log" | awk '{n += $1} END {print n + 0}')
	if [ "$plan" -gt $((p + f + s)) ]; then
		echo "not ok - $name: $((p + f + s)) results of $plan" >>"$log"
		f=$((f + 1))
	fi
	if [ "$status" != 0 ] && [ "$f" = 0 ]; then
		echo "not ok - $name: exit status $status" >>"$log"
		f=1
	elif [ "$status" = 0 ] && [ $((p + f + s)) = 0 ]; then
		p=1
	fi
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	if [ "$f" = 0 ]; then
		echo "ok    $name ($p)"
		grep -iE '^(not )?ok\b.*# *skip' "$log" | sed 's/^/        /'
	else
		echo "FAIL  $name ($p passed, $f failed)"
		grep -vE '^ok\b' "$log" | tail -n 200 | sed 's/^/        /'
	fi
}

# run NAME COMMAND...
run() {
	limit[$1]=$TEST_TIMEOUT
	begin "$1" timeout -k 10 "$TEST_TIMEOUT" "${@:2}"
}

# sources PATTERN...: the files there are; none at all is a failure of the tree
sources() {
	local f some=
	for f in "$@"; do
		[ -e "$f" ] && some=1 && echo "$f"
	done
	[ -n "$some" ] || echo "none:$1"
}

# net NAME...: scripts of tests/net, those that run alone at the end
net() {
	local name alone=
	at_once $((2 * TEST_JOBS))
	for name in "$@"; do
		case $beside in
		*" $name "*) run "net/$name" bash "tests/net/$name.sh" ;;
		*) alone="$alone $name" ;;
		esac
	done
	at_once 1
	for name in $alone; do run "net/$name" bash "tests/net/$name.sh"; done
	at_once "$TEST_JOBS"
}

at_once "$TEST_JOBS"
for kind in "$@"; do
	case $kind in
	unit) list=$(sources tests/unit/test_*.c) ;;
	props) list=$(sources tests/props/prop_*.c) ;;
	e2e) list=$(sources tests/e2e/*.sh) ;;
	net-short) net $short; continue ;;
	net) list=$(sources tests/net/*.sh) ;;
	policies) list=$(sources policies/*.test.yaml) ;;
	layers) list=tests/layers.sh ;;
	# tests/kernel/guest/*.sh, in a virtual machine (after tests/kernel/fetch.sh)
	kernel) list=tests/kernel/run.sh ;;
	*) echo "run.sh: no such kind of test: $kind" >&2; exit 2 ;;
	esac
	netlist=
	for file in $list; do
		name=${file#tests/}
		case $file in
		none:*) run "$kind" sh -c "echo 'not ok - nothing matches ${file#none:}'; exit 1" ;;
		*/lib.sh | *-lib.sh) ;;
		# many scripts in one, on an emulated processor
		tests/kernel/run.sh) TEST_TIMEOUT=$((3 * TEST_TIMEOUT)) run kernel bash "$file" ;;
		tests/net/*.sh) netlist="$netlist $(basename "$file" .sh)" ;;
		*.c) run "${name%.c}" "$BUILD/${file%.c}" ;;
		*.sh) run "${name%.sh}" bash "$file" ;;
		*.test.yaml) run "$name" "$WEIR" test --format tap "$file" ;;
		esac
	done
	[ -z "$netlist" ] || net $netlist
done
all_ended

if [ -n "${TOTALS:-}" ]; then
	echo "$passed $failed $skipped" >>"$TOTALS"
else
	tail=
	[ "$skipped" = 0 ] || tail=", $skipped skipped"
	echo "$passed passed, $failed failed$tail"
fi
[ "$failed" = 0 ]
