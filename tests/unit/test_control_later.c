/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A reload that is answered when it has ended: what others get meanwhile, and who may be gone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "control_rig.h"

#define RELOAD "{\"weir-control\": 1, \"do\": \"reload\"}\n"
#define RELOAD_TELL "{\"weir-control\": 1, \"do\": \"reload\", \"progress\": true}\n"

static json_t *outcome(void)
{
	json_t *j = json_object();

	json_object_set_new(j, "outcome", json_integer(42));
	return j;
}

static void hear_outcome(struct rig *r, int fd, bool good)
{
	json_t *j = hear_json(r, fd);

	assert_int_equal(json_integer_value(json_object_get(j, "outcome")), 42);
	assert_int_equal(json_is_true(json_object_get(j, "ok")), good);
	json_decref(j);
}

static bool silent(struct rig *r, int fd)
{
	char c;

	pump(r);
	return recv(fd, &c, 1, 0) < 0 && errno == EAGAIN;
}

static int asker(struct rig *r, const char *text)
{
	int fd = client(r);

	r->later = true;
	say(r, fd, text, strlen(text));
	pump(r);
	assert_true(r->ticket != 0);
	return fd;
}

static void test_answered_later(void **state)
{
	struct rig r;
	int fd, other;

	(void)state;
	rig_start(&r);
	fd = asker(&r, RELOAD PING);
	assert_true(silent(&r, fd));
	/* others have their answers at once */
	other = client(&r);
	assert_true(ping(&r, other));
	assert_true(silent(&r, fd));
	/* it asked for no lines in between */
	control_progress(r.c, r.ticket, "half way");
	assert_true(silent(&r, fd));
	/* to nobody */
	control_answer(r.c, r.ticket - 1, outcome(), true);
	control_answer(r.c, 0, outcome(), true);
	assert_true(silent(&r, fd));
	control_answer(r.c, r.ticket, outcome(), true);
	hear_outcome(&r, fd, true);
	/* what it asked next, and only now */
	assert_true(hear_ok(&r, fd));
	control_answer(r.c, r.ticket, outcome(), true);
	assert_true(silent(&r, fd));
	assert_true(ping(&r, fd));
	close(fd);
	close(other);
	rig_end(&r);
}

static void test_progress(void **state)
{
	struct rig r;
	int fd;

	(void)state;
	rig_start(&r);
	fd = asker(&r, RELOAD_TELL);
	for (unsigned i = 0; i < 3; i++) {
		json_t *j;

		control_progress(r.c, r.ticket, "half way");
		j = json_loads(hear(&r, fd), 0, NULL);
		assert_string_equal(json_string_value(json_object_get(j, "progress")),
				    "half way");
		assert_null(json_object_get(j, "ok"));
		json_decref(j);
	}
	/* one that does not read them gets its answer all the same, and no line is cut */
	for (unsigned i = 0; i < 100000; i++)
		control_progress(r.c, r.ticket, "half way");
	control_answer(r.c, r.ticket, outcome(), false);
	for (;;) {
		json_t *j = json_loads(hear(&r, fd), 0, NULL);
		bool last = json_object_get(j, "ok") != NULL;

		assert_true(json_is_object(j));
		assert_true(last || json_object_get(j, "progress"));
		assert_int_equal(json_integer_value(json_object_get(j, "outcome")),
				 last ? 42 : 0);
		json_decref(j);
		if (last)
			break;
	}
	assert_true(ping(&r, fd));
	close(fd);
	rig_end(&r);
}

/* One reload may be the answer to several: to all who asked before it began. */
static void test_several(void **state)
{
	struct rig r;
	uint64_t second;
	int fd[3];

	(void)state;
	rig_start(&r);
	fd[0] = asker(&r, RELOAD);
	fd[1] = asker(&r, RELOAD);
	second = r.ticket;
	fd[2] = asker(&r, RELOAD_TELL);
	assert_true(r.ticket > second);
	control_answer(r.c, second, outcome(), true);
	hear_outcome(&r, fd[0], true);
	hear_outcome(&r, fd[1], true);
	assert_true(silent(&r, fd[2]));
	control_answer(r.c, r.ticket, outcome(), false);
	hear_outcome(&r, fd[2], false);
	for (unsigned i = 0; i < 3; i++) {
		assert_true(ping(&r, fd[i]));
		close(fd[i]);
	}
	rig_end(&r);
}

/* Whoever asked goes away, before or while others come. */
static void test_gone(void **state)
{
	struct rig r;
	int fd, other;
	unsigned fds;

	(void)state;
	rig_start(&r);
	fds = open_fds();
	fd = asker(&r, RELOAD_TELL);
	close(fd);
	pump(&r);
	/* its place was given back */
	assert_int_equal(open_fds(), fds);
	control_progress(r.c, r.ticket, "half way");
	control_answer(r.c, r.ticket, outcome(), true);
	other = client(&r);
	assert_true(ping(&r, other));
	close(other);
	/* one that says no more is answered still */
	fd = asker(&r, RELOAD);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	pump(&r);
	control_answer(r.c, r.ticket, outcome(), true);
	hear_outcome(&r, fd, true);
	assert_true(ended(&r, fd));
	close(fd);
	rig_end(&r);
}

/* Too many clients cut off the most silent one, but not one that waits. */
static void test_not_cut_off(void **state)
{
	struct rig r;
	int fd, many[2 * CONTROL_CLIENTS_MAX];

	(void)state;
	rig_start(&r);
	fd = asker(&r, RELOAD);
	for (unsigned i = 0; i < 2 * CONTROL_CLIENTS_MAX; i++) {
		many[i] = client(&r);
		assert_true(ping(&r, many[i]));
	}
	control_answer(r.c, r.ticket, outcome(), true);
	hear_outcome(&r, fd, true);
	for (unsigned i = 0; i < 2 * CONTROL_CLIENTS_MAX; i++)
		close(many[i]);
	close(fd);
	rig_end(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answered_later), cmocka_unit_test(test_progress),
		cmocka_unit_test(test_several),	       cmocka_unit_test(test_gone),
		cmocka_unit_test(test_not_cut_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
