/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A netfilter queue: packets from the kernel, verdicts back to it. Headers only are
 * copied; the packet waits in the kernel under its id until the verdict.
 *
 * Both ways in batches: nfq_receive() takes what is there, nfq_verdict() gathers and
 * nfq_flush() sends. The kernel answers a verdict only when it could not carry it out;
 * that answer comes with nfq_receive(), told by nfq_ops.failed.
 *
 * One thread at a time uses a queue. Everything that comes is from outside: what cannot
 * be a packet is counted and, if it has an id, accepted.
 */
#ifndef WEIR_GW_NFQ_H
#define WEIR_GW_NFQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NFQ_COPY 128u	      /* bytes of a packet that are copied, from its IP header on */
#define NFQ_PER_PACKET 2304u  /* bytes that the socket's buffer counts for one, about */
#define NFQ_PER_HEADER 1024u  /* the same where nothing but headers was copied, at most */
#define NFQ_HELD_MAX 65536u   /* the kernel holds no more per queue, whatever is asked */
#define NFQ_RECENT (1u << 16) /* verdicts that an error can be matched to */

struct nfq;

struct nfq_packet {
	uint32_t id;	     /* the kernel's */
	uint32_t mark;	     /* skb mark, 0 when none */
	uint32_t len;	     /* true length of the IP packet */
	uint32_t caplen;     /* bytes at `data`, at most NFQ_COPY */
	const uint8_t *data; /* until the next nfq_receive() */
	uint32_t indev;	     /* index of the interface by which it came; 0: it was made here */
	uint8_t mac[6];	     /* who sent it, if has_mac */
	bool has_mac;
};

struct nfq_conf {
	uint16_t number;
	uint32_t maxlen; /* packets held by the kernel, at most NFQ_HELD_MAX */
	bool gso;	 /* take large segments whole; else the kernel cuts them before */
	size_t rcvbuf;	 /* bytes; 0: a default that holds maxlen headers */
};

struct nfq_ops {
	/* a packet; its id must get a verdict some time */
	void (*packet)(void *arg, const struct nfq_packet *p);
	/*
	 * A verdict could not be carried out, `token` as given to nfq_verdict(). error is
	 * ENOENT: the packet is gone (somebody deleted a chain, an interface went down).
	 */
	void (*failed)(void *arg, uint64_t token, int error);
	void *arg;
};

struct nfq_stats {
	uint64_t packets, receives; /* received, and calls that it took */
	uint64_t verdicts, sends;   /* sent, and calls that it took */
	uint64_t missed;	    /* ids that were skipped: lost between kernel and us */
	uint64_t gone;		    /* verdicts answered with ENOENT */
	uint64_t errors;	    /* verdicts answered otherwise */
	uint64_t broken;	    /* messages that could not be understood */
	uint64_t refused;	    /* changes of the set-up that the kernel did not make */
	int refusal;		    /* errno of the last of them */
	bool gso;		    /* large segments come whole: as the kernel said last */
};

/*
 * Binds a queue and sets it up. NULL with one line in err, which says what to do: no
 * permission, the number is taken (EBUSY/EPERM), the kernel has no NFQUEUE.
 */
struct nfq *nfq_open(const struct nfq_conf *c, char *err, size_t errsize);
/* Unbinds. What is still held is dropped by the kernel. */
void nfq_close(struct nfq *q);
int nfq_fd(const struct nfq *q); /* for poll: POLLIN */

/*
 * Takes up to `max` packets without waiting, a call of ops for each and for each failed
 * verdict. Returns how many messages came (0: nothing is there), or -1 with errno: the
 * socket is of no more use.
 */
int nfq_receive(struct nfq *q, unsigned max, const struct nfq_ops *ops);

/*
 * Gathers a verdict; sends what was gathered when a send is full. mark: what the packet's
 * mark becomes. 0, or -1 with errno as nfq_flush().
 */
int nfq_accept(struct nfq *q, uint32_t id, uint32_t mark, uint64_t token);
int nfq_drop(struct nfq *q, uint32_t id, uint64_t token);
/* As nfq_accept(), and the packet's priority becomes this: a class of the kernel's HTB. */
int nfq_accept_as(struct nfq *q, uint32_t id, uint32_t mark, uint32_t priority, uint64_t token);
int nfq_flush(struct nfq *q);

/*
 * Whether large segments are to come whole from now on, while the queue is in use. The
 * kernel's answer comes with nfq_receive(), between packets, and is in the stats: `gso` when it
 * has done it, `refused` when not, and then all stays as it is. An answer that was lost is
 * asked for again. 0, or -1 with errno as nfq_flush().
 */
int nfq_set_gso(struct nfq *q, bool gso);

/* The last id that was received; and whether there was any. */
bool nfq_last_id(const struct nfq *q, uint32_t *id);
uint16_t nfq_number(const struct nfq *q);

void nfq_get_stats(const struct nfq *q, struct nfq_stats *s);

/* What the kernel says of a queue: a line of /proc/net/netfilter/nfnetlink_queue. */
struct nfq_kernel {
	uint16_t number;
	uint32_t portid; /* of the socket that bound it */
	uint32_t waiting;
	uint64_t dropped;      /* queue was full */
	uint64_t user_dropped; /* the socket's buffer was */
};
/*
 * What the kernel says of its queues, only root may open (0440), and only what is open can be
 * read by who has become another user. Keeps it open for this process and this network
 * namespace; the functions below read it anew each time. 0, or -1 with errno.
 */
int nfq_kernel_keep(void);

/* Reads them into v[0..max-1]. Their number, or -1 with errno. */
int nfq_kernel_queues(struct nfq_kernel *v, size_t max);
/*
 * To ask for a queue's last id while it is in use: a descriptor, or -1 with errno (the file is
 * root's: open it before the user changes).
 */
int nfq_watch_open(void);
/* The last id that the kernel gave in a queue. 0, or -1: it is not known. */
int nfq_watch_id(int fd, uint16_t number, uint32_t *id);
/* `n` numbers in a row that nobody uses, from `from` on. The first, or -1 with errno. */
int nfq_free_numbers(uint16_t from, unsigned n);

/* Whether this kernel finds a packet by its id in constant time (see NFQ_LINEAR_HELD). */
bool nfq_kernel_hashes(const char *release); /* uname's; NULL: this one's */
/* Whether a verdict can set a packet's priority: from Linux 5.18 on; release as above. */
bool nfq_kernel_sets_priority(const char *release);
/* Where it searches a list: no more held than this, so that a verdict stays cheap. */
#define NFQ_LINEAR_HELD 2048u

#endif
