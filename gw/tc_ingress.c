/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/tc_ingress.h"

#include <errno.h>
#include <linux/pkt_sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gw/fail.h"
#include "gw/tc_bpf.h"

#define QUEUE 1000u /* packets: what is not IP waits in a queue of that length */

void tc_ingress_name(const char *interface, char name[IFNAMSIZ])
{
	uint32_t h = 2166136261u; /* FNV-1a */
	int n = snprintf(name, IFNAMSIZ, "wi-%s", interface);

	if (n < IFNAMSIZ)
		return;
	for (const char *p = interface; *p; p++)
		h = (h ^ (uint8_t)*p) * 16777619u;
	snprintf(name, IFNAMSIZ, "wi-%.6s%06x", interface, h & 0xffffffu);
}

/* What the device says it is. */
static void alias_of(const char *interface, char alias[256])
{
	snprintf(alias, 256, "weir: what comes in by %s", interface);
}

int tc_ingress_find(struct tc_nl *nl, const char *interface, struct tc_link *l, char *err,
		    size_t errsize)
{
	char name[IFNAMSIZ], alias[256];
	int error;

	tc_ingress_name(interface, name);
	alias_of(interface, alias);
	if (tc_link_find(nl, name, l, &error, err, errsize))
		return error == ENODEV ? 0 : -1;
	/* one that has no alias and is down was left half made */
	if (strcmp(l->kind, "ifb") != 0 ||
	    (strcmp(l->alias, alias) != 0 && (*l->alias || l->up)))
		return fail_with(err, errsize,
				 "there is an interface \"%s\" that weir did not make, and it "
				 "would need that name",
				 name);
	return 1;
}

int tc_ingress_up(struct tc_nl *nl, const char *interface, const struct tc_link *l, char *err,
		  size_t errsize)
{
	char words[256], alias[256];

	alias_of(interface, alias);
	if (tc_link_set(nl, l->ifindex, true, alias, words, sizeof(words)))
		return fail_with(err, errsize, "bringing %s up: %s", l->name, words);
	return 0;
}

int tc_ingress_down(struct tc_nl *nl, const struct tc_link *l, char *err, size_t errsize)
{
	char words[256];

	if (tc_link_set(nl, l->ifindex, false, l->alias, words, sizeof(words)))
		return fail_with(err, errsize, "taking %s down: %s", l->name, words);
	return 0;
}

int tc_ingress_make(struct tc_nl *nl, const char *interface, struct tc_link *l, char *err,
		    size_t errsize)
{
	struct tc_link make = {.kind = "ifb", .txqlen = QUEUE};
	char words[256];

	tc_ingress_name(interface, make.name);
	if (tc_link_add(nl, &make, words, sizeof(words)))
		return fail_with(err, errsize, "making the interface %s: %s", make.name, words);
	if (tc_link_find(nl, make.name, l, NULL, err, errsize))
		return -1;
	if (!tc_ingress_up(nl, interface, l, err, errsize))
		return 0;
	tc_link_delete(nl, l->ifindex, words, sizeof(words));
	return -1;
}

int tc_ingress_want(struct tc_list *l, uint32_t ifb)
{
	struct sock_filter code[8];
	size_t n = tc_bpf_all(code, 8);
	struct tc_object qdisc = {.kind = TC_QDISC,
				  .type = TC_INGRESS,
				  .parent = TC_H_INGRESS,
				  .handle = TC_INGRESS_HANDLE},
			 filter = {.kind = TC_FILTER,
				   .type = TC_BPF,
				   .parent = TC_INGRESS_HANDLE,
				   .handle = 1,
				   .bpf = {.n = (uint16_t)n,
					   .classid = TC_LINK_CLASS, /* means nothing here */
					   .redirect = ifb}};

	*l = (struct tc_list){0};
	filter.bpf.insn = malloc(n * sizeof(*code));
	if (!filter.bpf.insn)
		return -1;
	memcpy(filter.bpf.insn, code, n * sizeof(*code));
	if (tc_list_add(l, &qdisc) || tc_list_add(l, &filter)) {
		tc_object_free(&filter);
		tc_list_free(l);
		return -1;
	}
	return 0;
}

bool tc_ingress_ours(const struct tc_state *s, bool ifb)
{
	bool qdisc = false, filters = false, leads = false;

	for (size_t i = 0; i < s->list.n; i++) {
		const struct tc_object *o = &s->list.v[i];

		if (o->kind == TC_QDISC && o->parent == TC_H_INGRESS)
			qdisc = o->type == TC_INGRESS;
		if (o->kind != TC_FILTER || TC_H_MAJ(o->parent) != TC_INGRESS_HANDLE)
			continue;
		filters = true;
		leads |=
			o->type == TC_BPF && o->bpf.redirect && o->bpf.classid == TC_LINK_CLASS;
	}
	return qdisc && (leads || (ifb && !filters));
}
