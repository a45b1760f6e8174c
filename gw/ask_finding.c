/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/ask_finding.h"

#include <stdarg.h>
#include <string.h>

#include "gw/ask_value.h"
#include "gw/top_text.h"

#define SECOND UINT64_C(1000000000)
#define SHOWN_MOST 20u
#define STILL (3 * SECOND) /* two windows of the judge, and what asking takes */

static void add(char *text, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void add(char *text, size_t size, const char *fmt, ...)
{
	size_t n = strlen(text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text + n, size - n, fmt, ap);
	va_end(ap);
}

void ask_finding_line(const json_t *finding, char *text, size_t size)
{
	const json_t *since = json_object_get(finding, "since_ns_ago");
	uint64_t last = ask_number(finding, "last_ns_ago");
	char t[REPORT_TEXT];

	text[0] = '\0';
	if (json_is_string(json_object_get(finding, "link")))
		add(text, size, "%s", ask_text(finding, "link"));
	else
		add(text, size, "weir");
	if (json_is_string(json_object_get(finding, "class")))
		add(text, size, "/%s", ask_text(finding, "class"));
	if (json_is_integer(since)) {
		add(text, size, ", for %s",
		    top_duration(ask_number(finding, "since_ns_ago") / SECOND * SECOND, t));
		if (last > STILL)
			add(text, size, ", last %s ago",
			    top_duration(last / SECOND * SECOND, t));
	}
	add(text, size, ": %s", ask_text(finding, "what"));
}

size_t ask_print_findings(const json_t *answer, const char *link, FILE *f)
{
	const json_t *finding;
	char line[1024];
	size_t i, n = 0;

	json_array_foreach(json_object_get(answer, "findings"), i, finding)
	{
		const char *of = json_string_value(json_object_get(finding, "link"));
		const char *sev = json_string_value(json_object_get(finding, "severity"));

		if (link && of && strcmp(link, of) != 0)
			continue;
		if (n++ >= SHOWN_MOST)
			continue;
		ask_finding_line(finding, line, sizeof(line));
		fprintf(f, "%s %s\n", sev && !strcmp(sev, "notice") ? "notice " : "WARNING",
			line);
		if (json_is_string(json_object_get(finding, "cause")))
			fprintf(f, "        why:  %s\n", ask_text(finding, "cause"));
		if (json_is_string(json_object_get(finding, "remedy")))
			fprintf(f, "        help: %s\n", ask_text(finding, "remedy"));
	}
	if (n > SHOWN_MOST)
		fprintf(f, "... and %zu more (--json has all)\n", n - SHOWN_MOST);
	return n;
}

static bool link_is_well(const json_t *l)
{
	return ask_true(l, "up") && !json_array_size(json_object_get(l, "warnings")) &&
	       !ask_number(json_object_get(l, "health"), "error");
}

bool ask_well(const json_t *answer)
{
	const json_t *well = json_object_get(answer, "well"), *l;
	size_t i;

	if (json_is_boolean(well))
		return json_is_true(well);
	json_array_foreach(json_object_get(answer, "links"), i, l)
	{
		if (!link_is_well(l))
			return false;
	}
	return ask_true(answer, "intact");
}
