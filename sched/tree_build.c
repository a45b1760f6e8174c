/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Building a tree, and taking all its memory. */
#include <stdlib.h>

#include "sched/fq_pool.h"
#include "sched/tree_priv.h"

#define CLASSES_MAX (1u << 24)

static const struct sched_ops *const sched_by_kind[TREE_SCHED_N] = {
	[TREE_FIFO] = &sched_fifo, [TREE_FAIR] = &sched_fair,	  [TREE_DRR] = &sched_drr,
	[TREE_WFQ] = &sched_wfq,   [TREE_PRIORITY] = &sched_prio,
};

static bool bucket_valid(const struct tree_bucket_conf *b)
{
	return !b->rate ||
	       (b->rate <= BUCKET_RATE_MAX && b->burst > 0 && b->burst <= BUCKET_BURST_MAX);
}

static bool conf_valid(const struct tree_class_conf *c)
{
	if (!bucket_valid(&c->min) || !bucket_valid(&c->max))
		return false;
	if (!c->weight || c->weight > SCHED_WEIGHT_MAX)
		return false;
	if (!c->leaf)
		return c->sched < TREE_SCHED_N;
	return c->queue < TREE_QUEUE_N && c->limit_packets && bucket_valid(&c->flow_max) &&
	       bucket_valid(&c->host_max);
}

static int grow(struct tree *t)
{
	uint32_t room = t->room ? 2 * t->room : 16;
	struct tree_class_conf *conf = realloc(t->conf, room * sizeof(*conf));
	struct node *node;

	if (!conf)
		return -1;
	t->conf = conf;
	node = aligned_alloc(_Alignof(struct node), room * sizeof(*node));
	if (!node)
		return -1;
	for (uint32_t i = 0; i < t->n; i++)
		node[i] = t->node[i];
	free(t->node);
	t->node = node;
	t->room = room;
	return 0;
}

static struct node *new_node(struct tree *t, const struct tree_class_conf *c)
{
	struct node *n;

	if (t->n == t->room && grow(t))
		return NULL;
	t->conf[t->n] = *c;
	n = &t->node[t->n];
	*n = (struct node){.min_when = NEVER};
	if (c->max.rate)
		bucket_init(&n->max, c->max.rate, c->max.burst, t->start);
	if (c->min.rate && t->n)
		bucket_init(&n->min, c->min.rate, c->min.burst, t->start);
	n->min_below = n->min.rate != 0;
	n->ahead = c->ahead;
	if (c->leaf)
		return n;
	n->inner = calloc(1, sizeof(*n->inner));
	return n->inner ? n : NULL;
}

struct tree *tree_new(const struct tree_class_conf *root, size_t packets, uint32_t mtu,
		      uint64_t now)
{
	struct tree *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->mtu = mtu;
	t->start = now;
	if (!conf_valid(root) || root->leaf || !mtu || pkt_pool_init(&t->pool, packets) ||
	    !new_node(t, root)) {
		tree_free(t);
		return NULL;
	}
	t->n = 1;
	return t;
}

uint32_t tree_add(struct tree *t, uint32_t parent, const struct tree_class_conf *c)
{
	struct node *n;

	if (t->ready || parent >= t->n || !t->node[parent].inner || t->n >= CLASSES_MAX)
		return TREE_NONE;
	if (t->node[parent].depth + 1 >= TREE_DEPTH_MAX || !conf_valid(c))
		return TREE_NONE;
	n = new_node(t, c);
	if (!n)
		return TREE_NONE;
	n->depth = t->node[parent].depth + 1;
	n->slot = t->node[parent].inner->n_child++;
	/* nodes move as the array grows: tree_ready() turns this into a pointer */
	n->min_when = parent;
	return t->n++;
}

static void queue_conf(const struct tree *t, const struct tree_class_conf *c,
		       struct queue_conf *q)
{
	bool gated = c->flow_max.rate || c->host_max.rate;

	*q = (struct queue_conf){
		.limit_packets = c->limit_packets,
		.limit_bytes = c->limit_bytes ? c->limit_bytes : UINT64_MAX,
		.deadline = c->deadline,
		.target = c->target,
		.interval = c->interval,
		.mtu = c->mtu ? c->mtu : t->mtu,
		.ecn = c->ecn,
		.codel = c->queue != TREE_Q_FIFO,
		.by_order = gated && c->queue != TREE_Q_FQ,
		.flows = c->flows ? c->flows : 1024,
		.quantum = c->quantum ? c->quantum : t->mtu,
		.isolation = (enum queue_isolation)c->isolation,
		.flow_rate = c->flow_max.rate,
		.flow_burst = c->flow_max.burst,
		.host_rate = c->host_max.rate,
		.host_burst = c->host_max.burst,
	};
}

/* Buckets for flows or hosts need the flows apart, whatever the order among them. */
static bool is_fq(const struct tree_class_conf *c)
{
	return c->queue == TREE_Q_FQ || c->flow_max.rate || c->host_max.rate;
}

static int ready_flows(struct tree *t)
{
	struct fq_need need = {0};
	struct queue_conf q;

	for (uint32_t i = 0; i < t->n; i++)
		if (!t->node[i].inner && is_fq(&t->conf[i])) {
			queue_conf(t, &t->conf[i], &q);
			fq_need_add(&need, &q);
		}
	if (!need.queues)
		return 0;
	t->flows = fq_pool_new(&need, t->pool.size);
	t->memory += fq_pool_memory(&need, t->pool.size);
	return t->flows ? 0 : -1;
}

static int ready_leaf(struct tree *t, struct node *n, const struct tree_class_conf *c)
{
	struct queue_conf q;

	queue_conf(t, c, &q);
	q.pool = t->flows;
	if (is_fq(c))
		n->qops = &queue_fq;
	else
		n->qops = c->queue == TREE_Q_CODEL ? &queue_codel : &queue_fifo;
	n->queue = n->qops->make(&q);
	t->memory += n->qops->memory(&q);
	return n->queue ? 0 : -1;
}

static int ready_inner(struct tree *t, struct inner *n)
{
	uint32_t k = n->n_child;

	if (!k)
		return -1;
	n->child = calloc(k, sizeof(*n->child));
	n->kid = calloc(k, sizeof(struct node *));
	if (!n->child || !n->kid || timers_init(&n->held, k) || timers_init(&n->min_at, k))
		return -1;
	t->memory += sizeof(*n) + k * (sizeof(*n->child) + sizeof(*n->kid) +
				       2 * (sizeof(struct heap_ent) + sizeof(uint32_t)));
	return 0;
}

static int ready_sched(struct tree *t, struct inner *n, enum tree_sched kind)
{
	n->ops = sched_by_kind[kind];
	n->sched = n->ops->make(n->child, n->n_child, t->mtu);
	t->memory += n->ops->memory(n->n_child);
	return n->sched ? 0 : -1;
}

static void join(struct tree *t, struct node *n, const struct tree_class_conf *c)
{
	n->parent = &t->node[n->min_when];
	n->min_when = NEVER;
	n->parent->inner->kid[n->slot] = n;
	n->parent->inner->child[n->slot] =
		(struct sched_child){.weight = c->weight, .priority = c->priority, .len = 1};
}

int tree_ready(struct tree *t)
{
	t->memory += sizeof(*t) + t->room * (sizeof(*t->node) + sizeof(*t->conf)) +
		     t->pool.size * sizeof(struct pkt);
	if (ready_flows(t))
		return -1;
	for (uint32_t i = 0; i < t->n; i++) {
		struct node *n = &t->node[i];

		if (n->inner ? ready_inner(t, n->inner) : ready_leaf(t, n, &t->conf[i]))
			return -1;
		if (i)
			join(t, n, &t->conf[i]); /* parents come first, so its is ready */
	}
	for (uint32_t i = t->n; i-- > 0;) {
		struct node *n = &t->node[i];

		if (n->parent)
			n->parent->min_below |= n->min_below;
		if (n->inner && ready_sched(t, n->inner, t->conf[i].sched))
			return -1;
	}
	t->ready = true;
	return 0;
}

static void free_inner(struct inner *n)
{
	if (n->sched)
		n->ops->unmake(n->sched);
	free(n->child);
	free(n->kid);
	timers_fini(&n->held);
	timers_fini(&n->min_at);
	free(n);
}

void tree_free(struct tree *t)
{
	if (!t)
		return;
	for (uint32_t i = 0; i < t->n; i++) {
		if (t->node[i].queue)
			t->node[i].qops->unmake(t->node[i].queue);
		if (t->node[i].inner)
			free_inner(t->node[i].inner);
	}
	free(t->node);
	free(t->conf);
	pkt_pool_fini(&t->pool);
	fq_pool_free(t->flows);
	free(t);
}

size_t tree_memory(const struct tree *t)
{
	return t->memory;
}
