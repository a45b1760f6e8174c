#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The test of classification before address translation, on this kernel: what it takes of
# xtables are modules here, which nobody has loaded.
exec bash tests/net/tc-nat.sh
