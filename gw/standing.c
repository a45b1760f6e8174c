/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/standing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "gw/claim.h"
#include "gw/clock.h"
#include "gw/cmd_policy.h"
#include "gw/snapshot_link.h"
#include "gw/tc_applied.h"
#include "gw/tc_apply.h"
#include "gw/tc_link.h"
#include "gw/tc_nat.h"

#define TEXT 700

struct slink {
	const struct tc_applied_link *applied;
	struct policy *policy; /* NULL: it cannot be read */
	bool shared;	       /* it is an earlier link's */
	bool edited;	       /* the file is younger than what was applied */
	const struct policy_link *link;
	struct tc_target *target; /* NULL: not read so far */
	struct tc_nat_job nat;
	char trouble[TEXT]; /* why one of these is not there */
};

struct standing {
	struct tc_applied applied;
	struct slink *v;
	size_t n;
	uint64_t started; /* CLOCK_MONOTONIC ns when the first of them was applied */
};

/* ---- Opening. */

static bool is_it(const struct policy_link *l, const struct tc_applied_link *a)
{
	return l->interface && !strcmp(l->interface, a->interface) &&
	       l->direction == a->direction && !strcmp(l->name, a->link);
}

static void find_link(struct slink *s)
{
	for (size_t i = 0; i < s->policy->n_link; i++)
		if (is_it(s->policy->link[i], s->applied))
			s->link = s->policy->link[i];
	if (!s->link)
		snprintf(s->trouble, sizeof(s->trouble),
			 "the policy %s has no link \"%s\" of interface %s any more",
			 s->applied->policy, s->applied->link, s->applied->interface);
}

static void read_policy(struct standing *all, struct slink *s)
{
	struct policy_report silent = {0};
	const char *file = s->applied->policy;
	struct stat st;
	int status;

	if (*file != '/') {
		snprintf(s->trouble, sizeof(s->trouble),
			 "it was applied from standard input: what it should be is not known "
			 "any more");
		return;
	}
	s->edited = !stat(file, &st) && (uint64_t)st.st_mtim.tv_sec * UINT64_C(1000000000) +
							(uint64_t)st.st_mtim.tv_nsec >
						s->applied->wall;
	for (const struct slink *o = all->v; o < s && !s->policy; o++)
		if (!strcmp(o->applied->policy, file))
			s->policy = o->policy;
	s->shared = s->policy != NULL;
	if (!s->shared && !access(file, R_OK))
		s->policy = cmd_policy_read(file, &silent, &status);
	if (s->policy)
		find_link(s);
	else
		snprintf(s->trouble, sizeof(s->trouble),
			 "its policy %s %s: what it should be is not known any more", file,
			 !access(file, R_OK) ? "is not valid"
			 : errno == EACCES   ? "may not be read by this user"
					     : "cannot be read");
}

/* What a running gateway has is that one's, which answers elsewhere. */
static bool is_claimed(const struct tc_applied_link *a)
{
	char ignored[256];
	enum claim is;

	return !claim_of(a->interface, a->direction, &is, ignored, sizeof(ignored)) &&
	       is == CLAIM_TC;
}

struct standing *standing_open(char *err, size_t errsize)
{
	struct standing *s = calloc(1, sizeof(*s));
	uint64_t wall = clock_ns(CLOCK_REALTIME), now = clock_now(), first = wall;

	*err = '\0';
	if (!s || tc_applied_read(&s->applied, err, errsize)) {
		free(s);
		return NULL;
	}
	s->v = calloc(s->applied.n + 1, sizeof(*s->v));
	for (size_t i = 0; s->v && i < s->applied.n; i++) {
		struct slink *l = &s->v[s->n];

		if (is_claimed(&s->applied.v[i]))
			continue;
		l->applied = &s->applied.v[i];
		read_policy(s, l);
		first = l->applied->wall < first ? l->applied->wall : first;
		s->n++;
	}
	s->started = now > wall - first ? now - (wall - first) : 0;
	if (s->n)
		return s;
	standing_close(s);
	return NULL;
}

void standing_close(struct standing *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++) {
		tc_target_close(s->v[i].target);
		tc_nat_job_free(&s->v[i].nat);
	}
	for (size_t i = 0; i < s->n; i++)
		if (!s->v[i].shared)
			policy_free(s->v[i].policy);
	free(s->v);
	tc_applied_free(&s->applied);
	free(s);
}

/* ---- Reading the kernel. */

/* The plan as it was applied: for what the kernel had then. */
static int make_target(struct slink *s)
{
	struct tc_target_opts o = {
		.policy = s->policy, .link = s->link, .can = &s->applied->can};
	struct policy_report silent = {0};
	bool impossible;
	char err[512];

	if (s->target)
		return 0;
	s->trouble[0] = '\0';
	s->target = tc_target_open(&o, &silent, &impossible, err, sizeof(err));
	if (s->target && !tc_nat_prepare(&s->nat, s->policy, tc_target_plan(s->target), false,
					 NULL, err, sizeof(err)))
		return 0;
	tc_target_close(s->target);
	s->target = NULL;
	snprintf(s->trouble, sizeof(s->trouble), "%s", *err ? err : "its policy is not valid");
	return -1;
}

static void ignore(void *arg, const char *device, char what, const char *is, const char *want)
{
	(void)arg;
	(void)device;
	(void)what;
	(void)is;
	(void)want;
}

static struct gateway_finding *warn(struct gateway_snapshot *to, enum judge_kind kind,
				    const struct slink *s, const char *what)
{
	bool known = *s->applied->policy == '/';

	return gateway_finding_add(to, kind, known ? JUDGE_WARNING : JUDGE_NOTICE,
				   s->applied->link, what);
}

/* As `weir tc diff`. */
static int add_drift(struct gateway_snapshot *to, struct slink *s)
{
	const char *file = s->applied->policy;
	struct gateway_finding *f;
	char text[TEXT], err[400] = "";
	int n = tc_target_diff(s->target, ignore, NULL, err, sizeof(err));
	int nat = tc_nat_differs(&s->nat);

	if (!n && nat == '=')
		return 0;
	if (n < 0)
		snprintf(text, sizeof(text), "the traffic control of %s cannot be read: %s",
			 tc_target_device(s->target), err);
	else if (nat < 0)
		snprintf(text, sizeof(text), "nftables cannot be read: %s", strerror(errno));
	else
		snprintf(text, sizeof(text),
			 "what the kernel has on %s is not what the policy wants (%d %s)",
			 tc_target_device(s->target), n + (nat != '='),
			 n + (nat != '=') == 1 ? "difference" : "differences");
	f = warn(to, JUDGE_BYPASS, s, text);
	if (!f)
		return -1;
	if (n < 0 || nat < 0)
		return 0;
	f->cause = strdup(s->edited ? "the policy was changed after it was applied"
				    : "somebody changed it after it was applied");
	snprintf(text, sizeof(text),
		 "\"weir tc diff %s\" shows what, \"weir tc apply %s\" puts it right", file,
		 file);
	f->remedy = strdup(text);
	return f->cause && f->remedy ? 0 : -1;
}

/* What an interface that has gone had went with it. */
static int add_absence(struct gateway_snapshot *to, const struct slink *s)
{
	struct gateway_finding *f;
	char text[TEXT];

	snprintf(text, sizeof(text),
		 "interface %s is not there: what was applied there is gone",
		 s->applied->interface);
	f = warn(to, JUDGE_DOWN, s, text);
	if (!f)
		return -1;
	snprintf(text, sizeof(text), "\"weir tc apply %s\" when it has come again",
		 s->applied->policy);
	f->remedy = strdup(text);
	return f->remedy ? 0 : -1;
}

/* Whether it is there; with what it is. */
static bool find_interface(struct gateway_link *l)
{
	char ignored[256];
	struct tc_nl *nl = tc_nl_open(ignored, sizeof(ignored));
	struct tc_link is;
	int error = 0;

	if (nl && !tc_link_find(nl, l->interface, &is, &error, ignored, sizeof(ignored))) {
		l->mtu = is.mtu;
		l->up = is.up;
	}
	tc_nl_close(nl);
	return error != ENODEV;
}

static int copy_link(struct gateway_snapshot *to, struct gateway_link *l, struct slink *s)
{
	char err[300];
	bool found;

	l->name = strdup(s->applied->link);
	l->interface = strdup(s->applied->interface);
	l->policy = strdup(s->applied->policy);
	l->applied = s->applied->wall;
	l->backend = POLICY_BACKEND_KERNEL;
	l->now = clock_now();
	if (!l->name || !l->interface || !l->policy)
		return -1;
	if (s->link) {
		l->rate_bps = s->link->rate.bps;
		if (snapshot_names(l, s->link))
			return -1;
	}
	found = find_interface(l);
	if (!found)
		return add_absence(to, s);
	if (!s->link || make_target(s))
		return warn(to, JUDGE_BYPASS, s, s->trouble) ? 0 : -1;
	l->device = strdup(tc_target_device(s->target));
	if (!l->device || add_drift(to, s))
		return -1;
	l->now = clock_now();
	if (tc_target_read(s->target, err, sizeof(err)))
		return 0;
	l->programmed = true;
	snapshot_counters(l, s->link, s->target);
	snapshot_sum(l, s->link);
	snapshot_leave_out(l, s->link);
	return 0;
}

struct gateway_snapshot *standing_snapshot(struct standing *s)
{
	struct gateway_snapshot *to = calloc(1, sizeof(*to));
	bool failed = false;

	if (!to)
		return NULL;
	to->now = clock_now();
	to->wall = clock_ns(CLOCK_REALTIME);
	to->started = s->started;
	to->standing = true;
	to->policy = strdup(s->v[0].applied->policy);
	to->link = calloc(s->n, sizeof(*to->link));
	failed = !to->policy || !to->link;
	while (to->n_link < s->n && !failed) {
		size_t i = to->n_link++; /* what there is of it goes with the others */

		failed = copy_link(to, &to->link[i], &s->v[i]);
	}
	if (!failed)
		return to;
	gateway_snapshot_free(to);
	return NULL;
}
