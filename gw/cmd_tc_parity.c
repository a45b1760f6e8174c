/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `weir tc parity`: does the kernel put these packets into the same classes? */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "gw/cmd.h"
#include "gw/cmd_tc.h"
#include "gw/json.h"
#include "gw/tc_parity.h"

struct args {
	const char *policy, *link;
	char **capture;
	int n_capture;
	bool json;
};

static void warn(void *arg, const char *text)
{
	(void)arg;
	cmd_say("weir: warning: %s", text);
}

static const char *path(const struct policy_class *c)
{
	return c ? c->path : "(unshaped)";
}

static uint64_t all_differ(const struct tc_parity_result *r)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < TC_PARITY_WHYS; i++)
		n += r->differ[i];
	return n;
}

/* ---- For people. */

static void print_class(const char *name, const struct tc_parity_class *c)
{
	bool same =
		c->replay_packets == c->kernel_packets && c->replay_bytes == c->kernel_bytes;

	printf("  %-24s %12" PRIu64 " %14" PRIu64 " %12" PRIu64 " %14" PRIu64 "%s\n", name,
	       c->replay_packets, c->replay_bytes, c->kernel_packets, c->kernel_bytes,
	       same ? "" : "  differs");
}

static void print_text(const struct tc_parity_result *r)
{
	static const char *const meaning[TC_PARITY_WHYS] = {
		"differ: a filter means something else in the kernel",
		"later fragments: weir sends them after their first, tc sees only them",
		"not whole in the capture: the kernel got zeros for what is missing",
		"larger than the size table: the same class, charged a little otherwise",
	};

	for (size_t i = 0; i < r->n_link; i++) {
		const struct policy_link *l = r->link[i].link;

		printf("link %s\n  %-24s %12s %14s %12s %14s\n", l->name, "class", "replay",
		       "bytes", "kernel", "bytes");
		for (size_t k = 1; k < l->n_all; k++)
			if (!l->all[k]->n_child)
				print_class(l->all[k]->path, &r->link[i].of[k]);
	}
	for (size_t i = 0; i < r->n_difference; i++) {
		const struct tc_parity_difference *d = &r->difference[i];

		printf("packet %" PRIu64 ": link %s: replay %s, kernel %s (%s)%s%s\n",
		       d->packet, d->link->name, path(d->replay), path(d->kernel),
		       tc_parity_why_name(d->why), *d->filters ? ": " : "", d->filters);
	}
	if (all_differ(r) > r->n_difference)
		printf("... and %" PRIu64 " more\n", all_differ(r) - r->n_difference);
	for (unsigned i = 0; i < TC_PARITY_WHYS; i++)
		if (r->differ[i])
			printf("%" PRIu64 " packets: %s\n", r->differ[i], meaning[i]);
	if (r->truncated)
		printf("%" PRIu64 " captures could be read only in part: nothing is known of "
		       "the rest\n",
		       r->truncated);
	printf("%" PRIu64 " packets, %" PRIu64 " on no link; %" PRIu64
	       " sent through the kernel, %" PRIu64 " of them otherwise\n",
	       r->packets, r->passed, r->sent, all_differ(r));
}

/* ---- For programs. */

static json_t *class_object(const struct policy_class *c, const struct tc_parity_class *n)
{
	json_t *j = json_object(), *replay = json_object(), *kernel = json_object();

	json_object_set_new(j, "class", json_text(c->path));
	json_object_set_new(replay, "packets", json_number(n->replay_packets));
	json_object_set_new(replay, "bytes", json_number(n->replay_bytes));
	json_object_set_new(kernel, "packets", json_number(n->kernel_packets));
	json_object_set_new(kernel, "bytes", json_number(n->kernel_bytes));
	json_object_set_new(j, "replay", replay);
	json_object_set_new(j, "kernel", kernel);
	return j;
}

static json_t *difference_object(const struct tc_parity_difference *d)
{
	json_t *j = json_object();

	json_object_set_new(j, "packet", json_number(d->packet));
	json_object_set_new(j, "link", json_text(d->link->name));
	json_object_set_new(j, "replay", d->replay ? json_text(d->replay->path) : json_null());
	json_object_set_new(j, "kernel", d->kernel ? json_text(d->kernel->path) : json_null());
	json_object_set_new(j, "why", json_string(tc_parity_why_name(d->why)));
	json_object_set_new(j, "filters", json_text(d->filters));
	return j;
}

static int print_json(const struct tc_parity_result *r)
{
	json_t *j = json_object(), *links = json_array(), *list = json_array(),
	       *differ = json_object();

	json_head(j);
	json_object_set_new(j, "packets", json_number(r->packets));
	json_object_set_new(j, "passed", json_number(r->passed));
	json_object_set_new(j, "sent", json_number(r->sent));
	json_object_set_new(j, "truncated", json_number(r->truncated));
	for (unsigned i = 0; i < TC_PARITY_WHYS; i++)
		json_object_set_new(differ, tc_parity_why_name(i), json_number(r->differ[i]));
	json_object_set_new(j, "differ", differ);
	for (size_t i = 0; i < r->n_link; i++) {
		const struct policy_link *l = r->link[i].link;
		json_t *k = json_object(), *classes = json_array();

		json_object_set_new(k, "name", json_text(l->name));
		for (size_t c = 1; c < l->n_all; c++)
			if (!l->all[c]->n_child)
				json_array_append_new(
					classes, class_object(l->all[c], &r->link[i].of[c]));
		json_object_set_new(k, "classes", classes);
		json_array_append_new(links, k);
	}
	json_object_set_new(j, "links", links);
	for (size_t i = 0; i < r->n_difference; i++)
		json_array_append_new(list, difference_object(&r->difference[i]));
	json_object_set_new(j, "differences", list);
	return json_print(j, stdout);
}

/* ---- */

static int parity(const struct policy *p, const struct args *a)
{
	struct policy_report complain = {.fn = cmd_complain};
	struct tc_parity_opts o = {.policy = p,
				   .capture = (const char *const *)a->capture,
				   .n_capture = (size_t)a->n_capture,
				   .warn = warn};
	const struct tc_parity_result *r;
	struct tc_parity *t;
	char err[1024];
	int status;

	if (a->link && !(o.link = policy_find_link(p, a->link)))
		return cmd_fail("%s has no link \"%s\"", p->file, policy_shown(a->link).s);
	t = tc_parity_open(&o, &complain, err, sizeof(err));
	if (!t)
		return *err ? cmd_fail("%s", err) : CMD_NO;
	if (tc_parity_run(t, err, sizeof(err))) {
		tc_parity_close(t);
		return cmd_fail("%s", err);
	}
	r = tc_parity_result(t);
	/* what could not be read might have differed */
	status = r->differ[TC_PARITY_FILTER] || r->truncated ? CMD_NO : CMD_OK;
	if (!a->json)
		print_text(r);
	else if (print_json(r))
		status = CMD_FAIL;
	tc_parity_close(t);
	return cmd_flush(status);
}

static const struct cmd cmd_parity;

int cmd_tc_parity(int argc, char **argv)
{
	static const struct option options[] = {{"link", required_argument, NULL, 'l'},
						{"json", no_argument, NULL, 'j'},
						{"help", no_argument, NULL, 'h'},
						{0}};
	struct args a = {0};
	struct policy *p;
	int c, status;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (c) {
		case 'l':
			a.link = optarg;
			break;
		case 'j':
			a.json = true;
			break;
		case 'h':
			return cmd_help(&cmd_parity);
		default:
			return cmd_usage(&cmd_parity, NULL);
		}
	}
	if (argc - optind < 2)
		return cmd_usage(&cmd_parity, argc == optind
						      ? "no policy and no capture is named"
						      : "no capture is named");
	a.policy = argv[optind];
	a.capture = argv + optind + 1;
	a.n_capture = argc - optind - 1;
	p = cmd_policy(a.policy, &status);
	if (!p)
		return status;
	status = parity(p, &a);
	policy_free(p);
	return status;
}

static const struct cmd cmd_parity = {
	.name = "tc parity",
	.args = "POLICY CAPTURE... [--link NAME] [--json]",
	.line = "Whether the kernel puts a capture's packets into the classes of the replay",
	.help = "  CAPTURE...   as for weir replay\n"
		"  --link NAME  all packets are on this link; else `capture` of the links "
		"decides\n"
		"  --json       the result for programs\n\n"
		"The packets are sent through qdiscs made from the policy, in a network\n"
		"namespace of its own; the host is not touched. Needs root.\n"
		"Later fragments and packets that the capture has cut are told, and counted\n"
		"apart: tc cannot know better.\n"
		"Exit: 0 the same classes; 1 not, or a capture could be read only in part;\n"
		"2 it could not be done.\n",
	.run = cmd_tc_parity,
};
