/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/json.h"

#include <stdlib.h>
#include <string.h>

#define FORMAT 1 /* counts up when a key goes or changes its meaning */

json_t *json_number(uint64_t v)
{
	return json_integer(v < INT64_MAX ? (json_int_t)v : INT64_MAX);
}

json_t *json_text(const char *s)
{
	json_t *j = json_string(s);
	char *copy;

	if (j)
		return j;
	copy = strdup(s);
	if (!copy)
		return NULL;
	for (char *p = copy; *p; p++)
		if (*p & 0x80)
			*p = '?';
	j = json_string(copy);
	free(copy);
	return j;
}

void json_head(json_t *doc)
{
	json_object_set_new(doc, "weir", json_string(WEIR_VERSION));
	json_object_set_new(doc, "format", json_integer(FORMAT));
}

int json_print(json_t *doc, FILE *f)
{
	int status = json_dumpf(doc, f, JSON_INDENT(2));

	json_decref(doc);
	fputc('\n', f);
	return status || ferror(f) ? -1 : 0;
}
