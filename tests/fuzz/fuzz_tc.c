/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as the kernel's messages about traffic control, or as a file of what was replaced
 * says them: read, compared with what is wanted, and asked for again. The changes must lead
 * somewhere by their own account (what is deleted is there, nothing is added twice).
 */
#include <linux/pkt_sched.h>
#include <stdlib.h>
#include <string.h>

#include "gw/tc_ingress.h"
#include "gw/tc_message.h"
#include "gw/tc_raw.h"
#include "gw/tc_rebuild.h"
#include "gw/tc_tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void insist(bool holds)
{
	if (!holds)
		abort();
}

static void add(struct tc_list *l, struct tc_object o)
{
	insist(!tc_list_add(l, &o));
}

static void want_class(struct tc_list *l, uint32_t above, uint32_t minor)
{
	struct sock_filter *insn = calloc(1, sizeof(*insn));

	insist(insn != NULL);
	*insn = (struct sock_filter){.code = 6, .k = UINT32_MAX};
	add(l, (struct tc_object){.kind = TC_CLASS,
				  .type = TC_HTB,
				  .parent = TC_ROOT_HANDLE | above,
				  .handle = TC_ROOT_HANDLE | minor,
				  .htb = {.rate = 1000, .ceil = 1000, .quantum = 1500}});
	add(l, (struct tc_object){
		       .kind = TC_FILTER,
		       .type = TC_BPF,
		       .parent = TC_ROOT_HANDLE | above,
		       .handle = minor,
		       .bpf = {.insn = insn, .n = 1, .classid = TC_ROOT_HANDLE | minor}});
}

static void wanted(struct tc_list *l)
{
	add(l, (struct tc_object){.kind = TC_QDISC,
				  .type = TC_HTB,
				  .parent = TC_H_ROOT,
				  .handle = TC_ROOT_HANDLE});
	want_class(l, 0, 1);
	want_class(l, 1, 2);
	want_class(l, 1, 3);
	want_class(l, 3, 4);
	add(l, (struct tc_object){.kind = TC_QDISC,
				  .type = TC_PFIFO,
				  .parent = TC_ROOT_HANDLE | 2,
				  .handle = 0x20000,
				  .limit = 5});
}

static void nothing(void *arg, uint32_t ifindex)
{
	(void)arg;
	(void)ifindex;
}

static void ask_again(const struct tc_object *o)
{
	struct nl_msg **m = calloc(tc_raw_most(o) + 1, sizeof(*m));
	int n = m ? tc_raw_requests(o, 3, m) : 0;
	char text[256];

	tc_raw_refused(o);
	tc_raw_targets(o, nothing, NULL);
	tc_object_text(o, text, sizeof(text));
	while (n-- > 0)
		nlmsg_free(m[n]);
	free(m);
	nlmsg_free(tc_raw_delete(o, 3));
	nlmsg_free(tc_encode(TC_DELETE, o, NULL, 3));
	if (o->type != TC_OTHER)
		nlmsg_free(tc_encode(TC_ADD, o, NULL, 3));
}

/* Each object that there is is deleted at most once, and only such. */
static void check(const struct tc_changes *c, const struct tc_state *s)
{
	uint8_t *seen = calloc(s->list.n + 1, 1);

	insist(seen != NULL);
	for (size_t i = 0; i < c->n; i++) {
		const struct tc_object *o = c->v[i].op == TC_CHANGE ? c->v[i].was : c->v[i].o;
		size_t k;

		if (c->v[i].op == TC_ADD)
			continue;
		k = (size_t)(o - s->list.v);
		insist(k < s->list.n && !seen[k]);
		seen[k] = 1;
	}
	insist(!c->n || !c->v[c->n - 1].implied);
	free(seen);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size + 1);
	struct tc_list want = {0};
	struct tc_changes c;
	struct tc_state s;
	char err[256];

	insist(copy != NULL);
	memcpy(copy, data, size);
	if (!tc_state_from(copy, size, &s, err, sizeof(err))) {
		wanted(&want);
		insist(!tc_diff(&want, &s, &c));
		check(&c, &s);
		tc_changes_free(&c);
		tc_list_free(&want);
		for (size_t i = 0; i < s.list.n; i++)
			ask_again(&s.list.v[i]);
		insist(!tc_differing(&s, &s, TC_H_ROOT));
		insist(!tc_differing(&s, &s, TC_H_INGRESS));
		tc_ingress_ours(&s, true);
		tc_state_free(&s);
	}
	free(copy);
	return 0;
}
