/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Size tables: what the kernel counts for a packet with them, against policy_charge(), for
 * every length there is.
 */
#include "tc_build.h"

#include "gw/tc_plan_impl.h"

#include <linux/pkt_sched.h>
#include <stdlib.h>

#define LONGEST 65535u

/* __qdisc_calculate_pkt_len() of net/sched/sch_api.c; cell_align is 0. */
static int64_t kernel_counts(const struct tc_stab *s, uint32_t skb_len)
{
	int pkt_len = (int)skb_len + s->overhead, slot;

	if (s->n) {
		slot = pkt_len;
		if (slot < 0)
			slot = 0;
		slot >>= s->cell_log;
		if (slot < (int)s->n)
			pkt_len = s->size[slot];
		else
			pkt_len = s->size[s->n - 1] * (slot / (int)s->n) +
				  s->size[slot % (int)s->n];
		pkt_len <<= s->size_log;
	}
	return pkt_len < 1 ? 1 : pkt_len;
}

struct limits {
	uint32_t exact;	 /* up to which it must be exact */
	uint32_t error;	 /* that it may have beyond */
	uint32_t inside; /* up to 20000 bytes; 0: the same */
};

static struct policy *line(const char *keys)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "links: [{name: l, rate: 100mbit, %s, classes: [{name: a, default: true}]}]\n",
		 keys);
	return read_text(text);
}

static const struct tc_note *note_of(const struct tc_plan *t, const char *key)
{
	for (size_t i = 0; i < t->n_note; i++)
		if (!t->note[i].class && !strcmp(t->note[i].key, key))
			return &t->note[i];
	fail_msg("no note on %s", key);
	return NULL;
}

/* From what the kernel tells of a table, which is all but its entries, the entries. */
static void check_again(const struct tc_stab *s, const struct tc_device *dev)
{
	struct tc_stab again = *s;

	again.size = NULL;
	assert_int_equal(tc_stab_again(&again, dev->header), 0);
	assert_int_equal(again.size_log, s->size_log);
	assert_int_equal(again.size != NULL, s->n != 0);
	if (s->n)
		assert_memory_equal(again.size, s->size, s->n * sizeof(*s->size));
	free(again.size);
}

/* Tables that tc or nobody makes are left alone. */
static void tables_of_others(void **state)
{
	struct tc_stab s = {.n = 512, .cell_log = 2, .linklayer = TC_LINKLAYER_ATM};

	(void)state;
	assert_int_equal(tc_stab_again(&s, 14), 0);
	assert_null(s.size);
	s = (struct tc_stab){.n = UINT32_MAX, .linklayer = TC_LINKLAYER_ATM};
	assert_int_equal(tc_stab_again(&s, 14), 0);
	assert_null(s.size);
	s = (struct tc_stab){.n = 2064, .overhead = INT32_MAX, .linklayer = TC_LINKLAYER_ATM};
	assert_int_equal(tc_stab_again(&s, 14), 0);
	assert_null(s.size);
	s = (struct tc_stab){.n = 2064, .size_log = 200, .linklayer = TC_LINKLAYER_ATM};
	assert_int_equal(tc_stab_again(&s, 14), 0);
	assert_null(s.size);
	assert_int_equal(s.size_log, 200);
}

static void check(const char *keys, const struct tc_device *dev, struct limits may)
{
	struct policy *p = line(keys);
	struct tc_plan *t = must_plan(p, 0, &CAN_ALL, dev);
	const struct tc_htb_qdisc *root = &t->list.v[0].htb_qdisc;
	static const struct tc_stab none = {0};
	const struct tc_stab *s = root->has_stab ? &root->stab : &none;
	uint32_t exact = LONGEST;
	struct tc_build b = {.l = p->link[0], .dev = dev};
	struct tc_line measured;

	check_again(s, dev);
	/* an attribute of netlink, with its head and the one around it */
	assert_true(s->n * 2 + 64 < 65536);
	for (uint32_t len = LONGEST; len >= 20; len--) {
		int64_t want = policy_charge(p->link[0], len);
		int64_t is = kernel_counts(s, len + dev->header);
		int64_t off = is > want ? is - want : want - is;

		if (off)
			exact = len - 1;
		if (off && len <= may.exact)
			fail_msg("%s, header %u: %lld instead of %lld for %u bytes", keys,
				 dev->header, (long long)is, (long long)want, len);
		if (off > (may.inside && len <= 20000 ? may.inside : may.error))
			fail_msg("%s, header %u: %lld instead of %lld for %u bytes", keys,
				 dev->header, (long long)is, (long long)want, len);
		assert_int_equal(is, tc_line_charge(s, len + dev->header));
	}
	tc_line_measure(&b, root->has_stab, &root->stab, &measured);
	assert_int_equal(measured.exact, exact);
	assert_int_equal(note_of(t, "overhead")->fidelity,
			 exact >= (dev->mtu > 2047 ? dev->mtu : 2047) ? TC_EXACT : TC_LOOSE);
	tc_plan_free(t);
	policy_free(p);
}

static void lines(void **state)
{
	static const struct {
		const char *keys;
		struct limits may;
	} v[] = {
		{"overhead: 14", {LONGEST, 0, 0}},
		{"overhead: 0", {LONGEST, 0, 0}},
		{"overhead: -10", {LONGEST, 0, 0}},
		{"overhead: 40", {LONGEST, 0, 0}},
		{"overhead: 65535", {LONGEST, 0, 0}},
		{"overhead: raw", {LONGEST, 0, 0}},
		{"overhead: 4, mpu: 24", {LONGEST, 0, 0}}, /* no packet is so short */
		{"overhead: 4, mpu: 25", {2047, 63, 0}},
		{"overhead: ethernet", {2047, 115, 0}},
		{"overhead: docsis", {2047, 95, 0}},
		{"overhead: conservative", {2047, 106, 0}},
		{"overhead: pppoe-ptm", {2047, 64, 0}},
		{"overhead: bridged-ptm", {2047, 64, 0}},
		{"overhead: [bridged-ptm, ether-vlan]", {2047, 64, 0}},
		{"overhead: pppoa-vcmux", {2047, 53, 0}},
		{"overhead: pppoe-llcsnap", {2047, 53, 0}},
		{"overhead: -20, linklayer: atm", {2047, 53, 0}},
		{"overhead: -64, linklayer: ptm", {2047, 64, 0}},
		{"overhead: 10, linklayer: atm, mpu: 200", {2047, 318, 0}},
		{"overhead: 1000, linklayer: ptm, mpu: 64", {2047, 128, 0}},
		{"overhead: 0, mpu: 1500", {2047, 1532, 0}},
		{"overhead: 0, mpu: 9000", {2047, 9100, 0}},
		{"overhead: 20000, linklayer: atm", {2047, 53, 0}},
	};
	static const struct tc_device devices[] = {{14, 1500}, {0, 1500},  {0, 1492},
						   {14, 9000}, {18, 1500}, {14, 576}};

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		for (size_t d = 0; d < sizeof(devices) / sizeof(devices[0]); d++)
			check(v[i].keys, &devices[d], v[i].may);
	/* a larger device has a larger table */
	check("overhead: ethernet", &(struct tc_device){14, 9000},
	      (struct limits){9000, 130, 0});
	check("overhead: pppoe-llcsnap", &(struct tc_device){14, 9000},
	      (struct limits){9000, 53, 0});
}

/* What does not fit into 16 bits an entry is said not to be exact, and is near it. */
static void too_large(void **state)
{
	(void)state;
	check("overhead: 65535, linklayer: atm", &ETHERNET, (struct limits){0, 200, 0});
	/* 72,398: half of that is an entry */
	check("overhead: 0, mpu: 65535, linklayer: atm", &ETHERNET,
	      (struct limits){0, 200000, 1});
	check("overhead: 0, mpu: 65535, linklayer: ptm", &BARE, (struct limits){0, 140000, 1});
	check("overhead: 65535, mpu: 65535, linklayer: ptm", &BARE,
	      (struct limits){0, 140000, 0});
}

/* No table where there is nothing to mend, and where a number will do, no table either. */
static void no_table(void **state)
{
	struct policy *p = line("overhead: 14");
	struct tc_plan *t = must_plan(p, 0, &CAN_ALL, &ETHERNET);

	(void)state;
	assert_false(t->list.v[0].htb_qdisc.has_stab);
	tc_plan_free(t);
	t = must_plan(p, 0, &CAN_ALL, &BARE);
	assert_true(t->list.v[0].htb_qdisc.has_stab);
	assert_int_equal(t->list.v[0].htb_qdisc.stab.overhead, 14);
	assert_int_equal(t->list.v[0].htb_qdisc.stab.n, 0);
	tc_plan_free(t);
	policy_free(p);
}

/* The kernel does not tell a table's entries: what it tells must differ where they do. */
static void told_apart(void **state)
{
	static const char *const lines_of_20[] = {
		"overhead: 20",
		"overhead: 20, mpu: 64",
		"overhead: 20, mpu: 64, linklayer: atm",
		"overhead: 20, mpu: 64, linklayer: ptm",
		"overhead: 20, mpu: 0, linklayer: ptm",
		"overhead: 20, mpu: 65",
	};
	enum { N = sizeof(lines_of_20) / sizeof(lines_of_20[0]) };
	static const struct tc_device devices[] = {{14, 1500}, {14, 1492}, {14, 9000}};

	(void)state;
	for (size_t d = 0; d < 3; d++) {
		struct tc_object v[N];
		struct tc_plan *t[N];
		struct policy *p[N];

		for (size_t i = 0; i < N; i++) {
			p[i] = line(lines_of_20[i]);
			t[i] = must_plan(p[i], 0, &CAN_ALL, &devices[d]);
			v[i] = t[i]->list.v[0];
			v[i].htb_qdisc.stab.size = NULL;
			for (size_t k = 0; k < i; k++)
				if (tc_same_value(&v[i], &v[k]))
					fail_msg("%s, %s", lines_of_20[i], lines_of_20[k]);
		}
		for (size_t i = 0; i < N; i++) {
			tc_plan_free(t[i]);
			policy_free(p[i]);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
		cmocka_unit_test(too_large),
		cmocka_unit_test(no_table),
		cmocka_unit_test(told_apart),
		cmocka_unit_test(tables_of_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
