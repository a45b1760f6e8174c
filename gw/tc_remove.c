/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The way back: what weir made for a link goes, what it had replaced comes. */
#include "gw/tc_apply.h"

#include <errno.h>
#include <linux/pkt_sched.h>

#include "gw/fail.h"
#include "gw/tc_ingress.h"
#include "gw/tc_nl.h"
#include "gw/tc_side.h"

static int remove_side(struct tc_nl *nl, const struct tc_link *l, uint32_t top, bool ifb,
		       char *err, size_t errsize)
{
	struct tc_side s = {.link = *l, .top = top, .ifb = ifb};
	int status = tc_side_read(nl, &s, err, errsize);

	if (!status)
		status = tc_side_remove(nl, &s, err, errsize);
	tc_side_forget(&s);
	return status;
}

/*
 * l NULL: the interface is no more; its ifb may be there yet. `leftover`: the policy asks for
 * no ifb there, so that one of somebody else's may have its name.
 */
static int remove_ingress(struct tc_nl *nl, const char *interface, const struct tc_link *l,
			  bool leftover, char *err, size_t errsize)
{
	char words[256];
	struct tc_link ifb;
	int found = tc_ingress_find(nl, interface, &ifb, err, errsize), done = 0;

	if (found < 0 && !leftover)
		return -1;
	found = found > 0;
	if (l)
		done = remove_side(nl, l, TC_H_INGRESS, found, err, errsize);
	if (done < 0 || !found)
		return done;
	/* with what is on it */
	if (tc_link_delete(nl, ifb.ifindex, words, sizeof(words)))
		return fail_with(err, errsize, "deleting %s: %s", ifb.name, words);
	return 1;
}

/* 1: by its name, or by the number if there is one; 0: it is no more; -1 with err. */
static int find(struct tc_nl *nl, const char *interface, uint32_t ifindex, struct tc_link *l,
		char *err, size_t errsize)
{
	int error = 0;

	if (ifindex)
		return tc_link_at(nl, ifindex, l, err, errsize);
	if (!tc_link_find(nl, interface, l, &error, err, errsize))
		return 1;
	return error == ENODEV ? 0 : -1;
}

static int remove_way(struct tc_nl *nl, const struct policy_link *l, enum policy_direction way,
		      uint32_t ifindex, char *err, size_t errsize)
{
	struct tc_link link;
	int found = find(nl, l->interface, ifindex, &link, err, errsize);

	if (found < 0)
		return -1;
	if (way == POLICY_INGRESS)
		return remove_ingress(nl, l->interface, found ? &link : NULL,
				      way != l->direction, err, errsize);
	return found ? remove_side(nl, &link, TC_H_ROOT, false, err, errsize) : 0;
}

static int remove_link(const struct policy_link *l, enum policy_direction way, uint32_t ifindex,
		       char *err, size_t errsize)
{
	struct tc_nl *nl;
	int status;

	if (!l->interface)
		return fail_with(err, errsize, "link \"%s\" has no interface", l->name);
	nl = tc_nl_open(err, errsize);
	if (!nl)
		return -1;
	status = remove_way(nl, l, way, ifindex, err, errsize);
	tc_nl_close(nl);
	return status;
}

int tc_remove(const struct policy_link *l, char *err, size_t errsize)
{
	return remove_link(l, l->direction, 0, err, errsize);
}

int tc_remove_at(const struct policy_link *l, uint32_t ifindex, char *err, size_t errsize)
{
	return remove_link(l, l->direction, ifindex, err, errsize);
}

int tc_remove_other(const struct policy_link *l, char *err, size_t errsize)
{
	return remove_link(l, policy_opposite(l->direction), 0, err, errsize);
}

static int look_there(struct tc_nl *nl, const char *interface, enum policy_direction way,
		      char *err, size_t errsize)
{
	bool in = way == POLICY_INGRESS;
	struct tc_side s = {.top = in ? TC_H_INGRESS : TC_H_ROOT};
	struct tc_link ifb;
	int status;

	/* of a name that is somebody else's: none of weir's */
	s.ifb = in && tc_ingress_find(nl, interface, &ifb, err, errsize) > 0;
	if (s.ifb)
		return 1;
	if (tc_link_find(nl, interface, &s.link, NULL, err, errsize) ||
	    tc_side_read(nl, &s, err, errsize))
		return -1;
	status = tc_side_owner(&s) == TC_WEIR;
	tc_side_forget(&s);
	return status;
}

int tc_there(const char *interface, enum policy_direction way, char *err, size_t errsize)
{
	struct tc_nl *nl = tc_nl_open(err, errsize);
	int status = nl ? look_there(nl, interface, way, err, errsize) : -1;

	tc_nl_close(nl);
	return status;
}

int tc_other_there(const struct policy_link *l, char *err, size_t errsize)
{
	return tc_there(l->interface, policy_opposite(l->direction), err, errsize);
}
