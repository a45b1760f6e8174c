/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The gateway: the links of a policy on live packets. One object, driven by one thread (the
 * main one), with a worker for each link.
 *
 *     gateway_open()     all or nothing: queues, engines, table, threads, rules
 *     gateway_reload_begin(), gateway_reload_step()
 *                        another policy takes over, or nothing changes
 *     gateway_close()    all that is held is accepted, in order; rules and queues go
 *
 * Those who show it (control socket, metrics) ask gateway_snapshot(): plain data, no
 * pointers into a policy, nothing shared with a worker.
 */
#ifndef WEIR_GW_GATEWAY_H
#define WEIR_GW_GATEWAY_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <net/if.h>
#include <stdint.h>

#include "gw/rule.h"
#include "gw/shed.h"
#include "gw/worker.h"
#include "qos/judge.h"
#include "qos/policy.h"

struct gateway;
struct tc_can; /* tc_plan.h */

/* What the gateway asks of a policy beyond its being valid. 0, or -1: told to r. */
int gateway_check(const struct policy *p, struct policy_report *r);

/* Whether any link of a policy goes through weir's HTB. */
bool gateway_any_in_kernel(const struct policy *p);

struct gateway_opts {
	struct policy *policy; /* the gateway's when gateway_open() succeeds */
	const char *file;      /* where a reload reads it anew; must live */
	uint16_t queue_from;   /* first number to try; 0: GATEWAY_QUEUE_FROM */
	/*
	 * What the kernel's traffic control has, from tc_probe(); must live. NULL: not known,
	 * and links that need it fail.
	 */
	const struct tc_can *can;
	/*
	 * From tc_lock_open(); must stay open. -1: what `weir tc` does at the same moment is
	 * not waited for.
	 */
	int tc_lock;
	/* a line for the log; level as syslog's (3 error, 4 warning, 6 info) */
	void (*log)(void *arg, int level, const char *text);
	void *arg;
};
#define GATEWAY_QUEUE_FROM 21000

/*
 * NULL with one line in err, and nothing of it left behind; *second: another weir runs in
 * this network namespace.
 */
struct gateway *gateway_open(const struct gateway_opts *o, bool *second, char *err,
			     size_t errsize);
/*
 * Reads the policy's file again and lets it take over. The large part is done by a thread of
 * its own (gateway_build.h) while the gateway goes on; gateway_reload_step() is to be called
 * when gateway_reload_fd() is readable, and after gateway_reload_wait() ms, and does the rest.
 *
 * begin: 0, or -1 with one line in err: there is no thread for it. Not while one is under way.
 */
int gateway_reload_begin(struct gateway *g, char *err, size_t errsize);
bool gateway_reloading(const struct gateway *g);
/* What it does by now, in a few words. */
const char *gateway_reload_doing(const struct gateway *g);
int gateway_reload_fd(const struct gateway *g);	  /* -1: nothing to wait for */
int gateway_reload_wait(const struct gateway *g); /* ms; -1: no such time */
/*
 * GOES_ON: it is not done yet. Else it has ended: TOOK_OVER, or FAILED, when nothing changed
 * and what failed is one line in err (may be empty when errors were told to r). In both cases
 * complaints were told to r.
 */
enum gateway_reload { RELOAD_GOES_ON, RELOAD_TOOK_OVER, RELOAD_FAILED };
enum gateway_reload gateway_reload_step(struct gateway *g, struct policy_report *r, char *err,
					size_t errsize);
void gateway_close(struct gateway *g);

/* To be called when it is readable: interfaces that come and go. */
int gateway_fd(const struct gateway *g);
void gateway_event(struct gateway *g);
/* The same for sets of addresses that change; -1: there are none. Another one after a reload.
 */
int gateway_sets_fd(const struct gateway *g);
void gateway_sets_event(struct gateway *g);
/* To be called every second or so: looks for what was lost or taken away, and logs it once. */
void gateway_tick(struct gateway *g);
/*
 * What floods is shed: to be called with alarm when that is readable, and without after
 * gateway_shed_wait() ms. -1: nothing to wait for.
 */
int gateway_alarm_fd(const struct gateway *g);
int gateway_shed_wait(const struct gateway *g);
void gateway_shed(struct gateway *g, bool alarm);
/* Whether every worker still runs: for a watchdog. */
bool gateway_alive(struct gateway *g);

/* ---- What it looks like from outside; owned by the caller, gateway_snapshot_free(). */

struct gateway_class {
	char *path; /* "work/ssh"; "" is the link itself, which comes first */
	bool leaf;
	uint64_t min_bps, max_bps, max_latency, max_jitter; /* 0: none */
	uint32_t weight;
	struct account account;
};

struct gateway_link {
	char *name, *interface; /* of several: "lan0,lan1" */
	struct {
		char name[IFNAMSIZ];
		bool up;
	} each[POLICY_INTERFACES_MAX];
	size_t n_each; /* 0: not known */
	uint64_t now;  /* CLOCK_MONOTONIC ns: when its worker, or the kernel, was asked */
	uint64_t rate_bps;
	bool up; /* the interface is there and up */
	uint32_t mtu;
	enum policy_backend backend;
	/* Nobody looks after it since `weir tc apply`: that policy's file, and CLOCK_REALTIME
	 * ns */
	char *policy; /* NULL: it is a gateway's */
	uint64_t applied;
	/*
	 * Backends mark and kernel: where the kernel's classes are (the interface, or the ifb
	 * for what comes in); NULL: the interface has not been there so far. The accounts are
	 * the kernel's own counts since it made a class: in, sent, dropped (all of it as
	 * PKT_DROP_LIMIT) and the backlog; nothing else of an account is known.
	 */
	char *device;
	bool programmed; /* the classes are there, as far as weir knows */
	/* What belongs to the queue and its thread; backend kernel has none: zero. */
	uint16_t queue;
	uint16_t first_queue; /* the one that is read first */
	unsigned first_rules; /* by which packets go to it */
	unsigned untold;      /* classes with promises of which not all packets can be told */
	bool segments; /* large segments are taken whole, as far as the kernel has said */
	bool linear;   /* the kernel searches a list: held_max is small for that */
	uint32_t held_max;
	struct engine_stats engine;
	struct worker_health health;
	/* what is dropped before it is read; shed_pps: what each host, or all, may have */
	uint64_t shed_pps;
	struct shed shed;
	struct rule_shed_counts shed_counts;
	uint64_t kernel_dropped, kernel_user_dropped; /* /proc/net/netfilter/nfnetlink_queue */
	/*
	 * In file order, parents before children. An inner class has what its leaves have,
	 * which with many of them were copied some microseconds apart; so
	 * in == sent + dropped + waiting in each.
	 */
	size_t n_class;
	struct gateway_class *class;
	/* what this link misses, and what helps: one line each */
	char **warning;
	size_t n_warning;
	/* what would be, but the policy accepts it (accepted-warnings) */
	char **accepted;
	size_t n_accepted;
};

/*
 * Something that is wrong, or worth knowing: of the plumbing, or of a class's service
 * (qos/judge.h). All that show the gateway show this one list.
 */
struct gateway_finding {
	enum judge_kind kind;
	enum judge_severity severity;
	char *link;  /* NULL: the gateway as a whole */
	char *class; /* path; NULL or "": the link as a whole */
	/* CLOCK_MONOTONIC ns: begin of its first, end of its last bad moment; 0: not known */
	uint64_t since, last;
	char *what, *cause, *remedy; /* the last two NULL or "": not known */
};

/* A set of addresses that the policy asks for. */
struct gateway_set {
	char *name; /* as the policy has it: a file, or "inet filter kids" */
	bool nft;
	uint64_t ranges;  /* of addresses */
	uint64_t changed; /* CLOCK_MONOTONIC ns; 0: it did not since the policy was read */
};

struct gateway_snapshot {
	uint64_t now, started; /* CLOCK_MONOTONIC ns */
	uint64_t wall;	       /* CLOCK_REALTIME ns of `now` */
	char *policy;	       /* file */
	bool standing;	       /* no gateway: what `weir tc apply` made (standing.h) */
	uint64_t generation;   /* 1, and one more for every reload that took over */
	uint64_t reloads_failed;
	uint64_t reloaded; /* CLOCK_MONOTONIC ns of the last that took over; 0: none */
	bool native;	   /* nftables' own `queue` expression */
	bool intact;	   /* the rules are as they were made */
	size_t n_link;
	struct gateway_link *link;
	size_t n_set;
	struct gateway_set *set;
	struct gateway_finding *finding; /* of each link the worst first */
	size_t n_finding;
};
/* A host's address. */
void gateway_shed_name(const struct heavy_host *h, char text[INET6_ADDRSTRLEN]);
/* Whether nothing in it is a warning. */
bool gateway_well(const struct gateway_snapshot *s);
/*
 * For whoever makes one: a finding more, of which only those are set. NULL: no memory.
 */
struct gateway_finding *gateway_finding_add(struct gateway_snapshot *s, enum judge_kind k,
					    enum judge_severity sev, const char *link,
					    const char *what);
/* NULL: no memory. */
struct gateway_snapshot *gateway_snapshot(struct gateway *g);
void gateway_snapshot_free(struct gateway_snapshot *s);

#endif
