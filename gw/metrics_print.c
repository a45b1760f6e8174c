/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The document: https://prometheus.io/docs/instrumenting/exposition_formats/. All samples of
 * a family must stand together, so the outermost loop is over families.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "gw/json.h"
#include "gw/metrics.h"
#include "gw/metrics_text.h"

/* The format wants UTF-8; names of files need not be. */
static void print_escaped(FILE *f, const char *value)
{
	json_t *j = json_text(value);
	const char *s = json_string_value(j);

	for (; s && *s; s++) {
		if (*s == '\n') {
			fputs("\\n", f);
			continue;
		}
		if (*s == '"' || *s == '\\')
			fputc('\\', f);
		fputc(*s, f);
	}
	json_decref(j);
}

/* Nearly all names are, and there are thousands of them. */
static bool is_plain(const char *s)
{
	while (*s >= ' ' && *s <= '~' && *s != '"' && *s != '\\')
		s++;
	return !*s;
}

void metrics_label(FILE *f, const char *name, const char *value)
{
	fputs(name, f);
	fputs("=\"", f);
	if (is_plain(value))
		fputs(value, f);
	else
		print_escaped(f, value);
	fputc('"', f);
}

static void print_count(FILE *f, uint64_t v)
{
	fprintf(f, " %" PRIu64 "\n", v);
}

void metrics_fraction(FILE *f, unsigned __int128 whole, uint64_t part, int digits)
{
	char text[48], *p = text + sizeof(text);

	for (; digits && !(part % 10); digits--)
		part /= 10;
	*--p = '\0';
	if (digits) {
		for (; digits; digits--, part /= 10)
			*--p = (char)('0' + part % 10);
		*--p = '.';
	}
	do {
		*--p = (char)('0' + (unsigned)(whole % 10));
		whole /= 10;
	} while (whole);
	fputs(p, f);
}

void metrics_seconds(FILE *f, unsigned __int128 ns)
{
	fputc(' ', f);
	metrics_fraction(f, ns / 1000000000, (uint64_t)(ns % 1000000000), 9);
	fputc('\n', f);
}

/* bit/s as bytes per second */
static void print_rate(FILE *f, uint64_t bps)
{
	fputc(' ', f);
	metrics_fraction(f, bps / 8, bps % 8 * 125, 3);
	fputc('\n', f);
}

void metrics_value(FILE *f, enum metrics_unit unit, uint64_t v)
{
	if (unit == SECONDS)
		metrics_seconds(f, v);
	else if (unit == RATE)
		print_rate(f, v);
	else
		print_count(f, v);
}

void metrics_begin(FILE *f, const char *name, const char *type, const char *help)
{
	fprintf(f, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* ---- Of the gateway. */

/*
 * ns since the epoch of a monotonic time. Rounded to 10 ms: the two clocks are read one
 * after the other, and what happened once should look the same each time.
 */
static uint64_t wall_of(const struct gateway_snapshot *s, uint64_t monotonic)
{
	uint64_t step = 10000000;

	return (s->wall - (s->now - monotonic) + step / 2) / step * step;
}

static void print_gateway(FILE *f, const struct gateway_snapshot *s)
{
	metrics_begin(f, "weir_build_info", "gauge", "Which weir this is; always 1.");
	fputs("weir_build_info{version=\"" WEIR_VERSION "\"} 1\n", f);
	metrics_begin(
		f, "weir_gateway_info", "gauge",
		"The policy's file, and how the kernel queues (native, or xtables' NFQUEUE); "
		"always 1.");
	fputs("weir_gateway_info{", f);
	metrics_label(f, "policy", s->policy);
	fprintf(f, ",queueing=\"%s\"} 1\n", s->native ? "native" : "xtables");
	metrics_begin(f, "weir_start_time_seconds", "gauge",
		      "When the gateway began, since the epoch.");
	fputs("weir_start_time_seconds", f);
	metrics_seconds(f, wall_of(s, s->started));
	metrics_begin(f, "weir_policy_loaded_time_seconds", "gauge",
		      "When the policy in force was read, since the epoch.");
	fputs("weir_policy_loaded_time_seconds", f);
	metrics_seconds(f, wall_of(s, s->reloaded ? s->reloaded : s->started));
	metrics_begin(f, "weir_policy_generation", "gauge",
		      "1, and one more for every reload that took over.");
	fprintf(f, "weir_policy_generation %" PRIu64 "\n", s->generation);
	metrics_begin(
		f, "weir_policy_reload_failures_total", "counter",
		"Reloads that changed nothing because the policy was not valid or could not be "
		"set up.");
	fprintf(f, "weir_policy_reload_failures_total %" PRIu64 "\n", s->reloads_failed);
	metrics_begin(
		f, "weir_rules_intact", "gauge",
		"Whether the nftables rules are as weir made them; 0: packets pass unshaped.");
	fprintf(f, "weir_rules_intact %d\n", s->intact);
}

/* ---- Piece by piece. */

struct metrics_pieces {
	const struct gateway_snapshot *s;
	bool begun;
	struct metrics_at at;
};

struct metrics_pieces *metrics_pieces(const struct gateway_snapshot *s)
{
	struct metrics_pieces *p = calloc(1, sizeof(*p));

	if (p)
		p->s = s;
	return p;
}

bool metrics_piece(struct metrics_pieces *p, FILE *f)
{
	if (p->begun)
		return metrics_class(f, p->s, &p->at);
	p->begun = true;
	print_gateway(f, p->s);
	metrics_links(f, p->s);
	return true;
}

void metrics_pieces_end(struct metrics_pieces *p)
{
	free(p);
}

int metrics_print(const struct gateway_snapshot *s, FILE *f)
{
	struct metrics_pieces p = {.s = s};

	while (metrics_piece(&p, f))
		;
	return ferror(f) ? -1 : 0;
}
