/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `weir tc`: a function for each of its subcommands, in gw/cmd_tc_NAME.c. */
#ifndef WEIR_GW_CMD_TC_H
#define WEIR_GW_CMD_TC_H

#include "gw/cmd.h"

/* argv[0] is the subcommand's name; getopt's state is fresh. An exit code. */
int cmd_tc_show(int argc, char **argv);
int cmd_tc_apply(int argc, char **argv);
int cmd_tc_diff(int argc, char **argv);
int cmd_tc_remove(int argc, char **argv);
int cmd_tc_parity(int argc, char **argv);

#endif
