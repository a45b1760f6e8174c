/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The asking side: whatever answers on the socket, there is an answer or one line that says why
 * not, and nobody waits longer than was said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include "tests/unit/control_rig.h"

#define LONG 60000 /* ms; for the slowest machine */

/* ---- A gateway that says what it is told to. */

struct fake {
	struct rig r;
	int fd;
	pthread_t thread;
	const char *answer; /* NULL: none, until the asker has gone */
	size_t len;
	bool slowly; /* a byte at a time, and the asker must take each */
	char asked[256];
};

static void *fake_run(void *arg)
{
	struct fake *f = arg;
	int fd = accept(f->fd, NULL, NULL);
	ssize_t n = fd < 0 ? -1 : recv(fd, f->asked, sizeof(f->asked) - 1, 0);
	char c;

	f->asked[n > 0 ? n : 0] = '\0';
	if (!f->answer)
		(void)!recv(fd, &c, 1, 0);
	for (size_t i = 0; f->answer && i < f->len;) {
		ssize_t sent =
			send(fd, f->answer + i, f->slowly ? 1 : f->len - i, MSG_NOSIGNAL);

		if (sent <= 0)
			break;
		i += (size_t)sent;
	}
	close(fd);
	return NULL;
}

static void fake_start(struct fake *f, const char *answer, size_t len)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	rig_dir(&f->r);
	f->answer = answer;
	f->len = len;
	f->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	memcpy(a.sun_path, f->r.path, strlen(f->r.path));
	assert_int_equal(bind(f->fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(f->fd, 1), 0);
	assert_int_equal(pthread_create(&f->thread, NULL, fake_run, f), 0);
}

static void fake_end(struct fake *f)
{
	assert_int_equal(pthread_join(f->thread, NULL), 0);
	close(f->fd);
	assert_int_equal(unlink(f->r.path), 0);
	assert_int_equal(rmdir(f->r.dir), 0);
}

static unsigned told;

static void tell(const char *text)
{
	static const char *const expected[] = {"reading (1 s)", "building (2 s)"};

	assert_in_range(told, 0, 1);
	assert_string_equal(text, expected[told++]);
}

/* Lines of progress before the answer; those who do not ask for them take them for nothing. */
static void test_progress(void **state)
{
	static const char answer[] = "{\"weir-control\": 1, \"progress\": \"reading (1 s)\"}\n"
				     "{\"weir-control\": 1, \"progress\": \"building (2 s)\"}\n"
				     "{\"weir-control\": 1, \"ok\": true, \"n\": 7}\n";

	(void)state;
	for (unsigned slowly = 0; slowly < 2; slowly++)
		for (size_t cut = 0; cut < 2; cut++) {
			struct fake f = {.slowly = slowly};
			char err[256] = "";
			bool began;
			json_t *j;

			told = 0;
			fake_start(&f, answer, sizeof(answer) - 1 - cut);
			j = control_ask_long(f.r.path, "reload", LONG, tell, &began, err,
					     sizeof(err));
			fake_end(&f);
			assert_non_null(strstr(f.asked, "\"progress\": true"));
			assert_true(began);
			assert_int_equal(told, 2);
			if (cut)
				assert_non_null(strstr(err, "ended in the middle"));
			else
				assert_int_equal(json_integer_value(json_object_get(j, "n")),
						 7);
			json_decref(j);
		}
}

static void test_answers(void **state)
{
#define TEXT(t) t, sizeof(t) - 1
	static const struct {
		const char *answer;
		size_t len;
		const char *why; /* NULL: it is a good one */
	} t[] = {
		{TEXT("{\"weir-control\": 1, \"ok\": true}\n"), NULL},
		{TEXT("{\"weir-control\": 1, \"ok\": false, \"error\": \"no\"}\nmore"), NULL},
		{TEXT(""), "ended in the middle"},
		{TEXT("{\"weir-control\": 1, \"ok\": true}"), "ended in the middle"},
		{TEXT("\n"), "no weir"},
		{TEXT("hello\n"), "no weir"},
		{TEXT("[]\n"), "no weir"},
		{TEXT("{}\n"), "no weir"},
		{TEXT("{\"ok\": 1}\n"), "no weir"},
		{TEXT("{\"weir-control\": 1, \"ok\": \"yes\"}\n"), "no weir"},
		{TEXT("{\"weir-control\": 1, \"ok\": true} {}\n"), "no weir"},
		{TEXT("\0\0\0\n"), "no weir"},
		{TEXT("\xff\xff\n"), "no weir"},
		{TEXT("{\"ok\": true}\n"), "version 0"},
		{TEXT("{\"weir-control\": 2, \"ok\": true}\n"), "version 2"},
		{TEXT("{\"weir-control\": -5, \"ok\": true}\n"), "version -5"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		for (unsigned slowly = 0; slowly < 2; slowly++) {
			struct fake f = {.slowly = slowly};
			char err[256] = "";
			json_t *j;

			fake_start(&f, t[i].answer, t[i].len);
			j = control_ask(f.r.path, "status", LONG, err, sizeof(err));
			fake_end(&f);
			assert_string_equal(f.asked,
					    "{\"weir-control\": 1, \"do\": \"status\"}\n");
			if (!j != (t[i].why != NULL))
				fail_msg("%s: %s", t[i].answer, err);
			if (t[i].why && !strstr(err, t[i].why))
				fail_msg("%s: \"%s\" does not say \"%s\"", t[i].answer, err,
					 t[i].why);
			assert_null(strchr(err, '\n'));
			json_decref(j);
		}
}

/* A long one comes whole. */
static void test_long_answer(void **state)
{
	size_t len = 5000000;
	char *answer = malloc(len), err[256] = "";
	struct fake f = {0};
	json_t *j;

	(void)state;
	memset(answer, ' ', len);
	memcpy(answer, "{\"weir-control\": 1, \"ok\": true, \"x\": 7", 38);
	memcpy(answer + len - 2, "}\n", 2);
	fake_start(&f, answer, len);
	j = control_ask(f.r.path, "stats", LONG, err, sizeof(err));
	fake_end(&f);
	assert_non_null(j);
	assert_int_equal(json_integer_value(json_object_get(j, "x")), 7);
	json_decref(j);
	free(answer);
}

static void test_silence(void **state)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct fake f = {0};
	char err[256] = "", path[200];
	int fd[8], busy, n;
	struct rig r;

	(void)state;
	/* it takes the question and says nothing */
	fake_start(&f, NULL, 0);
	assert_null(control_ask(f.r.path, "status", 50, err, sizeof(err)));
	assert_non_null(strstr(err, "did not answer within 50 ms"));
	fake_end(&f);

	/* it does not even take one in */
	rig_dir(&r);
	busy = client_fd();
	memcpy(a.sun_path, r.path, strlen(r.path));
	assert_int_equal(bind(busy, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(busy, 0), 0);
	for (n = 0; n < 8; n++) {
		fd[n] = client_fd();
		if (client_connect(&r, fd[n]))
			break;
	}
	assert_true(n < 8);
	assert_null(control_ask(r.path, "status", 50, err, sizeof(err)));
	assert_non_null(strstr(err, "did not answer within 50 ms"));
	for (int i = 0; i <= n; i++)
		close(fd[i]);

	/* there is a file, and nobody; there is none; the path cannot be one */
	close(busy);
	assert_null(control_ask(r.path, "status", LONG, err, sizeof(err)));
	assert_non_null(strstr(err, "is `weir run` running?"));
	assert_int_equal(unlink(r.path), 0);
	assert_null(control_ask(r.path, "status", LONG, err, sizeof(err)));
	assert_non_null(strstr(err, "is `weir run` running?"));
	assert_int_equal(rmdir(r.dir), 0);
	memset(path, 'p', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	assert_null(control_ask(path, "status", LONG, err, sizeof(err)));
	assert_non_null(strstr(err, "too long"));
}

/* ---- The two sides with each other. */

struct server {
	struct rig r;
	atomic_bool stop;
};

static void *serve(void *arg)
{
	struct server *s = arg;

	while (!atomic_load(&s->stop)) {
		struct pollfd p = {.fd = control_fd(s->r.c), .events = POLLIN};

		if (poll(&p, 1, 20) > 0)
			control_event(s->r.c);
	}
	return NULL;
}

static void test_both(void **state)
{
	static const char *const what[] = {"ping", "status", "stats", "reload"};
	struct server s = {0};
	char err[256] = "";
	pthread_t t;
	json_t *j;

	(void)state;
	rig_start(&s.r);
	s.r.answer = 3000000;
	assert_int_equal(pthread_create(&t, NULL, serve, &s), 0);
	for (unsigned i = 0; i < 40; i++) {
		j = control_ask(s.r.path, what[i % 4], LONG, err, sizeof(err));
		if (!j)
			fail_msg("%s", err);
		assert_true(json_is_true(json_object_get(j, "ok")));
		json_decref(j);
	}
	j = control_ask(s.r.path, "dance", LONG, err, sizeof(err));
	assert_true(json_is_false(json_object_get(j, "ok")));
	json_decref(j);
	atomic_store(&s.stop, true);
	assert_int_equal(pthread_join(t, NULL), 0);
	assert_int_equal(s.r.status, 10);
	assert_int_equal(s.r.reloads, 10);
	rig_end(&s.r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),	    cmocka_unit_test(test_progress),
		cmocka_unit_test(test_long_answer), cmocka_unit_test(test_silence),
		cmocka_unit_test(test_both),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
