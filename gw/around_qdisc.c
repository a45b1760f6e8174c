/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rates are read raw: libnl 3.7 keeps TBF's as an int, and does not know cake. */
#include "gw/around_qdisc.h"

#include <errno.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>

#include "gw/nldump.h"
#include "gw/tc_object.h"

/* Where a kind of qdisc or class says its rate: in a struct, and (or) in 64 bits. */
static const struct place {
	const char *kind;
	bool class;
	uint16_t parms;	 /* the attribute with the struct; 0 none */
	uint16_t rate64; /* the attribute of 64 bits; 0 none */
	size_t offset;	 /* of the 32 bits in the struct */
} places[] = {
	{"tbf", false, TCA_TBF_PARMS, TCA_TBF_RATE64,
	 offsetof(struct tc_tbf_qopt, rate) + offsetof(struct tc_ratespec, rate)},
	{"cake", false, 0, TCA_CAKE_BASE_RATE64, 0},
	{"netem", false, TCA_NETEM_RATE, TCA_NETEM_RATE64,
	 offsetof(struct tc_netem_rate, rate)},
	{"htb", true, TCA_HTB_PARMS, TCA_HTB_CEIL64,
	 offsetof(struct tc_htb_opt, ceil) + offsetof(struct tc_ratespec, rate)},
	/* the upper limit's second slope, which is the one that lasts */
	{"hfsc", true, TCA_HFSC_USC, 0, offsetof(struct tc_service_curve, m2)},
};

static uint64_t number(const struct nlattr *a, size_t offset, size_t size)
{
	uint64_t wide = 0;
	uint32_t v = 0;

	if (mnl_attr_get_payload_len(a) < offset + size)
		return 0;
	if (size == sizeof(v)) {
		memcpy(&v, (const char *)mnl_attr_get_payload(a) + offset, sizeof(v));
		return v;
	}
	memcpy(&wide, (const char *)mnl_attr_get_payload(a) + offset, sizeof(wide));
	return wide;
}

/* netem's attributes stand behind a struct, within the same attribute. */
static size_t in_front(const char *kind)
{
	return strcmp(kind, "netem") != 0 ? 0 : NLA_ALIGN(sizeof(struct tc_netem_qopt));
}

static uint64_t rate_of(const struct nlattr *options, const struct place *p)
{
	size_t skip = in_front(p->kind), len = mnl_attr_get_payload_len(options);
	uint64_t rate = 0, wide = 0;
	const struct nlattr *attr;
	const void *from;

	if (len < skip)
		return 0;
	from = (const char *)mnl_attr_get_payload(options) + skip;
	len -= skip;
	mnl_attr_for_each_payload(from, len)
	{
		uint16_t type = mnl_attr_get_type(attr);

		if (p->parms && type == p->parms)
			rate = number(attr, p->offset, sizeof(uint32_t));
		else if (p->rate64 && type == p->rate64)
			wide = number(attr, 0, sizeof(uint64_t));
	}
	return wide ? wide : rate;
}

bool around_tc_parse(const struct nlmsghdr *nlh, struct around_tc *t)
{
	const struct tcmsg *m = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *a, *options = NULL;
	size_t len;

	*t = (struct around_tc){.class = nlh->nlmsg_type == RTM_NEWTCLASS};
	if ((nlh->nlmsg_type != RTM_NEWQDISC && nlh->nlmsg_type != RTM_NEWTCLASS) ||
	    mnl_nlmsg_get_payload_len(nlh) < sizeof(*m))
		return false;
	t->index = m->tcm_ifindex;
	t->handle = m->tcm_handle;
	t->parent = m->tcm_parent;
	mnl_attr_for_each(a, nlh, sizeof(*m))
	{
		if (mnl_attr_get_type(a) == TCA_KIND) {
			len = strnlen(mnl_attr_get_payload(a), mnl_attr_get_payload_len(a));
			if (len >= sizeof(t->kind))
				len = sizeof(t->kind) - 1;
			memcpy(t->kind, mnl_attr_get_payload(a), len);
			t->kind[len] = '\0';
		} else if (mnl_attr_get_type(a) == TCA_OPTIONS) {
			options = a;
		}
	}
	for (size_t i = 0; options && i < sizeof(places) / sizeof(places[0]); i++)
		if (places[i].class == t->class && !strcmp(places[i].kind, t->kind))
			t->rate = rate_of(options, &places[i]);
	return t->kind[0] != '\0';
}

/* What the classes at the top of a qdisc may together; 0: no limit. */
static uint64_t top_classes(const struct around_tcs *s, const struct around_tc *q)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < s->n; i++) {
		const struct around_tc *c = &s->v[i];

		/* below htb they say that their parent is the root, below hfsc the qdisc */
		if (!c->class || c->index != q->index || strcmp(c->kind, q->kind) != 0 ||
		    TC_H_MAJ(c->handle) != q->handle || c->handle == q->handle ||
		    (c->parent != TC_H_ROOT && c->parent != q->handle))
			continue;
		if (!c->rate || c->rate > UINT64_MAX - sum)
			return 0;
		sum += c->rate;
	}
	return sum;
}

const struct around_tc *around_tc_slowest(const struct around_tcs *s, int index, uint64_t rate,
					  uint64_t *least)
{
	const struct around_tc *found = NULL;

	for (size_t i = 0; i < s->n; i++) {
		const struct around_tc *q = &s->v[i];
		uint64_t lets;

		if (q->class || q->index != index || q->parent == TC_H_INGRESS)
			continue;
		lets = q->rate ? q->rate : top_classes(s, q);
		if (!lets || lets >= rate)
			continue;
		rate = lets;
		found = q;
	}
	*least = rate;
	return found;
}

bool around_tc_own(const struct around_tcs *s, int index)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct around_tc *q = &s->v[i];

		if (!q->class && q->index == index && q->parent == TC_H_ROOT)
			return q->handle == TC_ROOT_HANDLE && !strcmp(q->kind, "htb");
	}
	return false;
}

static void take(void *arg, const struct nlmsghdr *nlh)
{
	struct around_tcs *s = arg;
	struct around_tc t, *v;

	if (!around_tc_parse(nlh, &t))
		return;
	/* a power of two is full */
	if (!(s->n & (s->n - 1))) {
		v = realloc(s->v, (s->n ? 2 * s->n : 1) * sizeof(*v));
		if (!v) {
			s->no_memory = true;
			return;
		}
		s->v = v;
	}
	s->v[s->n++] = t;
}

static int ask(struct around_tcs *s, uint16_t type, int index)
{
	uint8_t buf[64] __attribute__((aligned(8)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct tcmsg *m = mnl_nlmsg_put_extra_header(nlh, sizeof(*m));

	nlh->nlmsg_type = type;
	m->tcm_ifindex = index;
	if (nldump(NETLINK_ROUTE, nlh, take, s))
		return -1;
	if (!s->no_memory)
		return 0;
	errno = ENOMEM;
	return -1;
}

int around_tc_get(struct around_tcs *s)
{
	*s = (struct around_tcs){0};
	if (!ask(s, RTM_GETQDISC, 0))
		return 0;
	around_tc_free(s);
	return -1;
}

int around_tc_classes(struct around_tcs *s, int index)
{
	return ask(s, RTM_GETTCLASS, index);
}

void around_tc_free(struct around_tcs *s)
{
	free(s->v);
	*s = (struct around_tcs){0};
}
