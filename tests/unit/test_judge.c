/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The judge of service: counters as a link would have had them, and what is said of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "qos/judge.h"

#define SECOND JUDGE_SECOND
#define START (5 * SECOND)

static const char home[] =
	"links:\n"
	"  - name: up\n"
	"    rate: 8mbit\n" /* a million bytes a second */
	"    overhead: 0\n"
	"    scheduler: wfq\n"
	"    classes:\n"
	"      - {name: voice, match: udp, min: 800kbit, max: 1600kbit, max-latency: 20ms,\n"
	"         max-jitter: 5ms}\n"
	"      - name: work\n"
	"        match: tcp port 22\n"
	"        max: 4mbit\n"
	"        classes:\n"
	"          - {name: ssh, match: src port 22}\n"
	"          - {name: other, default: true, max-latency: 50ms}\n"
	"      - {name: shy, match: icmp, flow-max: 100kbit, max-latency: 20ms}\n"
	"      - {name: rest, default: true, limit: 60p}\n";

struct bench {
	struct policy *policy;
	const struct policy_link *link;
	struct judge *judge;
	struct judge_counts count[8]; /* by class index */
	struct judge_host host;
	uint64_t now;
};

static void complain(void *arg, enum policy_severity sev, const char *file,
		     struct policy_mark at, const char *text)
{
	(void)arg;
	(void)sev;
	fail_msg("%s:%d:%d: %s", file, at.line, at.col, text);
}

static uint32_t class_of(const struct bench *b, const char *path)
{
	const struct policy_class *c = policy_find_class(b->link, path);

	assert_non_null(c);
	return c->index;
}

static struct judge_counts *of(struct bench *b, const char *path)
{
	return &b->count[class_of(b, path)];
}

/* `ns` pass, and the judge is shown the counters. */
static void pass(struct bench *b, uint64_t ns)
{
	b->now += ns;
	memcpy(judge_next(b->judge), b->count, b->link->n_all * sizeof(*b->count));
	judge_window(b->judge, b->now, &b->host, false);
}

static void begin(struct bench *b)
{
	struct policy_report r = {.fn = complain};

	*b = (struct bench){.now = START};
	b->policy = policy_read_mem(home, strlen(home), "home.yaml", &r);
	assert_non_null(b->policy);
	b->link = b->policy->link[0];
	assert_in_range(b->link->n_all, 1, 8);
	b->judge = judge_new(b->link, false);
	assert_non_null(b->judge);
	pass(b, 0);
}

static void end(struct bench *b)
{
	judge_free(b->judge);
	policy_free(b->policy);
}

/* All that there is; the caller frees it. */
static struct judge_finding *found(const struct bench *b, size_t n)
{
	struct judge_finding *f = NULL;
	ssize_t is = judge_findings(b->judge, b->now, false, &f);

	for (ssize_t i = 0; is != (ssize_t)n && i < is; i++)
		print_error("%s %s: %s | %s | %s\n", judge_kind_name(f[i].kind),
			    f[i].class->path, f[i].what, f[i].cause, f[i].remedy);
	assert_int_equal(is, n);
	return f;
}

static void says(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" does not say \"%s\"", text, part);
}

/* packets of 1000 bytes that came and left */
static void carry(struct judge_counts *c, uint64_t packets)
{
	c->in_packets += packets;
	c->sent_packets += packets;
	c->sent_bytes += packets * 1000;
}

static void test_quiet(void **state)
{
	struct bench b;

	(void)state;
	begin(&b);
	for (unsigned i = 0; i < 10; i++) {
		carry(of(&b, "voice"), 50);
		carry(of(&b, "rest"), 900);
		of(&b, "rest")->waiting = 40;
		/* a few drops of a full line are how senders learn its rate */
		of(&b, "rest")->dropped[PKT_DROP_AQM] += 9;
		of(&b, "rest")->in_packets += 9;
		pass(&b, SECOND);
	}
	free(found(&b, 0));
	end(&b);
}

static void test_at_its_max(void **state)
{
	struct judge_finding *f;
	struct bench b;

	(void)state;
	begin(&b);
	for (unsigned i = 0; i < 3; i++) {
		struct judge_counts *v = of(&b, "voice");

		carry(v, 200); /* 1.6 mbit */
		v->in_packets += 244;
		v->dropped[PKT_DROP_LIMIT] += 244;
		v->over_latency += 200;
		v->waiting = 100;
		pass(&b, SECOND);
	}
	f = found(&b, 2);
	assert_int_equal(f[0].kind, JUDGE_LATENCY);
	assert_int_equal(f[1].kind, JUDGE_DROPS);
	for (unsigned i = 0; i < 2; i++) {
		assert_string_equal(f[i].class->path, "voice");
		assert_int_equal(f[i].severity, JUDGE_WARNING);
		assert_int_equal(f[i].since, START);
		assert_int_equal(f[i].last, b.now);
		says(f[i].cause, "at its max of 1600kbit");
		says(f[i].remedy, "raise its max");
	}
	says(f[0].what, "max-latency 20ms missed: 600 of 600 packets (100 %)");
	says(f[1].what, "55 % of its packets were dropped (732 of 1332)");
	free(f);
	/* it is over, and stays to be seen for a while */
	carry(of(&b, "voice"), 50);
	of(&b, "voice")->waiting = 0;
	pass(&b, JUDGE_HOLD);
	free(found(&b, 2));
	pass(&b, SECOND);
	free(found(&b, 0));
	end(&b);
}

static void test_parent_at_its_max(void **state)
{
	struct judge_finding *f;
	struct bench b;

	(void)state;
	begin(&b);
	carry(of(&b, "work/ssh"), 400);
	carry(of(&b, "work/other"), 100);
	of(&b, "work/other")->over_latency = 60;
	pass(&b, SECOND);
	f = found(&b, 1);
	assert_string_equal(f->class->path, "work/other");
	says(f->cause, "the class work above it is at its max of 4mbit");
	says(f->remedy, "raise the max of work");
	free(f);
	end(&b);
}

static void test_full_link_names_rivals(void **state)
{
	struct judge_finding *f;
	struct bench b;

	(void)state;
	begin(&b);
	carry(of(&b, "rest"), 700);
	carry(of(&b, "work/ssh"), 200);
	carry(of(&b, "work/other"), 100);
	of(&b, "work/other")->over_latency = 100;
	pass(&b, SECOND);
	f = found(&b, 1);
	says(f->cause, "the link is full");
	says(f->cause, "got 10 %");
	says(f->cause, "rest 70 %, work/ssh 20 %");
	says(f->remedy, "give the class a min");
	free(f);
	end(&b);
}

static void test_flow_max_and_bursts(void **state)
{
	struct judge_finding *f;
	struct bench b;

	(void)state;
	begin(&b);
	carry(of(&b, "shy"), 10);
	of(&b, "shy")->over_latency = 10;
	carry(of(&b, "work/other"), 10);
	of(&b, "work/other")->over_latency = 10;
	pass(&b, SECOND);
	f = found(&b, 2);
	says(f[0].cause, "bursts");
	says(f[1].cause, "flow-max holds its packets");
	free(f);
	end(&b);
}

static void test_late_host(void **state)
{
	struct judge_finding *f;
	struct bench b;

	(void)state;
	begin(&b);
	b.host.late = 5 * SECOND;
	carry(of(&b, "work/other"), 10);
	of(&b, "work/other")->over_latency = 10;
	pass(&b, SECOND);
	f = found(&b, 1);
	says(f->cause, "weir came up to 5s too late");
	free(f);
	b.host = (struct judge_host){.unread = 700000000};
	of(&b, "work/other")->over_latency += 10;
	carry(of(&b, "work/other"), 10);
	pass(&b, SECOND);
	f = found(&b, 1);
	says(f->cause, "had waited up to 700ms before weir read them");
	free(f);
	end(&b);
}

/* One in a hundred is a notice, more are a warning; an episode keeps its worst. */
static void test_part_over(void **state)
{
	struct judge_finding *f;
	struct bench b;

	(void)state;
	begin(&b);
	carry(of(&b, "voice"), 100);
	of(&b, "voice")->over_latency += 1;
	pass(&b, SECOND);
	f = found(&b, 1);
	assert_int_equal(f->severity, JUDGE_NOTICE);
	free(f);
	carry(of(&b, "voice"), 100);
	of(&b, "voice")->over_latency += 2;
	pass(&b, SECOND);
	f = found(&b, 1);
	assert_int_equal(f->severity, JUDGE_WARNING);
	says(f->what, "3 of 200 packets (1.5 %)");
	free(f);
	end(&b);
}

static void test_jitter(void **state)
{
	struct judge_finding *f;
	struct bench b;

	(void)state;
	begin(&b);
	carry(of(&b, "voice"), 50);
	of(&b, "voice")->jitter = 5000000;
	pass(&b, SECOND);
	free(found(&b, 0));
	carry(of(&b, "voice"), 50);
	of(&b, "voice")->jitter = 7100000;
	pass(&b, SECOND);
	f = found(&b, 1);
	says(f->what, "max-jitter 5ms missed: it was up to 7100us");
	free(f);
	/* an estimate that nothing changes is no news */
	pass(&b, JUDGE_HOLD);
	pass(&b, SECOND);
	free(found(&b, 0));
	end(&b);
}

static void test_guarantee(void **state)
{
	struct judge_finding *f;
	struct bench b;

	(void)state;
	begin(&b);
	of(&b, "voice")->waiting = 20;
	pass(&b, SECOND);
	carry(of(&b, "voice"), 89); /* of 100 that 800 kbit/s are */
	pass(&b, SECOND);
	f = found(&b, 1);
	assert_int_equal(f->kind, JUDGE_GUARANTEE);
	says(f->what, "min 800kbit not reached: packets waited, and it got 712kbit");
	free(f);
	end(&b);
}

static void test_starved(void **state)
{
	struct judge_finding *f;
	struct bench b;

	(void)state;
	begin(&b);
	of(&b, "rest")->waiting = 60;
	of(&b, "rest")->in_packets = 60;
	pass(&b, SECOND);
	carry(of(&b, "work/ssh"), 500);
	pass(&b, SECOND);
	f = found(&b, 1);
	assert_int_equal(f->kind, JUDGE_STARVATION);
	assert_int_equal(f->severity, JUDGE_NOTICE);
	free(f);
	carry(of(&b, "work/ssh"), 500);
	pass(&b, SECOND);
	f = found(&b, 1);
	assert_int_equal(f->severity, JUDGE_WARNING);
	says(f->what, "nothing was sent for 2s while packets waited (60 now)");
	free(f);
	end(&b);
}

/* A class without a promise may lose a tenth; few packets are no share of anything. */
static void test_drops(void **state)
{
	struct judge_finding *f;
	struct bench b;

	(void)state;
	begin(&b);
	carry(of(&b, "rest"), 91);
	of(&b, "rest")->in_packets += 9;
	of(&b, "rest")->dropped[PKT_DROP_LIMIT] += 9;
	pass(&b, SECOND);
	free(found(&b, 0));
	carry(of(&b, "rest"), 90);
	of(&b, "rest")->in_packets += 10;
	of(&b, "rest")->dropped[PKT_DROP_LIMIT] += 10;
	pass(&b, SECOND);
	f = found(&b, 1);
	says(f->what, "10 % of its packets were dropped (10 of 100)");
	says(f->what, "limit 60p");
	free(f);
	end(&b);
}

static void test_losses(void **state)
{
	struct judge_loss loss[] = {{"packets vanished", "look at the firewall", 0},
				    {"packets were lost", "find a processor", 3}};
	struct judge_finding *f;
	struct bench b;

	(void)state;
	begin(&b);
	b.host = (struct judge_host){.loss = loss, .n_loss = 2};
	pass(&b, SECOND);
	f = found(&b, 1);
	assert_int_equal(f->kind, JUDGE_LOSS);
	assert_string_equal(f->what, "3 packets were lost");
	free(f);
	loss[0].count = 4;
	pass(&b, SECOND);
	loss[0].count = 6;
	pass(&b, SECOND);
	f = found(&b, 2);
	assert_string_equal(f[1].what, "6 packets vanished");
	assert_string_equal(f[1].remedy, "look at the firewall");
	free(f);
	end(&b);
}

/* Windows too short to tell a rate are judged with the next. */
static void test_short_window(void **state)
{
	struct judge_finding *f;
	struct bench b;

	(void)state;
	begin(&b);
	carry(of(&b, "voice"), 10);
	of(&b, "voice")->over_latency += 10;
	pass(&b, SECOND / 100);
	free(found(&b, 0));
	carry(of(&b, "voice"), 10);
	of(&b, "voice")->over_latency += 10;
	pass(&b, SECOND);
	f = found(&b, 1);
	says(f->what, "20 of 20 packets");
	assert_int_equal(f->since, START);
	free(f);
	end(&b);
}

static void test_inherit(void **state)
{
	static const char later[] = "links:\n"
				    "  - name: up\n"
				    "    rate: 8mbit\n"
				    "    classes:\n"
				    "      - {name: new, match: tcp}\n"
				    "      - {name: voice, match: udp, max-latency: 20ms}\n"
				    "      - {name: rest, default: true}\n";
	struct policy_report r = {.fn = complain};
	struct policy *p = policy_read_mem(later, strlen(later), "later.yaml", &r);
	struct judge_finding *f;
	struct judge *next;
	struct bench b;

	(void)state;
	assert_non_null(p);
	begin(&b);
	carry(of(&b, "voice"), 10);
	of(&b, "voice")->over_latency += 10;
	carry(of(&b, "work/other"), 10);
	of(&b, "work/other")->over_latency += 10;
	pass(&b, SECOND);
	free(found(&b, 2));
	next = judge_new(p->link[0], false);
	assert_non_null(next);
	judge_inherit(next, b.judge);
	assert_int_equal(judge_findings(next, b.now, false, &f), 1);
	assert_ptr_equal(f->class, policy_find_class(p->link[0], "voice"));
	free(f);
	judge_free(next);
	policy_free(p);
	end(&b);
}

static void test_why(void **state)
{
	struct judge_finding f;
	struct bench b;

	(void)state;
	begin(&b);
	assert_false(judge_why(b.judge, b.link->all[0], JUDGE_DROPS, &f));
	carry(of(&b, "work/other"), 10);
	of(&b, "work/other")->over_latency += 10;
	pass(&b, SECOND);
	assert_false(judge_why(b.judge, b.link->all[class_of(&b, "voice")], JUDGE_DROPS, &f));
	assert_true(judge_why(b.judge, b.link->all[class_of(&b, "work")], JUDGE_DROPS, &f));
	assert_string_equal(f.class->path, "work/other");
	assert_true(judge_why(b.judge, b.link->root, JUDGE_DROPS, &f));
	carry(of(&b, "work/other"), 10);
	of(&b, "work/other")->dropped[PKT_DROP_DEADLINE] += 30;
	pass(&b, SECOND);
	assert_true(judge_why(b.judge, b.link->root, JUDGE_DROPS, &f));
	assert_int_equal(f.kind, JUDGE_DROPS);
	assert_true(judge_why(b.judge, b.link->root, JUDGE_LATENCY, &f));
	assert_int_equal(f.kind, JUDGE_LATENCY);
	end(&b);
}

/* Waiting is nothing bad: it is noted for who asks, and what filled the link stays its cause.
 */
static void test_wait(void **state)
{
	struct judge_finding f;
	struct bench b;

	(void)state;
	begin(&b);
	judge_free(b.judge);
	b.judge = judge_new(b.link, true);
	assert_non_null(b.judge);
	pass(&b, 0);
	carry(of(&b, "work/ssh"), 200);
	carry(of(&b, "rest"), 800);
	of(&b, "work/ssh")->delay_sum += 200 * 3000000ULL;
	pass(&b, SECOND);
	carry(of(&b, "work/ssh"), 2);
	of(&b, "work/ssh")->delay_sum += 2 * 2000000ULL;
	pass(&b, SECOND);
	assert_true(judge_why(b.judge, b.link->root, JUDGE_WAIT, &f));
	says(f.what, "waited up to 3ms");
	says(f.cause, "the link is full: this class got 20 %");
	/* and a run that is over keeps what was */
	pass(&b, 10 * JUDGE_HOLD);
	assert_true(judge_why(b.judge, b.link->root, JUDGE_WAIT, &f));
	end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quiet),
		cmocka_unit_test(test_at_its_max),
		cmocka_unit_test(test_parent_at_its_max),
		cmocka_unit_test(test_full_link_names_rivals),
		cmocka_unit_test(test_flow_max_and_bursts),
		cmocka_unit_test(test_late_host),
		cmocka_unit_test(test_part_over),
		cmocka_unit_test(test_jitter),
		cmocka_unit_test(test_guarantee),
		cmocka_unit_test(test_starved),
		cmocka_unit_test(test_drops),
		cmocka_unit_test(test_losses),
		cmocka_unit_test(test_short_window),
		cmocka_unit_test(test_inherit),
		cmocka_unit_test(test_why),
		cmocka_unit_test(test_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
