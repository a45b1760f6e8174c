/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `weir tc apply` made in this network namespace and nobody looks after, as a gateway
 * shows its links: the kernel's counters by class, and whether what was applied still stands.
 */
#ifndef WEIR_GW_STANDING_H
#define WEIR_GW_STANDING_H

#include "gw/gateway.h"

struct standing;

/*
 * NULL: nothing was applied here that is not a running gateway's by now, and err is empty; or
 * what was applied cannot be read, with one line in err.
 */
struct standing *standing_open(char *err, size_t errsize);
void standing_close(struct standing *s); /* NULL: nothing */
/* Reads the kernel anew; free with gateway_snapshot_free(). NULL: no memory. */
struct gateway_snapshot *standing_snapshot(struct standing *s);

#endif
