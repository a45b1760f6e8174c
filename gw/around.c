/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What goes round a queue: the interface itself, its bridge, its flowtables, its qdiscs. */
#include "gw/around.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libmnl/libmnl.h>
#include <libnftnl/common.h>
#include <libnftnl/flowtable.h>

#include "gw/around_qdisc.h"
#include "gw/ifwatch.h"

struct around {
	const char *interface;
	void (*fn)(void *arg, const char *text);
	void *arg;
	int n;
};

static void found(struct around *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void found(struct around *a, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	a->fn(a->arg, text);
	a->n++;
}

/* ---- The interface and its bridge. */

static bool sys_has(const char *interface, const char *what)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/class/net/%s/%s", interface, what);
	return !access(path, F_OK);
}

/* Whether bridged packets pass through netfilter's IP hooks. */
static bool bridges_call(const char *family)
{
	char path[96];
	FILE *f;
	int c;

	snprintf(path, sizeof(path), "/proc/sys/net/bridge/bridge-nf-call-%stables", family);
	f = fopen(path, "re");
	if (!f)
		return false; /* br_netfilter is not there */
	c = fgetc(f);
	fclose(f);
	return c == '1';
}

static void look_at_bridge(struct around *a)
{
	const char *what = sys_has(a->interface, "brport")   ? "a port of a bridge"
			   : sys_has(a->interface, "bridge") ? "a bridge"
							     : NULL;

	if (!what || (bridges_call("ip") && bridges_call("ip6")))
		return;
	found(a,
	      "%s is %s: packets that are bridged, not routed, go round the queue; to shape "
	      "them: "
	      "modprobe br_netfilter; sysctl net.bridge.bridge-nf-call-iptables=1 "
	      "net.bridge.bridge-nf-call-ip6tables=1",
	      a->interface, what);
}

/* ---- Flowtables: flows in one are forwarded below the hooks that a queue needs. */

static bool has_device(const struct nftnl_flowtable *t, const char *interface)
{
	const char *const *v = nftnl_flowtable_get(t, NFTNL_FLOWTABLE_DEVICES);

	for (; v && *v; v++)
		if (!strcmp(*v, interface))
			return true;
	return false;
}

static int look_at_flowtable(const struct nlmsghdr *nlh, void *arg)
{
	struct nftnl_flowtable *t = nftnl_flowtable_alloc();
	struct around *a = arg;

	if (t && !nftnl_flowtable_nlmsg_parse(nlh, t) && has_device(t, a->interface)) {
		const char *table = nftnl_flowtable_get_str(t, NFTNL_FLOWTABLE_TABLE);
		const char *name = nftnl_flowtable_get_str(t, NFTNL_FLOWTABLE_NAME);
		bool hw = nftnl_flowtable_is_set(t, NFTNL_FLOWTABLE_FLAGS) &&
			  (nftnl_flowtable_get_u32(t, NFTNL_FLOWTABLE_FLAGS) &
			   NFT_FLOWTABLE_HW_OFFLOAD);

		found(a,
		      "flows in the flowtable \"%.64s\" (table \"%.64s\"%s) go round the queue "
		      "once they "
		      "are established: take %s out of its devices, or its \"flow add\" rule "
		      "away",
		      name ? name : "?", table ? table : "?",
		      hw ? ", offloaded to hardware" : "", a->interface);
	}
	if (t)
		nftnl_flowtable_free(t);
	return MNL_CB_OK;
}

static void look_at_flowtables(struct around *a)
{
	uint8_t buf[16384] __attribute__((aligned(8)));
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	struct nlmsghdr *nlh;
	int more = MNL_CB_OK;

	if (!nl)
		return;
	nlh = nftnl_nlmsg_build_hdr((char *)buf, NFT_MSG_GETFLOWTABLE, NFPROTO_UNSPEC,
				    NLM_F_DUMP, 1);
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		more = MNL_CB_ERROR;
	while (more > 0) {
		ssize_t n = mnl_socket_recvfrom(nl, buf, sizeof(buf));

		more = n < 0 ? MNL_CB_ERROR
			     : mnl_cb_run(buf, (size_t)n, 1, mnl_socket_get_portid(nl),
					  look_at_flowtable, a);
	}
	/* a kernel without flowtables has none */
	if (more < 0 && errno == EPERM)
		found(a, "flowtables could not be looked for: that needs CAP_NET_ADMIN");
	mnl_socket_close(nl);
}

int around_look(const char *interface, uint64_t rate_bps,
		void (*fn)(void *arg, const char *text), void *arg)
{
	struct around a = {interface, fn, arg, 0};
	struct ifwatch_state s;
	char kind[32];
	uint64_t bps;

	if (ifwatch_get(interface, &s))
		return -1;
	if (!s.there) {
		found(&a, "there is no interface %s: the link waits until there is one",
		      interface);
		return a.n;
	}
	if (!s.up)
		found(&a, "interface %s is down: ip link set %s up", interface, interface);
	look_at_bridge(&a);
	look_at_flowtables(&a);
	if (around_qdisc(interface, &bps, kind, sizeof(kind)) && bps < rate_bps)
		found(&a,
		      "the qdisc %s on %s lets through only %llu kbit/s, less than the link's "
		      "%llu: its "
		      "queue is the one that fills, without classes; remove it (tc qdisc del "
		      "dev %s "
		      "root) or make the link's rate smaller",
		      kind, interface, (unsigned long long)(bps / 1000),
		      (unsigned long long)(rate_bps / 1000), interface);
	return a.n;
}
