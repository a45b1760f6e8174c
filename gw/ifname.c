/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/ifname.h"

#include <string.h>

const char *ifname_of(struct ifname *c, uint32_t index, uint64_t now)
{
	unsigned at = index & (IFNAME_PLACES - 1);

	if (!index)
		return NULL;
	if (c->place[at].index != index || now >= c->place[at].until) {
		c->place[at].index = index;
		c->place[at].until = now + IFNAME_KEEP;
		memset(c->place[at].name, 0, sizeof(c->place[at].name));
		if (!if_indextoname(index, c->place[at].name))
			c->place[at].name[0] = '\0';
	}
	return c->place[at].name[0] ? c->place[at].name : NULL;
}
