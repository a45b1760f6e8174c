#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The gateway's test of protocols, on this kernel: nothing in it depends on time.
exec bash tests/net/protocols.sh
