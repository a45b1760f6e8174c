/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The queue's socket. Messages are libmnl's, their numbers those of linux/netfilter/
 * nfnetlink_queue.h. No verdict asks for an acknowledgement: the kernel answers only those
 * that fail, under the sequence number that the verdict had. A change of the set-up does
 * ask; its number is of the same sequence, so that answers are never confused, and one change
 * at a time is on its way.
 */
#include "gw/nfq.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libmnl/libmnl.h>

#include "gw/nfq_parse.h"
#include "gw/fail.h"

#define BATCH 64u     /* messages that one recvmmsg() takes */
#define MESSAGE 1024u /* of NFQ_COPY bytes and attributes, with room to spare */
#define SEND_FULL \
	3400u /* bytes: the kernel copies a send into one buffer; keep it in a page \
	       */
#define SEND_ROOM 4096u
#define SEND_TRIES 100

struct recent {
	uint64_t token;
	uint32_t seq;
};

struct nfq {
	struct mnl_socket *nl;
	int fd;
	uint16_t number;
	uint32_t seq;	  /* of the next verdict or change */
	uint32_t next_id; /* expected; 0: not known */
	struct nfq_stats stats;
	bool gso;	       /* as it is wanted; stats.gso: as it is */
	bool gso_asked;	       /* what the change that is on its way says */
	uint32_t change;       /* its seq; 0: none is on its way */
	struct recent *recent; /* verdicts by their seq */
	uint8_t *in;	       /* BATCH messages of MESSAGE bytes */
	struct mmsghdr msg[BATCH];
	struct iovec iov[BATCH];
	struct sockaddr_nl from[BATCH];
	size_t out_used;
	uint8_t out[SEND_ROOM] __attribute__((aligned(8)));
};

/* ---- Setting up. */

static struct nlmsghdr *begin(void *buf, unsigned type, uint16_t number, uint16_t flags)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *g;

	nlh->nlmsg_type = (uint16_t)(NFNL_SUBSYS_QUEUE << 8 | type);
	nlh->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	g = mnl_nlmsg_put_extra_header(nlh, sizeof(*g));
	g->nfgen_family = AF_UNSPEC;
	g->version = NFNETLINK_V0;
	g->res_id = htons(number);
	return nlh;
}

/* Sends a configuration message and waits for its answer. 0, or -1 with errno. */
static int ask(struct nfq *q, struct nlmsghdr *nlh)
{
	uint8_t buf[8192] __attribute__((aligned(8)));
	ssize_t n;

	nlh->nlmsg_flags |= NLM_F_ACK;
	nlh->nlmsg_seq = UINT32_MAX;
	if (mnl_socket_sendto(q->nl, nlh, nlh->nlmsg_len) < 0)
		return -1;
	n = mnl_socket_recvfrom(q->nl, buf, sizeof(buf));
	if (n < 0)
		return -1;
	return mnl_cb_run(buf, (size_t)n, UINT32_MAX, mnl_socket_get_portid(q->nl), NULL,
			  NULL) < 0
		       ? -1
		       : 0;
}

static int bind_queue(struct nfq *q, char *err, size_t errsize)
{
	uint8_t buf[256] __attribute__((aligned(8)));
	struct nlmsghdr *nlh = begin(buf, NFQNL_MSG_CONFIG, q->number, 0);
	struct nfqnl_msg_config_cmd cmd = {.command = NFQNL_CFG_CMD_BIND,
					   .pf = htons(AF_UNSPEC)};

	mnl_attr_put(nlh, NFQA_CFG_CMD, sizeof(cmd), &cmd);
	if (!ask(q, nlh))
		return 0;
	if (errno == EPERM)
		return fail_with(
			err, errsize,
			"queue %u: not permitted, or another program has it: run as root "
			"(or with "
			"CAP_NET_ADMIN), or choose other numbers with --queue-from",
			q->number);
	if (errno == EBUSY)
		return fail_with(
			err, errsize,
			"queue %u belongs to another program: choose other numbers with "
			"--queue-from",
			q->number);
	if (errno == EINVAL || errno == ENOENT || errno == EOPNOTSUPP)
		return fail_with(err, errsize,
				 "this kernel has no netfilter queues (nfnetlink_queue): %s",
				 strerror(errno));
	return fail_with(err, errsize, "queue %u: %s", q->number, strerror(errno));
}

static int set_up(struct nfq *q, uint32_t maxlen, char *err, size_t errsize)
{
	uint8_t buf[256] __attribute__((aligned(8))) = {0}; /* libmnl leaves padding as it is */
	struct nlmsghdr *nlh = begin(buf, NFQNL_MSG_CONFIG, q->number, 0);
	struct nfqnl_msg_config_params params = {.copy_range = htonl(NFQ_COPY),
						 .copy_mode = NFQNL_COPY_PACKET};

	mnl_attr_put(nlh, NFQA_CFG_PARAMS, sizeof(params), &params);
	mnl_attr_put_u32(nlh, NFQA_CFG_QUEUE_MAXLEN, htonl(maxlen));
	mnl_attr_put_u32(nlh, NFQA_CFG_FLAGS, htonl(q->gso ? NFQA_CFG_F_GSO : 0));
	mnl_attr_put_u32(nlh, NFQA_CFG_MASK, htonl(NFQA_CFG_F_GSO | NFQA_CFG_F_FAIL_OPEN));
	if (ask(q, nlh))
		return fail_with(err, errsize, "queue %u: setting it up: %s", q->number,
				 strerror(errno));
	q->stats.gso = q->gso;
	return 0;
}

static int socket_options(struct nfq *q, size_t rcvbuf, char *err, size_t errsize)
{
	int one = 1, size = rcvbuf > INT32_MAX / 2 ? INT32_MAX / 2 : (int)rcvbuf;

	/* an overrun must not stop all messages: what is lost is seen by the ids */
	if (setsockopt(q->fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, &one, sizeof(one)) ||
	    setsockopt(q->fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one)))
		return fail_with(err, errsize, "netlink: %s", strerror(errno));
	if (setsockopt(q->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) &&
	    setsockopt(q->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)))
		return fail_with(err, errsize, "netlink receive buffer: %s", strerror(errno));
	return 0;
}

static int open_socket(struct nfq *q, char *err, size_t errsize)
{
	q->nl = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!q->nl || mnl_socket_bind(q->nl, 0, MNL_SOCKET_AUTOPID) < 0)
		return fail_with(err, errsize, "netlink socket for netfilter: %s",
				 strerror(errno));
	q->fd = mnl_socket_get_fd(q->nl);
	return 0;
}

static int take_memory(struct nfq *q)
{
	q->recent = calloc(NFQ_RECENT, sizeof(*q->recent));
	q->in = aligned_alloc(64, (size_t)BATCH * MESSAGE);
	if (!q->recent || !q->in)
		return -1;
	for (unsigned i = 0; i < BATCH; i++) {
		q->iov[i] = (struct iovec){.iov_base = q->in + (size_t)i * MESSAGE,
					   .iov_len = MESSAGE};
		q->msg[i].msg_hdr = (struct msghdr){.msg_iov = &q->iov[i],
						    .msg_iovlen = 1,
						    .msg_name = &q->from[i],
						    .msg_namelen = sizeof(q->from[i])};
	}
	return 0;
}

struct nfq *nfq_open(const struct nfq_conf *c, char *err, size_t errsize)
{
	struct nfq *q = calloc(1, sizeof(*q));
	uint32_t maxlen = c->maxlen < NFQ_HELD_MAX ? c->maxlen : NFQ_HELD_MAX;

	if (!q || take_memory(q)) {
		fail_with(err, errsize, "%s", strerror(ENOMEM));
		nfq_close(q);
		return NULL;
	}
	q->number = c->number;
	q->gso = c->gso;
	q->fd = -1;
	q->seq = 1;
	/* the buffer comes last: before, answers have no packets between them */
	if (open_socket(q, err, errsize) || bind_queue(q, err, errsize) ||
	    set_up(q, maxlen, err, errsize) ||
	    socket_options(q, c->rcvbuf ? c->rcvbuf : (size_t)maxlen / 4 * NFQ_PER_PACKET, err,
			   errsize)) {
		nfq_close(q);
		return NULL;
	}
	return q;
}

void nfq_close(struct nfq *q)
{
	if (!q)
		return;
	if (q->nl)
		mnl_socket_close(q->nl);
	free(q->recent);
	free(q->in);
	free(q);
}

int nfq_fd(const struct nfq *q)
{
	return q->fd;
}

void nfq_get_stats(const struct nfq *q, struct nfq_stats *s)
{
	*s = q->stats;
}

bool nfq_last_id(const struct nfq *q, uint32_t *id)
{
	*id = q->next_id - 1;
	return q->stats.packets > 0;
}

uint16_t nfq_number(const struct nfq *q)
{
	return q->number;
}

/* ---- Another set-up, while packets come. */

/* The number of a message that may be answered, and what is to be known of it then. */
static uint32_t take_seq(struct nfq *q, uint64_t token)
{
	uint32_t seq = q->seq;

	q->recent[seq % NFQ_RECENT] = (struct recent){.token = token, .seq = seq};
	q->seq += seq == UINT32_MAX ? 2 : 1; /* 0 stands for none */
	return seq;
}

static int ask_change(struct nfq *q)
{
	struct nlmsghdr *nlh;

	if (q->out_used >= SEND_FULL && nfq_flush(q))
		return -1;
	nlh = begin(q->out + q->out_used, NFQNL_MSG_CONFIG, q->number, NLM_F_ACK);
	nlh->nlmsg_seq = q->change = take_seq(q, 0);
	q->gso_asked = q->gso;
	mnl_attr_put_u32(nlh, NFQA_CFG_FLAGS, htonl(q->gso ? NFQA_CFG_F_GSO : 0));
	mnl_attr_put_u32(nlh, NFQA_CFG_MASK, htonl(NFQA_CFG_F_GSO));
	q->out_used += nlh->nlmsg_len;
	return nfq_flush(q);
}

int nfq_set_gso(struct nfq *q, bool gso)
{
	q->gso = gso;
	/* one that is on its way may be the wrong one: that is seen when it is answered */
	return q->change || gso == q->stats.gso ? 0 : ask_change(q);
}

/* error 0: it was made. False: it is no answer to that. */
static bool change_answered(struct nfq *q, uint32_t seq, int error)
{
	if (!q->change || seq != q->change)
		return false;
	q->change = 0;
	if (error) {
		q->stats.refused++;
		q->stats.refusal = error;
		if (q->gso == q->gso_asked)
			q->gso = q->stats.gso;
	} else {
		q->stats.gso = q->gso_asked;
	}
	/* what cannot be sent stays in `out`, and the next flush says so */
	if (q->gso != q->stats.gso)
		(void)ask_change(q);
	return true;
}

/* ---- In. */

static void take_error(struct nfq *q, const struct nfq_message *m, const struct nfq_ops *ops)
{
	const struct recent *r = &q->recent[m->seq % NFQ_RECENT];
	bool known = r->seq == m->seq && m->seq;

	if (change_answered(q, m->seq, m->error))
		return;
	if (m->error == ENOENT)
		q->stats.gone++;
	else
		q->stats.errors++;
	if (known && ops->failed)
		ops->failed(ops->arg, r->token, m->error);
}

/* Ids count up by one, 0 included, whether the packet reaches us or not. */
static void follow_ids(struct nfq *q, uint32_t id)
{
	if (q->stats.packets && id != q->next_id) {
		uint32_t skipped = id - q->next_id;

		/* backwards is no loss: it cannot be, and is not believed */
		if (skipped < UINT32_MAX / 2)
			q->stats.missed += skipped;
	}
	q->next_id = id + 1;
}

static void take_message(struct nfq *q, const struct nlmsghdr *nlh, const struct nfq_ops *ops)
{
	struct nfq_message m;

	switch (nfq_parse(nlh, &m)) {
	case NFQ_IS_PACKET:
		follow_ids(q, m.packet.id);
		q->stats.packets++;
		ops->packet(ops->arg, &m.packet);
		break;
	case NFQ_IS_DONE:
		change_answered(q, m.seq, 0);
		break;
	case NFQ_IS_ERROR:
		take_error(q, &m, ops);
		break;
	case NFQ_IS_BROKEN:
		q->stats.broken++;
		if (m.has_id) {
			follow_ids(q, m.packet.id);
			q->stats.packets++;
			nfq_accept(q, m.packet.id, m.packet.mark, 0);
		}
		break;
	case NFQ_IS_NOTHING:
		break;
	}
}

static void take_datagram(struct nfq *q, const struct msghdr *h, uint8_t *data, size_t size,
			  const struct nfq_ops *ops)
{
	const struct sockaddr_nl *from = h->msg_name;
	struct nlmsghdr *nlh = (struct nlmsghdr *)(void *)data;
	int left = (int)size;

	/* only the kernel has something to say here */
	if (h->msg_namelen != sizeof(*from) || from->nl_pid != 0)
		return;
	if (h->msg_flags & MSG_TRUNC)
		q->stats.broken++;
	for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left))
		take_message(q, nlh, ops);
}

int nfq_receive(struct nfq *q, unsigned max, const struct nfq_ops *ops)
{
	int n;

	if (max > BATCH)
		max = BATCH;
	for (unsigned i = 0; i < max; i++)
		q->msg[i].msg_hdr.msg_namelen = sizeof(q->from[i]);
	do
		n = recvmmsg(q->fd, q->msg, max, MSG_DONTWAIT, NULL);
	while (n < 0 && errno == EINTR);
	if (n < 0) {
		/* an overrun (ENOBUFS) is seen by the ids that are missing */
		if (errno != EAGAIN && errno != ENOBUFS)
			return -1;
		/* the kernel answers within our sendto(): an answer that is not here was lost
		 */
		return errno == EAGAIN && q->change ? ask_change(q) : 0;
	}
	q->stats.receives++;
	for (int i = 0; i < n; i++)
		take_datagram(q, &q->msg[i].msg_hdr, q->in + (size_t)i * MESSAGE,
			      q->msg[i].msg_len, ops);
	return n;
}

/* ---- Out. */

int nfq_flush(struct nfq *q)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	size_t size = q->out_used;
	ssize_t n;

	if (!size)
		return 0;
	for (unsigned tries = 0; tries < SEND_TRIES; tries++) {
		struct pollfd fd = {.fd = q->fd, .events = POLLOUT};

		n = sendto(q->fd, q->out, size, 0, (struct sockaddr *)&kernel, sizeof(kernel));
		if (n >= 0) {
			q->out_used = 0;
			q->stats.sends++;
			return 0;
		}
		if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM)
			poll(&fd, 1, 10);
		else if (errno != EINTR)
			return -1;
	}
	return -1;
}

static int verdict(struct nfq *q, uint32_t id, uint32_t verdict, const uint32_t *mark,
		   const uint32_t *priority, uint64_t token)
{
	struct nfqnl_msg_verdict_hdr v = {.verdict = htonl(verdict), .id = htonl(id)};
	struct nlmsghdr *nlh;

	if (q->out_used >= SEND_FULL && nfq_flush(q))
		return -1;
	nlh = begin(q->out + q->out_used, NFQNL_MSG_VERDICT, q->number, 0);
	nlh->nlmsg_seq = take_seq(q, token);
	mnl_attr_put(nlh, NFQA_VERDICT_HDR, sizeof(v), &v);
	if (mark)
		mnl_attr_put_u32(nlh, NFQA_MARK, htonl(*mark));
	if (priority)
		mnl_attr_put_u32(nlh, NFQA_PRIORITY, htonl(*priority));
	q->out_used += nlh->nlmsg_len;
	q->stats.verdicts++;
	return 0;
}

int nfq_accept(struct nfq *q, uint32_t id, uint32_t mark, uint64_t token)
{
	return verdict(q, id, NF_ACCEPT, &mark, NULL, token);
}

int nfq_accept_as(struct nfq *q, uint32_t id, uint32_t mark, uint32_t priority, uint64_t token)
{
	return verdict(q, id, NF_ACCEPT, &mark, &priority, token);
}

int nfq_drop(struct nfq *q, uint32_t id, uint64_t token)
{
	return verdict(q, id, NF_DROP, NULL, NULL, token);
}
