/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tree from inside, for tree.c (driving) and tree_build.c (building) only. */
#ifndef WEIR_SCHED_TREE_PRIV_H
#define WEIR_SCHED_TREE_PRIV_H

#include "sched/heap.h"
#include "sched/queue.h"
#include "sched/sched.h"
#include "sched/tree.h"

/* What a class is to the scheduler of its parent (sched.h). */
enum node_state { NODE_OUT, NODE_IN, NODE_HELD };

struct node {
	struct node *parent; /* NULL: the root */
	uint32_t slot;	     /* among its parent's children */
	uint8_t state;	     /* enum node_state */
	bool leaf;
	bool min_below;	  /* it or a class below it has a min */
	uint32_t packets; /* waiting, here and below */
	uint64_t bytes;
	struct bucket max, min; /* rate 0: none */

	/* a leaf */
	const struct queue_ops *qops;
	void *queue;

	/* not a leaf */
	const struct sched_ops *ops;
	void *sched;
	struct sched_child *child; /* what the scheduler knows of each */
	struct node **kid;
	uint32_t n_child;
	struct timers held;   /* children that are held, by when they may go on */
	struct timers min_at; /* children by when a min in them may next be used */

	uint64_t min_when; /* when its own min may next be used, or earlier; NEVER */
	struct tree_class_conf conf;
	uint8_t depth;
};

struct tree {
	struct node *node; /* the root first */
	uint32_t n, room;
	uint32_t mtu;
	bool ready;
	uint64_t seq;
	uint64_t start;
	struct pkt_pool pool;
	struct pkt_list dropped; /* for tree_reap() */
	size_t memory;
};

#endif
