/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The interfaces of a link. */
#include "qos/policy_impl.h"

#include <stdlib.h>

/* One of those of a link. */
static bool one_interface(struct reader *rd, const struct policy_key *k, const struct ynode *v,
			  void *obj)
{
	const struct policy_key first = {.name = k->name,
					 .off = offsetof(struct policy_link, interface)};
	const struct policy_key other = {.name = k->name};
	struct policy_link *l = obj;
	char *name = NULL;

	if (!l->interface)
		return value_interface(rd, &first, v, l);
	if (!value_interface(rd, &other, v, &name))
		return false;
	if (policy_has_interface(l, name) || policy_interfaces(l) == POLICY_INTERFACES_MAX) {
		if (policy_has_interface(l, name))
			complain(rd, POLICY_ERROR, v->at, "%s \"%s\" is there twice", k->name,
				 policy_shown(name).s);
		else
			complain(rd, POLICY_ERROR, v->at,
				 "a link can have no more than %u interfaces",
				 POLICY_INTERFACES_MAX);
		free(name);
		return false;
	}
	if (!l->also)
		l->also = calloc(POLICY_INTERFACES_MAX, sizeof(char *));
	if (!l->also) {
		rd->no_memory = true;
		free(name);
		return false;
	}
	l->also[l->n_also++] = name;
	return true;
}

bool value_interfaces(struct reader *rd, const struct policy_key *k, const struct ynode *v,
		      void *obj)
{
	return value_each(rd, k, v, obj, one_interface);
}
