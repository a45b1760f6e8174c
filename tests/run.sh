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
set -uo pipefail

cd "$(dirname "$0")/.." || exit 2
BUILD=${BUILD:-build}
TEST_TIMEOUT=${TEST_TIMEOUT:-300}
export BUILD WEIR="${WEIR:-$BUILD/weir}"
export CMOCKA_MESSAGE_OUTPUT=TAP
passed=0 failed=0 skipped=0
log=$(mktemp) || exit 2
trap 'rm -f "$log"' EXIT

# count NAME STATUS: takes the TAP in $log into the totals
count() {
	local name=$1 status=$2 p f s plan
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
	local name=$1 status
	shift
	timeout -k 10 "$TEST_TIMEOUT" "$@" >"$log" 2>&1 </dev/null
	status=$?
	[ $status != 124 ] || echo "not ok - $name: still running after $TEST_TIMEOUT s" >>"$log"
	count "$name" $status
}

# sources PATTERN...: the files there are; none at all is a failure of the tree
sources() {
	local f some=
	for f in "$@"; do
		[ -e "$f" ] && some=1 && echo "$f"
	done
	[ -n "$some" ] || echo "none:$1"
}

for kind in "$@"; do
	case $kind in
	unit) list=$(sources tests/unit/test_*.c) ;;
	props) list=$(sources tests/props/prop_*.c) ;;
	e2e) list=$(sources tests/e2e/*.sh) ;;
	# those that look at rates and delays loosely or not at all, for builds that are slow
	net-short) list="tests/net/life.sh tests/net/protocols.sh tests/net/top.sh tests/net/segments.sh" ;;
	net) list=$(sources tests/net/*.sh) ;;
	policies) list=$(sources policies/*.test.yaml) ;;
	layers) list=tests/layers.sh ;;
	# tests/kernel/guest/*.sh, in a virtual machine (after tests/kernel/fetch.sh)
	kernel) list=tests/kernel/run.sh ;;
	*) echo "run.sh: no such kind of test: $kind" >&2; exit 2 ;;
	esac
	for file in $list; do
		name=${file#tests/}
		case $file in
		none:*)
			echo "not ok - nothing matches ${file#none:}" >"$log"
			count "$kind" 1
			;;
		*/lib.sh) ;;
		# many scripts in one, on an emulated processor
		tests/kernel/run.sh) TEST_TIMEOUT=$((3 * TEST_TIMEOUT)) run kernel bash "$file" ;;
		*.c) run "${name%.c}" "$BUILD/${file%.c}" ;;
		*.sh) run "${name%.sh}" bash "$file" ;;
		*.test.yaml) run "$name" "$WEIR" test --format tap "$file" ;;
		esac
	done
done

if [ -n "${TOTALS:-}" ]; then
	echo "$passed $failed $skipped" >>"$TOTALS"
else
	tail=
	[ "$skipped" = 0 ] || tail=", $skipped skipped"
	echo "$passed passed, $failed failed$tail"
fi
[ "$failed" = 0 ]
