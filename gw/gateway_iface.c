/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The interfaces of a link: one, or several whose packets share it (backend queue). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gw/gateway_priv.h"

/* One that is there is enough; what is cut has to fit each. */
void gateway_ifaces_sum(struct glink *l)
{
	size_t n = policy_interfaces(l->link);

	l->iface = l->each[0];
	for (size_t i = 1; i < n; i++) {
		const struct ifwatch_state *s = &l->each[i];

		if (!s->there)
			continue;
		if (!l->iface.there || s->mtu < l->iface.mtu)
			l->iface.mtu = s->mtu;
		l->iface.there = true;
		l->iface.up |= s->up;
	}
}

int gateway_ifaces(struct glink *l, char *err, size_t errsize)
{
	for (size_t i = 0; i < policy_interfaces(l->link); i++) {
		const char *name = policy_interface(l->link, i);

		if (ifwatch_get(name, &l->each[i]))
			return fail_with(err, errsize, "link %s: interface %s: %s",
					 l->link->name, name, strerror(errno));
	}
	gateway_ifaces_sum(l);
	return 0;
}

bool gateway_same_place(const struct policy_link *a, const struct policy_link *b)
{
	if (a->direction != b->direction)
		return false;
	for (size_t i = 0; i < policy_interfaces(a); i++)
		if (policy_has_interface(b, policy_interface(a, i)))
			return true;
	return false;
}

bool gateway_same_interfaces(const struct policy_link *a, const struct policy_link *b)
{
	size_t n = policy_interfaces(a);

	if (n != policy_interfaces(b))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!policy_has_interface(b, policy_interface(a, i)))
			return false;
	return true;
}

void gateway_tell_missing(const struct gateway *g, const struct glink *l)
{
	for (size_t i = 0; i < policy_interfaces(l->link); i++)
		if (!l->each[i].there)
			gateway_say(g, 4, "link %s: there is no interface %s yet: the link %s",
				    l->link->name, policy_interface(l->link, i),
				    l->iface.there ? "has its others" : "waits for it");
}

/* "lan0,lan1"; false: no memory */
bool gateway_iface_names(const struct policy_link *l, char **to)
{
	size_t n = policy_interfaces(l), size = n * (IFNAMSIZ + 1) + 1, len = 0;

	*to = calloc(1, size);
	for (size_t i = 0; *to && i < n; i++)
		len += (size_t)snprintf(*to + len, size - len, "%s%s", i ? "," : "",
					policy_interface(l, i));
	return *to != NULL;
}
