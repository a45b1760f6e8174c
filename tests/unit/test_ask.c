/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asking a gateway over its control socket, and showing what it says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "gw/ask_value.h"
#include "gw/control.h"
#include "gw/snapshot_json.h"
#include "tests/unit/metrics_made.h"

/* ---- Text from outside. */

static void test_printable(void **state)
{
	char long_text[2000];

	(void)state;
	assert_string_equal(ask_printable("a\x1b[31mb\x7f\tc\n"), "a?[31mb??c?");
	/* U+009B is a terminal's escape sequence in one character */
	assert_string_equal(ask_printable("a\xc2\x9b"
					  "31mb"),
			    "a?31mb");
	assert_string_equal(ask_printable("gr\xc3\xbc\xc3\x9f"
					  "e"),
			    "gr\xc3\xbc\xc3\x9f"
			    "e");
	/* no character is cut in two */
	for (size_t i = 0; i + 2 < sizeof(long_text); i += 2)
		memcpy(long_text + i, "\xc3\xbc", 3);
	assert_string_equal(ask_printable(long_text) + 508 - 2, "\xc3\xbc"
								"...");
}

/* ---- A gateway that only talks. */

struct talk {
	char dir[40], path[80];
	struct control *control;
	unsigned asked, asked_histograms;
};

static json_t *on_status(void *arg)
{
	(void)arg;
	return json_object();
}

static json_t *on_stats(void *arg, bool histograms)
{
	struct talk *t = arg;
	struct gateway_snapshot *s = made_up(NULL);
	json_t *j = snapshot_stats(s, histograms);

	t->asked++;
	t->asked_histograms += histograms;
	gateway_snapshot_free(s);
	return j;
}

/* Too many classes for one piece. */
static struct gateway_snapshot *many(void)
{
	struct gateway_snapshot *s = made_up(NULL);
	struct gateway_link *l = &s->link[1];

	l->class = realloc(l->class, 300 * sizeof(*l->class));
	assert_non_null(l->class);
	memset(l->class + l->n_class, 0, (300 - l->n_class) * sizeof(*l->class));
	for (; l->n_class < 300; l->n_class++)
		fill_class(&l->class[l->n_class], "c", true);
	s->link[0].class[1].account.marked = 9;
	return s;
}

/* As the gateway does it; what comes must be the same. */
static char *next_piece(void *of, size_t *n)
{
	return snapshot_pieces_next(of, n);
}

static void end_pieces(void *of)
{
	snapshot_pieces_end(of);
}

static bool on_stats_pieces(void *arg, bool histograms, struct control_pieces *to)
{
	struct talk *t = arg;

	t->asked++;
	t->asked_histograms += histograms;
	*to = (struct control_pieces){next_piece, end_pieces,
				      snapshot_pieces(many(), histograms), 1000};
	return to->of != NULL;
}

static json_t *on_reload(void *arg, uint64_t ticket, bool *ok)
{
	(void)arg;
	(void)ticket;
	*ok = true;
	return json_object();
}

static void talk_begin_as(struct talk *t, bool pieces)
{
	struct control_ops ops = {.status = on_status,
				  .stats = on_stats,
				  .stats_pieces = pieces ? on_stats_pieces : NULL,
				  .reload = on_reload,
				  .arg = t};
	char err[256] = "";

	*t = (struct talk){.dir = "/tmp/weir-ask-XXXXXX"};
	assert_non_null(mkdtemp(t->dir));
	snprintf(t->path, sizeof(t->path), "%s/s", t->dir);
	t->control = control_open(t->path, (uid_t)-1, (gid_t)-1, &ops, err, sizeof(err));
	if (!t->control)
		fail_msg("%s", err);
}

static void talk_begin(struct talk *t)
{
	talk_begin_as(t, false);
}

static void talk_end(struct talk *t)
{
	control_close(t->control);
	rmdir(t->dir);
}

/* Server and client take turns in this one thread. */
static json_t *call(struct talk *t, const char *with)
{
	char err[256] = "";
	json_t *j = NULL;
	struct control_call *c = control_call_begin(t->path, "stats", with, err, sizeof(err));
	int done;

	if (!c)
		fail_msg("%s", err);
	assert_int_equal(control_call_read(c, &j, err, sizeof(err)), 0);
	do {
		control_event(t->control);
		done = control_call_read(c, &j, err, sizeof(err));
	} while (!done);
	control_call_end(c);
	if (done < 0)
		fail_msg("%s", err);
	return j;
}

static int dial(const struct talk *t)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(a.sun_path, t->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static uint64_t sum_of_counts(const json_t *list)
{
	uint64_t n = 0, before = 0;

	assert_true(json_is_array(list));
	assert_int_equal(json_array_size(list) % 2, 0);
	for (size_t i = 0; i < json_array_size(list); i += 2) {
		uint64_t top = (uint64_t)json_integer_value(json_array_get(list, i));

		assert_true(!i || top > before);
		before = top;
		n += (uint64_t)json_integer_value(json_array_get(list, i + 1));
	}
	return n;
}

/* Whoever does not ask for histograms gets none: the answer stays as long as it was. */
static void test_histograms(void **state)
{
	struct talk t;
	json_t *j, *link, *class, *list;

	(void)state;
	talk_begin(&t);
	j = call(&t, NULL);
	link = json_array_get(json_object_get(j, "links"), 0);
	class = json_array_get(json_object_get(link, "classes"), 0);
	assert_null(json_object_get(json_object_get(link, "delay_ns"), "histogram"));
	assert_null(json_object_get(json_object_get(class, "delay_ns"), "histogram"));
	assert_int_equal(t.asked, 1);
	assert_int_equal(t.asked_histograms, 0);
	json_decref(j);

	j = call(&t, "histograms");
	assert_int_equal(t.asked_histograms, 1);
	link = json_array_get(json_object_get(j, "links"), 0);
	class = json_array_get(json_object_get(link, "classes"), 0);
	list = json_object_get(json_object_get(class, "delay_ns"), "histogram");
	assert_int_equal(sum_of_counts(list), 10);
	/* ten delays, of which 0 is the shortest; 98303 is its bucket's largest */
	assert_int_equal(json_integer_value(json_array_get(list, 0)), 0);
	assert_int_equal(json_integer_value(json_array_get(list, 2)), 98303);
	list = json_object_get(json_object_get(link, "delay_ns"), "histogram");
	assert_int_equal(sum_of_counts(list), 10);
	list = json_object_get(
		json_object_get(json_object_get(link, "health"), "wakeup_late_ns"),
		"histogram");
	assert_int_equal(sum_of_counts(list), 9);
	assert_int_equal(json_integer_value(json_array_get(list, 2)), 8000);
	json_decref(j);
	talk_end(&t);
}

/* What is made while it is sent is the same, and others are answered meanwhile. */
static void test_pieces(void **state)
{
	static const char stats[] = "{\"weir-control\": 1, \"do\": \"stats\"}\n",
			  ping[] = "{\"weir-control\": 1, \"do\": \"ping\"}\n";
	struct talk t;
	struct gateway_snapshot *s = many();
	char pong[100] = "", err[256] = "";
	struct control_call *large;
	json_t *is, *want;
	int fd;

	(void)state;
	talk_begin_as(&t, true);
	for (int with = 0; with < 2; with++) {
		is = call(&t, with ? "histograms" : NULL);
		want = snapshot_stats(s, with);
		json_object_set_new(want, "ok", json_true());
		json_object_set_new(want, "weir-control", json_integer(CONTROL_VERSION));
		assert_true(json_equal(is, want));
		json_decref(is);
		json_decref(want);
	}
	assert_int_equal(t.asked, 2);

	/* one that does not read yet */
	large = control_call_begin(t.path, "stats", NULL, err, sizeof(err));
	assert_non_null(large);
	fd = dial(&t);
	assert_int_equal(send(fd, ping, sizeof(ping) - 1, 0), sizeof(ping) - 1);
	for (int i = 0; i < 5; i++)
		control_event(t.control);
	assert_true(recv(fd, pong, sizeof(pong) - 1, MSG_DONTWAIT) > 0);
	assert_non_null(strstr(pong, "true"));
	control_call_end(large);
	/* one that goes away in the middle of it, and all that was held for it */
	assert_int_equal(send(fd, stats, sizeof(stats) - 1, 0), sizeof(stats) - 1);
	control_event(t.control);
	close(fd);
	for (int i = 0; i < 5; i++)
		control_event(t.control);
	gateway_snapshot_free(s);
	talk_end(&t);
}

static void test_no_histogram_of_a_kind(void **state)
{
	static const char request[] =
		"{\"weir-control\": 1, \"do\": \"stats\", \"histograms\": 1}\n";
	struct talk t;
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	char answer[256] = "";
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)state;
	talk_begin(&t);
	strcpy(a.sun_path, t.path);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(send(fd, request, sizeof(request) - 1, 0), sizeof(request) - 1);
	for (int i = 0; i < 3; i++)
		control_event(t.control);
	assert_true(recv(fd, answer, sizeof(answer) - 1, MSG_DONTWAIT) > 0);
	assert_non_null(strstr(answer, "must be true or false"));
	assert_int_equal(t.asked, 0);
	close(fd);
	talk_end(&t);
}

/* ---- What may answer instead. */

static int listen_at(struct talk *t)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	*t = (struct talk){.dir = "/tmp/weir-ask-XXXXXX"};
	assert_non_null(mkdtemp(t->dir));
	snprintf(t->path, sizeof(t->path), "%s/s", t->dir);
	strcpy(a.sun_path, t->path);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 0), 0);
	return fd;
}

static void test_bad_answers(void **state)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
		{"", "in the middle of its answer"},
		{"{\"ok\": true", "in the middle of its answer"},
		{"HTTP/1.1 400 Bad Request\n", "no weir"},
		{"[]\n", "no weir"},
		{"{\"ok\": 1, \"weir-control\": 1}\n", "no weir"},
		{"{\"ok\": true, \"weir-control\": 2}\n", "version 2"},
		{"{\"ok\": true}\n", "version 0"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct talk t;
		int fd = listen_at(&t), peer, done;
		char err[256] = "";
		struct control_call *c =
			control_call_begin(t.path, "stats", NULL, err, sizeof(err));
		json_t *j = NULL;

		assert_non_null(c);
		peer = accept(fd, NULL, NULL);
		assert_int_equal(send(peer, bad[i].text, strlen(bad[i].text), MSG_NOSIGNAL),
				 strlen(bad[i].text));
		shutdown(peer, SHUT_WR);
		while (!(done = control_call_read(c, &j, err, sizeof(err))))
			;
		assert_int_equal(done, -1);
		assert_null(j);
		if (!strstr(err, bad[i].says))
			fail_msg("%zu: \"%s\" without \"%s\"", i, err, bad[i].says);
		control_call_end(c);
		close(peer);
		close(fd);
		unlink(t.path);
		rmdir(t.dir);
	}
	control_call_end(NULL);
}

/* A gateway that accepts nobody must not hold up who asks it. */
static void test_never_waits(void **state)
{
	struct talk t;
	int fd = listen_at(&t);
	struct control_call *c[64] = {NULL};
	char err[256] = "";
	size_t n = 0;

	(void)state;
	while (n < 64 && (c[n] = control_call_begin(t.path, "stats", NULL, err, sizeof(err))))
		n++;
	assert_true(n < 64);
	assert_non_null(strstr(err, "did not answer"));
	while (n)
		control_call_end(c[--n]);
	close(fd);
	unlink(t.path);
	assert_null(control_call_begin(t.path, "stats", NULL, err, sizeof(err)));
	assert_non_null(strstr(err, "no gateway answers"));
	rmdir(t.dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_printable),
		cmocka_unit_test(test_histograms),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_no_histogram_of_a_kind),
		cmocka_unit_test(test_bad_answers),
		cmocka_unit_test(test_never_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
