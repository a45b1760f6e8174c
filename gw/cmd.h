/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line: one struct cmd for each subcommand, in the file that does it
 * (cmd_NAME.c), and a table of them in main.c.
 *
 * Results go to stdout, all else to stderr. Exit codes are those of enum cmd_exit.
 */
#ifndef WEIR_GW_CMD_H
#define WEIR_GW_CMD_H

#include <stdarg.h>

#include "qos/policy.h"

enum cmd_exit {
	CMD_OK = 0,
	CMD_NO = 1,   /* the answer is no: a policy is invalid, a test fails */
	CMD_FAIL = 2, /* it could not be done: usage, no such file, no permission */
};

struct cmd {
	const char *name;
	const char *args; /* "POLICY CAPTURE... [--link NAME]" */
	const char *line; /* what it does, for the list of commands */
	const char *help; /* its options, as lines; ends with a newline */
	/* argv[0] is the name. Uses getopt_long(), whose state is fresh. */
	int (*run)(int argc, char **argv);
};

extern const struct cmd cmd_check, cmd_replay, cmd_test, cmd_run, cmd_reload, cmd_status,
	cmd_stats, cmd_top, cmd_tc;

/* All of a command's help to stdout. CMD_OK (or CMD_FAIL when it cannot be written). */
int cmd_help(const struct cmd *c);
/* A line to stderr; control characters in it are shown as '?'. */
void cmd_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void cmd_say_list(const char *prefix, const char *fmt, va_list ap);
/*
 * "weir NAME: ..." and how it is used, to stderr. CMD_FAIL. fmt NULL: getopt has just refused
 * an option, and that is said.
 */
int cmd_usage(const struct cmd *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "weir: ..." to stderr, one line. CMD_FAIL. */
int cmd_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Before a good end: whether all that was printed has arrived. CMD_FAIL with a message if not.
 */
int cmd_flush(int status);

/*
 * Reads and checks a policy as `weir check` does ("-": standard input), complaints to
 * stderr. NULL: *status is CMD_NO (invalid) or CMD_FAIL (cannot be read).
 */
struct policy *cmd_policy(const char *name, int *status);
/* The same without looking at its filters: for commands that only take its links down. */
struct policy *cmd_policy_unchecked(const char *name, int *status);
/* Prints complaints: "file:line:col: text", and "warning: " before the text of one. */
void cmd_complain(void *arg, enum policy_severity sev, const char *file, struct policy_mark at,
		  const char *text);

#endif
