/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads an expectation from a policy test, and finds whom it is about. */
#include "gw/wtest_read.h"

#include <stdlib.h>
#include <string.h>

#define SUGGEST_MAX 4096 /* classes that a mistyped one is compared with */

/* The class that was meant, for the complaint. */
static const char *near_class(const struct policy *p, const struct policy_link *only,
			      const char *path)
{
	const char **names = calloc(SUGGEST_MAX + 1, sizeof(*names)), *near;
	size_t n = 0;

	if (!names)
		return NULL;
	for (size_t i = 0; i < p->n_link; i++) {
		const struct policy_link *l = p->link[i];

		for (size_t k = 1; k < l->n_all && n < SUGGEST_MAX && (!only || only == l); k++)
			names[n++] = l->all[k]->path;
	}
	near = policy_suggest(path, names);
	free(names);
	return near;
}

static const struct policy_class *find_class(struct wread *w, const struct policy *p,
					     const struct policy_link *only,
					     const struct ynode *n)
{
	const struct policy_class *found = NULL;
	const char *near;

	for (size_t i = 0; i < p->n_link; i++) {
		const struct policy_class *c = NULL;

		if (!only || only == p->link[i])
			c = policy_find_class(p->link[i], n->text);
		if (c && found) {
			wread_error(w, n->at,
				    "class \"%s\" is in links \"%s\" and \"%s\": say which",
				    policy_shown(n->text).s, policy_shown(found->link->name).s,
				    policy_shown(c->link->name).s);
			return NULL;
		}
		if (c)
			found = c;
	}
	if (found)
		return found;
	near = near_class(p, only, n->text);
	wread_error(w, n->at, "the policy has no class \"%s\"%s%s%s", policy_shown(n->text).s,
		    near ? " (did you mean \"" : "", near ? policy_shown(near).s : "",
		    near ? "\"?)" : "");
	return NULL;
}

/* class and link: whom it is about, or where filter and flow are to end. */
static void read_class(struct wread *w, const struct ynode *map, const struct policy *p,
		       const struct wtest *t, struct wtest_expect *e)
{
	const struct ynode *n = wread_scalar(w, map, "link");
	const struct policy_link *only = t->link;
	bool selects = !ytree_get(map, "filter") && !ytree_get(map, "flow");

	e->class_at = map->at;
	if (!p) /* told already, and every name would be wrong */
		return;
	if (n) {
		e->link_text = wread_strdup(n->text);
		e->class_at = n->at;
		only = wread_find_link(w, n, p);
		if (!only)
			return;
		if (t->link && only != t->link) {
			wread_error(w, n->at, "this test is about link \"%s\" only",
				    policy_shown(t->link->name).s);
			return;
		}
		e->class = only->root;
	}
	n = wread_scalar(w, map, "class");
	if (n) {
		e->class_text = wread_strdup(n->text);
		e->class_at = n->at;
		e->nowhere = !strcmp(n->text, "-");
		if (!e->nowhere)
			e->class = find_class(w, p, only, n);
		else if (selects)
			wread_error(w, n->at,
				    "class \"-\" (on no link) is for a filter or a flow");
		else if (e->link_text)
			wread_error(w, n->at, "class \"-\" is on no link");
		return;
	}
	if (!selects || e->class || ytree_get(map, "class"))
		return;
	if (!only && p->n_link == 1)
		only = p->link[0];
	if (only)
		e->class = only->root;
	else
		wread_error(w, map->at, "about whom? It needs filter, flow, class or link");
}

static void read_filter(struct wread *w, const struct ynode *map, struct wtest_expect *e)
{
	const struct ynode *n = wread_scalar(w, map, "filter");
	char err[PCAP_ERRBUF_SIZE + 64];

	if (!n)
		return;
	if (filter_compile(&e->filter, n->text, err, sizeof(err)))
		wread_error(w, n->at, "filter \"%s\": %s", policy_shown(n->text).s, err);
	else
		e->filter_text = wread_strdup(n->text);
}

static void read_flow(struct wread *w, const struct ynode *map, const struct wtest *t,
		      struct wtest_expect *e)
{
	const struct ynode *n = wread_scalar(w, map, "flow");
	const char *names[SYNTH_STREAMS_MAX + 1] = {NULL}, *near;
	char err[256];

	e->stream = -1;
	if (!n)
		return;
	if (ytree_get(map, "filter"))
		wread_error(w, n->at, "filter and flow in one expectation: make it two");
	e->flow_text = wread_strdup(n->text);
	for (size_t i = 0; i < t->n_stream; i++) {
		names[i] = t->stream[i].name ? t->stream[i].name : "";
		if (!strcmp(names[i], n->text))
			e->stream = (int)i;
	}
	if (e->stream >= 0)
		return;
	if (!wtest_flow_parse(n->text, &e->key, err, sizeof(err))) {
		e->has_key = true;
		return;
	}
	near = policy_suggest(n->text, names);
	wread_error(w, n->at, "%s%s%s%s", err, near ? " (did you mean \"" : "",
		    near ? policy_shown(near).s : "", near ? "\"?)" : "");
}

static void add_check(struct wread *w, const struct ynode *n, enum wtest_metric m,
		      struct wtest_expect *e)
{
	struct wtest_check *c = &e->check[e->n_check];
	char err[256];

	if (n->bad)
		return;
	if (n->kind != Y_SCALAR) {
		wread_error(w, n->at, "%s is to be a comparison, like \"<= 10ms\"",
			    wtest_metric_name(m));
		return;
	}
	if (wtest_cmp_parse(n->text, wtest_metric_unit(m), &c->lo, &c->hi, err, sizeof(err))) {
		wread_error(w, n->at, "%s: %s", wtest_metric_name(m), err);
		return;
	}
	c->metric = m;
	c->at = n->at;
	c->text = wread_strdup(n->text);
	e->n_check++;
}

/* drops: 0, or by reason: {limit: 0, aqm: ">= 1"}. */
static void read_drops(struct wread *w, const struct ynode *map, struct wtest_expect *e)
{
	static const char *const reasons[] = {"limit", "aqm", "deadline", "memory", NULL};
	const struct ynode *n = ytree_get(map, "drops");

	if (!n)
		return;
	if (n->kind != Y_MAP) {
		add_check(w, n, WTEST_DROPS, e);
		return;
	}
	if (!wread_map(w, n, "drops", reasons))
		return;
	if (!n->n)
		wread_error(w, n->at, "drops of no reason");
	for (unsigned i = 0; reasons[i]; i++) {
		const struct ynode *v = ytree_get(n, reasons[i]);

		if (v)
			add_check(w, v, (enum wtest_metric)(WTEST_DROPS_LIMIT + i), e);
	}
}

static bool has_objectives(const struct policy_class *top)
{
	for (size_t i = top->index; i < top->link->n_all; i++) {
		const struct policy_class *c = top->link->all[i], *up = c;

		while (up && up != top)
			up = up->parent;
		if (up && (c->max_latency || c->max_jitter))
			return true;
	}
	return false;
}

static void read_objectives(struct wread *w, const struct ynode *map, struct wtest_expect *e)
{
	const struct ynode *n = wread_scalar(w, map, "objectives");

	if (!n)
		return;
	e->objectives_at = n->at;
	if (!strcmp(n->text, "met"))
		e->objectives = WTEST_OBJ_MET;
	else if (!strcmp(n->text, "missed"))
		e->objectives = WTEST_OBJ_MISSED;
	else
		wread_error(w, n->at, "objectives are to be \"met\" or \"missed\"");
	if (ytree_get(map, "filter") || ytree_get(map, "flow"))
		wread_error(w, n->at, "objectives are a class's, not a filter's or a flow's");
	else if (e->windowed)
		wread_error(w, n->at, "objectives are of the whole test: no from and to");
	else if (e->class && !has_objectives(e->class))
		wread_error(w, n->at, "nothing there has max-latency or max-jitter");
}

static void read_window(struct wread *w, const struct ynode *map, struct wtest_expect *e)
{
	bool from = wread_time(w, map, "from", &e->from);
	bool to = wread_time(w, map, "to", &e->to);

	e->windowed = from || to;
	if (!to)
		e->to = UINT64_MAX;
	if (e->windowed && e->from >= e->to)
		wread_error(w, ytree_key_mark(map, "to"), "from is not before to");
}

void wread_expect(struct wread *w, const struct ynode *n, const struct policy *p,
		  const struct wtest *t, struct wtest_expect *e)
{
	static const char *const keys[] = {
		"filter",     "flow",  "class",	     "link",	"from",	 "to",	 "p50",
		"p90",	      "p95",   "p99",	     "p999",	"max",	 "mean", "jitter",
		"throughput", "share", "loss",	     "packets", "bytes", "sent", "sent-bytes",
		"marks",      "drops", "objectives", "dscp",	NULL};
	bool selects, measures = false;

	e->at = n->at;
	e->stream = e->dscp = -1;
	if (!wread_map(w, n, "an expectation", keys))
		return;
	selects = ytree_get(n, "filter") || ytree_get(n, "flow");
	read_filter(w, n, e);
	read_flow(w, n, t, e);
	read_class(w, n, p, t, e);
	read_window(w, n, e);
	for (unsigned m = 0; m < WTEST_DROPS; m++) {
		const struct ynode *v = ytree_get(n, wtest_metric_name((enum wtest_metric)m));

		if (!v)
			continue;
		add_check(w, v, (enum wtest_metric)m, e);
		measures = true;
	}
	read_drops(w, n, e);
	read_objectives(w, n, e);
	if (wread_dscp(w, n, "dscp", &e->dscp))
		e->dscp_at = ytree_get(n, "dscp")->at;
	if (!measures && !ytree_get(n, "objectives") && !ytree_get(n, "dscp") &&
	    !ytree_get(n, "drops") &&
	    !(selects && (ytree_get(n, "class") || ytree_get(n, "link"))))
		wread_error(w, n->at, "expects nothing of %s",
			    selects ? "it: a class, or a measure like p99"
				    : "it: a measure like p99");
}
