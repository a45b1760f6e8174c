/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `weir stats`: every class of the running gateway. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "gw/ask_finding.h"
#include "gw/cmd_ask.h"
#include "gw/json.h"
#include "gw/report.h"

#define NAME_LEAST 16

/* "work/ssh" is shown as "ssh", two columns further in. */
static int name_width(const char *path, int *depth, const char **name)
{
	const char *slash;

	*depth = 1;
	*name = path;
	while ((slash = strchr(*name, '/'))) {
		*name = slash + 1;
		++*depth;
	}
	return 2 * *depth + 2 + (int)strlen(*name);
}

static void print_drops(json_t *dropped)
{
	const char *key, *between = "  ";
	const json_t *v;

	if (!ask_number(dropped, "packets"))
		fputs("  -", stdout);
	json_object_foreach(dropped, key, v)
	{
		if (!json_is_object(v) || !ask_number(v, "packets"))
			continue;
		printf("%s%" PRIu64 " %s", between, ask_number(v, "packets"),
		       ask_printable(key));
		between = ", ";
	}
	putchar('\n');
}

static void print_class(const json_t *c, const char *path, int columns)
{
	const json_t *delay = json_object_get(c, "delay_ns"),
		     *sent = json_object_get(c, "sent"), *in = json_object_get(c, "in"),
		     *waiting = json_object_get(c, "waiting");
	static const char *const q[] = {"p50", "p99", "max"};
	const char *name;
	char t[REPORT_TEXT];
	int depth = 0;

	if (*path)
		name_width(path, &depth, &name);
	else
		name = "(all)";
	printf("%*s%-*s", 2 * depth + 2, "", columns - 2 * depth - 2, name);
	printf(" %10" PRIu64 " %10" PRIu64 " %10s %9" PRIu64, ask_number(in, "packets"),
	       ask_number(sent, "packets"), report_size(ask_number(sent, "bytes"), t),
	       ask_number(waiting, "packets"));
	for (unsigned i = 0; i < 3; i++)
		printf(" %9s", ask_number(sent, "packets") && json_is_object(delay)
				       ? report_time(ask_number(delay, q[i]), t)
				       : "-");
	print_drops(json_object_get(c, "dropped"));
}

static void print_link(const json_t *j, const json_t *l)
{
	json_t *c, *list = json_object_get(l, "classes");
	int columns = NAME_LEAST, depth;
	const char *name;
	char t[REPORT_TEXT];
	size_t i;

	json_array_foreach(list, i, c)
	{
		int w = name_width(ask_text(c, "class"), &depth, &name);

		columns = w > columns ? w : columns;
	}
	printf("link %s: %s, %s", ask_text(l, "name"), ask_text(l, "interface"),
	       report_rate(ask_number(l, "rate_bps"), t));
	ask_print_backend(l);
	puts(ask_true(l, "up") ? "" : ", DOWN");
	ask_print_applied(l);
	printf("  %-*s %10s %10s %10s %9s %9s %9s %9s  dropped\n", columns - 2, "class", "in",
	       "sent", "bytes", "waiting", "p50", "p99", "max");
	print_class(l, "", columns);
	json_array_foreach(list, i, c)
	{
		print_class(c, ask_text(c, "class"), columns);
	}
	ask_print_findings(j, json_string_value(json_object_get(l, "name")), stdout);
}

static int print_stats(const json_t *j, const char *only)
{
	const json_t *l;
	unsigned shown = 0;
	size_t i;

	json_array_foreach(json_object_get(j, "links"), i, l)
	{
		const char *name = json_string_value(json_object_get(l, "name"));

		if (only && (!name || strcmp(only, name) != 0))
			continue;
		if (shown++)
			putchar('\n');
		print_link(j, l);
	}
	if (only && !shown)
		return cmd_fail("the gateway has no link \"%s\"", policy_shown(only).s);
	return CMD_OK;
}

static int run(int argc, char **argv)
{
	struct ask a;
	int status = ask_options(&cmd_stats, argc, argv, true, true, &a);
	json_t *j;

	if (status >= 0)
		return status;
	j = ask_gateway(&a, "stats");
	if (!j)
		return CMD_FAIL;
	if (!ask_true(j, "ok")) {
		status = cmd_fail("the gateway says: %s", ask_text(j, "error"));
		json_decref(j);
	} else if (a.json) {
		status = json_print(j, stdout) ? CMD_FAIL : CMD_OK;
	} else {
		status = print_stats(j, a.link);
		json_decref(j);
	}
	return cmd_flush(status);
}

const struct cmd cmd_stats = {
	.name = "stats",
	.args = "[LINK] [--json] [--socket PATH]",
	.line = "Asks the running gateway for its counters and delays, class by class",
	.help = "  LINK           only this one\n"
		"  --json         for programs: all links, with the keys of weir replay "
		"--json\n"
		"  --socket PATH  of the gateway (/run/weir/weir.sock)\n\n"
		"Counts and delays are those since the gateway began; a reload does not end "
		"them.\n"
		"Where no gateway runs: what the kernel counts for what \"weir tc apply\" "
		"made.\n"
		"Exit: 0 done; 2 no gateway answers, and nothing was applied.\n",
	.run = run,
};
