/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The gateway from inside, for gateway*.c only. */
#ifndef WEIR_GW_GATEWAY_PRIV_H
#define WEIR_GW_GATEWAY_PRIV_H

#include "gw/fail.h"
#include "gw/gateway.h"
#include "gw/ifwatch.h"
#include "gw/rule.h"

/* Losses that are told once for a while, not once a packet. */
enum gateway_loss {
	LOSS_VANISHED,
	LOSS_QUEUE_FULL,
	LOSS_SOCKET_FULL,
	LOSS_MISSED,
	LOSS_VERDICT,
	LOSS_TWICE,
	LOSS_N
};

struct told {
	uint64_t count; /* when it was told */
	uint64_t at;	/* ns; 0: never */
};

struct glink {
	const struct policy_link *link; /* of the policy in force */
	struct worker *worker;
	struct ifwatch_state iface;
	uint16_t queue;
	uint32_t held_max;
	uint8_t key[16]; /* of the engine's hashes: a reload keeps it, and so flows their state
			  */
	struct nfq_kernel kernel;
	struct told told[LOSS_N];
	uint64_t refused; /* changes of the queue: what was told of them */
	char **warning;
	size_t n_warning;
};

struct gateway {
	struct gateway_opts o;
	struct policy *policy;
	struct rules *rules;
	struct ifwatch *ifwatch;
	struct glink *link;
	size_t n_link;
	uint64_t dscp; /* values that packets may be given by any policy so far */
	bool linear;
	bool intact;
	uint64_t started, reloaded, looked;
	uint64_t generation, reloads_failed;
};

uint64_t gateway_now(void); /* CLOCK_MONOTONIC, ns */
void gateway_say(const struct gateway *g, int level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* An engine for to->link, as a gateway wants it. NULL with one line in err. */
struct engine *gateway_engine(const struct policy *p, const struct glink *to, char *err,
			      size_t errsize);
/* Queue, engine, worker. 0, or -1 with one line in err and nothing left. */
int gateway_link_open(struct gateway *g, const struct policy *p, const struct policy_link *l,
		      struct glink *to, char *err, size_t errsize);
/* Everything held is accepted; the queue goes. */
void gateway_link_close(struct glink *l);
/* The rules for these links. */
int gateway_rules(struct gateway *g, const struct glink *link, size_t n, char *err,
		  size_t errsize);
/* To the log: its interface is not there. */
void gateway_tell_missing(const struct gateway *g, const struct glink *l);
/* Whether a link's large segments are to be taken whole. */
bool gateway_gso(const struct policy_link *l);
/* The values that a policy's classes set. */
uint64_t gateway_dscp(const struct policy *p);
/* The link's warnings anew; new ones are logged. */
void gateway_look(struct gateway *g, struct glink *l);

#endif
