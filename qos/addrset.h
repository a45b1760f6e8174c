/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A set of IPv4 and IPv6 addresses, and whether an address is in it.
 *
 * Networks and ranges are gathered in any order (addrset_add()), then sorted and joined
 * (addrset_seal()) to disjoint ranges; asking is a binary search among those of the address's
 * version. So a set holds no more than it was given: 8 bytes for a range of IPv4 and 32 for one
 * of IPv6, of at most ADDRSET_MAX, twice that while it is made, and a question costs the
 * logarithm of that. After addrset_seal() it is never changed, so threads may share it.
 */
#ifndef WEIR_QOS_ADDRSET_H
#define WEIR_QOS_ADDRSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "qos/policy.h"

#define ADDRSET_MAX (1u << 21) /* networks and ranges that may be given */
#define ADDRSET_FILE_MAX (128u << 20)
#define ADDRSET_LINE_MAX 200u /* bytes of a line but its comment */
#define ADDRSET_ERRORS_MAX 20u

struct addrset;

struct addrset *addrset_new(void); /* NULL: no memory */
void addrset_free(struct addrset *s);
/*
 * From an address up to another of the same version (4 or 6), both in it: in the network's byte
 * order, IPv4 in the first 4 bytes. `to` before `from`: nothing. 0; or -1, errno is ENOMEM or
 * (too many) E2BIG.
 */
int addrset_add(struct addrset *s, unsigned version, const uint8_t *from, const uint8_t *to);
int addrset_add_net(struct addrset *s, const struct policy_net *net);
void addrset_seal(struct addrset *s);

/* Only when it is sealed: */
bool addrset_has(const struct addrset *s, const uint8_t *addr, unsigned version);
size_t addrset_ranges(const struct addrset *s);
size_t addrset_memory(const struct addrset *s); /* bytes */
bool addrset_equal(const struct addrset *a, const struct addrset *b);

/*
 * A file of addresses and networks, one a line; what follows a '#' is a comment. Sealed; NULL:
 * told to r, with line and column in `name`, at most ADDRSET_ERRORS_MAX of them. r->stop ends
 * it.
 */
struct addrset *addrset_read(FILE *f, const char *name, struct policy_report *r);

#endif
