/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random trees on the real kernel, in a network namespace of its own: whatever there was, the
 * changes that tc_diff() says make of it what is wanted, as a dump shows; half of the time
 * they are taken back, and then all is as it was. Needs root.
 */
#include "gw/tc_link.h"
#include "gw/tc_rebuild.h"
#include "gw/tc_state.h"
#include "tests/props/tc_trees.h"

#define STEPS 40

static struct tc_nl *nl;
static uint32_t ifindex;
static char err[512];

static void read_state(struct tc_state *s)
{
	RIG_CHECK(!tc_state_read(nl, ifindex, s, err, sizeof(err)), "%s", err);
}

static void show(const char *title, const struct tc_changes *c)
{
	char text[256];

	for (size_t i = 0; i < c->n; i++)
		fprintf(stderr, "# %s: %d %s%s%s\n", title, c->v[i].op,
			tc_object_text(c->v[i].o, text, sizeof(text)),
			c->v[i].implied ? " (implied)" : "", c->v[i].done ? " done" : "");
}

static void insist_same(const struct tc_list *want, const char *what)
{
	struct tc_state now;
	struct tc_changes c;

	read_state(&now);
	assert_int_equal(tc_diff(want, &now, &c), 0);
	if (c.n)
		show(what, &c);
	RIG_CHECK(c.n == 0, "%s: %zu objects differ", what, c.n);
	tc_changes_free(&c);
	tc_state_free(&now);
}

/* As a dump tells it, byte for byte, counters aside. */
static void insist_as_before(const struct tc_state *before)
{
	const struct tc_object *o;
	struct tc_state now;
	char text[256] = "";

	read_state(&now);
	o = tc_differing(before, &now, TC_H_ROOT);
	RIG_CHECK(!o, "taken back, it is not as it was: %s",
		  tc_object_text(o, text, sizeof(text)));
	tc_state_free(&now);
}

static void step(const struct tc_list *want, bool back)
{
	struct tc_state before;
	struct tc_changes c;
	int error;

	read_state(&before);
	assert_int_equal(tc_diff(want, &before, &c), 0);
	if (tc_run(nl, ifindex, &c, &error, err, sizeof(err))) {
		show("run", &c);
		RIG_CHECK(false, "%s", err);
	}
	insist_same(want, "after the changes");
	if (back) {
		if (tc_undo(nl, ifindex, &c, err, sizeof(err))) {
			show("undo", &c);
			RIG_CHECK(false, "%s", err);
		}
		insist_as_before(&before);
	}
	tc_changes_free(&c);
	tc_state_free(&before);
}

static void one(uint64_t seed)
{
	struct trees t;

	trees_make(&t, seed);
	for (uint64_t i = 0; i < STEPS; i++) {
		struct tc_list want;

		rig_seed = seed;
		trees_next(&t, seed * STEPS + i);
		trees_list(&t, &want);
		step(&want, i % 2);
		tc_list_free(&want);
	}
}

static void trees_on_the_kernel(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 25; seed++)
		one(seed);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(trees_on_the_kernel)};
	struct tc_link dummy = {.name = "w0", .kind = "veth", .txqlen = 1000};

	nl = tc_nl_open_scratch(err, sizeof(err));
	if (!nl || tc_link_add(nl, &dummy, err, sizeof(err)) ||
	    tc_link_find(nl, "w0", &dummy, NULL, err, sizeof(err))) {
		printf("1..1\nok 1 # SKIP %s\n", err);
		return 0;
	}
	ifindex = dummy.ifindex;
	if (argc > 1) {
		one(strtoull(argv[1], NULL, 10));
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
