/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets of addresses, against one that asks each network in turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "qos/addrset.h"

#include <stdlib.h>
#include <string.h>

static uint64_t seed;

static uint32_t rnd(uint32_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % n;
}

/* Of few values, so that networks meet, touch and hold each other. */
static void random_addr(uint8_t a[16], unsigned version)
{
	static const uint8_t bytes[] = {0, 1, 2, 127, 128, 254, 255};

	memset(a, 0, 16);
	for (unsigned i = 0; i < (version == 4 ? 4 : 16); i++)
		a[i] = i % 3 ? bytes[rnd(7)] : 255 * (uint8_t)rnd(2);
}

static struct policy_net random_net(void)
{
	struct policy_net n = {.family = rnd(2) ? 4 : 6};
	unsigned bits = n.family == 4 ? 32 : 128;

	random_addr(n.addr, n.family);
	n.plen = (uint8_t)(rnd(8) ? rnd(bits + 1) : bits);
	for (unsigned i = n.plen; i < 128; i++)
		n.addr[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
	return n;
}

static bool naive(const struct policy_net *n, const uint8_t *a, unsigned version)
{
	if (n->family != version)
		return false;
	for (unsigned i = 0; i < n->plen; i++)
		if ((n->addr[i / 8] ^ a[i / 8]) >> (7 - i % 8) & 1)
			return false;
	return true;
}

static void against_naive(void **state)
{
	struct policy_net net[40];
	uint8_t a[16];

	(void)state;
	for (unsigned round = 0; round < 2000; round++) {
		struct addrset *s = addrset_new();
		unsigned n = rnd(40);

		seed = round * 7919u + 1;
		for (unsigned i = 0; i < n; i++) {
			net[i] = random_net();
			assert_int_equal(addrset_add_net(s, &net[i]), 0);
		}
		addrset_seal(s);
		assert_true(addrset_ranges(s) <= n);
		for (unsigned k = 0; k < 200; k++) {
			unsigned version = rnd(2) ? 4 : 6;
			bool in = false;

			/* also the first of a network, and the one before */
			random_addr(a, version);
			if (n && rnd(2)) {
				const struct policy_net *at = &net[rnd(n)];

				version = at->family;
				memcpy(a, at->addr, 16);
				if (rnd(2))
					for (int i = version == 4 ? 3 : 15; i >= 0 && !a[i]--;
					     i--)
						;
			}
			for (unsigned i = 0; i < n; i++)
				in |= naive(&net[i], a, version);
			if (addrset_has(s, a, version) != in)
				fail_msg("round %u, question %u: %d", round, k, !in);
		}
		addrset_free(s);
	}
}

static void ranges(void **state)
{
	const uint8_t a[4] = {10, 0, 0, 5}, b[4] = {10, 0, 0, 9}, c[4] = {10, 0, 0, 10};
	const uint8_t last[4] = {255, 255, 255, 255}, none[4] = {10, 0, 0, 4};
	struct addrset *s = addrset_new(), *t = addrset_new();

	(void)state;
	addrset_add(s, 4, c, last);
	addrset_add(s, 4, a, b);
	addrset_add(s, 4, b, a); /* nothing */
	addrset_seal(s);
	assert_int_equal(addrset_ranges(s), 1);
	assert_true(addrset_has(s, a, 4) && addrset_has(s, c, 4) && addrset_has(s, last, 4));
	assert_false(addrset_has(s, none, 4));
	addrset_add(t, 4, a, last);
	addrset_seal(t);
	assert_true(addrset_equal(s, t));
	addrset_free(t);
	t = addrset_new();
	addrset_seal(t);
	assert_false(addrset_equal(s, t));
	assert_false(addrset_has(t, a, 4));
	addrset_free(s);
	addrset_free(t);
}

/* ---- files ---- */

static char told[8192];

static void tell(void *arg, enum policy_severity sev, const char *file, struct policy_mark at,
		 const char *text)
{
	size_t n = strlen(told);

	(void)arg;
	(void)sev;
	snprintf(told + n, sizeof(told) - n, "%s:%d:%d: %s\n", file, at.line, at.col, text);
}

static struct addrset *read_text(const char *text, size_t n)
{
	struct policy_report r = {.fn = tell};
	FILE *f = fmemopen((void *)(uintptr_t)text, n ? n : 1, "r");
	struct addrset *s;

	told[0] = '\0';
	if (!n)
		fgetc(f);
	s = addrset_read(f, "h.txt", &r);
	assert_true(!s == (r.errors != 0));
	fclose(f);
	return s;
}

static void good_file(void **state)
{
	static const char text[] = "# all of them\n\n  10.0.0.1\t# one\r\n192.168.0.0/16\n"
				   "2001:db8::/32\n::1\n0.0.0.0/32";
	const uint8_t in[4] = {192, 168, 7, 7}, one[4] = {10, 0, 0, 1}, two[4] = {10, 0, 0, 2};
	const uint8_t six[16] = {0x20, 1, 0xd, 0xb8, 9}, other[16] = {0x20, 1, 0xd, 0xb9};
	struct addrset *s = read_text(text, strlen(text));

	(void)state;
	assert_string_equal(told, "");
	assert_non_null(s);
	assert_int_equal(addrset_ranges(s), 5);
	assert_true(addrset_has(s, in, 4) && addrset_has(s, one, 4) && addrset_has(s, six, 6));
	assert_false(addrset_has(s, two, 4) || addrset_has(s, other, 6));
	addrset_free(s);
	s = read_text("", 0);
	assert_non_null(s);
	assert_int_equal(addrset_ranges(s), 0);
	addrset_free(s);
}

static void bad_file(void **state)
{
	static const char text[] = "10.0.0.1\n  10.0.0.1/8\n10.0.0.256\n1.2.3.4/33\nhost\n"
				   "10.0.0.1 10.0.0.2\n2001:db8::1/32 # x\n";
	char many[600] = "", line[300], nul[] = "1.2.3.4\0x\n";
	unsigned n = 0;

	(void)state;
	assert_null(read_text(text, strlen(text)));
	assert_string_equal(
		told,
		"h.txt:2:3: \"10.0.0.1/8\" has bits behind its prefix (did you mean "
		"\"10.0.0.0/8\"?)\n"
		"h.txt:3:1: \"10.0.0.256\" is not a network, written like \"192.168.0.0/16\" "
		"or "
		"\"fc00::/7\"\n"
		"h.txt:4:1: \"1.2.3.4/33\" has a prefix longer than its address\n"
		"h.txt:5:1: \"host\" is not a network, written like \"192.168.0.0/16\" or "
		"\"fc00::/7\"\n"
		"h.txt:6:1: \"10.0.0.1 10.0.0.2\" is not a network, written like "
		"\"192.168.0.0/16\" or \"fc00::/7\"\n"
		"h.txt:7:1: \"2001:db8::1/32\" has bits behind its prefix (did you mean "
		"\"2001:db8::/32\"?)\n");
	/* a file of something else is not told of line by line */
	for (unsigned i = 0; i < 100; i++)
		strcat(many, "x\n");
	assert_null(read_text(many, strlen(many)));
	for (const char *c = told; *c; c++)
		n += *c == '\n';
	assert_int_equal(n, ADDRSET_ERRORS_MAX);
	memset(line, '1', sizeof(line));
	assert_null(read_text(line, sizeof(line)));
	assert_string_equal(told,
			    "h.txt:1:1: a line longer than an address or a network can be\n");
	assert_null(read_text(nul, sizeof(nul) - 1));
	assert_string_equal(
		told, "h.txt:1:1: a line with a NUL byte: this is no file of addresses\n");
}

static void million(void **state)
{
	const uint32_t n = 1000000;
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	struct addrset *s;

	(void)state;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t a = i * 2654435761u & ~1u;

		fprintf(f, "%u.%u.%u.%u\n", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255);
	}
	fclose(f);
	s = read_text(text, size);
	assert_non_null(s);
	for (uint32_t i = 0; i < n; i += 997) {
		uint32_t a = i * 2654435761u & ~1u;
		uint8_t b[4] = {(uint8_t)(a >> 24), (uint8_t)(a >> 16), (uint8_t)(a >> 8),
				(uint8_t)a};

		assert_true(addrset_has(s, b, 4));
		b[3] |= 1;
		assert_false(addrset_has(s, b, 4));
	}
	addrset_free(s);
	free(text);
}

static void too_many(void **state)
{
	const uint8_t a[4] = {1, 2, 3, 4};
	struct addrset *s = addrset_new();

	(void)state;
	for (uint32_t i = 0; i < ADDRSET_MAX; i++)
		assert_int_equal(addrset_add(s, 4, a, a), 0);
	assert_int_equal(addrset_add(s, 4, a, a), -1);
	addrset_seal(s);
	assert_int_equal(addrset_ranges(s), 1);
	addrset_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(against_naive), cmocka_unit_test(ranges),
		cmocka_unit_test(good_file),	 cmocka_unit_test(bad_file),
		cmocka_unit_test(million),	 cmocka_unit_test(too_many),
	};

	return cmocka_run_group_tests_name("addrset", tests, NULL, NULL);
}
