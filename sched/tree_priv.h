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

/* A class with children. */
struct inner {
	const struct sched_ops *ops;
	void *sched;
	struct sched_child *child; /* what the scheduler knows of each */
	struct node **kid;
	uint32_t n_child;
	struct timers held;   /* children that are held, by when they may go on */
	struct timers min_at; /* children by when a min in them may next be used */
};

/* Any class. What every packet touches comes first: with many classes it is not cached. */
struct node {
	struct node *parent; /* NULL: the root */
	struct inner *inner; /* NULL: a leaf */
	const struct queue_ops *qops;
	void *queue;	   /* a leaf's */
	uint64_t bytes;	   /* a leaf's, waiting */
	uint64_t min_when; /* when its own min may next be used, or earlier; NEVER */
	uint32_t packets;  /* waiting, here and below */
	uint32_t slot;	   /* among its parent's children */
	uint8_t state;	   /* enum node_state */
	bool min_below;	   /* it or a class below it has a min */
	bool ahead;	   /* goes by its min alone, before all others */
	uint8_t depth;
	struct bucket max, min; /* rate 0: none */
} __attribute__((aligned(64)));

struct tree {
	struct node *node;	      /* the root first */
	struct tree_class_conf *conf; /* of each */
	uint32_t n, room;
	uint32_t mtu;
	uint32_t emptied; /* the leaf from which tree_withdraw() took a packet last */
	bool ready;
	uint64_t seq;
	uint8_t by_min; /* of the packet that left last */
	uint64_t when;	/* nothing can happen before, unless something comes; 0: not known */
	uint64_t start;
	struct pkt_pool pool;
	struct fq_pool *flows;	 /* what its fq queues know; NULL: there are none */
	struct pkt_list dropped; /* for tree_reap() */
	size_t memory;
};

#endif
