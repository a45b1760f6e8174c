/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The metrics over HTTP: nobody's way of asking does harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "gw/metrics.h"
#include "tests/unit/metrics_made.h"

#define PATIENCE 60 /* s; for the slowest machine */

static char *print(const struct gateway_snapshot *s)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	assert_int_equal(metrics_print(s, f), 0);
	assert_int_equal(fclose(f), 0);
	return text;
}

/* ---- The client is here too, and never waits without the server's turn. */

static unsigned asked;

static struct metrics *serve(const char *listen)
{
	struct metrics *m;
	bool loopback = false;
	char err[256] = "";

	asked = 0;
	m = metrics_open(listen, NULL, made_up, &asked, &loopback, err, sizeof(err));
	if (!m)
		fail_msg("%s", err);
	assert_true(loopback);
	assert_true(metrics_port(m) > 0);
	return m;
}

static int client(const struct metrics *m)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_port = htons((uint16_t)metrics_port(m)),
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static void turn(struct metrics *m, int fd)
{
	struct pollfd p[] = {{.fd = metrics_fd(m), .events = POLLIN},
			     {.fd = fd, .events = POLLIN}};
	int ms = metrics_timeout(m);

	poll(p, fd >= 0 ? 2 : 1, ms >= 0 && ms < 100 ? ms : 100);
	metrics_event(m);
}

/* All that comes until the end of the stream, as text. */
static char *rest(struct metrics *m, int fd)
{
	char *text = calloc(1, 1u << 20);
	size_t n = 0;
	time_t end = time(NULL) + PATIENCE;

	assert_non_null(text);
	for (;;) {
		ssize_t got = recv(fd, text + n, (1u << 20) - 1 - n, MSG_DONTWAIT);

		if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
			break;
		if (got > 0)
			n += (size_t)got;
		assert_true(time(NULL) < end);
		turn(m, fd);
	}
	close(fd);
	return text;
}

static char *ask(struct metrics *m, const char *request, size_t size)
{
	int fd = client(m);
	size_t sent = 0;

	while (sent < size) {
		ssize_t n = send(fd, request + sent, size - sent, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			break; /* it has enough of us */
		if (n > 0)
			sent += (size_t)n;
		turn(m, -1);
	}
	return rest(m, fd);
}

static void expect_answer(struct metrics *m, const char *request, const char *begins,
			  const char *has)
{
	char *text = ask(m, request, strlen(request));

	if (strncmp(text, begins, strlen(begins)) != 0 || !strstr(text, has))
		fail_msg("to %.60s came %.200s", request, text);
	free(text);
}

/* A body in chunks (RFC 9112 section 7.1) becomes what it carries, where it stands. */
static void unchunk(char *body)
{
	char *to = body, *from = body, *end;
	unsigned long n;

	do {
		n = strtoul(from, &end, 16);
		assert_true(end > from && !strncmp(end, "\r\n", 2));
		assert_true(strlen(end + 2) >= n + 2);
		memmove(to, end + 2, n);
		to += n;
		from = end + 2 + n;
		assert_int_equal(strncmp(from, "\r\n", 2), 0);
		from += 2;
	} while (n);
	assert_string_equal(from, "");
	*to = '\0';
}

static void test_http(void **state)
{
	static const char get[] = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
	struct metrics *m = serve("127.0.0.1:0");
	struct gateway_snapshot *s = made_up(NULL);
	char *text = ask(m, get, strlen(get)), *body, *same = print(s);

	(void)state;
	assert_int_equal(strncmp(text, "HTTP/1.1 200 ", 13), 0);
	assert_non_null(
		strstr(text, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
	body = strstr(text, "\r\n\r\n");
	assert_non_null(body);
	assert_non_null(strstr(text, "Transfer-Encoding: chunked\r\n"));
	unchunk(body + 4);
	assert_string_equal(body + 4, same);
	free(text);
	assert_int_equal(asked, 1);

	text = ask(m, "HEAD /metrics HTTP/1.0\r\n\r\n", 26);
	assert_int_equal(strncmp(text, "HTTP/1.", 7), 0);
	body = strstr(text, "\r\n\r\n");
	assert_non_null(body);
	assert_string_equal(body, "\r\n\r\n");
	free(text);

	asked = 0;
	expect_answer(m, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 404 ",
		      "at /metrics");
	expect_answer(m, "GET /metrics/ HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 404 ",
		      "");
	expect_answer(m, "DELETE /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 405 ",
		      "Allow: GET, HEAD\r\n");
	expect_answer(m,
		      "POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
		      "99999999999\r\n\r\n",
		      "HTTP/1.1 405 ", "");
	assert_int_equal(asked, 0);
	free(same);
	gateway_snapshot_free(s);
	metrics_close(m);
}

static void test_hostile(void **state)
{
	struct metrics *m = serve("127.0.0.1:0");
	char *big = malloc(300000);

	(void)state;
	assert_non_null(big);
	memset(big, 'x', 300000);
	memcpy(big, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nA: ", 43);
	free(ask(m, big, 300000));
	memset(big, 0, 300000);
	free(ask(m, big, 300000));
	memset(big, 0xff, 1000);
	memcpy(big, "GET /", 5);
	free(ask(m, big, 1000));
	free(ask(m, "\r\n\r\n\r\n", 6));
	free(ask(m, "GET", 3));
	free(ask(m, "GET /metrics HTTP/9.9\r\n\r\n", 25));
	free(ask(m, "GET /metrics HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 45));
	free(ask(m, "GET /%00/../metrics?a=%zz HTTP/1.1\r\nHost: localhost\r\n\r\n", 55));
	/* and after all that */
	expect_answer(m, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 200 ",
		      "weir_build_info");
	free(big);
	metrics_close(m);
}

/* More than may be at once, who say nothing, do not keep others out for long. */
static void test_slow(void **state)
{
	struct metrics *m = serve("127.0.0.1:0");
	int fd[9];

	(void)state;
	assert_int_equal(metrics_timeout(m), -1);
	for (unsigned i = 0; i < 9; i++) {
		fd[i] = client(m);
		assert_int_equal(send(fd[i], "GET /metr", 9, 0), 9);
		turn(m, -1);
	}
	assert_in_range(metrics_timeout(m), 0, 10000);
	expect_answer(m, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 200 ",
		      "weir_build_info");
	for (unsigned i = 0; i < 9; i++)
		close(fd[i]);
	metrics_close(m);
}

/* A page of a stranger, whose name leads here (DNS rebinding), gets nothing. */
static void test_foreign_host(void **state)
{
	static const struct {
		const char *host, *answer;
	} v[] = {{"127.0.0.1:9590", "200"},  {"[::1]:9590", "200"},	{"LOCALHOST", "200"},
		 {"localhost.:80", "200"},   {"router.lan", "200"},	{"evil.example", "421"},
		 {"router.lan.evil", "421"}, {"127.0.0.1.evil", "421"}, {"", "421"},
		 {"[evil", "421"},	     {"x:y:z", "421"}};
	char err[256], own[256] = "", request[400], begins[32];
	bool loopback;
	struct metrics *m = metrics_open("127.0.0.1:0", "router.lan", made_up, &asked,
					 &loopback, err, sizeof(err));

	(void)state;
	assert_non_null(m);
	for (unsigned i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		snprintf(request, sizeof(request), "GET /metrics HTTP/1.1\r\nHost: %s\r\n\r\n",
			 v[i].host);
		snprintf(begins, sizeof(begins), "HTTP/1.1 %s ", v[i].answer);
		expect_answer(m, request, begins,
			      *v[i].answer == '2' ? "weir_build_info" : "--metrics-name");
	}
	assert_int_equal(gethostname(own, sizeof(own) - 1), 0);
	snprintf(request, sizeof(request), "GET /metrics HTTP/1.1\r\nHost: %s:9590\r\n\r\n",
		 own);
	expect_answer(m, request, "HTTP/1.1 200 ", "weir_build_info");
	metrics_close(m);
}

/*
 * One that takes every place and each that is cut off at once again is in its own way: others
 * are answered without waiting for the end of anybody's time.
 */
static void test_greedy(void **state)
{
	struct metrics *m = serve("127.0.0.1:0");
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000002)};
	int fd[64];

	(void)state;
	for (unsigned i = 0; i < 64; i++) {
		struct sockaddr_in to = {.sin_family = AF_INET,
					 .sin_port = htons((uint16_t)metrics_port(m)),
					 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

		/* the greedy one has another address than who asks */
		fd[i] = socket(AF_INET, SOCK_STREAM, 0);
		assert_true(fd[i] >= 0);
		assert_int_equal(bind(fd[i], (struct sockaddr *)&a, sizeof(a)), 0);
		assert_int_equal(connect(fd[i], (struct sockaddr *)&to, sizeof(to)), 0);
		assert_int_equal(send(fd[i], "GET /metr", 9, MSG_NOSIGNAL), 9);
		turn(m, -1);
		turn(m, -1);
		if (i % 16 == 15)
			expect_answer(m, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
				      "HTTP/1.1 200 ", "weir_build_info");
	}
	/* the first ones were cut off to make room, not for want of time */
	for (unsigned i = 0; i < 32; i++) {
		char c;

		assert_int_equal(recv(fd[i], &c, 1, MSG_DONTWAIT) > 0, 0);
		assert_false(recv(fd[i], &c, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN);
	}
	for (unsigned i = 0; i < 64; i++)
		close(fd[i]);
	metrics_close(m);
}

/* Gone before the answer comes. */
static void test_leaves_early(void **state)
{
	static const char get[] = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
	struct metrics *m = serve("127.0.0.1:0");

	(void)state;
	for (unsigned i = 0; i < 50; i++) {
		int fd = client(m);

		assert_true(send(fd, get, strlen(get), 0) > 0);
		if (i % 2)
			turn(m, -1);
		close(fd);
		turn(m, -1);
	}
	expect_answer(m, get, "HTTP/1.1 200 ", "weir_build_info");
	metrics_close(m);
}

static void test_addresses(void **state)
{
	static const struct {
		const char *listen, *says;
	} bad[] = {{"9590", "a port is missing"},
		   {"", "a port is missing"},
		   {":9590", "an address is missing"},
		   {"[]:9590", "an address is missing"},
		   {"::1:9590", "in brackets"},
		   {"[::1]", "not as in"},
		   {"[::1", "not as in"},
		   {"[::1]x:1", "not as in"},
		   {"127.0.0.1:", "the port is a number"},
		   {"127.0.0.1:65536", "the port is a number"},
		   {"127.0.0.1:-1", "the port is a number"},
		   {"127.0.0.1:http", "the port is a number"},
		   {"localhost:1", "is no IPv4 address"},
		   {"[127.0.0.1]:1", "is no IPv6 address"},
		   {"192.0.2.1:1", "no such address"}};
	struct metrics *m = serve("127.0.0.1:0");
	char err[256], same[40];
	bool loopback;

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err[0] = '\0';
		assert_null(metrics_open(bad[i].listen, NULL, made_up, NULL, &loopback, err,
					 sizeof(err)));
		if (!strstr(err, bad[i].says))
			fail_msg("%s: %s", bad[i].listen, err);
	}
	snprintf(same, sizeof(same), "127.0.0.1:%u", metrics_port(m));
	assert_null(metrics_open(same, NULL, made_up, NULL, &loopback, err, sizeof(err)));
	assert_non_null(strstr(err, "another program"));
	metrics_close(m);
	m = metrics_open("0.0.0.0:0", NULL, made_up, NULL, &loopback, err, sizeof(err));
	assert_non_null(m);
	assert_false(loopback);
	metrics_close(m);
	if (access("/proc/net/if_inet6", F_OK) == 0)
		metrics_close(serve("[::1]:0"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_http),	     cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_foreign_host), cmocka_unit_test(test_greedy),
		cmocka_unit_test(test_slow),	     cmocka_unit_test(test_leaves_early),
		cmocka_unit_test(test_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
