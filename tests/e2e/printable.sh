#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Whatever a file, an option or an argument is called, no control character of it reaches the
# terminal, and none forges a line.
. "$(dirname "$0")/lib.sh"

evil=$'\x1b]0;pwn\x07\nweir: forged\x9b'
# clean NAME ARGUMENT...: what is printed has no control characters but the ends of lines
clean() {
	local name=$1
	shift
	"$WEIR" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
	ok "$name: it says something" [ -s "$tmp/err" -o -s "$tmp/out" ]
	ok "$name: no control characters" sh -c "! cat '$tmp/out' '$tmp/err' | LC_ALL=C tr -d '\\n' | LC_ALL=C grep -q '[[:cntrl:]]'"
	ok "$name: no line is forged" sh -c "! cat '$tmp/out' '$tmp/err' | grep -q '^weir: forged'"
}
cp policies/home.yaml "$tmp/$evil.yaml"
printf 'links: [{nme: x}]\n' >"$tmp/$evil-bad.yaml"
printf 'policy: nowhere.yaml\ntests: []\n' >"$tmp/$evil.test.yaml"
clean "a command" "$evil"
for c in check test run tc; do
	clean "$c, a file that is not there" $c "$tmp/no$evil"
	clean "$c, an option" $c "--$evil" x
	clean "$c, a short option" $c "-$evil" x
done
clean "check, a valid policy" check "$tmp/$evil.yaml"
clean "check, a bad one" check "$tmp/$evil-bad.yaml"
clean "replay, a policy" replay "$tmp/$evil.yaml" $captures/odd.pcap.gz
clean "replay, a capture" replay policies/home.yaml "$tmp/no$evil"
clean "replay, a link" replay policies/home.yaml $captures/odd.pcap.gz --link "$evil"
clean "replay, an output" replay policies/home.yaml $captures/odd.pcap.gz --trace "$tmp/no/$evil"
clean "test, a bad test" test "$tmp/$evil.test.yaml"
clean "test, a format" test --format "$evil" policies/home.test.yaml
clean "run, metrics" run policies/home.yaml --metrics "$evil"
clean "run, a user" run policies/home.yaml --user "$evil"
clean "run, a number" run policies/home.yaml --queue-from "$evil"
clean "status, a socket" status --socket "/no$evil"
clean "top, an interval" top --interval "$evil"
clean "tc show, a policy" tc show "$tmp/$evil.yaml"
clean "tc, a command" tc "$evil"
finish
