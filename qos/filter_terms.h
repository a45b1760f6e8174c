/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A long filter compiled in parts.
 *
 * The time that libpcap takes for a filter grows with the square of the number of its terms,
 * with its optimizer with about the third power: 200 port ranges joined by "or" take seven
 * seconds. So a filter of many terms is taken apart where it says "and", "or" and "not", groups
 * of FILTER_GROUP terms are compiled each by itself, and their programs are joined: where one
 * says no ("or"), or yes ("and"), it goes on with the next. The whole then takes time that
 * grows with its length, and it means what the one program means, for packets that are cut
 * short too: a load beyond the end says no for the whole.
 *
 * As in libpcap's grammar, "and" and "or" bind equally, from the left; "not" binds more; a
 * value that stands alone has the words of the term before ("tcp port 80 or 443").
 */
#ifndef WEIR_QOS_FILTER_TERMS_H
#define WEIR_QOS_FILTER_TERMS_H

#include <pcap/pcap.h>
#include <stdbool.h>
#include <stddef.h>

#define FILTER_GROUP 16u /* terms that are compiled together */
#define FILTER_WHOLE 48u /* terms of what cannot be taken apart; more is an error */

/* Terms of a filter: one more than there are words that join them. */
unsigned filter_terms(const char *text);

/* What compiles a group. 0, or -1 with a message; *none: it takes no packet, and no program. */
struct filter_compiler {
	int (*compile)(void *arg, const char *text, struct bpf_program *prog, bool *none,
		       char *err, size_t errsize);
	void *arg;
};

/*
 * The program of the whole; pcap_freecode() ends it. 0, or -1 with a message.
 */
int filter_terms_compile(struct bpf_program *prog, const char *text,
			 const struct filter_compiler *c, char *err, size_t errsize);

#endif
