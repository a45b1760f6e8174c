/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef WEIR_GW_CMD_POLICY_H
#define WEIR_GW_CMD_POLICY_H

#include "qos/policy.h"

/*
 * As cmd_policy(), with complaints to r, in the order of the file. r counts from 0; what
 * `file` points to in its calls lives as long as `name`.
 */
struct policy *cmd_policy_read(const char *name, struct policy_report *r, int *status);

#endif
