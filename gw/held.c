/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/held.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int held_init(struct held *h, uint32_t size)
{
	*h = (struct held){.size = size, .free = HELD_NONE};
	h->place = calloc(size, sizeof(*h->place));
	return h->place ? 0 : -1;
}

void held_fini(struct held *h)
{
	free(h->place);
	*h = (struct held){0};
}

uint32_t held_put(struct held *h, const struct nfq_packet *p)
{
	uint32_t n = h->free;
	struct held_packet *at;

	if (n != HELD_NONE)
		h->free = h->place[n].next;
	else if (h->fresh < h->size)
		n = h->fresh++;
	else
		return HELD_NONE;
	at = &h->place[n];
	at->id = p->id;
	at->mark = p->mark;
	at->len = p->len;
	at->indev = p->indev;
	memcpy(at->mac, p->mac, sizeof(at->mac));
	at->has_mac = p->has_mac;
	at->caplen = p->caplen < NFQ_COPY ? p->caplen : NFQ_COPY;
	memcpy(at->data, p->data, at->caplen);
	h->bytes += p->len;
	if (++h->packets > h->packets_max)
		h->packets_max = h->packets;
	return n;
}

const struct held_packet *held_take(struct held *h, uint32_t place)
{
	struct held_packet *at = &h->place[place];

	assert(place < h->fresh && h->packets);
	h->packets--;
	h->bytes -= at->len;
	at->next = h->free;
	h->free = place;
	return at;
}
