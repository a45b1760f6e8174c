#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What README.md tells people to type does what it says.
. "$(dirname "$0")/lib.sh"

# block N LANGUAGE: the Nth block of that language, without its indentation
block() {
	awk -v n="$1" -v lang="$2" '
		/^ *```/ { if (in_block) { in_block = 0; next }
			in_block = 1; indent = index($0, "`") - 1; take = ($0 ~ "```" lang "$") && ++count == n; next }
		in_block && take { print substr($0, indent + 1) }' README.md
}
block 1 yaml >"$tmp/first.yaml"
block 2 yaml >"$tmp/first.test.yaml"
ok "there is a first policy" grep -q '^links:' "$tmp/first.yaml"
ok "and a first test" grep -q '^tests:' "$tmp/first.test.yaml"

run_block() { # N: the commands, with build/weir being the program under test
	block "$1" sh | sed "s|build/weir|$WEIR|; s|first\\.|$tmp/first.|" >"$tmp/commands"
	grep -q weir "$tmp/commands" && bash -e "$tmp/commands" >"$tmp/out" 2>&1
}
ok "check" run_block 2
like "says that it is valid" "$tmp/out" ': valid;'
status 0 "check --print" check --print "$tmp/first.yaml"
like "fills in defaults" "$tmp/out" 'queue: fq_codel'
ok "replay" run_block 3
like "shows the calls" "$tmp/out" '\bcalls\b'
ok "test" run_block 4

sed -i 's/portrange 10000-20000/portrange 30000-40000/' "$tmp/first.yaml"
status 1 "with calls elsewhere it fails" test "$tmp/first.test.yaml"
like "says what was expected" "$tmp/out" 'calls'
like "and what was found" "$tmp/out" 'rest'

for file in $(grep -oE '`(policies|tests|man|\.ci)/[A-Za-z0-9_./-]+`' README.md | tr -d '`' | sort -u); do
	ok "$file is there" test -e "$file"
done
for target in $(grep -oE 'make [a-z]+' README.md | awk '{print $2}' | grep -vE '^(alone|them|it)$' | sort -u); do
	ok "make $target is a target" make -n "$target"
done
finish
