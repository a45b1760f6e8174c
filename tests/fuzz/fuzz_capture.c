/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The capture path: any bytes as a capture, alone and merged with itself. Whatever they
 * are, time does not run backwards, no packet claims more than there is, and the merged
 * captures give each packet as often as they should.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gw/capture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(cond) \
	do { \
		if (!(cond)) { \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond); \
			abort(); \
		} \
	} while (0)

static void on_warning(void *arg, const char *text)
{
	uint64_t *warnings = arg;

	MUST(text[0] && !strchr(text, '\n'));
	++*warnings;
}

/* How many packets; -1: cannot be opened. *sum: of all their bytes. */
static int64_t read_all(const char *const *names, size_t n, uint64_t *sum)
{
	char err[256] = "";
	struct capture *c = capture_open(names, n, err, sizeof(err));
	struct capture_packet pk;
	struct capture_stats s;
	uint64_t last = 0, warnings = 0, count = 0;

	*sum = 0;
	if (!c) {
		MUST(err[0] && !strchr(err, '\n'));
		return -1;
	}
	while (capture_next(c, &pk, on_warning, &warnings)) {
		MUST(pk.number == ++count);
		MUST(pk.when >= last && pk.when <= CAPTURE_TIME_MAX);
		MUST(pk.caplen <= pk.wirelen);
		MUST(pk.source < n);
		last = pk.when;
		for (uint32_t i = 0; i < pk.caplen; i++)
			*sum += pk.data[i];
	}
	capture_get_stats(c, &s);
	MUST(s.packets == count);
	MUST(s.truncated == warnings && warnings <= n);
	MUST(s.backwards <= count && s.bad_stamps <= count && s.bad_lengths <= count);
	MUST(s.bytes_read <= s.bytes_total);
	capture_close(c);
	return (int64_t)count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char name[64];
	const char *names[3] = {name, name, name};
	uint64_t one_sum, three_sum;
	int64_t one, three;
	int fd = memfd_create("capture", MFD_CLOEXEC);

	MUST(fd >= 0);
	MUST(write(fd, data, size) == (ssize_t)size);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	one = read_all(names, 1, &one_sum);
	three = read_all(names, 3, &three_sum);
	MUST(three == (one < 0 ? -1 : 3 * one));
	MUST(three_sum == 3 * one_sum);
	close(fd);
	return 0;
}
