/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers of a gateway to "stats", made by hand. */
#ifndef WEIR_TESTS_TOP_MADE_H
#define WEIR_TESTS_TOP_MADE_H

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define S UINT64_C(1000000000)
#define MS UINT64_C(1000000)

/* What a class has counted. hist: "[top, n, ...]", NULL: the gateway tells none. */
struct made {
	const char *path;
	bool inner;
	unsigned packets, bytes, waiting, aqm, limit, marked;
	unsigned max_latency_ms, over;
	const char *hist;
};

static json_t *made_facts(const struct made *m)
{
	json_t *j = json_pack(
		"{s:{s:I,s:I},s:{s:I,s:I},s:I,s:{s:I,s:{s:I},s:{s:I},s:{s:I}},s:{s:I}}", "sent",
		"packets", (json_int_t)m->packets, "bytes", (json_int_t)m->bytes, "waiting",
		"packets", (json_int_t)m->waiting, "bytes", (json_int_t)m->waiting * 1000,
		"marked", (json_int_t)m->marked, "dropped", "packets",
		(json_int_t)(m->aqm + m->limit), "aqm", "packets", (json_int_t)m->aqm, "limit",
		"packets", (json_int_t)m->limit, "memory", "packets", (json_int_t)0, "delay_ns",
		"p50", (json_int_t)1);

	assert_non_null(j);
	if (m->hist)
		json_object_set_new(json_object_get(j, "delay_ns"), "histogram",
				    json_loads(m->hist, 0, NULL));
	return j;
}

static json_t *made_class(const struct made *m)
{
	json_t *j = made_facts(m), *limits = json_object();

	json_object_set_new(j, "class", json_string(m->path));
	json_object_set_new(j, "leaf", json_boolean(!m->inner));
	json_object_set_new(limits, "max_latency",
			    m->max_latency_ms ? json_pack("{s:I,s:I}", "limit_ns",
							  (json_int_t)(m->max_latency_ms * MS),
							  "packets_over", (json_int_t)m->over)
					      : json_null());
	json_object_set_new(j, "objectives", limits);
	return j;
}

/* all: the link itself; c: n classes. */
static json_t *made_link(const char *name, const struct made *all, const struct made *c,
			 size_t n)
{
	json_t *j = made_facts(all), *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, made_class(&c[i]));
	json_object_update_new(
		j, json_pack("{s:s,s:s,s:b,s:I,s:[],s:o,s:{s:I,s:I,s:I,s:I,s:{s:[I,I]}}}",
			     "name", name, "interface", "eth0", "up", 1, "rate_bps",
			     (json_int_t)20000000, "warnings", "classes", list, "health",
			     "held_packets", (json_int_t)3, "held_bytes", (json_int_t)4500,
			     "cpu_ns", (json_int_t)(50 * MS), "vanished", (json_int_t)0,
			     "wakeup_late_ns", "histogram", (json_int_t)64000, (json_int_t)7));
	return j;
}

/* Takes one link. */
static json_t *made_answer(uint64_t now, uint64_t uptime, unsigned generation, json_t *link)
{
	json_t *j =
		json_pack("{s:b,s:s,s:s,s:I,s:I,s:I,s:I,s:b,s:[o]}", "ok", 1, "weir", "0.1.0",
			  "policy", "/etc/weir/policy.yaml", "now_ns", (json_int_t)now,
			  "uptime_ns", (json_int_t)uptime, "generation", (json_int_t)generation,
			  "reloads_failed", (json_int_t)0, "intact", 1, "links", link);

	assert_non_null(j);
	return j;
}

static json_t *made_health(json_t *answer)
{
	return json_object_get(json_array_get(json_object_get(answer, "links"), 0), "health");
}

#endif
