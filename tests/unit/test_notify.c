/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a service manager is told, as it comes out of its socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "gw/notify.h"

static char dir[64], path[128];

static int make_dir(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/weir-notify-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	(void)state;
	unsetenv("NOTIFY_SOCKET");
	return rmdir(dir);
}

/* A manager's socket; a name that begins with '@' is abstract, as in NOTIFY_SOCKET. */
static int manager(const char *name)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	size_t len = strlen(name);

	assert_true(fd >= 0 && len < sizeof(a.sun_path));
	memcpy(a.sun_path, name, len);
	if (name[0] == '@')
		a.sun_path[0] = '\0';
	assert_int_equal(bind(fd, (struct sockaddr *)&a,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len +
					  (name[0] != '@'))),
			 0);
	assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
	return fd;
}

static const char *heard(int fd)
{
	static char text[4096];
	ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return n < 0 ? NULL : text;
}

static void test_no_manager(void **state)
{
	(void)state;
	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(notify_send("READY=1"), 0);
	assert_int_equal(notify_reloading(), 0);
	setenv("NOTIFY_SOCKET", "", 1);
	assert_int_equal(notify_send("READY=1"), 0);
}

/* A file, an abstract name, and the longest of both. */
static void test_said(void **state)
{
	char names[4][128], text[600];

	(void)state;
	snprintf(names[0], sizeof(names[0]), "%s/notify", dir);
	snprintf(names[1], sizeof(names[1]), "@weir-test-%ld", (long)getpid());
	memset(names[2], '/', 107);
	memcpy(names[2], dir, strlen(dir));
	strcpy(names[2] + 106, "n");
	memset(names[3], 'x', 107);
	names[3][107] = '\0';
	snprintf(names[3], 40, "@weir-test-%ld-", (long)getpid());
	names[3][strlen(names[3])] = 'x';
	for (unsigned i = 0; i < 4; i++) {
		int fd = manager(names[i]);

		assert_int_equal(notify_send("READY=1\nSTATUS=shaping"), 0);
		assert_string_equal(heard(fd), "READY=1\nSTATUS=shaping");
		assert_int_equal(notify_send("WATCHDOG=1"), 0);
		assert_string_equal(heard(fd), "WATCHDOG=1");
		assert_int_equal(notify_send("STOPPING=1"), 0);
		assert_string_equal(heard(fd), "STOPPING=1");
		memset(text, 't', sizeof(text) - 1);
		text[sizeof(text) - 1] = '\0';
		assert_int_equal(notify_send(text), 0);
		assert_string_equal(heard(fd), text);
		assert_null(heard(fd)); /* nothing beside */
		close(fd);
		if (names[i][0] == '/')
			assert_int_equal(unlink(names[i]), 0);
	}
}

static void test_reloading(void **state)
{
	uint64_t before, after, said;
	struct timespec t;
	const char *text;
	int fd, used = 0;

	(void)state;
	snprintf(path, sizeof(path), "%s/notify", dir);
	fd = manager(path);
	clock_gettime(CLOCK_MONOTONIC, &t);
	before = (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
	assert_int_equal(notify_reloading(), 0);
	clock_gettime(CLOCK_MONOTONIC, &t);
	after = (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
	text = heard(fd);
	assert_non_null(text);
	assert_int_equal(
		sscanf(text, "RELOADING=1\nMONOTONIC_USEC=%" SCNu64 "%n", &said, &used), 1);
	assert_int_equal(text[used], '\0');
	assert_in_range(said, before, after);
	close(fd);
	assert_int_equal(unlink(path), 0);
}

/* Managers that are not there, that do not read, and that are no managers. */
static void test_not_said(void **state)
{
	char name[200];
	unsigned n = 0;
	int fd;

	(void)state;
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	name[0] = '/';
	setenv("NOTIFY_SOCKET", name, 1);
	assert_int_equal(notify_send("READY=1"), -1);
	assert_int_equal(errno, EINVAL);
	name[0] = '@';
	setenv("NOTIFY_SOCKET", name, 1);
	assert_int_equal(notify_send("READY=1"), -1);
	assert_int_equal(errno, EINVAL);
	setenv("NOTIFY_SOCKET", "notify", 1); /* neither a path nor abstract */
	assert_int_equal(notify_send("READY=1"), -1);
	assert_int_equal(errno, EINVAL);
	snprintf(path, sizeof(path), "%s/notify", dir);
	setenv("NOTIFY_SOCKET", path, 1);
	assert_int_equal(notify_send("READY=1"), -1);
	assert_int_equal(errno, ENOENT);

	/* one that does not read does not stop us: that would hang this test */
	fd = manager(path);
	while (!notify_send("WATCHDOG=1"))
		assert_true(++n < 1000000);
	assert_int_equal(errno, EAGAIN);
	assert_true(n > 0);
	assert_string_equal(heard(fd), "WATCHDOG=1");
	close(fd);
	assert_int_equal(notify_send("READY=1"), -1);
	assert_int_equal(errno, ECONNREFUSED);
	assert_int_equal(unlink(path), 0);
}

static void test_watchdog(void **state)
{
	static const struct {
		const char *usec;
		uint64_t ns;
	} t[] = {
		{"30000000", UINT64_C(30000000000)},
		{"1", 1000},
		{"0", 0},
		{"", 0},
		{"-5", 0},
		{"+5", 0},
		{" 5", 0},
		{"5s", 0},
		{"0x10", 0},
		{"18446744073709551", UINT64_C(18446744073709551000)},
		{"18446744073709552", 0}, /* that many ns are none */
		{"18446744073709551615", 0},
		{"99999999999999999999999", 0},
	};
	char pid[32];

	(void)state;
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	assert_int_equal(notify_watchdog(), 0);
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		setenv("WATCHDOG_USEC", t[i].usec, 1);
		if (notify_watchdog() != t[i].ns)
			fail_msg("WATCHDOG_USEC=%s: %" PRIu64, t[i].usec, notify_watchdog());
	}
	/* meant for this process, for another, for nobody */
	setenv("WATCHDOG_USEC", "5", 1);
	snprintf(pid, sizeof(pid), "%ld", (long)getpid());
	setenv("WATCHDOG_PID", pid, 1);
	assert_int_equal(notify_watchdog(), 5000);
	snprintf(pid, sizeof(pid), "%ld", (long)getpid() + 1);
	setenv("WATCHDOG_PID", pid, 1);
	assert_int_equal(notify_watchdog(), 0);
	setenv("WATCHDOG_PID", "", 1);
	assert_int_equal(notify_watchdog(), 0);
	setenv("WATCHDOG_PID", "self", 1);
	assert_int_equal(notify_watchdog(), 0);
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_manager), cmocka_unit_test(test_said),
		cmocka_unit_test(test_reloading),  cmocka_unit_test(test_not_said),
		cmocka_unit_test(test_watchdog),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
