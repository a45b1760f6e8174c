/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>

#include "gw/progress.h"
#include "tests/unit/capture_build.h"

#define S 1000000000ull

static char line[256];

static const char *text(unsigned columns, uint64_t done, uint64_t total, uint64_t count,
			uint64_t elapsed)
{
	size_t len = progress_line(line, sizeof(line), columns, "x.pcap", done, total, count,
				   elapsed);

	assert_int_equal(len, strlen(line));
	assert_true(len <= columns);
	return line;
}

static void test_line(void **state)
{
	(void)state;
	assert_string_equal(text(80, 25, 100, 3000000, 2 * S),
			    "x.pcap [########..........................]  25% "
			    "3.0M packets, 1.5M/s, 0:06 left");
	assert_string_equal(text(80, 0, 0, 950, 2 * S), "x.pcap 950 packets, 475/s");
	assert_string_equal(text(50, 100, 100, 1234, 2 * S),
			    "x.pcap 100% 1.2k packets, 617/s, 0:00 left");
	assert_non_null(strstr(text(90, 1, 10000, 1, 2 * S), "5:33:18 left"));
	assert_non_null(strstr(text(90, 1, UINT64_MAX, 1, 2 * S), "over 99 h left"));
	assert_non_null(strstr(text(90, 0, 5, 0, 2 * S), "  0% 0 packets, 0/s"));
	/* A file that grew while it was read */
	assert_non_null(strstr(text(90, 500, 100, 5, S), "100%"));
}

static void test_line_in_any_width(void **state)
{
	char small[1], longest[256];
	size_t len;

	(void)state;
	for (unsigned columns = 0; columns < 300; columns++) {
		text(columns < 255 ? columns : 255, 40, 100, UINT64_MAX, 0);
		text(columns < 255 ? columns : 255, 0, 0, UINT64_MAX, UINT64_MAX);
	}
	assert_int_equal(progress_line(small, 1, 80, "x", 1, 2, 3, 4), 0);
	assert_int_equal(progress_line(NULL, 0, 80, "x", 1, 2, 3, 4), 0);
	len = progress_line(longest, sizeof(longest), 1000, "x", 1, 2, 3, 4);
	assert_int_equal(len, strlen(longest));
}

/* To a file nothing may be written, and the clock not be asked. */
static void test_silent_without_a_terminal(void **state)
{
	const char *name = tmp_name();
	int was = dup(2), fd = open(name, O_RDWR);
	struct progress p;
	bool due = false;

	(void)state;
	assert_true(was >= 0 && fd >= 0);
	assert_int_equal(dup2(fd, 2), 2);
	progress_start(&p, "x");
	p.start_ns = 0; /* as if it had begun long ago */
	for (unsigned i = 0; i < 3 * PROGRESS_EVERY; i++)
		due |= progress_due(&p);
	progress_update(&p, 1, 2, 3);
	progress_end(&p);
	assert_int_equal(dup2(was, 2), 2);
	close(was);
	assert_int_equal(lseek(fd, 0, SEEK_END), 0);
	assert_false(due);
	close(fd);
	build_cleanup();
}

/* Reads until the line has been taken back; what was written may come in pieces. */
static ssize_t read_screen(int fd, char *to, size_t size)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	size_t len = 0;

	while (len < size && (len < 4 || memcmp(to + len - 4, "\r\033[K", 4) != 0)) {
		ssize_t n = poll(&p, 1, 10000) == 1 ? read(fd, to + len, size - len) : -1;

		if (n <= 0)
			break;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

/* On a terminal: drawn, and taken back at the end, once. */
static void test_on_a_terminal(void **state)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave, was = dup(2);
	struct progress p;
	unsigned due = 0;
	char out[1024];
	ssize_t n;

	(void)state;
	if (master < 0 || grantpt(master) || unlockpt(master))
		skip();
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	assert_true(slave >= 0 && was >= 0);
	setenv("TERM", "vt100", 1);
	assert_int_equal(dup2(slave, 2), 2);
	progress_start(&p, "x.pcap");
	for (unsigned i = 0; i < 3 * PROGRESS_EVERY; i++)
		due += progress_due(&p);
	p.start_ns = 0; /* as if it had begun when the machine did, and was not drawn since */
	progress_update(&p, 1, 2, 3);
	progress_end(&p);
	progress_end(&p);
	assert_int_equal(dup2(was, 2), 2);
	close(was);
	n = read_screen(master, out, sizeof(out) - 1);
	close(slave);
	close(master);
	assert_int_equal(due, 3);
	assert_true(n > 0);
	out[n] = 0;
	assert_memory_equal(out, "\rx.pcap ", 8);
	assert_non_null(strstr(out, " 50% "));
	assert_string_equal(out + n - 4, "\r\033[K");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_line_in_any_width),
		cmocka_unit_test(test_silent_without_a_terminal),
		cmocka_unit_test(test_on_a_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
