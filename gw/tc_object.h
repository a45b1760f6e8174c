/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The objects of the kernel's traffic control that weir makes, as plain data: qdiscs, classes,
 * filters. What a policy wants (tc_plan.h) and what a device has (tc_state.h) are both lists
 * of them, so that one can be compared with the other.
 *
 * Handles are the kernel's 32 bits, major << 16 | minor. An object is known by its key: kind,
 * parent (filters) and handle; the rest is its value. Units are the kernel's: bytes/s, ticks
 * of 64 ns, microseconds for CoDel.
 */
#ifndef WEIR_GW_TC_OBJECT_H
#define WEIR_GW_TC_OBJECT_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "qos/policy.h"

/*
 * The root qdisc that is weir's: a major number that nobody types by accident ("we"). What has
 * another handle is somebody else's.
 */
#define TC_ROOT_HANDLE 0x77650000u
#define TC_LINK_CLASS (TC_ROOT_HANDLE | 1u) /* the class that is the link */
#define TC_TICK_NS 64u			    /* PSCHED_SHIFT 6 */

enum tc_kind { TC_QDISC, TC_CLASS, TC_FILTER };

enum tc_type {
	TC_HTB, /* qdisc or class */
	TC_FQ_CODEL,
	TC_CODEL,
	TC_PFIFO,
	TC_BFIFO,
	TC_INGRESS, /* the qdisc that filters of incoming packets hang on */
	TC_BPF,	    /* filter */
	TC_OTHER,   /* something that weir does not make: `other` names it */
};

/*
 * A size table: what the line counts for a packet of so many bytes. cell_align is 0. The kernel
 * does not tell the entries of the table that it has: the other fields tell tables of weir's
 * apart.
 */
struct tc_stab {
	int32_t overhead; /* on top of what the device counts */
	uint32_t mpu;
	uint8_t linklayer; /* TC_LINKLAYER_ETHERNET or TC_LINKLAYER_ATM, for people */
	uint8_t cell_log, size_log;
	uint32_t n;	/* entries; 0: the overhead alone */
	uint16_t *size; /* owned; NULL where it was read back */
};

struct tc_htb_qdisc {
	uint32_t defcls; /* 0: what no filter takes goes unshaped */
	bool has_stab;
	struct tc_stab stab;
};

/*
 * quantum 0: a class with classes, where HTB looks at neither quantum nor prio (and keeps
 * whatever the class had before it got them): both are not compared. When such a class is made,
 * the message should say some quantum that is not 0, or the kernel grumbles about its own.
 */
struct tc_htb_class {
	uint64_t rate, ceil;	  /* bytes/s */
	uint32_t buffer, cbuffer; /* ticks */
	uint32_t quantum, prio;
	/*
	 * What one class alone counts for a packet. Weir says that for the whole link, by its
	 * size table: all zero.
	 */
	struct tc_htb_cost {
		uint16_t overhead, mpu; /* bytes; the overhead may be negative (as int16_t) */
		bool atm;
	} rate_cost, ceil_cost;
};

/* codel uses the first four */
struct tc_fq_codel {
	uint32_t limit;		   /* packets */
	uint32_t target, interval; /* us */
	bool ecn;
	uint32_t flows, quantum;
	uint32_t memory, drop_batch; /* bytes, packets; 0: what the kernel has by itself */
};

/* cls_bpf: a cBPF program from the network header on, as the kernel has it. */
struct tc_bpf {
	struct sock_filter *insn; /* owned */
	uint16_t n;
	uint32_t classid;  /* where matching packets go; 0: `redirect` */
	uint32_t redirect; /* ifindex that they are sent to instead (mirred); 0: none */
#define TC_REDIRECT_GONE UINT32_MAX /* to an interface that is no more */
};

struct tc_object {
	enum tc_kind kind;
	enum tc_type type;
	uint32_t parent; /* TC_H_ROOT, TC_H_INGRESS, or a handle */
	uint32_t handle; /* of a filter: its prio, 1 to 65535 */
	union {
		struct tc_htb_qdisc htb_qdisc;
		struct tc_htb_class htb;
		struct tc_fq_codel fq_codel;
		uint32_t limit; /* pfifo: packets; bfifo: bytes */
		struct tc_bpf bpf;
	};
	char other[16]; /* TC_OTHER: the kernel's name of it */
	/*
	 * The kernel's messages about it (tc_raw.h), owned; NULL in a plan. What weir does not
	 * make is made again from them.
	 */
	uint8_t *raw;
	size_t n_raw; /* bytes */
};

struct tc_list {
	struct tc_object *v;
	size_t n, cap;
};

/* Takes over what o owns. 0, or -1: no memory (o is then still the caller's). */
int tc_list_add(struct tc_list *l, const struct tc_object *o);
void tc_list_free(struct tc_list *l);
void tc_object_free(struct tc_object *o); /* what it owns */

/* Whether both are the same object: kind, parent of a filter, handle. */
bool tc_same_key(const struct tc_object *a, const struct tc_object *b);
/* Whether they mean the same; of objects with the same key. */
bool tc_same_value(const struct tc_object *a, const struct tc_object *b);
/*
 * One line for people, as tc would say it: "class 7765:2a parent 7765:1 htb rate 1mbit ...".
 * Cut when it does not fit. Returns buf.
 */
const char *tc_object_text(const struct tc_object *o, char *buf, size_t size);
/* "7765:2a", "root", "ingress"; buf: at least 16 bytes. */
const char *tc_handle_text(uint32_t handle, char buf[16]);
/* The kernel's name of its type: "htb", "bpf", ... */
const char *tc_type_name(const struct tc_object *o);

#define TC_FILTER_PRIO_MAX 65535u
/*
 * How far apart the prios of n filters of one parent are when they are made at once: easy to
 * read, with room for others between them, and half of all prios free, so that all can be
 * made once more beside them. 1 at the least.
 */
uint32_t tc_filter_step(size_t n);
/* What a buffer of so many ticks is at a rate (bytes/s), in bytes, to the nearest. */
uint64_t tc_ticks_bytes(uint32_t ticks, uint64_t rate);
/* A rate in bytes/s as policies write it: "1mbit". */
const char *tc_rate_text(uint64_t rate, char buf[POLICY_UNIT_TEXT]);

#endif
