/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `weir reload`: the running gateway reads its policy again. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "gw/cmd_ask.h"

/* As weir check prints them. Their number that are errors. */
static unsigned print_complaints(json_t *list)
{
	const json_t *c;
	unsigned errors = 0;
	size_t i;

	json_array_foreach(list, i, c)
	{
		const char *severity = json_string_value(json_object_get(c, "severity"));
		bool error = !severity || strcmp(severity, "warning") != 0;

		errors += error;
		fprintf(stderr, "%s:%" PRIu64 ":%" PRIu64 ": %s%s\n", ask_text(c, "file"),
			ask_number(c, "line"), ask_number(c, "column"),
			error ? "" : "warning: ", ask_text(c, "text"));
	}
	return errors;
}

static int run(int argc, char **argv)
{
	struct ask a;
	int status = ask_options(&cmd_reload, argc, argv, false, false, &a);
	unsigned errors;
	json_t *j;

	if (status >= 0)
		return status;
	j = ask_gateway(&a, "reload");
	if (!j)
		return CMD_FAIL;
	errors = print_complaints(json_object_get(j, "complaints"));
	status = CMD_OK;
	if (!ask_true(j, "ok")) {
		cmd_fail("%s; nothing was changed, the policy before stays in force",
			 ask_text(j, "error"));
		status = errors ? CMD_NO : CMD_FAIL;
	}
	json_decref(j);
	return status;
}

const struct cmd cmd_reload = {
	.name = "reload",
	.args = "[--socket PATH]",
	.line = "Makes the running gateway read its policy again; no packet is lost",
	.help = "  --socket PATH  of the gateway (/run/weir/weir.sock)\n\n"
		"A policy that is not valid changes nothing; its errors are shown.\n"
		"Exit: 0 it is in force; 1 it is not valid; 2 it could not be done.\n",
	.run = run,
};
