/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef WEIR_QOS_FILTER_WORDS_H
#define WEIR_QOS_FILTER_WORDS_H

#include <stdbool.h>
#include <stddef.h>

/* 0, or -1 with a message: the filter has a word that libpcap would ask the network for. */
int filter_words_check(const char *text, char *err, size_t errsize);

/*
 * What would be right where libpcap says only that it is wrong, as " (did you mean ...?)";
 * empty when that cannot be told.
 */
void filter_hint(const char *text, const char *libpcap, char *out, size_t size);
/* "A-B", two IPv4 addresses: how networks say it. false: the word is no such range. */
bool filter_hint_range(const char *word, char *out, size_t size);

/*
 * The filter that takes of IPv6 what `text` takes of IPv4 only, as it looks into the header of
 * *proto ("tcp[13]"). false: it looks into none, or says itself that it is for ip or ip6.
 */
bool filter_twin6(const char *text, char *out, size_t size, unsigned *proto);

/* Whether n bytes are a word of the language, and no name or number. */
bool filter_word_known(const char *word, size_t n);

#endif
