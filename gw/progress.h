/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A progress bar on standard error for work that takes more than a second: only on a
 * terminal, drawn at most ten times a second, gone at the end. Whoever does the work
 * asks progress_due() for each packet, which is a subtraction nearly always, and only
 * then finds out how far it is:
 *
 *	if (progress_due(&p))
 *		progress_update(&p, bytes_done, bytes_total, packets);
 */
#ifndef WEIR_GW_PROGRESS_H
#define WEIR_GW_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PROGRESS_EVERY = 4096 };

struct progress {
	const char *label;
	uint64_t start_ns, drawn_ns;
	unsigned left; /* packets until the clock is asked; 0 for ever: not a terminal */
	bool on, drawn;
};

/* label: in front of the bar; must live until progress_end(). */
void progress_start(struct progress *p, const char *label);

static inline bool progress_due(struct progress *p)
{
	if (!p->on || --p->left)
		return false;
	p->left = PROGRESS_EVERY;
	return true;
}

/* done of total (0: not known) bytes; count packets. */
void progress_update(struct progress *p, uint64_t done, uint64_t total, uint64_t count);
/* Takes the bar off the screen; before anything else is written there, also in between. */
void progress_end(struct progress *p);

/*
 * The line, without its control characters, in at most `columns` (capped at size - 1).
 * Of its own so that it can be tested. Returns its length.
 */
size_t progress_line(char *to, size_t size, unsigned columns, const char *label, uint64_t done,
		     uint64_t total, uint64_t count, uint64_t elapsed_ns);

#endif
