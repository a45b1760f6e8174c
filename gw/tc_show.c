/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/tc_show.h"

#include <string.h>

#include "gw/json.h"

#define NAMED_MOST 6 /* classes in front of one note */
#define LINE 512

/* What an object is in the policy's terms. */
static const struct policy_class *class_of(const struct tc_plan *t, const struct tc_object *o)
{
	return tc_plan_class(t, o->kind == TC_QDISC ? o->parent : o->handle);
}

/* ---- for people ---- */

/* What stands behind the type in an object's text: "fq_codel limit 10240p ...". */
static const char *value_text(const struct tc_object *o, char buf[LINE])
{
	const char *at = strstr(tc_object_text(o, buf, LINE), tc_type_name(o));

	return at ? at : buf;
}

static void text_class(FILE *f, const struct tc_plan *t, const struct tc_object *o,
		       const struct tc_object *queue, int columns)
{
	const struct policy_class *c = class_of(t, o), *up = c;
	char h[16], rate[POLICY_UNIT_TEXT], ceil[POLICY_UNIT_TEXT], buf[LINE];
	const char *name = c->parent ? c->name : "(the link)";
	int depth = 1;

	while ((up = up->parent))
		depth++;
	fprintf(f, "%*s%-*s %-10s %9s %9s %9llu %9llu", 2 * depth, "", columns - 2 * depth,
		name, tc_handle_text(o->handle, h), tc_rate_text(o->htb.rate, rate),
		tc_rate_text(o->htb.ceil, ceil),
		(unsigned long long)tc_ticks_bytes(o->htb.buffer, o->htb.rate),
		(unsigned long long)tc_ticks_bytes(o->htb.cbuffer, o->htb.ceil));
	if (queue)
		fprintf(f, " %4u %9u  %s\n", o->htb.prio, o->htb.quantum,
			value_text(queue, buf));
	else
		fprintf(f, " %4s %9s  -\n", "-", "-");
}

static int name_columns(const struct tc_plan *t)
{
	int columns = 14;

	for (size_t i = 1; i < t->link->n_all; i++) {
		const struct policy_class *c = t->link->all[i], *up = c;
		int depth = 1, w;

		while ((up = up->parent))
			depth++;
		w = 2 * depth + (int)strlen(c->name);
		columns = w > columns ? w : columns;
	}
	return columns;
}

/* Classes stand in the order of the policy, their queues behind them in the same order. */
static void text_classes(FILE *f, const struct tc_plan *t)
{
	int columns = name_columns(t);
	size_t queue = 1 + t->link->n_all;

	fprintf(f, "  %-*s %-10s %9s %9s %9s %9s %4s %9s  queue\n", columns - 2, "class",
		"classid", "rate", "ceil", "burst", "cburst", "prio", "quantum");
	for (size_t i = 1; i <= t->link->n_all; i++) {
		bool leaf = !t->link->all[i - 1]->n_child;

		text_class(f, t, &t->list.v[i], leaf ? &t->list.v[queue++] : NULL, columns);
	}
}

static void text_filter(FILE *f, const struct tc_plan *t, size_t i)
{
	const struct tc_object *o = &t->list.v[i];
	const struct tc_rule *rule = tc_plan_rule(t, i);
	const char *what = "what is not IP", *to = "unshaped";
	char h[16];

	if (rule) {
		to = rule->to->path;
		what = rule->filter			 ? rule->filter->text
		       : rule->to->dscp && rule->n > 1	 ? "its DSCP"
		       : rule->to->beside && rule->n > 1 ? "its mark"
							 : "all that is left";
	}
	fprintf(f, "  %-10s %5u %5u  %s: %s\n", tc_handle_text(o->parent, h), o->handle,
		o->bpf.n, to, what);
}

static void text_notes(void *arg, const struct tc_note *const *same, size_t n)
{
	FILE *f = arg;

	fprintf(f, "  %-12s %s: %s\n", same[0]->key,
		same[0]->fidelity == TC_EXACT ? "exact" : "NOT EXACT", same[0]->text);
	if (!same[0]->class)
		return;
	fprintf(f, "  %-12s   of", "");
	for (size_t i = 0; i < n && i < NAMED_MOST; i++)
		fprintf(f, "%s %s", i ? "," : "", same[i]->class->path);
	if (n > NAMED_MOST)
		fprintf(f, " and %zu more", n - NAMED_MOST);
	fputc('\n', f);
}

int tc_show_text(FILE *f, const struct tc_shown *s)
{
	const struct tc_plan *t = s->plan;
	const struct policy_link *l = t->link;
	char rate[POLICY_UNIT_TEXT], buf[LINE];

	fprintf(f, "link %s: %s, %s %s, backend: %s\n", l->name,
		policy_rate_text(l->rate.bps, rate), policy_direction_name(l->direction),
		l->interface ? l->interface : "(no interface)",
		policy_backend_name(l->backend));
	fprintf(f,
		"  %s: a header of %u bytes, packets of up to %u; a kernel that has all that "
		"it takes\n",
		s->there ? "the device has" : "no such device here: taken to have",
		s->device.header, s->device.mtu);
	fprintf(f, "  %s\n\n", tc_object_text(&t->list.v[0], buf, sizeof(buf)));
	text_classes(f, t);
	fputs("\n  at          pref instructions  class: filter\n", f);
	for (size_t i = 0; i < t->list.n; i++)
		if (t->list.v[i].kind == TC_FILTER)
			text_filter(f, t, i);
	fputs("\n  what became of each key\n", f);
	return tc_plan_tell(t, text_notes, f);
}

/* ---- for programs ---- */

static json_t *json_handle(uint32_t handle)
{
	char h[16];

	return json_string(tc_handle_text(handle, h));
}

static void set_number(json_t *j, const char *key, uint64_t v)
{
	json_object_set_new(j, key, json_number(v));
}

static json_t *json_queue(const struct tc_object *o)
{
	json_t *j = json_object();

	json_object_set_new(j, "handle", json_handle(o->handle));
	json_object_set_new(j, "kind", json_string(tc_type_name(o)));
	if (o->type == TC_BFIFO)
		set_number(j, "limit_bytes", o->limit);
	else if (o->type == TC_PFIFO)
		set_number(j, "limit_packets", o->limit);
	if (o->type != TC_FQ_CODEL && o->type != TC_CODEL)
		return j;
	set_number(j, "limit_packets", o->fq_codel.limit);
	set_number(j, "target_ns", (uint64_t)o->fq_codel.target * 1000);
	set_number(j, "interval_ns", (uint64_t)o->fq_codel.interval * 1000);
	json_object_set_new(j, "ecn", json_boolean(o->fq_codel.ecn));
	if (o->type == TC_FQ_CODEL) {
		set_number(j, "flows", o->fq_codel.flows);
		set_number(j, "quantum", o->fq_codel.quantum);
	}
	return j;
}

static json_t *json_class(const struct tc_plan *t, const struct tc_object *o,
			  const struct tc_object *queue)
{
	const struct policy_class *c = class_of(t, o);
	json_t *j = json_object();

	json_object_set_new(j, "class", c->parent ? json_text(c->path) : json_null());
	json_object_set_new(j, "classid", json_handle(o->handle));
	json_object_set_new(j, "parent", json_handle(o->parent));
	set_number(j, "rate_bps", o->htb.rate * 8);
	set_number(j, "ceil_bps", o->htb.ceil * 8);
	set_number(j, "burst_bytes", tc_ticks_bytes(o->htb.buffer, o->htb.rate));
	set_number(j, "cburst_bytes", tc_ticks_bytes(o->htb.cbuffer, o->htb.ceil));
	if (queue) {
		set_number(j, "prio", o->htb.prio);
		set_number(j, "quantum", o->htb.quantum);
		json_object_set_new(j, "queue", json_queue(queue));
	}
	return j;
}

static json_t *json_classes(const struct tc_plan *t)
{
	json_t *j = json_array();
	size_t queue = 1 + t->link->n_all;

	for (size_t i = 1; i <= t->link->n_all; i++) {
		bool leaf = !t->link->all[i - 1]->n_child;

		json_array_append_new(
			j, json_class(t, &t->list.v[i], leaf ? &t->list.v[queue++] : NULL));
	}
	return j;
}

static json_t *json_filters(const struct tc_plan *t)
{
	json_t *list = json_array();

	for (size_t i = 0; i < t->list.n; i++) {
		const struct tc_object *o = &t->list.v[i];
		const struct tc_rule *rule = tc_plan_rule(t, i);
		json_t *j;

		if (o->kind != TC_FILTER)
			continue;
		j = json_object();
		json_object_set_new(j, "parent", json_handle(o->parent));
		set_number(j, "pref", o->handle);
		json_object_set_new(j, "classid", json_handle(o->bpf.classid));
		json_object_set_new(j, "class", rule ? json_text(rule->to->path) : json_null());
		json_object_set_new(j, "filter",
				    rule && rule->filter ? json_text(rule->filter->text)
							 : json_null());
		set_number(j, "instructions", o->bpf.n);
		json_array_append_new(list, j);
	}
	return list;
}

static json_t *json_notes(const struct tc_plan *t)
{
	json_t *list = json_array();

	for (size_t i = 0; i < t->n_note; i++) {
		const struct tc_note *n = &t->note[i];
		json_t *j = json_object();

		json_object_set_new(j, "class",
				    n->class ? json_text(n->class->path) : json_null());
		json_object_set_new(j, "key", json_string(n->key));
		json_object_set_new(j, "exact", json_boolean(n->fidelity == TC_EXACT));
		json_object_set_new(j, "text", json_text(n->text));
		json_object_set_new(j, "line", json_integer(n->mark.line));
		json_object_set_new(j, "column", json_integer(n->mark.col));
		json_array_append_new(list, j);
	}
	return list;
}

static json_t *json_stab(const struct tc_object *root)
{
	const struct tc_stab *s = &root->htb_qdisc.stab;
	json_t *j;

	if (!root->htb_qdisc.has_stab)
		return json_null();
	j = json_object();
	json_object_set_new(j, "overhead", json_integer(s->overhead));
	set_number(j, "mpu", s->mpu);
	set_number(j, "entries", s->n);
	return j;
}

json_t *tc_show_json(const struct tc_shown *s)
{
	const struct tc_plan *t = s->plan;
	const struct policy_link *l = t->link;
	json_t *j = json_object(), *device = json_object();

	json_object_set_new(j, "link", json_text(l->name));
	json_object_set_new(j, "interface",
			    l->interface ? json_text(l->interface) : json_null());
	json_object_set_new(j, "direction", json_string(policy_direction_name(l->direction)));
	json_object_set_new(j, "backend", json_string(policy_backend_name(l->backend)));
	json_object_set_new(device, "there", json_boolean(s->there));
	set_number(device, "header", s->device.header);
	set_number(device, "mtu", s->device.mtu);
	json_object_set_new(j, "device", device);
	json_object_set_new(j, "root", json_handle(t->list.v[0].handle));
	json_object_set_new(j, "size_table", json_stab(&t->list.v[0]));
	json_object_set_new(j, "classes", json_classes(t));
	json_object_set_new(j, "filters", json_filters(t));
	json_object_set_new(j, "notes", json_notes(t));
	return j;
}
