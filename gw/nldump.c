/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The whole answer is kept before any of it is used: the kernel says only at some message, and
 * be it the last, that something changed meanwhile (NLM_F_DUMP_INTR), and half of an answer
 * would look like things that are gone.
 */
#include "gw/nldump.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>

#define PART 32768u /* what the kernel fills at most, see libmnl's MNL_SOCKET_DUMP_SIZE */
#define ANSWER_MAX ((size_t)1 << 30)
#define TRIES 8

static int keep(struct nldump_text *t, const struct nlmsghdr *nlh)
{
	size_t len = MNL_ALIGN(nlh->nlmsg_len), size = t->size ? t->size : PART;
	uint8_t *mem;

	if (len > ANSWER_MAX - t->used) {
		errno = ENOMEM;
		return -1;
	}
	while (size - t->used < len)
		size *= 2;
	if (size > t->size) {
		mem = realloc(t->mem, size);
		if (!mem)
			return -1;
		t->mem = mem;
		t->size = size;
	}
	/* libmnl looks for attributes as far as the message is when aligned; what aligns the
	 * last one need not be there in the part */
	memset(t->mem + t->used, 0, len);
	memcpy(t->mem + t->used, nlh, nlh->nlmsg_len);
	t->used += len;
	return 0;
}

/* What ends a dump: 0, or the error that it says. */
static int ending(const struct nlmsghdr *nlh)
{
	int32_t error = 0;

	if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(error))
		memcpy(&error, mnl_nlmsg_get_payload(nlh), sizeof(error));
	else if (nlh->nlmsg_type == NLMSG_ERROR)
		error = -EBADMSG;
	if (error >= 0)
		return 0;
	errno = error == INT32_MIN ? EBADMSG : -error;
	return -1;
}

int nldump_take(struct nldump_text *t, const void *part, size_t len)
{
	const struct nlmsghdr *nlh = part;
	int left = (int)len;

	for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
		if (nlh->nlmsg_flags & NLM_F_DUMP_INTR) {
			errno = EINTR;
			return -1;
		}
		if (nlh->nlmsg_type == NLMSG_DONE || nlh->nlmsg_type == NLMSG_ERROR)
			return ending(nlh);
		if (nlh->nlmsg_type >= NLMSG_MIN_TYPE && keep(t, nlh))
			return -1;
	}
	return 1;
}

static int ask_once(int bus, const struct nlmsghdr *ask, struct nldump_text *t)
{
	uint8_t part[PART] __attribute__((aligned(8)));
	struct mnl_socket *nl = mnl_socket_open2(bus, SOCK_CLOEXEC);
	int more = 1, error;
	ssize_t n;

	if (!nl)
		return -1;
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(nl, ask, ask->nlmsg_len) < 0)
		more = -1;
	while (more > 0) {
		n = mnl_socket_recvfrom(nl, part, sizeof(part));
		if (n < 0 && errno == EINTR)
			continue;
		more = n < 0 ? -1 : nldump_take(t, part, (size_t)n);
	}
	error = errno;
	mnl_socket_close(nl);
	errno = error;
	return more;
}

int nldump(int bus, struct nlmsghdr *ask, void (*fn)(void *arg, const struct nlmsghdr *nlh),
	   void *arg)
{
	struct nldump_text t = {0};
	const struct nlmsghdr *nlh;
	int failed = -1, left;

	ask->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	ask->nlmsg_seq = 1;
	for (unsigned i = 0; i < TRIES && failed; i++) {
		t.used = 0;
		failed = ask_once(bus, ask, &t);
		if (failed && errno != EINTR)
			break;
	}
	nlh = (const void *)t.mem;
	left = (int)t.used;
	for (; !failed && left > 0 && mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left))
		fn(arg, nlh);
	free(t.mem);
	return failed;
}

void nldump_get_text(const struct nlattr *a, char *to, size_t size)
{
	size_t len = mnl_attr_get_payload_len(a);
	const char *from = mnl_attr_get_payload(a);

	len = strnlen(from, len < size - 1 ? len : size - 1);
	memcpy(to, from, len);
	to[len] = '\0';
}
