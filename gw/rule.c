/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table: made, changed and looked at, in transactions (libnftnl's batches). */
#include "gw/rule_expr.h"

#include "gw/protect.h" /* before linux/netfilter.h, for netinet/in.h */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <linux/membarrier.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <libmnl/libmnl.h>
#include <libnftnl/table.h>

#include "gw/claim.h"
#include "gw/fail.h"
#include "gw/nft_batch.h"
#include "gw/rule_shed.h"

struct rules {
	struct mnl_socket *nl; /* owns the table */
	enum rule_how how;
	bool protects;		    /* programs tell packets apart */
	bool sheds;		    /* packets can be dropped before the queue */
	struct rule_sheds shed;	    /* what that is for which link */
	unsigned shed_rules;	    /* rules for that */
	bool inbound;		    /* the chains for what comes in are there: they stay */
	unsigned expected;	    /* rules in the table */
	struct claims claims, next; /* next: v NULL: they stay */
};

/* The hooks at which what comes in is taken. */
#define INBOUND 2u
static const struct {
	const char *take, *release;
	uint32_t hook;
} inbound[INBOUND] = {
	{"take-forward", "release-forward", NF_INET_FORWARD},
	{"take-input", "release-input", NF_INET_LOCAL_IN},
};

/* The rule, in another chain than its own. */
static struct nftnl_rule *in_chain(struct nftnl_rule *rule, const char *chain)
{
	if (!rule || !nftnl_rule_set_str(rule, NFTNL_RULE_CHAIN, chain))
		return rule;
	nftnl_rule_free(rule);
	return NULL;
}

static unsigned put_release(struct nft_batch *b, const char *chain)
{
	nft_rule(b, in_chain(rule_accept_others(), chain));
	nft_rule(b, in_chain(rule_set_ce(NFPROTO_IPV4), chain));
	nft_rule(b, in_chain(rule_set_ce(NFPROTO_IPV6), chain));
	nft_rule(b, in_chain(rule_jump_remark(), chain));
	nft_rule(b, in_chain(rule_clear_mark(), chain));
	return 5;
}

/* ---- Looking at it. */

struct count {
	unsigned rules;
	bool table;
};

static void count_rule(void *arg, const struct nlmsghdr *nlh)
{
	struct nftnl_rule *r = nftnl_rule_alloc();
	struct count *c = arg;

	if (r && !nftnl_rule_nlmsg_parse(nlh, r)) {
		const char *table = nftnl_rule_get_str(r, NFTNL_RULE_TABLE);

		c->rules += table && !strcmp(table, RULE_TABLE);
	}
	if (r)
		nftnl_rule_free(r);
}

static void find_table(void *arg, const struct nlmsghdr *nlh)
{
	struct nftnl_table *t = nftnl_table_alloc();
	struct count *c = arg;

	if (t && !nftnl_table_nlmsg_parse(nlh, t)) {
		const char *name = nftnl_table_get_str(t, NFTNL_TABLE_NAME);

		c->table |= name && !strcmp(name, RULE_TABLE);
	}
	if (t)
		nftnl_table_free(t);
}

bool rules_intact(struct rules *r)
{
	struct count c = {0};

	/* a dump that somebody's change interrupts (EINTR) says nothing; the next one will */
	if (nft_dump(NFT_MSG_GETRULE, NFPROTO_INET, count_rule, &c))
		return true;
	return c.rules == r->expected + r->shed_rules;
}

static bool table_exists(void)
{
	struct count c = {0};

	return !nft_dump(NFT_MSG_GETTABLE, NFPROTO_INET, find_table, &c) && c.table;
}

/* ---- Life. */

/* Whether the kernel has nftables' own `queue`: a rule with it, gone before it is there. */
static int probe(struct rules *r)
{
	struct rule_link none = {.interface = "weir-probe", .queue = UINT16_MAX};
	struct nft_batch b;
	int error;

	nft_begin(&b, 2);
	nft_rule(&b, rule_queue(&none, r->how));
	nft_flush(&b, RULE_TABLE, RULE_TAKE);
	error = nft_commit(r->nl, &b);
	if (!error || r->how == RULE_XT)
		return error;
	r->how = RULE_XT;
	/* whether it could be loaded, the rule will show */
	nft_xt_load("target", "NFQUEUE", 3);
	return probe(r);
}

/* Whether the kernel runs programs in rules: the same. */
static bool probe_programs(struct rules *r)
{
	const struct rule_link none = {.interface = "weir-probe"};
	const struct protect_rule all = {.insn = {{BPF_STMT(BPF_RET | BPF_K, TC_BPF_MATCH)}},
					 .n = {1}};
	struct nft_batch b;

	nft_xt_load("match", "bpf", 1);
	nft_begin(&b, 2);
	nft_rule(&b, rule_jump_control(&none, &all));
	nft_flush(&b, RULE_TABLE, RULE_TAKE);
	return !nft_commit(r->nl, &b);
}

static int make_table(struct rules *r)
{
	struct nft_batch b;

	nft_begin(&b, 14);
	nft_table(&b, RULE_TABLE, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL,
		  NFT_TABLE_F_OWNER);
	nft_base_chain(&b, RULE_TABLE, RULE_TAKE, RULE_PRIORITY);
	nft_base_chain(&b, RULE_TABLE, RULE_RELEASE, RULE_PRIORITY + 1);
	nft_chain(&b, RULE_TABLE, RULE_REMARK);
	for (unsigned d = 0; d < 2; d++) {
		nft_chain(&b, RULE_TABLE, RULE_CONTROL(d));
		nft_chain(&b, RULE_TABLE, RULE_SHED(d));
	}
	r->expected = put_release(&b, RULE_RELEASE);
	return nft_commit(r->nl, &b);
}

struct rules *rules_open(bool *exists, char *err, size_t errsize)
{
	struct rules *r = calloc(1, sizeof(*r));
	int error;

	*exists = false;
	if (r)
		r->nl = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!r || !r->nl || mnl_socket_bind(r->nl, 0, MNL_SOCKET_AUTOPID) < 0) {
		fail_with(err, errsize, "nftables: %s", strerror(errno));
		goto failed;
	}
	error = make_table(r);
	if (error == EEXIST || (error && table_exists())) {
		*exists = true;
		fail_with(
			err, errsize,
			"there is a table \"inet %s\" already: another weir runs here (in this "
			"network "
			"namespace); stop it first",
			RULE_TABLE);
		goto failed;
	}
	if (error == EPERM) {
		fail_with(err, errsize,
			  "nftables: not permitted: run as root, or with CAP_NET_ADMIN");
		goto failed;
	}
	if (error) {
		fail_with(err, errsize,
			  "nftables: cannot make a table (%s): weir needs nf_tables with the "
			  "family "
			  "\"inet\" and the table flag \"owner\" (Linux 5.12)",
			  strerror(error));
		goto failed;
	}
	error = probe(r);
	if (!error) {
		r->protects = probe_programs(r);
		r->sheds = rule_shed_probe(r->nl);
		return r;
	}
	fail_with(err, errsize,
		  "nftables: no rule can send packets to a queue (%s): the kernel needs "
		  "CONFIG_NFT_QUEUE, "
		  "or CONFIG_NFT_COMPAT with CONFIG_NETFILTER_XT_TARGET_NFQUEUE",
		  strerror(error));
failed:
	if (r && r->nl)
		mnl_socket_close(r->nl); /* and with it goes the table */
	free(r);
	return NULL;
}

void rules_close(struct rules *r)
{
	struct nft_batch b;

	if (!r)
		return;
	nft_begin(&b, 1);
	nft_table(&b, RULE_TABLE, NFT_MSG_DELTABLE, 0, 0);
	/* should that fail, closing the socket does it */
	(void)nft_commit(r->nl, &b);
	mnl_socket_close(r->nl);
	claims_free(&r->claims);
	claims_free(&r->next);
	rule_shed_free(&r->shed);
	free(r);
}

int rules_claim(struct rules *r, const struct policy_link *const *link, size_t n)
{
	claims_free(&r->next);
	return claims_want(&r->next, link, n);
}

/* As they are now, or not. */
static void settle_claims(struct rules *r, bool done)
{
	if (done && r->next.v) {
		claims_free(&r->claims);
		r->claims = r->next;
		r->next = (struct claims){0};
	}
	claims_free(&r->next);
}

static bool any_inbound(const struct rule_link *link, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (link[i].direction == POLICY_INGRESS)
			return true;
	return false;
}

/*
 * What goes to the link's queue that is read first, by rules of that chain. How many of them.
 */
static unsigned put_first(const struct rules *r, struct nft_batch *b, const struct rule_link *l,
			  const char *chain)
{
	const struct protect *p = l->protect;
	unsigned count = 0;

	if (!r->protects || !p)
		return 0;
	if (p->look.n[0] && p->n_control) {
		nft_rule(b, in_chain(rule_jump_control(l, &p->look), chain));
		count++;
	}
	for (size_t i = 0; !p->look.n[0] && i < p->n_control; i++, count++)
		nft_rule(b, in_chain(rule_first(l, &p->control[i], r->how), chain));
	for (size_t i = 0; i < p->n_rule; i++, count++)
		nft_rule(b, in_chain(rule_first(l, &p->rule[i], r->how), chain));
	return count;
}

/* The chain to which `look` leads. */
static unsigned put_control(const struct rules *r, struct nft_batch *b,
			    const struct rule_link *l)
{
	const struct protect *p = l->protect;
	unsigned count = 0;

	if (!r->protects || !p || !p->look.n[0])
		return 0;
	for (size_t i = 0; i < p->n_control; i++, count++)
		nft_rule(b, in_chain(rule_first(l, &p->control[i], r->how),
				     RULE_CONTROL(l->direction)));
	return count;
}

/* All that leads a link's packets to its queues. */
static unsigned put_link(const struct rules *r, struct nft_batch *b, const struct rule_link *l,
			 const char *chain)
{
	unsigned count = put_first(r, b, l, chain);

	if (r->sheds) {
		nft_rule(b, in_chain(rule_jump_shed(l), chain));
		count++;
	}
	nft_rule(b, in_chain(rule_queue(l, r->how), chain));
	return count + 1;
}

/* Room in a batch for that. */
static size_t room_for(const struct rule_link *link, size_t n)
{
	size_t room = 0;

	for (size_t i = 0; i < n; i++) {
		const struct protect *p = link[i].protect;

		room += 3 + (p ? p->n_rule + p->n_control : 0);
	}
	return room;
}

/*
 * The chains for what comes in, and the rules of these links in them; they are made with the
 * first such link. How many rules there are.
 */
static unsigned put_inbound(const struct rules *r, struct nft_batch *b,
			    const struct rule_link *link, size_t n)
{
	unsigned count = 0;

	for (unsigned h = 0; h < INBOUND; h++) {
		if (r->inbound) {
			nft_flush(b, RULE_TABLE, inbound[h].take);
			count += 5; /* those of its release */
		} else {
			nft_base_chain_at(b, RULE_TABLE, inbound[h].take, inbound[h].hook,
					  RULE_PRIORITY);
			nft_base_chain_at(b, RULE_TABLE, inbound[h].release, inbound[h].hook,
					  RULE_PRIORITY + 1);
			count += put_release(b, inbound[h].release);
		}
		nft_rule(b, in_chain(rule_accept_released(), inbound[h].take));
		count++;
		for (size_t i = 0; i < n; i++)
			if (link[i].direction == POLICY_INGRESS)
				count += put_link(r, b, &link[i], inbound[h].take);
	}
	return count;
}

int rules_set(struct rules *r, const struct rule_link *link, size_t n, uint64_t dscp, char *err,
	      size_t errsize)
{
	struct nft_batch b;
	struct rule_sheds sheds;
	bool comes = r->inbound || any_inbound(link, n);
	unsigned count = 5 + 1, shed_rules = 0;
	int error;

	if (rule_shed_want(&sheds, &r->shed, link, r->sheds ? n : 0))
		return fail_with(err, errsize, "%s", strerror(ENOMEM));
	nft_begin(&b, (INBOUND + 2) * (room_for(link, n) + 8) + 2 * 64 + 4 + r->claims.n +
			      r->next.n + rule_shed_room(&r->shed, &sheds));
	nft_flush(&b, RULE_TABLE, RULE_TAKE);
	nft_flush(&b, RULE_TABLE, RULE_CONTROL(POLICY_EGRESS));
	nft_flush(&b, RULE_TABLE, RULE_CONTROL(POLICY_INGRESS));
	nft_flush(&b, RULE_TABLE, RULE_REMARK);
	for (unsigned d = 0; d < 64; d++) {
		if (!(dscp >> d & 1))
			continue;
		nft_rule(&b, rule_set_dscp(NFPROTO_IPV4, d));
		nft_rule(&b, rule_set_dscp(NFPROTO_IPV6, d));
		count += 2;
	}
	nft_rule(&b, rule_accept_released());
	for (size_t i = 0; i < n; i++) {
		count += put_control(r, &b, &link[i]);
		if (link[i].direction == POLICY_EGRESS)
			count += put_link(r, &b, &link[i], RULE_TAKE);
	}
	if (comes)
		count += put_inbound(r, &b, link, n);
	if (r->sheds)
		shed_rules = rule_shed_put(&b, &r->shed, &sheds);
	if (r->next.v)
		claims_put(&r->claims, &r->next, &b);
	error = nft_commit(r->nl, &b);
	settle_claims(r, !error);
	if (error) {
		rule_shed_free(&sheds);
		return fail_with(err, errsize, "nftables: the rules could not be set: %s",
				 strerror(error));
	}
	rule_shed_free(&r->shed);
	r->shed = sheds;
	r->shed_rules = shed_rules;
	r->expected = count;
	r->inbound = comes;
	return 0;
}

/*
 * A packet is on its way from a rule to the queue within one RCU read-side section of the
 * kernel's, and this system call waits until all of those have ended (membarrier(2)); some
 * kernels do not offer it (nohz_full).
 */
void rules_settle(void)
{
	const struct timespec long_enough = {0, 20000000};

	if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
		nanosleep(&long_enough, NULL);
}

bool rules_shed(const struct rules *r)
{
	return r->sheds;
}

/* Of all interfaces of the link with that queue. */
static void set_limited(struct rules *r, uint16_t queue, bool limited)
{
	for (size_t i = 0; i < r->shed.n; i++)
		if (r->shed.v[i].queue == queue)
			r->shed.v[i].limited = limited;
}

int rules_shed_now(struct rules *r, uint16_t queue, const struct shed *s,
		   const struct shed_todo *todo, char *err, size_t errsize)
{
	struct rule_shed_link *l = NULL;
	bool limited;
	int error = 0;

	for (size_t i = 0; i < r->shed.n && !l; i++)
		if (r->shed.v[i].queue == queue)
			l = &r->shed.v[i];
	if (!l)
		return fail_with(err, errsize, "queue %u has no such rules", queue);
	limited = l->limited;
	/* a host whose time ran out meanwhile cannot be taken out any more */
	for (unsigned tries = 0; !tries || (error == ENOENT && tries < 2); tries++) {
		unsigned rules = r->shed_rules;
		struct nft_batch b;

		nft_begin(&b, 2 * SHED_HOSTS + 3 * r->shed.n + 1);
		set_limited(r, queue, s->limited);
		if (todo->limit_changed) {
			rules = rule_shed_rules(&b, &r->shed);
		}
		rule_shed_hosts(&b, l, s, todo, !tries);
		error = nft_commit(r->nl, &b);
		if (!error)
			r->shed_rules = rules;
	}
	if (!error)
		return 0;
	set_limited(r, queue, limited);
	return fail_with(err, errsize, "nftables: what floods could not be shed: %s",
			 strerror(error));
}

bool rules_protect(const struct rules *r)
{
	return r->protects;
}

enum rule_how rules_how(const struct rules *r)
{
	return r->how;
}
