/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/tc_stage.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/gen_stats.h>
#include <linux/if_packet.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libmnl/libmnl.h>
#include <netlink/route/link.h>
#include <netlink/route/link/veth.h>

#include "gw/fail.h"
#include "gw/nldump.h"
#include "gw/tc_state.h"

#define FAST UINT64_C(12500000000)	  /* bytes/s: 100 Gbit/s */
#define PLENTY (1000000000u / TC_TICK_NS) /* ticks: a second's worth */

int tc_stage_enter(char *err, size_t errsize)
{
	static const char quiet[] = "/proc/sys/net/ipv6/conf/default/disable_ipv6";
	int fd;

	if (unshare(CLONE_NEWNET))
		return fail_with(err, errsize, "a network namespace: %s%s", strerror(errno),
				 errno == EPERM ? ": run as root" : "");
	/* a device must send nothing of its own: it would be counted */
	fd = open(quiet, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT
			       ? 0
			       : fail_with(err, errsize, "%s: %s", quiet, strerror(errno));
	if (write(fd, "1", 1) != 1) {
		close(fd);
		return fail_with(err, errsize, "%s: %s", quiet, strerror(errno));
	}
	close(fd);
	return 0;
}

/* ---- Devices. */

static int add_veth(struct nl_sock *nl, const char *name, const char *peer)
{
	return rtnl_link_veth_add(nl, name, peer, getpid());
}

static int set_up(const char *name)
{
	struct ifreq r = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), failed;

	if (fd < 0)
		return -1;
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	r.ifr_mtu = (int)TC_STAGE_MTU;
	failed = ioctl(fd, SIOCSIFMTU, &r) < 0;
	r.ifr_flags = IFF_UP | IFF_NOARP;
	failed = failed || ioctl(fd, SIOCSIFFLAGS, &r) < 0;
	close(fd);
	return failed ? -1 : 0;
}

int tc_stage_device(unsigned number, char *err, size_t errsize)
{
	struct nl_sock *nl = nl_socket_alloc();
	char name[IFNAMSIZ], peer[IFNAMSIZ];
	int e;

	snprintf(name, sizeof(name), "stage%u", number);
	snprintf(peer, sizeof(peer), "pit%u", number);
	e = nl ? nl_connect(nl, NETLINK_ROUTE) : -NLE_NOMEM;
	if (!e)
		e = add_veth(nl, name, peer);
	nl_socket_free(nl);
	if (e)
		return fail_with(err, errsize, "a device to try it on (veth): %s",
				 nl_geterror(e));
	if (set_up(peer) || set_up(name))
		return fail_with(err, errsize, "%s: %s", name, strerror(errno));
	return (int)if_nametoindex(name);
}

int tc_stage_apply(uint32_t ifindex, struct tc_plan *plan, char *err, size_t errsize)
{
	struct tc_nl *nl = tc_nl_open(err, errsize);
	struct tc_changes changes = {0};
	struct tc_state have = {0};
	int failed, error = 0;

	if (!nl)
		return -1;
	for (size_t i = 0; i < plan->list.n; i++) {
		struct tc_object *o = &plan->list.v[i];

		if (o->kind == TC_CLASS && o->type == TC_HTB) {
			o->htb.rate = o->htb.ceil = FAST;
			o->htb.buffer = o->htb.cbuffer = PLENTY;
		}
	}
	failed = tc_state_read(nl, ifindex, &have, err, errsize);
	if (!failed && tc_diff(&plan->list, &have, &changes))
		failed = fail_with(err, errsize, "%s", strerror(ENOMEM));
	if (!failed)
		failed = tc_run(nl, ifindex, &changes, &error, err, errsize);
	tc_changes_free(&changes);
	tc_state_free(&have);
	tc_nl_close(nl);
	return failed;
}

/* ---- Packets. */

int tc_stage_socket(char *err, size_t errsize)
{
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0), big = 4 << 20;

	if (fd < 0)
		return fail_with(err, errsize, "packet socket: %s", strerror(errno));
	/* more than one packet of the largest; where it is refused the default does */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &big, sizeof(big)))
		errno = 0;
	return fd;
}

int tc_stage_send(int fd, const struct tc_stage_packet *p)
{
	/* nobody's address: what arrives at the other end is for others, and goes no further */
	struct sockaddr_ll to = {.sll_family = AF_PACKET,
				 .sll_protocol = htons(p->protocol),
				 .sll_ifindex = (int)p->ifindex,
				 .sll_halen = 6,
				 .sll_addr = {0x02, 0x77, 0x65, 0x69, 0x72, 0x01}};
	ssize_t n;

	do
		n = sendto(fd, p->data, p->len, 0, (struct sockaddr *)&to, sizeof(to));
	while (n < 0 && (errno == EINTR || errno == ENOBUFS));
	return n == (ssize_t)p->len ? 0 : -1;
}

/* ---- Counters. */

struct counting {
	uint32_t ifindex;
	void (*fn)(void *arg, const struct tc_stage_count *c);
	void *arg;
};

static void count_basic(const struct nlattr *stats, struct tc_stage_count *c)
{
	struct gnet_stats_basic b = {0};
	const struct nlattr *a;
	uint64_t packets = 0;
	size_t len;

	mnl_attr_for_each_nested(a, stats)
	{
		len = mnl_attr_get_payload_len(a);
		if (mnl_attr_get_type(a) == TCA_STATS_BASIC)
			memcpy(&b, mnl_attr_get_payload(a), len < sizeof(b) ? len : sizeof(b));
		else if (mnl_attr_get_type(a) == TCA_STATS_PKT64 && len >= sizeof(packets))
			memcpy(&packets, mnl_attr_get_payload(a), sizeof(packets));
	}
	c->bytes = b.bytes;
	c->packets = packets ? packets : b.packets;
}

static void take(void *arg, const struct nlmsghdr *nlh)
{
	const struct tcmsg *t = mnl_nlmsg_get_payload(nlh);
	struct counting *k = arg;
	struct tc_stage_count c;
	const struct nlattr *a;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*t) || t->tcm_ifindex != (int)k->ifindex)
		return;
	/* of the qdiscs only the root: it counts what goes unshaped as well */
	if (nlh->nlmsg_type == RTM_NEWQDISC && t->tcm_parent != TC_H_ROOT)
		return;
	c = (struct tc_stage_count){.classid = t->tcm_handle};
	mnl_attr_for_each(a, nlh, sizeof(*t))
	{
		if (mnl_attr_get_type(a) == TCA_STATS2)
			count_basic(a, &c);
	}
	k->fn(k->arg, &c);
}

int tc_stage_counts(uint32_t ifindex, void (*fn)(void *arg, const struct tc_stage_count *c),
		    void *arg)
{
	struct counting k = {ifindex, fn, arg};
	static const uint16_t types[] = {RTM_GETTCLASS, RTM_GETQDISC};

	for (size_t i = 0; i < 2; i++) {
		uint8_t buf[256] __attribute__((aligned(8)));
		struct nlmsghdr *ask = mnl_nlmsg_put_header(buf);
		struct tcmsg *t = mnl_nlmsg_put_extra_header(ask, sizeof(*t));

		ask->nlmsg_type = types[i];
		t->tcm_family = AF_UNSPEC;
		t->tcm_ifindex = (int)ifindex;
		if (nldump(NETLINK_ROUTE, ask, take, &k))
			return -1;
	}
	return 0;
}
