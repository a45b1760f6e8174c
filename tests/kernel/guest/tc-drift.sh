#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# weir tc on a host that others use as well, where fq_codel and all kinds of qdiscs are.
exec bash tests/net/tc-drift.sh
