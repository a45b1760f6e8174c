/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Policy tests: the file NAME.test.yaml, what it asks for, and what came of it.
 *
 *     wtest_read()   the file, whole and checked, with its policy: every error with its place
 *     wtest_run()    one test through the engine: its results
 *     wtest_out      results for people, as TAP, as JUnit XML, as JSON: one set of facts
 *
 * The format is in man/weir-test.5. Times are nanoseconds from the test's origin, which
 * is the first packet of its capture, or 0.
 */
#ifndef WEIR_GW_WTEST_H
#define WEIR_GW_WTEST_H

#include "gw/synth.h"
#include "qos/account.h"
#include "qos/dissect.h"
#include "qos/filter.h"
#include "qos/policy.h"

#define WTEST_EXPECT_MAX 256	  /* of one test */
#define WTEST_CHECKS_MAX 32	  /* of one expectation */
#define WTEST_SIZE_MAX (4u << 20) /* bytes of a test file */
#define WTEST_MADE_MAX 20000000u  /* synthetic packets of one test */
#define WTEST_DETAILS_MAX 5	  /* packets shown for one failure */

enum wtest_unit { WTEST_TIME, WTEST_RATE, WTEST_BYTES, WTEST_COUNT, WTEST_PERCENT };

enum wtest_metric {
	WTEST_P50,
	WTEST_P90,
	WTEST_P95,
	WTEST_P99,
	WTEST_P999,
	WTEST_MAX,
	WTEST_MEAN,
	WTEST_JITTER,
	WTEST_THROUGHPUT,
	WTEST_SHARE, /* of what its link sent, in thousandths of a percent, like LOSS */
	WTEST_LOSS,
	WTEST_PACKETS, /* that came */
	WTEST_CAME,    /* bytes that came */
	WTEST_SENT,
	WTEST_SENT_BYTES,
	WTEST_MARKS,
	WTEST_DROPS,
	WTEST_DROPS_LIMIT,
	WTEST_DROPS_AQM,
	WTEST_DROPS_DEADLINE,
	WTEST_DROPS_MEMORY,
	WTEST_METRICS
};

/* "<= 10ms" and the like: what is found must be in [lo, hi]. */
struct wtest_check {
	enum wtest_metric metric;
	uint64_t lo, hi;
	char *text; /* as written */
	struct policy_mark at;
};

enum wtest_objectives { WTEST_OBJ_NONE, WTEST_OBJ_MET, WTEST_OBJ_MISSED };

/*
 * About whom: the packets of `filter`, or of a stream, or of a 5-tuple; else those of
 * the class; else those of the link. With a filter or flow, the class is what is
 * expected of each of their packets.
 */
struct wtest_expect {
	struct policy_mark at;
	char *filter_text;
	struct filter filter;
	char *flow_text;
	int stream; /* index of the test's stream; -1: none */
	bool has_key;
	struct flow_key key; /* without nexthdr */
	char *class_text, *link_text;
	struct policy_mark class_at;
	const struct policy_class *class; /* a link's root where only a link was said */
	bool nowhere;			  /* class "-": on no link */
	bool windowed;
	uint64_t from, to; /* [from, to) of the origin */
	struct wtest_check check[WTEST_CHECKS_MAX];
	unsigned n_check;
	enum wtest_objectives objectives;
	struct policy_mark objectives_at;
	int dscp; /* that its packets leave with; -1: not asked */
	struct policy_mark dscp_at;
};

struct wtest {
	char *name;
	struct policy_mark at;
	const struct policy_link *link; /* NULL: all */
	char **capture;			/* paths, resolved */
	size_t n_capture;
	struct synth_stream *stream;
	size_t n_stream;
	struct wtest_expect *expect;
	size_t n_expect;
};

struct wtest_file {
	char *path;
	char *policy_path;
	struct policy *policy;
	struct wtest *test;
	size_t n;
};

/* NULL after errors, all of them told to r. At least one test otherwise. */
struct wtest_file *wtest_read(const char *path, struct policy_report *r);
/* The same from memory; `path` says where relative paths start. */
struct wtest_file *wtest_read_mem(const void *text, size_t size, const char *path,
				  struct policy_report *r);
void wtest_free(struct wtest_file *f);

/* One expectation that does not hold. */
struct wtest_failure {
	struct policy_mark at;
	char *what; /* "p99 delay of class voice" */
	char *expected, *found;
	char **detail; /* the packets or classes that broke it */
	size_t n_detail;
};

enum wtest_status { WTEST_OK, WTEST_FAILED, WTEST_ERROR };

struct wtest_result {
	const struct wtest *test;
	enum wtest_status status;
	char *error; /* WTEST_ERROR: why it could not run */
	struct policy_mark error_at;
	struct wtest_failure *failure;
	size_t n_failure;
	size_t expectations; /* single conditions that were judged */
	uint64_t packets, sent, dropped, passed, waiting;
	uint64_t time; /* ns from the origin to the last event */
};

/* Runs a test. Complaints that are no results (a capture cut off) go to r. */
void wtest_run(const struct wtest_file *f, const struct wtest *t, struct wtest_result *res,
	       struct policy_report *r);
void wtest_result_fini(struct wtest_result *res);

/* The results of one file, as the printers want them. */
struct wtest_report {
	char *path;
	char *broken; /* the file could not be read: its errors, a line each; else NULL */
	struct wtest_result *result;
	size_t n;
};
struct wtest_totals {
	size_t tests, ok, failed, errors; /* a broken file is an error, and no test */
};
struct wtest_totals wtest_total(const struct wtest_report *v, size_t n);

/* Printers of all files. 0, or -1: writing failed. */
int wtest_out_text(FILE *out, const struct wtest_report *v, size_t n, bool verbose);
int wtest_out_tap(FILE *out, const struct wtest_report *v, size_t n);	/* version 13 */
int wtest_out_junit(FILE *out, const struct wtest_report *v, size_t n); /* XML */
int wtest_out_json(FILE *out, const struct wtest_report *v, size_t n);

/* Values (wtest_value.c) */
enum wtest_unit wtest_metric_unit(enum wtest_metric m);
const char *wtest_metric_name(enum wtest_metric m);
/* "<= 10ms", "< 5", ">= 4mbit", "> 0", "= 3", "3", "9ms..11ms". 0, or -1 with err. */
int wtest_cmp_parse(const char *text, enum wtest_unit unit, uint64_t *lo, uint64_t *hi,
		    char *err, size_t errsize);
#define WTEST_VALUE_TEXT 40
/* Exact, in a unit that reads well: "12.345678ms". */
const char *wtest_value_text(uint64_t v, enum wtest_unit unit, char buf[WTEST_VALUE_TEXT]);
/* "udp 192.168.1.10:12000 > [2001:db8::1]:53". 0, or -1 with err. */
int wtest_flow_parse(const char *text, struct flow_key *key, char *err, size_t errsize);
/* Big enough for any. */
#define WTEST_FLOW_TEXT 128
const char *wtest_flow_text(const struct flow_key *key, char buf[WTEST_FLOW_TEXT]);
/* "192.168.1.10", "10.0.0.1-10.0.0.200"; both families. 0, or -1 with err. */
int wtest_hosts_parse(const char *text, uint8_t *version, struct synth_hosts *h, char *err,
		      size_t errsize);
/* A whole number; 0, or -1 when it is none or above max. */
int wtest_number_parse(const char *text, uint64_t max, uint64_t *v);

#endif
