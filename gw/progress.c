/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/progress.h"

#include "gw/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { COLUMNS = 80, LINE = 256, BAR_LEAST = 8, BAR_MOST = 40 };

static const uint64_t second = 1000000000, redraw = 100000000;

/* No colour is used, so NO_COLOR asks for nothing; a dumb terminal cannot take a line back. */
static bool can_draw(void)
{
	const char *term = getenv("TERM");

	return isatty(STDERR_FILENO) && !(term && !strcmp(term, "dumb"));
}

void progress_start(struct progress *p, const char *label)
{
	*p = (struct progress){.label = label, .left = PROGRESS_EVERY, .on = can_draw()};
	if (p->on)
		p->start_ns = clock_now();
}

/* 950, 12.3k, 4.5M: at most six characters and never more digits than are known. */
static void put_count(char to[16], double v)
{
	static const char units[] = "\0kMGTPE";
	unsigned u = 0;

	while (v >= 999.5 && units[u + 1]) {
		v /= 1000;
		u++;
	}
	snprintf(to, 16, u && v < 99.95 ? "%.1f%.1s" : "%.0f%.1s", v, &units[u]);
}

static void put_eta(char *to, size_t size, double left)
{
	unsigned left_s = left < 100 * 3600 ? (unsigned)(left + 0.5) : 100 * 3600;

	if (left_s >= 100 * 3600)
		snprintf(to, size, "over 99 h left");
	else if (left_s >= 3600)
		snprintf(to, size, "%u:%02u:%02u left", left_s / 3600, left_s / 60 % 60,
			 left_s % 60);
	else
		snprintf(to, size, "%u:%02u left", left_s / 60, left_s % 60);
}

size_t progress_line(char *to, size_t size, unsigned columns, const char *label, uint64_t done,
		     uint64_t total, uint64_t count, uint64_t elapsed_ns)
{
	char counted[16], rate[16], left[32], bar[BAR_MOST + 1] = "", tail[128];
	double seconds = (double)(elapsed_ns ? elapsed_ns : 1) / 1e9;
	double share = total ? (double)(done < total ? done : total) / (double)total : 0;
	size_t width, used;
	int n;

	if (!size)
		return 0;
	if (columns > size - 1)
		columns = (unsigned)(size - 1);
	put_count(counted, (double)count);
	put_count(rate, (double)count / seconds);
	snprintf(tail, sizeof(tail), "%s packets, %s/s", counted, rate);
	if (total) {
		used = strlen(tail);
		if (share > 0) {
			put_eta(left, sizeof(left), seconds * (1 - share) / share);
			snprintf(tail + used, sizeof(tail) - used, ", %s", left);
		}
		/* What is left beside "label [] 100% tail" */
		used = strlen(label) + strlen(tail) + strlen(" [] 100% ");
		width = used < columns ? columns - used : 0;
		if (width > BAR_MOST)
			width = BAR_MOST;
		if (width >= BAR_LEAST) {
			memset(bar, '.', width);
			memset(bar, '#', (size_t)(share * (double)width));
		}
		n = snprintf(to, columns + 1, *bar ? "%s [%s] %3u%% %s" : "%s%s %3u%% %s",
			     label, bar, (unsigned)(share * 100), tail);
	} else {
		n = snprintf(to, columns + 1, "%s %s", label, tail);
	}
	return n < 0 ? 0 : (size_t)n < columns ? (size_t)n : columns;
}

void progress_update(struct progress *p, uint64_t done, uint64_t total, uint64_t count)
{
	struct winsize ws;
	unsigned columns = COLUMNS;
	char line[LINE];
	uint64_t now;
	size_t len;

	if (!p->on)
		return;
	now = clock_now();
	if (now - p->start_ns < second || (p->drawn && now - p->drawn_ns < redraw))
		return;
	/* One less than there are, so that the cursor stays on the line. */
	if (!ioctl(STDERR_FILENO, TIOCGWINSZ, &ws) && ws.ws_col > 1)
		columns = ws.ws_col - 1U;
	len = progress_line(line, sizeof(line), columns, p->label, done, total, count,
			    now - p->start_ns);
	fprintf(stderr, "\r%.*s\033[K", (int)len, line);
	fflush(stderr);
	p->drawn = true;
	p->drawn_ns = now;
}

void progress_end(struct progress *p)
{
	if (!p->drawn)
		return;
	fputs("\r\033[K", stderr);
	fflush(stderr);
	p->drawn = false;
}
