/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The policy: what an admin wrote, read, completed with defaults and checked.
 *
 * policy_read() parses YAML (libyaml) and reports every error of the file in one
 * run, each with its place. policy_check() (part of reading) refuses what cannot
 * hold. policy_print() writes the policy with all defaults filled in; its output
 * is a policy that means the same.
 *
 * Units everywhere: bits per second, bytes, nanoseconds, in 64 bits.
 * A policy owns all it points to, the programs of its filters among them;
 * policy_free() ends it. After reading it is never changed, so threads may share it.
 */
#ifndef WEIR_QOS_POLICY_H
#define WEIR_QOS_POLICY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define POLICY_DEPTH_MAX 8	 /* levels of classes below a link */
#define POLICY_CLASSES_MAX 65000 /* classes of one link, the link's root included */
#define POLICY_WEIGHT_MAX 1000000

enum policy_scheduler {
	POLICY_SCHED_FIFO,
	POLICY_SCHED_FAIR,
	POLICY_SCHED_DRR,
	POLICY_SCHED_WFQ,
	POLICY_SCHED_PRIORITY,
};

enum policy_queue { POLICY_QUEUE_FIFO, POLICY_QUEUE_CODEL, POLICY_QUEUE_FQ_CODEL };

enum policy_isolation {
	POLICY_ISO_FLOWS,
	POLICY_ISO_SRCHOST,
	POLICY_ISO_DSTHOST,
	POLICY_ISO_DUAL_SRCHOST,
	POLICY_ISO_DUAL_DSTHOST,
};

enum policy_linklayer { POLICY_LL_ETHERNET, POLICY_LL_ATM, POLICY_LL_PTM };

/* Which of an interface's packets a link has: those that leave by it, or those that come. */
enum policy_direction { POLICY_EGRESS, POLICY_INGRESS };
static inline enum policy_direction policy_opposite(enum policy_direction d)
{
	return d == POLICY_EGRESS ? POLICY_INGRESS : POLICY_EGRESS;
}

/*
 * Who classifies and who schedules when the link runs on a host: weir both; weir classifies and
 * the kernel's HTB schedules; the kernel both.
 */
enum policy_backend { POLICY_BACKEND_QUEUE, POLICY_BACKEND_MARK, POLICY_BACKEND_KERNEL };
/* What goes round a link on a host, or stands behind it: of what kind. */
enum policy_around {
	POLICY_AROUND_BRIDGE,
	POLICY_AROUND_FLOWTABLE,
	POLICY_AROUND_XDP,
	POLICY_AROUND_FILTER,
	POLICY_AROUND_QDISC,
	POLICY_AROUND_N
};

/* A place in a file, both from 1; 0 when it was not written but defaulted. */
struct policy_mark {
	int line, col;
};

/* A tcpdump filter as written, with its place. */
struct policy_filter {
	char *text;
	struct policy_mark mark;
};

struct filter; /* qos/filter.h */
struct policy_filters {
	struct policy_filter *v;
	struct filter *compiled; /* beside v; NULL: not compiled (policy_read_uncompiled()) */
	size_t n;
};

/* A network; the bits behind the prefix are 0. */
struct policy_net {
	uint8_t family; /* 4 or 6 */
	uint8_t plen;
	uint8_t addr[16];
};

/*
 * A set of addresses that stands outside of the policy: a file, or a set of nftables. Its
 * number is its place in policy.set. What it holds is not read with the policy
 * (policy_set_give()) and is the only thing of a policy that changes afterwards: only
 * match_new() looks at it, so whoever changes it must not make a matcher at the same time.
 */
#define POLICY_SETS_MAX 1024u
struct addrset; /* qos/addrset.h */
struct policy_set {
	size_t number;
	bool nft;
	char *text; /* as written: a file's name, or "inet filter kids" */
	char *path; /* of a file: `text`, in the policy's folder unless it begins with "/" */
	struct policy_mark at; /* where it is written first */
	struct addrset *addrs; /* NULL: not known */
};
/* Which of a packet's addresses is to be in it. */
enum policy_side { POLICY_EITHER, POLICY_SRC, POLICY_DST };
struct policy_set_use {
	const struct policy_set *set;
	enum policy_side side;
};

/*
 * What a class asks for beside its packets' bytes, or by what is outside of the policy. n 0: no
 * such criterion; kinds are joined by AND, entries of one by OR.
 */
#define POLICY_MARK_OWN 0x7fc00000u /* bits of a packet's mark that are weir's: gw/rule.h */
#define POLICY_IFNAME 16	    /* bytes with a NUL: IFNAMSIZ */
struct policy_fwmark {
	uint32_t value, mask; /* the bits of mask are those of value; none of weir's own */
};
struct policy_ifname {
	char name[POLICY_IFNAME]; /* NULs behind it to the end */
	uint8_t n;		  /* bytes of it */
	bool prefix;		  /* all interfaces whose name begins so */
};
struct policy_beside {
	struct policy_fwmark *mark;
	uint8_t (*mac)[6]; /* of who sent the frame */
	struct policy_ifname *in;
	struct policy_set_use *set;
	size_t n_mark, n_mac, n_in, n_set;
	struct policy_mark at; /* of the first of them */
};

/* A rate; `percent` is kept for printing: in 1/100 %, 0 when it was absolute. */
struct policy_rate {
	uint64_t bps; /* 0: not set */
	uint32_t percent;
	struct policy_mark mark;
};

/* How a queue's limit was written; exactly one of the three is not 0. */
struct policy_limit {
	uint32_t packets;
	uint64_t bytes;
	uint64_t ns; /* at the class's max, else at the link's rate */
	struct policy_mark mark;
};

struct policy_class {
	char *name; /* unique among its siblings; no '/'; "" for a link's root */
	char *path; /* "work/ssh"; "" for a link's root */
	struct policy_mark mark;
	struct policy_link *link;
	struct policy_class *parent; /* NULL for a link's root */
	struct policy_class **child; /* in file order */
	size_t n_child;
	uint32_t index; /* in link->all: 0 is the root, parents before children, file order */

	/* what belongs here: kinds joined by AND, entries of a list by OR */
	struct policy_filters match; /* n == 0: no such criterion */
	uint64_t dscp;		     /* bit d set: DSCP d belongs here; 0: no such criterion */
	struct policy_mark dscp_mark;
	struct policy_beside *beside; /* NULL: no such criterion */
	bool is_default;
	bool control; /* the way of its own for what the link hangs on: policy_link.control */

	/* its share */
	struct policy_rate min; /* as written */
	uint64_t min_bps;	/* effective: at least the sum of its children's; 0: none */
	struct policy_rate max;
	uint64_t burst;	    /* bytes, as written; 0: default (min_burst, max_burst) */
	uint64_t min_burst; /* effective; 0 where there is no such bucket */
	uint64_t max_burst;
	uint32_t weight; /* 1 unless written */
	bool weight_set;
	int32_t priority; /* lower first; where the parent schedules by priority */
	bool priority_set;
	bool weighs; /* effective: its weight counts, by the scheduler and its siblings' numbers
		      */
	enum policy_scheduler scheduler; /* among its classes, if it has any; default: wfq */

	/* its queue, where it has no classes */
	enum policy_queue queue; /* default: fq_codel */
	struct policy_limit limit;
	uint32_t limit_packets; /* effective: never 0; bytes / 64 where only bytes were said */
	uint64_t limit_bytes;	/* effective: 0 no such limit */
	uint64_t target, interval; /* ns; CoDel: 5 ms, 100 ms */
	uint32_t flows;		   /* fq_codel: 1024 */
	uint32_t quantum;	   /* bytes, fq_codel: one full packet as charged */
	bool ecn;		   /* mark instead of dropping; default true with CoDel */
	enum policy_isolation isolation;
	struct policy_rate flow_max, host_max;
	uint8_t host_prefix[2]; /* bits by which hosts are told apart: IPv4 (32), IPv6 (128) */
	uint64_t flow_burst, host_burst; /* effective bytes */
	uint64_t deadline;		 /* ns, 0: none */
	int set_dscp;			 /* -1: leave */

	/* objectives, 0: none */
	uint64_t max_latency, max_jitter;
};

/*
 * What the link itself hangs on goes before all classes, as much of it as a token bucket
 * allows; what is beyond that is classified like everything else (qos/link_control.h).
 */
#define POLICY_CONTROL_NAME "link-control"
struct control_kind;
struct policy_control {
	bool set;			  /* written */
	struct policy_filters match;	  /* while it is read; then the class's */
	const struct control_kind **kind; /* beside class->match.v; NULL where it is a filter */
	struct policy_rate rate;
	/*
	 * NULL: there is none. Else the last of `all`, below the root but not among its
	 * children: a leaf whose max and max_burst are that bucket.
	 */
	struct policy_class *class;
};

struct policy_link {
	char *name;
	char *interface; /* NULL: not said; of several the first */
	char **also;	 /* the others whose packets are on the link as well */
	size_t n_also;
	enum policy_direction direction; /* default: egress */
	enum policy_backend backend;	 /* default: queue */
	uint32_t accepted;		 /* bit k set: an enum policy_around is no warning */
	struct policy_mark mark;
	struct policy_filters capture; /* n == 0: all packets */
	struct policy_control control;
	struct policy_rate rate;
	char *overhead_text; /* as written, for printing */
	int32_t overhead;    /* bytes on top of the IP packet */
	uint32_t mpu;	     /* smallest charged length */
	enum policy_linklayer linklayer;
	uint64_t burst; /* bytes, effective */
	struct policy_class
		*root; /* a class without a name: scheduler and classes of the link */
	/* every class, root first, parents before children; last the one of `control` */
	struct policy_class **all;
	size_t n_all;
};

/* How many interfaces a link has, and which. */
#define POLICY_INTERFACES_MAX 16u
static inline size_t policy_interfaces(const struct policy_link *l)
{
	return l->interface ? 1 + l->n_also : 0;
}
static inline const char *policy_interface(const struct policy_link *l, size_t i)
{
	return i ? l->also[i - 1] : l->interface;
}
bool policy_has_interface(const struct policy_link *l, const char *name);

struct policy {
	char *file; /* as given, for messages */
	struct policy_link **link;
	size_t n_link;
	struct policy_net *inside; /* whose hosts host-max counts; default: private ranges */
	size_t n_inside;
	bool inside_set;
	struct policy_set **set;
	size_t n_set;
};

/*
 * Where complaints go: one call for each, in file order. Errors refuse the policy.
 * A place with line 0 means the file as a whole. The text has no place, no control
 * characters and no newline.
 */
enum policy_severity { POLICY_WARNING, POLICY_ERROR };
struct policy_report {
	void (*fn)(void *arg, enum policy_severity sev, const char *file, struct policy_mark at,
		   const char *text);
	void *arg;
	unsigned errors, warnings; /* counted by policy_complain() */
	/*
	 * NULL, or set by another thread when the answer is of no use any more: what takes
	 * long (compiling filters, match_check()) then ends soon, with an error.
	 */
	const atomic_bool *stop;
};

/* Whether to give up, which the caller then tells to r. */
static inline bool policy_stopped(const struct policy_report *r)
{
	return r && r->stop && atomic_load_explicit(r->stop, memory_order_relaxed);
}

/* Formats and hands on one complaint, and counts it. r may be NULL: nobody listens. */
void policy_complain(struct policy_report *r, enum policy_severity sev, const char *file,
		     struct policy_mark at, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/*
 * Complaints come as they are found; people want them in the order of the file. What
 * is told to g->report between begin and end is handed on by end, sorted by place,
 * and counted there. At most POLICY_COMPLAINTS_MAX are kept, the others are only
 * counted. `file` strings must live until end.
 */
#define POLICY_COMPLAINTS_MAX 10000
struct policy_gather {
	struct policy_report report, *to;
	struct policy_gathered *v;
	size_t n, cap;
	unsigned lost_errors, lost_warnings;
};
void policy_gather_begin(struct policy_gather *g, struct policy_report *to);
void policy_gather_end(struct policy_gather *g);

/*
 * How much of filters a policy may have to compile: a filter of one term counts 1, of n terms
 * 4 * n * n, in groups of FILTER_GROUP (filter_terms.h); one that is there several times, once.
 * All of it takes some 2 s, and half a minute of the worst that was found (port ranges).
 */
#define POLICY_FILTER_WORK_MAX 1000000u

/*
 * Reads a policy from a stream or from memory and compiles its filters. `name` is used
 * in messages. NULL when there was any error, each told to `r`; with warnings only, the
 * policy. Never reads more than POLICY_SIZE_MAX bytes.
 */
#define POLICY_SIZE_MAX (256u << 20)
struct policy *policy_read(FILE *f, const char *name, struct policy_report *r);
struct policy *policy_read_mem(const void *text, size_t size, const char *name,
			       struct policy_report *r);
/*
 * Its filters are left as texts, whatever they say: for those who ask for names and
 * numbers only. No packet can be matched with it (match_new() refuses).
 */
struct policy *policy_read_uncompiled(FILE *f, const char *name, struct policy_report *r);
void policy_free(struct policy *p);

/* Writes the whole policy, every default filled in. 0, or -1 when writing failed. */
int policy_print(const struct policy *p, FILE *out);

/*
 * Whether all packets that meet all of these n also meet a: as far as that can be told from
 * what is written.
 */
bool policy_beside_covers(const struct policy_beside *a, const struct policy_beside *const *all,
			  size_t n);

/* What a set holds from now on; takes it over. */
void policy_set_give(struct policy *p, size_t number, struct addrset *addrs);

const struct policy_link *policy_find_link(const struct policy *p, const char *name);
/* By path ("work/ssh"); NULL when there is none. */
const struct policy_class *policy_find_class(const struct policy_link *l, const char *path);

/*
 * What the line of this link counts for an IP packet of `ip_len` bytes: overhead,
 * then mpu, then ATM cells (48 in 53) or PTM (65 in 64, rounded up), as tc-cake does.
 * At least 1.
 */
static inline uint32_t policy_charge(const struct policy_link *l, uint32_t ip_len)
{
	int64_t len = (int64_t)ip_len + l->overhead;

	if (len < l->mpu)
		len = l->mpu;
	if (len < 1)
		len = 1;
	if (l->linklayer == POLICY_LL_ATM)
		len = (len + 47) / 48 * 53;
	else if (l->linklayer == POLICY_LL_PTM)
		len += (len + 63) / 64;
	return len < (int64_t)UINT32_MAX ? (uint32_t)len : UINT32_MAX;
}

/* Names, as they are written in a policy. */
const char *policy_scheduler_name(enum policy_scheduler s);
const char *policy_queue_name(enum policy_queue q);
const char *policy_isolation_name(enum policy_isolation i);
const char *policy_linklayer_name(enum policy_linklayer l);
const char *policy_direction_name(enum policy_direction d);
const char *policy_around_name(enum policy_around a);
const char *policy_backend_name(enum policy_backend b);
const char *policy_side_name(enum policy_side s);
/* "ef", "cs5", "af41", or "13" where it has no name. buf: at least 8 bytes. */
const char *policy_dscp_name(unsigned dscp, char buf[8]);
/* A name or a number 0-63; -1 when it is neither. */
int policy_dscp_parse(const char *s);

/*
 * Scalars with units, for others who read the same kind of text (tests, options).
 * 0, or -1 with a message that says what would be right in err. It begins with the
 * text in quotes, so that a key in front of it makes a sentence. Exact: what is no
 * whole number of bit/s, bytes or ns is refused, never rounded.
 */
int policy_parse_rate(const char *s, uint64_t *bps, char *err, size_t errsize);
int policy_parse_size(const char *s, uint64_t *bytes, char *err, size_t errsize);
int policy_parse_time(const char *s, uint64_t *ns, char *err, size_t errsize);
/* "02:00:5e:10:00:01", or with "-"; false: it is none. */
bool policy_parse_mac(const char *s, uint8_t mac[6]);
/* The other way, in the largest unit that holds them exactly: "20mbit", "1514b", "5ms". */
#define POLICY_UNIT_TEXT 32
const char *policy_rate_text(uint64_t bps, char buf[POLICY_UNIT_TEXT]);
const char *policy_size_text(uint64_t bytes, char buf[POLICY_UNIT_TEXT]);
const char *policy_time_text(uint64_t ns, char buf[POLICY_UNIT_TEXT]);
/* The best of `names` (NULL-terminated) for a mistyped word, or NULL when none is near. */
const char *policy_suggest(const char *word, const char *const *names);
/*
 * A text from outside made fit for a complaint: cut at some 60 characters, control
 * characters shown as '?'. Use as policy_shown(text).s inside one expression.
 */
struct policy_shown {
	char s[260];
};
struct policy_shown policy_shown(const char *text);
/* The same for all of a text, as far as it fits into `size` bytes (at least 5). */
void policy_printable(char *out, size_t size, const char *text);

#endif
