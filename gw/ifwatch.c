/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/ifwatch.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>

#define BUFFER 32768u /* what the kernel fills at most */

struct ifwatch {
	struct mnl_socket *nl;
	bool again; /* messages were lost: ask for all */
};

struct ifwatch *ifwatch_open(char *err, size_t errsize)
{
	struct ifwatch *w = calloc(1, sizeof(*w));

	if (w)
		w->nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!w || !w->nl || mnl_socket_bind(w->nl, RTMGRP_LINK, MNL_SOCKET_AUTOPID) < 0) {
		snprintf(err, errsize, "watching interfaces: %s", strerror(errno));
		ifwatch_close(w);
		return NULL;
	}
	return w;
}

void ifwatch_close(struct ifwatch *w)
{
	if (w && w->nl)
		mnl_socket_close(w->nl);
	free(w);
}

int ifwatch_fd(const struct ifwatch *w)
{
	return mnl_socket_get_fd(w->nl);
}

bool ifwatch_parse(const struct nlmsghdr *nlh, struct ifwatch_state *s)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *a;

	*s = (struct ifwatch_state){0};
	if ((nlh->nlmsg_type != RTM_NEWLINK && nlh->nlmsg_type != RTM_DELLINK) ||
	    mnl_nlmsg_get_payload_len(nlh) < sizeof(*info))
		return false;
	/* bridges tell of their ports as AF_BRIDGE: that says nothing of the interface itself
	 */
	if (info->ifi_family != AF_UNSPEC)
		return false;
	mnl_attr_for_each(a, nlh, sizeof(*info))
	{
		uint16_t size = mnl_attr_get_payload_len(a);

		if (mnl_attr_get_type(a) == IFLA_IFNAME && size && size <= sizeof(s->name))
			memcpy(s->name, mnl_attr_get_payload(a), size);
		else if (mnl_attr_get_type(a) == IFLA_MTU && size == sizeof(s->mtu))
			memcpy(&s->mtu, mnl_attr_get_payload(a), size);
	}
	s->name[sizeof(s->name) - 1] = '\0';
	s->index = (uint32_t)info->ifi_index;
	s->there = nlh->nlmsg_type == RTM_NEWLINK;
	/* IFF_RUNNING: the carrier is there, or the driver does not know */
	s->up = s->there && (info->ifi_flags & IFF_UP) && (info->ifi_flags & IFF_RUNNING);
	return s->name[0] != '\0';
}

static int ask_all(struct ifwatch *w)
{
	uint8_t buf[256] __attribute__((aligned(8)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *info;

	nlh->nlmsg_type = RTM_GETLINK;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	info = mnl_nlmsg_put_extra_header(nlh, sizeof(*info));
	info->ifi_family = AF_UNSPEC;
	return mnl_socket_sendto(w->nl, nlh, nlh->nlmsg_len) < 0 ? -1 : 0;
}

int ifwatch_read(struct ifwatch *w, void (*fn)(void *arg, const struct ifwatch_state *s),
		 void *arg)
{
	uint8_t buf[BUFFER] __attribute__((aligned(8)));
	struct ifwatch_state s;
	ssize_t n;

	for (;;) {
		const struct nlmsghdr *nlh = (const void *)buf;
		int left;

		n = mnl_socket_recvfrom(w->nl, buf, sizeof(buf));
		if (n < 0 && errno == ENOBUFS) {
			w->again = true;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (n < 0)
			return -1;
		for (left = (int)n; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left))
			if (ifwatch_parse(nlh, &s))
				fn(arg, &s);
	}
	if (w->again && !ask_all(w))
		w->again = false; /* the answers make the socket readable again */
	return 0;
}

struct wanted {
	struct ifwatch_state *s;
};

static int take(const struct nlmsghdr *nlh, void *arg)
{
	const struct wanted *want = arg;
	struct ifwatch_state s;

	if (ifwatch_parse(nlh, &s) && !strcmp(s.name, want->s->name))
		*want->s = s;
	return MNL_CB_OK;
}

int ifwatch_get(const char *name, struct ifwatch_state *s)
{
	uint8_t buf[BUFFER] __attribute__((aligned(8)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct mnl_socket *nl;
	struct wanted want;
	ssize_t n = -1;
	int failed = -1;

	*s = (struct ifwatch_state){0};
	want.s = s;
	snprintf(s->name, sizeof(s->name), "%s", name);
	if (strlen(name) >= sizeof(s->name))
		return 0; /* else the one whose name it begins with would answer */
	nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	nlh->nlmsg_type = RTM_GETLINK;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	nlh->nlmsg_seq = 1;
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(nlh, IFLA_IFNAME, s->name);
	if (nl && mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) >= 0 &&
	    mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) >= 0)
		do {
			n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
			failed = n < 0 ? -1
				       : mnl_cb_run(buf, (size_t)n, 1,
						    mnl_socket_get_portid(nl), take, &want);
		} while (failed > 0);
	/* that it is not there is an answer too */
	if (failed < 0 && errno == ENODEV)
		failed = 0;
	n = errno;
	if (nl)
		mnl_socket_close(nl);
	errno = (int)n;
	return failed;
}
