#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The manual: well-formed, and with every key, option and command in it.
. "$(dirname "$0")/lib.sh"

for page in weir.1 weir-policy.5 weir-test.5; do
	ok "$page is there" test -s "man/$page"
	[ -s "man/$page" ] || continue
	ok "$page is clean" mandoc -Tlint -Wwarning "man/$page"
	mandoc -Tascii "man/$page" | sed 's/.\x08//g' >"$tmp/$page"
done
for policy in policies/*.yaml; do
	case $policy in *.test.yaml) continue ;; esac
	"$WEIR" check --print "$policy"
done | grep -oE '^ *(- )?[a-z-]+:' | tr -d ' :' | sed 's/^-//' | sort -u >"$tmp/keys"
ok "the printed policies have keys" test "$(lines "$tmp/keys")" -gt 20
[ -e "$tmp/weir-policy.5" ] && for key in $(cat "$tmp/keys") host-max flow-max set-dscp deadline max-latency max-jitter; do
	like "weir-policy(5) has $key" "$tmp/weir-policy.5" "(^|[^a-z-])$key([^a-z-]|\$)"
done
[ -e "$tmp/weir.1" ] && for word in check replay test run status stats top reload tc show apply diff remove parity --strict --replace --interval --count --socket --metrics --user --print --json --trace --link -o --format; do
	like "weir(1) has $word" "$tmp/weir.1" "(^|[^a-z-])$word([^a-z-]|\$)"
done
finish
