#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs every fuzz target for so many seconds, beginning with its seeds.
#
#   BUILD=build/fuzz bash tests/fuzz.sh SECONDS
#
# What is found new stays in $BUILD/corpus/NAME for the next time; what breaks a target is
# written to $BUILD/crash-NAME-*. TOTALS and TEST_JOBS as in run.sh.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
BUILD=${BUILD:-build/fuzz}
passed=0 failed=0
. tests/together.sh
trap together_stop EXIT

ended() { # NAME STATUS LOG
	if [ "$2" = 0 ]; then
		echo "ok    fuzz/$1 ($(awk '/number_of_executed_units/ { n = $2 } END { print n ? n : "?" }' "$3") runs)"
		passed=$((passed + 1))
	else
		echo "FAIL  fuzz/$1"
		tail -n 80 "$3" | sed 's/^/        /'
		failed=$((failed + 1))
	fi
}

at_once "${TEST_JOBS:-$(nproc)}"
for source in tests/fuzz/fuzz_*.c; do
	name=$(basename "$source" .c)
	name=${name#fuzz_}
	corpus="$BUILD/corpus/$name"
	mkdir -p "$corpus"
	dirs=("$corpus")
	[ ! -d "tests/fuzz/seeds/$name" ] || dirs+=("tests/fuzz/seeds/$name")
	begin "$name" "$BUILD/tests/fuzz/fuzz_$name" -max_total_time="$1" -timeout=20 -rss_limit_mb=2048 \
		-print_final_stats=1 -artifact_prefix="$BUILD/crash-$name-" "${dirs[@]}"
done
all_ended

if [ -n "${TOTALS:-}" ]; then
	echo "$passed $failed 0" >>"$TOTALS"
else
	echo "$passed passed, $failed failed"
fi
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
