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
 *     V = max(V + L / W, min S_i over the children that wait).
 *
 * In the paper W is the sum of all weights. Beside a child that sends nothing V then
 * lags, is lifted by min S_i at each step, and the order becomes that of start times:
 * the shares stay, the fairness within a packet does not. So we go beyond the paper:
 *  - W is the sum over the children that may send (IN) and those that went OUT with
 *    F_i > V, until V reaches that F_i: the fluid has not done yet what they have sent.
 *    V goes from one such F_i to the next within a packet. (The sum over the children IN
 *    alone is a trap: whoever sends one packet and leaves lets V run ahead of those that
 *    stay, without bound, and who wakes up stands behind all of that.)
 *  - A child that is HELD does not count, nor does it count again before it has sent,
 *    and the packet that it sends when it is resumed does not move V: what goes by
 *    `max` is not of the fluid that the others share.
 *  - When no child may send any more the fluid is done too: V goes to the last F_i.
 *
 * Guaranteed, whatever children that are idle or held weigh:
 *  - Among children that are backlogged together, none is more than two largest packets
 *    from its share of what they got, by the fluid of the backlogged. (The paper: one,
 *    behind, with all backlogged. For sets that change it is ours and measured, by
 *    tests/props/prop_share.c. In a tree the levels add up.)
 *  - Between children that have no `max` a packet is sent no later than Lmax / C after
 *        F = max(arrival, F of the packet before) + L W_all / (C w_i),
 *    W_all the sum of all weights (theorem 4). For a child that wakes up while a packet
 *    is on the line the clock starts at the end of that one, which V counts whole.
 *  - When all are backlogged, no child is ahead of its fluid share by more than the part
 *    of one packet that it does not own.
 * A child that the fluid has done with before its packets have gone counts until they
 * have, so that V may lag there. It never leads, which would cost delay.
 * (Exact GPS, P. Valente 2004, wants to know each child's whole backlog, which a class
 * with CoDel, deadlines and max below it does not know.)
 *
 * Our implementation is exact in its decisions: there are no time slots and no groups.
 *  - The ineligible children wait in a heap by S, the eligible in a heap by F. What
 *    leaves the top of the second makes room that the next to become eligible takes,
 *    so that a packet costs two sinks of O(log n). Those that went OUT and still count
 *    stand in a third, by F.
 *  - 1/w is kept as an integer, 2^k / w, and what that division leaves over is added up
 *    and put back before it comes to anything: shares do not drift, however long it runs.
 *    What V leaves over is work, bytes times 2^k, and so no matter of W: it stays valid
 *    when W changes.
 *  - Virtual times are all moved back by the same before they could run over (rebase).
 *  - An entry of a heap may lie: too early, since the child's next packet is longer than
 *    it was or it has sent more since, or since it is no longer there. Tops are checked
 *    before use.
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
	bool in_e : 1, in_i : 1, in_g : 1; /* an entry of it stands in that heap */
	bool counts : 1;		   /* its weight is in W */
};

struct wfq {
	struct wf *c;
	struct sched_child *child;
	struct vheap e, i, g; /* eligible by F; ineligible by S; gone, and count until F */
	bool hole;	      /* the top of e has left and may be replaced */
	uint64_t v;	      /* virtual time */
	uint64_t weight;      /* W: of those that count */
	uint64_t inv, rest;   /* as in struct wf, of the weight inv_of */
	uint64_t inv_of;
	uint64_t owed; /* work that V has not been given yet, bytes times 2^k */
	unsigned k;
	uint32_t n, mtu;
	uint32_t in;		/* children ELIGIBLE or WAITING */
	uint32_t due, due_tail; /* resumed with their turn kept, first in first out */
};

static void wfq_unmake(void *s)
{
	struct wfq *w = s;

	vheap_fini(&w->e);
	vheap_fini(&w->i);
	vheap_fini(&w->g);
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
	uint64_t least = SCHED_WEIGHT_MAX;

	if (!w)
		return NULL;
	w->c = calloc(n, sizeof(*w->c));
	if (!w->c || vheap_init(&w->e, n) || vheap_init(&w->i, n) || vheap_init(&w->g, n)) {
		wfq_unmake(w);
		return NULL;
	}
	w->child = child;
	w->mtu = mtu;
	w->n = n;
	w->due = SCHED_NONE;
	for (uint32_t i = 0; i < n; i++) {
		uint64_t weight = equal ? 1 : child[i].weight;

		if (weight < least)
			least = weight;
	}
	for (w->k = SCALE; least >>= 1;)
		w->k++;
	for (uint32_t i = 0; i < n; i++) {
		w->c[i].weight = equal ? 1 : child[i].weight;
		w->c[i].inv = (1ULL << w->k) / w->c[i].weight;
		w->c[i].rest = (uint32_t)((1ULL << w->k) % w->c[i].weight);
	}
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
	rebase_heap(&w->g, by);
	w->v -= by;
}

static inline void count(struct wfq *w, struct wf *f)
{
	if (!f->counts) {
		f->counts = true;
		w->weight += f->weight;
	}
}

static inline void discount(struct wfq *w, struct wf *f)
{
	if (f->counts) {
		f->counts = false;
		w->weight -= f->weight;
	}
}

/*
 * V past the times at which the fluid is done with children that have gone. At least the
 * child that has sent counts.
 */
static __attribute__((noinline)) void pass_gone(struct wfq *w, uint32_t len)
{
	unsigned __int128 left = ((unsigned __int128)len << w->k) + w->owed, need;

	while (w->g.n) {
		struct heap_ent *top = w->g.a;
		struct wf *f = &w->c[top->id];

		if (f->where == OUT && f->start > top->key) {
			vheap_replace(&w->g, f->start, top->id);
			continue;
		}
		if (f->where == OUT) {
			need = 0;
			if (f->start > w->v)
				need = (unsigned __int128)(f->start - w->v) * w->weight;
			if (need > left)
				break;
			left -= need;
			if (f->start > w->v)
				w->v = f->start;
			discount(w, f);
		}
		f->in_g = false;
		vheap_pop(&w->g);
	}
	if (left >> 64) {
		w->v += (uint64_t)(left / w->weight);
		w->owed = (uint64_t)(left % w->weight);
	} else {
		w->v += (uint64_t)left / w->weight;
		w->owed = (uint64_t)left % w->weight;
	}
}

/* A child IN sends `len` bytes: what they add to V. */
static inline void move_v(struct wfq *w, uint32_t len)
{
	uint64_t more;

	if (w->inv_of != w->weight) {
		w->inv_of = w->weight;
		w->inv = (1ULL << w->k) / w->weight;
		w->rest = (1ULL << w->k) % w->weight;
	}
	more = w->inv * len;
	if (w->g.n && w->g.a[0].key <= w->v + more) {
		pass_gone(w, len);
		return;
	}
	w->v += more;
	w->owed += w->rest * len;
	if (w->owed >> w->k) { /* a whole byte of work */
		w->v += w->owed / w->weight;
		w->owed %= w->weight;
	}
}

/* If no child may send: the fluid is done, and none counts. */
static inline void settle(struct wfq *w)
{
	if (w->in || w->due != SCHED_NONE)
		return;
	for (uint32_t i = 0; i < w->g.n; i++) {
		struct wf *f = &w->c[w->g.a[i].id];

		f->in_g = false;
		if (f->where == OUT && f->start > w->v)
			w->v = f->start;
		discount(w, f);
		w->g.a[i].key = UINT64_MAX;
	}
	w->g.n = 0;
	w->owed = 0;
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
	count(w, f);
	w->in++;
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

/* It goes OUT; what it has sent ahead of V counts until V is there. */
static inline void leave(struct wfq *w, uint32_t c)
{
	struct wf *f = &w->c[c];

	f->where = OUT;
	if (f->start <= w->v) {
		discount(w, f);
	} else if (f->counts && !f->in_g) {
		f->in_g = true;
		vheap_push(&w->g, f->start, c);
	}
}

static void wfq_remove(void *s, uint32_t c)
{
	struct wfq *w = s;

	if (w->c[c].where == DUE)
		due_unlink(w, c);
	else if (w->c[c].where != HELD)
		w->in--;
	leave(w, c);
	settle(w);
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
		w->in--;
		discount(w, f);
	}
	f->where = HELD;
	settle(w);
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

/* A child that was held sends: V stays, and from now on it counts. */
static void charge_due(struct wfq *w, struct wf *f, uint32_t c)
{
	due_unlink(w, c);
	credit(w, f);
	count(w, f);
	w->in++;
}

static void wfq_charge(void *s, uint32_t c, uint32_t len, bool more)
{
	struct wfq *w = s;
	struct wf *f = &w->c[c];

	f->start += serve(f->inv, f->rest, f->weight, &f->owed, len);
	if (f->where == DUE) {
		charge_due(w, f, c);
	} else {
		f->in_e = false;
		w->hole = true;
		move_v(w, len);
	}
	if (more) {
		enter(w, c);
	} else {
		w->in--;
		leave(w, c);
		settle(w);
	}
	if (w->v >= REBASE_AT)
		rebase(w);
}

static size_t wfq_memory(uint32_t n)
{
	return sizeof(struct wfq) + n * sizeof(struct wf) +
	       3 * ((size_t)n + 8) * sizeof(struct heap_ent);
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
