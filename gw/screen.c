/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sequences are those of ECMA-48 and of xterm (ctlseqs), which every terminal of today
 * knows: a dozen, so there is no terminfo here.
 */
#include "gw/screen.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static const char alternate[] = "\033[?1049h\033[2J";
/* no cursor; lines that are too long are cut, not wrapped */
static const char modes[] = "\033[?25l\033[?7l";
static const char leave[] = "\033[0m\033[?7h\033[?25h\033[?1049l";

#define STALLED_MS 500 /* a terminal that takes nothing for so long is not waited for */

static int event_fd = -1;
static volatile sig_atomic_t noted; /* SCREEN_END and the like */
static volatile sig_atomic_t opened;
static struct termios before;

/* ---- The terminal as it was. All of it may be called in a signal handler. */

static int put(const char *s, size_t n)
{
	return write(STDOUT_FILENO, s, n) < 0 ? -1 : 0;
}

static void give_back(void)
{
	struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};

	if (!opened)
		return;
	opened = 0;
	tcsetattr(STDOUT_FILENO, TCSANOW, &before);
	if (poll(&p, 1, STALLED_MS) > 0)
		put(leave, sizeof(leave) - 1); /* or it is gone: nothing to give back */
}

static int take(void)
{
	struct termios t = before;

	t.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	/* Ctrl-S would stop the program in the middle of a write */
	t.c_iflag &= ~(tcflag_t)IXON;
	t.c_cc[VMIN] = 1;
	t.c_cc[VTIME] = 0;
	if (tcsetattr(STDOUT_FILENO, TCSANOW, &t))
		return -1;
	/* the alternate screen only once: it remembers the cursor of the other */
	if (opened)
		return put(modes, sizeof(modes) - 1);
	opened = 1;
	if (put(alternate, sizeof(alternate) - 1))
		return -1;
	return put(modes, sizeof(modes) - 1);
}

/* ---- Signals. */

static void note(int sig)
{
	int saved = errno;
	uint64_t one = 1;

	noted |= sig == SIGWINCH  ? SCREEN_SIZE
		 : sig == SIGTSTP ? SCREEN_STOP
		 : sig == SIGCONT ? SCREEN_CONTINUE
				  : SCREEN_END;
	if (write(event_fd, &one, sizeof(one)) < 0) {
		/* full: it is readable, and that is all that matters */
	}
	errno = saved;
}

/* A fault of our own: the terminal first, then what would have happened anyway. */
static void die(int sig)
{
	give_back();
	raise(sig); /* blocked here, and by SA_RESETHAND no longer caught */
}

/* Without SA_RESTART: a write to a terminal that takes nothing must end. */
static void on_signal(int sig, void (*fn)(int), int flags)
{
	struct sigaction a = {.sa_handler = fn, .sa_flags = flags};

	sigfillset(&a.sa_mask); /* note() must not come between another note() */
	sigaction(sig, &a, NULL);
}

int screen_watch(bool drawn)
{
	static const int end[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT},
			 told[] = {SIGWINCH, SIGTSTP, SIGCONT},
			 fault[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};

	event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (event_fd < 0)
		return -1;
	for (size_t i = 0; i < sizeof(end) / sizeof(end[0]); i++)
		on_signal(end[i], note, 0);
	for (size_t i = 0; drawn && i < sizeof(told) / sizeof(told[0]); i++)
		on_signal(told[i], note, 0);
	for (size_t i = 0; drawn && i < sizeof(fault) / sizeof(fault[0]); i++)
		on_signal(fault[i], die, (int)SA_RESETHAND);
	return event_fd;
}

unsigned screen_signals(void)
{
	uint64_t n;
	sigset_t all, old;
	unsigned got;

	/* nothing may come between reading what was noted and forgetting it */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	got = (unsigned)noted;
	noted &= SCREEN_END;
	if (read(event_fd, &n, sizeof(n)) < 0) {
		/* it was not readable: nothing came */
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
	return got;
}

/* ---- The screen. */

bool screen_possible(void)
{
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && term && *term && strcmp(term, "dumb") != 0;
}

int screen_open(int *keys)
{
	*keys = isatty(STDIN_FILENO) ? STDIN_FILENO
				     : open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);
	if (tcgetattr(STDOUT_FILENO, &before))
		return -1;
	return take();
}

void screen_close(void)
{
	give_back();
}

void screen_stop(void)
{
	give_back();
	on_signal(SIGTSTP, SIG_DFL, 0);
	raise(SIGTSTP);
	/* here it goes on: at once, where nobody could let it go on */
	on_signal(SIGTSTP, note, 0);
	screen_again();
}

void screen_again(void)
{
	if (opened || !tcgetattr(STDOUT_FILENO, &before))
		take();
}

void screen_size(unsigned *columns, unsigned *rows)
{
	struct winsize w = {0};

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w))
		w = (struct winsize){0};
	*columns = w.ws_col ? w.ws_col : 80;
	*rows = w.ws_row ? w.ws_row : 24;
}

/* ---- Drawing. */

static int write_all(const char *s, size_t n)
{
	while (n) {
		ssize_t put = write(STDOUT_FILENO, s, n);

		if (noted & SCREEN_END)
			return -1;
		if (put < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (put < 0)
			return -1;
		s += put;
		n -= (size_t)put;
	}
	return 0;
}

static const char *style_text(enum screen_style s)
{
	switch (s) {
	case SCREEN_BOLD:
		return "\033[1m";
	case SCREEN_BAR:
		return "\033[7m";
	case SCREEN_ALARM:
		/* see no-color.org */
		return getenv("NO_COLOR") ? "\033[1m" : "\033[1;31m";
	default:
		return "";
	}
}

/*
 * Each line over the one that was there, then what is left of that; nothing is blank in
 * between, and all of it is one write: so nothing flickers.
 */
int screen_draw(const struct screen_lines *l)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);
	unsigned columns, rows;
	int status;

	if (!f)
		return -1;
	fputs("\033[H", f);
	screen_size(&columns, &rows);
	for (size_t i = 0; i < l->n && i < rows; i++)
		/* at the right border "erase to the end" would take the last character */
		fprintf(f, "%s%s%s\033[0m%s", i ? "\r\n" : "", style_text(l->v[i].style),
			l->v[i].text, screen_width(l->v[i].text) < columns ? "\033[K" : "");
	if (l->n < rows)
		fputs("\r\n\033[J", f);
	if (fclose(f)) {
		free(text);
		return -1;
	}
	status = write_all(text, size);
	free(text);
	return status;
}

size_t screen_width(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

size_t screen_cut(const char *text, size_t columns)
{
	const char *p = text;

	for (; *p; p++)
		if (((unsigned char)*p & 0xc0) != 0x80 && !columns--)
			break;
	return (size_t)(p - text);
}

void screen_lines_add(struct screen_lines *l, char *text, enum screen_style style)
{
	struct screen_line *more = l->v;

	if (text && l->n == l->room) {
		more = realloc(l->v, (l->room * 2 + 32) * sizeof(*l->v));
		if (more) {
			l->v = more;
			l->room = l->room * 2 + 32;
		}
	}
	if (!text || !more) {
		l->failed = true;
		free(text);
		return;
	}
	l->v[l->n++] = (struct screen_line){text, style};
}

void screen_lines_free(struct screen_lines *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i].text);
	free(l->v);
	*l = (struct screen_lines){0};
}

/* ---- Keys. */

/* What ends the sequences that begin with ESC [ or ESC O, and their numbers before ~. */
static int sequence_key(const char *s, size_t n)
{
	static const struct {
		const char *text;
		int key;
	} known[] = {{"A", SCREEN_UP},	      {"B", SCREEN_DOWN},  {"H", SCREEN_HOME},
		     {"F", SCREEN_LAST},      {"1~", SCREEN_HOME}, {"7~", SCREEN_HOME},
		     {"4~", SCREEN_LAST},     {"8~", SCREEN_LAST}, {"5~", SCREEN_PAGE_UP},
		     {"6~", SCREEN_PAGE_DOWN}};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strlen(known[i].text) == n && !memcmp(known[i].text, s, n))
			return known[i].key;
	return SCREEN_OTHER;
}

size_t screen_key(const char *s, size_t n, int *key)
{
	size_t i = 2;

	*key = (unsigned char)s[0];
	if (s[0] != '\033')
		return 1;
	*key = SCREEN_OTHER;
	if (n == 1)
		return 0;
	if (s[1] != '[' && s[1] != 'O')
		return 1;
	/* parameters, then one byte from @ to ~ (ECMA-48, 5.4) */
	while (i < n && s[i] >= 0x20 && s[i] < 0x40)
		i++;
	if (i == n)
		return n < 16 ? 0 : n;
	*key = sequence_key(s + 2, i - 1);
	return i + 1;
}
