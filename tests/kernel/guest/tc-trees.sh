#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Random trees on this kernel, changed into one another and taken back; faults in the middle.
set -uo pipefail
export CMOCKA_MESSAGE_OUTPUT=TAP
bad=0
for t in props/prop_tc_kernel unit/test_tc_side; do
	# a plan for both, at the end
	"$BUILD/tests/$t" | grep -v '^1\.\.' | tee -a /tmp/results || bad=1
done
echo "1..$(grep -cE '^(not )?ok ' /tmp/results)"
exit $bad
