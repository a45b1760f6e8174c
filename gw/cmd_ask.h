/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the commands that ask a running gateway have in common. */
#ifndef WEIR_GW_CMD_ASK_H
#define WEIR_GW_CMD_ASK_H

#include "gw/ask_value.h"
#include "gw/cmd.h"
#include "gw/standing.h"

#define ASK_TIMEOUT_MS 30000

struct ask {
	const char *socket;
	bool json;
};

/* --socket, and --json (if the command has it). -1, or the exit status. */
int ask_options(const struct cmd *c, int argc, char **argv, bool json, struct ask *a);
/*
 * The answer, or NULL: told to stderr. One that says "ok": false is an answer too. Where no
 * gateway runs, and something stands that `weir tc apply` made, the answer is about that, and
 * its key "by" says so.
 */
json_t *ask_gateway(const struct ask *a, const char *what);
/* The same answer, to "status" or "stats", from what stands. NULL: no memory. */
json_t *ask_standing(struct standing *s, const char *what);
bool ask_is_standing(const json_t *answer);
/* "  applied    5m 12s ago from /etc/weir/policy.yaml", with such a link. */
void ask_print_applied(const json_t *link);
/* Of a link that the kernel schedules: ", backend kernel on wi-eth0". */
void ask_print_backend(const json_t *link);

#endif
