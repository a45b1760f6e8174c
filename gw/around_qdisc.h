/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether an interface's own qdisc has a rate. */
#ifndef WEIR_GW_AROUND_QDISC_H
#define WEIR_GW_AROUND_QDISC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The smallest rate, bit/s, that a qdisc or a class at the top of one (tbf, htb) holds the
 * whole interface to. False: none does, or it cannot be found out.
 */
bool around_qdisc(const char *interface, uint64_t *bps, char *kind, size_t size);

#endif
