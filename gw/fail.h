/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a function says in one line, in its caller's buffer, why it could not do its work. */
#ifndef WEIR_GW_FAIL_H
#define WEIR_GW_FAIL_H

#include <stddef.h>

/* Always -1, for `return fail_with(...)`. */
int fail_with(char *err, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
