/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel says of its queues, and what can be known of it by its version. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "gw/nfq.h"

#define PROC "/proc/net/netfilter/nfnetlink_queue"
#define WATCH_READ 4096u

/* Opened while that was permitted; -1: not. */
static int kept = -1;

/*
 * A line: number, portid, waiting, copy mode, copy range, queue dropped, user dropped,
 * id of the last packet, 1 (net/netfilter/nfnetlink_queue.c, seq_show()).
 */
static FILE *open_proc(void)
{
	FILE *f;
	int fd;

	if (kept < 0)
		return fopen(PROC, "re");
	fd = fcntl(kept, F_DUPFD_CLOEXEC, 0);
	if (fd < 0 || lseek(fd, 0, SEEK_SET) < 0 || !(f = fdopen(fd, "r"))) {
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	return f;
}

/*
 * The module comes when somebody first speaks to it (nfnetlink_rcv_msg() in
 * net/netfilter/nfnetlink.c), whatever it is told; its answer is not waited for.
 */
static void load_module(void)
{
	const struct {
		struct nlmsghdr h;
		struct nfgenmsg g;
	} ask = {
		.h = {.nlmsg_len = sizeof(ask),
		      .nlmsg_type = NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_CONFIG,
		      .nlmsg_flags = NLM_F_REQUEST},
	};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);

	if (fd < 0)
		return;
	(void)!send(fd, &ask, sizeof(ask), 0);
	close(fd);
}

int nfq_kernel_keep(void)
{
	if (kept >= 0)
		return 0;
	kept = open(PROC, O_RDONLY | O_CLOEXEC);
	if (kept < 0 && errno == ENOENT) {
		load_module();
		kept = open(PROC, O_RDONLY | O_CLOEXEC);
	}
	/* one without queues has no such file: whoever opens one says so */
	return kept >= 0 || errno == ENOENT ? 0 : -1;
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

int nfq_watch_open(void)
{
	return open(PROC, O_RDONLY | O_CLOEXEC);
}

int nfq_watch_id(int fd, uint16_t number, uint32_t *id)
{
	char text[WATCH_READ + 1], *line, *save = NULL;
	off_t at = 0;
	ssize_t n;

	/* a read gives whole lines: those that fit */
	while (fd >= 0 && (n = pread(fd, text, WATCH_READ, at)) > 0) {
		at += n;
		text[n] = '\0';
		for (line = strtok_r(text, "\n", &save); line;
		     line = strtok_r(NULL, "\n", &save)) {
			unsigned k;

			if (sscanf(line, "%u %*u %*u %*u %*u %*u %*u %" SCNu32, &k, id) == 2 &&
			    k == number)
				return 0;
		}
	}
	return -1;
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

struct release {
	unsigned major, minor, patch;
};

/* From "6.1.0-42-cloud-amd64"; NULL: this kernel's. */
static bool read_release(const char *text, struct release *r)
{
	struct utsname u;

	if (!text) {
		if (uname(&u))
			return false;
		text = u.release;
	}
	r->patch = 0;
	return sscanf(text, "%u.%u.%u", &r->major, &r->minor, &r->patch) >= 2;
}

bool nfq_kernel_hashes(const char *release)
{
	/* the first of each series that has the hash table */
	static const struct release since[] = {{6, 12, 75}, {6, 18, 14}, {6, 19, 4}};
	struct release r;

	if (!read_release(release, &r))
		return false;
	if (r.major >= 7)
		return true;
	for (size_t i = 0; i < sizeof(since) / sizeof(since[0]); i++)
		if (r.major == since[i].major && r.minor == since[i].minor)
			return r.patch >= since[i].patch;
	return false;
}

bool nfq_kernel_sets_priority(const char *release)
{
	struct release r;

	return read_release(release, &r) && (r.major > 5 || (r.major == 5 && r.minor >= 18));
}
