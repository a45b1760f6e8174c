#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Encapsulations, fragments, cut and lying packets: each where make-odd.py says it belongs.
. "$(dirname "$0")/lib.sh"

python3 $captures/make-odd.py >"$tmp/odd.pcap"
ok "the shipped capture is what the script makes" cmp <(zcat $captures/odd.pcap.gz) "$tmp/odd.pcap"
status 0 "replay" replay tests/e2e/odd.yaml $captures/odd.pcap.gz --trace "$tmp/trace"
python3 $captures/make-odd.py --expect >"$tmp/expect"
is "a line for each" "$(lines "$tmp/trace")" $(($(lines "$tmp/expect") + 1))

while IFS=$'\t' read -r n class charged what; do
	IFS=$'\t' read -r _ _ _ got length verdict _ < <(sed -n "$((n + 1))p" "$tmp/trace")
	case $class in
	'?') continue ;; # a lie so bad that any answer will do
	-) is "frame $n, $what" "$verdict" passed ;;
	*) is "frame $n, $what" "$got" "$class" ;;
	esac
	[ "$charged" = - ] || is "frame $n, its length" "$length" "$charged"
done <"$tmp/expect"
finish
