/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is found, in words, each with its remedy. Where it is looked for: around_*.c. */
#include "gw/around.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gw/around_filter.h"
#include "gw/around_flow.h"
#include "gw/around_link.h"
#include "gw/around_qdisc.h"
#include "gw/report.h"

#define BELOW_MAX 8 /* devices below devices: a VLAN on a bond on ... */

struct around {
	const char *interface;
	enum policy_backend backend;
	const char *past; /* what packets go round, and how */
	void (*fn)(void *arg, enum policy_around what, const char *text);
	void *arg;
	int n;
	struct around_links links;
	bool *seen; /* of each of links, on the way down from self */
	const struct around_link *self;
	struct around_tcs tcs;
};

static void found(struct around *a, enum policy_around what, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static void found(struct around *a, enum policy_around what, const char *fmt, ...)
{
	char text[AROUND_TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* the kernel takes names with anything but spaces and slashes in them */
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	a->fn(a->arg, what, text);
	a->n++;
}

/* ---- Bridges. */

/* Whether all bridges' packets pass through netfilter's hooks of a family. */
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

/* With a single port there is nothing to bridge. */
static bool has_ports(const struct around *a)
{
	unsigned n = 0;

	for (size_t i = 0; i < a->links.n; i++)
		n += a->links.v[i].master == a->self->index;
	return n > 1;
}

static void look_at_bridge(struct around *a)
{
	const struct around_link *s = a->self, *bridge;
	bool ip, ip6;

	if (!strcmp(s->port_of, "bridge")) {
		bridge = around_link_of(&a->links, s->master);
		found(a, POLICY_AROUND_BRIDGE,
		      "%s is a port of the bridge %s: what the bridge sends leaves by %s for "
		      "netfilter, never by %s, and goes round the queue; write \"interface: "
		      "%s\" in the policy, or take %s out of the bridge",
		      s->name, bridge ? bridge->name : "?", bridge ? bridge->name : "it",
		      s->name, bridge ? bridge->name : "(the bridge)", s->name);
		return;
	}
	if (strcmp(s->kind, "bridge") != 0 || !has_ports(a))
		return;
	ip = s->nf_ip || bridges_call("ip");
	ip6 = s->nf_ip6 || bridges_call("ip6");
	if (!ip || !ip6)
		found(a, POLICY_AROUND_BRIDGE,
		      "%s is a bridge: %s packets that are bridged from port to port, not "
		      "routed, go round the queue; to shape them: modprobe br_netfilter; "
		      "sysctl net.bridge.bridge-nf-call-iptables=1 "
		      "net.bridge.bridge-nf-call-ip6tables=1",
		      s->name,
		      ip    ? "IPv6"
		      : ip6 ? "IPv4"
			    : "IPv4 and IPv6");
}

/* ---- Flowtables. */

static void flowtable(void *arg, const struct around_flow *f)
{
	struct around *a = arg;
	char in[64];

	/* below netfilter's hooks, but not below traffic control: unless it is the hardware */
	if (a->backend == POLICY_BACKEND_KERNEL && !f->hardware)
		return;
	if (f->more)
		snprintf(in, sizeof(in), "%s and %u more", f->device, f->more);
	else
		snprintf(in, sizeof(in), "%s", f->device);
	found(a, POLICY_AROUND_FLOWTABLE,
	      "flows in the flowtable \"%s\" (table %s \"%s\"%s) that come in by %s and leave "
	      "by %s go round the %s once they are established: take its \"flow add\" rule "
	      "away, or %s out of its devices",
	      f->name, f->family, f->table, f->hardware ? ", offloaded to hardware" : "", in,
	      a->interface, a->backend == POLICY_BACKEND_KERNEL ? "kernel's classes" : "queue",
	      in);
}

static void look_at_flowtables(struct around *a)
{
	/* a kernel without nftables has none */
	if (around_flows(a->interface, flowtable, a) && (errno == EPERM || errno == EACCES))
		found(a, POLICY_AROUND_N,
		      "flowtables could not be looked for: that needs CAP_NET_ADMIN");
}

/* ---- XDP: before netfilter on the way in, and its own ways out. */

/* What ip-link calls the program's place, to take it away; it needs the very one. */
static const char *xdp_place(const struct around_link *l)
{
	switch (l->xdp) {
	case XDP_ATTACHED_SKB:
		return "xdpgeneric";
	case XDP_ATTACHED_HW:
		return "xdpoffload";
	default:
		return "xdpdrv";
	}
}

static void look_at_xdp(struct around *a)
{
	const struct around_link *first = NULL, *l;
	unsigned more = 0;
	char others[32] = "";

	for (size_t i = 0; i < a->links.n; i++) {
		l = &a->links.v[i];
		if (l->xdp == XDP_ATTACHED_NONE || l == a->self)
			continue;
		more += first != NULL;
		first = first ? first : l;
	}
	l = a->self;
	if (l->xdp != XDP_ATTACHED_NONE)
		found(a, POLICY_AROUND_XDP,
		      "an XDP program (id %" PRIu32 ") is on %s: packets that it sends back by "
		      "%s (XDP_TX) %s; it may send none (bpftool prog show id %" PRIu32
		      "); to take it away: ip link set "
		      "dev %s %s off, or end the program that put it there",
		      l->xdp_id, l->name, l->name, a->past, l->xdp_id, l->name, xdp_place(l));
	if (more)
		snprintf(others, sizeof(others), " and on %u more", more);
	if (first)
		found(a, POLICY_AROUND_XDP,
		      "an XDP program (id %" PRIu32 ") is on %s%s: packets that it redirects "
		      "to %s (XDP_REDIRECT) %s; it may redirect none (bpftool prog show id "
		      "%" PRIu32 "); to take it away: ip "
		      "link set dev %s %s off, or end the program that put it there",
		      first->xdp_id, first->name, others, a->interface, a->past, first->xdp_id,
		      first->name, xdp_place(first));
}

/* ---- Filters of tc. */

/* where: how tc's command line says the place. */
static void look_at_filters(struct around *a, const struct around_link *l, uint32_t parent,
			    const char *where)
{
	static const char *const verb[2][2] = {{"redirects", "redirect"}, {"copies", "copy"}};
	struct around_filters f = {.to = a->self->index};
	char which[96];

	/* one that is gone by now has no filters */
	if (around_filters_get(&f, l->index, parent) || !f.n)
		return;
	if (f.n == 1)
		snprintf(which, sizeof(which), "a tc filter on %s %s (", l->name, where);
	else
		snprintf(which, sizeof(which), "%u tc filters on %s %s (the first: ", f.n,
			 l->name, where);
	found(a, POLICY_AROUND_FILTER,
	      "%spref %" PRIu32 ", %s%s) %s packets straight to %s: they never pass its "
	      "queue, and use its line all the same; to take them off: tc filter del dev %s %s "
	      "pref %" PRIu32,
	      which, f.pref, f.kind, f.hardware ? ", in hardware" : "", verb[f.copies][f.n > 1],
	      a->interface, l->name, where, f.pref);
}

static void look_at_redirects(struct around *a)
{
	char where[32];

	for (size_t i = 0; i < a->tcs.n; i++) {
		const struct around_tc *q = &a->tcs.v[i];
		const struct around_link *l = around_link_of(&a->links, q->index);

		if (!l || q->class)
			continue;
		if (q->parent == TC_H_INGRESS) {
			look_at_filters(a, l, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS),
					"ingress");
			if (!strcmp(q->kind, "clsact"))
				look_at_filters(a, l, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS),
						"egress");
		} else if (q->parent == TC_H_ROOT && q->handle) {
			snprintf(where, sizeof(where), "parent %x:", TC_H_MAJ(q->handle) >> 16);
			look_at_filters(a, l, q->handle, where);
		}
	}
}

/* ---- Qdiscs behind the queue. */

/* Where a qdisc is, as tc's command line says it. */
static const char *place_of(const struct around_tc *q, char *text, size_t size)
{
	if (q->parent == TC_H_ROOT)
		snprintf(text, size, "root");
	else
		snprintf(text, size, "parent %x:%x", TC_H_MAJ(q->parent) >> 16,
			 TC_H_MIN(q->parent));
	return text;
}

/* share: how many devices carry the link's rate together. */
static void look_at_qdisc(struct around *a, const struct around_link *l, uint64_t rate_bps,
			  unsigned share)
{
	char place[32], is[REPORT_TEXT], wanted[REPORT_TEXT], part[48] = "", below[64] = "";
	const struct around_tc *q;
	uint64_t least;

	if (l == a->self && a->backend != POLICY_BACKEND_QUEUE)
		return;
	if (around_tc_classes(&a->tcs, l->index))
		return;
	if (l == a->self && around_tc_own(&a->tcs, l->index)) {
		found(a, POLICY_AROUND_N,
		      "%s still has classes of weir's in the kernel, of \"weir tc apply\" or "
		      "of "
		      "a gateway that was killed: packets are shaped twice; \"weir tc remove "
		      "POLICY\" takes them away",
		      a->interface);
		return;
	}
	q = around_tc_slowest(&a->tcs, l->index, rate_bps / share / 8, &least);
	if (!q)
		return;
	least = least > UINT64_MAX / 8 ? UINT64_MAX : least * 8;
	report_rate(least, is);
	report_rate(rate_bps, wanted);
	if (!strcmp(is, wanted)) { /* to three digits they are the same */
		snprintf(is, sizeof(is), "%" PRIu64 "bit", least);
		snprintf(wanted, sizeof(wanted), "%" PRIu64 "bit", rate_bps);
	}
	if (share > 1)
		snprintf(part, sizeof(part), "its share of 1/%u of ", share);
	if (l != a->self)
		snprintf(below, sizeof(below), ", by which %s goes out,", a->interface);
	found(a, POLICY_AROUND_QDISC,
	      "the qdisc %s (%s) on %s%s lets through only %s, less than %sthe link's %s: its "
	      "queue is the one that fills, without classes; remove it (tc qdisc del dev %s "
	      "%s) or make the link's rate smaller",
	      q->kind, place_of(q, place, sizeof(place)), l->name, below, is, part, wanted,
	      l->name, place);
}

static void look_below(struct around *a, const struct around_link *l, uint64_t rate_bps,
		       unsigned share, unsigned depth);

/* A bond (or team) sends by its members that are not spare, all together. */
static void look_at_members(struct around *a, const struct around_link *l, uint64_t rate_bps,
			    unsigned share, unsigned depth)
{
	unsigned n = 0;

	for (size_t i = 0; i < a->links.n; i++)
		n += a->links.v[i].master == l->index && !a->links.v[i].spare;
	for (size_t i = 0; i < a->links.n; i++)
		if (a->links.v[i].master == l->index && !a->links.v[i].spare)
			look_below(a, &a->links.v[i], rate_bps, share * n, depth + 1);
}

/* Which session is whose is nowhere to be read: all devices that have any. */
static void look_at_pppoe(struct around *a, uint64_t rate_bps, unsigned share, unsigned depth)
{
	char line[128], name[IFNAMSIZ], last[IFNAMSIZ] = "";
	const struct around_link *l;
	FILE *f = fopen("/proc/net/pppoe", "re");

	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		if (!around_pppoe_line(line, name) || !strcmp(name, last))
			continue;
		memcpy(last, name, sizeof(last));
		l = around_link_named(&a->links, name);
		if (l && !l->ppp)
			look_below(a, l, rate_bps, share, depth + 1);
	}
	fclose(f);
}

/* A device's qdiscs, and those of what it goes out by. */
static void look_below(struct around *a, const struct around_link *l, uint64_t rate_bps,
		       unsigned share, unsigned depth)
{
	const struct around_link *below = around_link_of(&a->links, l->below);
	bool *seen = &a->seen[l - a->links.v];

	if (*seen || depth > BELOW_MAX)
		return;
	*seen = true;
	look_at_qdisc(a, l, rate_bps, share);
	if (!strcmp(l->kind, "bond") || !strcmp(l->kind, "team"))
		look_at_members(a, l, rate_bps, share, depth);
	else if (l->ppp)
		look_at_pppoe(a, rate_bps, share, depth);
	else if (below)
		look_below(a, below, rate_bps, share, depth + 1);
}

static void look(struct around *a, uint64_t rate_bps)
{
	a->self = around_link_named(&a->links, a->interface);
	if (!a->self) {
		found(a, POLICY_AROUND_N,
		      "there is no interface %s: the link waits until there is one",
		      a->interface);
		return;
	}
	if (!a->self->up)
		found(a, POLICY_AROUND_N, "interface %s is down: ip link set %s up",
		      a->interface, a->interface);
	if (a->backend != POLICY_BACKEND_KERNEL)
		look_at_bridge(a);
	look_at_flowtables(a);
	look_at_xdp(a);
	/* a kernel without qdiscs has none */
	if (around_tc_get(&a->tcs))
		return;
	if (a->backend != POLICY_BACKEND_KERNEL)
		look_at_redirects(a);
	look_below(a, a->self, rate_bps, 1, 0);
	around_tc_free(&a->tcs);
}

int around_look(const char *interface, uint64_t rate_bps, enum policy_backend backend,
		void (*fn)(void *arg, enum policy_around what, const char *text), void *arg)
{
	struct around a = {.interface = interface,
			   .backend = backend,
			   .past = backend == POLICY_BACKEND_KERNEL
					   ? "go round the kernel's traffic control"
					   : "never pass netfilter and go round the queue",
			   .fn = fn,
			   .arg = arg};

	if (around_links_get(&a.links))
		return -1;
	a.seen = calloc(a.links.n + 1, sizeof(*a.seen));
	if (a.seen)
		look(&a, rate_bps);
	else
		a.n = -1;
	free(a.seen);
	around_links_free(&a.links);
	return a.n;
}
