/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Heavy hitters, against counts that are kept in full. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gw/heavy.h"

static struct heavy_host host(uint32_t n)
{
	struct heavy_host h = {.family = 4};

	memcpy(h.addr, &n, sizeof(n));
	return h;
}

static void count(struct heavy *h, uint32_t n)
{
	struct heavy_host v = host(n);

	heavy_count(h, &v);
}

static int place_of(const struct heavy *h, uint32_t n)
{
	struct heavy_host v = host(n);

	for (unsigned i = 0; i < h->n; i++)
		if (!memcmp(&h->host[i], &v, sizeof(v)))
			return (int)i;
	return -1;
}

/* As long as there are places, all is exact. */
static void test_exact(void **state)
{
	struct heavy h = {0};
	unsigned i = 0, seen = 0;
	int at;

	(void)state;
	for (uint32_t n = 0; n < HEAVY_PLACES; n++)
		for (uint32_t k = 0; k <= n; k++)
			count(&h, n);
	assert_int_equal(h.n, HEAVY_PLACES);
	for (uint32_t n = 0; n < HEAVY_PLACES; n++) {
		assert_int_equal(h.count[place_of(&h, n)], n + 1);
		assert_int_equal(heavy_sure(&h, place_of(&h, n)), n + 1);
	}
	while ((at = heavy_next(&h, HEAVY_PLACES - 1, &i)) >= 0) {
		assert_true(heavy_sure(&h, at) >= HEAVY_PLACES - 1);
		seen++;
	}
	assert_int_equal(seen, 2);
}

/* What the paper promises, for streams of many hosts of which some are heavy. */
static void test_bounds(void **state)
{
	enum { HOSTS = 5000, PACKETS = 100000 };
	static uint64_t real[HOSTS];

	(void)state;
	for (unsigned seed = 1; seed <= 20; seed++) {
		struct heavy h = {0};

		memset(real, 0, sizeof(real));
		srand(seed);
		for (unsigned p = 0; p < PACKETS; p++) {
			uint32_t n = (uint32_t)(rand() % 4 ? rand() % HOSTS : rand() % 7);

			count(&h, n);
			real[n]++;
		}
		assert_int_equal(h.total, PACKETS);
		for (uint32_t n = 0; n < HOSTS; n++) {
			int at = place_of(&h, n);

			if (at < 0) {
				assert_true(real[n] <= PACKETS / HEAVY_PLACES);
				continue;
			}
			assert_true(real[n] <= h.count[at]);
			assert_true(heavy_sure(&h, at) <= real[n]);
		}
		for (uint32_t n = 0; n < 7; n++)
			assert_true(heavy_sure(&h, place_of(&h, n)) > 0);
	}
}

/* From as many senders as packets, nobody stands out. */
static void test_forged(void **state)
{
	struct heavy h = {0};
	unsigned i = 0;

	(void)state;
	for (uint32_t n = 0; n < 100000; n++)
		count(&h, n * 2654435761u);
	assert_int_equal(heavy_next(&h, 3, &i), -1);
}

static void test_sender(void **state)
{
	uint8_t ip4[20] = {0x45}, ip6[40] = {0x60};
	struct heavy_host h;

	(void)state;
	memcpy(ip4 + 12, (const uint8_t[]){10, 77, 1, 2, 10, 77, 2, 2}, 8);
	assert_int_equal(heavy_sender(ip4, sizeof(ip4), &h), 0);
	assert_int_equal(h.family, 4);
	assert_memory_equal(h.addr, ip4 + 12, 4);
	for (unsigned i = 4; i < sizeof(h.addr); i++)
		assert_int_equal(h.addr[i], 0);
	assert_int_equal(heavy_sender(ip4, 19, &h), -1);
	for (uint8_t i = 0; i < 32; i++)
		ip6[8 + i] = i;
	assert_int_equal(heavy_sender(ip6, sizeof(ip6), &h), 0);
	assert_int_equal(h.family, 6);
	assert_memory_equal(h.addr, ip6 + 8, 16);
	assert_int_equal(heavy_sender(ip6, 39, &h), -1);
	assert_int_equal(heavy_sender(ip6, 0, &h), -1);
	ip6[0] = 0x50;
	assert_int_equal(heavy_sender(ip6, sizeof(ip6), &h), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exact),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_forged),
		cmocka_unit_test(test_sender),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
