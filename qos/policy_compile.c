/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The filters of a policy that was read: each compiled once, for all who match with it. */
#include "qos/policy_impl.h"
#include "qos/filter.h"

#include <stdlib.h>

static void compile_list(struct policy_filters *f, struct policy *p, struct policy_report *r)
{
	char err[PCAP_ERRBUF_SIZE + 400];

	f->compiled = f->n ? calloc(f->n, sizeof(*f->compiled)) : NULL;
	if (f->n && !f->compiled)
		policy_complain(r, POLICY_ERROR, p->file, f->v[0].mark, "out of memory");
	for (size_t i = 0; f->compiled && i < f->n; i++) {
		const struct policy_filter *t = &f->v[i];

		if (filter_compile(&f->compiled[i], t->text, err, sizeof(err)))
			policy_complain(r, POLICY_ERROR, p->file, t->mark, "filter \"%s\": %s",
					policy_shown(t->text).s, err);
	}
}

void policy_compile(struct policy *p, struct policy_report *r)
{
	for (size_t i = 0; i < p->n_link; i++) {
		struct policy_link *l = p->link[i];

		compile_list(&l->capture, p, r);
		for (size_t k = 0; k < l->n_all; k++)
			compile_list(&l->all[k]->match, p, r);
	}
}
