/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table that classifies before translation: planned, made, looked at, removed. */
#include "gw/tc_nat.h"

#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_bpf.h>

#include <libnftnl/udata.h>

#include "gw/fail.h"
#include "gw/nft_batch.h"
#include "gw/nft_expr.h"
#include "gw/tc_nat_look.h"
#include "qos/siphash.h"

#define BASE TC_NAT_BASE
#define COMMENT_MAX TC_NAT_COMMENT
#define CHAIN_NAME 16
#define TABLE_NAME (sizeof(TC_NAT_TABLE) + IFNAMSIZ)

static void table_name(const char *interface, char name[TABLE_NAME])
{
	snprintf(name, TABLE_NAME, TC_NAT_TABLE "%.15s", interface);
}

static void chain_name(const struct policy_class *at, char name[CHAIN_NAME])
{
	snprintf(name, CHAIN_NAME, "c%" PRIu32, at->index);
}

/* ---- The plan. */

/* Length and content of everything that the rules are made of. */
static uint64_t digest(const struct tc_nat_plan *n)
{
	static const struct siphash_key key = {0x7765697220746361, 0x6e64206e61742031};
	struct siphash s = siphash_begin(&key);

	for (size_t i = 0; i < n->rules.n; i++) {
		const struct tc_rule *r = &n->rules.v[i];

		siphash_word(&s, 2,
			     (uint64_t)r->at->index << 32 | n->plan->classid[r->to->index]);
		siphash_word(&s, 2, (uint64_t)r->to->n_child << 32 | r->n);
		for (size_t k = 0; k < r->n; k++) {
			uint64_t word;

			memcpy(&word, &r->insn[k], sizeof(word));
			siphash_word(&s, 2, word);
		}
	}
	return siphash_end(&s, 2, 4, n->rules.n);
}

int tc_nat_plan(struct tc_nat_plan *n, const struct policy *p, const struct tc_plan *plan,
		struct policy_report *r, char *err, size_t errsize)
{
	*n = (struct tc_nat_plan){.plan = plan};
	if (tc_rules_build(&n->rules, p, plan->link, r, err, errsize))
		return -1;
	if (asprintf(&n->table, TC_NAT_TABLE "%s", plan->link->interface) < 0) {
		n->table = NULL;
		tc_nat_plan_free(n);
		return fail_with(err, errsize, "%s", strerror(ENOMEM));
	}
	for (size_t i = 0; i < n->rules.n && !n->too_long; i++)
		if (n->rules.v[i].n > XT_BPF_MAX_NUM_INSTR)
			n->too_long = &n->rules.v[i];
	n->digest = digest(n);
	return 0;
}

void tc_nat_plan_free(struct tc_nat_plan *n)
{
	tc_rules_free(&n->rules);
	free(n->table);
	*n = (struct tc_nat_plan){0};
}

/* ---- Its rules. */

static void comment(struct nft_draft *d, const char *text)
{
	struct nftnl_udata_buf *u = d->failed ? NULL : nftnl_udata_buf_alloc(256);

	if (!u || !nftnl_udata_put_strz(u, NFTNL_UDATA_RULE_COMMENT, text))
		d->failed = true;
	else
		nftnl_rule_set_data(d->rule, NFTNL_RULE_USERDATA, nftnl_udata_buf_data(u),
				    nftnl_udata_buf_len(u));
	if (u)
		nftnl_udata_buf_free(u);
}

static void digest_text(const struct tc_nat_plan *n, char text[COMMENT_MAX + 1])
{
	snprintf(text, COMMENT_MAX + 1, "weir %016" PRIx64, n->digest);
}

static struct nftnl_rule *jump_rule(const struct tc_nat_plan *n)
{
	struct nft_draft d = nft_start(n->table, BASE);
	char text[COMMENT_MAX + 1], chain[CHAIN_NAME];

	chain_name(n->plan->link->root, chain);
	nft_if_outgoing(&d, n->plan->link->interface);
	nft_verdict(&d, (uint32_t)NFT_JUMP, chain);
	digest_text(n, text);
	comment(&d, text);
	return nft_end(&d);
}

static void if_bpf(struct nft_draft *d, const struct tc_rule *r)
{
	struct xt_bpf_info_v1 *info = calloc(1, XT_ALIGN(sizeof(*info)));

	if (info) {
		info->mode = XT_BPF_MODE_BYTECODE;
		info->bpf_program_num_elem = r->n;
		memcpy(info->bpf_program, r->insn, r->n * sizeof(*r->insn));
	}
	nft_xt(d, "match", "bpf", 1, info, XT_ALIGN(sizeof(*info)));
}

static bool takes_all(const struct tc_rule *r)
{
	return r->n == 1 && r->insn->code == (BPF_RET | BPF_K) && r->insn->k;
}

static struct nftnl_rule *class_rule(const struct tc_nat_plan *n, const struct tc_rule *r)
{
	char name[CHAIN_NAME], text[COMMENT_MAX + 1];
	struct nft_draft d;

	chain_name(r->at, name);
	d = nft_start(n->table, name);
	if (!takes_all(r))
		if_bpf(&d, r);
	if (r->to->n_child) {
		chain_name(r->to, name);
		nft_verdict(&d, (uint32_t)NFT_GOTO, name);
	} else {
		nft_load_value(&d, n->plan->classid[r->to->index]);
		nft_store_meta(&d, NFT_META_PRIORITY);
		nft_verdict(&d, NF_ACCEPT, NULL);
	}
	snprintf(text, sizeof(text), "%s", r->to->path);
	comment(&d, text);
	return nft_end(&d);
}

/* ---- What is there. */

/* That of one rule, and the rule is freed. 0 where there was no memory for it: it differs. */
static uint64_t content_of(struct nftnl_rule *r, const char *chain, uint32_t place)
{
	uint64_t h = r ? tc_nat_content(r, chain, place) : 0;

	if (r)
		nftnl_rule_free(r);
	return h;
}

/* What tc_nat_look() would find of this plan's rules. */
static uint64_t content(const struct tc_nat_plan *n)
{
	const struct policy_link *l = n->plan->link;
	uint32_t *place = calloc(l->n_all + 1, sizeof(*place));
	char chain[CHAIN_NAME];
	uint64_t sum = content_of(jump_rule(n), BASE, 0);

	for (size_t i = 0; place && i < n->rules.n; i++) {
		const struct tc_rule *r = &n->rules.v[i];

		chain_name(r->at, chain);
		sum += content_of(class_rule(n, r), chain, place[r->at->index]++);
	}
	free(place);
	return sum;
}

static bool is_same(const struct tc_nat_plan *n, const struct tc_nat_look *l)
{
	char want[COMMENT_MAX + 1];

	digest_text(n, want);
	/* one rule more: that of the base chain */
	return !strcmp(want, l->digest) && l->rules == n->rules.n + 1 &&
	       l->content == content(n) && !l->dormant && !l->drops;
}

int tc_nat_state(const struct tc_nat_plan *n, const char *interface)
{
	char table[TABLE_NAME];
	struct tc_nat_look l;
	int state;

	table_name(interface, table);
	if (tc_nat_look(&l, table))
		return nft_missing(errno) ? TC_NAT_NONE : -1;
	if (!l.rules) {
		state = TC_NAT_NONE;
	} else if (!n) {
		state = TC_NAT_OTHER;
	} else {
		state = is_same(n, &l) ? TC_NAT_SAME : TC_NAT_OTHER;
	}
	tc_nat_look_free(&l);
	return state;
}

/* ---- Changing it. */

static struct mnl_socket *open_nft(char *err, size_t errsize)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);

	if (nl && mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) >= 0)
		return nl;
	fail_with(err, errsize, "nftables: %s", strerror(errno));
	if (nl)
		mnl_socket_close(nl);
	return NULL;
}

/* A chain for each class that has classes. */
static void put_chains(struct nft_batch *b, const struct tc_nat_plan *n)
{
	const struct policy_link *l = n->plan->link;
	char name[CHAIN_NAME];

	for (size_t i = 0; i < l->n_all; i++) {
		if (!l->all[i]->n_child)
			continue;
		chain_name(l->all[i], name);
		nft_chain(b, n->table, name);
	}
}

/* What if_bpf() takes, where it is a module. Whether it could be had, the rules will show. */
static void load(void)
{
	nft_xt_load("match", "bpf", 1);
}

static const char *hint(int error)
{
	if (error == ENOENT || error == EOPNOTSUPP)
		return ": the kernel needs CONFIG_NFT_COMPAT and CONFIG_NETFILTER_XT_MATCH_BPF";
	return error == EPERM ? ": run as root, or with CAP_NET_ADMIN" : "";
}

/* What turns the table that is there into this one. Its base chain stays if there is one. */
static void put_table(struct nft_batch *b, const struct tc_nat_plan *n,
		      const struct tc_nat_look *l)
{
	/* there or not; no flags: it is awake again */
	nft_table(b, n->table, NFT_MSG_NEWTABLE, NLM_F_CREATE, 0);
	if (l->base || l->n_chain) {
		nft_flush(b, n->table, NULL);
		for (size_t i = 0; i < l->n_chain; i++)
			nft_delete_chain(b, n->table, l->chain[i]);
	}
	if (!l->base || l->drops)
		nft_base_chain(b, n->table, BASE, TC_NAT_PRIORITY);
	put_chains(b, n);
	nft_rule(b, jump_rule(n));
	for (size_t i = 0; i < n->rules.n; i++)
		nft_rule(b, class_rule(n, &n->rules.v[i]));
}

static int put_job(struct nft_batch *b, const struct tc_nat_job *job)
{
	char table[TABLE_NAME];
	struct tc_nat_look l;
	int status = 0;

	if (!job->interface)
		return 0;
	table_name(job->interface, table);
	if (tc_nat_look(&l, table))
		return nft_missing(errno) && !job->wanted ? 0 : -1;
	if (job->wanted && !is_same(&job->plan, &l)) {
		put_table(b, &job->plan, &l);
		status = 1;
	} else if (!job->wanted && l.there) {
		nft_table(b, table, NFT_MSG_DELTABLE, 0, 0);
		status = 1;
	}
	tc_nat_look_free(&l);
	return status;
}

static size_t messages(const struct tc_nat_job *job)
{
	return job->wanted ? job->plan.rules.n + 2 * job->plan.plan->link->n_all + 5 : 1;
}

int tc_nat_commit(const struct tc_nat_job *job, size_t n, char *err, size_t errsize)
{
	struct mnl_socket *nl;
	int changed = 0, error = 0;
	struct nft_batch b;
	size_t room = 0;

	for (size_t i = 0; i < n; i++)
		room += messages(&job[i]);
	nft_begin(&b, room);
	for (size_t i = 0; i < n && !error; i++) {
		int status = put_job(&b, &job[i]);

		error = status < 0 ? errno : 0;
		changed += status > 0;
	}
	if (error || !changed) {
		free(b.mem);
	} else {
		nl = open_nft(err, errsize);
		if (!nl) {
			free(b.mem);
			return -1;
		}
		load();
		error = nft_commit(nl, &b);
		mnl_socket_close(nl);
	}
	if (error)
		return fail_with(err, errsize,
				 "nftables: rules for classification before address "
				 "translation: %s%s",
				 strerror(error), hint(error));
	return changed;
}

bool tc_nat_can(void)
{
	static const char table[] = "weir-tc-probe", chain[] = "c0";
	struct sock_filter all = BPF_STMT(BPF_RET | BPF_K, UINT32_MAX);
	const struct tc_rule rule = {.insn = &all, .n = 1};
	struct nft_draft d = nft_start(table, chain);
	struct mnl_socket *nl;
	struct nft_batch b;
	char err[64];
	int error;

	nl = open_nft(err, sizeof(err));
	nft_begin(&b, 5);
	nft_table(&b, table, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL, 0);
	nft_chain(&b, table, chain);
	if_bpf(&d, &rule);
	nft_rule(&b, nft_end(&d));
	nft_table(&b, table, NFT_MSG_DELTABLE, 0, 0);
	load();
	error = nl ? nft_commit(nl, &b) : EPERM;
	if (nl)
		mnl_socket_close(nl);
	else
		free(b.mem);
	return !error;
}

/* A transaction of one message, if there is such a table. 1, 0 or -1, as tc_nat_remove(). */
static int end(const char *interface, bool empty, char *err, size_t errsize)
{
	char table[TABLE_NAME];
	struct mnl_socket *nl;
	struct nft_batch b;
	struct tc_nat_look l;
	bool there;
	int error;

	table_name(interface, table);
	if (tc_nat_look(&l, table))
		return nft_missing(errno)
			       ? 0
			       : fail_with(err, errsize, "nftables: %s", strerror(errno));
	there = empty ? l.rules : l.there;
	tc_nat_look_free(&l);
	if (!there)
		return 0;
	nl = open_nft(err, errsize);
	if (!nl)
		return -1;
	nft_begin(&b, 1);
	if (empty)
		nft_flush(&b, table, NULL);
	else
		nft_table(&b, table, NFT_MSG_DELTABLE, 0, 0);
	error = nft_commit(nl, &b);
	mnl_socket_close(nl);
	if (error)
		return fail_with(err, errsize, "nftables: removing %stable \"%s\": %s%s",
				 empty ? "the rules of " : "", table, strerror(error),
				 hint(error));
	return 1;
}

int tc_nat_remove(const char *interface, char *err, size_t errsize)
{
	return end(interface, false, err, errsize);
}

int tc_nat_empty(const char *interface, char *err, size_t errsize)
{
	return end(interface, true, err, errsize);
}
