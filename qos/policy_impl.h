/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the parts of the policy reader share; nobody else includes it.
 *
 *   policy_read.c   walks the tree by the tables of keys
 *   policy_value.c  one value into one field
 *   policy_beside.c  criteria beside a packet's bytes
 *   policy_set.c    sets of addresses
 *   policy_interface.c  the interfaces of a link
 *   policy_fill.c   defaults and effective values
 *   policy_check.c, policy_check_rate.c  what cannot hold
 *   policy_compile.c  the filters' programs
 *
 * While a policy is read, each class and each link has a draft beside it that knows
 * where its keys stand, which of them were written and which of them were wrong: a
 * wrong value is complained of once, and whatever depends on it is left alone.
 */
#ifndef WEIR_QOS_POLICY_IMPL_H
#define WEIR_QOS_POLICY_IMPL_H

#include "qos/policy.h"
#include "qos/ytree.h"

#define POLICY_RATE_MAX 1000000000000ULL  /* bit/s */
#define POLICY_BURST_MAX 500000000ULL	  /* bytes; what sched/bucket.h can hold */
#define POLICY_TIME_MAX 86400000000000ULL /* ns; a day */
#define POLICY_LIMIT_MAX 10000000U	  /* packets */
#define POLICY_LIMIT_BYTES_MAX 100000000000ULL
#define POLICY_NAME_MAX 255
#define POLICY_FILTER_MAX 65535 /* bytes of one filter */
#define POLICY_FULL_PACKET 1500 /* bytes of IP in what is called a full packet */

enum class_key {
	CK_NAME,
	CK_MATCH,
	CK_DSCP,
	CK_MARK,
	CK_MAC,
	CK_IN_INTERFACE,
	CK_SET,
	CK_DEFAULT,
	CK_MIN,
	CK_MAX,
	CK_BURST,
	CK_WEIGHT,
	CK_PRIORITY,
	CK_SCHEDULER,
	CK_CLASSES,
	CK_QUEUE,
	CK_LIMIT,
	CK_TARGET,
	CK_INTERVAL,
	CK_FLOWS,
	CK_QUANTUM,
	CK_ECN,
	CK_ISOLATION,
	CK_FLOW_MAX,
	CK_HOST_MAX,
	CK_HOST_PREFIX,
	CK_DEADLINE,
	CK_MAX_LATENCY,
	CK_MAX_JITTER,
	CK_SET_DSCP,
	CK_N
};

enum link_key {
	LK_NAME,
	LK_INTERFACE,
	LK_DIRECTION,
	LK_BACKEND,
	LK_ACCEPTED,
	LK_CAPTURE,
	LK_CONTROL,
	LK_CONTROL_RATE,
	LK_RATE,
	LK_OVERHEAD,
	LK_MPU,
	LK_LINKLAYER,
	LK_BURST,
	LK_SCHEDULER,
	LK_CLASSES,
	LK_N
};

#define BIT(k) (1ULL << (k))
#define UNKNOWN_KEY (1ULL << 63) /* in `bad`: there was a key that is none */

struct class_draft {
	struct policy_class *c;
	const struct ynode *map; /* the link's for its root */
	uint64_t seen, bad;	 /* BIT(enum class_key); bad also UNKNOWN_KEY */
	bool vague;		 /* its list of classes had errors: do not count on it */
};

struct link_draft {
	struct policy_link *l;
	const struct ynode *map;
	uint64_t seen, bad;	   /* BIT(enum link_key) */
	struct class_draft *draft; /* by policy_class.index */
	size_t cap;
};

struct reader {
	struct policy *p;
	struct policy_report *r;
	struct link_draft *link; /* the one being read */
	bool no_memory;
};

/* One key of an object: how its value is read, where to, and what range it has. */
struct policy_key {
	const char *name;
	bool (*get)(struct reader *rd, const struct policy_key *k, const struct ynode *v,
		    void *obj); /* false: complained of, field untouched */
	size_t off;
	int64_t lo, hi;
	const char *const *names;
};

/* Complaints with the reader's file; marks are given. */
#define complain(rd, sev, at, ...) policy_complain((rd)->r, sev, (rd)->p->file, at, __VA_ARGS__)

/* policy_units.c */
enum unit_kind {
	UNIT_RATE = 1,
	UNIT_SIZE = 2,
	UNIT_TIME = 4,
	UNIT_PACKETS = 8,
	UNIT_SHARE = 16
};
/*
 * A number with one of the units of `kinds` (a set). The value in bit/s, bytes, ns,
 * packets or 1/100 %. bare: a number without unit is taken as this kind's smallest;
 * 0: it is an error. 0, or -1 with err.
 */
int units_parse(const char *s, unsigned kinds, enum unit_kind bare, enum unit_kind *kind,
		uint64_t *value, char *err, size_t errsize);
const char *units_text(enum unit_kind kind, uint64_t value, char buf[POLICY_UNIT_TEXT]);
/* A whole decimal number with an optional sign; false: it is none, or too large. */
bool units_number(const char *s, int64_t *n);

/* policy_value.c, policy_overhead.c, policy_net.c: the get functions of the tables */
bool value_name(struct reader *, const struct policy_key *, const struct ynode *, void *);
bool value_interface(struct reader *, const struct policy_key *, const struct ynode *, void *);
bool value_interfaces(struct reader *, const struct policy_key *, const struct ynode *, void *);
bool value_filters(struct reader *, const struct policy_key *, const struct ynode *, void *);
bool value_rate(struct reader *, const struct policy_key *, const struct ynode *, void *);
bool value_share(struct reader *, const struct policy_key *, const struct ynode *, void *);
bool value_size(struct reader *, const struct policy_key *, const struct ynode *, void *);
bool value_bytes(struct reader *, const struct policy_key *, const struct ynode *, void *);
bool value_time(struct reader *, const struct policy_key *, const struct ynode *, void *);
bool value_number(struct reader *, const struct policy_key *, const struct ynode *, void *);
bool value_enum(struct reader *, const struct policy_key *, const struct ynode *, void *);
bool value_enum_set(struct reader *, const struct policy_key *, const struct ynode *, void *);
bool value_bool(struct reader *, const struct policy_key *, const struct ynode *, void *);
bool value_limit(struct reader *, const struct policy_key *, const struct ynode *, void *);
bool value_dscp(struct reader *, const struct policy_key *, const struct ynode *, void *);
bool value_dscp_set(struct reader *, const struct policy_key *, const struct ynode *, void *);
bool value_overhead(struct reader *, const struct policy_key *, const struct ynode *, void *);
bool value_control(struct reader *, const struct policy_key *, const struct ynode *, void *);
bool value_host_prefix(struct reader *, const struct policy_key *, const struct ynode *,
		       void *);
bool value_marks(struct reader *, const struct policy_key *, const struct ynode *, void *);
bool value_macs(struct reader *, const struct policy_key *, const struct ynode *, void *);
bool value_in_interfaces(struct reader *, const struct policy_key *, const struct ynode *,
			 void *);
bool value_sets(struct reader *, const struct policy_key *, const struct ynode *, void *);
bool value_inside(struct reader *, const struct policy_key *, const struct ynode *, void *);

/* What those are made of. The text of a scalar; NULL: complained of. */
const char *value_scalar(struct reader *rd, const struct policy_key *k, const struct ynode *v);
/* A whole number in k->lo..hi. */
bool value_whole(struct reader *rd, const struct policy_key *k, const struct ynode *v,
		 int64_t *n);
/* A number with a unit of one kind, k->lo..hi of its smallest; bare: see units_parse(). */
bool value_ranged(struct reader *rd, const struct policy_key *k, const struct ynode *v,
		  enum unit_kind kind, enum unit_kind bare, uint64_t *value);
/*
 * Calls `one` for each entry of a list, or for a value that stands alone. False when
 * the list is empty or an entry was wrong; the other entries are read all the same.
 */
bool value_each(struct reader *rd, const struct policy_key *k, const struct ynode *v, void *obj,
		bool (*one)(struct reader *, const struct policy_key *, const struct ynode *,
			    void *));
/* "x is not known (did you mean ...?)" or, when nothing is near, all that there is. */
void value_unknown(struct reader *rd, const char *what, const struct ynode *v,
		   const char *const *names);
/* policy_words.c: names that begin with the word, as '"a", "b" or "c"'; how many they are. */
size_t policy_longer_forms(const char *word, const char *const *names, char *all, size_t size);
/* The one of `names` that says what a key of another program says there; NULL: none. */
const char *policy_synonym(const char *word, const char *const *names);
/* Replaces *to by a copy of text. */
bool value_keep(struct reader *rd, char **to, const char *text);

/* policy_beside.c */
void policy_beside_free(struct policy_beside *b);
void policy_beside_print(FILE *out, int depth, const struct policy_beside *b);
/* policy_print.c: text as YAML reads it back. */
void policy_put_text(FILE *out, const char *text);

/* policy_set.c */
void policy_sets_free(struct policy *p);
void policy_sets_print(FILE *out, int depth, const struct policy_beside *b);
bool policy_sets_cover(const struct policy_beside *a, const struct policy_beside *b);
/* policy_beside.c: the class's criteria, made when the first is written; NULL: no memory */
struct policy_beside *policy_beside_of(struct reader *rd, const struct ynode *v, void *obj);

/* policy_net.c: a network or an address; false: *why it is none. */
bool policy_parse_net(const char *s, struct policy_net *net, const char **why);
/* Clears what is behind the prefix; whether there was anything. */
bool policy_clear_host_bits(struct policy_net *net);
/* The networks that are inside when none are written. false: no memory */
bool policy_inside_default(struct policy *p);

/* policy_fill.c, policy_check.c: for one link. Fill first; check tells what is wrong. */
void policy_fill_link(struct reader *rd);
void policy_check_link(struct reader *rd);
void policy_check_rates(struct reader *rd);
/* The larger of two full packets and what 1 ms at this rate is. */
uint64_t policy_default_burst(const struct policy_link *l, uint64_t bps);
/* policy_control.c, after them: the last class; bad: its keys had errors. */
void policy_control_build(struct reader *rd, bool bad);
/* How complaints call a class: class "work/ssh", or link "wan-up" for a root. */
struct policy_shown policy_label(const struct policy_class *c);
struct policy_mark policy_key_mark(const struct class_draft *d, enum class_key k);
struct policy_mark policy_value_mark(const struct class_draft *d, enum class_key k);
/* After all links. */
void policy_check_links(struct reader *rd, const struct link_draft *d, size_t n);

/*
 * Compiles every filter; those that do not compile are told to r and left without a program.
 * The policy may be incomplete.
 */
void policy_compile(struct policy *p, struct policy_report *r);

extern const struct policy_key policy_class_keys[CK_N];
extern const struct policy_key policy_link_keys[LK_N];
extern const char *const policy_scheduler_names[];
extern const char *const policy_queue_names[];
extern const char *const policy_isolation_names[];
extern const char *const policy_linklayer_names[];
extern const char *const policy_direction_names[];
extern const char *const policy_around_names[];
extern const char *const policy_backend_names[];
extern const char *const policy_side_names[];

#endif
