/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One line to stderr. What it is about may be the name of a file, an option or a text of
 * another program: control characters in it would reach the admin's terminal, and a newline
 * would forge a line of the log.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gw/ask_value.h"
#include "gw/cmd.h"

void cmd_say_list(const char *prefix, const char *fmt, va_list ap)
{
	char *text = NULL, *shown;
	size_t room;

	if (vasprintf(&text, fmt, ap) < 0) {
		fputs("weir: no memory\n", stderr);
		return;
	}
	room = strlen(text) + 5;
	shown = malloc(room);
	if (shown)
		policy_printable(shown, room, text);
	fprintf(stderr, "%s%s\n", prefix, shown ? shown : "no memory");
	free(shown);
	free(text);
}

void cmd_say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	cmd_say_list("", fmt, ap);
	va_end(ap);
}

int cmd_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	cmd_say_list("weir: ", fmt, ap);
	va_end(ap);
	return CMD_FAIL;
}
