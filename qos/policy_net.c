/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Networks: the hosts that are inside, for host-max.
 */
#include "qos/policy_impl.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

bool policy_parse_net(const char *s, struct policy_net *net, const char **why)
{
	char addr[INET6_ADDRSTRLEN];
	const char *slash = strchr(s, '/');
	size_t len = slash ? (size_t)(slash - s) : strlen(s);
	int64_t plen;

	*why = "is not a network, written like \"192.168.0.0/16\" or \"fc00::/7\"";
	if (!len || len >= sizeof(addr))
		return false;
	memcpy(addr, s, len);
	addr[len] = '\0';
	memset(net, 0, sizeof(*net));
	if (inet_pton(AF_INET, addr, net->addr) == 1)
		net->family = 4;
	else if (inet_pton(AF_INET6, addr, net->addr) == 1)
		net->family = 6;
	else
		return false;
	net->plen = net->family == 4 ? 32 : 128;
	if (!slash)
		return true;
	if (slash[1] == '-' || !units_number(slash + 1, &plen))
		return false;
	*why = "has a prefix longer than its address";
	if (plen > net->plen)
		return false;
	net->plen = (uint8_t)plen;
	return true;
}

bool policy_clear_host_bits(struct policy_net *net)
{
	bool any = false;

	for (unsigned i = net->plen; i < 128; i++) {
		uint8_t bit = (uint8_t)(0x80 >> (i % 8));

		any |= (net->addr[i / 8] & bit) != 0;
		net->addr[i / 8] &= (uint8_t)~bit;
	}
	return any;
}

static bool one_net(struct reader *rd, const struct policy_key *k, const struct ynode *v,
		    void *obj)
{
	struct policy *p = obj;
	const char *s = value_scalar(rd, k, v), *why;
	struct policy_net net, *more;

	if (!s)
		return false;
	if (!policy_parse_net(s, &net, &why)) {
		complain(rd, POLICY_ERROR, v->at, "%s \"%s\" %s", k->name, policy_shown(s).s,
			 why);
		return false;
	}
	if (policy_clear_host_bits(&net)) {
		char addr[INET6_ADDRSTRLEN];

		inet_ntop(net.family == 4 ? AF_INET : AF_INET6, net.addr, addr, sizeof(addr));
		complain(rd, POLICY_ERROR, v->at,
			 "%s \"%s\" has bits behind its prefix (did you mean \"%s/%u\"?)",
			 k->name, policy_shown(s).s, addr, net.plen);
		return false;
	}
	if (!(p->n_inside & (p->n_inside - 1))) { /* grows at powers of two */
		more = realloc(p->inside, (p->n_inside ? p->n_inside * 2 : 1) * sizeof(*more));
		if (!more) {
			rd->no_memory = true;
			return false;
		}
		p->inside = more;
	}
	p->inside[p->n_inside++] = net;
	return true;
}

bool value_inside(struct reader *rd, const struct policy_key *k, const struct ynode *v,
		  void *obj)
{
	return value_each(rd, k, v, obj, one_net);
}

/* RFC 1918, 6598, 3927, 4193, 4291: what is not routed on the internet. */
bool policy_inside_default(struct policy *p)
{
	static const struct policy_net private[] = {
		{4, 8, {10}},	       {4, 12, {172, 16}},  {4, 16, {192, 168}},
		{4, 10, {100, 64}},    {4, 16, {169, 254}}, {6, 7, {0xfc}},
		{6, 10, {0xfe, 0x80}},
	};

	p->inside = malloc(sizeof(private));
	if (!p->inside)
		return false;
	memcpy(p->inside, private, sizeof(private));
	p->n_inside = sizeof(private) / sizeof(private[0]);
	return true;
}
