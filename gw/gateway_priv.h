/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The gateway from inside, for gateway*.c only. */
#ifndef WEIR_GW_GATEWAY_PRIV_H
#define WEIR_GW_GATEWAY_PRIV_H

#include "gw/clock.h"
#include "gw/fail.h"
#include "gw/gateway.h"
#include "gw/gateway_build.h"
#include "gw/ifwatch.h"
#include "gw/quiet.h"
#include "gw/rule.h"
#include "gw/tc_apply.h"
#include "gw/tc_nat.h"

/* Losses that are told once for a while, not once a packet. */
enum gateway_loss {
	LOSS_VANISHED,
	LOSS_QUEUE_FULL,
	LOSS_SOCKET_FULL,
	LOSS_MISSED,
	LOSS_VERDICT,
	LOSS_TWICE,
	LOSS_STALL,
	LOSS_UNREAD,
	LOSS_N
};

struct told {
	uint64_t count; /* when it was told */
	uint64_t at;	/* ns; 0: never */
};

/* What classes had counted that a reload removed, and what was dropped with them. */
struct gkernel_gone {
	uint64_t packets, bytes, dropped;
};

/*
 * A link's part in the kernel's traffic control. Of a link that the gateway schedules (backend
 * queue), all of it is zero.
 */
struct gkernel {
	struct tc_target *target; /* NULL: its interface has not been there so far */
	uint32_t index, mtu;	  /* of the interface, as the target was made for it */
	bool applied;		  /* the target is on the interface that is there now */
	struct tc_nat_job nat;	  /* backend kernel alone: weir classifies before it */
	bool nat_made;		  /* the table was not there before it was applied */
	bool translated;	  /* somebody translated addresses when it was prepared */
	uint32_t *none;		  /* backend mark without a target: no class for any class */
	char *trouble;		  /* why it could not be applied; NULL: nothing failed */
};

/* How a link is judged. */
struct gservice {
	struct judge *judge;  /* NULL: nothing was counted so far */
	uint64_t at;	      /* ns: when it was shown the counters last */
	uint64_t late[32];    /* worker_health.late_hist of that time */
	uint64_t unread_late; /* the same of packets that were read late */
};

struct glink {
	const struct policy_link *link; /* of the policy in force */
	struct worker *worker;		/* NULL: backend kernel */
	struct gkernel tc;
	struct gkernel_gone gone;
	struct gservice service;
	struct shed shed; /* what is dropped before it is read */
	struct rule_shed_counts shed_counts;
	uint64_t shed_told;
	bool shed_failed; /* that was told */
	/* of its interfaces, in the policy's order; and of them together: one is enough */
	struct ifwatch_state each[POLICY_INTERFACES_MAX], iface;
	uint16_t queue, first; /* numbers of its queue, and of the one that is read first */
	unsigned first_rules;  /* by which packets go to the latter */
	unsigned untold;       /* promised classes of which not all packets can be told */
	uint32_t held_max;
	uint8_t key[16]; /* of the engine's hashes: a reload keeps it, and so flows their state
			  */
	struct nfq_kernel kernel; /* both queues together */
	struct told told[LOSS_N];
	uint64_t refused; /* changes of the queue: what was told of them */
	char **warning;
	size_t n_warning;
	char **accepted; /* what would be warnings, but the policy accepts it */
	size_t n_accepted;
};

/* A set of the policy in force, beside policy.set. */
struct gset {
	uint64_t changed; /* ns: when it held something else last; 0: since the policy never */
	uint64_t failed;  /* ns: since when it cannot be read, where it cannot */
	uint64_t told;	  /* ns */
	char *trouble;	  /* why it cannot be read now; NULL: it can */
};

struct gateway {
	struct gateway_opts o;
	struct policy *policy;
	struct rules *rules;
	struct ifwatch *ifwatch;
	struct glink *link;
	size_t n_link;
	uint64_t dscp; /* values that packets may be given by any policy so far */
	int alarm;     /* an eventfd: a worker is overloaded */
	bool shed_due;
	uint64_t shed_looked;
	struct quiet *quiet; /* so that nobody can fill the log; NULL: all is said */
	bool linear;
	bool intact;
	bool open;	/* all has been made */
	char **emptied; /* interfaces whose tc_nat tables wait for their removal */
	size_t n_emptied;
	uint64_t started, reloaded, looked;
	uint64_t generation, reloads_failed;
	struct setwatch *sets; /* NULL: there are none */
	struct gset *set;
	size_t n_set;
	/* a reload that is under way; NULL: none */
	struct build *build;
	uint64_t ready; /* when it could have taken over; 0: not yet */
};

/* What was not said because the same had been said too often, of minutes that are over by now.
 */
void gateway_say_unsaid(const struct gateway *g, uint64_t now);
/* A line for the log, unless the like was said a few times within a minute: see quiet.h. */
void gateway_say(const struct gateway *g, int level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Whether packets of a link go through a queue, and whether they go through weir's HTB. */
bool gateway_has_queue(const struct policy_link *l);
bool gateway_in_kernel(const struct policy_link *l);
/* gateway_iface.c. Whether both have some of the same packets: an interface, and its way. */
bool gateway_same_place(const struct policy_link *a, const struct policy_link *b);

/* Complaints of which the first error is kept; warnings go to the log. */
struct gateway_complaint {
	const struct gateway *g; /* NULL: nobody hears warnings */
	char text[256];
};
void gateway_keep_complaint(void *arg, enum policy_severity sev, const char *file,
			    struct policy_mark at, const char *text);

/* An engine for to->link, as a gateway wants it. NULL with one line in err. */
struct engine *gateway_engine(const struct policy *p, const struct glink *to, char *err,
			      size_t errsize);
/*
 * Queue, engine (the built one, if there is one), worker, and what the kernel is to be told,
 * which it is not yet. 0, or -1 with
 * nothing left, and one line in err unless an error was told to r.
 */
int gateway_link_open(struct gateway *g, const struct policy *p, const struct policy_link *l,
		      struct glink *to, struct build_link *built, struct policy_report *r,
		      char *err, size_t errsize);
/* Notes what goes to the queue that is read first. 0, or -1 with one line in err. */
int gateway_protect(const struct gateway *g, struct glink *to, char *err, size_t errsize);
/* Packets that a link's queue holds at most. */
uint32_t gateway_held_max(const struct gateway *g);
/* Everything held is accepted; the queue goes. What the kernel was told stays. */
void gateway_link_close(struct glink *l);
/* The rules for these links, and what others can know of them (claim.h). */
int gateway_rules(struct gateway *g, const struct glink *link, size_t n, char *err,
		  size_t errsize);
bool gateway_same_interfaces(const struct policy_link *a, const struct policy_link *b);
/* How they are now. 0, or -1 with err. */
int gateway_ifaces(struct glink *l, char *err, size_t errsize);
/* From each to all. */
void gateway_ifaces_sum(struct glink *l);
/* "lan0,lan1"; false: no memory. */
bool gateway_iface_names(const struct policy_link *l, char **to);
/* To the log: its interfaces that are not there. */
void gateway_tell_missing(const struct gateway *g, const struct glink *l);
/* Whether a link's large segments are to be taken whole. */
bool gateway_gso(const struct policy_link *l);
/* The values that a policy's classes set. */
uint64_t gateway_dscp(const struct policy *p);
void gateway_free_texts(char **v, size_t n);
/* The link's warnings anew; new ones are logged. */
void gateway_look(struct gateway *g, struct glink *l);

/* ---- gateway_sets.c */

/* Follows the sets of the policy in force, and no longer those of another. 0, or -1 with err.
 */
int gateway_sets_follow(struct gateway *g, char *err, size_t errsize);
void gateway_sets_end(struct gateway *g);
/* 0, or -1: no memory; what is there is to be freed. */
int gateway_sets_copy(const struct gateway *g, struct gateway_snapshot *s);

/* ---- gateway_judge.c: what is wrong. */

/*
 * Shows the judge what a link has counted by `now`. h and loss: NULL where it has no queue.
 * What `loss` says (its texts) must live as long as the gateway.
 */
void gateway_serve(struct gateway *g, struct glink *l, uint64_t now,
		   const struct worker_health *h, const struct judge_loss loss[LOSS_N]);
/* l->link is of a new policy now, and the old one is still there. */
void gateway_serve_on(struct glink *l);
void gateway_serve_end(struct glink *l);
/* All that is wrong, into a snapshot whose links are there. 0, or -1: no memory. */
int gateway_findings(const struct gateway *g, struct gateway_snapshot *s);
void gateway_findings_free(struct gateway_snapshot *s);

/* ---- gateway_shed.c: what floods. */

/* Takes over what was shed so far. */
void gateway_shed_read(struct glink *l);

/* ---- gateway_kernel.c: links with `backend: kernel` and `backend: mark`. */

/*
 * Reads the device of a link and makes its plan; changes nothing. What the kernel cannot do
 * exactly is told to r as warnings. 0, also when the interface is not there or the backend is
 * queue; -1 as gateway_link_open().
 */
int gkernel_prepare(const struct gateway *g, const struct policy *p,
		    const struct policy_link *l, const struct ifwatch_state *iface,
		    struct gkernel *k, struct policy_report *r, char *err, size_t errsize);
/* Makes it so. 0, also without a target; -1 with one line in err, and the kernel as before. */
int gkernel_apply(struct gateway *g, const struct policy_link *l, struct gkernel *k, char *err,
		  size_t errsize);
/* Takes that back. `before`: what was there until then; NULL: nothing of this gateway. */
void gkernel_revert(struct gateway *g, const struct policy_link *l, struct gkernel *k,
		    const struct gkernel *before);
/*
 * Alone with the kernel's traffic control, of all weirs: `weir tc apply` and `remove` wait, or
 * were waited for, `ms` at most. For who has nothing to do there, nothing. 0, or -1 with one
 * line in err; gkernel_unlock() after 0.
 */
#define GKERNEL_WAIT 10000u /* ms */
int gkernel_lock(const struct gateway *g, unsigned ms, char *err, size_t errsize);
/* The line for it: errno of tc_lock_take(), after `ms`. -1. */
int gkernel_locked_out(unsigned ms, char *err, size_t errsize);
void gkernel_unlock(const struct gateway *g);
/* For a worker; NULL: it schedules by itself. */
const uint32_t *gkernel_classids(const struct policy_link *l, const struct gkernel *k);
/* Packets that wait in the kernel. */
uint64_t gkernel_waiting(const struct gkernel *k);
/*
 * Once a worker decides about a link's packets: rules of this gateway, or of an earlier one,
 * that classify before address translation would decide again behind it.
 */
void gkernel_silence(struct gateway *g, const struct policy_link *l);
/* What was made for a link goes from the kernel, and what waits there with it: that is told. */
void gkernel_remove(struct gateway *g, const struct policy_link *l, const struct gkernel *k);
/*
 * Its interface is another one than it was made for, or has another name: what was made for the
 * link goes from the old one, if that is there yet. What classifies before address translation
 * goes by names and stays.
 */
void gkernel_leave(struct gateway *g, const struct policy_link *l, struct gkernel *k);
/* Tables that were only emptied so far. Once nothing is held any more. */
void gkernel_remove_tables(struct gateway *g);
/* Gives the memory back; the kernel keeps what it has. */
void gkernel_forget(struct gkernel *k);
/* The interface of a link is there: it gets what is not there yet. */
void gkernel_come(struct gateway *g, struct glink *l);
/* A call of fn for each thing that is not as it was made. */
void gkernel_look(const struct gateway *g, const struct glink *l,
		  void (*fn)(void *arg, const char *text), void *arg);

/*
 * gateway_carry.c, around a change of a link's classes: what they have counted before it, to be
 * freed (NULL: no memory); and once it is done, and
 * cannot be taken back any more (it is read anew), what of that is no more is added to *g.
 */
struct gkernel_before *gkernel_count(const struct gkernel *k);
void gkernel_carry(struct gkernel_before *b, const struct gkernel *k, struct gkernel_gone *g);
void gkernel_before_free(struct gkernel_before *b);

#endif
