/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is understood of a queue's messages, hostile ones included; and kernels by their
 * version. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>

#include <libmnl/libmnl.h>

#include "gw/nfq_parse.h"
#include "gw/rule.h"

static uint8_t buf[4096] __attribute__((aligned(8)));

static struct nlmsghdr *packet_message(void)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);

	nlh->nlmsg_type = NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET;
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct nfgenmsg));
	return nlh;
}

static void put_id(struct nlmsghdr *nlh, uint32_t id)
{
	struct nfqnl_msg_packet_hdr h = {.packet_id = htonl(id)};

	mnl_attr_put(nlh, NFQA_PACKET_HDR, sizeof(h), &h);
}

static void test_packet(void **state)
{
	struct nlmsghdr *nlh = packet_message();
	struct nfq_message m;
	uint8_t data[NFQ_COPY + 50] = {0x45};

	(void)state;
	put_id(nlh, 0x01020304);
	mnl_attr_put_u32(nlh, NFQA_MARK, htonl(0x55aa));
	mnl_attr_put_u32(nlh, NFQA_CAP_LEN, htonl(1500));
	mnl_attr_put(nlh, NFQA_PAYLOAD, NFQ_COPY, data);
	assert_int_equal(nfq_parse(nlh, &m), NFQ_IS_PACKET);
	assert_int_equal(m.packet.id, 0x01020304);
	assert_int_equal(m.packet.mark, 0x55aa);
	assert_int_equal(m.packet.len, 1500);
	assert_int_equal(m.packet.caplen, NFQ_COPY);
	assert_int_equal(m.packet.data[0], 0x45);

	assert_int_equal(m.packet.indev, 0);
	assert_false(m.packet.has_mac);

	/* where it came from: a MAC of another length than Ethernet's is none */
	for (unsigned n = 5; n < 8; n++) {
		struct nfqnl_msg_packet_hw hw = {.hw_addrlen = htons((uint16_t)n),
						 .hw_addr = {2, 1, 2, 3, 4, 5, 6, 7}};

		nlh = packet_message();
		put_id(nlh, 7);
		mnl_attr_put_u32(nlh, NFQA_IFINDEX_INDEV, htonl(0x01020304));
		mnl_attr_put(nlh, NFQA_HWADDR, sizeof(hw), &hw);
		mnl_attr_put(nlh, NFQA_PAYLOAD, 60, data);
		assert_int_equal(nfq_parse(nlh, &m), NFQ_IS_PACKET);
		assert_int_equal(m.packet.indev, 0x01020304);
		assert_true(m.packet.has_mac == (n == 6));
		if (n == 6)
			assert_memory_equal(m.packet.mac, "\2\1\2\3\4\5", 6);
	}

	/* one that was not cut says no length of its own; more than was asked for is cut here
	 */
	nlh = packet_message();
	put_id(nlh, 7);
	mnl_attr_put(nlh, NFQA_PAYLOAD, 60, data);
	assert_int_equal(nfq_parse(nlh, &m), NFQ_IS_PACKET);
	assert_int_equal(m.packet.len, 60);
	assert_int_equal(m.packet.mark, 0);
	nlh = packet_message();
	put_id(nlh, 7);
	mnl_attr_put(nlh, NFQA_PAYLOAD, sizeof(data), data);
	assert_int_equal(nfq_parse(nlh, &m), NFQ_IS_PACKET);
	assert_int_equal(m.packet.caplen, NFQ_COPY);
	assert_true(m.packet.len >= m.packet.caplen);
}

static void test_broken(void **state)
{
	struct nlmsghdr *nlh = packet_message();
	struct nfq_message m;

	(void)state;
	/* nothing in it; then an id without a packet, which can be accepted */
	assert_int_equal(nfq_parse(nlh, &m), NFQ_IS_BROKEN);
	assert_false(m.has_id);
	put_id(nlh, 9);
	assert_int_equal(nfq_parse(nlh, &m), NFQ_IS_BROKEN);
	assert_true(m.has_id);
	assert_int_equal(m.packet.id, 9);
	/* attributes too short for what they are */
	nlh = packet_message();
	mnl_attr_put(nlh, NFQA_PACKET_HDR, 2, "ab");
	mnl_attr_put(nlh, NFQA_PAYLOAD, 4, "abcd");
	assert_int_equal(nfq_parse(nlh, &m), NFQ_IS_BROKEN);
	assert_false(m.has_id);
	nlh = packet_message();
	put_id(nlh, 9);
	mnl_attr_put(nlh, NFQA_PAYLOAD, 4, "abcd");
	mnl_attr_put(nlh, NFQA_CAP_LEN, 1, "a");
	assert_int_equal(nfq_parse(nlh, &m), NFQ_IS_BROKEN);
	nlh = packet_message();
	put_id(nlh, 9);
	mnl_attr_put(nlh, NFQA_PAYLOAD, 4, "abcd");
	mnl_attr_put(nlh, NFQA_HWADDR, 11, "\0\6\0\0abcdefg");
	assert_int_equal(nfq_parse(nlh, &m), NFQ_IS_BROKEN);
	nlh = packet_message();
	put_id(nlh, 9);
	mnl_attr_put(nlh, NFQA_PAYLOAD, 4, "abcd");
	mnl_attr_put(nlh, NFQA_IFINDEX_INDEV, 3, "abc");
	assert_int_equal(nfq_parse(nlh, &m), NFQ_IS_BROKEN);
	/* too short for its own header */
	nlh = mnl_nlmsg_put_header(buf);
	nlh->nlmsg_type = NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET;
	assert_int_equal(nfq_parse(nlh, &m), NFQ_IS_BROKEN);
	nlh->nlmsg_type = NLMSG_ERROR;
	assert_int_equal(nfq_parse(nlh, &m), NFQ_IS_BROKEN);
}

static void test_error(void **state)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nlmsgerr *e;
	struct nfq_message m;

	(void)state;
	nlh->nlmsg_type = NLMSG_ERROR;
	e = mnl_nlmsg_put_extra_header(nlh, sizeof(*e));
	e->error = -ENOENT;
	e->msg.nlmsg_seq = 4242;
	assert_int_equal(nfq_parse(nlh, &m), NFQ_IS_ERROR);
	assert_int_equal(m.error, ENOENT);
	assert_int_equal(m.seq, 4242);
	e->error = 0;
	assert_int_equal(nfq_parse(nlh, &m), NFQ_IS_DONE);
	assert_int_equal(m.error, 0);
	assert_int_equal(m.seq, 4242);
}

/* Any bytes: whatever is said, it points into the message. */
static void test_noise(void **state)
{
	struct nfq_message m;

	(void)state;
	srand(99);
	for (unsigned round = 0; round < 200000; round++) {
		struct nlmsghdr *nlh = packet_message();
		size_t extra = (size_t)(rand() % 120);

		for (size_t i = 0; i < extra; i++)
			buf[nlh->nlmsg_len + i] = (uint8_t)(rand() % 3 ? rand() % 24 : rand());
		nlh->nlmsg_len += (uint32_t)extra;
		if (nfq_parse(nlh, &m) != NFQ_IS_PACKET)
			continue;
		assert_true(m.packet.data >= buf);
		assert_true(m.packet.data + m.packet.caplen <= buf + nlh->nlmsg_len);
		assert_true(m.packet.caplen <= NFQ_COPY && m.packet.len >= m.packet.caplen);
	}
}

static void test_kernels(void **state)
{
	static const struct {
		const char *release;
		bool hashes;
	} t[] = {
		{"6.1.0-18-amd64", false},
		{"6.6.30", false},
		{"6.12.74", false},
		{"6.12.75", true},
		{"6.12.90+deb13", true},
		{"6.17.3", false},
		{"6.18.13-fc", false},
		{"6.18.14", true},
		{"6.18.44-fc-v595", true},
		{"6.19.3", false},
		{"6.19.4", true},
		{"7.0.0-rc1", true},
		{"7.2", true},
		{"10.1.1", true},
		{"5.10.200", false},
		{"weird", false},
		{"", false},
		{"6", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		if (nfq_kernel_hashes(t[i].release) != t[i].hashes)
			fail_msg("%s", t[i].release);
}

static void test_priority(void **state)
{
	(void)state;
	assert_true(nfq_kernel_sets_priority("5.18.0"));
	assert_true(nfq_kernel_sets_priority("6.1.0-42-cloud-amd64"));
	assert_true(nfq_kernel_sets_priority("10.0"));
	assert_false(nfq_kernel_sets_priority("5.17.9"));
	assert_false(nfq_kernel_sets_priority("4.19.300"));
	assert_false(nfq_kernel_sets_priority("5"));
	assert_false(nfq_kernel_sets_priority("weird"));
}

static void test_marks(void **state)
{
	(void)state;
	/* the bits that are not ours stay, whatever they are */
	for (int dscp = -1; dscp < 64; dscp++) {
		uint32_t m = rule_mark(0xffffffff, dscp, dscp & 1);

		assert_int_equal(m & ~RULE_MARK, ~RULE_MARK);
		assert_true(m & RULE_RELEASED);
		assert_int_equal((m & RULE_DSCP_SET) != 0, dscp >= 0);
		if (dscp >= 0)
			assert_int_equal((m & RULE_MARK) >> RULE_DSCP_SHIFT, dscp);
		assert_int_equal((m & RULE_CE) != 0, dscp & 1);
		assert_int_equal(rule_mark(0, dscp, false) & ~RULE_MARK, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_packet),	 cmocka_unit_test(test_broken),
		cmocka_unit_test(test_error),	 cmocka_unit_test(test_noise),
		cmocka_unit_test(test_kernels),	 cmocka_unit_test(test_marks),
		cmocka_unit_test(test_priority),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
