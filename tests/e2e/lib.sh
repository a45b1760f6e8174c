# SPDX-License-Identifier: GPL-2.0-or-later
# What the black-box tests share. Each begins with `. "$(dirname "$0")/lib.sh"`, says its
# results with ok, is, like and status, and ends with `finish`; a script that stops before
# has failed. They run in the top folder of the tree.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 2
WEIR=${WEIR:-${BUILD:-build}/weir}
case $WEIR in */*) WEIR=$(realpath "$WEIR") ;; esac
captures=tests/captures
tmp=$(mktemp -d) || exit 2
tests=0 failures=0 finished=

trap 'end=$?; [ "$BASHPID" = $$ ] || exit "$end"; rm -rf "$tmp"; [ -n "$finished" ] || { echo "not ok - the script stopped early ($end)"; exit 1; }' EXIT

# ok NAME CONDITION...: runs a command, which says by its exit status whether it holds
ok() {
	local name=$1
	shift
	tests=$((tests + 1))
	if "$@" >"$tmp/ok.log" 2>&1; then
		echo "ok $tests - $name"
	else
		failures=$((failures + 1))
		echo "not ok $tests - $name"
		{ echo "$ $*"; tail -n 20 "$tmp/ok.log"; } | sed 's/^/# /'
	fi
}

# status WANTED NAME ARGUMENTS...: weir with those arguments must exit so.
# Its output is then in $tmp/out and $tmp/err.
status() {
	local want=$1 name=$2 got
	shift 2
	tests=$((tests + 1))
	"$WEIR" "$@" >"$tmp/out" 2>"$tmp/err"
	got=$?
	if [ "$got" = "$want" ]; then
		echo "ok $tests - $name: exit $want"
	else
		failures=$((failures + 1))
		echo "not ok $tests - $name: exit $got, expected $want"
		{ echo "$ weir $*"; tail -n 20 "$tmp/err"; } | sed 's/^/# /'
	fi
}

# is NAME FOUND EXPECTED
is() {
	tests=$((tests + 1))
	if [ "$2" = "$3" ]; then
		echo "ok $tests - $1"
	else
		failures=$((failures + 1))
		echo "not ok $tests - $1"
		printf '%s\n' "found:    $2" "expected: $3" | sed 's/^/# /'
	fi
}

# like NAME FILE REGEX: a line of the file matches
like() { ok "$1" grep -qE -- "$3" "$2"; }
# unlike NAME FILE REGEX: none does
unlike() { ok "$1" lacks "$2" "$3"; }
lacks() { ! grep -nE -- "$2" "$1"; }
empty() { [ ! -s "$1" ] || { head -n 5 "$1"; false; }; }
lines() { wc -l <"$1" | tr -d ' '; }

finish() {
	finished=1
	echo "1..$tests"
	[ "$failures" = 0 ]
	exit
}
