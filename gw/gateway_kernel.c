/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Links whose packets the kernel schedules (`backend: kernel`, `backend: mark`): HTB on their
 * device, and for the first of the two, where somebody translates addresses, a table that
 * classifies before that.
 *
 * What an earlier gateway left when it was killed, or `weir tc apply` made, is taken over:
 * only what differs is changed. When a start fails, what it changed is taken back, and what
 * was right before stays.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gw/gateway_priv.h"
#include "gw/tc_applied.h"

bool gateway_has_queue(const struct policy_link *l)
{
	return l->backend != POLICY_BACKEND_KERNEL;
}

bool gateway_in_kernel(const struct policy_link *l)
{
	return l->backend != POLICY_BACKEND_QUEUE;
}

/* Whether a table may classify its packets: what comes in has none. */
static bool has_table(const struct policy_link *l)
{
	return l->backend == POLICY_BACKEND_KERNEL && l->direction == POLICY_EGRESS;
}

/* ---- Beside `weir tc`. */

#define LOCK_SOON 2000u /* ms, where it can be tried again */

int gkernel_locked_out(unsigned ms, char *err, size_t errsize)
{
	if (errno != EWOULDBLOCK)
		return fail_with(err, errsize, "waiting for another weir: %s", strerror(errno));
	return fail_with(err, errsize,
			 "another weir changes traffic control (\"weir tc\", or a gateway that "
			 "starts or stops), and has not ended in %u s",
			 ms / 1000);
}

int gkernel_lock(const struct gateway *g, unsigned ms, char *err, size_t errsize)
{
	if (g->o.tc_lock < 0 || !tc_lock_take(g->o.tc_lock, ms))
		return 0;
	return gkernel_locked_out(ms, err, errsize);
}

void gkernel_unlock(const struct gateway *g)
{
	if (g->o.tc_lock >= 0)
		tc_lock_give(g->o.tc_lock);
}

/* ---- Before anything is changed. */

static int check(const struct gateway *g, const struct policy_link *l, char *err,
		 size_t errsize)
{
	if (!g->o.can)
		return fail_with(
			err, errsize,
			"link %s: \"backend: %s\" needs to know what the kernel's traffic "
			"control has, and that could not be tried: start weir run as root, or "
			"with CAP_SYS_ADMIN, which it gives up afterwards",
			l->name, policy_backend_name(l->backend));
	if (l->backend == POLICY_BACKEND_MARK && !nfq_kernel_sets_priority(NULL))
		return fail_with(
			err, errsize,
			"link %s: \"backend: mark\" needs Linux 5.18, where a verdict can "
			"set a packet's priority; \"backend: kernel\" does without",
			l->name);
	return 0;
}

/* With backend mark, what the kernel makes of these keys is of no interest: weir sees to them.
 */
static const char *const by_weir[] = {"match", "dscp", "set-dscp", NULL};

/* What the device is to have. */
static int plan(const struct gateway *g, const struct policy *p, const struct policy_link *l,
		struct gkernel *k, struct policy_report *r, char *err, size_t errsize)
{
	struct tc_target_opts o = {.policy = p, .link = l, .can = g->o.can};
	bool impossible;

	k->target = tc_target_open(&o, r, &impossible, err, errsize);
	if (!k->target || tc_target_check(k->target, err, errsize))
		return -1;
	if (tc_plan_complain_but(tc_target_plan(k->target), p, POLICY_WARNING,
				 l->backend == POLICY_BACKEND_MARK ? by_weir : NULL, r) < 0)
		return fail_with(err, errsize, "%s", strerror(ENOMEM));
	if (l->backend != POLICY_BACKEND_KERNEL)
		return 0;
	k->translated = tc_nat_who(NULL, 0) > 0;
	return tc_nat_prepare(&k->nat, p, tc_target_plan(k->target), false, r, err, errsize);
}

int gkernel_prepare(const struct gateway *g, const struct policy *p,
		    const struct policy_link *l, const struct ifwatch_state *iface,
		    struct gkernel *k, struct policy_report *r, char *err, size_t errsize)
{
	char text[400] = "";

	*k = (struct gkernel){.index = iface->index, .mtu = iface->mtu};
	if (!gateway_in_kernel(l))
		return 0;
	if (check(g, l, err, errsize))
		return -1;
	if (l->backend == POLICY_BACKEND_MARK) {
		k->none = calloc(l->n_all, sizeof(*k->none));
		if (!k->none)
			return fail_with(err, errsize, "link %s: %s", l->name,
					 strerror(ENOMEM));
	}
	if (!iface->there || !plan(g, p, l, k, r, text, sizeof(text)))
		return 0;
	if (text[0])
		fail_with(err, errsize, "link %s: %s", l->name, text);
	gkernel_forget(k);
	return -1;
}

const uint32_t *gkernel_classids(const struct policy_link *l, const struct gkernel *k)
{
	if (l->backend != POLICY_BACKEND_MARK)
		return NULL;
	return k->target ? tc_target_plan(k->target)->classid : k->none;
}

void gkernel_forget(struct gkernel *k)
{
	tc_nat_job_free(&k->nat);
	if (k->target)
		tc_target_close(k->target);
	free(k->none);
	free(k->trouble);
	*k = (struct gkernel){0};
}

/* ---- Changing it. */

/*
 * Rules go while packets may be held: the base chain must not, as that would drop them
 * (tc_nat.h).
 */
static int empty_table(struct gateway *g, const char *interface, char *err, size_t errsize)
{
	int changed;
	char **v;

	assert(interface); /* gateway_check() sees to that */
	changed = tc_nat_empty(interface, err, errsize);
	if (changed <= 0)
		return changed;
	v = realloc(g->emptied, (g->n_emptied + 1) * sizeof(*v));
	if (!v)
		return 0; /* an empty table more that stays */
	g->emptied = v;
	v[g->n_emptied] = strdup(interface);
	g->n_emptied += v[g->n_emptied] != NULL;
	return 0;
}

static int set_table(struct gateway *g, const struct policy_link *l, struct gkernel *k,
		     char *err, size_t errsize)
{
	int what = tc_nat_differs(&k->nat);

	if (what < 0)
		return fail_with(err, errsize, "nftables: %s", strerror(errno));
	if (what == '-')
		return empty_table(g, l->interface, err, errsize);
	if (what == '=')
		return 0;
	k->nat_made = what == '+';
	return tc_nat_commit(&k->nat, 1, err, errsize) < 0 ? -1 : 0;
}

int gkernel_apply(struct gateway *g, const struct policy_link *l, struct gkernel *k, char *err,
		  size_t errsize)
{
	char text[400] = "", more[200];

	if (!k->target)
		return 0;
	if (tc_target_apply(k->target, text, sizeof(text)) < 0)
		return fail_with(err, errsize, "link %s: %s", l->name, text);
	if (has_table(l) && set_table(g, l, k, text, sizeof(text))) {
		if (tc_target_revert(k->target, more, sizeof(more)))
			gateway_say(g, 3, "link %s: %s", l->name, more);
		return fail_with(err, errsize, "link %s: %s", l->name, text);
	}
	k->applied = true;
	return 0;
}

void gkernel_revert(struct gateway *g, const struct policy_link *l, struct gkernel *k,
		    const struct gkernel *before)
{
	int failed = 0;
	char err[300];

	if (!k->applied)
		return;
	k->applied = false;
	if (tc_target_revert(k->target, err, sizeof(err)))
		gateway_say(g, 3, "link %s: %s", l->name, err);
	if (has_table(l) && before && before->applied && before->nat.wanted)
		failed = tc_nat_commit(&before->nat, 1, err, sizeof(err)) < 0;
	else if (has_table(l) && k->nat_made)
		failed = empty_table(g, l->interface, err, sizeof(err));
	if (failed)
		gateway_say(g, 3, "link %s: %s", l->name, err);
}

void gkernel_silence(struct gateway *g, const struct policy_link *l)
{
	char err[300];

	if (l->backend == POLICY_BACKEND_MARK && empty_table(g, l->interface, err, sizeof(err)))
		gateway_say(g, 3, "link %s: %s", l->name, err);
}

uint64_t gkernel_waiting(const struct gkernel *k)
{
	const struct policy_link *l;
	uint64_t n = 0;
	char err[200];

	if (!k->target || tc_target_read(k->target, err, sizeof(err)))
		return 0;
	l = tc_target_plan(k->target)->link;
	for (size_t i = 0; i < l->n_all; i++)
		if (!l->all[i]->n_child)
			n += tc_target_counters(k->target, l->all[i]).backlog_packets;
	return n;
}

/* From where it was made, whatever that is called by now; or by the link's name. */
static void remove_classes(struct gateway *g, const struct policy_link *l,
			   const struct gkernel *k)
{
	uint64_t waiting = k->applied ? gkernel_waiting(k) : 0;
	char err[300], more[300];
	int gone = tc_remove_at(l, k->applied ? k->index : 0, err, sizeof(err));

	if (gone < 0)
		gateway_say(g, 3, "link %s: %s", l->name, err);
	/* "weir tc apply" may have made them before; as another user, this one may not say so
	 */
	if (gone >= 0 && !geteuid())
		(void)tc_applied_forget(l->interface, l->direction, more, sizeof(more));
	if (gone > 0 && waiting)
		gateway_say(
			g, 4,
			"link %s: %llu packets that waited in the kernel's queues were dropped "
			"with them",
			l->name, (unsigned long long)waiting);
}

void gkernel_leave(struct gateway *g, const struct policy_link *l, struct gkernel *k)
{
	char err[300];
	int locked;

	if (!k->applied)
		return;
	locked = gkernel_lock(g, LOCK_SOON, err, sizeof(err));
	remove_classes(g, l, k);
	k->applied = false;
	if (!locked)
		gkernel_unlock(g);
}

void gkernel_remove(struct gateway *g, const struct policy_link *l, const struct gkernel *k)
{
	char err[300];

	remove_classes(g, l, k);
	if (has_table(l) && empty_table(g, l->interface, err, sizeof(err)))
		gateway_say(g, 3, "link %s: %s", l->name, err);
}

void gkernel_remove_tables(struct gateway *g)
{
	char err[300];

	for (size_t i = 0; i < g->n_emptied; i++) {
		/* one that has rules again is not ours any more */
		if (tc_nat_state(NULL, g->emptied[i]) == TC_NAT_NONE &&
		    tc_nat_remove(g->emptied[i], err, sizeof(err)) < 0)
			gateway_say(g, 3, "%s", err);
		free(g->emptied[i]);
	}
	free(g->emptied);
	g->emptied = NULL;
	g->n_emptied = 0;
}

/* ---- While it runs. */

static void set_classids(struct worker *w, void *arg)
{
	worker_set_classid(w, *(const uint32_t *const *)arg);
}

/* What the link's warnings say from now on; they know which link it is. */
static void trouble(struct glink *l, const char *text)
{
	size_t n = strlen(l->link->name);

	if (!strncmp(text, "link ", 5) && !strncmp(text + 5, l->link->name, n) &&
	    !strncmp(text + 5 + n, ": ", 2))
		text += 5 + n + 2;
	free(l->tc.trouble);
	l->tc.trouble = strdup(text);
}

/* With what is the same already, nothing changes but what weir knows of the interface. */
void gkernel_come(struct gateway *g, struct glink *l)
{
	/* what it had to say of the policy, it has said when it was planned first */
	struct gateway_complaint c = {.g = l->tc.target || l->tc.trouble ? NULL : g};
	struct policy_report r = {.fn = gateway_keep_complaint, .arg = &c};
	struct gkernel next;
	const uint32_t *classids;
	char err[512] = "";
	int failed;

	if (!gateway_in_kernel(l->link) || !l->iface.there ||
	    (l->tc.applied && l->tc.index == l->iface.index && l->tc.mtu == l->iface.mtu))
		return;
	l->tc.applied = false;
	if (gkernel_lock(g, LOCK_SOON, err, sizeof(err))) {
		trouble(l, err);
		return;
	}
	failed = gkernel_prepare(g, g->policy, l->link, &l->iface, &next, &r, err, sizeof(err));
	if (!failed && gkernel_apply(g, l->link, &next, err, sizeof(err))) {
		failed = -1;
		gkernel_forget(&next);
	}
	gkernel_unlock(g);
	if (failed) {
		trouble(l, err[0] ? err : c.text);
		return;
	}
	classids = gkernel_classids(l->link, &next);
	if (classids)
		worker_call(l->worker, set_classids, &classids);
	gkernel_forget(&l->tc);
	l->tc = next;
	gateway_say(g, 6, "link %s: the kernel shapes %s", l->link->name,
		    tc_target_device(l->tc.target));
}

static void nobody(void *arg, const char *device, char what, const char *is, const char *want)
{
	(void)arg;
	(void)device;
	(void)what;
	(void)is;
	(void)want;
}

void gkernel_look(const struct gateway *g, const struct glink *l,
		  void (*fn)(void *arg, const char *text), void *arg)
{
	char text[700], err[300];
	int n;

	if (l->tc.trouble)
		fn(arg, l->tc.trouble);
	if (!l->tc.applied)
		return;
	n = tc_target_diff(l->tc.target, nobody, NULL, err, sizeof(err));
	if (n < 0) {
		snprintf(text, sizeof(text), "the traffic control of %s cannot be read: %s",
			 tc_target_device(l->tc.target), err);
		fn(arg, text);
	} else if (n || (has_table(l->link) && tc_nat_differs(&l->tc.nat) != '=')) {
		snprintf(text, sizeof(text),
			 "the kernel's classes on %s are not as weir made them: somebody "
			 "changed them; \"weir tc diff %s\" shows what, \"weir reload\" puts "
			 "it right",
			 tc_target_device(l->tc.target), g->o.file);
		fn(arg, text);
	}
	n = has_table(l->link) ? tc_nat_who(NULL, 0) : -1;
	if (n >= 0 && l->tc.translated != (n > 0))
		fn(arg,
		   l->tc.translated
			   ? "nobody translates addresses any more: \"weir reload\" lets the "
			     "kernel's own filters classify again"
			   : "addresses are translated now, and the kernel's filters see them "
			     "as they are afterwards: \"weir reload\" classifies before that");
}
