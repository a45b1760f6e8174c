/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The large part of a reload, in a thread of its own: a policy's file is read and checked, its
 * filters are compiled, and an engine is built for each link that has a queue. And what the
 * reload leaves over is freed there. The thread that answers, and feeds the watchdog, goes on
 * meanwhile; nothing is shared with it but a flag or two.
 *
 *     build_start()   begins
 *     build_fd()      readable when the thread has ended what it was to do
 *     build_done()    then what came of it is there
 *     build_leave()   what is of no use any more, for build_free() to give back in a thread
 *     build_free()    ends it, whatever it does: nothing of it is left when the process ends
 *                     (build_wait())
 */
#ifndef WEIR_GW_GATEWAY_BUILD_H
#define WEIR_GW_GATEWAY_BUILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "qos/engine.h"
#include "qos/policy.h"

/* A link that has a queue already: its engine is to know flows by the same hashes. */
struct build_from {
	char *link; /* copied */
	uint8_t key[16];
	uint32_t held_max;
};

/* For the policy's link of that number; engine NULL: it needs none. */
struct build_link {
	struct engine *engine;
	uint8_t key[16];
	uint32_t held_max;
};

struct build;

/* Reads and checks a policy as cmd_policy_read() does. */
typedef struct policy *build_read(const char *file, struct policy_report *r, int *status);

/*
 * Reads `file` by `read`. from: links with a queue, n of them; held_max: of links that get one.
 * NULL with one line in err.
 */
struct build *build_start(build_read *read, const char *file, const struct build_from *from,
			  size_t n, uint32_t held_max, char *err, size_t errsize);
int build_fd(const struct build *b);
bool build_done(struct build *b);
/* What it does, in a few words; for people. */
const char *build_doing(const struct build *b);

/*
 * After build_done(): what was complained of goes to r. The policy, which is the caller's now,
 * or NULL with one line in err (may be empty when errors were told to r).
 */
struct policy *build_take(struct build *b, struct policy_report *r, char *err, size_t errsize);
/* The same before that; NULL also when there is none. */
const struct policy *build_policy(const struct build *b);
/* For the policy's link number i, once build_take() gave a policy. Its engine stays there. */
struct build_link *build_link(struct build *b, size_t i);

/* To be freed with the rest: both may be NULL. An engine's policy must live until then. */
void build_leave(struct build *b, struct engine *e, struct policy *p);
/*
 * Ends it: one that is still building is told to stop. What is large is given back by a thread
 * that ends by itself. NULL: nothing.
 */
void build_free(struct build *b);
/* Waits for the threads of all that build_free() has left. */
void build_wait(void);

#endif
