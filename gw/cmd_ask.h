/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the commands that ask a running gateway have in common. */
#ifndef WEIR_GW_CMD_ASK_H
#define WEIR_GW_CMD_ASK_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "gw/cmd.h"

#define ASK_TIMEOUT_MS 30000

struct ask {
	const char *socket;
	bool json;
	const char *link; /* NULL: all */
};

/* --socket, --json (if the command has it) and LINK (likewise). -1, or the exit status. */
int ask_options(const struct cmd *c, int argc, char **argv, bool json, bool link,
		struct ask *a);
/* The answer, or NULL: told to stderr. One that says "ok": false is an answer too. */
json_t *ask_gateway(const struct ask *a, const char *what);

/* Another process made the document: whatever is in it, these give something printable. */
uint64_t ask_number(const json_t *j, const char *key);
bool ask_true(const json_t *j, const char *key);
/* Without control characters; "?" where there is no text. Valid until the fourth call after. */
const char *ask_text(const json_t *j, const char *key);
const char *ask_printable(const char *text);

#endif
