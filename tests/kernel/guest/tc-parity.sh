#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every policy with every capture, in this kernel and in the replay.
exec bash tests/net/tc-parity.sh
