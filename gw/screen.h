/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A terminal that is drawn on, whole window by whole window, and gets back as it was.
 *
 *     screen_watch()     signals are noted from now on, instead of ending the program
 *     screen_open()      the alternate screen, no cursor, keys without Enter
 *     screen_draw()      again and again
 *     screen_close()     as it was before; also done by a signal that ends the program by force
 *
 * There is one terminal and one set of signal handlers to a process, so there is no object.
 */
#ifndef WEIR_GW_SCREEN_H
#define WEIR_GW_SCREEN_H

#include <stdbool.h>
#include <stddef.h>

enum screen_style { SCREEN_PLAIN, SCREEN_BOLD, SCREEN_BAR, SCREEN_ALARM };

struct screen_line {
	char *text; /* printable, no longer than the window is wide */
	enum screen_style style;
};

struct screen_lines {
	struct screen_line *v;
	size_t n, room;
	bool failed; /* no memory: some are missing */
};

/*
 * Columns that a text takes, and the bytes of what fits into so many. A column for each
 * character: there are wider ones, but not in names, and a terminal cuts what it has no room
 * for.
 */
size_t screen_width(const char *text);
size_t screen_cut(const char *text, size_t columns);

/* Takes text over; NULL: no memory. */
void screen_lines_add(struct screen_lines *l, char *text, enum screen_style style);
void screen_lines_free(struct screen_lines *l);

/* Whether standard output can be drawn on. */
bool screen_possible(void);

/*
 * A descriptor that is readable when screen_signals() has something to tell; -1: errno.
 * drawn: also what a terminal is told (its size, stop, go on).
 */
int screen_watch(bool drawn);
enum { SCREEN_END = 1, SCREEN_SIZE = 2, SCREEN_STOP = 4, SCREEN_CONTINUE = 8 };
/* All that came since the last call; SCREEN_END stays. */
unsigned screen_signals(void);

/* 0, or -1: errno. *keys: where keys come from, or -1. */
int screen_open(int *keys);
void screen_close(void);
/* SCREEN_STOP: gives the terminal back and stops, until the program is to go on. */
void screen_stop(void);
/* SCREEN_CONTINUE: others may have changed the terminal meanwhile. */
void screen_again(void);
void screen_size(unsigned *columns, unsigned *rows);
/* 0, or -1: the terminal is gone, or the program is to end. */
int screen_draw(const struct screen_lines *l);

/*
 * The key that the n > 0 bytes at s begin with: a character, or one of these. Returns how
 * many bytes it takes, or 0: more must come before one can tell.
 */
enum {
	SCREEN_OTHER = 256, /* nothing of meaning here */
	SCREEN_UP,
	SCREEN_DOWN,
	SCREEN_PAGE_UP,
	SCREEN_PAGE_DOWN,
	SCREEN_HOME,
	SCREEN_LAST,
};
size_t screen_key(const char *s, size_t n, int *key);

#endif
