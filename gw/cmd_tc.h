/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The subcommands of `weir tc`, in a table in cmd_tc.c. */
#ifndef WEIR_GW_CMD_TC_H
#define WEIR_GW_CMD_TC_H

#include "gw/cmd.h"

extern const struct cmd cmd_tc_apply, cmd_tc_diff, cmd_tc_show, cmd_tc_remove, cmd_tc_parity;

#endif
