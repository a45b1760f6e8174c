#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# `make demo`: the same traffic through a plain FIFO and through policies/home.yaml.
set -euo pipefail
cd "$(dirname "$0")/../.."
WEIR=${WEIR:-build/weir}
capture=tests/captures/home.pcap.gz

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] || say() { printf '\n%s\n' "$*"; }
show() {
	say "\$ weir $*"
	"$WEIR" "$@"
}

say "15 seconds of a home with 5 mbit/s up and 20 down: a call, a game, work over ssh,"
echo "web pages, TV, a photo backup and an upload. First, are the policies valid?"
show check policies/plain.yaml policies/home.yaml

say "Through one long queue, as a cheap router has it: look at the delay of the calls."
show replay policies/plain.yaml $capture

say "The same packets through policies/home.yaml:"
show replay policies/home.yaml $capture

# The 99th percentile of the calls' delay on the way out, from the table for people
p99() {
	"$WEIR" replay "$1" $capture | awk '
		$1 == "link" { link = $2 }
		$1 == "delay" { delay = 1 }
		$1 == "class" { delay = 0 }
		link == "wan-up," && delay && $1 == "calls" { print $4 }'
}
say "99 of 100 packets of the calls, on the way out, waited at most:"
printf '  %-20s %s\n' "plain.yaml" "$(p99 policies/plain.yaml)" "home.yaml" "$(p99 policies/home.yaml)"

say "What must stay so is written down as tests (policies/home.test.yaml):"
show test policies/home.test.yaml

say "Next: README.md, 'Your first policy'. Change policies/home.yaml and look again."
