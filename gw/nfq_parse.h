/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One message of a queue's socket, understood. Of its own so that tests can lie to it. */
#ifndef WEIR_GW_NFQ_PARSE_H
#define WEIR_GW_NFQ_PARSE_H

#include <linux/netlink.h>

#include "gw/nfq.h"

enum nfq_is { NFQ_IS_NOTHING, NFQ_IS_PACKET, NFQ_IS_DONE, NFQ_IS_ERROR, NFQ_IS_BROKEN };

struct nfq_message {
	struct nfq_packet packet; /* NFQ_IS_PACKET; with NFQ_IS_BROKEN id and mark, if has_id */
	bool has_id;
	int error;    /* NFQ_IS_ERROR: errno; NFQ_IS_DONE: 0 */
	uint32_t seq; /* of what is answered: a verdict, or a change of the set-up */
};

/* nlh: mnl_nlmsg_ok() has been asked. m->packet.data points into it. */
enum nfq_is nfq_parse(const struct nlmsghdr *nlh, struct nfq_message *m);

#endif
