/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rules, as the bytes that the kernel gets: each is put into a message, read back by
 * libnftnl, and carried out here on packets and marks by a small model of nftables' registers,
 * which knows the expressions by their documentation and nothing of how they were made.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <unistd.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/xt_NFQUEUE.h>

#include <libmnl/libmnl.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>

#include "gw/rule_expr.h"

/* ---- A model of what the kernel does with a rule. */

enum outcome { NEXT_RULE, BROKE, ACCEPTED, QUEUED, JUMPED };

struct packet {
	uint8_t data[40];
	uint32_t mark;
	uint8_t nfproto;
	char oif[IFNAMSIZ];
	/* what became of it */
	uint16_t queue, queue_flags;
	char chain[32];
};

static uint8_t *header(struct packet *p, const struct nftnl_expr *e, uint32_t len)
{
	uint32_t offset = nftnl_expr_get_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET);

	assert_int_equal(nftnl_expr_get_u32(e, NFTNL_EXPR_PAYLOAD_BASE),
			 NFT_PAYLOAD_NETWORK_HEADER);
	assert_true(offset + len <= sizeof(p->data));
	return p->data + offset;
}

/* RFC 1624, equation 3: HC' = ~(~HC + ~m + m'). */
static void mend_checksum(uint8_t *sum, const uint8_t before[2], const uint8_t after[2])
{
	uint32_t v = (uint16_t) ~(sum[0] << 8 | sum[1]);

	v += (uint16_t) ~(before[0] << 8 | before[1]);
	v += (uint32_t)after[0] << 8 | after[1];
	v = (v & 0xffff) + (v >> 16);
	v = (v & 0xffff) + (v >> 16);
	v = ~v & 0xffff;
	sum[0] = (uint8_t)(v >> 8);
	sum[1] = (uint8_t)v;
}

static void do_payload(struct packet *p, const struct nftnl_expr *e, uint8_t reg[16])
{
	uint32_t len = nftnl_expr_get_u32(e, NFTNL_EXPR_PAYLOAD_LEN);
	uint8_t *at = header(p, e, len), before[2];

	if (!nftnl_expr_is_set(e, NFTNL_EXPR_PAYLOAD_SREG)) {
		/* a register is four bytes; what is loaded into it is padded with zeros */
		memset(reg, 0, (len + 3) / 4 * 4);
		memcpy(reg, at, len);
		return;
	}
	assert_int_equal(len, 2);
	memcpy(before, at, 2);
	memcpy(at, reg, 2);
	if (nftnl_expr_is_set(e, NFTNL_EXPR_PAYLOAD_CSUM_TYPE) &&
	    nftnl_expr_get_u32(e, NFTNL_EXPR_PAYLOAD_CSUM_TYPE) == NFT_PAYLOAD_CSUM_INET)
		mend_checksum(p->data + nftnl_expr_get_u32(e, NFTNL_EXPR_PAYLOAD_CSUM_OFFSET),
			      before, at);
}

static void do_meta(struct packet *p, const struct nftnl_expr *e, uint8_t reg[16])
{
	uint32_t key = nftnl_expr_get_u32(e, NFTNL_EXPR_META_KEY);

	if (nftnl_expr_is_set(e, NFTNL_EXPR_META_SREG)) {
		assert_int_equal(key, NFT_META_MARK);
		memcpy(&p->mark, reg, sizeof(p->mark));
		return;
	}
	memset(reg, 0, 16);
	switch (key) {
	case NFT_META_MARK:
		memcpy(reg, &p->mark, sizeof(p->mark));
		break;
	case NFT_META_NFPROTO:
		reg[0] = p->nfproto;
		break;
	case NFT_META_OIFNAME:
		strncpy((char *)reg, p->oif, IFNAMSIZ);
		break;
	default:
		fail_msg("meta key %u", key);
	}
}

static void do_bitwise(const struct nftnl_expr *e, uint8_t reg[16])
{
	uint32_t len = nftnl_expr_get_u32(e, NFTNL_EXPR_BITWISE_LEN), n;
	const uint8_t *mask = nftnl_expr_get(e, NFTNL_EXPR_BITWISE_MASK, &n), *xor;

	assert_int_equal(n, len);
	xor = nftnl_expr_get(e, NFTNL_EXPR_BITWISE_XOR, &n);
	assert_int_equal(n, len);
	for (uint32_t i = 0; i < len; i++)
		reg[i] = (reg[i] & mask[i]) ^ xor[i];
}

static bool do_cmp(const struct nftnl_expr *e, const uint8_t reg[16])
{
	uint32_t n, op = nftnl_expr_get_u32(e, NFTNL_EXPR_CMP_OP);
	const void *data = nftnl_expr_get(e, NFTNL_EXPR_CMP_DATA, &n);

	assert_true(n <= 16);
	assert_true(op == NFT_CMP_EQ || op == NFT_CMP_NEQ);
	return !memcmp(reg, data, n) == (op == NFT_CMP_EQ);
}

static enum outcome do_verdict(struct packet *p, const struct nftnl_expr *e)
{
	int32_t code = (int32_t)nftnl_expr_get_u32(e, NFTNL_EXPR_IMM_VERDICT);

	assert_int_equal(nftnl_expr_get_u32(e, NFTNL_EXPR_IMM_DREG), NFT_REG_VERDICT);
	if (code == NF_ACCEPT)
		return ACCEPTED;
	assert_int_equal(code, NFT_JUMP);
	snprintf(p->chain, sizeof(p->chain), "%s", nftnl_expr_get_str(e, NFTNL_EXPR_IMM_CHAIN));
	return JUMPED;
}

static enum outcome do_target(struct packet *p, const struct nftnl_expr *e)
{
	uint32_t n;
	const struct xt_NFQ_info_v3 *info = nftnl_expr_get(e, NFTNL_EXPR_TG_INFO, &n);

	assert_string_equal(nftnl_expr_get_str(e, NFTNL_EXPR_TG_NAME), "NFQUEUE");
	assert_int_equal(nftnl_expr_get_u32(e, NFTNL_EXPR_TG_REV), 3);
	assert_true(n >= sizeof(*info));
	assert_int_equal(n % 8, 0); /* xtables' alignment, or the kernel refuses it */
	assert_int_equal(info->queues_total, 1);
	p->queue = info->queuenum;
	p->queue_flags = info->flags;
	return QUEUED;
}

static enum outcome run(const struct nftnl_rule *r, struct packet *p)
{
	struct nftnl_expr_iter *i = nftnl_expr_iter_create(r);
	enum outcome o = NEXT_RULE;
	struct nftnl_expr *e;
	uint8_t reg[16] = {0};

	while (o == NEXT_RULE && (e = nftnl_expr_iter_next(i))) {
		const char *name = nftnl_expr_get_str(e, NFTNL_EXPR_NAME);

		if (!strcmp(name, "meta")) {
			do_meta(p, e, reg);
		} else if (!strcmp(name, "payload")) {
			do_payload(p, e, reg);
		} else if (!strcmp(name, "bitwise")) {
			do_bitwise(e, reg);
		} else if (!strcmp(name, "cmp")) {
			o = do_cmp(e, reg) ? NEXT_RULE : BROKE;
		} else if (!strcmp(name, "immediate")) {
			o = do_verdict(p, e);
		} else if (!strcmp(name, "queue")) {
			p->queue = nftnl_expr_get_u16(e, NFTNL_EXPR_QUEUE_NUM);
			p->queue_flags = nftnl_expr_get_u16(e, NFTNL_EXPR_QUEUE_FLAGS);
			assert_int_equal(nftnl_expr_get_u16(e, NFTNL_EXPR_QUEUE_TOTAL), 1);
			o = QUEUED;
		} else if (!strcmp(name, "target")) {
			o = do_target(p, e);
		} else {
			fail_msg("expression %s", name);
		}
	}
	nftnl_expr_iter_destroy(i);
	return o;
}

/* ---- Through a message and back, as the kernel would read it. */

static struct nftnl_rule *sent(struct nftnl_rule *made, const char *chain)
{
	/* as much as gw/rule.c keeps for one */
	char buf[2048] __attribute__((aligned(8)));
	struct nlmsghdr *nlh =
		nftnl_nlmsg_build_hdr(buf, NFT_MSG_NEWRULE, NFPROTO_INET, NLM_F_CREATE, 1);
	struct nftnl_rule *got = nftnl_rule_alloc();

	assert_non_null(made);
	assert_non_null(got);
	nftnl_rule_nlmsg_build_payload(nlh, made);
	assert_true(nlh->nlmsg_len < sizeof(buf));
	nftnl_rule_free(made);
	assert_int_equal(nftnl_rule_nlmsg_parse(nlh, got), 0);
	assert_string_equal(nftnl_rule_get_str(got, NFTNL_RULE_TABLE), RULE_TABLE);
	assert_string_equal(nftnl_rule_get_str(got, NFTNL_RULE_CHAIN), chain);
	assert_int_equal(nftnl_rule_get_u32(got, NFTNL_RULE_FAMILY), NFPROTO_INET);
	return got;
}

static uint16_t checksum(const uint8_t *header20)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < 20; i += 2)
		sum += (uint32_t)header20[i] << 8 | header20[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum; /* 0 of a header that has its checksum in it */
}

/* A header with that traffic class; the fields beside it are not zero, and must stay. */
static struct packet ip(uint8_t nfproto, uint8_t tos, uint32_t mark)
{
	struct packet p = {.nfproto = nfproto, .mark = mark};
	uint16_t sum;

	for (unsigned i = 0; i < sizeof(p.data); i++)
		p.data[i] = (uint8_t)(17 * i + 3);
	if (nfproto == NFPROTO_IPV6) {
		p.data[0] = 0x60 | tos >> 4;
		p.data[1] = (uint8_t)((tos & 15) << 4) | 0x0b; /* a flow label */
		return p;
	}
	p.data[0] = 0x45;
	p.data[1] = tos;
	p.data[10] = p.data[11] = 0;
	sum = checksum(p.data);
	p.data[10] = (uint8_t)(sum >> 8);
	p.data[11] = (uint8_t)sum;
	return p;
}

/* The packet is as ip() makes it with that traffic class, to the byte. */
static void is_ip(const struct packet *p, uint8_t tos)
{
	struct packet want = ip(p->nfproto, tos, 0);

	if (p->nfproto == NFPROTO_IPV4) {
		assert_int_equal(checksum(p->data), 0);
		/* the sum has two ways to say nothing: 0 and ~0 */
		memcpy(want.data + 10, p->data + 10, 2);
	}
	assert_memory_equal(p->data, want.data, sizeof(want.data));
}

static const uint8_t protos[] = {NFPROTO_IPV4, NFPROTO_IPV6};
/* Bits of others, and none; all others is what would show a bit of ours that is too many. */
static const uint32_t others[] = {0,	      ~RULE_MARK, 0x1,
				  0x80000000, 0x00200000, 0x12345678 & ~RULE_MARK};
#define N_OTHERS (sizeof(others) / sizeof(others[0]))

static void test_take(void **state)
{
	struct nftnl_rule *r = sent(rule_accept_released(), RULE_TAKE);

	(void)state;
	for (unsigned i = 0; i < N_OTHERS; i++) {
		struct packet p = {.mark = others[i]};

		assert_int_equal(run(r, &p), BROKE);
		p.mark = rule_mark(others[i], -1, false);
		assert_int_equal(run(r, &p), ACCEPTED);
		p.mark = rule_mark(others[i], 46, true);
		assert_int_equal(run(r, &p), ACCEPTED);
		/* the other bits of ours say nothing of that, should somebody set them */
		p.mark = others[i] | (RULE_MARK & ~RULE_RELEASED);
		assert_int_equal(run(r, &p), BROKE);
	}
	nftnl_rule_free(r);
}

static void test_queue(void **state)
{
	static const char *const names[] = {"wan", "eth0.1234", "fifteen-letters", "w"};
	static const uint16_t numbers[] = {0, 1, 21000, 65535};

	(void)state;
	for (unsigned how = RULE_NATIVE; how <= RULE_XT; how++)
		for (unsigned i = 0; i < 4; i++) {
			struct rule_link link = {.interface = names[i], .queue = numbers[i]};
			struct nftnl_rule *r =
				sent(rule_queue(&link, (enum rule_how)how), RULE_TAKE);
			struct packet p = {0};

			strcpy(p.oif, names[i]);
			assert_int_equal(run(r, &p), QUEUED);
			assert_int_equal(p.queue, numbers[i]);
			/* packets pass while nobody listens */
			assert_int_equal(p.queue_flags, how == RULE_NATIVE
								? NFT_QUEUE_FLAG_BYPASS
								: NFQ_FLAG_BYPASS);
			/* a name that only begins or goes on like it is another */
			p.oif[strlen(p.oif) - 1] = '\0';
			assert_int_equal(run(r, &p), BROKE);
			strcpy(p.oif, names[i]);
			if (strlen(p.oif) < IFNAMSIZ - 1)
				strcat(p.oif, "0");
			else
				p.oif[0] = 'x';
			assert_int_equal(run(r, &p), BROKE);
			p.oif[0] = '\0';
			assert_int_equal(run(r, &p), BROKE);
			nftnl_rule_free(r);
		}
}

static void test_release(void **state)
{
	struct nftnl_rule *pass = sent(rule_accept_others(), RULE_RELEASE),
			  *clear = sent(rule_clear_mark(), RULE_RELEASE),
			  *jump = sent(rule_jump_remark(), RULE_RELEASE);

	(void)state;
	for (unsigned i = 0; i < N_OTHERS; i++)
		for (int dscp = -1; dscp < 64; dscp++) {
			struct packet p = {.mark = others[i]};

			assert_int_equal(run(pass, &p), ACCEPTED);
			assert_int_equal(p.mark, others[i]);
			p.mark = rule_mark(others[i], dscp, dscp & 1);
			assert_int_equal(run(pass, &p), BROKE);
			assert_int_equal(run(jump, &p), dscp >= 0 ? JUMPED : BROKE);
			if (dscp >= 0)
				assert_string_equal(p.chain, RULE_REMARK);
			/* the mark is as it was, whatever the verdict said in it */
			assert_int_equal(run(clear, &p), NEXT_RULE);
			assert_int_equal(p.mark, others[i]);
		}
	nftnl_rule_free(pass);
	nftnl_rule_free(clear);
	nftnl_rule_free(jump);
}

/* CE where it was asked for and the sender knows ECN; all else stays. */
static void test_ce(void **state)
{
	struct nftnl_rule *r[2] = {sent(rule_set_ce(NFPROTO_IPV4), RULE_RELEASE),
				   sent(rule_set_ce(NFPROTO_IPV6), RULE_RELEASE)};

	(void)state;
	for (unsigned tos = 0; tos < 256; tos++)
		for (unsigned v = 0; v < 2; v++)
			for (unsigned rule = 0; rule < 2; rule++)
				for (unsigned ce = 0; ce < 2; ce++) {
					struct packet p = ip(protos[v], (uint8_t)tos,
							     rule_mark(~0u, 63, ce));
					uint32_t mark = p.mark;
					bool sets = ce && v == rule && (tos & 3);

					assert_int_equal(run(r[rule], &p),
							 sets ? NEXT_RULE : BROKE);
					is_ip(&p, (uint8_t)(sets ? tos | 3 : tos));
					assert_int_equal(p.mark, mark);
				}
	nftnl_rule_free(r[0]);
	nftnl_rule_free(r[1]);
}

/* Each of the 64 values on each traffic class; the ECN field and all else stays. */
static void test_dscp(void **state)
{
	(void)state;
	for (unsigned rule = 0; rule < 2; rule++)
		for (unsigned dscp = 0; dscp < 64; dscp++) {
			struct nftnl_rule *r =
				sent(rule_set_dscp(protos[rule], dscp), RULE_REMARK);

			for (unsigned tos = 0; tos < 256; tos++) {
				struct packet p = ip(
					protos[rule], (uint8_t)tos,
					rule_mark(others[tos % N_OTHERS], (int)dscp, tos & 1));

				assert_int_equal(run(r, &p), NEXT_RULE);
				is_ip(&p, (uint8_t)(dscp << 2 | (tos & 3)));
			}
			for (unsigned other = 0; other < 64; other++) {
				struct packet p = ip(protos[rule], 0x15,
						     rule_mark(~0u, (int)other, true));

				assert_int_equal(run(r, &p), other == dscp ? NEXT_RULE : BROKE);
				p = ip(protos[!rule], 0x15, rule_mark(0, (int)other, false));
				assert_int_equal(run(r, &p), BROKE);
				is_ip(&p, 0x15);
			}
			nftnl_rule_free(r);
		}
}

static void test_marks(void **state)
{
	(void)state;
	assert_int_equal(RULE_MARK,
			 RULE_RELEASED | RULE_CE | RULE_DSCP_SET | 63u << RULE_DSCP_SHIFT);
	assert_int_equal(RULE_RELEASED & RULE_CE, 0);
	assert_int_equal((RULE_RELEASED | RULE_CE) & RULE_DSCP_SET, 0);
	assert_int_equal((63u << RULE_DSCP_SHIFT) & (RULE_RELEASED | RULE_CE | RULE_DSCP_SET),
			 0);
	/* each verdict has a mark of its own, and no bit of the user's is lost or made */
	for (unsigned i = 0; i < N_OTHERS; i++)
		for (int dscp = -1; dscp < 64; dscp++)
			for (unsigned ce = 0; ce < 2; ce++) {
				uint32_t m = rule_mark(others[i] | RULE_MARK, dscp, ce);

				assert_int_equal(m & ~RULE_MARK, others[i]);
				assert_int_equal(m, rule_mark(others[i], dscp, ce));
				assert_int_equal(
					m & RULE_MARK,
					RULE_RELEASED | (ce ? RULE_CE : 0) |
						(dscp < 0
							 ? 0
							 : RULE_DSCP_SET |
								   (uint32_t)dscp
									   << RULE_DSCP_SHIFT));
			}
}

/* ---- The table itself, in a network namespace of its own. */

static bool own_namespace(void)
{
	if (!unshare(CLONE_NEWNET))
		return true;
	print_message("# skipped: a network namespace of its own: %s\n", strerror(errno));
	return false;
}

static void test_table(void **state)
{
	struct rule_link many[300];
	char names[300][IFNAMSIZ], err[512] = "", again[512] = "";
	struct rules *r, *second;
	bool exists;

	(void)state;
	if (!own_namespace())
		skip();
	r = rules_open(&exists, err, sizeof(err));
	if (!r) {
		/* that much is promised of any kernel: a line that says what is missing */
		print_message("# skipped: %s\n", err);
		assert_false(exists);
		assert_true(strlen(err) > 0 && !strchr(err, '\n'));
		skip();
	}
	assert_false(exists);
	assert_true(rules_intact(r));
	second = rules_open(&exists, again, sizeof(again));
	assert_null(second);
	assert_true(exists);
	assert_non_null(strstr(again, "another weir runs here"));

	/* as many rules as there can be, none, and many again */
	for (unsigned i = 0; i < 300; i++) {
		snprintf(names[i], sizeof(names[i]), "interface%u", i);
		many[i] = (struct rule_link){.interface = names[i], .queue = (uint16_t)i};
	}
	for (unsigned i = 0; i < 3; i++) {
		if (rules_set(r, many, i == 1 ? 0 : 300, i == 1 ? 0 : UINT64_MAX, err,
			      sizeof(err)))
			fail_msg("%s", err);
		assert_true(rules_intact(r));
	}
	rules_close(r);
	/* nothing is left */
	r = rules_open(&exists, err, sizeof(err));
	assert_non_null(r);
	rules_close(r);
	rules_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_take),	cmocka_unit_test(test_queue),
		cmocka_unit_test(test_release), cmocka_unit_test(test_ce),
		cmocka_unit_test(test_dscp),	cmocka_unit_test(test_marks),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
