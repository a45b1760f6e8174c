/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a policy. What is accepted must print, the print must be accepted
 * without a new complaint, and must print the same again.
 */
#include "qos/policy.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Complaints must be fit for a terminal, whatever the file holds. */
static void listen(void *arg, enum policy_severity sev, const char *file, struct policy_mark at,
		   const char *text)
{
	(void)arg;
	(void)sev;
	(void)file;
	if (at.line < 0 || at.col < 0 || !*text)
		abort();
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			abort();
}

static char *print(const struct policy *p, size_t *size)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, size);

	if (!out || policy_print(p, out) || fclose(out))
		abort();
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct policy_report first = {.fn = listen}, second = {.fn = listen};
	struct policy *p = policy_read_mem(data, size, "fuzz.yaml", &first), *q;
	size_t n, m;
	char *a, *b;

	if (!p != (first.errors > 0))
		abort();
	if (!p)
		return 0;
	a = print(p, &n);
	q = policy_read_mem(a, n, "print.yaml", &second);
	if (!q || second.warnings > first.warnings)
		abort();
	b = print(q, &m);
	if (n != m || memcmp(a, b, n) != 0)
		abort();
	free(a);
	free(b);
	policy_free(p);
	policy_free(q);
	return 0;
}
