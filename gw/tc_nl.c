/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel works through all messages of one send and answers each (netlink_rcv_skb() in
 * net/netlink/af_netlink.c). An answer that finds no room in the socket is lost, so the room
 * is made first, and a batch is no longer than what fits.
 */
#include "gw/tc_nl.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <netlink/attr.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#include "gw/fail.h"

#define RECEIVE_ROOM (2 << 20) /* some 900 bytes of the kernel's memory for an answer */
#define SEND_ROOM (1 << 20)
#define MESSAGE_ROOM 65536 /* the kernel fills at most 32 KB of a dump at a time */

struct tc_nl {
	struct nl_sock *sk;
	uint32_t seq;
};

static void make_room(int fd)
{
	int receive = RECEIVE_ROOM, send = SEND_ROOM, on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive, sizeof(receive)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive, sizeof(receive));
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &send, sizeof(send)))
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send, sizeof(send));
	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
}

/* fd -1: a socket of this process's own namespace. It is taken over. */
static struct tc_nl *open_on(int fd, char *err, size_t errsize)
{
	struct tc_nl *nl = calloc(1, sizeof(*nl));
	int e;

	if (!nl || !(nl->sk = nl_socket_alloc())) {
		fail_with(err, errsize, "no memory");
		free(nl);
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	e = fd < 0 ? nl_connect(nl->sk, NETLINK_ROUTE)
		   : nl_socket_set_fd(nl->sk, NETLINK_ROUTE, fd);
	if (e && fd >= 0)
		close(fd);
	if (!e)
		e = nl_socket_set_msg_buf_size(nl->sk, MESSAGE_ROOM);
	if (e) {
		fail_with(err, errsize, "netlink: %s", nl_geterror(e));
		tc_nl_close(nl);
		return NULL;
	}
	make_room(nl_socket_get_fd(nl->sk));
	return nl;
}

struct tc_nl *tc_nl_open(char *err, size_t errsize)
{
	return open_on(-1, err, errsize);
}

/*
 * The child's part: a namespace, a socket in it, and the socket to the parent. Nothing but
 * system calls, since the process may have had other threads. The errno that ended it, or 0.
 */
static int send_scratch(int to)
{
	struct sockaddr_nl local = {.nl_family = AF_NETLINK};
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	char byte = 0;
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.buf,
			     .msg_controllen = sizeof(control.buf)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	int fd;

	if (unshare(CLONE_NEWNET))
		return errno;
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd < 0 || bind(fd, (struct sockaddr *)&local, sizeof(local)))
		return errno;
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	return sendmsg(to, &msg, MSG_NOSIGNAL) < 0 ? errno : 0;
}

static int receive_scratch(int from)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	char byte;
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.buf,
			     .msg_controllen = sizeof(control.buf)};
	struct cmsghdr *c;
	ssize_t n;
	int fd;

	do
		n = recvmsg(from, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	c = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;
	if (!c || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof(fd)))
		return -1;
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

struct tc_nl *tc_nl_open_scratch(char *err, size_t errsize)
{
	int pair[2], fd, status = 0, error;
	pid_t child;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
		fail_with(err, errsize, "socketpair: %s", strerror(errno));
		return NULL;
	}
	child = fork();
	if (!child)
		_exit(send_scratch(pair[1]));
	error = errno;
	close(pair[1]);
	fd = child > 0 ? receive_scratch(pair[0]) : -1;
	close(pair[0]);
	if (child > 0) {
		while (waitpid(child, &status, 0) < 0 && errno == EINTR)
			;
		error = WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
	}
	if (fd >= 0)
		return open_on(fd, err, errsize);
	fail_with(err, errsize, "a network namespace to try things in: %s",
		  error == EPERM ? "it takes root (CAP_SYS_ADMIN)" : strerror(error));
	return NULL;
}

void tc_nl_close(struct tc_nl *nl)
{
	if (!nl)
		return;
	nl_socket_free(nl->sk);
	free(nl);
}

/* Bytes in *buf, which is the caller's; -1 with err. */
static int receive(struct tc_nl *nl, unsigned char **buf, char *err, size_t errsize)
{
	struct sockaddr_nl from;
	int n;

	do {
		*buf = NULL;
		n = nl_recv(nl->sk, &from, buf, NULL);
		if (n > 0 && from.nl_pid) { /* not the kernel */
			free(*buf);
			n = 0;
		}
	} while (!n);
	if (n < 0)
		return fail_with(err, errsize, "netlink: %s", nl_geterror(n));
	return n;
}

static int send_buffer(struct tc_nl *nl, void *buf, size_t size, char *err, size_t errsize)
{
	int e = nl_sendto(nl->sk, buf, size);

	return e < 0 ? fail_with(err, errsize, "netlink: %s", nl_geterror(e)) : 0;
}

/* The kernel's own words about a refusal: NLMSGERR_ATTR_MSG behind the (cut) request. */
static void words_of(const struct nlmsghdr *h, const struct nlmsgerr *e, char *words,
		     size_t size)
{
	size_t skip = sizeof(*e), length = (size_t)nlmsg_datalen(h);
	const struct nlattr *a;

	*words = '\0';
	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(h->nlmsg_flags & NLM_F_CAPPED) && e->msg.nlmsg_len > sizeof(e->msg))
		skip += NLMSG_ALIGN(e->msg.nlmsg_len - sizeof(e->msg));
	if (skip >= length)
		return;
	a = nla_find((const struct nlattr *)(const void *)((const char *)nlmsg_data(h) + skip),
		     (int)(length - skip), NLMSGERR_ATTR_MSG);
	if (a && nla_len(a) > 0 && size)
		fail_with(words, size, "%.*s", nla_len(a), (const char *)nla_data(a));
}

/* The errno that an answer carries; 0: none, and it is a plain acknowledgement. */
static int error_of(const struct nlmsghdr *h)
{
	int error = 0;

	if (nlmsg_datalen(h) < (int)sizeof(error))
		return EBADMSG;
	memcpy(&error, nlmsg_data(h), sizeof(error));
	return error < 0 && error > -4096 ? -error : error ? EBADMSG : 0;
}

struct dump {
	uint32_t seq;
	int (*fn)(const struct nlmsghdr *h, void *arg);
	void *arg;
	bool interrupted, done;
	int error;
	char *err;
	size_t errsize;
};

/* 0: go on; -1: the dump has failed, d->err says why */
static int dump_message(struct dump *d, const struct nlmsghdr *h)
{
	char words[256] = "";

	if (h->nlmsg_seq != d->seq || d->done)
		return 0; /* of a dump that was given up */
	if (h->nlmsg_flags & NLM_F_DUMP_INTR)
		d->interrupted = true;
	if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR) {
		d->done = true;
		d->error = nlmsg_datalen(h) ? error_of(h) : 0;
		if (!d->error)
			return 0;
		if (h->nlmsg_type == NLMSG_ERROR &&
		    nlmsg_datalen(h) >= (int)sizeof(struct nlmsgerr))
			words_of(h, nlmsg_data(h), words, sizeof(words));
		return fail_with(d->err, d->errsize, "reading traffic control: %s",
				 *words ? words : strerror(d->error));
	}
	if (h->nlmsg_type < NLMSG_MIN_TYPE)
		return 0;
	return d->fn(h, d->arg);
}

int tc_nl_dump(struct tc_nl *nl, struct nl_msg *request,
	       int (*fn)(const struct nlmsghdr *h, void *arg), void *arg, int *error, char *err,
	       size_t errsize)
{
	struct nlmsghdr *ask = nlmsg_hdr(request);
	struct dump d = {
		.seq = ++nl->seq, .fn = fn, .arg = arg, .err = err, .errsize = errsize};
	int status = 0;

	ask->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	ask->nlmsg_seq = d.seq;
	ask->nlmsg_pid = nl_socket_get_local_port(nl->sk);
	if (send_buffer(nl, ask, ask->nlmsg_len, err, errsize))
		return -1;
	while (!d.done) {
		unsigned char *buf;
		int n = receive(nl, &buf, err, errsize);
		struct nlmsghdr *h = (struct nlmsghdr *)(void *)buf;

		if (n < 0)
			return -1;
		/* what follows a failure is read and not looked at, so that the socket is clean
		 */
		for (; nlmsg_ok(h, n); h = nlmsg_next(h, &n)) {
			if (!status)
				status = dump_message(&d, h);
			else if (h->nlmsg_seq == d.seq && h->nlmsg_type <= NLMSG_DONE)
				d.done = true;
		}
		free(buf);
	}
	if (error)
		*error = d.error;
	return status ? -1 : d.interrupted ? TC_NL_INTERRUPTED : 0;
}

struct batch {
	uint32_t first;
	struct tc_ack *ack;
	size_t n, missing;
	size_t refused; /* the first that was refused, of those that came; n: none */
	char *words;
	size_t wordsize;
};

static void take_ack(struct batch *b, const struct nlmsghdr *h)
{
	uint32_t i = h->nlmsg_seq - b->first;

	if (h->nlmsg_type != NLMSG_ERROR || i >= b->n || b->ack[i].came)
		return;
	b->ack[i].came = true;
	b->ack[i].error = error_of(h);
	b->missing--;
	if (i < b->refused && b->ack[i].error) {
		b->refused = i;
		*b->words = '\0';
		if (nlmsg_datalen(h) >= (int)sizeof(struct nlmsgerr))
			words_of(h, nlmsg_data(h), b->words, b->wordsize);
		if (!*b->words)
			fail_with(b->words, b->wordsize, "%s", strerror(b->ack[i].error));
	}
}

int tc_nl_batch(struct tc_nl *nl, uint8_t *buf, size_t size, struct tc_ack *ack, size_t n,
		char *words, size_t wordsize, char *err, size_t errsize)
{
	struct batch b = {.first = nl->seq + 1,
			  .ack = ack,
			  .n = n,
			  .missing = n,
			  .refused = n,
			  .words = words,
			  .wordsize = wordsize};
	struct nlmsghdr *h = (struct nlmsghdr *)(void *)buf;
	int left = (int)size;

	memset(ack, 0, n * sizeof(*ack));
	for (; nlmsg_ok(h, left); h = nlmsg_next(h, &left)) {
		h->nlmsg_seq = ++nl->seq;
		h->nlmsg_pid = nl_socket_get_local_port(nl->sk);
		h->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	}
	if (send_buffer(nl, buf, size, err, errsize))
		return -1;
	while (b.missing) {
		unsigned char *in;
		int got = receive(nl, &in, err, errsize);

		if (got < 0)
			return -1;
		for (h = (struct nlmsghdr *)(void *)in; nlmsg_ok(h, got);
		     h = nlmsg_next(h, &got))
			take_ack(&b, h);
		free(in);
	}
	return 0;
}

int tc_nl_ask(struct tc_nl *nl, struct nl_msg *request, char *err, size_t errsize)
{
	struct nlmsghdr *h = nlmsg_hdr(request);
	struct tc_ack ack;
	char words[256] = "";

	if (tc_nl_batch(nl, (uint8_t *)h, h->nlmsg_len, &ack, 1, words, sizeof(words), err,
			errsize))
		return EIO;
	if (ack.error)
		fail_with(err, errsize, "%s", words);
	return ack.error;
}
