/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/report.h"

#include <inttypes.h>

struct unit {
	uint64_t size;
	const char *name;
};

/* v in the largest unit in which it is at least 1, to three digits, halves rounded up. */
static const char *human(uint64_t v, const struct unit *units, unsigned n, char *buf)
{
	unsigned u = 0, digits;
	unsigned __int128 scaled;
	uint64_t ten = 1, x;

	if (v < units[0].size * 1000) {
		snprintf(buf, REPORT_TEXT, "%" PRIu64 "%s", v, v ? units[0].name : "");
		return buf;
	}
	while (u + 1 < n && v >= units[u + 1].size - units[u + 1].size / 2000)
		u++;
	for (digits = 2; digits > 0; digits--) {
		ten = digits == 2 ? 100 : 10;
		scaled = ((unsigned __int128)v * ten + units[u].size / 2) / units[u].size;
		if (scaled < 1000)
			break;
	}
	if (!digits) {
		x = (uint64_t)(((unsigned __int128)v + units[u].size / 2) / units[u].size);
		snprintf(buf, REPORT_TEXT, "%" PRIu64 "%s", x, units[u].name);
		return buf;
	}
	x = (uint64_t)scaled;
	snprintf(buf, REPORT_TEXT, "%" PRIu64 ".%0*" PRIu64 "%s", x / ten, (int)digits, x % ten,
		 units[u].name);
	return buf;
}

const char *report_time(uint64_t ns, char buf[REPORT_TEXT])
{
	static const struct unit units[] = {
		{1, "ns"}, {1000, "us"}, {1000000, "ms"}, {1000000000, "s"}};

	return human(ns, units, 4, buf);
}

const char *report_rate(uint64_t bps, char buf[REPORT_TEXT])
{
	static const struct unit units[] = {
		{1, "bit"}, {1000, "kbit"}, {1000000, "mbit"}, {1000000000, "gbit"}};

	return human(bps, units, 4, buf);
}

const char *report_count(uint64_t n, char buf[REPORT_TEXT])
{
	static const struct unit units[] = {
		{1, ""},	   {1000, "k"},		 {1000000, "M"},
		{1000000000, "G"}, {1000000000000, "T"}, {1000000000000000, "P"}};

	return human(n, units, 6, buf);
}

const char *report_size(uint64_t bytes, char buf[REPORT_TEXT])
{
	static const struct unit units[] = {
		{1, "b"}, {1000, "kb"}, {1000000, "mb"}, {1000000000, "gb"}};

	return human(bytes, units, 4, buf);
}
