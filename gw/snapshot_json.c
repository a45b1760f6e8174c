/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/snapshot_json.h"

#include <arpa/inet.h>

#include "gw/json.h"
#include "gw/report_json.h"

#define LATE_BUCKETS (sizeof(((struct worker_health *)0)->late_hist) / sizeof(uint64_t))

/* Largest lateness that is counted in late_hist[i], ns. */
static uint64_t late_top(unsigned i)
{
	return (UINT64_C(1) << i) * 1000;
}

static void add_bin(json_t *list, uint64_t top, uint64_t n)
{
	if (!n)
		return;
	json_array_append_new(list, json_number(top));
	json_array_append_new(list, json_number(n));
}

static json_t *late_histogram(const struct worker_health *h)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < LATE_BUCKETS; i++)
		add_bin(list, late_top(i), h->late_hist[i]);
	return list;
}

/* What found no room in the histogram stands with the longest. */
static json_t *delay_histogram(const struct account *a)
{
	unsigned last = delays_bucket(a->delay_max);
	json_t *list = json_array();

	for (unsigned i = 0; i < DELAYS_BUCKETS; i++)
		add_bin(list, delays_top(i),
			delays_get(a->hist, i) + (i == last ? a->uncounted : 0));
	return list;
}

/*
 * The lateness that `permille` thousandths of the wake-ups did not exceed: the upper end of
 * its bucket, ns.
 */
static uint64_t late_quantile(const struct worker_health *h, unsigned permille)
{
	uint64_t seen = 0, want = (h->wakeups * permille + 999) / 1000;

	if (!h->wakeups)
		return 0;
	for (unsigned i = 0; i < LATE_BUCKETS; i++) {
		seen += h->late_hist[i];
		if (seen >= want)
			return late_top(i) < h->late_max ? late_top(i) : h->late_max;
	}
	return h->late_max;
}

static json_t *health(const struct gateway_link *l, bool histograms)
{
	const struct worker_health *h = &l->health;
	json_t *j = json_object(), *late = json_object();

	json_object_set_new(j, "held_packets", json_number(h->held_packets));
	json_object_set_new(j, "held_bytes", json_number(h->held_bytes));
	json_object_set_new(j, "held_packets_max", json_number(h->held_packets_max));
	json_object_set_new(j, "unread_packets", json_number(h->unread));
	json_object_set_new(j, "unread_packets_max", json_number(h->unread_max));
	json_object_set_new(j, "unread_wait_max_ns", json_number(h->unread_wait));
	json_object_set_new(j, "unread_late_packets", json_number(h->unread_late));
	json_object_set_new(j, "stalls", json_number(h->stalls));
	json_object_set_new(j, "stall_max_ns", json_number(h->stall_max));
	json_object_set_new(j, "vanished", json_number(h->vanished));
	json_object_set_new(j, "twice", json_number(h->twice));
	json_object_set_new(j, "undissected", json_number(h->undissected));
	json_object_set_new(j, "segments", json_number(h->segments));
	json_object_set_new(j, "missed", json_number(h->queue.missed));
	json_object_set_new(j, "verdict_errors", json_number(h->queue.errors));
	json_object_set_new(j, "broken_messages", json_number(h->queue.broken));
	json_object_set_new(j, "changes_refused", json_number(h->queue.refused));
	json_object_set_new(j, "kernel_queue_dropped", json_number(l->kernel_dropped));
	json_object_set_new(j, "kernel_socket_dropped", json_number(l->kernel_user_dropped));
	json_object_set_new(j, "received", json_number(h->queue.packets));
	json_object_set_new(j, "received_first", json_number(h->first));
	json_object_set_new(j, "receive_calls", json_number(h->queue.receives));
	json_object_set_new(j, "verdicts", json_number(h->queue.verdicts));
	json_object_set_new(j, "verdict_calls", json_number(h->queue.sends));
	json_object_set_new(late, "count", json_number(h->wakeups));
	json_object_set_new(late, "mean",
			    json_number(h->wakeups ? h->late_sum / h->wakeups : 0));
	json_object_set_new(late, "p50", json_number(late_quantile(h, 500)));
	json_object_set_new(late, "p99", json_number(late_quantile(h, 990)));
	json_object_set_new(late, "max", json_number(h->late_max));
	if (histograms)
		json_object_set_new(late, "histogram", late_histogram(h));
	json_object_set_new(j, "wakeup_late_ns", late);
	json_object_set_new(j, "cpu_ns", json_number(h->cpu));
	json_object_set_new(j, "realtime", json_boolean(h->realtime));
	json_object_set_new(j, "error", json_integer(h->error));
	return j;
}

static json_t *shed_host(const struct gateway_link *l, const struct shed_host *h)
{
	char name[INET6_ADDRSTRLEN];
	json_t *j = json_object();

	gateway_shed_name(&h->host, name);
	json_object_set_new(j, "address", json_text(name));
	json_object_set_new(j, "active", json_boolean(h->active));
	json_object_set_new(j, "packets", json_number(h->dropped));
	json_object_set_new(j, "packets_per_second", json_number(h->pps));
	json_object_set_new(j, "since_ns_ago",
			    json_number(l->now > h->since ? l->now - h->since : 0));
	return j;
}

/* What is dropped before it is read. */
static json_t *shed(const struct gateway_link *l)
{
	const struct rule_shed_counts *c = &l->shed_counts;
	json_t *j = json_object(), *hosts = json_array();

	json_object_set_new(j, "beyond_packets_per_second", json_number(l->shed_pps));
	json_object_set_new(j, "of_hosts_packets", json_number(c->shed_packets));
	json_object_set_new(j, "of_all_packets", json_number(c->limit_packets));
	json_object_set_new(j, "all", json_boolean(l->shed.limited));
	for (unsigned i = 0; i < l->shed.n; i++)
		json_array_append_new(hosts, shed_host(l, &l->shed.host[i]));
	json_object_set_new(j, "hosts", hosts);
	return j;
}

/* What the kernel does not tell of what it schedules is null: it is not 0. */
static void set_unknown(json_t *j)
{
	static const char *const keys[] = {"marked",	  "dscp_changed", "throughput_bps",
					   "delay_ns",	  "jitter_ns",	  "queue",
					   "first_in_ns", "last_out_ns"};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		json_object_set_new(j, keys[i], json_null());
}

/* What a class, or the first of a link, the link itself, has counted. */
static void add_facts(json_t *j, const struct gateway_link *l, const struct account *a,
		      bool histograms)
{
	report_facts(j, a, l->now);
	if (l->backend != POLICY_BACKEND_QUEUE)
		set_unknown(j);
	else if (histograms)
		json_object_set_new(json_object_get(j, "delay_ns"), "histogram",
				    delay_histogram(a));
}

/* Of a link without a queue, null. */
static void add_queue(json_t *j, const struct gateway_link *l, bool histograms)
{
	bool has = l->backend != POLICY_BACKEND_KERNEL;

	json_object_set_new(j, "queue_number", has ? json_integer(l->queue) : json_null());
	json_object_set_new(j, "first_queue_number",
			    has ? json_integer(l->first_queue) : json_null());
	json_object_set_new(j, "first_queue_rules",
			    has ? json_integer(l->first_rules) : json_null());
	json_object_set_new(j, "first_queue_untold",
			    has ? json_integer(l->untold) : json_null());
	json_object_set_new(j, "whole_segments", has ? json_boolean(l->segments) : json_null());
	json_object_set_new(j, "linear_search", has ? json_boolean(l->linear) : json_null());
	json_object_set_new(j, "held_max", has ? json_number(l->held_max) : json_null());
	json_object_set_new(j, "shed", has ? shed(l) : json_null());
	json_object_set_new(j, "health", has ? health(l, histograms) : json_null());
}

/* Of a link that the gateway schedules itself, null. */
static void add_kernel(json_t *j, const struct gateway_link *l)
{
	bool in_kernel = l->backend != POLICY_BACKEND_QUEUE;

	json_object_set_new(j, "backend", json_text(policy_backend_name(l->backend)));
	json_object_set_new(j, "device",
			    in_kernel && l->device ? json_text(l->device) : json_null());
	json_object_set_new(j, "programmed",
			    in_kernel ? json_boolean(l->programmed) : json_null());
}

static json_t *text_or_null(const char *text)
{
	return text && *text ? json_text(text) : json_null();
}

static uint64_t ago_of(uint64_t now, uint64_t then)
{
	return now > then ? now - then : 0;
}

static json_t *texts(char *const *v, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_text(v[i]));
	return list;
}

static json_t *interfaces(const struct gateway_link *l)
{
	json_t *list = json_array();

	for (size_t i = 0; i < (l->n_each ? l->n_each : 1); i++) {
		const char *name = l->n_each ? l->each[i].name : l->interface;
		json_t *j = json_object();

		json_object_set_new(j, "interface", json_text(name));
		json_object_set_new(j, "up", json_boolean(l->n_each ? l->each[i].up : l->up));
		json_array_append_new(list, j);
	}
	return list;
}

json_t *snapshot_link(const struct gateway_snapshot *s, const struct gateway_link *l,
		      bool histograms)
{
	json_t *j = json_object();

	json_object_set_new(j, "name", json_text(l->name));
	json_object_set_new(j, "interface", json_text(l->interface));
	json_object_set_new(j, "interfaces", interfaces(l));
	json_object_set_new(j, "now_ns", json_number(l->now));
	json_object_set_new(j, "up", json_boolean(l->up));
	json_object_set_new(j, "policy", text_or_null(l->policy));
	json_object_set_new(j, "applied_ns_ago",
			    l->policy ? json_number(ago_of(s->wall, l->applied)) : json_null());
	json_object_set_new(j, "rate_bps", json_number(l->rate_bps));
	json_object_set_new(j, "mtu", json_number(l->mtu));
	add_kernel(j, l);
	if (l->n_class)
		add_facts(j, l, &l->class[0].account, histograms);
	add_queue(j, l, histograms);
	json_object_set_new(j, "warnings", texts(l->warning, l->n_warning));
	json_object_set_new(j, "accepted_warnings", texts(l->accepted, l->n_accepted));
	return j;
}

/* Objectives of which nothing is known. */
static json_t *unknown_objective(uint64_t limit)
{
	json_t *j;

	if (!limit)
		return json_null();
	j = json_object();
	json_object_set_new(j, "limit_ns", json_number(limit));
	json_object_set_new(j, "worst_ns", json_null());
	json_object_set_new(j, "met", json_null());
	return j;
}

static json_t *objectives(const struct gateway_link *l, const struct gateway_class *c)
{
	json_t *j, *latency;

	if (l->backend == POLICY_BACKEND_QUEUE)
		return report_objectives(c->max_latency, c->max_jitter, &c->account);
	j = json_object();
	latency = unknown_objective(c->max_latency);
	if (c->max_latency)
		json_object_set_new(latency, "packets_over", json_null());
	json_object_set_new(j, "max_latency", latency);
	json_object_set_new(j, "max_jitter", unknown_objective(c->max_jitter));
	return j;
}

json_t *snapshot_class(const struct gateway_link *l, const struct gateway_class *c,
		       bool histograms)
{
	json_t *j = json_object();

	json_object_set_new(j, "class", json_text(c->path));
	json_object_set_new(j, "leaf", json_boolean(c->leaf));
	json_object_set_new(j, "min_bps", json_number(c->min_bps));
	json_object_set_new(j, "max_bps", json_number(c->max_bps));
	json_object_set_new(j, "weight", json_number(c->weight));
	add_facts(j, l, &c->account, histograms);
	json_object_set_new(j, "objectives", objectives(l, c));
	return j;
}

/* Of what no gateway looks after, null. */
static void add_run(json_t *j, const struct gateway_snapshot *s)
{
	bool runs = !s->standing;

	json_object_set_new(j, "generation", runs ? json_number(s->generation) : json_null());
	json_object_set_new(j, "reloads_failed",
			    runs ? json_number(s->reloads_failed) : json_null());
	json_object_set_new(j, "reloaded_ns_ago",
			    s->reloaded ? json_number(s->now - s->reloaded) : json_null());
	json_object_set_new(j, "native_queue", runs ? json_boolean(s->native) : json_null());
	json_object_set_new(j, "intact", runs ? json_boolean(s->intact) : json_null());
}

json_t *snapshot_head(const struct gateway_snapshot *s)
{
	json_t *j = json_object();

	json_head(j);
	json_object_set_new(j, "policy", json_text(s->policy));
	json_object_set_new(j, "now_ns", json_number(s->now));
	json_object_set_new(j, "wall_ns", json_number(s->wall));
	json_object_set_new(j, "by", json_string(s->standing ? "weir tc apply" : "weir run"));
	json_object_set_new(j, "uptime_ns", json_number(s->now - s->started));
	add_run(j, s);
	return j;
}

/* null: not known */
static json_t *ago(const struct gateway_snapshot *s, uint64_t then)
{
	return then ? json_number(ago_of(s->now, then)) : json_null();
}

static json_t *findings(const struct gateway_snapshot *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->n_finding; i++) {
		const struct gateway_finding *f = &s->finding[i];
		json_t *j = json_object();

		json_object_set_new(j, "severity", json_text(judge_severity_name(f->severity)));
		json_object_set_new(j, "kind", json_text(judge_kind_name(f->kind)));
		json_object_set_new(j, "link", text_or_null(f->link));
		json_object_set_new(j, "class", text_or_null(f->class));
		json_object_set_new(j, "since_ns_ago", ago(s, f->since));
		json_object_set_new(j, "last_ns_ago", ago(s, f->last));
		json_object_set_new(j, "what", json_text(f->what));
		json_object_set_new(j, "cause", text_or_null(f->cause));
		json_object_set_new(j, "remedy", text_or_null(f->remedy));
		json_array_append_new(list, j);
	}
	return list;
}

static json_t *sets(const struct gateway_snapshot *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->n_set; i++) {
		json_t *j = json_object();

		json_object_set_new(j, "set", json_text(s->set[i].name));
		json_object_set_new(j, "nft", json_boolean(s->set[i].nft));
		json_object_set_new(j, "ranges", json_number(s->set[i].ranges));
		json_object_set_new(j, "changed_ns_ago", ago(s, s->set[i].changed));
		json_array_append_new(list, j);
	}
	return list;
}

json_t *snapshot_link_end(const struct gateway_link *l)
{
	bool has = l->backend != POLICY_BACKEND_KERNEL;
	json_t *j = json_object();

	json_object_set_new(j, "packets", has ? report_packets(&l->engine) : json_null());
	json_object_set_new(j, "flow_table",
			    has ? report_flow_table(&l->engine.match) : json_null());
	return j;
}

json_t *snapshot_end(const struct gateway_snapshot *s)
{
	json_t *j = json_object();

	json_object_set_new(j, "sets", sets(s));
	json_object_set_new(j, "well", json_boolean(gateway_well(s)));
	json_object_set_new(j, "findings", findings(s));
	return j;
}

static void add_members(json_t *j, json_t *more)
{
	json_object_update(j, more);
	json_decref(more);
}

static json_t *whole(const struct gateway_snapshot *s, bool classes, bool histograms)
{
	json_t *j = snapshot_head(s), *links = json_array();

	for (size_t i = 0; i < s->n_link; i++) {
		const struct gateway_link *l = &s->link[i];
		json_t *k = snapshot_link(s, l, histograms), *list;

		if (classes) {
			list = json_array();
			for (size_t n = 1; n < l->n_class; n++)
				json_array_append_new(
					list, snapshot_class(l, &l->class[n], histograms));
			json_object_set_new(k, "classes", list);
			add_members(k, snapshot_link_end(l));
		}
		json_array_append_new(links, k);
	}
	json_object_set_new(j, "links", links);
	add_members(j, snapshot_end(s));
	return j;
}

json_t *snapshot_status(const struct gateway_snapshot *s)
{
	return whole(s, false, false);
}

json_t *snapshot_stats(const struct gateway_snapshot *s, bool histograms)
{
	return whole(s, true, histograms);
}
