#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Classes that ask for a set: files in the policy's folder, what is wrong with one, and sets of
# nftables, which are not known here.
. "$(dirname "$0")/lib.sh"

mkdir -p "$tmp/etc"
policy() { # SETS
	cat >"$tmp/etc/p.yaml" <<-END
		links:
		  - name: up
		    rate: 20mbit
		    classes:
		      - {name: set, set: $1}
		      - {name: rest, default: true}
	END
}
policy hosts.txt
printf '# one\n192.168.1.10\n' >"$tmp/etc/hosts.txt"
status 0 "a file in the policy's folder" check "$tmp/etc/p.yaml"
status 0 "a replay" replay "$tmp/etc/p.yaml" $captures/home.pcap.gz --trace "$tmp/trace"
in_set() { awk -F'\t' 'NR > 1 && $4 == "set"' "$1" | wc -l; }
with=$(in_set "$tmp/trace")
is "has the packets of that host in the class" "$with" \
	"$(zcat $captures/home.pcap.gz | tcpdump -nr - 'ip host 192.168.1.10' 2>/dev/null | wc -l)"
ok "which are some" test "$with" -gt 0

printf 'links:\n  - {name: up, rate: 20mbit, classes: [{name: set, set: hosts.txt}, {name: rest, default: true}]}\n' >"$tmp/stdin.yaml"
ok "of a policy on standard input: from where one is" sh -c \
	"cd $tmp/etc && $(realpath "$WEIR") check - <$tmp/stdin.yaml"

status 0 "printed" check --print "$tmp/etc/p.yaml"
like "with its key" "$tmp/out" 'set: \[{file: hosts.txt, match: either}\]'
cp "$tmp/out" "$tmp/etc/q.yaml"
status 0 "the print's replay" replay "$tmp/etc/q.yaml" $captures/home.pcap.gz --trace "$tmp/again"
ok "gives the same" cmp "$tmp/trace" "$tmp/again"

printf '192.168.1.10\n 10.0.0.1/8\nx\n' >"$tmp/etc/hosts.txt"
status 1 "a file with errors" check "$tmp/etc/p.yaml"
like "of bits behind the prefix: where, and what is meant" "$tmp/err" 'hosts\.txt:2:2: .*did you mean "10\.0\.0\.0/8"'
like "of what is none" "$tmp/err" 'hosts\.txt:3:1: "x" is not a network'
status 1 "is none for a replay" replay "$tmp/etc/p.yaml" $captures/home.pcap.gz
rm "$tmp/etc/hosts.txt"
status 1 "a file that is not there" check "$tmp/etc/p.yaml"
like "is told where it is named" "$tmp/err" 'p\.yaml:5:26: .*No such file'
mkfifo "$tmp/etc/hosts.txt"
status 1 "a pipe" check "$tmp/etc/p.yaml"
like "is none" "$tmp/err" 'no regular file'
rm "$tmp/etc/hosts.txt"
seq 0 999999 | awk '{printf "10.%d.%d.%d\n", $1 / 65536, $1 / 256 % 256, $1 % 256}' >"$tmp/etc/hosts.txt"
status 0 "a million of them" check "$tmp/etc/p.yaml"

policy '{nft: inet filter kids, match: src}'
status 0 "a set of nftables is valid" check "$tmp/etc/p.yaml"
status 1 "but not known here" replay "$tmp/etc/p.yaml" $captures/home.pcap.gz
like "which is told with what helps" "$tmp/err" 'p\.yaml:5:32: .*--set "inet filter kids=FILE"'
echo 192.168.1.10 >"$tmp/kids"
status 0 "a file for it" replay "$tmp/etc/p.yaml" $captures/home.pcap.gz --set "inet filter kids=$tmp/kids" --trace "$tmp/trace"
is "is used" "$(in_set "$tmp/trace")" \
	"$(zcat $captures/home.pcap.gz | tcpdump -nr - 'ip src host 192.168.1.10' 2>/dev/null | wc -l)"
status 1 "a name that no class asks for" replay "$tmp/etc/p.yaml" $captures/home.pcap.gz --set "inet x y=$tmp/kids"
status 2 "no file for it" replay "$tmp/etc/p.yaml" $captures/home.pcap.gz --set "inet filter kids"
echo 192.168.1 >"$tmp/kids"
status 1 "a wrong one" replay "$tmp/etc/p.yaml" $captures/home.pcap.gz --set "inet filter kids=$tmp/kids"
like "with its line" "$tmp/err" 'kids:1:1: '
finish
