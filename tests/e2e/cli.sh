#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The command line: what exits how, and what goes where.
. "$(dirname "$0")/lib.sh"

status 2 "no command"
like "says how it is used" "$tmp/err" '[Uu]sage'
ok "on stderr only" empty "$tmp/out"
status 2 "an unknown command" chekc policies/home.yaml
status 0 "--help" --help
like "help goes to stdout" "$tmp/out" 'weir +replay'
status 0 "--version" --version
like "says the version" "$tmp/out" 'weir [0-9]+\.[0-9]+\.[0-9]+'

for command in check replay test; do
	status 2 "$command without arguments" $command
	status 2 "$command with an unknown option" $command --no-such-option x
done
status 2 "check of a file that is not there" check "$tmp/none.yaml"
like "names it" "$tmp/err" 'none\.yaml'
status 2 "replay of a capture that is not there" replay policies/home.yaml "$tmp/none.pcap"
like "names it" "$tmp/err" 'none\.pcap'
status 2 "replay with a policy that is not there" replay "$tmp/none.yaml" $captures/odd.pcap.gz
status 2 "replay with an unknown link" replay policies/home.yaml $captures/odd.pcap.gz --link wan-upp
like "names it" "$tmp/err" 'wan-upp'
status 2 "replay to a folder that is not there" replay policies/home.yaml $captures/odd.pcap.gz \
	--trace "$tmp/none/trace"
status 2 "test of a file that is not there" test "$tmp/none.test.yaml"

status 2 "top without a gateway" top --socket "$tmp/none.sock"
like "names the socket" "$tmp/err" 'none\.sock'
ok "and no table" empty "$tmp/out"
for wrong in "--interval 1" "--interval 0s" "--interval 10ms" "--interval 2h" "--interval x" "--count 0" \
	"--count -1" "--count 1x" "--count 99999999999999999999" "up down"; do
	status 2 "top $wrong" top $wrong
	like "says how it is used" "$tmp/err" 'usage: weir top '
done
status 0 "top --help" top --help
like "has its keys" "$tmp/out" 'q quit'

printf 'links: []\n' >"$tmp/bad.yaml"
status 1 "replay with a wrong policy" replay "$tmp/bad.yaml" $captures/odd.pcap.gz
ok "and no result" empty "$tmp/out"

# A full disk is an error, not a short result
full() { "$WEIR" "$@" >/dev/full 2>"$tmp/err"; [ $? = 2 ]; }
ok "check --print to a full disk" full check --print policies/home.yaml
ok "replay to a full disk" full replay policies/home.yaml $captures/odd.pcap.gz
ok "replay --json to a full disk" full replay policies/home.yaml $captures/odd.pcap.gz --json
status 2 "a trace to a full disk" replay policies/home.yaml $captures/home.pcap.gz --trace /dev/full
status 2 "a capture to a full disk" replay policies/home.yaml $captures/home.pcap.gz -o /dev/full

# Results to stdout, the rest to stderr
status 0 "a replay" replay policies/home.yaml $captures/home.pcap.gz
ok "has nothing to say on stderr" empty "$tmp/err"
for word in wan-up wan-down calls games lookups bulk work/ssh rest p50 p99; do
	like "its table has $word" "$tmp/out" "\\b$word\\b"
done
finish
