/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What all JSON output of weir has in common. */
#ifndef WEIR_GW_JSON_H
#define WEIR_GW_JSON_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

/* Above 2^63 - 1, that. */
json_t *json_number(uint64_t v);
/* Names of files need not be UTF-8, JSON must be: what is not becomes '?'. */
json_t *json_text(const char *s);
/* The keys that every document begins with: "weir", its version, and "format". */
void json_head(json_t *doc);
/* Writes and frees a document. 0, or -1: it could not be written. */
int json_print(json_t *doc, FILE *f);

#endif
