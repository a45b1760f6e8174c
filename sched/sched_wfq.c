/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * WF2Q+: worst-case fair weighted fair queueing.
 *
 * J. C. R. Bennett and H. Zhang, "Hierarchical Packet Fair Queueing Algorithms",
 * SIGCOMM 1996 (and IEEE/ACM Transactions on Networking 5(5), 1997).
 *
 * Each child i with weight w_i has for its next packet, of length L, a virtual start
 * and finish time:
 *     S_i = F_i             if it was waiting behind another of the child,
 *         = max(F_i, V)     if the child had nothing to send,
 *     F_i = S_i + L / w_i
 * A child is eligible when S_i <= V; of the eligible the one with the smallest F_i
 * goes (SEFF). After a packet of length L, and always,
 *     V = max(V + L / W, min S_i over the children that wait),  W the sum of all w_i.
 * No child is ever ahead of its fluid share by more than the part of one packet that
 * it does not own, nor behind it by more than one largest packet.
 *
 * Our implementation is exact in its decisions: there are no time slots and no groups.
 *  - The ineligible children wait in a heap by S, the eligible in a heap by F. What
 *    leaves the top of the second makes room that the next to become eligible takes,
 *    so that a packet costs two sinks of O(log n).
 *  - 1/w is kept as an integer, 2^k / w, and what that division leaves over is added up
 *    and put back before it comes to anything: shares do not drift, however long it runs.
 *  - Virtual times are all moved back by the same before they could run over (rebase).
 *  - An entry of the heap by F may lie: too early, since the child's next packet is
 *    longer than it was, or since it is no longer there. Tops are checked before use.
 *
 * A child that is held keeps its turn (sched.h): on resume it goes before all others.
 * What it fell behind by meanwhile it may make good, but no more than CREDIT packets of
 * it, so that a child which is kept at its max for long has no claim on the past when the
 * others come to need what it could not use.
 */
#include <stdlib.h>

#include "sched/heap.h"
#include "sched/sched.h"

#define SCALE 36
#define REBASE_AT (1ULL << 62)
#define CREDIT 8
#define OWED 14 /* bits of a virtual time's last place that may be owed to it */

enum where { OUT, ELIGIBLE, WAITING, HELD, DUE };

struct wf {
	uint64_t start; /* S of its next packet */
	uint64_t inv;	/* 2^k / weight, rounded down */
	uint64_t owed;	/* what that left over of the bytes so far, in units of 1/weight */
	uint32_t rest;	/* what it leaves of 2^k, below weight */
	uint32_t weight;
	uint32_t next; /* in the list of the due */
	uint8_t where;
	bool in_e, in_i; /* an entry of it stands in that heap */
};

struct wfq {
	struct wf *c;
	struct sched_child *child;
	struct vheap e, i; /* eligible by F; ineligible by S */
	bool hole;	   /* the top of e has left and may be replaced */
	uint64_t v;	   /* virtual time */
	/* the same of the sum of the weights, as in struct wf */
	uint64_t inv, owed, rest, weight;
	uint32_t n;
	uint32_t mtu;
	uint32_t due, due_tail; /* resumed with their turn kept, first in first out */
};

static void wfq_unmake(void *s)
{
	struct wfq *w = s;

	vheap_fini(&w->e);
	vheap_fini(&w->i);
	free(w->c);
	free(w);
}

/* What `len` bytes add to a virtual time, to the last fraction in the long run. */
static inline uint64_t serve(uint64_t inv, uint64_t rest, uint64_t weight, uint64_t *owed,
			     uint32_t len)
{
	uint64_t more = inv * len;

	*owed += rest * len;
	if (*owed >= weight << OWED) {
		more += *owed / weight;
		*owed %= weight;
	}
	return more;
}

static inline uint64_t finish(const struct wfq *w, uint32_t c)
{
	return w->c[c].start + w->c[c].inv * w->child[c].len;
}

static void *make(struct sched_child *child, uint32_t n, uint32_t mtu, bool equal)
{
	struct wfq *w = calloc(1, sizeof(*w));
	uint64_t sum = 0, least = SCHED_WEIGHT_MAX;
	unsigned k = SCALE;

	if (!w)
		return NULL;
	w->c = calloc(n, sizeof(*w->c));
	if (!w->c || vheap_init(&w->e, n) || vheap_init(&w->i, n)) {
		wfq_unmake(w);
		return NULL;
	}
	w->child = child;
	w->mtu = mtu;
	w->n = n;
	w->due = SCHED_NONE;
	for (uint32_t i = 0; i < n; i++) {
		uint64_t weight = equal ? 1 : child[i].weight;

		sum += weight;
		if (weight < least)
			least = weight;
	}
	while (least >>= 1)
		k++;
	for (uint32_t i = 0; i < n; i++) {
		w->c[i].weight = equal ? 1 : child[i].weight;
		w->c[i].inv = (1ULL << k) / w->c[i].weight;
		w->c[i].rest = (uint32_t)((1ULL << k) % w->c[i].weight);
	}
	w->weight = sum;
	w->inv = (1ULL << k) / sum;
	w->rest = (1ULL << k) % sum;
	return w;
}

static void *wfq_make(struct sched_child *child, uint32_t n, uint32_t mtu)
{
	return make(child, n, mtu, false);
}

static void *fair_make(struct sched_child *child, uint32_t n, uint32_t mtu)
{
	return make(child, n, mtu, true);
}

static void rebase_heap(struct vheap *h, uint64_t by)
{
	for (uint32_t i = 0; i < h->n; i++)
		h->a[i].key -= h->a[i].key < by ? h->a[i].key : by;
}

/*
 * Moves all virtual times back by the same. What then lies before 0 is put at 0: that
 * is far before V, and can only be the past of a child that is idle or held.
 */
static __attribute__((noinline)) void rebase(struct wfq *w)
{
	uint64_t by = w->v - REBASE_AT / 2;

	for (uint32_t i = 0; i < w->n; i++)
		w->c[i].start -= w->c[i].start < by ? w->c[i].start : by;
	rebase_heap(&w->e, by);
	rebase_heap(&w->i, by);
	w->v -= by;
}

static void enter_eligible(struct wfq *w, uint32_t c)
{
	struct wf *f = &w->c[c];

	f->where = ELIGIBLE;
	f->in_e = true;
	if (w->hole) {
		w->hole = false;
		vheap_replace(&w->e, finish(w, c), c);
	} else {
		vheap_push(&w->e, finish(w, c), c);
	}
}

/* Its start and the length of its next packet are known: where does it stand? */
static void enter(struct wfq *w, uint32_t c)
{
	struct wf *f = &w->c[c];

	if (f->in_e || f->in_i) {
		/*
		 * An old entry of it, from before it was removed, still stands in a heap.
		 * Start never goes back, so the check of the tops finds it in time; only a
		 * next packet shorter than the one that went another way may come later
		 * than its F says, by the difference of the two.
		 */
		f->where = f->in_e ? ELIGIBLE : WAITING;
	} else if (w->v < f->start) {
		f->where = WAITING;
		f->in_i = true;
		vheap_push(&w->i, f->start, c);
	} else {
		enter_eligible(w, c);
	}
}

static void wfq_activate(void *s, uint32_t c)
{
	struct wfq *w = s;
	struct wf *f = &w->c[c];

	if (f->start < w->v)
		f->start = w->v;
	enter(w, c);
}

static void close_hole(struct wfq *w)
{
	if (w->hole) {
		w->hole = false;
		vheap_pop(&w->e);
	}
}

static void due_unlink(struct wfq *w, uint32_t c)
{
	uint32_t *at = &w->due, last = SCHED_NONE;

	while (*at != c) {
		last = *at;
		at = &w->c[*at].next;
	}
	*at = w->c[c].next;
	if (w->due_tail == c)
		w->due_tail = last;
}

static void leave(struct wfq *w, uint32_t c)
{
	w->c[c].where = OUT;
}

static void wfq_remove(void *s, uint32_t c)
{
	struct wfq *w = s;

	if (w->c[c].where == DUE)
		due_unlink(w, c);
	leave(w, c);
}

/* Lets all become eligible whose start V has reached. */
static void promote(struct wfq *w)
{
	struct heap_ent *top = w->i.a;
	uint32_t c;

	while (w->i.n && top->key <= w->v) {
		c = top->id;
		if (w->c[c].where == WAITING && w->v < w->c[c].start) {
			vheap_replace(&w->i, w->c[c].start, c);
			continue;
		}
		w->c[c].in_i = false;
		vheap_pop(&w->i);
		if (w->c[c].where == WAITING)
			enter_eligible(w, c);
	}
}

/* Whether the top of the heap by F is what it says; if not, it is put right. */
static bool check_top(struct wfq *w)
{
	struct heap_ent *top = w->e.a;
	uint32_t c = top->id;
	struct wf *f = &w->c[c];

	if (f->where == ELIGIBLE && f->start <= w->v) {
		if (finish(w, c) <= top->key)
			return true;
		vheap_replace(&w->e, finish(w, c), c);
		return false;
	}
	f->in_e = false;
	vheap_pop(&w->e);
	if (f->where == ELIGIBLE)
		enter(w, c);
	return false;
}

static uint32_t wfq_peek(void *s)
{
	struct wfq *w = s;

	if (w->due != SCHED_NONE)
		return w->due;
	for (;;) {
		if (w->i.n)
			promote(w);
		close_hole(w);
		if (w->e.n) {
			if (check_top(w))
				return w->e.a[0].id;
		} else if (w->i.n) {
			uint32_t c = w->i.a[0].id;

			/* V jumps to the smallest start of those that really wait */
			if (w->c[c].where != WAITING) {
				w->c[c].in_i = false;
				vheap_pop(&w->i);
			} else if (w->c[c].start != w->i.a[0].key) {
				vheap_replace(&w->i, w->c[c].start, c);
			} else {
				w->v = w->c[c].start;
			}
		} else {
			return SCHED_NONE;
		}
	}
}

static bool wfq_confirm(void *s, uint32_t c)
{
	struct wfq *w = s;
	struct wf *f = &w->c[c];

	if (f->where == DUE)
		return true;
	return check_top(w) && w->e.a[0].id == c;
}

static void wfq_hold(void *s, uint32_t c)
{
	struct wfq *w = s;
	struct wf *f = &w->c[c];

	if (f->where == DUE) {
		due_unlink(w, c);
	} else {
		f->in_e = false;
		w->hole = true;
	}
	f->where = HELD;
}

static void wfq_resume(void *s, uint32_t c)
{
	struct wfq *w = s;
	struct wf *f = &w->c[c];

	f->where = DUE;
	f->next = SCHED_NONE;
	if (w->due == SCHED_NONE)
		w->due = c;
	else
		w->c[w->due_tail].next = c;
	w->due_tail = c;
}

/* Forgets what a child that was held fell behind by, but for its credit. */
static void credit(const struct wfq *w, struct wf *f)
{
	uint64_t most = f->inv * w->mtu * CREDIT;

	if (w->v > most && f->start < w->v - most)
		f->start = w->v - most;
}

static void wfq_charge(void *s, uint32_t c, uint32_t len, bool more)
{
	struct wfq *w = s;
	struct wf *f = &w->c[c];

	w->v += serve(w->inv, w->rest, w->weight, &w->owed, len);
	if (w->v >= REBASE_AT)
		rebase(w);
	f->start += serve(f->inv, f->rest, f->weight, &f->owed, len);
	if (f->where == DUE) {
		due_unlink(w, c);
		credit(w, f);
	} else {
		f->in_e = false;
		w->hole = true;
	}
	if (more)
		enter(w, c);
	else
		leave(w, c);
}

static size_t wfq_memory(uint32_t n)
{
	return sizeof(struct wfq) + n * sizeof(struct wf) +
	       2 * ((size_t)n + 8) * sizeof(struct heap_ent);
}

const struct sched_ops sched_wfq = {
	.name = "wfq",
	.make = wfq_make,
	.unmake = wfq_unmake,
	.activate = wfq_activate,
	.remove = wfq_remove,
	.peek = wfq_peek,
	.confirm = wfq_confirm,
	.hold = wfq_hold,
	.resume = wfq_resume,
	.charge = wfq_charge,
	.memory = wfq_memory,
};

const struct sched_ops sched_fair = {
	.name = "fair",
	.make = fair_make,
	.unmake = wfq_unmake,
	.activate = wfq_activate,
	.remove = wfq_remove,
	.peek = wfq_peek,
	.confirm = wfq_confirm,
	.hold = wfq_hold,
	.resume = wfq_resume,
	.charge = wfq_charge,
	.memory = wfq_memory,
};
