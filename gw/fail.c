/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/fail.h"

#include <stdarg.h>
#include <stdio.h>

int fail_with(char *err, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, size, fmt, ap);
	va_end(ap);
	return -1;
}
