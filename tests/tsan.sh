#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What has threads, under ThreadSanitizer: BUILD is a build with -fsanitize=thread.
# Without address randomisation, for which this sanitizer has no room on newer kernels.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
weir=$BUILD/weir
passed=0 failed=0
try() {
	local name=$1 out
	shift
	if out=$(setarch -R "$@" 2>&1 >/dev/null) && [ -z "$out" ]; then
		echo "ok    tsan/$name"
		passed=$((passed + 1))
	else
		echo "FAIL  tsan/$name"
		printf '%s\n' "$out" | head -40
		failed=$((failed + 1))
	fi
}
for capture in home.pcap.gz office.pcapng.gz isp.pcap.gz odd.pcap.gz; do
	try "replay-$capture" "$weir" replay policies/home.yaml "tests/captures/$capture"
done
try replay-together "$weir" replay policies/home.yaml tests/captures/home.pcap.gz \
	tests/captures/isp.pcap.gz
for program in "$BUILD"/tests/unit/test_replay "$BUILD"/tests/unit/test_ahead; do
	[ -x "$program" ] && CMOCKA_MESSAGE_OUTPUT=tap try "$(basename "$program")" "$program"
done
# the gateway: a race makes its exit status bad, which that test looks at
try gateway env BUILD="$BUILD" KILLS=3 RELOADS=40 bash -c 'bash tests/net/life.sh 2>&1'
if [ -n "${TOTALS:-}" ]; then
	echo "$passed $failed 0" >>"$TOTALS"
else
	echo "$passed passed, $failed failed"
fi
[ "$failed" -eq 0 ]
