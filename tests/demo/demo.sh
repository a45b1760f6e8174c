#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# `make demo`: a line that uploads fill, without weir and with it, on real packets. Where the
# kernel has no queues (or this is not root), the same question put to a capture.
set -uo pipefail
cd "$(dirname "$0")/../.."
why=$(mktemp)
trap 'rm -f "$why"' EXIT
bash tests/demo/live.sh "$why"
status=$?
[ $status = 77 ] || exit $status
echo "demo: no live traffic here: $(cat "$why")"
echo "demo: a replay instead: the same policy, on a capture."
bash tests/demo/replay.sh
