#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# weir tc beside trees of others that this kernel has: prio with sfq, fq_codel, cake, hfsc and so
# on are put aside, and come back.
ONLY=trees exec bash tests/net/tc-others.sh
