/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/heavy.h"

#include <stdbool.h>
#include <string.h>

#define IP4_HEADER 20u
#define IP4_SOURCE 12u
#define IP6_HEADER 40u
#define IP6_SOURCE 8u

static uint64_t key_of(const struct heavy_host *h)
{
	uint64_t half[2];

	memcpy(half, h->addr, sizeof(half));
	return (half[0] * UINT64_C(0x9e3779b97f4a7c15)) ^ half[1] ^ h->family;
}

static bool same(const struct heavy_host *a, const struct heavy_host *b)
{
	return a->family == b->family && !memcmp(a->addr, b->addr, sizeof(a->addr));
}

static unsigned place_of_least(const struct heavy *h)
{
	unsigned least = 0;

	for (unsigned i = 1; i < HEAVY_PLACES; i++)
		if (h->count[i] < h->count[least])
			least = i;
	return least;
}

void heavy_count(struct heavy *h, const struct heavy_host *host)
{
	uint64_t key = key_of(host);
	unsigned at;

	h->total++;
	for (unsigned i = 0; i < h->n; i++)
		if (h->key[i] == key && same(&h->host[i], host)) {
			h->count[i]++;
			return;
		}
	at = h->n < HEAVY_PLACES ? h->n++ : place_of_least(h);
	h->error[at] = h->count[at];
	h->count[at]++;
	h->key[at] = key;
	h->host[at] = *host;
}

int heavy_sender(const uint8_t *ip, uint32_t caplen, struct heavy_host *host)
{
	*host = (struct heavy_host){.family = caplen ? ip[0] >> 4 : 0};
	if (host->family == 4 && caplen >= IP4_HEADER)
		memcpy(host->addr, ip + IP4_SOURCE, 4);
	else if (host->family == 6 && caplen >= IP6_HEADER)
		memcpy(host->addr, ip + IP6_SOURCE, 16);
	else
		return -1;
	return 0;
}

int heavy_next(const struct heavy *h, uint64_t least, unsigned *i)
{
	while (*i < h->n) {
		unsigned at = (*i)++;

		if (h->count[at] - h->error[at] >= least)
			return (int)at;
	}
	return -1;
}
