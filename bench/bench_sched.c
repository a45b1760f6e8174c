/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a packet costs in the scheduler: one enqueue and one dequeue, with every queue
 * backlogged all the time.
 *
 * core-*  the scheduler alone with a list of packets for each queue, as dummynet's
 *         test program drives its schedulers: the packet that left goes back to the
 *         queue it came from, so that nothing ever empties.
 * core-*-come-and-go  the same, but each packet is the last of its queue, and at the same
 *         moment a queue that had gone comes back: half of them wait at any time.
 * tree-*  a whole tree: link bucket, classes with min and max, fq_codel leaves with two
 *         backlogged flows in each.
 *
 * Lines: name, number of queues, value, unit; tab-separated. Best of several runs,
 * since machines are shared.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "sched/sched.h"
#include "sched/tree.h"

#define PACKETS 2000000u
#define RUNS 5
#define BACKLOG 4u /* packets in each queue */

static uint64_t nanoseconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void *need(void *p)
{
	if (!p) {
		fputs("bench: no memory\n", stderr);
		exit(2);
	}
	return p;
}

static uint32_t next_random(uint64_t *x)
{
	*x = *x * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*x >> 33);
}

static double core_run(const struct sched_ops *ops, uint32_t n, uint32_t weights)
{
	struct sched_child *child = need(calloc(n, sizeof(*child)));
	struct pkt_list *queue = need(calloc(n, sizeof(*queue)));
	struct pkt_pool pool;
	uint64_t rnd = n, start, took;
	void *s;

	if (pkt_pool_init(&pool, (size_t)n * BACKLOG))
		need(NULL);
	for (uint32_t i = 0; i < n; i++)
		child[i].weight = weights > 1 ? 1 + next_random(&rnd) % weights : 1;
	s = need(ops->make(child, n, 1514));
	for (uint32_t i = 0; i < n; i++) {
		for (uint32_t k = 0; k < BACKLOG; k++) {
			struct pkt *p = pkt_pool_get(&pool);

			p->len = 64 + next_random(&rnd) % 1451;
			pkt_list_push(&queue[i], p);
		}
		child[i].len = queue[i].head->len;
		ops->activate(s, i);
	}
	start = nanoseconds();
	for (uint32_t i = 0; i < PACKETS; i++) {
		uint32_t c = ops->peek(s);
		struct pkt *p = pkt_list_pop(&queue[c]);

		pkt_list_push(&queue[c], p);
		child[c].len = queue[c].head->len;
		ops->charge(s, c, p->len, true);
	}
	took = nanoseconds() - start;
	ops->unmake(s);
	pkt_pool_fini(&pool);
	free(queue);
	free(child);
	return (double)took / PACKETS;
}

static void core(const char *name, const struct sched_ops *ops, uint32_t weights,
		 double (*run)(const struct sched_ops *, uint32_t, uint32_t))
{
	for (uint32_t n = 16; n <= 65536; n *= 16) {
		double best = 1e9;

		for (int r = 0; r < RUNS; r++) {
			double t = run(ops, n, weights);

			best = t < best ? t : best;
		}
		printf("%s\t%u\t%.1f\tns\n", name, n, best);
		fflush(stdout);
	}
}

/* Of the queues that have gone, one drawn at random comes back for each that goes. */
static double going_run(const struct sched_ops *ops, uint32_t n, uint32_t weights)
{
	struct sched_child *child = need(calloc(n, sizeof(*child)));
	uint32_t *gone = need(calloc(n, sizeof(*gone)));
	uint64_t rnd = n, start, took;
	uint32_t out = n / 2;
	void *s;

	for (uint32_t i = 0; i < n; i++) {
		child[i].weight = weights > 1 ? 1 + next_random(&rnd) % weights : 1;
		child[i].len = 64 + next_random(&rnd) % 1451;
	}
	s = need(ops->make(child, n, 1514));
	for (uint32_t i = 0; i < n; i++) {
		if (i < out)
			gone[i] = i;
		else
			ops->activate(s, i);
	}
	start = nanoseconds();
	for (uint32_t i = 0; i < PACKETS; i++) {
		uint32_t c = ops->peek(s), k = next_random(&rnd) % out, back = gone[k];

		ops->charge(s, c, child[c].len, false);
		gone[k] = c;
		ops->activate(s, back);
	}
	took = nanoseconds() - start;
	ops->unmake(s);
	free(gone);
	free(child);
	return (double)took / PACKETS;
}

static struct tree *make_tree(uint32_t n, enum tree_sched sched, bool limits,
			      enum tree_queue queue)
{
	struct tree_class_conf root = {
		.weight = 1, .sched = sched, .max = {1000000000000, 100000000}};
	struct tree_class_conf leaf = {.weight = 1,
				       .leaf = true,
				       .queue = queue,
				       .limit_packets = 1000,
				       .target = 5000000,
				       .interval = 100000000,
				       .flows = 64,
				       .quantum = 1514,
				       .ecn = true};
	struct tree *t = need(tree_new(&root, (size_t)n * (BACKLOG + 1), 1514, 0));

	for (uint32_t i = 0; i < n; i++) {
		leaf.weight = 1 + i % 10;
		if (limits) {
			leaf.min = (struct tree_bucket_conf){500000000000 / n, 3028};
			leaf.max = (struct tree_bucket_conf){900000000000, 1000000};
		}
		if (tree_add(t, 0, &leaf) == TREE_NONE)
			need(NULL);
	}
	if (tree_ready(t))
		need(NULL);
	return t;
}

static double tree_run(uint32_t n, enum tree_sched sched, bool limits, enum tree_queue queue)
{
	struct tree *t = make_tree(n, sched, limits, queue);
	uint64_t rnd = n, now = 0, when, start, took;
	uint32_t sent = 0, leaf;

	for (uint32_t i = 0; i < n * BACKLOG; i++) {
		struct pkt *p = tree_alloc(t);

		*p = (struct pkt){.len = 64 + next_random(&rnd) % 1451, .flow = i / n % 2 + 1};
		tree_enqueue(t, 1 + i % n, p, now);
	}
	start = nanoseconds();
	while (sent < PACKETS) {
		struct pkt *p = tree_dequeue(t, now, &leaf, &when);

		if (!p) {
			now = when;
			continue;
		}
		now += 10;
		p->arrival = now;
		tree_enqueue(t, leaf, p, now);
		sent++;
	}
	took = nanoseconds() - start;
	tree_free(t);
	return (double)took / PACKETS;
}

static void whole(const char *name, enum tree_sched sched, bool limits, enum tree_queue queue)
{
	for (uint32_t n = 16; n <= 4096; n *= 16) {
		double best = 1e9;

		for (int r = 0; r < RUNS; r++) {
			double t = tree_run(n, sched, limits, queue);

			best = t < best ? t : best;
		}
		printf("%s\t%u\t%.1f\tns\n", name, n, best);
		fflush(stdout);
	}
}

int main(void)
{
	core("core-drr", &sched_drr, 1, core_run);
	core("core-drr-weights", &sched_drr, 100, core_run);
	core("core-wfq", &sched_wfq, 1, core_run);
	core("core-wfq-weights", &sched_wfq, 100, core_run);
	core("core-wfq-come-and-go", &sched_wfq, 100, going_run);
	core("core-drr-come-and-go", &sched_drr, 100, going_run);
	core("core-priority", &sched_prio, 100, core_run);
	whole("tree-drr-fifo", TREE_DRR, false, TREE_Q_FIFO);
	whole("tree-drr-fq_codel", TREE_DRR, false, TREE_Q_FQ);
	whole("tree-drr-min-max-fq_codel", TREE_DRR, true, TREE_Q_FQ);
	whole("tree-wfq-fifo", TREE_WFQ, false, TREE_Q_FIFO);
	whole("tree-wfq-fq_codel", TREE_WFQ, false, TREE_Q_FQ);
	whole("tree-wfq-min-max-fq_codel", TREE_WFQ, true, TREE_Q_FQ);
	return 0;
}
