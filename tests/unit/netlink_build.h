/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Netlink messages by hand, truthful and lying ones, for tests of what reads them. */
#ifndef WEIR_TESTS_UNIT_NETLINK_BUILD_H
#define WEIR_TESTS_UNIT_NETLINK_BUILD_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>

#define MADE_MAX 4096u

static uint8_t made[MADE_MAX] __attribute__((aligned(8)));

/* A new message, with its family's own header. */
static inline struct nlmsghdr *message(uint16_t type, const void *head, size_t size)
{
	struct nlmsghdr *nlh;

	memset(made, 0, sizeof(made));
	nlh = mnl_nlmsg_put_header(made);
	nlh->nlmsg_type = type;
	memcpy(mnl_nlmsg_put_extra_header(nlh, size), head, size);
	return nlh;
}

/*
 * The message in memory of just its length, so that the address sanitizer sees whoever reads
 * behind it. Aligned, as netlink's messages always are: libmnl counts on that. To be freed.
 */
static inline struct nlmsghdr *tight(const struct nlmsghdr *nlh)
{
	void *copy = calloc(1, MNL_ALIGN(nlh->nlmsg_len));

	if (!copy)
		abort();
	return memcpy(copy, nlh, nlh->nlmsg_len);
}

/*
 * Each 16 bits of the message in turn, from `from` on, replaced by each length that is likely
 * to be mistaken, and the message cut at each length: fn sees all of these, tight.
 */
static inline void lie(const struct nlmsghdr *nlh, size_t from,
		       void (*fn)(void *arg, const struct nlmsghdr *nlh), void *arg)
{
	static const uint16_t lies[] = {0, 1, 3, 4, 5, 8, 0x7fff, 0x8000, 0xfffc, 0xffff};
	uint8_t before[MADE_MAX];
	size_t len = nlh->nlmsg_len;

	memcpy(before, nlh, len);
	for (size_t at = from; at + 2 <= len; at += 2)
		for (unsigned i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
			struct nlmsghdr *copy = tight((const struct nlmsghdr *)(void *)before);

			memcpy((uint8_t *)copy + at, &lies[i], sizeof(lies[i]));
			fn(arg, copy);
			free(copy);
		}
	for (size_t n = sizeof(struct nlmsghdr); n < len; n++) {
		struct nlmsghdr *copy;

		((struct nlmsghdr *)(void *)before)->nlmsg_len = (uint32_t)n;
		copy = tight((const struct nlmsghdr *)(void *)before);
		fn(arg, copy);
		free(copy);
	}
}

/* Any bytes behind a header of that type: fn sees `rounds` of them, tight. */
static inline void noise(uint16_t type, size_t head, unsigned rounds,
			 void (*fn)(void *arg, const struct nlmsghdr *nlh), void *arg)
{
	uint8_t zero[64] = {0};

	srand(type + 7u);
	for (unsigned r = 0; r < rounds; r++) {
		struct nlmsghdr *nlh = message(type, zero, head), *copy;
		size_t extra = (size_t)(rand() % 160);

		/* small numbers are more often lengths and types that mean something */
		for (size_t i = sizeof(*nlh); i < nlh->nlmsg_len + extra; i++)
			made[i] = (uint8_t)(rand() % 3 ? rand() % 24 : rand());
		nlh->nlmsg_len += (uint32_t)extra;
		copy = tight(nlh);
		fn(arg, copy);
		free(copy);
	}
}

#endif
