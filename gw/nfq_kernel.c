/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel says of its queues, and what can be known of it by its version. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "gw/nfq.h"

#define PROC "/proc/net/netfilter/nfnetlink_queue"

/*
 * A line: number, portid, waiting, copy mode, copy range, queue dropped, user dropped,
 * id of the last packet, 1 (net/netfilter/nfnetlink_queue.c, seq_show()).
 */
static FILE *open_proc(void)
{
	return fopen(PROC, "re");
}

static bool read_queue(FILE *f, struct nfq_kernel *k)
{
	char line[256];

	while (fgets(line, sizeof(line), f)) {
		unsigned number;

		if (sscanf(line, "%u %" SCNu32 " %" SCNu32 " %*u %*u %" SCNu64 " %" SCNu64,
			   &number, &k->portid, &k->waiting, &k->dropped,
			   &k->user_dropped) != 5 ||
		    number > UINT16_MAX)
			continue;
		k->number = (uint16_t)number;
		return true;
	}
	return false;
}

int nfq_kernel_queues(struct nfq_kernel *v, size_t max)
{
	FILE *f = open_proc();
	size_t n = 0;

	if (!f)
		/* the module comes with the first queue */
		return errno == ENOENT ? 0 : -1;
	while (n < max && read_queue(f, &v[n]))
		n++;
	fclose(f);
	return (int)n;
}

int nfq_free_numbers(uint16_t from, unsigned n)
{
	uint8_t used[(UINT16_MAX + 1) / 8] = {0};
	struct nfq_kernel k;
	FILE *f = open_proc();
	unsigned run = 0;

	if (!f && errno != ENOENT)
		return -1;
	while (f && read_queue(f, &k))
		used[k.number / 8] |= (uint8_t)(1u << k.number % 8);
	if (f)
		fclose(f);
	for (unsigned i = from; i <= UINT16_MAX; i++) {
		run = used[i / 8] & 1u << i % 8 ? 0 : run + 1;
		if (run && run >= n)
			return (int)(i - n + 1);
	}
	errno = EADDRNOTAVAIL;
	return -1;
}

bool nfq_kernel_hashes(const char *release)
{
	/* the first of each series that has the hash table */
	static const struct {
		unsigned major, minor, patch;
	} since[] = {{6, 12, 75}, {6, 18, 14}, {6, 19, 4}};
	unsigned major, minor, patch = 0;
	struct utsname u;

	if (!release) {
		if (uname(&u))
			return false;
		release = u.release;
	}
	if (sscanf(release, "%u.%u.%u", &major, &minor, &patch) < 2)
		return false;
	if (major >= 7)
		return true;
	for (size_t i = 0; i < sizeof(since) / sizeof(since[0]); i++)
		if (major == since[i].major && minor == since[i].minor)
			return patch >= since[i].patch;
	return false;
}
