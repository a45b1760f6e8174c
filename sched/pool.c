/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>

#include "sched/pkt.h"

int pkt_pool_init(struct pkt_pool *pool, size_t size)
{
	*pool = (struct pkt_pool){0};
	if (!size || size > SIZE_MAX / sizeof(struct pkt))
		return -1;
	/* malloc and not calloc: pages that are never handed out are never touched */
	pool->mem = aligned_alloc(sizeof(struct pkt), size * sizeof(struct pkt));
	if (!pool->mem)
		return -1;
	pool->size = size;
	return 0;
}

void pkt_pool_fini(struct pkt_pool *pool)
{
	free(pool->mem);
	*pool = (struct pkt_pool){0};
}
