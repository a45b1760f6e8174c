/* SPDX-License-Identifier: GPL-2.0-or-later */
/* weir check: is a policy valid? */
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gw/ask_value.h"
#include "gw/cmd.h"
#include "gw/cmd_policy.h"
#include "gw/json.h"
#include "gw/report.h"
#include "qos/addrset.h"
#include "qos/engine.h"

/* What is said of one policy, in whatever form. */
struct check {
	const char *name;
	struct policy *policy; /* NULL: not valid */
	size_t memory;	       /* bytes that an engine of it may take; 0: not known */
	json_t *complaints;    /* NULL: to stderr */
	int status;
};

static void keep(void *arg, enum policy_severity sev, const char *file, struct policy_mark at,
		 const char *text)
{
	json_t *j = json_object();

	(void)file;
	json_object_set_new(j, "severity",
			    json_string(sev == POLICY_WARNING ? "warning" : "error"));
	json_object_set_new(j, "line", json_integer(at.line));
	json_object_set_new(j, "column", json_integer(at.col));
	json_object_set_new(j, "text", json_text(text));
	json_array_append_new(arg, j);
}

static size_t count_classes(const struct policy *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_link; i++)
		/* the root is the link */
		n += p->link[i]->n_all - 1 - (p->link[i]->control.class != NULL);
	return n;
}

/*
 * An engine is made for each link, as a gateway has it; one after the other, so that a check
 * needs the memory of the largest only, and that at rest. 0: not known.
 */
static size_t memory_of(const struct policy *p)
{
	struct policy_report quiet = {0};
	size_t n = 0;

	for (size_t i = 0; i < p->n_link; i++) {
		struct engine_opts o = {.only = p->link[i]};
		struct engine *e = engine_new(p, &o, &quiet);

		if (!e)
			return 0;
		n += engine_memory(e);
		engine_free(e);
	}
	return n;
}

static void check_one(struct check *c)
{
	struct policy_report r = {.fn = c->complaints ? keep : cmd_complain,
				  .arg = c->complaints};

	c->policy = cmd_policy_read(c->name, &r, &c->status);
	/* what those of nftables hold is for who runs it; they cost no memory that is told */
	if (!c->policy)
		return;
	for (size_t i = 0; i < c->policy->n_set; i++)
		if (!c->policy->set[i]->addrs)
			policy_set_give(c->policy, i, addrset_new());
	c->memory = memory_of(c->policy);
	for (size_t i = 0; c->memory && i < c->policy->n_set; i++)
		if (c->policy->set[i]->addrs)
			c->memory += addrset_memory(c->policy->set[i]->addrs);
}

static void print_text(const struct check *c)
{
	char t[REPORT_TEXT];
	size_t n = count_classes(c->policy);

	printf("%s: valid; %s", ask_printable(c->policy->file),
	       c->policy->n_link == 1 ? "link" : "links");
	for (size_t i = 0; i < c->policy->n_link; i++)
		printf("%s%s", i ? ", " : " ", c->policy->link[i]->name);
	printf("; %zu %s", n, n == 1 ? "class" : "classes");
	if (c->memory)
		printf("; at most %s of memory", report_size(c->memory, t));
	putchar('\n');
}

static json_t *to_json(const struct check *c)
{
	json_t *j = json_object(), *links;

	json_object_set_new(j, "policy", json_text(c->name));
	json_object_set_new(j, "valid", json_boolean(c->policy != NULL));
	json_object_set(j, "complaints", c->complaints);
	if (!c->policy)
		return j;
	links = json_array();
	for (size_t i = 0; i < c->policy->n_link; i++)
		json_array_append_new(links, json_text(c->policy->link[i]->name));
	json_object_set_new(j, "links", links);
	json_object_set_new(j, "classes", json_number(count_classes(c->policy)));
	json_object_set_new(j, "memory_bytes",
			    c->memory ? json_number(c->memory) : json_null());
	return j;
}

static int check_all(char **names, int n, bool print, bool json)
{
	json_t *doc = json ? json_object() : NULL, *list = json ? json_array() : NULL;
	int worst = CMD_OK;

	for (int i = 0; i < n; i++) {
		struct check c = {.name = names[i], .complaints = json ? json_array() : NULL};

		check_one(&c);
		if (c.status > worst)
			worst = c.status;
		if (json)
			json_array_append_new(list, to_json(&c));
		else if (c.policy && print)
			policy_print(c.policy, stdout);
		else if (c.policy)
			print_text(&c);
		json_decref(c.complaints);
		policy_free(c.policy);
	}
	if (json) {
		json_head(doc);
		json_object_set_new(doc, "policies", list);
		json_print(doc, stdout);
	}
	return cmd_flush(worst);
}

static int run(int argc, char **argv)
{
	static const struct option options[] = {{"print", no_argument, NULL, 'p'},
						{"json", no_argument, NULL, 'j'},
						{"help", no_argument, NULL, 'h'},
						{0}};
	bool print = false, json = false;
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (c) {
		case 'p':
			print = true;
			break;
		case 'j':
			json = true;
			break;
		case 'h':
			return cmd_help(&cmd_check);
		default:
			return cmd_usage(&cmd_check, NULL);
		}
	}
	if (optind == argc)
		return cmd_usage(&cmd_check, "no policy is named");
	if (print && json)
		return cmd_usage(&cmd_check, "either --print or --json");
	if (print && argc - optind > 1)
		return cmd_usage(&cmd_check, "--print takes one policy");
	return check_all(argv + optind, argc - optind, print, json);
}

const struct cmd cmd_check = {
	.name = "check",
	.args = "POLICY... [--print | --json]",
	.line = "Checks policies: every error and warning with its place",
	.help = "  POLICY   a file, - for standard input\n"
		"  --print  the policy with all defaults filled in; it is a policy that means "
		"the "
		"same\n"
		"  --json   the complaints for programs\n\n"
		"Exit: 0 all are valid; 1 one is not; 2 one cannot be read.\n",
	.run = run,
};
