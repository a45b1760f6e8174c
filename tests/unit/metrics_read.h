/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads Prometheus' text format, strictly and by its description alone: families once and
 * in one piece, HELP and TYPE before their samples, names, escapes, no series twice,
 * histograms whole. Anything else ends the test.
 */
#ifndef WEIR_TESTS_METRICS_READ_H
#define WEIR_TESTS_METRICS_READ_H

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERIES_MAX 4000

struct series {
	char name[80];
	char labels[400]; /* "link=wan-up;class=work/ssh;" with escapes undone, without le */
	char le[24];
	double value;
};

struct document {
	struct series v[SERIES_MAX];
	size_t n;
	char family[80], type[16];
	char families[100][80];
	size_t n_family;
};

static bool name_char(char c, bool first)
{
	return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (!first && c >= '0' && c <= '9');
}

static const char *read_name(const char *p, char *to, size_t size)
{
	size_t n = 0;

	assert_true(name_char(*p, true));
	while (name_char(*p, false)) {
		assert_true(n + 1 < size);
		to[n++] = *p++;
	}
	to[n] = '\0';
	return p;
}

static const char *read_label(const char *p, struct series *s)
{
	char name[80], value[300];
	size_t n = 0;

	p = read_name(p, name, sizeof(name));
	assert_int_equal(*p++, '=');
	assert_int_equal(*p++, '"');
	for (; *p != '"'; p++) {
		assert_true(*p && *p != '\n' && n + 1 < sizeof(value));
		if (*p == '\\') {
			p++;
			assert_non_null(strchr("\\\"n", *p));
			value[n++] = *p == 'n' ? '\n' : *p;
		} else {
			value[n++] = *p;
		}
	}
	value[n] = '\0';
	if (!strcmp(name, "le")) {
		snprintf(s->le, sizeof(s->le), "%.20s", value);
	} else {
		n = strlen(s->labels);
		snprintf(s->labels + n, sizeof(s->labels) - n, "%s=%s;", name, value);
	}
	return p + 1;
}

static void check_belongs(const struct document *d, const struct series *s)
{
	static const char *const suffix[] = {"_bucket", "_sum", "_count"};
	size_t n = strlen(d->family);
	bool ok = false;

	assert_true(d->n_family > 0);
	if (strcmp(d->type, "histogram") != 0) {
		assert_string_equal(s->name, d->family);
		assert_string_equal(s->le, "");
		/* the names of counters, and only theirs, end so */
		assert_int_equal(!strcmp(d->type, "counter"),
				 n > 6 && !strcmp(d->family + n - 6, "_total"));
		return;
	}
	assert_int_equal(strncmp(s->name, d->family, n), 0);
	for (unsigned i = 0; i < 3; i++)
		ok |= !strcmp(s->name + n, suffix[i]);
	assert_true(ok);
	assert_int_equal(!strcmp(s->name + n, "_bucket"), s->le[0] != '\0');
}

static void read_sample(struct document *d, const char *p)
{
	struct series *s = &d->v[d->n];
	char *end;

	assert_true(d->n < SERIES_MAX);
	memset(s, 0, sizeof(*s));
	p = read_name(p, s->name, sizeof(s->name));
	if (*p == '{') {
		do
			p = read_label(p + 1, s);
		while (*p == ',');
		assert_int_equal(*p++, '}');
	}
	assert_int_equal(*p++, ' ');
	s->value = strtod(p, &end);
	assert_true(end != p && *end == '\0' && isfinite(s->value) && s->value >= 0);
	check_belongs(d, s);
	for (size_t i = 0; i < d->n; i++)
		assert_false(!strcmp(d->v[i].name, s->name) &&
			     !strcmp(d->v[i].labels, s->labels) && !strcmp(d->v[i].le, s->le));
	d->n++;
}

static void read_comment(struct document *d, const char *line, bool *help)
{
	const char *p = line + 7;
	char name[80];

	if (!strncmp(line, "# HELP ", 7)) {
		assert_false(*help);
		*help = true;
		p = read_name(p, d->family, sizeof(d->family));
		assert_true(*p == ' ' && p[1]);
		assert_int_equal(strncmp(d->family, "weir_", 5), 0);
		for (size_t i = 0; i < d->n_family; i++)
			assert_string_not_equal(d->families[i], d->family);
		assert_true(d->n_family < 100);
		snprintf(d->families[d->n_family++], 80, "%s", d->family);
		return;
	}
	assert_int_equal(strncmp(line, "# TYPE ", 7), 0);
	assert_true(*help);
	*help = false;
	p = read_name(p, name, sizeof(name));
	assert_string_equal(name, d->family);
	assert_true(!strcmp(p, " counter") || !strcmp(p, " gauge") || !strcmp(p, " histogram"));
	snprintf(d->type, sizeof(d->type), "%.15s", p + 1);
}

static double series_value(const struct document *d, const char *name, const char *labels,
			   const char *le)
{
	for (size_t i = 0; i < d->n; i++)
		if (!strcmp(d->v[i].name, name) && !strcmp(d->v[i].labels, labels) &&
		    !strcmp(d->v[i].le, le))
			return d->v[i].value;
	fail_msg("there is no %s{%s} le=%s", name, labels, le);
	return 0;
}

/* Every run of buckets rises, ends with +Inf, and that is its count; it has a sum. */
static void check_histograms(const struct document *d)
{
	double last = 0, bound = -1;

	for (size_t i = 0; i < d->n; i++) {
		const struct series *s = &d->v[i];
		size_t n = strlen(s->name);
		char base[80], other[88];

		if (!s->le[0])
			continue;
		if (bound >= 0)
			assert_string_equal(s->labels, d->v[i - 1].labels);
		assert_true(s->value >= last);
		assert_true(strtod(s->le, NULL) > bound); /* reads +Inf too */
		last = s->value;
		bound = strtod(s->le, NULL);
		if (strcmp(s->le, "+Inf") != 0)
			continue;
		snprintf(base, sizeof(base), "%.*s", (int)(n - strlen("_bucket")), s->name);
		snprintf(other, sizeof(other), "%s_count", base);
		assert_true(series_value(d, other, s->labels, "") == s->value);
		snprintf(other, sizeof(other), "%s_sum", base);
		series_value(d, other, s->labels, "");
		last = 0;
		bound = -1;
	}
	assert_true(bound < 0);
}

static struct document *read_document(const char *text)
{
	struct document *d = calloc(1, sizeof(*d));
	char *copy = strdup(text), *line = copy, *end;
	bool help = false;

	assert_non_null(d);
	assert_non_null(copy);
	for (; *line; line = end + 1) {
		end = strchr(line, '\n');
		assert_non_null(end); /* the last line too ends with one */
		*end = '\0';
		if (*line == '#') {
			read_comment(d, line, &help);
		} else {
			assert_false(help);
			read_sample(d, line);
		}
	}
	check_histograms(d);
	free(copy);
	return d;
}

#endif
