#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# weir tc beside trees of others that this kernel has: prio with sfq, fq_codel, cake.
NO_RATES=1 exec bash tests/net/tc-others.sh
