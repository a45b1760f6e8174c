/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What address translation does to the filters of what comes in. */
#include "gw/tc_plan.h"

#include <stdlib.h>
#include <string.h>

#include "gw/tc_nat.h"

static bool reads_receiver(const struct tc_plan *t, const struct policy_class *c)
{
	for (size_t i = 0; i < t->rules.n; i++) {
		const struct tc_rule *rule = &t->rules.v[i];

		if (rule->to == c && rule->filter && tc_nat_reads(rule->insn, rule->n, false))
			return true;
	}
	return false;
}

int tc_plan_translated(struct tc_plan *t, bool surely)
{
	static const char *const texts[] = {
		"the filter's own program, before addresses are translated back: if this host "
		"translates, it sees the address translated to in place of the inside host's",
		"the filter's own program, before addresses are translated back: this host "
		"translates, so it sees the address translated to in place of the inside "
		"host's",
	};

	/* with `backend: mark` weir classifies, where inside addresses stand in the packet */
	if (t->link->direction != POLICY_INGRESS || t->link->backend == POLICY_BACKEND_MARK)
		return 0;
	for (size_t i = 0; i < t->n_note; i++) {
		struct tc_note *n = &t->note[i];
		char *text;

		if (!n->class || strcmp(n->key, "match") != 0 || n->fidelity != TC_EXACT ||
		    !reads_receiver(t, n->class))
			continue;
		text = strdup(texts[surely]);
		if (!text)
			return -1;
		free(n->text);
		n->text = text;
		n->fidelity = TC_LOOSE;
	}
	return 0;
}
