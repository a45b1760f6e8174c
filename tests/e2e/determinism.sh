#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The same input gives the same bytes: again, elsewhere, in another language, without ASLR.
. "$(dirname "$0")/lib.sh"

all() { # FOLDER COMMAND...: all outputs of a replay into a folder
	local to=$1
	shift
	mkdir -p "$to"
	"$@" "$WEIR" replay policies/home.yaml $captures/home.pcap.gz --trace "$to/trace" \
		-o "$to/out.pcap" >"$to/text" 2>"$to/err" &&
		"$@" "$WEIR" replay policies/home.yaml $captures/home.pcap.gz --json >"$to/json" &&
		"$@" "$WEIR" check --print policies/home.yaml >"$to/policy" &&
		"$@" "$WEIR" test policies/home.test.yaml >"$to/test"
}
ok "the first run" all "$tmp/first" env
ok "a second" all "$tmp/again" env
ok "gives the same" diff -rq "$tmp/first" "$tmp/again"
ok "in another time zone" all "$tmp/tz" env TZ=Asia/Kolkata
ok "gives the same" diff -rq "$tmp/first" "$tmp/tz"
for locale in $(locale -a 2>/dev/null | grep -iE '^(C\.utf|de_|fr_|tr_|hi_)' | head -n 4) de_DE.UTF-8; do
	ok "with LC_ALL=$locale" all "$tmp/$locale" env LC_ALL="$locale" LANGUAGE=de
	ok "gives the same" diff -rq "$tmp/first" "$tmp/$locale"
done
if setarch -R true 2>/dev/null; then
	ok "without ASLR" all "$tmp/aslr" setarch -R
	ok "gives the same" diff -rq "$tmp/first" "$tmp/aslr"
else
	tests=$((tests + 1))
	echo "ok $tests - without ASLR # SKIP setarch -R is not permitted here"
fi
ok "with other memory" all "$tmp/malloc" env MALLOC_PERTURB_=165 MALLOC_ARENA_MAX=1
ok "gives the same" diff -rq "$tmp/first" "$tmp/malloc"
ok "with a wide terminal" all "$tmp/cols" env COLUMNS=300 TERM=xterm
ok "gives the same" diff -rq "$tmp/first" "$tmp/cols"
finish
