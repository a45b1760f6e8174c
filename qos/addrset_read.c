/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A file of addresses, line by line: in parts, so that its size costs no memory. */
#include "qos/addrset.h"
#include "qos/policy_impl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#define PART 65536u

struct reading {
	struct addrset *set;
	const char *name;
	struct policy_report *r;
	unsigned errors;
	int line;
	char text[ADDRSET_LINE_MAX + 1];
	size_t n;      /* of the line so far */
	bool comment;  /* the rest of it is one */
	bool too_long; /* it has more than fits */
};

static void wrong(struct reading *g, int col, const char *what, const char *why)
{
	const struct policy_mark at = {g->line, col};

	g->errors++;
	if (g->errors > ADDRSET_ERRORS_MAX)
		return;
	if (what)
		policy_complain(g->r, POLICY_ERROR, g->name, at, "\"%s\" %s",
				policy_shown(what).s, why);
	else
		policy_complain(g->r, POLICY_ERROR, g->name, at, "%s", why);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static void add(struct reading *g, const char *s, int col)
{
	struct policy_net net;
	const char *why;
	char text[160], addr[INET6_ADDRSTRLEN];

	if (!policy_parse_net(s, &net, &why)) {
		wrong(g, col, s, why);
	} else if (policy_clear_host_bits(&net)) {
		inet_ntop(net.family == 4 ? AF_INET : AF_INET6, net.addr, addr, sizeof(addr));
		snprintf(text, sizeof(text),
			 "has bits behind its prefix (did you mean \"%s/%u\"?)", addr,
			 net.plen);
		wrong(g, col, s, text);
	} else if (addrset_add_net(g->set, &net)) {
		snprintf(text, sizeof(text), "a set has at most %u lines with an address",
			 ADDRSET_MAX);
		wrong(g, col, NULL, errno == E2BIG ? text : "out of memory");
		g->errors = ADDRSET_ERRORS_MAX + 1; /* no more of it */
	}
}

/* What has been gathered is a line. */
static void end_line(struct reading *g)
{
	size_t from = 0, to = g->n;

	g->line++;
	g->text[g->n] = '\0';
	while (from < to && is_space(g->text[from]))
		from++;
	while (to > from && is_space(g->text[to - 1]))
		to--;
	g->text[to] = '\0';
	if (g->too_long)
		wrong(g, 1, NULL, "a line longer than an address or a network can be");
	else if (strlen(g->text) != to)
		wrong(g, 1, NULL, "a line with a NUL byte: this is no file of addresses");
	else if (to > from)
		add(g, g->text + from, (int)from + 1);
	g->n = 0;
	g->comment = g->too_long = false;
}

static void take(struct reading *g, char c)
{
	if (c == '\n') {
		end_line(g);
		return;
	}
	g->comment |= c == '#';
	if (g->comment)
		return;
	if (g->n < ADDRSET_LINE_MAX)
		g->text[g->n++] = c;
	else
		g->too_long = true;
}

/* Whether there is more to do. */
static bool goes_on(const struct reading *g)
{
	return g->errors <= ADDRSET_ERRORS_MAX && !policy_stopped(g->r);
}

static bool read_lines(struct reading *g, FILE *f)
{
	const struct policy_mark whole = {0, 0};
	char part[PART];
	size_t n, all = 0;

	while (goes_on(g) && (n = fread(part, 1, sizeof(part), f))) {
		all += n;
		if (all > ADDRSET_FILE_MAX) {
			policy_complain(g->r, POLICY_ERROR, g->name, whole,
					"larger than a set may be (%u MiB)",
					ADDRSET_FILE_MAX >> 20);
			return false;
		}
		for (size_t i = 0; i < n && g->errors <= ADDRSET_ERRORS_MAX; i++)
			take(g, part[i]);
	}
	if (ferror(f)) {
		policy_complain(g->r, POLICY_ERROR, g->name, whole, "cannot be read: %s",
				strerror(errno));
		return false;
	}
	if (goes_on(g) && (g->n || g->too_long))
		end_line(g);
	return !g->errors && !policy_stopped(g->r);
}

struct addrset *addrset_read(FILE *f, const char *name, struct policy_report *r)
{
	struct reading g = {.set = addrset_new(), .name = name, .r = r};

	if (!g.set)
		policy_complain(r, POLICY_ERROR, name, (struct policy_mark){0, 0},
				"out of memory");
	else if (read_lines(&g, f)) {
		addrset_seal(g.set);
		return g.set;
	}
	addrset_free(g.set);
	return NULL;
}
