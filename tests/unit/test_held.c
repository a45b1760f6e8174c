/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a link holds: places come and go, none is lost, none is given twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gw/held.h"

static void test_fills_up(void **state)
{
	struct held h;
	uint8_t data[NFQ_COPY + 40];
	struct nfq_packet p = {.len = 1500, .caplen = sizeof(data), .data = data};

	(void)state;
	memset(data, 7, sizeof(data));
	assert_int_equal(held_init(&h, 3), 0);
	for (uint32_t i = 0; i < 3; i++) {
		p.id = i;
		assert_int_equal(held_put(&h, &p), i);
	}
	assert_int_equal(held_put(&h, &p), HELD_NONE);
	assert_int_equal(h.packets, 3);
	assert_int_equal(h.bytes, 4500);
	/* more than fits is not kept, whatever the packet says of itself */
	assert_int_equal(h.place[2].caplen, NFQ_COPY);
	held_take(&h, 1);
	assert_int_equal(held_put(&h, &p), 1);
	assert_int_equal(h.packets_max, 3);
	held_fini(&h);
}

/* Against a table of what must be where, over many random steps. */
static void test_random(void **state)
{
	enum { SIZE = 50, STEPS = 20000 };
	struct held h;
	uint32_t id[SIZE] = {0}, n = 0, next = 1;
	uint64_t bytes = 0;
	uint8_t data[8];

	(void)state;
	srand(4711);
	assert_int_equal(held_init(&h, SIZE), 0);
	for (unsigned i = 0; i < STEPS; i++) {
		uint32_t at = (uint32_t)(rand() % SIZE);

		if (rand() % 2) {
			struct nfq_packet p = {
				.id = next, .len = next % 900, .caplen = 8, .data = data};
			uint32_t place;

			memcpy(data, &next, sizeof(next));
			place = held_put(&h, &p);
			if (n == SIZE) {
				assert_int_equal(place, HELD_NONE);
				continue;
			}
			assert_true(place < SIZE && !id[place]);
			id[place] = next++;
			bytes += p.len;
			n++;
		} else if (id[at]) {
			const struct held_packet *p = held_take(&h, at);
			uint32_t in_data;

			memcpy(&in_data, p->data, sizeof(in_data));
			assert_int_equal(p->id, id[at]);
			assert_int_equal(in_data, id[at]);
			bytes -= p->len;
			id[at] = 0;
			n--;
		}
		assert_int_equal(h.packets, n);
		assert_int_equal(h.bytes, bytes);
	}
	held_fini(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fills_up),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
