/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `weir reload`: the running gateway reads its policy again. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gw/cmd_ask.h"
#include "gw/control.h"

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

static bool shown;

/* For a person who looks; nothing of it goes to a file. */
static void show(const char *text)
{
	if (!isatty(STDERR_FILENO))
		return;
	fprintf(stderr, "\r%s\033[K", ask_printable(text));
	fflush(stderr);
	shown = true;
}

static json_t *reload(const struct ask *a)
{
	char err[512];
	bool began;
	json_t *j = control_ask_long(a->socket, "reload", ASK_TIMEOUT_MS, show, &began, err,
				     sizeof(err));

	if (shown)
		fputs("\r\033[K", stderr);
	if (!j && began)
		cmd_fail("%s: whether the policy is in force, \"weir status\" says "
			 "(reloads), and the gateway's log",
			 err);
	else if (!j)
		cmd_fail("%s", err);
	return j;
}

static int run(int argc, char **argv)
{
	struct ask a;
	int status = ask_options(&cmd_reload, argc, argv, false, &a);
	unsigned errors;
	json_t *j;

	if (status >= 0)
		return status;
	j = reload(&a);
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
		"A policy that is not valid changes nothing; its errors are shown. Waits "
		"until\n"
		"it is known, however long that takes. The gateway goes on meanwhile; a "
		"second\n"
		"reload at the same time is refused.\n"
		"Exit: 0 it is in force; 1 it is not valid; 2 it could not be done.\n",
	.run = run,
};
