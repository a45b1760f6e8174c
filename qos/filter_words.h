/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef WEIR_QOS_FILTER_WORDS_H
#define WEIR_QOS_FILTER_WORDS_H

#include <stddef.h>

/* 0, or -1 with a message: the filter has a word that libpcap would ask the network for. */
int filter_words_check(const char *text, char *err, size_t errsize);

#endif
