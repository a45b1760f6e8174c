/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A real queue, whose set-up is changed while it is bound: the kernel's yes, its no, and an
 * answer that is lost. In a network namespace of its own, with no packets; needs root.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gw/nfq.h"

static void no_packet(void *arg, const struct nfq_packet *p)
{
	(void)arg;
	(void)p;
	fail_msg("a packet, in a namespace that has none");
}

static void no_verdict(void *arg, uint64_t token, int error)
{
	(void)arg;
	fail_msg("token %llu, error %d: of no verdict", (unsigned long long)token, error);
}

static const struct nfq_ops ops = {.packet = no_packet, .failed = no_verdict};

static struct nfq *open_queue(size_t rcvbuf)
{
	struct nfq_conf c = {.number = 7, .maxlen = 64, .rcvbuf = rcvbuf};
	char err[256];
	struct nfq *q;

	if (unshare(CLONE_NEWNET))
		return NULL;
	q = nfq_open(&c, err, sizeof(err));
	if (!q)
		print_message("%s\n", err);
	return q;
}

/* All that the kernel has said. */
static struct nfq_stats hear(struct nfq *q)
{
	struct nfq_stats s;
	int n;

	while ((n = nfq_receive(q, 64, &ops)) > 0)
		;
	assert_int_equal(n, 0);
	nfq_get_stats(q, &s);
	assert_int_equal(s.errors + s.gone + s.broken + s.packets, 0);
	return s;
}

static void test_yes(void **state)
{
	struct nfq *q = open_queue(0);

	(void)state;
	if (!q)
		skip();
	assert_false(hear(q).gso);
	for (unsigned i = 1; i <= 6; i++) {
		bool gso = i % 2;

		assert_int_equal(nfq_set_gso(q, gso), 0);
		assert_int_equal(hear(q).gso, gso);
		/* as it is: nothing to ask for */
		assert_int_equal(nfq_set_gso(q, gso), 0);
		assert_int_equal(hear(q).sends, i);
	}
	/* one that is taken back before it is answered */
	nfq_set_gso(q, true);
	nfq_set_gso(q, false);
	assert_false(hear(q).gso);
	assert_int_equal(hear(q).refused, 0);
	nfq_close(q);
}

static bool net_admin(bool on)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2];

	if (syscall(SYS_capget, &h, d))
		return false;
	if (on)
		d[0].effective |= 1u << CAP_NET_ADMIN;
	else
		d[0].effective &= ~(1u << CAP_NET_ADMIN);
	return !syscall(SYS_capset, &h, d);
}

static void test_no(void **state)
{
	struct nfq *q = open_queue(0);
	struct nfq_stats s;

	(void)state;
	if (!q)
		skip();
	nfq_set_gso(q, true);
	assert_true(hear(q).gso);
	assert_true(net_admin(false));
	assert_int_equal(nfq_set_gso(q, false), 0);
	s = hear(q);
	assert_int_equal(s.refused, 1);
	assert_int_equal(s.refusal, EPERM);
	assert_true(s.gso); /* as it was */
	/* refused is refused: it is not asked for again and again */
	assert_int_equal(hear(q).sends, s.sends);
	/* whoever wants it once more, may */
	assert_true(net_admin(true));
	assert_int_equal(nfq_set_gso(q, false), 0);
	assert_false(hear(q).gso);
	assert_int_equal(hear(q).refused, 1);
	nfq_close(q);
}

/*
 * The socket's buffer is full of refused verdicts when the change is asked for: its answer
 * is lost, the change is asked for again, and what is said is true in the end.
 */
static void count_failure(void *arg, uint64_t token, int error)
{
	assert_int_equal(error, ENOENT);
	assert_true(token);
	++*(unsigned *)arg;
}

static void test_lost(void **state)
{
	struct nfq *q = open_queue(4096);
	unsigned failed = 0;
	struct nfq_ops counting = {
		.packet = no_packet, .failed = count_failure, .arg = &failed};
	struct nfq_stats before, s;

	(void)state;
	if (!q)
		skip();
	for (uint32_t id = 1; id <= 200; id++)
		nfq_accept(q, id, 0, id);
	assert_int_equal(nfq_flush(q), 0);
	assert_int_equal(nfq_set_gso(q, true), 0);
	nfq_get_stats(q, &before);
	while (nfq_receive(q, 64, &counting) > 0)
		;
	while (nfq_receive(q, 64, &counting) > 0)
		;
	nfq_get_stats(q, &s);
	assert_true(failed > 0 && failed < 200); /* or nothing was lost */
	assert_int_equal(s.gone, failed);
	assert_int_equal(s.sends, before.sends + 1);
	assert_true(s.gso);
	assert_int_equal(s.refused, 0);
	nfq_close(q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_yes),
		cmocka_unit_test(test_no),
		cmocka_unit_test(test_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
