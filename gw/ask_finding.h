/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a gateway answered that is wrong with it: its "findings", for people. */
#ifndef WEIR_GW_ASK_FINDING_H
#define WEIR_GW_ASK_FINDING_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/*
 * Prints those of an answer, of one link if it is not NULL: for each a line of what, whose and
 * since when, and below it why and what helps. Returns how many there were.
 */
size_t ask_print_findings(const json_t *answer, const char *link, FILE *f);
/* "up/voice since 3m, last 12s ago: max-latency ..." into `text`, without the severity. */
void ask_finding_line(const json_t *finding, char *text, size_t size);
/* Whether the gateway says that all is well. An older one does not: from its warnings. */
bool ask_well(const json_t *answer);

#endif
