/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `weir top`: the classes of the running gateway, live. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "gw/clock.h"
#include "gw/cmd_ask.h"
#include "gw/control.h"
#include "gw/screen.h"
#include "gw/top_lines.h"
#include "gw/top_text.h"

#define SECOND UINT64_C(1000000000)
#define INTERVAL_LEAST (SECOND / 20) /* each answer costs the gateway something */
#define INTERVAL_MOST (3600 * SECOND)
#define TIMEOUT (ASK_TIMEOUT_MS * (SECOND / 1000))
#define RETRY SECOND /* how often one looks for a gateway that went away */

struct top {
	const char *socket, *only;
	uint64_t interval, count; /* ns; tables, 0: no end */
	bool drawn;		  /* on a terminal, else printed */

	struct standing *standing; /* what was applied, where no gateway runs */
	struct control_call *call; /* the question that is under way */
	uint64_t asked, next;	   /* ns: when that began; when the next one is due */
	uint64_t answered;	   /* ns: the last answer */
	struct top_answer *last;
	struct top_frame *frame; /* of `last` and the one before; NULL: there was none yet */
	uint64_t tables;

	int signals, keys; /* descriptors, -1: none */
	bool opened;
	struct top_view view;
	enum top_sort sort;
	char trouble[640];
	char typed[64]; /* keys that are not understood yet */
	size_t n_typed;
	bool end;
	char failed[512]; /* why, if that is no good end; told when the screen is closed */
};

static void fail(struct top *t, const char *why)
{
	t->end = true;
	snprintf(t->failed, sizeof(t->failed), "%s", why);
}

/* ---- What is shown. */

static void draw(struct top *t)
{
	struct screen_lines l = {0};

	if (!t->opened || t->end)
		return;
	screen_size(&t->view.columns, &t->view.rows);
	if (!top_lines(t->frame, &t->view, &l))
		fail(t, "no memory");
	else if (screen_draw(&l))
		t->end = true;
	screen_lines_free(&l);
}

/* A reader that goes away ends this, and so does a signal; neither is a failure. */
static void print(struct top *t)
{
	struct top_view all = {0};
	struct screen_lines l = {0};
	bool bad = false;

	if (!top_lines(t->frame, &all, &l))
		fail(t, "no memory");
	errno = 0;
	if (!t->drawn && t->tables > 1)
		bad = putchar('\n') == EOF;
	for (size_t i = 0; i < l.n && !bad; i++)
		bad = puts(l.v[i].text) == EOF;
	bad = bad || fflush(stdout);
	t->end |= bad;
	if (bad && errno != EPIPE && errno != EINTR)
		fail(t, strerror(errno));
	screen_lines_free(&l);
}

/* ---- What is asked, and answered. */

static void tell_trouble(struct top *t, const char *why)
{
	char age[REPORT_TEXT];

	snprintf(t->trouble, sizeof(t->trouble), "NO ANSWER for %s, trying on: %s",
		 top_duration((clock_now() - t->answered) / SECOND * SECOND, age), why);
	t->view.trouble = t->trouble;
	draw(t);
}

static void no_answer(struct top *t, const char *why)
{
	control_call_end(t->call);
	t->call = NULL;
	if (!t->opened) {
		fail(t, why);
		return;
	}
	t->next = clock_now() + RETRY;
	tell_trouble(t, why);
}

static void open_screen(struct top *t)
{
	if (screen_open(&t->keys)) {
		fail(t, strerror(errno));
		return;
	}
	t->opened = true;
}

static void show(struct top *t)
{
	bool measured = t->frame->ns;

	t->tables += measured;
	top_frame_sort(t->frame, t->sort);
	if (t->drawn && !t->opened)
		open_screen(t);
	if (t->drawn)
		draw(t);
	else if (measured)
		print(t);
	if (!t->end && t->count && t->tables == t->count)
		t->end = true;
}

static void take(struct top *t, const json_t *j)
{
	struct top_answer *is;
	struct top_frame *frame;
	char why[320];

	if (!ask_true(j, "ok")) {
		snprintf(why, sizeof(why), "the gateway says: %.250s", ask_text(j, "error"));
		no_answer(t, why);
		return;
	}
	is = top_answer_read(j, t->only);
	if (is && t->only && !is->n_link) {
		snprintf(why, sizeof(why), "the gateway has no link \"%s\"",
			 policy_shown(t->only).s);
		top_answer_free(is);
		no_answer(t, why);
		return;
	}
	frame = is ? top_frame_new(t->last, is) : NULL;
	if (!frame) {
		top_answer_free(is);
		no_answer(t, "no memory");
		return;
	}
	top_frame_free(t->frame);
	top_answer_free(t->last);
	t->frame = frame;
	t->last = is;
	t->answered = clock_now();
	t->view.trouble = NULL;
	show(t);
}

/* Where no gateway runs: what `weir tc apply` made. false: there is nothing. */
static bool show_standing(struct top *t)
{
	char err[512];
	json_t *j;

	if (!control_absent(t->socket))
		return false;
	if (!t->standing)
		t->standing = standing_open(err, sizeof(err));
	j = t->standing ? ask_standing(t->standing, "stats") : NULL;
	if (!j)
		return false;
	t->next = t->asked + t->interval;
	take(t, j);
	json_decref(j);
	return true;
}

static void ask(struct top *t, uint64_t now)
{
	char err[512];

	t->asked = now;
	t->call = control_call_begin(t->socket, "stats", "histograms", err, sizeof(err));
	if (t->call) {
		/* what a gateway does comes first: it may have taken over what stood there */
		standing_close(t->standing);
		t->standing = NULL;
	} else if (!show_standing(t)) {
		no_answer(t, err);
	}
}

static void read_answer(struct top *t)
{
	char err[512];
	json_t *j = NULL;
	int done = control_call_read(t->call, &j, err, sizeof(err));

	if (!done)
		return;
	control_call_end(t->call);
	t->call = NULL;
	t->next = t->asked + t->interval;
	if (done < 0)
		no_answer(t, err);
	else
		take(t, j);
	json_decref(j);
}

/* ---- Keys and signals. */

static void scroll(struct top *t, bool down, size_t by)
{
	t->view.scroll = down		       ? t->view.scroll + by
			 : t->view.scroll > by ? t->view.scroll - by
					       : 0;
}

static void sort(struct top *t)
{
	t->sort = (t->sort + 1) % TOP_SORTS;
	top_frame_sort(t->frame, t->sort);
	t->view.scroll = 0;
}

static void pause_or_go_on(struct top *t)
{
	t->view.paused = !t->view.paused;
	t->next = clock_now();
}

static void press(struct top *t, int key)
{
	bool help = t->view.help;

	t->view.help = false;
	if (key == 'q')
		t->end = true;
	else if (help)
		return;
	else if (key == '?' || key == 'h')
		t->view.help = true;
	else if (key == ' ')
		pause_or_go_on(t);
	else if (key == 's')
		sort(t);
	else if (key == SCREEN_UP || key == 'k')
		scroll(t, false, 1);
	else if (key == SCREEN_DOWN || key == 'j')
		scroll(t, true, 1);
	else if (key == SCREEN_PAGE_UP)
		scroll(t, false, t->view.page);
	else if (key == SCREEN_PAGE_DOWN)
		scroll(t, true, t->view.page);
	else if (key == SCREEN_HOME)
		t->view.scroll = 0;
	else if (key == SCREEN_LAST)
		t->view.scroll = SIZE_MAX / 2;
}

static void read_keys(struct top *t)
{
	ssize_t n = read(t->keys, t->typed + t->n_typed, sizeof(t->typed) - t->n_typed);
	size_t at = 0, used;
	int key;

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		t->end = true; /* the terminal is gone */
		return;
	}
	t->n_typed += (size_t)n;
	while (at < t->n_typed &&
	       (used = screen_key(t->typed + at, t->n_typed - at, &key)) > 0) {
		press(t, key);
		at += used;
	}
	t->n_typed -= at;
	memmove(t->typed, t->typed + at, t->n_typed);
	draw(t);
}

static void obey(struct top *t)
{
	unsigned got = screen_signals();

	if (got & SCREEN_END)
		t->end = true;
	else if (t->opened && got & SCREEN_STOP)
		screen_stop();
	else if (t->opened && got & SCREEN_CONTINUE)
		screen_again();
	draw(t);
}

/* ---- The loop. */

static int until_ms(const struct top *t, uint64_t now)
{
	uint64_t due = t->call ? t->asked + TIMEOUT : t->next;

	if (!t->call && t->view.paused)
		return -1;
	/* one who looks on is told in the meantime that there is nothing new */
	if (t->call && t->opened && due > now + RETRY)
		due = now + RETRY;
	return due <= now ? 0 : (int)((due - now + 999999) / 1000000);
}

/* There is no answer yet. */
static void wait_on(struct top *t)
{
	uint64_t waited = clock_now() - t->asked;

	if (waited >= TIMEOUT)
		no_answer(t, "the gateway does not answer");
	else if (t->opened && waited >= 2 * RETRY)
		tell_trouble(t, "the gateway is silent");
}

static void step(struct top *t)
{
	enum { SIGNALS, CALL, KEYS, READER, FDS };
	struct pollfd p[FDS] = {{.fd = t->signals, .events = POLLIN},
				{.fd = -1, .events = POLLIN},
				{.fd = t->opened ? t->keys : -1, .events = POLLIN},
				/* nothing but that its reader has gone */
				{.fd = t->drawn ? -1 : STDOUT_FILENO}};
	uint64_t now = clock_now();

	if (!t->call && !t->view.paused && now >= t->next)
		ask(t, now);
	if (t->end)
		return;
	if (t->call)
		p[CALL].fd = control_call_fd(t->call);
	if (poll(p, FDS, until_ms(t, now)) < 0 && errno != EINTR) {
		fail(t, strerror(errno));
		return;
	}
	if (p[SIGNALS].revents)
		obey(t);
	if (!t->end && p[READER].revents & (POLLERR | POLLHUP | POLLNVAL))
		t->end = true;
	if (!t->end && p[KEYS].revents)
		read_keys(t);
	if (!t->end && t->call && p[CALL].revents)
		read_answer(t);
	else if (!t->end && t->call)
		wait_on(t);
}

static int watch(struct top *t)
{
	t->drawn = screen_possible();
	t->signals = screen_watch(t->drawn);
	if (t->signals < 0)
		return cmd_fail("%s", strerror(errno));
	while (!t->end)
		step(t);
	screen_close();
	control_call_end(t->call);
	standing_close(t->standing);
	/* the other screen has gone with the last table, which somebody asked for by number */
	if (t->opened && t->count && t->tables == t->count)
		print(t);
	top_frame_free(t->frame);
	top_answer_free(t->last);
	close(t->signals);
	return t->failed[0] ? cmd_fail("%s", t->failed) : CMD_OK;
}

/* ---- The command line. */

static int parse_interval(const char *text, uint64_t *ns)
{
	char err[256];

	if (policy_parse_time(text, ns, err, sizeof(err)))
		return cmd_usage(&cmd_top, "--interval %s", err);
	if (*ns < INTERVAL_LEAST || *ns > INTERVAL_MOST)
		return cmd_usage(&cmd_top, "--interval %s: from 50ms to 3600s",
				 policy_shown(text).s);
	return -1;
}

static int parse_count(const char *text, uint64_t *count)
{
	char *rest;

	errno = 0;
	*count = strtoull(text, &rest, 10);
	if (errno || *text < '0' || *text > '9' || *rest || !*count)
		return cmd_usage(&cmd_top, "--count %s: a number of tables, from 1",
				 policy_shown(text).s);
	return -1;
}

static int run(int argc, char **argv)
{
	static const struct option options[] = {{"interval", required_argument, NULL, 'i'},
						{"count", required_argument, NULL, 'c'},
						{"socket", required_argument, NULL, 's'},
						{"help", no_argument, NULL, 'h'},
						{0}};
	struct top t = {.socket = CONTROL_PATH, .interval = SECOND, .keys = -1};
	int c, status = -1;

	while (status < 0 && (c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (c) {
		case 'i':
			status = parse_interval(optarg, &t.interval);
			break;
		case 'c':
			status = parse_count(optarg, &t.count);
			break;
		case 's':
			t.socket = optarg;
			break;
		case 'h':
			return cmd_help(&cmd_top);
		default:
			return cmd_usage(&cmd_top, NULL);
		}
	}
	if (status >= 0)
		return status;
	if (optind < argc)
		t.only = argv[optind++];
	if (optind < argc)
		return cmd_usage(&cmd_top, "%s: too many arguments", argv[optind]);
	return watch(&t);
}

const struct cmd cmd_top = {
	.name = "top",
	.args = "[LINK] [--interval TIME] [--count N] [--socket PATH]",
	.line = "Shows what the running gateway's classes do, live: rates, queues, delays, "
		"drops",
	.help = "  LINK             only this one\n"
		"  --interval TIME  between two tables, such as 500ms (1s)\n"
		"  --count N        end after N tables\n"
		"  --socket PATH    of the gateway (" CONTROL_PATH ")\n\n"
		"Keys: q quit, s sort, space pause, arrows scroll, ? help. Not on a terminal "
		"it "
		"prints\n"
		"one table after another, with a blank line between.\n"
		"All figures are of the interval. \"!\" marks a class some of whose packets "
		"waited\n"
		"longer than its max-latency.\n"
		"Where no gateway runs: what the kernel counts for what \"weir tc apply\" "
		"made.\n"
		"Exit: 0 ended by the user, the reader or --count; 2 no gateway answers, and\n"
		"nothing was applied.\n",
	.run = run,
};
