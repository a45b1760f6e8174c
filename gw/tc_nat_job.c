/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is to be done about address translation for one link. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "gw/fail.h"
#include "gw/tc_nat.h"

/* Tells each filter that translation changes. How many there are. */
static unsigned tell(const struct tc_nat_job *job, const struct policy *p, bool source,
		     const char *why, bool strict, struct policy_report *r)
{
	const struct policy_filter *last = NULL;
	unsigned n = 0;

	for (size_t i = 0; i < job->plan.rules.n; i++) {
		const struct tc_rule *rule = &job->plan.rules.v[i];

		if (!rule->filter || rule->filter == last || rule->to->control ||
		    !tc_nat_reads(rule->insn, rule->n, source))
			continue;
		last = rule->filter;
		policy_complain(
			r, strict ? POLICY_ERROR : POLICY_WARNING, p->file, rule->filter->mark,
			"class \"%s\": the kernel sees translated addresses here, so this "
			"filter means something else to it than in the policy: %s",
			policy_shown(rule->to->path).s, why);
		n++;
	}
	return n;
}

static int decide(struct tc_nat_job *job, const struct policy *p, const char *who, bool strict,
		  struct policy_report *r)
{
	const struct policy_link *l = job->plan.plan->link;
	char why[768];
	unsigned n;

	if (l->direction == POLICY_INGRESS) {
		snprintf(why, sizeof(why),
			 "what comes in is classified before %s gives it back its inside "
			 "address; classify what leaves by the inside interface instead",
			 who);
		n = tell(job, p, false, why, strict, r);
	} else if (job->plan.too_long) {
		const struct tc_rule *rule = job->plan.too_long;

		snprintf(why, sizeof(why),
			 "%s translates, and before that the kernel takes programs of 64 "
			 "instructions at most, but one for class \"%s\" has %u; write its "
			 "filter as a list of shorter ones",
			 who, policy_shown(rule->to->path).s, rule->n);
		n = tell(job, p, true, why, strict, r);
	} else if (!tc_nat_can()) {
		snprintf(why, sizeof(why),
			 "%s translates, and to classify before that the kernel needs "
			 "CONFIG_NFT_COMPAT and CONFIG_NETFILTER_XT_MATCH_BPF; or use "
			 "\"backend: mark\" with weir run",
			 who);
		n = tell(job, p, true, why, strict, r);
	} else {
		job->wanted = true;
		return 0;
	}
	return n && strict ? -1 : 0;
}

int tc_nat_prepare(struct tc_nat_job *job, const struct policy *p, const struct tc_plan *plan,
		   bool strict, struct policy_report *r, char *err, size_t errsize)
{
	char who[160];
	int found = tc_nat_who(who, sizeof(who));

	*job = (struct tc_nat_job){0};
	if (plan->link->direction == POLICY_EGRESS)
		job->interface = plan->link->interface;
	err[0] = '\0';
	if (found < 0)
		return fail_with(err, errsize, "looking for address translation: %s",
				 strerror(errno));
	if (!found)
		return 0;
	if (tc_nat_plan(&job->plan, p, plan, r, err, errsize))
		return -1;
	if (!decide(job, p, who, strict, r))
		return 0;
	tc_nat_job_free(job);
	return -1;
}

int tc_nat_differs(const struct tc_nat_job *job)
{
	int state;

	if (!job->interface)
		return '=';
	state = tc_nat_state(job->wanted ? &job->plan : NULL, job->interface);
	if (state < 0)
		return -1;
	if (!job->wanted)
		return state == TC_NAT_NONE ? '=' : '-';
	return state == TC_NAT_SAME ? '=' : state == TC_NAT_NONE ? '+' : '~';
}

void tc_nat_job_free(struct tc_nat_job *job)
{
	if (job->plan.table)
		tc_nat_plan_free(&job->plan);
	job->wanted = false;
}
