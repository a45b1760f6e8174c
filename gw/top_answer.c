/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/top_answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gw/ask_finding.h"
#include "qos/account.h"
#include "qos/policy.h"

#define TOP_FINDING 1500

/* All of it, printable; "?" where there is no text. NULL: no memory. */
static char *copy_text(const json_t *j)
{
	const char *s = json_string_value(j);
	size_t room;
	char *copy;

	s = s ? s : "?";
	room = strlen(s) + 5;
	copy = malloc(room);
	if (copy)
		policy_printable(copy, room, s);
	return copy;
}

static uint64_t element(const json_t *list, size_t i)
{
	json_int_t n = json_integer_value(json_array_get(list, i));

	return n > 0 ? (uint64_t)n : 0;
}

/* 0, or -1: no memory. One that does not make sense is as good as none. */
static int read_hist(struct top_hist *h, const json_t *of)
{
	const json_t *list = json_object_get(of, "histogram");
	size_t n = json_array_size(list) / 2;

	if (!json_is_array(list) || json_array_size(list) % 2)
		return 0;
	h->bin = calloc(n + 1, sizeof(*h->bin));
	if (!h->bin)
		return -1;
	for (; h->n < n; h->n++) {
		h->bin[h->n] =
			(struct top_bin){element(list, 2 * h->n), element(list, 2 * h->n + 1)};
		if (h->n && h->bin[h->n].top <= h->bin[h->n - 1].top)
			return 0;
	}
	h->known = true;
	return 0;
}

static void read_drops(struct top_class *c, const json_t *dropped)
{
	uint64_t all = ask_number(dropped, "packets"), named = 0;

	for (unsigned i = 0; i < PKT_DROP_N; i++) {
		if (i == PKT_KEPT)
			continue;
		c->dropped[i] = ask_number(
			json_object_get(dropped, account_drop_name((enum pkt_drop)i)),
			"packets");
		named = named + c->dropped[i] < named ? UINT64_MAX : named + c->dropped[i];
	}
	/* reasons that only a younger gateway has */
	c->dropped[PKT_KEPT] = all > named ? all - named : 0;
}

static int read_class(struct top_class *c, const json_t *j, bool link)
{
	const json_t *sent = json_object_get(j, "sent"),
		     *waiting = json_object_get(j, "waiting"),
		     *latency =
			     json_object_get(json_object_get(j, "objectives"), "max_latency");

	c->leaf = !link && ask_true(j, "leaf");
	c->sent_packets = ask_number(sent, "packets");
	c->sent_bytes = ask_number(sent, "bytes");
	c->waiting_packets = ask_number(waiting, "packets");
	c->waiting_bytes = ask_number(waiting, "bytes");
	c->marked = ask_number(j, "marked");
	c->marks_known = json_is_integer(json_object_get(j, "marked"));
	c->max_latency = ask_number(latency, "limit_ns");
	c->over_latency = ask_number(latency, "packets_over");
	read_drops(c, json_object_get(j, "dropped"));
	c->path = link ? strdup("") : copy_text(json_object_get(j, "class"));
	if (!c->path)
		return -1;
	c->depth = !link;
	for (const char *p = c->path; *p; p++)
		c->depth += *p == '/';
	return read_hist(&c->delay, json_object_get(j, "delay_ns"));
}

static int by_path(const void *a, const void *b)
{
	const struct top_class *const *x = a, *const *y = b;

	return strcmp((*x)->path, (*y)->path);
}

static int read_classes(struct top_link *l, const json_t *list)
{
	size_t n = json_array_size(list);

	l->class = calloc(n + 1, sizeof(*l->class));
	l->by_path = calloc(n + 1, sizeof(*l->by_path));
	if (!l->class || !l->by_path)
		return -1;
	for (; l->n_class < n; l->n_class++) {
		struct top_class *c = &l->class[l->n_class];

		l->by_path[l->n_class] = c;
		if (read_class(c, json_array_get(list, l->n_class), false)) {
			l->n_class++; /* what there is of it goes with the others */
			return -1;
		}
	}
	qsort(l->by_path, n, sizeof(*l->by_path), by_path);
	return 0;
}

/* What is wrong with a link, in one line each; of an older gateway, its warnings. */
static int read_findings(struct top_link *l, const json_t *list)
{
	char line[TOP_FINDING];
	const json_t *j;
	size_t i;

	l->warning = calloc(json_array_size(list) + 1, sizeof(*l->warning));
	if (!l->warning)
		return -1;
	json_array_foreach(list, i, j)
	{
		const char *of = json_string_value(json_object_get(j, "link"));
		const char *sev = json_string_value(json_object_get(j, "severity"));

		if (!of || strcmp(of, l->name) != 0 || (sev && !strcmp(sev, "notice")))
			continue;
		ask_finding_line(j, line, sizeof(line));
		if (json_is_string(json_object_get(j, "cause"))) {
			size_t n = strlen(line);

			snprintf(line + n, sizeof(line) - n, "; why: %s", ask_text(j, "cause"));
		}
		l->warning[l->n_warning] = strdup(line);
		if (!l->warning[l->n_warning])
			return -1;
		l->n_warning++;
	}
	return 0;
}

static int read_warnings(struct top_link *l, const json_t *list)
{
	size_t n = json_array_size(list);

	l->warning = calloc(n + 1, sizeof(*l->warning));
	if (!l->warning)
		return -1;
	for (; l->n_warning < n; l->n_warning++) {
		l->warning[l->n_warning] = copy_text(json_array_get(list, l->n_warning));
		if (!l->warning[l->n_warning])
			return -1;
	}
	return 0;
}

static int read_link(struct top_link *l, const json_t *j, const json_t *findings, uint64_t now)
{
	const json_t *health = json_object_get(j, "health");
	uint64_t error = ask_number(health, "error");

	l->name = copy_text(json_object_get(j, "name"));
	l->interface = copy_text(json_object_get(j, "interface"));
	l->backend = json_object_get(j, "backend") ? copy_text(json_object_get(j, "backend"))
						   : strdup("queue"); /* of an older gateway */
	if (json_is_string(json_object_get(j, "device")))
		l->device = copy_text(json_object_get(j, "device"));
	if (!l->name || !l->interface || !l->backend)
		return -1;
	l->has_queue = json_is_object(health);
	l->up = ask_true(j, "up");
	l->now = ask_number(j, "now_ns");
	if (!l->now)
		l->now = now;
	l->rate_bps = ask_number(j, "rate_bps");
	l->held_packets = ask_number(health, "held_packets");
	l->held_bytes = ask_number(health, "held_bytes");
	l->cpu = ask_number(health, "cpu_ns");
	l->error = error < INT32_MAX ? (int)error : INT32_MAX;
	for (unsigned i = 0; i < ASK_LOSSES; i++)
		l->lost[i] = ask_number(health, ask_losses[i].key);
	if (read_hist(&l->late, json_object_get(health, "wakeup_late_ns")) ||
	    (findings ? read_findings(l, findings)
		      : read_warnings(l, json_object_get(j, "warnings"))) ||
	    read_class(&l->all, j, true))
		return -1;
	return read_classes(l, json_object_get(j, "classes"));
}

static bool wanted(const json_t *j, const char *only)
{
	const char *name = json_string_value(json_object_get(j, "name"));

	return !only || (name && !strcmp(name, only));
}

static int read_links(struct top_answer *a, const json_t *list, const json_t *findings,
		      const char *only)
{
	const json_t *j;
	size_t i;

	a->link = calloc(json_array_size(list) + 1, sizeof(*a->link));
	if (!a->link)
		return -1;
	json_array_foreach(list, i, j)
	{
		if (wanted(j, only) && read_link(&a->link[a->n_link++], j, findings, a->now))
			return -1;
	}
	return 0;
}

struct top_answer *top_answer_read(const json_t *j, const char *only)
{
	struct top_answer *a = calloc(1, sizeof(*a));
	uint64_t uptime = ask_number(j, "uptime_ns");

	if (!a)
		return NULL;
	a->now = ask_number(j, "now_ns");
	a->started = a->now > uptime ? a->now - uptime : 0;
	a->generation = ask_number(j, "generation");
	a->reloads_failed = ask_number(j, "reloads_failed");
	/* null: what no gateway runs for has no rules that could be changed */
	a->intact = ask_true(j, "intact") || json_is_null(json_object_get(j, "intact"));
	a->weir = copy_text(json_object_get(j, "weir"));
	a->policy = copy_text(json_object_get(j, "policy"));
	if (a->weir && a->policy &&
	    !read_links(a, json_object_get(j, "links"), json_object_get(j, "findings"), only))
		return a;
	top_answer_free(a);
	return NULL;
}

static void free_class(struct top_class *c)
{
	free(c->path);
	free(c->delay.bin);
}

static void free_link(struct top_link *l)
{
	for (size_t i = 0; i < l->n_class; i++)
		free_class(&l->class[i]);
	for (size_t i = 0; i < l->n_warning; i++)
		free(l->warning[i]);
	free_class(&l->all);
	free(l->class);
	free(l->by_path);
	free(l->warning);
	free(l->late.bin);
	free(l->name);
	free(l->interface);
	free(l->backend);
	free(l->device);
}

void top_answer_free(struct top_answer *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < a->n_link; i++)
		free_link(&a->link[i]);
	free(a->link);
	free(a->weir);
	free(a->policy);
	free(a);
}

const struct top_link *top_answer_link(const struct top_answer *a, const char *name)
{
	for (size_t i = 0; i < a->n_link; i++)
		if (!strcmp(a->link[i].name, name))
			return &a->link[i];
	return NULL;
}

const struct top_class *top_link_class(const struct top_link *l, const char *path)
{
	size_t from = 0, to = l->n_class;

	while (from < to) {
		size_t mid = from + (to - from) / 2;
		int c = strcmp(path, l->by_path[mid]->path);

		if (!c)
			return l->by_path[mid];
		if (c < 0)
			to = mid;
		else
			from = mid + 1;
	}
	return NULL;
}
