/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/nfq_parse.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <string.h>

#include <libmnl/libmnl.h>

static enum nfq_is parse_error(const struct nlmsghdr *nlh, struct nfq_message *m)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*e))
		return NFQ_IS_BROKEN;
	m->error = -e->error;
	m->seq = e->msg.nlmsg_seq;
	return e->error ? NFQ_IS_ERROR : NFQ_IS_DONE;
}

static uint32_t get_u32(const struct nlattr *a)
{
	uint32_t v;

	memcpy(&v, mnl_attr_get_payload(a), sizeof(v));
	return ntohl(v);
}

/* One attribute. False: it is too short for what it says it is. */
static bool take(const struct nlattr *a, struct nfq_message *m, bool *has_data, bool *has_len)
{
	uint16_t size = mnl_attr_get_payload_len(a);
	struct nfqnl_msg_packet_hdr h;
	struct nfqnl_msg_packet_hw hw;

	switch (mnl_attr_get_type(a)) {
	case NFQA_PACKET_HDR:
		if (size < sizeof(h))
			return false;
		memcpy(&h, mnl_attr_get_payload(a), sizeof(h));
		m->packet.id = ntohl(h.packet_id);
		m->has_id = true;
		return true;
	case NFQA_MARK:
		if (size < sizeof(uint32_t))
			return false;
		m->packet.mark = get_u32(a);
		return true;
	case NFQA_CAP_LEN:
		if (size < sizeof(uint32_t))
			return false;
		m->packet.len = get_u32(a);
		*has_len = true;
		return true;
	case NFQA_IFINDEX_INDEV:
		if (size < sizeof(uint32_t))
			return false;
		m->packet.indev = get_u32(a);
		return true;
	case NFQA_HWADDR:
		if (size < sizeof(hw))
			return false;
		memcpy(&hw, mnl_attr_get_payload(a), sizeof(hw));
		m->packet.has_mac = ntohs(hw.hw_addrlen) == sizeof(m->packet.mac);
		if (m->packet.has_mac)
			memcpy(m->packet.mac, hw.hw_addr, sizeof(m->packet.mac));
		return true;
	case NFQA_PAYLOAD:
		m->packet.data = mnl_attr_get_payload(a);
		m->packet.caplen = size < NFQ_COPY ? size : NFQ_COPY;
		*has_data = true;
		return true;
	default:
		return true;
	}
}

static enum nfq_is parse_packet(const struct nlmsghdr *nlh, struct nfq_message *m)
{
	bool has_data = false, has_len = false, good = true;
	const struct nlattr *a;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(struct nfgenmsg))
		return NFQ_IS_BROKEN;
	mnl_attr_for_each(a, nlh, sizeof(struct nfgenmsg)) good &=
		take(a, m, &has_data, &has_len);
	if (!good || !m->has_id || !has_data)
		return NFQ_IS_BROKEN;
	/* said only of packets that were cut */
	if (!has_len || m->packet.len < m->packet.caplen)
		m->packet.len = m->packet.caplen;
	return NFQ_IS_PACKET;
}

enum nfq_is nfq_parse(const struct nlmsghdr *nlh, struct nfq_message *m)
{
	memset(m, 0, sizeof(*m));
	if (nlh->nlmsg_type == NLMSG_ERROR)
		return parse_error(nlh, m);
	if (nlh->nlmsg_type < NLMSG_MIN_TYPE)
		return NFQ_IS_NOTHING;
	if (nlh->nlmsg_type >> 8 == NFNL_SUBSYS_QUEUE &&
	    (nlh->nlmsg_type & 0xff) == NFQNL_MSG_PACKET)
		return parse_packet(nlh, m);
	return NFQ_IS_NOTHING;
}
