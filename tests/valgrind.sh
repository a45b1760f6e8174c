#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A few whole runs of the program under valgrind, which sees reads of memory that was never
# written; ASan does not. TOTALS as in run.sh.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
WEIR=${WEIR:-${BUILD:-build}/weir}
passed=0 failed=0
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT

# vg NAME EXPECTED-STATUS ARGUMENTS...
vg() {
	local name=$1 want=$2 status
	shift 2
	valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite,indirect \
		"$WEIR" "$@" >"$tmp/out" 2>&1 </dev/null
	status=$?
	if [ $status = "$want" ]; then
		echo "ok    valgrind/$name"
		passed=$((passed + 1))
	else
		echo "FAIL  valgrind/$name: exit status $status, expected $want"
		tail -n 60 "$tmp/out" | sed 's/^/        /'
		failed=$((failed + 1))
	fi
}

for policy in policies/*.yaml; do
	case $policy in *.test.yaml) continue ;; esac
	vg "check $policy" 0 check --print "$policy"
done
printf 'links:\n  - name: x\n    rate: 5\n    clas: []\n' >"$tmp/bad.yaml"
vg "check of a wrong policy" 1 check "$tmp/bad.yaml"
vg "replay of odd frames" 0 replay tests/e2e/odd.yaml tests/captures/odd.pcap.gz \
	--trace "$tmp/trace" -o "$tmp/out.pcap" --json
vg "replay of a pcapng" 0 replay policies/office.yaml tests/captures/office.pcapng.gz
head -c 100000 tests/captures/home.pcap.gz >"$tmp/cut.pcap.gz"
vg "replay of a cut capture" 0 replay policies/home.yaml "$tmp/cut.pcap.gz"
vg "replay of garbage" 2 replay policies/home.yaml LICENSE

if [ -n "${TOTALS:-}" ]; then
	echo "$passed $failed 0" >>"$TOTALS"
else
	echo "$passed passed, $failed failed"
fi
[ "$failed" = 0 ]
