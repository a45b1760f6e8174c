/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control socket, asked in all ways, good and bad: it answers, and never waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/resource.h>

#include "tests/unit/control_rig.h"

static void test_asked(void **state)
{
	struct rig r;
	json_t *j;
	int fd;

	(void)state;
	rig_start(&r);
	fd = client(&r);
	assert_true(ping(&r, fd));
	say(&r, fd, STATUS, strlen(STATUS));
	j = hear_json(&r, fd);
	assert_true(json_is_true(json_object_get(j, "ok")));
	assert_int_equal(json_integer_value(json_object_get(j, "n")), 1);
	json_decref(j);
	say(&r, fd, STATS, strlen(STATS));
	j = hear_json(&r, fd);
	assert_string_equal(json_string_value(json_object_get(j, "text")), "xxxxxxxxxx");
	json_decref(j);
	assert_int_equal(r.histograms, 0);
	for (unsigned i = 0; i < 2; i++) {
		char text[100];

		snprintf(text, sizeof(text),
			 "{\"weir-control\": 1, \"do\": \"stats\", \"histograms\": %s}\n",
			 i ? "false" : "true");
		say(&r, fd, text, strlen(text));
		assert_true(hear_ok(&r, fd));
		assert_int_equal(r.histograms, 1);
	}
	say(&r, fd, "{\"do\":\"reload\",\"weir-control\":1}\n", 33);
	assert_true(hear_ok(&r, fd));
	assert_int_equal(r.reloads, 1);

	r.fails = true;
	say(&r, fd, STATUS, strlen(STATUS));
	assert_false(hear_ok(&r, fd));
	say(&r, fd, "{\"do\":\"reload\",\"weir-control\":1}\n", 33);
	j = hear_json(&r, fd);
	assert_true(json_is_false(json_object_get(j, "ok")));
	assert_string_equal(json_string_value(json_object_get(j, "error")),
			    "p.yaml is not valid");
	json_decref(j);
	close(fd);
	pump(&r);
	rig_end(&r);
}

/* Byte by byte, with a turn of the server after each; other white space is as good. */
static void test_in_parts(void **state)
{
	static const char text[] =
		"  {\"weir-control\": 1,\t\"do\": \"status\",  \"more\": [1, 2]}\r\n" PING;
	struct rig r;
	int fd;

	(void)state;
	rig_start(&r);
	fd = client(&r);
	for (const char *c = text; *c; c++) {
		assert_int_equal(r.status, c > strchr(text, '\n'));
		say(&r, fd, c, 1);
	}
	assert_true(hear_ok(&r, fd));
	assert_true(hear_ok(&r, fd));
	assert_int_equal(r.status, 1);
	close(fd);
	rig_end(&r);
}

/* Many requests in one write: as many answers, in that order; also for who said its last. */
static void test_several(void **state)
{
	char text[100 * sizeof(STATS)] = "";
	struct rig r;
	int fd;

	(void)state;
	for (unsigned turn = 0; turn < 2; turn++) {
		rig_start(&r);
		fd = client(&r);
		text[0] = '\0';
		for (unsigned i = 0; i < 100; i++)
			strcat(text, i % 3 == 0 ? STATUS : i % 3 == 1 ? STATS : PING);
		if (turn)
			strcat(text, "{\"weir-control\": 1, \"do\": "); /* and no end of it */
		say(&r, fd, text, strlen(text));
		if (turn)
			assert_int_equal(shutdown(fd, SHUT_WR), 0);
		for (unsigned i = 0; i < 100; i++) {
			json_t *j = hear_json(&r, fd);

			assert_true(json_is_true(json_object_get(j, "ok")));
			assert_int_equal(json_integer_value(json_object_get(j, "n")),
					 i % 3 ? 0 : i / 3 + 1);
			assert_int_equal(json_object_get(j, "text") != NULL, i % 3 == 1);
			json_decref(j);
		}
		if (turn)
			assert_null(hear(&r, fd));
		else
			assert_true(ping(&r, fd));
		close(fd);
		pump(&r);
		rig_end(&r);
	}
}

/* A line of 4096 bytes with its end is the longest; a longer one is refused and is the last. */
static void test_long(void **state)
{
	char line[CONTROL_REQUEST_MAX + 100];
	struct rig r;

	(void)state;
	rig_start(&r);
	for (int more = -1; more <= 1; more++) {
		size_t len = (size_t)((int)CONTROL_REQUEST_MAX + more);
		int fd = client(&r);

		memset(line, ' ', sizeof(line));
		memcpy(line, PING, strlen(PING) - 1);
		line[len - 1] = '\n';
		say(&r, fd, line, len);
		assert_int_equal(hear_ok(&r, fd), more <= 0);
		if (more > 0)
			assert_true(ended(&r, fd));
		else
			assert_true(ping(&r, fd));
		close(fd);
	}
	/* one without any end, and one behind a good request */
	for (unsigned i = 0; i < 2; i++) {
		int fd = client(&r);

		if (i)
			say(&r, fd, PING, strlen(PING));
		memset(line, 'x', sizeof(line));
		for (unsigned k = 0; k < 300; k++)
			say(&r, fd, line, sizeof(line));
		if (i)
			assert_true(hear_ok(&r, fd));
		assert_false(hear_ok(&r, fd));
		assert_true(ended(&r, fd));
		close(fd);
	}
	rig_end(&r);
}

/* What is no request is refused, and the next one is answered. */
static void test_garbage(void **state)
{
#define LINE(text) \
	{ \
		text, sizeof(text) - 1 \
	}
	static const struct {
		const char *text;
		size_t len;
	} lines[] = {
		LINE(""),
		LINE(" "),
		LINE("\r"),
		LINE("{"),
		LINE("null"),
		LINE("1"),
		LINE("\"status\""),
		LINE("[]"),
		LINE("[{\"weir-control\": 1, \"do\": \"ping\"}]"),
		LINE("{}"),
		LINE("{\"do\": \"ping\"}"),
		LINE("{\"weir-control\": 1}"),
		LINE("{\"weir-control\": 0, \"do\": \"ping\"}"),
		LINE("{\"weir-control\": 2, \"do\": \"ping\"}"),
		LINE("{\"weir-control\": -1, \"do\": \"ping\"}"),
		LINE("{\"weir-control\": 1.0, \"do\": \"ping\"}"),
		LINE("{\"weir-control\": \"1\", \"do\": \"ping\"}"),
		LINE("{\"weir-control\": true, \"do\": \"ping\"}"),
		LINE("{\"weir-control\": 18446744073709551617, \"do\": \"ping\"}"),
		LINE("{\"weir-control\": 1, \"weir-control\": 1, \"do\": \"ping\"}"),
		LINE("{\"weir-control\": 1, \"do\": null}"),
		LINE("{\"weir-control\": 1, \"do\": [\"ping\"]}"),
		LINE("{\"weir-control\": 1, \"do\": \"\"}"),
		LINE("{\"weir-control\": 1, \"do\": \"Ping\"}"),
		LINE("{\"weir-control\": 1, \"do\": \"ping \"}"),
		LINE("{\"weir-control\": 1, \"do\": \"shutdown\"}"),
		LINE("{\"weir-control\": 1, \"do\": \"ping\"} more"),
		LINE("{\"weir-control\": 1, \"do\": \"ping\"}{}"),
		LINE("{\"weir-control\": 1, \"do\": \"ping\\u0000\"}"),
		LINE("{\"weir-control\": 1, \"do\": \"ping\"}\0"),
		LINE("\0{\"weir-control\": 1, \"do\": \"ping\"}"),
		LINE("\0"),
		LINE("\0\0\0\0"),
		LINE("{\"weir-control\": 1, \"do\": \"pi\0ng\"}"),
		LINE("{\"weir-control\": 1, \"do\": \"\xff\xfe\"}"),
		LINE("{\"weir-control\": 1, \"do\": \"ping\", \"\xc3\": 1}"),
		LINE("{\"weir-control\": 1, \"do\": \"stats\", \"histograms\": 1}"),
		LINE("{\"weir-control\": 1, \"do\": \"stats\", \"histograms\": null}"),
		LINE("{\"weir-control\": 1, \"do\": \"ping\", \"histograms\": \"true\"}"),
		LINE("GET / HTTP/1.1\r"),
		LINE("\x16\x03\x01\x02"),
	};
	struct rig r;
	int fd;

	(void)state;
	rig_start(&r);
	fd = client(&r);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		say(&r, fd, lines[i].text, lines[i].len);
		say(&r, fd, "\n", 1);
		if (hear_ok(&r, fd))
			fail_msg("line %zu: %s", i, lines[i].text);
		assert_true(ping(&r, fd));
	}
	assert_int_equal(r.status + r.stats + r.reloads, 0);
	close(fd);
	rig_end(&r);
}

/* As deep as a line can be, and any bytes at all: a refusal for each line. */
static void test_noise(void **state)
{
	char line[CONTROL_REQUEST_MAX];
	struct rig r;
	int fd;

	(void)state;
	rig_start(&r);
	fd = client(&r);
	for (unsigned i = 0; i < 2; i++) {
		memset(line, i ? '[' : '{', sizeof(line));
		line[sizeof(line) - 1] = '\n';
		say(&r, fd, line, sizeof(line));
		assert_false(hear_ok(&r, fd));
	}
	srand(4);
	for (unsigned round = 0; round < 3000; round++) {
		size_t len = (size_t)(rand() % 200) + 1;

		for (size_t i = 0; i < len; i++) {
			line[i] = (char)(rand() % 4 ? PING[rand() % 30] : rand());
			if (line[i] == '\n')
				line[i] = ' ';
		}
		line[len] = '\n';
		say(&r, fd, line, len + 1);
		assert_false(hear_ok(&r, fd));
	}
	assert_true(ping(&r, fd));
	close(fd);
	rig_end(&r);
}

/* One asks for much, again and again, and reads nothing: it holds up nobody, and costs little.
 */
static void test_never_reads(void **state)
{
	char line[CONTROL_REQUEST_MAX / 20];
	unsigned asked = 0;
	struct rig r;
	int bad, good;

	(void)state;
	rig_start(&r);
	r.answer = 1000000; /* more than a socket takes at once */
	bad = client(&r);
	good = client(&r);
	/* more than the server keeps of what it has not answered */
	memset(line, ' ', sizeof(line));
	memcpy(line + sizeof(line) - strlen(STATS), STATS, strlen(STATS));
	for (; asked < 60; asked++) {
		assert_int_equal(send(bad, line, sizeof(line), MSG_NOSIGNAL), sizeof(line));
		pump(&r);
	}
	/* the answer before must have been taken first */
	assert_int_equal(r.stats, 1);
	for (unsigned i = 0; i < 100; i++)
		assert_true(ping(&r, good));
	/* it reads after all: nothing of it was lost */
	for (unsigned i = 0; i < asked; i++)
		assert_true(hear_ok(&r, bad));
	assert_int_equal(r.stats, asked);
	say(&r, bad, STATS, strlen(STATS));
	/* it goes in the middle of an answer */
	close(bad);
	assert_true(ping(&r, good));
	close(good);
	pump(&r);
	rig_end(&r);
}

/* Many who do not read: when their answers are too much together, they are cut off. */
static void test_none_reads(void **state)
{
	int bad[CONTROL_CLIENTS_MAX - 1], good;
	struct rig r;
	unsigned cut = 0;
	char c;

	(void)state;
	rig_start(&r);
	r.answer = 4000000;
	for (unsigned i = 0; i < CONTROL_CLIENTS_MAX - 1; i++) {
		bad[i] = client(&r);
		assert_true(send(bad[i], STATS, strlen(STATS), MSG_NOSIGNAL) > 0);
		pump(&r);
	}
	good = client(&r);
	say(&r, good, STATS, strlen(STATS));
	assert_true(hear_ok(&r, good));
	/* 64 MB of 31 times 4 MB: the latest are there still */
	for (unsigned i = 0; i < CONTROL_CLIENTS_MAX - 1; i++) {
		struct pollfd p = {.fd = bad[i], .events = POLLRDHUP};

		cut += poll(&p, 1, 0) == 1 && (p.revents & POLLRDHUP);
	}
	assert_in_range(cut, 14, 17);
	assert_true(recv(bad[CONTROL_CLIENTS_MAX - 2], &c, 1, MSG_PEEK) == 1);
	for (unsigned i = 0; i < CONTROL_CLIENTS_MAX - 1; i++)
		close(bad[i]);
	assert_true(ping(&r, good));
	close(good);
	rig_end(&r);
}

/* A hundred at once, each with a question: all are answered. */
static void test_hundred(void **state)
{
	unsigned before = open_fds();
	struct rig r;
	int fd[100];

	(void)state;
	rig_start(&r);
	for (unsigned i = 0; i < 100; i++) {
		fd[i] = client_fd();
		/* no more wait in front of the door than it takes */
		if (client_connect(&r, fd[i])) {
			assert_int_equal(errno, EAGAIN);
			pump(&r);
			assert_int_equal(client_connect(&r, fd[i]), 0);
		}
		assert_int_equal(send(fd[i], PING, strlen(PING), MSG_NOSIGNAL), strlen(PING));
	}
	for (unsigned i = 0; i < 100; i++) {
		assert_true(hear_ok(&r, fd[i]));
		close(fd[i]);
	}
	pump(&r);

	/* a hundred who say nothing: the places go to who came last, and there is always one */
	for (unsigned i = 0; i < 100; i++)
		fd[i] = client(&r);
	for (unsigned i = 0; i < 100; i++) {
		char c;
		ssize_t n = recv(fd[i], &c, 1, 0);

		assert_int_equal(n, i < 100 - CONTROL_CLIENTS_MAX ? 0 : -1);
	}
	for (unsigned i = 100 - CONTROL_CLIENTS_MAX; i < 100; i++)
		assert_true(ping(&r, fd[i]));
	for (unsigned i = 0; i < 100; i++)
		close(fd[i]);
	pump(&r);
	rig_end(&r);
	assert_int_equal(open_fds(), before);
}

/* No file descriptor is left: who comes is turned away, nothing spins, and later all is well.
 */
static void test_no_descriptors(void **state)
{
	struct rlimit old, low;
	struct rig r;
	int fd[3], first;

	(void)state;
	rig_start(&r);
	first = client(&r);
	for (unsigned i = 0; i < 3; i++)
		fd[i] = client_fd();
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = (rlim_t)fd[2] + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(client_connect(&r, fd[i]), 0);
	pump(&r);
	for (unsigned i = 0; i < 3; i++)
		assert_true(ended(&r, fd[i]));
	assert_true(ping(&r, first));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	close(fd[0]);
	fd[0] = client(&r);
	assert_true(ping(&r, fd[0]));
	for (unsigned i = 0; i < 3; i++)
		close(fd[i]);
	close(first);
	rig_end(&r);
}

/* Anything, in any order, by many: no turn of the server takes long, and none ends it. */
static void test_chaos(void **state)
{
	static const char bits[] = STATS PING "{\"weir-control\": 1, \"do\": \"relo";
	char line[8192];
	int fd[60];
	struct rig r;

	(void)state;
	rig_start(&r);
	r.answer = 300000;
	srand(11);
	for (unsigned i = 0; i < 60; i++)
		fd[i] = -1;
	alarm(PATIENCE * 4); /* one that waits for ever ends the test */
	for (unsigned round = 0; round < 30000; round++) {
		int *k = &fd[rand() % 60];
		size_t at = (size_t)rand() % (sizeof(bits) - 1);

		if (*k < 0) {
			*k = client_fd();
			if (client_connect(&r, *k)) {
				close(*k);
				*k = -1;
			}
			continue;
		}
		switch (rand() % 12) {
		case 0:
			close(*k);
			*k = -1;
			break;
		case 1:
			shutdown(*k, rand() % 2 ? SHUT_WR : SHUT_RDWR);
			break;
		case 2:
			memset(line, rand(), sizeof(line));
			(void)!send(*k, line, (size_t)rand() % sizeof(line), MSG_NOSIGNAL);
			break;
		case 3:
		case 4:
			(void)!recv(*k, line, sizeof(line), 0);
			break;
		default:
			(void)!send(*k, bits + at, (size_t)rand() % (sizeof(bits) - at),
				    MSG_NOSIGNAL);
			break;
		}
		if (rand() % 2)
			control_event(r.c);
	}
	alarm(0);
	{
		int good = client(&r);

		assert_true(ping(&r, good));
		close(good);
	}
	for (unsigned i = 0; i < 60; i++)
		if (fd[i] >= 0)
			close(fd[i]);
	pump(&r);
	rig_end(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_asked),	    cmocka_unit_test(test_in_parts),
		cmocka_unit_test(test_several),	    cmocka_unit_test(test_long),
		cmocka_unit_test(test_garbage),	    cmocka_unit_test(test_noise),
		cmocka_unit_test(test_never_reads), cmocka_unit_test(test_none_reads),
		cmocka_unit_test(test_hundred),	    cmocka_unit_test(test_no_descriptors),
		cmocka_unit_test(test_chaos),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
