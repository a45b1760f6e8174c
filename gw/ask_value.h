/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a gateway answered, value by value. Another process made the document: whatever is in
 * it, these give a number, or something printable.
 */
#ifndef WEIR_GW_ASK_VALUE_H
#define WEIR_GW_ASK_VALUE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* 0: there is no such key, or it is no integer above 0. */
uint64_t ask_number(const json_t *j, const char *key);
bool ask_true(const json_t *j, const char *key);
/* Without control characters; "?" where there is no text. Valid until the fourth call after. */
const char *ask_text(const json_t *j, const char *key);
const char *ask_printable(const char *text);

/* What a link loses that a policy does not want lost: keys of its "health". */
#define ASK_LOSSES 6
extern const struct ask_loss {
	const char *key, *brief, *text;
} ask_losses[ASK_LOSSES];

#endif
