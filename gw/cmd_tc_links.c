/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/cmd_tc_links.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gw/cmd_tc.h"
#include "gw/json.h"

bool tc_args_get(struct tc_args *a, int argc, char **argv, int *status)
{
	static const struct option options[] = {
		{"link", required_argument, NULL, 'l'}, {"strict", no_argument, NULL, 's'},
		{"replace", no_argument, NULL, 'r'},	{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},	{0}};
	int c;

	*a = (struct tc_args){0};
	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (c) {
		case 'l':
			a->link = optarg;
			break;
		case 's':
			a->strict = true;
			break;
		case 'r':
			a->replace = true;
			break;
		case 'j':
			a->json = true;
			break;
		case 'h':
			*status = cmd_help(&cmd_tc);
			return false;
		default:
			*status = cmd_usage(&cmd_tc, NULL);
			return false;
		}
	}
	*status = CMD_OK;
	if (a->replace && strcmp(argv[0], "apply") != 0)
		*status = cmd_usage(&cmd_tc, "%s has no --replace", argv[0]);
	else if (a->strict && !strcmp(argv[0], "remove"))
		*status = cmd_usage(&cmd_tc, "%s has no --strict", argv[0]);
	else if (optind == argc)
		*status = cmd_usage(&cmd_tc, "%s: no policy is named", argv[0]);
	else if (argc - optind != 1)
		*status = cmd_usage(&cmd_tc, "%s takes one policy", argv[0]);
	if (*status)
		return false;
	a->policy = argv[optind];
	return true;
}

int tc_links_read(struct tc_links *l, const struct tc_args *a, bool check)
{
	const struct policy_link *named = NULL;
	int status;

	*l = (struct tc_links){0};
	l->policy = check ? cmd_policy(a->policy, &status)
			  : cmd_policy_unchecked(a->policy, &status);
	if (!l->policy)
		return status;
	l->link = calloc(l->policy->n_link, sizeof(const struct policy_link *));
	l->target = calloc(l->policy->n_link, sizeof(struct tc_target *));
	l->nat = calloc(l->policy->n_link, sizeof(*l->nat));
	l->changed = calloc(l->policy->n_link, sizeof(*l->changed));
	if (!l->link || !l->target || !l->nat || !l->changed)
		return cmd_fail("out of memory");
	if (a->link) {
		named = policy_find_link(l->policy, a->link);
		if (!named)
			return cmd_fail("%s has no link \"%s\"", l->policy->file,
					policy_shown(a->link).s);
		if (!named->interface)
			return cmd_fail("link \"%s\" has no interface", named->name);
	}
	for (size_t i = 0; i < l->policy->n_link; i++) {
		const struct policy_link *p = l->policy->link[i];

		if (p->n_also && (!named || p == named))
			return cmd_fail("link \"%s\" has several interfaces: the kernel's "
					"classes share the rate of one; let weir run do it, or "
					"take a link for each interface",
					p->name);
	}
	for (size_t i = 0; i < l->policy->n_link; i++) {
		const struct policy_link *p = l->policy->link[i];

		if (named ? p == named : p->interface != NULL)
			l->link[l->n++] = p;
	}
	return l->n ? CMD_OK : cmd_fail("%s: no link has an interface", l->policy->file);
}

static int open_one(struct tc_links *l, size_t i, const struct tc_args *a,
		    const struct tc_can *can, struct policy_report *r)
{
	struct tc_target_opts o = {
		.policy = l->policy, .link = l->link[i], .can = can, .replace = a->replace};
	bool impossible;
	char err[1024];

	l->target[i] = tc_target_open(&o, r, &impossible, err, sizeof(err));
	if (l->target[i])
		return CMD_OK;
	if (*err && impossible)
		cmd_say("%s", err); /* with its place */
	else if (*err)
		cmd_fail("link \"%s\": %s", l->link[i]->name, err);
	return impossible ? CMD_NO : CMD_FAIL;
}

/* What concerns address translation; told to r. */
static int open_nat(struct tc_links *l, size_t i, const struct tc_args *a,
		    struct policy_report *r)
{
	char err[512];

	if (!tc_nat_prepare(&l->nat[i], l->policy, tc_target_plan(l->target[i]), a->strict, r,
			    err, sizeof(err)))
		return CMD_OK;
	return *err ? cmd_fail("link \"%s\": %s", l->link[i]->name, err) : CMD_NO;
}

bool tc_links_other(const struct policy *p, const struct policy_link *l)
{
	for (size_t i = 0; i < p->n_link; i++) {
		const struct policy_link *o = p->link[i];

		if (o->interface && !strcmp(o->interface, l->interface) &&
		    o->direction != l->direction)
			return true;
	}
	return tc_link_other_claimed(l);
}

/* What its policy had in the other direction when it was applied shapes on beside it. */
static int tell_left_over(const struct tc_links *l, size_t i, struct policy_report *r)
{
	const struct policy_link *p = l->link[i];
	char err[512];
	int there = tc_links_other(l->policy, p) ? 0 : tc_other_there(p, err, sizeof(err));

	if (there > 0)
		policy_complain(
			r, POLICY_WARNING, l->policy->file, p->mark,
			"link \"%s\": what %s by %s is shaped as well, as weir did it for "
			"an earlier policy; \"weir tc remove\" takes both away",
			p->name, p->direction == POLICY_EGRESS ? "comes in" : "leaves",
			p->interface);
	return there < 0 ? cmd_fail("link \"%s\": %s", p->name, err) : CMD_OK;
}

int tc_links_open(struct tc_links *l, const struct tc_args *a, bool complain)
{
	struct policy_report to = {.fn = cmd_complain};
	struct policy_gather g;
	int status = CMD_OK;
	char err[512];

	if (tc_probe(&l->can, err, sizeof(err)))
		return cmd_fail("%s", err);
	policy_gather_begin(&g, &to);
	for (size_t i = 0; i < l->n; i++) {
		int s = open_one(l, i, a, &l->can, &g.report);

		if (!s)
			s = open_nat(l, i, a, complain ? &g.report : NULL);
		if (!s)
			s = tell_left_over(l, i, &g.report);
		status = s > status ? s : status;
		if (!s && complain &&
		    tc_plan_complain(tc_target_plan(l->target[i]), l->policy,
				     a->strict ? POLICY_ERROR : POLICY_WARNING, &g.report) < 0)
			status = cmd_fail("out of memory");
	}
	policy_gather_end(&g);
	return !status && to.errors ? CMD_NO : status;
}

void tc_links_close(struct tc_links *l)
{
	for (size_t i = 0; i < l->n; i++)
		tc_target_close(l->target[i]);
	for (size_t i = 0; i < l->n && l->nat; i++)
		tc_nat_job_free(&l->nat[i]);
	free(l->nat);
	free(l->changed);
	free(l->target);
	free(l->link);
	policy_free(l->policy);
	*l = (struct tc_links){0};
}

json_t *tc_links_document(const struct tc_links *l, json_t **links)
{
	json_t *doc = json_object();

	*links = json_array();
	json_head(doc);
	json_object_set_new(doc, "policy", json_text(l->policy->file));
	json_object_set_new(doc, "links", *links);
	return doc;
}

json_t *tc_links_entry(const struct policy_link *l, const char *device)
{
	json_t *j = json_object();

	json_object_set_new(j, "link", json_text(l->name));
	json_object_set_new(j, "interface", json_text(l->interface));
	json_object_set_new(j, "device", json_text(device));
	return j;
}
