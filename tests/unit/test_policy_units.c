/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Units against another way of computing them: decimal digits as text, shifted and
 * multiplied digit by digit, as on paper.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "qos/policy.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 200000
#define PAPER 80 /* digits */

typedef int parse_fn(const char *, uint64_t *, char *, size_t);

static const struct {
	const char *name;
	uint64_t mult;
	parse_fn *parse;
	uint64_t lo, hi;
} units[] = {
	{"bit", 1, policy_parse_rate, 1, 1000000000000},
	{"kbit", 1000, policy_parse_rate, 1, 1000000000000},
	{"mbit", 1000000, policy_parse_rate, 1, 1000000000000},
	{"gbit", 1000000000, policy_parse_rate, 1, 1000000000000},
	{"tbit", 1000000000000, policy_parse_rate, 1, 1000000000000},
	{"b", 1, policy_parse_size, 0, INT64_MAX},
	{"kb", 1000, policy_parse_size, 0, INT64_MAX},
	{"mb", 1000000, policy_parse_size, 0, INT64_MAX},
	{"gb", 1000000000, policy_parse_size, 0, INT64_MAX},
	{"kib", 1024, policy_parse_size, 0, INT64_MAX},
	{"mib", 1048576, policy_parse_size, 0, INT64_MAX},
	{"gib", 1073741824, policy_parse_size, 0, INT64_MAX},
	{"ns", 1, policy_parse_time, 0, INT64_MAX},
	{"us", 1000, policy_parse_time, 0, INT64_MAX},
	{"ms", 1000000, policy_parse_time, 0, INT64_MAX},
	{"s", 1000000000, policy_parse_time, 0, INT64_MAX},
};
#define N_UNITS (sizeof(units) / sizeof(units[0]))

static uint64_t seed = 1;

static uint32_t rnd(uint32_t below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % below;
}

/*
 * The product of the digits and mult, on paper: little-endian decimal digits. False
 * when a digit behind the point stays, or it is above INT64_MAX.
 */
static bool on_paper(const char *number, uint64_t mult, uint64_t *value)
{
	unsigned digit[PAPER] = {0};
	const char *point = strchr(number, '.');
	size_t decimals = point ? strlen(point + 1) : 0, n = 0;
	uint64_t v = 0;

	for (size_t i = strlen(number); i-- > 0;)
		if (number[i] != '.')
			digit[n++] = (unsigned)(number[i] - '0');
	/* multiply by each decimal digit of mult in turn */
	{
		unsigned long long product[PAPER] = {0}, carry = 0;
		char m[24];
		size_t lm = (size_t)snprintf(m, sizeof(m), "%llu", (unsigned long long)mult);

		for (size_t i = 0; i < lm; i++)
			for (size_t j = 0; j < n; j++)
				product[i + j] += (unsigned)(m[lm - 1 - i] - '0') * digit[j];
		for (size_t i = 0; i < PAPER; i++) {
			carry += product[i];
			digit[i] = (unsigned)(carry % 10);
			carry /= 10;
		}
	}
	for (size_t i = 0; i < decimals; i++)
		if (digit[i])
			return false;
	for (size_t i = PAPER; i-- > decimals;) {
		if (v > ((uint64_t)INT64_MAX - digit[i]) / 10)
			return false;
		v = v * 10 + digit[i];
	}
	*value = v;
	return true;
}

static void random_number(char *out)
{
	size_t whole = 1 + rnd(rnd(8) ? 5 : 20), part = rnd(2) ? rnd(rnd(8) ? 5 : 20) : 0;

	while (whole--)
		*out++ = (char)('0' + rnd(10));
	if (part)
		*out++ = '.';
	while (part--)
		*out++ = (char)('0' + (rnd(3) ? rnd(10) : 0));
	*out = '\0';
}

static void units_as_on_paper(void **state)
{
	unsigned accepted = 0, refused = 0;

	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		char number[64], text[80], err[400] = "";
		size_t u = rnd(N_UNITS);
		uint64_t expected = 0, got = 77;
		bool good;
		int rc;

		random_number(number);
		snprintf(text, sizeof(text), "%s%s", number, units[u].name);
		good = on_paper(number, units[u].mult, &expected) && expected >= units[u].lo &&
		       expected <= units[u].hi;
		rc = units[u].parse(text, &got, err, sizeof(err));
		/* more digits than 24 are refused, which random_number() may make */
		if (rc && good && strstr(err, "too many digits"))
			continue;
		if (rc != (good ? 0 : -1) || (good && got != expected))
			fail_msg("round %u: %s: rc %d, %llu, expected %llu (%s)", i, text, rc,
				 (unsigned long long)got, (unsigned long long)expected, err);
		if (rc) {
			assert_int_equal(got, 77);
			assert_non_null(strstr(err, text));
		}
		accepted += rc == 0;
		refused += rc != 0;
	}
	assert_true(accepted > ROUNDS / 4 && refused > ROUNDS / 10);
}

/* What is printed is read back as the same number. */
static void text_and_back(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t v = 1 + rnd(1000), back;
		char buf[POLICY_UNIT_TEXT], err[200];

		for (unsigned k = rnd(10); k; k--)
			v *= rnd(3) ? 10 : 1 + rnd(9);
		if (v <= 1000000000000) {
			assert_int_equal(policy_parse_rate(policy_rate_text(v, buf), &back, err,
							   sizeof(err)),
					 0);
			assert_true(back == v);
		}
		assert_int_equal(
			policy_parse_size(policy_size_text(v, buf), &back, err, sizeof(err)),
			0);
		assert_true(back == v);
		assert_int_equal(
			policy_parse_time(policy_time_text(v, buf), &back, err, sizeof(err)),
			0);
		assert_true(back == v);
	}
}

static void texts(void **state)
{
	char buf[POLICY_UNIT_TEXT];

	(void)state;
	assert_string_equal(policy_rate_text(20000000, buf), "20mbit");
	assert_string_equal(policy_rate_text(1500000, buf), "1500kbit");
	assert_string_equal(policy_rate_text(1, buf), "1bit");
	assert_string_equal(policy_rate_text(1000000000000, buf), "1tbit");
	assert_string_equal(policy_size_text(0, buf), "0b");
	assert_string_equal(policy_size_text(1514, buf), "1514b");
	assert_string_equal(policy_size_text(4096, buf), "4096b");
	assert_string_equal(policy_size_text(15000, buf), "15kb");
	assert_string_equal(policy_time_text(5000000, buf), "5ms");
	assert_string_equal(policy_time_text(1500, buf), "1500ns");
	assert_string_equal(policy_time_text(2000000000, buf), "2s");
}

static void edges(void **state)
{
	uint64_t v;
	char err[400];
	static const char *const bad[] = {
		"",	      " ",	"5",	  "mbit",   "5 mbit",
		"5mbit ",     " 5mbit", "+5mbit", "5.mbit", ".5mbit",
		"5,5mbit",    "5mbit5", "5MBIT",  "0bit",   "1.0000000000001tbit",
		"1000001mbit"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err[0] = '\0';
		if (!policy_parse_rate(bad[i], &v, err, sizeof(err)))
			fail_msg("\"%s\" was accepted", bad[i]);
		assert_true(err[0] == '"');
	}
	assert_int_equal(policy_parse_rate("1tbit", &v, err, sizeof(err)), 0);
	assert_true(v == 1000000000000);
	assert_int_equal(policy_parse_rate("00001.500000000000000000000000000000mbit", &v, err,
					   sizeof(err)),
			 0);
	assert_true(v == 1500000);
	assert_int_equal(policy_parse_time("9223372036854775807ns", &v, err, sizeof(err)), 0);
	assert_true(v == INT64_MAX);
	assert_int_equal(policy_parse_time("9223372036854775808ns", &v, err, sizeof(err)), -1);
	assert_int_equal(policy_parse_rate("20", &v, err, sizeof(err)), -1);
	assert_string_equal(err, "\"20\" has no unit (a rate is written like \"20mbit\")");
	/* a short buffer cuts, no more */
	assert_int_equal(policy_parse_rate("20", &v, err, 5), -1);
	assert_string_equal(err, "\"20\"");
}

/* A locale with a decimal comma changes nothing; where there is none, this says nothing. */
static void no_locale(void **state)
{
	static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8",
					    "de_DE"};
	uint64_t v;
	char err[200];
	bool set = false;

	(void)state;
	for (size_t i = 0; i < 4 && !set; i++)
		set = setlocale(LC_ALL, names[i]) != NULL;
	if (!set)
		skip();
	assert_int_equal(policy_parse_rate("1.5mbit", &v, err, sizeof(err)), 0);
	assert_true(v == 1500000);
	setlocale(LC_ALL, "C");
}

static void suggestions(void **state)
{
	static const char *const names[] = {"name", "rate",	   "classes", "scheduler",
					    "max",  "max-latency", "min",     NULL};
	static const struct {
		const char *word, *near;
	} t[] = {
		{"clas", "classes"},
		{"class", "classes"},
		{"classess", "classes"},
		{"nmae", "name"},
		{"raet", "rate"},
		{"Rate", "rate"},
		{"schduler", "scheduler"},
		{"sched", "scheduler"},
		{"max_latency", "max-latency"},
		{"maximum", "max"},
		{"mx", "max"},
		{"bananas", NULL},
		{"", NULL},
		{"bandwidth", NULL},
		{"zzz", NULL},
	};
	char longest[300];

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		const char *near = policy_suggest(t[i].word, names);

		if (!near != !t[i].near || (near && strcmp(near, t[i].near) != 0))
			fail_msg("\"%s\": \"%s\", expected \"%s\"", t[i].word,
				 near ? near : "-", t[i].near ? t[i].near : "-");
	}
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_null(policy_suggest(longest, names));
}

static void dscps(void **state)
{
	static const struct {
		const char *name;
		int value;
	} t[] = {{"ef", 46},  {"cs0", 0},   {"cs5", 40},
		 {"cs7", 56}, {"af11", 10}, {"af43", 38},
		 {"va", 44},  {"le", 1},    {"be", 0},
		 {"df", 0},   {"0", 0},	    {"63", 63},
		 {"64", -1},  {"-1", -1},   {"EF", -1},
		 {"cs8", -1}, {"", -1},	    {"af44", -1},
		 {"1 ", -1},  {"0x1", -1},  {"99999999999999999999", -1}};
	char buf[8];

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		if (policy_dscp_parse(t[i].name) != t[i].value)
			fail_msg("%s: %d", t[i].name, policy_dscp_parse(t[i].name));
	for (int d = 0; d < 64; d++)
		assert_int_equal(policy_dscp_parse(policy_dscp_name((unsigned)d, buf)), d);
	/* af: class times 8 plus drop precedence times 2 (RFC 2597) */
	for (int class = 1; class <= 4; class ++)
		for (int drop = 1; drop <= 3; drop++) {
			char name[] = {'a', 'f', (char)('0' + class), (char)('0' + drop), '\0'};

			assert_int_equal(policy_dscp_parse(name), class * 8 + drop * 2);
		}
}

static void shown(void **state)
{
	char longest[400];

	(void)state;
	assert_string_equal(policy_shown("plain \xc3\xa4").s, "plain \xc3\xa4");
	assert_string_equal(policy_shown("a\nb\x1b[0m\x7f\xc2\x9b\xff\xc3").s, "a?b?[0m????");
	for (size_t i = 0; i < sizeof(longest) - 1; i += 2)
		memcpy(longest + i, "\xc3\xa4", 2);
	longest[sizeof(longest) - 2] = '\0';
	assert_int_equal(strlen(policy_shown(longest).s), 60 * 2 + 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(units_as_on_paper),
		cmocka_unit_test(text_and_back),
		cmocka_unit_test(texts),
		cmocka_unit_test(edges),
		cmocka_unit_test(no_locale),
		cmocka_unit_test(suggestions),
		cmocka_unit_test(dscps),
		cmocka_unit_test(shown),
	};

	return cmocka_run_group_tests_name("policy_units", tests, NULL, NULL);
}
