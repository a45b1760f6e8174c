/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `weir stats`: every class of the running gateway. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gw/ask_finding.h"
#include "gw/cmd_ask.h"
#include "gw/control.h"
#include "gw/json.h"
#include "gw/report.h"
#include "gw/stats_pick.h"

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

/* flat: with the whole path, since what is above it does not stand above it. */
static void print_class(const json_t *c, const char *path, int columns, bool flat)
{
	const json_t *delay = json_object_get(c, "delay_ns"),
		     *sent = json_object_get(c, "sent"), *in = json_object_get(c, "in"),
		     *waiting = json_object_get(c, "waiting");
	static const char *const q[] = {"p50", "p99", "max"};
	const char *name = path;
	char t[REPORT_TEXT];
	int depth = 0;

	if (!*path)
		name = "(all)";
	else if (!flat)
		name_width(path, &depth, &name);
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

static int width_of(const struct stats_rows *r, bool flat)
{
	int columns = NAME_LEAST, depth, w;
	const char *name;

	for (size_t i = 0; i < r->n; i++) {
		const char *path = ask_text(r->v[i], "class");

		w = flat ? (int)strlen(path) + 2 : name_width(path, &depth, &name);
		columns = w > columns ? w : columns;
	}
	return columns;
}

static void print_hidden(const struct stats_rows *r)
{
	if (!r->idle && !r->beyond)
		return;
	printf("  ... and %zu more classes", r->idle + r->beyond);
	if (r->idle && r->beyond)
		printf(", to %zu of which no packet came", r->idle);
	else if (r->idle)
		fputs(", to which no packet came", stdout);
	puts(" (--all shows them, --limit N more or fewer)");
}

static int print_link(const json_t *j, const json_t *l, const struct stats_pick *p, bool whole)
{
	bool flat = p->sort != STATS_POLICY || !whole;
	struct stats_rows r;
	char t[REPORT_TEXT];
	int columns;

	if (stats_pick_rows(p, l, &r))
		return cmd_fail("no memory");
	columns = width_of(&r, flat);
	printf("link %s: %s, %s", ask_text(l, "name"), ask_text(l, "interface"),
	       report_rate(ask_number(l, "rate_bps"), t));
	ask_print_backend(l);
	puts(ask_true(l, "up") ? "" : ", DOWN");
	ask_print_applied(l);
	printf("  %-*s %10s %10s %10s %9s %9s %9s %9s  dropped\n", columns - 2, "class", "in",
	       "sent", "bytes", "waiting", "p50", "p99", "max");
	if (whole)
		print_class(l, "", columns, false);
	for (size_t i = 0; i < r.n; i++)
		print_class(r.v[i], ask_text(r.v[i], "class"), columns, flat);
	print_hidden(&r);
	stats_rows_free(&r);
	ask_print_findings(j, json_string_value(json_object_get(l, "name")), stdout);
	return CMD_OK;
}

static int print_stats(const json_t *j, const struct stats_pick *p)
{
	const json_t *l;
	unsigned shown = 0;
	int status = CMD_OK;
	bool whole;
	size_t i;

	json_array_foreach(json_object_get(j, "links"), i, l)
	{
		if (!stats_pick_link(p, l, &whole))
			continue;
		if (shown++)
			putchar('\n');
		status = status ? status : print_link(j, l, p, whole);
	}
	return status;
}

/* What is not picked goes out of the document. */
static int pick_json(json_t *j, const struct stats_pick *p)
{
	json_t *links = json_object_get(j, "links"), *l, *list;
	struct stats_rows r;
	bool whole;

	for (size_t i = json_array_size(links); i-- > 0;) {
		l = json_array_get(links, i);
		if (!stats_pick_link(p, l, &whole)) {
			json_array_remove(links, i);
			continue;
		}
		if (stats_pick_rows(p, l, &r))
			return -1;
		list = json_array();
		for (size_t k = 0; k < r.n; k++)
			json_array_append_new(list, json_deep_copy(r.v[k]));
		stats_rows_free(&r);
		json_object_set_new(l, "classes", list);
	}
	return 0;
}

static int show(json_t *j, const struct stats_pick *p, bool json)
{
	const char *vain = stats_pick_vain(p, j);
	int status;

	if (vain) {
		status = cmd_fail("the gateway has no %s \"%s\"",
				  strchr(vain, '/') ? "class" : "link", policy_shown(vain).s);
		json_decref(j);
	} else if (json) {
		if (!pick_json(j, p))
			return json_print(j, stdout) ? CMD_FAIL : CMD_OK;
		json_decref(j);
		status = cmd_fail("no memory");
	} else {
		status = print_stats(j, p);
		json_decref(j);
	}
	return status;
}

/* ---- The command line. */

static int parse_sort(const char *text, enum stats_sort *to)
{
	const char *sorts[STATS_SORTS + 1] = {0}, *near;

	for (unsigned i = 0; i < STATS_SORTS; i++) {
		sorts[i] = stats_sort_name((enum stats_sort)i);
		*to = (enum stats_sort)i;
		if (!strcmp(text, sorts[i]))
			return -1;
	}
	near = policy_suggest(text, sorts);
	return cmd_usage(&cmd_stats,
			 "--sort %s: policy, name, in, sent, bytes, rate, waiting, "
			 "delay, max or drops%s%s%s",
			 policy_shown(text).s, near ? " (did you mean " : "", near ? near : "",
			 near ? "?)" : "");
}

static int parse_limit(const char *text, size_t *limit)
{
	char *end;

	errno = 0;
	*limit = strtoul(text, &end, 10);
	if (errno || *text < '0' || *text > '9' || *end || !*limit)
		return cmd_usage(&cmd_stats, "--limit %s: a number of classes, from 1",
				 policy_shown(text).s);
	return -1;
}

/* -1, or the exit status. */
static int options(int argc, char **argv, struct ask *a, struct stats_pick *p)
{
	static const struct option options[] = {{"socket", required_argument, NULL, 's'},
						{"json", no_argument, NULL, 'j'},
						{"sort", required_argument, NULL, 'o'},
						{"limit", required_argument, NULL, 'l'},
						{"all", no_argument, NULL, 'a'},
						{"help", no_argument, NULL, 'h'},
						{0}};
	int k, status = -1;
	bool limited = false;

	while (status < 0 && (k = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (k == 's')
			a->socket = optarg;
		else if (k == 'j')
			a->json = true;
		else if (k == 'o')
			status = parse_sort(optarg, &p->sort);
		else if (k == 'l')
			status = parse_limit(optarg, &p->limit);
		else if (k == 'a')
			p->limit = 0;
		else
			return k == 'h' ? cmd_help(&cmd_stats) : cmd_usage(&cmd_stats, NULL);
		limited = limited || k == 'l' || k == 'a';
	}
	/* programs get all, unless they say otherwise */
	if (a->json && !limited)
		p->limit = 0;
	p->pattern = argv + optind;
	p->n_pattern = (size_t)(argc - optind);
	return status;
}

static int run(int argc, char **argv)
{
	struct ask a = {.socket = CONTROL_PATH};
	struct stats_pick p = {.limit = STATS_LIMIT};
	int status = options(argc, argv, &a, &p);
	json_t *j;

	if (status >= 0)
		return status;
	j = ask_gateway(&a, "stats");
	if (!j)
		return CMD_FAIL;
	if (!ask_true(j, "ok")) {
		status = cmd_fail("the gateway says: %s", ask_text(j, "error"));
		json_decref(j);
	} else {
		status = show(j, &p, a.json);
	}
	return cmd_flush(status);
}

const struct cmd cmd_stats = {
	.name = "stats",
	.args = "[LINK[/CLASS]...] [--sort KEY] [--limit N | --all] [--json] [--socket PATH]",
	.line = "Asks the running gateway for its counters and delays, class by class",
	.help = "  LINK[/CLASS]   only this link, or this class and those below it; with * ? "
		"[...]\n"
		"                 as in a shell: up, 'down/gold/*'\n"
		"  --sort KEY     the largest first, of classes without classes: in, sent, "
		"bytes,\n"
		"                 rate, waiting, delay (p99), max, drops; or by name; or "
		"policy\n"
		"  --limit N      so many classes of a link (100); of more, those to which no "
		"packet\n"
		"                 came are left out first\n"
		"  --all          all of them\n"
		"  --json         for programs: all, unless --limit says less; keys as those "
		"of\n"
		"                 weir replay --json\n"
		"  --socket PATH  of the gateway (/run/weir/weir.sock)\n\n"
		"Counts and delays are those since the gateway began; a reload does not end "
		"them.\n"
		"Where no gateway runs: what the kernel counts for what \"weir tc apply\" "
		"made.\n"
		"Exit: 0 done; 2 no gateway answers, and nothing was applied.\n",
	.run = run,
};
