/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The report for programs. All numbers are integers: packets, bytes, ns, bit/s. Keys come
 * in a fixed order, and none is left out: what is not known is null or 0.
 */
#include "gw/report.h"

#include "gw/json.h"
#include "gw/report_json.h"

static json_t *count(struct account_count c)
{
	json_t *j = json_object();

	json_object_set_new(j, "packets", json_number(c.packets));
	json_object_set_new(j, "bytes", json_number(c.bytes));
	return j;
}

static json_t *drops(const struct account *a)
{
	json_t *j = count(account_all_dropped(a));

	for (unsigned i = 0; i < PKT_DROP_N; i++)
		if (i != PKT_KEPT)
			json_object_set_new(j, account_drop_name((enum pkt_drop)i),
					    count(a->dropped[i]));
	return j;
}

static json_t *delays(const struct account *a)
{
	static const struct {
		const char *name;
		unsigned permille;
	} q[] = {{"p50", 500}, {"p90", 900}, {"p95", 950}, {"p99", 990}, {"p999", 999}};
	json_t *j = json_object();

	for (unsigned i = 0; i < sizeof(q) / sizeof(q[0]); i++)
		json_object_set_new(j, q[i].name,
				    json_number(account_quantile(a, q[i].permille)));
	json_object_set_new(j, "max", json_number(a->delay_max));
	json_object_set_new(j, "mean", json_number(account_mean(a)));
	return j;
}

static json_t *objective(uint64_t limit, uint64_t worst, const struct account *a)
{
	json_t *j;

	if (!limit)
		return json_null();
	j = json_object();
	json_object_set_new(j, "limit_ns", json_number(limit));
	json_object_set_new(j, "worst_ns", json_number(worst));
	/* of no packets, nothing can be said */
	json_object_set_new(j, "met",
			    a->sent.packets ? json_boolean(worst <= limit) : json_null());
	return j;
}

json_t *report_objectives(uint64_t max_latency, uint64_t max_jitter, const struct account *a)
{
	json_t *j = json_object(), *latency = objective(max_latency, a->delay_max, a);

	if (max_latency)
		json_object_set_new(latency, "packets_over", json_number(a->over_latency));
	json_object_set_new(j, "max_latency", latency);
	json_object_set_new(j, "max_jitter", objective(max_jitter, a->jitter_max, a));
	return j;
}

static json_t *queue(const struct account *a, uint64_t end)
{
	json_t *j = json_object();

	json_object_set_new(j, "packets_max", json_number(a->backlog_max));
	json_object_set_new(j, "bytes_max", json_number(a->backlog_bytes_max));
	json_object_set_new(j, "packets_mean_milli", json_number(account_depth_milli(a, end)));
	return j;
}

void report_facts(json_t *j, const struct account *a, uint64_t end)
{
	struct account_count waiting = {a->backlog, a->backlog_bytes};

	json_object_set_new(j, "in", count(a->in));
	json_object_set_new(j, "sent", count(a->sent));
	json_object_set_new(j, "dropped", drops(a));
	json_object_set_new(j, "waiting", count(waiting));
	json_object_set_new(j, "marked", json_number(a->marked));
	json_object_set_new(j, "dscp_changed", json_number(a->remarked));
	json_object_set_new(j, "throughput_bps", json_number(account_throughput(a)));
	json_object_set_new(j, "delay_ns", delays(a));
	json_object_set_new(j, "jitter_ns", json_number(a->jitter_max));
	json_object_set_new(j, "queue", queue(a, end));
	json_object_set_new(j, "first_in_ns", json_number(a->first_in));
	json_object_set_new(j, "last_out_ns", json_number(a->last_out));
}

static void add_class(json_t *list, const struct replay_result *r, const struct policy_class *k)
{
	const struct account *a = engine_account(r->engine, k);
	json_t *j = json_object();

	json_object_set_new(j, "class", json_text(k->path));
	json_object_set_new(j, "leaf", json_boolean(!k->n_child));
	report_facts(j, a, r->end);
	json_object_set_new(j, "objectives",
			    report_objectives(k->max_latency, k->max_jitter, a));
	json_array_append_new(list, j);
}

static void add_classes(json_t *list, const struct replay_result *r,
			const struct policy_class *c)
{
	for (size_t i = 0; i < c->n_child; i++) {
		add_class(list, r, c->child[i]);
		add_classes(list, r, c->child[i]);
	}
}

static json_t *link_object(const struct replay_result *r, const struct policy_link *l)
{
	json_t *j = json_object(), *list = json_array();

	json_object_set_new(j, "name", json_text(l->name));
	json_object_set_new(j, "rate_bps", json_number(l->rate.bps));
	report_facts(j, engine_account(r->engine, l->root), r->end);
	add_classes(list, r, l->root);
	/* what the link hangs on, if any of it came */
	if (l->control.class && engine_account(r->engine, l->control.class)->in.packets)
		add_class(list, r, l->control.class);
	json_object_set_new(j, "classes", list);
	return j;
}

static json_t *passed(const struct replay_result *r)
{
	json_t *j, *reasons = json_object();
	struct account_count all = {0};

	for (size_t i = 0; i < r->n_passed; i++) {
		struct account_count c = {r->passed[i].packets, r->passed[i].bytes};

		all.packets += c.packets;
		all.bytes += c.bytes;
		json_object_set_new(reasons, r->passed[i].reason, count(c));
	}
	j = count(all);
	json_object_set_new(j, "reasons", reasons);
	return j;
}

static json_t *capture(const struct replay_result *r)
{
	const struct capture_stats *c = &r->capture;
	json_t *j = json_object();

	json_object_set_new(j, "packets", json_number(r->packets));
	json_object_set_new(j, "first_ns", json_number(r->first));
	json_object_set_new(j, "last_ns", json_number(r->last));
	json_object_set_new(j, "end_ns", json_number(r->end));
	json_object_set_new(j, "backwards", json_number(c->backwards));
	json_object_set_new(j, "backwards_max_ns", json_number(c->backwards_max));
	json_object_set_new(j, "bad_stamps", json_number(c->bad_stamps));
	json_object_set_new(j, "bad_lengths", json_number(c->bad_lengths));
	json_object_set_new(j, "truncated", json_number(c->truncated));
	return j;
}

static json_t *segments(const struct replay_result *r)
{
	json_t *j = json_object();

	json_object_set_new(j, "mtu", json_number(r->mtu));
	json_object_set_new(j, "packets", json_number(r->segments.packets));
	json_object_set_new(j, "pieces", json_number(r->segments.pieces));
	json_object_set_new(j, "whole", json_number(r->segments.whole));
	json_object_set_new(j, "unknown", json_number(r->segments.unknown));
	return j;
}

json_t *report_packets(const struct engine_stats *s)
{
	json_t *j = json_object();

	json_object_set_new(j, "ipv4", json_number(s->v4));
	json_object_set_new(j, "ipv6", json_number(s->v6));
	json_object_set_new(j, "fragments", json_number(s->fragments));
	json_object_set_new(j, "lying", json_number(s->lying));
	json_object_set_new(j, "truncated", json_number(s->truncated));
	return j;
}

json_t *report_flow_table(const struct match_stats *m)
{
	json_t *j = json_object();

	json_object_set_new(j, "packets", json_number(m->packets));
	json_object_set_new(j, "hits", json_number(m->hits));
	json_object_set_new(j, "evaluated", json_number(m->evaluated));
	json_object_set_new(j, "filters_run", json_number(m->filters_run));
	json_object_set_new(j, "flows", json_number(m->flows));
	json_object_set_new(j, "flows_made", json_number(m->flows_made));
	json_object_set_new(j, "flows_evicted", json_number(m->flows_evicted));
	json_object_set_new(j, "fragments_followed", json_number(m->frags_followed));
	json_object_set_new(j, "fragments_orphan", json_number(m->frags_orphan));
	json_object_set_new(j, "fragments_evicted", json_number(m->frags_evicted));
	return j;
}

static json_t *links(const struct replay_result *r)
{
	json_t *list = json_array();

	if (r->link)
		json_array_append_new(list, link_object(r, r->link));
	for (size_t i = 0; !r->link && i < r->policy->n_link; i++)
		json_array_append_new(list, link_object(r, r->policy->link[i]));
	return list;
}

int report_json(FILE *f, const struct replay_result *r)
{
	json_t *j = json_object();
	struct engine_stats s;

	engine_get_stats(r->engine, &s);
	json_head(j);
	json_object_set_new(j, "policy", json_text(r->policy->file));
	json_object_set_new(j, "capture", capture(r));
	if (r->segments.packets || r->segments.whole || r->segments.unknown)
		json_object_set_new(j, "large_segments", segments(r));
	json_object_set_new(j, "links", links(r));
	json_object_set_new(j, "passed", passed(r));
	json_object_set_new(j, "packets", report_packets(&s));
	json_object_set_new(j, "flow_table", report_flow_table(&s.match));
	return json_print(j, f);
}
