/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Driving a tree: what leaves next.
 *
 * A choice is made in two steps. pick() and pick_min() find the packet that would go
 * and commit to nothing but what stays true (a child whose bucket is empty is held).
 * When all buckets on the way allow that packet, it is taken out of its queue, which
 * may still drop it (CoDel, deadline), and settle() charges everything on its path.
 *
 * Link sharing with borrowing (S. Floyd, V. Jacobson, "Link-sharing and Resource
 * Management Models for Packet Networks", 1995) falls out of it: a class that cannot
 * use its turn is not in its parent's scheduler, and what it leaves goes to the others.
 */
#include "sched/tree_priv.h"

#define RELIEF 64 /* packets that tree_relieve() drops at most */

/* What a search for the next packet found. */
struct choice {
	struct node *at;  /* its leaf */
	struct node *via; /* the class whose min lets it go; NULL: it goes by its turn */
	uint64_t change;  /* when the same search may find another, as far as `max` goes */
};

static inline uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

struct pkt *tree_alloc(struct tree *t)
{
	struct pkt *p = pkt_pool_get(&t->pool);

	if (p) {
		p->flags = 0;
		p->drop = PKT_KEPT;
	}
	return p;
}

void tree_release(struct tree *t, struct pkt *p)
{
	pkt_pool_put(&t->pool, p);
}

/* Lets those children go on whose time has come. */
static void resume(struct node *n, uint64_t now)
{
	while (timers_next(&n->inner->held) <= now) {
		uint32_t c = n->inner->held.a[0].id;

		timers_del(&n->inner->held, c);
		n->inner->ops->resume(n->inner->sched, c);
		n->inner->kid[c]->state = NODE_IN;
	}
}

static void hold(struct node *n, uint32_t c, uint64_t when)
{
	n->inner->ops->hold(n->inner->sched, c);
	timers_set(&n->inner->held, c, when);
	n->inner->kid[c]->state = NODE_HELD;
}

static struct pkt *pick_min(struct node *n, uint64_t now, struct choice *found, uint64_t *when);

/*
 * Whether kid's max keeps it back, for the packet p that it would send by its turn or, if
 * there is one, for the packet that a class below it may send within its min: what the
 * bucket gathers for that one must not be taken by a smaller packet without such a right.
 */
static bool kept_back(struct node *kid, const struct pkt *p, uint64_t now, uint64_t *when)
{
	const struct pkt *first;
	struct choice other = {0};
	uint64_t none;

	if (!kid->max.rate)
		return false;
	*when = bucket_when(&kid->max, p->len, now);
	if (*when <= now && kid->inner && timers_next(&kid->inner->min_at) <= now) {
		first = pick_min(kid, now, &other, &none);
		if (first)
			*when = bucket_when(&kid->max, first->len, now);
	}
	return *when > now;
}

/*
 * The packet that the schedulers from n down would send at `now`, n's own `max` not
 * asked. NULL: none may go before *when.
 */
static struct pkt *pick(struct node *n, uint64_t now, struct choice *found, uint64_t *when)
{
	struct sched_child *child;
	struct node *kid;
	struct pkt *p;
	uint64_t w;
	uint32_t c;

	if (!n->inner) {
		found->at = n;
		return n->qops->head(n->queue, now, when);
	}
	if (n->inner->held.n)
		resume(n, now);
	while ((c = n->inner->ops->peek(n->inner->sched)) != SCHED_NONE) {
		kid = n->inner->kid[c];
		p = pick(kid, now, found, &w);
		if (!p || kept_back(kid, p, now, &w)) {
			hold(n, c, w);
			continue;
		}
		child = &n->inner->child[c];
		if (child->len != p->len || child->seq != p->seq) {
			child->len = p->len;
			child->seq = p->seq;
			if (!n->inner->ops->confirm(n->inner->sched, c))
				continue;
		}
		found->change = earlier(found->change, timers_next(&n->inner->held));
		return p;
	}
	*when = timers_next(&n->inner->held);
	return NULL;
}

/* When a min of n or below it may next be used: its place among n's siblings. */
static void note_min(struct node *n)
{
	uint64_t when = n->min_when;

	if (n->inner)
		when = earlier(when, timers_next(&n->inner->min_at));
	if (when == NEVER)
		timers_del(&n->parent->inner->min_at, n->slot);
	else if (n->ahead) /* its bucket is never short: before all that may go since some time
			    */
		timers_set(&n->parent->inner->min_at, n->slot, 0);
	else
		timers_set(&n->parent->inner->min_at, n->slot, when);
}

/* pick_min() for one child: by a min below it, or by its own. */
static struct pkt *try_min(struct node *kid, uint64_t now, struct choice *found, uint64_t *when)
{
	struct pkt *p = NULL;
	uint64_t w;

	if (kid->inner && timers_next(&kid->inner->min_at) <= now)
		p = pick_min(kid, now, found, &w);
	if (!p && kid->min_when <= now) {
		p = pick(kid, now, found, &w);
		if (p) {
			w = bucket_when(&kid->min, p->len, now);
			if (w > now)
				p = NULL;
		}
		kid->min_when = p ? now : w;
		found->via = kid;
	}
	if (p && kid->max.rate) {
		w = bucket_when(&kid->max, p->len, now);
		if (w > now) {
			*when = w;
			return NULL;
		}
	}
	if (!p) {
		*when = kid->min_when;
		if (kid->inner)
			*when = earlier(*when, timers_next(&kid->inner->min_at));
	}
	return p;
}

/*
 * The packet that a class below n may send within its min, the one that has been able
 * to for longest. NULL: none before *when.
 */
static struct pkt *pick_min(struct node *n, uint64_t now, struct choice *found, uint64_t *when)
{
	struct pkt *p;
	uint32_t c;
	uint64_t w;

	while (timers_next(&n->inner->min_at) <= now) {
		c = n->inner->min_at.a[0].id;
		p = try_min(n->inner->kid[c], now, found, &w);
		if (p)
			return p;
		if (w == NEVER)
			timers_del(&n->inner->min_at, c);
		else
			timers_set(&n->inner->min_at, c, w);
	}
	*when = timers_next(&n->inner->min_at);
	return NULL;
}

/* What n would send next, as far as that can be told now, for its parent's scheduler. */
static void foresee(struct node *n, uint64_t now, struct sched_child *c)
{
	uint64_t when;

	if (!n->inner) {
		const struct pkt *p = n->qops->head(n->queue, now, &when);

		if (p) {
			c->len = p->len;
			c->seq = p->seq;
		}
	} else {
		uint32_t k = n->inner->ops->peek(n->inner->sched);

		if (k != SCHED_NONE) {
			c->len = n->inner->child[k].len;
			c->seq = n->inner->child[k].seq;
		}
	}
}

/* n has nothing left, and that not by its turn. */
static void take_out(struct node *n)
{
	if (n->state == NODE_HELD)
		timers_del(&n->parent->inner->held, n->slot);
	if (n->state != NODE_OUT)
		n->parent->inner->ops->remove(n->parent->inner->sched, n->slot);
	n->state = NODE_OUT;
}

/*
 * A packet of `len` bytes has left the leaf n: by its turn (via NULL), within the min
 * of `via`, or dropped. Counts and charges it from the leaf to the root.
 */
static void settle(struct node *n, uint32_t len, bool sent, const struct node *via,
		   uint64_t now)
{
	bool by_min = false;

	n->bytes -= len;
	for (;; n = n->parent) {
		struct node *up = n->parent;
		struct sched_child *c;

		n->packets--;
		by_min |= n == via;
		if (sent && n->max.rate)
			bucket_take(&n->max, len);
		if (sent && by_min && n->min.rate) {
			bucket_fill(&n->min, now);
			bucket_take(&n->min, len);
		}
		if (!up)
			return;
		c = &up->inner->child[n->slot];
		if (n->packets)
			foresee(n, now, c);
		if (sent && !by_min) {
			up->inner->ops->charge(up->inner->sched, n->slot, len, n->packets > 0);
			if (!n->packets)
				n->state = NODE_OUT;
		} else if (!n->packets) {
			take_out(n);
		}
		if (n->min_below) {
			if (n->min.rate)
				n->min_when =
					n->packets ? bucket_when(&n->min, c->len, now) : NEVER;
			note_min(n);
		}
	}
}

/* When the min of n may next be used, its next packet having changed: not later than that. */
static uint64_t min_again(struct node *n, uint64_t now)
{
	const struct pkt *p = NULL;
	uint64_t when;

	if (!n->inner)
		p = n->qops->head(n->queue, now, &when);
	when = bucket_when(&n->min, p ? p->len : 1, now);
	/* what an inner class will choose is not known: it is asked when its time comes */
	return n->inner ? earlier(when, n->min_when) : when;
}

/* What the leaf n would send next has changed, or it has something again. */
static void wake(struct node *n, const struct pkt *p, uint64_t now)
{
	for (; n->parent; n = n->parent) {
		struct inner *up = n->parent->inner;
		struct sched_child *c = &up->child[n->slot];

		if (n->ahead) {
			c->len = p->len;
			c->seq = p->seq;
		} else if (n->state == NODE_OUT) {
			c->len = p->len;
			c->seq = p->seq;
			up->ops->activate(up->sched, n->slot);
			n->state = NODE_IN;
		} else if (n->state == NODE_HELD) {
			timers_set(&up->held, n->slot, now);
		}
		if (n->min_below) {
			if (n->min.rate)
				n->min_when = min_again(n, now);
			note_min(n);
		}
	}
}

/* Packets that the leaf n lost in passing: for tree_reap(), and out of the counts. */
static void lose(struct tree *t, struct node *n, struct pkt_list *lost)
{
	struct pkt *p;

	while ((p = pkt_list_pop(lost))) {
		p->leaf = (uint32_t)(n - t->node);
		n->bytes -= p->len;
		for (struct node *up = n; up; up = up->parent)
			up->packets--;
		pkt_list_push(&t->dropped, p);
	}
}

void tree_enqueue(struct tree *t, uint32_t leaf, struct pkt *p, uint64_t now)
{
	struct node *n = &t->node[leaf];
	struct pkt_list lost = {0};
	bool changed;

	t->when = 0;
	p->seq = t->seq++;
	p->drop = PKT_KEPT;
	if (p->len > SCHED_LEN_MAX)
		p->len = SCHED_LEN_MAX;
	n->bytes += p->len;
	for (struct node *up = n; up; up = up->parent)
		up->packets++;
	changed = n->qops->enqueue(n->queue, p, now, &lost);
	if (lost.head)
		lose(t, n, &lost);
	if (changed)
		wake(n, p, now);
}

/* p, which is not NULL, was taken out of the leaf n, and not by its turn. */
static struct pkt *shed(struct node *n, struct pkt *p, uint64_t now)
{
	const struct pkt *next;
	uint64_t when;

	settle(n, p->len, false, NULL, now);
	next = n->packets ? n->qops->head(n->queue, now, &when) : NULL;
	if (next)
		wake(n, next, now);
	return p;
}

void tree_relieve(struct tree *t, uint64_t now)
{
	struct node *n = NULL;
	uint32_t left;

	for (uint32_t i = 1; i < t->n; i++)
		if (!t->node[i].inner && (!n || t->node[i].packets > n->packets))
			n = &t->node[i];
	t->when = 0;
	if (!n)
		return;
	left = n->packets / 2;
	for (unsigned k = 0; k < RELIEF && n->packets > left; k++) {
		struct pkt *p = shed(n, n->qops->shed(n->queue), now);

		p->leaf = (uint32_t)(n - t->node);
		p->drop = PKT_DROP_MEMORY;
		pkt_list_push(&t->dropped, p);
	}
}

struct pkt *tree_withdraw(struct tree *t, uint32_t *leaf, uint64_t now)
{
	struct node *n;

	t->when = 0;
	if (!t->node[0].packets)
		return NULL;
	/* leaf after leaf, so that many packets cost a look at each leaf, not many */
	while (t->node[t->emptied].inner || !t->node[t->emptied].packets)
		t->emptied = (t->emptied + 1) % t->n;
	*leaf = t->emptied;
	n = &t->node[*leaf];
	return shed(n, n->qops->withdraw(n->queue), now);
}

static void refill(struct bucket *b, uint32_t len, uint64_t now)
{
	if (!b->rate)
		return;
	bucket_fill(b, now);
	bucket_give(b, len);
}

void tree_give_back(struct tree *t, uint32_t leaf, uint32_t len, uint8_t by_min, uint64_t now)
{
	struct node *n = &t->node[leaf];

	t->when = 0;
	for (; n; n = n->parent) {
		refill(&n->max, len, now);
		if (n->depth <= by_min)
			refill(&n->min, len, now);
		/* who waited for what was taken need not wait any more */
		if (!n->parent)
			return;
		if (n->state == NODE_HELD)
			timers_set(&n->parent->inner->held, n->slot, now);
		if (n->min_below && n->packets) {
			if (n->min.rate)
				n->min_when = min_again(n, now);
			note_min(n);
		}
	}
}

void tree_inherit(struct tree *t, uint32_t class, const struct tree *from, uint32_t from_class,
		  uint64_t now)
{
	bucket_inherit(&t->node[class].max, &from->node[from_class].max, now);
	bucket_inherit(&t->node[class].min, &from->node[from_class].min, now);
	t->when = 0;
}

void tree_inherit_flows(struct tree *t, uint32_t leaf, const struct tree *from,
			uint32_t from_leaf, uint64_t now)
{
	const struct node *n = &t->node[leaf], *was = &from->node[from_leaf];

	if (n->queue && n->qops == was->qops && n->qops->inherit)
		n->qops->inherit(n->queue, was->queue, now);
}

uint8_t tree_by_min(const struct tree *t)
{
	return t->by_min;
}

/* What would go now if the link were free; NULL: nothing before *when. */
static struct pkt *choose(struct node *root, uint64_t now, struct choice *found, uint64_t *when)
{
	struct pkt *p = NULL;
	uint64_t by_min = NEVER;

	*found = (struct choice){.change = NEVER};
	if (root->min_below)
		p = pick_min(root, now, found, &by_min);
	if (p)
		return p;
	*found = (struct choice){.change = NEVER};
	p = pick(root, now, found, when);
	*when = earlier(*when, by_min);
	found->change = earlier(found->change, by_min);
	return p;
}

struct pkt *tree_dequeue(struct tree *t, uint64_t now, uint32_t *leaf, uint64_t *when)
{
	struct node *root = t->node;
	struct choice found;
	struct pkt *p;

	/* asking too early changes nothing: what happens does not depend on who asks when */
	if (now < t->when) {
		*when = t->when;
		return NULL;
	}
	while (root->packets) {
		p = choose(root, now, &found, when);
		if (p)
			*when = bucket_when(&root->max, p->len, now);
		if (!p || *when > now) {
			if (p)
				*when = earlier(*when, found.change);
			t->when = *when;
			return NULL;
		}
		p = found.at->qops->take(found.at->queue, now);
		settle(found.at, p->len, p->drop == PKT_KEPT, found.via, now);
		if (p->drop == PKT_KEPT) {
			*leaf = (uint32_t)(found.at - t->node);
			t->by_min = found.via ? found.via->depth : 0;
			return p;
		}
		p->leaf = (uint32_t)(found.at - t->node);
		pkt_list_push(&t->dropped, p);
	}
	*when = t->when = NEVER;
	return NULL;
}

struct pkt *tree_reap(struct tree *t, uint32_t *leaf)
{
	struct pkt *p = pkt_list_pop(&t->dropped);

	if (p)
		*leaf = p->leaf;
	return p;
}

static uint64_t bytes_below(const struct node *n)
{
	uint64_t sum = n->bytes;

	if (n->inner)
		for (uint32_t i = 0; i < n->inner->n_child; i++)
			sum += bytes_below(n->inner->kid[i]);
	return sum;
}

void tree_get_state(const struct tree *t, uint32_t class, struct tree_state *s)
{
	s->packets = t->node[class].packets;
	s->bytes = bytes_below(&t->node[class]);
}
