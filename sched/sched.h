/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A scheduler: which of several children goes next.
 *
 * A child is a class; the scheduler knows no packets, only the length (and the place
 * in the order of arrival) of the packet that each child would send next. One
 * algorithm, one file, one const struct sched_ops at its end.
 *
 * States of a child, kept by the caller and followed by these calls:
 *
 *            activate                hold
 *     OUT ------------->  IN  ------------------>  HELD
 *         <-------------      <------------------
 *       remove, or charge          resume
 *       with more = false     (HELD --remove--> OUT)
 *
 * OUT: nothing to send. IN: may send. HELD: its turn had come, but something outside
 * (its `max`) keeps it back; it keeps that turn and takes it as soon as it is resumed.
 *
 * peek() commits to nothing: asked again with nothing changed, it answers the same.
 * The caller may then find that the child's next packet is another than it had said
 * (queues decide late): it writes the new len and seq and asks confirm().
 * No call may fail; all but peek() are for children 0..n-1 only. Time is not known
 * here: schedulers work on what was sent.
 */
#ifndef WEIR_SCHED_SCHED_H
#define WEIR_SCHED_SCHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCHED_NONE UINT32_MAX
#define SCHED_LEN_MAX (1u << 20) /* longest packet, bytes */
#define SCHED_WEIGHT_MAX 1000000u

struct sched_child {
	/* written by the caller before activate(), charge() and confirm() */
	uint64_t seq; /* order of arrival of its next packet */
	uint32_t len; /* bytes of its next packet, 1..SCHED_LEN_MAX */
	/* fixed when the scheduler is made */
	uint32_t weight; /* 1..SCHED_WEIGHT_MAX */
	int32_t priority;
};

struct sched_ops {
	const char *name;
	/*
	 * Makes a scheduler for n children, all OUT. `child` stays the caller's and is
	 * read by the scheduler; `mtu` is the largest ordinary packet in bytes. NULL: no
	 * memory.
	 */
	void *(*make)(struct sched_child *child, uint32_t n, uint32_t mtu);
	void (*unmake)(void *s);
	void (*activate)(void *s, uint32_t c); /* OUT -> IN */
	void (*remove)(void *s, uint32_t c);   /* IN or HELD -> OUT, without having sent */
	uint32_t (*peek)(void *s); /* the child whose turn it is, of those IN; SCHED_NONE */
	/* child[c].len or .seq changed since peek() gave c: is it still its turn? */
	bool (*confirm)(void *s, uint32_t c);
	void (*hold)(void *s, uint32_t c);   /* c as given by peek(): IN -> HELD */
	void (*resume)(void *s, uint32_t c); /* HELD -> IN */
	/*
	 * c, as given by peek(), has sent `len` bytes. more: it has another packet, of
	 * child[c].len; otherwise it is OUT.
	 */
	void (*charge)(void *s, uint32_t c, uint32_t len, bool more);
	size_t (*memory)(uint32_t n); /* bytes that make() takes */
};

extern const struct sched_ops sched_fifo; /* the packet that came first */
extern const struct sched_ops sched_fair; /* equal shares: wfq with equal weights */
extern const struct sched_ops sched_drr;  /* deficit round robin */
extern const struct sched_ops sched_wfq;  /* WF2Q+ */
extern const struct sched_ops sched_prio; /* strict priority, drr among equals */

#endif
