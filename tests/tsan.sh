#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What has threads, under ThreadSanitizer: BUILD is a build with -fsanitize=thread.
# Without address randomisation, for which this sanitizer has no room on newer kernels.
# TOTALS and TEST_JOBS as in run.sh.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
export BUILD CMOCKA_MESSAGE_OUTPUT=TAP
TEST_JOBS=${TEST_JOBS:-$(nproc)}
weir=$BUILD/weir
passed=0 failed=0
reports=$(mktemp -d) || exit 2
. tests/together.sh
trap 'together_stop; rm -rf "$reports"' EXIT

# Good when its exit status is and there is no report, of whichever process of it: the gateway of
# a script may be killed, and what it printed may have gone to a log.
ended() { # NAME STATUS LOG
	local found
	found=$(find "$reports/$1" -type f)
	if [ "$2" = 0 ] && [ -z "$found" ]; then
		echo "ok    tsan/$1"
		passed=$((passed + 1))
	else
		echo "FAIL  tsan/$1: exit status $2"
		# shellcheck disable=SC2086
		{ [ -z "$found" ] || cat $found | head -n 40; grep -vE '^ok\b' "$3" | tail -n 40; } | sed 's/^/        /'
		failed=$((failed + 1))
	fi
}
try() { # NAME COMMAND...
	mkdir "$reports/$1"
	begin "$1" env TSAN_OPTIONS="log_path=$reports/$1/report" timeout -k 10 "${TEST_TIMEOUT:-1800}" setarch -R "${@:2}"
}

at_once "$TEST_JOBS"
for capture in home.pcap.gz office.pcapng.gz isp.pcap.gz odd.pcap.gz; do
	# its own policy, where it has one: a capture of which nothing is on a link is no success
	policy=policies/${capture%%.*}.yaml
	[ -e "$policy" ] || policy=policies/home.yaml
	try "replay-$capture" "$weir" replay "$policy" "tests/captures/$capture"
done
try replay-together "$weir" replay policies/home.yaml tests/captures/home.pcap.gz \
	tests/captures/isp.pcap.gz
for program in test_replay test_ahead; do
	try $program "$BUILD/tests/unit/$program"
done
# the gateway
at_once $((2 * TEST_JOBS))
export KILLS=3 RELOADS=40
for script in backends backends-reload life sets; do
	try gateway-$script bash tests/net/$script.sh
done
all_ended
if [ -n "${TOTALS:-}" ]; then
	echo "$passed $failed 0" >>"$TOTALS"
else
	echo "$passed passed, $failed failed"
fi
[ "$failed" -eq 0 ]
