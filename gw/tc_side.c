/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/tc_side.h"

#include <errno.h>
#include <linux/pkt_sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gw/fail.h"
#include "gw/tc_ingress.h"
#include "gw/tc_plan.h"
#include "gw/tc_rebuild.h"
#include "gw/tc_tree.h"

#define TEXT 512
#define PAUSE_FIRST 1000000L /* ns; twice as long each time */
#define PAUSE_LAST 600000000L

/* Its size table may have to be put back, and the kernel does not tell the entries. */
static int complete_root(struct tc_state *s, uint32_t header)
{
	for (size_t i = 0; i < s->list.n; i++) {
		struct tc_object *o = &s->list.v[i];

		if (o->kind == TC_QDISC && o->parent == TC_H_ROOT && o->htb_qdisc.has_stab)
			return tc_stab_again(&o->htb_qdisc.stab, header);
	}
	return 0;
}

int tc_side_read(struct tc_nl *nl, struct tc_side *s, char *err, size_t errsize)
{
	struct tc_state now;

	if (tc_state_read(nl, s->link.ifindex, &now, err, errsize))
		return -1;
	if (now.ours && complete_root(&now, s->header)) {
		tc_state_free(&now);
		return fail_with(err, errsize, "no memory");
	}
	/* what was done is told in terms of what was read before */
	tc_changes_free(&s->done);
	tc_state_free(&s->state);
	s->state = now;
	s->ran = s->saved = false;
	return 0;
}

void tc_side_forget(struct tc_side *s)
{
	tc_changes_free(&s->done);
	tc_state_free(&s->state);
	s->state = (struct tc_state){.ifindex = s->link.ifindex, .unattended = true};
	s->ran = s->saved = false;
}

static const struct tc_object *top_of(const struct tc_state *s, uint32_t top)
{
	for (size_t i = 0; i < s->list.n; i++)
		if (s->list.v[i].kind == TC_QDISC && s->list.v[i].parent == top)
			return &s->list.v[i];
	return NULL;
}

enum tc_owner tc_side_owner(const struct tc_side *s)
{
	if (s->top == TC_H_ROOT)
		return s->state.unattended ? TC_NOBODY : s->state.ours ? TC_WEIR : TC_SOMEBODY;
	if (!s->state.ingress)
		return TC_NOBODY;
	return tc_ingress_ours(&s->state, s->ifb) ? TC_WEIR : TC_SOMEBODY;
}

int tc_side_refuse(const struct tc_side *s, bool replace, char *err, size_t errsize)
{
	const struct tc_object *o = top_of(&s->state, s->top);
	char text[TEXT];

	if (replace || !o || tc_side_owner(s) != TC_SOMEBODY)
		return 0;
	return fail_with(
		err, errsize,
		"%s: there is a qdisc that weir did not make (%s); \"weir tc "
		"apply --replace\" would put it aside, and \"weir tc remove\" put it back",
		s->link.name, tc_object_text(o, text, sizeof(text)));
}

/* What the device was given by others is tried elsewhere, and written down. */
static int remember(struct tc_side *s, char *err, size_t errsize)
{
	enum tc_owner owner = tc_side_owner(s);
	struct tc_saved f;
	char why[TEXT];

	/* weir's own may have been deleted by hand: what is written down is owed until remove
	 */
	if (owner != TC_SOMEBODY)
		return 0;
	if (tc_saved_find(&f, &s->link, s->top, err, errsize))
		return -1;
	if (tc_rebuild_try(&s->link, &s->state, s->top, why, sizeof(why)))
		return fail_with(err, errsize,
				 "%s: what is there could not be put back, and is not "
				 "replaced: %s",
				 s->link.name, why);
	if (tc_saved_write(&f, &s->state, err, errsize))
		return -1;
	s->saved = true;
	return 0;
}

static void forget_saved(struct tc_side *s)
{
	struct tc_saved f;
	char ignored[TEXT];

	if (s->saved && !tc_saved_find(&f, &s->link, s->top, ignored, sizeof(ignored)))
		tc_saved_drop(&f);
	s->saved = false;
}

/* What was wanted is there. */
static int verify(struct tc_nl *nl, const struct tc_side *s, char *err, size_t errsize)
{
	struct tc_state now;
	struct tc_changes c;
	char text[TEXT];
	int status = 0;

	if (tc_state_read(nl, s->link.ifindex, &now, err, errsize))
		return -1;
	if (tc_diff(s->want, &now, &c))
		status = fail_with(err, errsize, "no memory");
	else if (c.n)
		status = fail_with(err, errsize,
				   "%s: the kernel did not keep what it was told (%s)",
				   s->link.name, tc_object_text(c.v[0].o, text, sizeof(text)));
	tc_changes_free(&c);
	tc_state_free(&now);
	return status;
}

/* The device may have gone away meanwhile: there is nothing to take back then. */
static bool vanished(struct tc_nl *nl, const struct tc_side *s)
{
	struct tc_link l;
	char ignored[TEXT];
	int error;

	if (tc_link_find(nl, s->link.name, &l, &error, ignored, sizeof(ignored)))
		return error == ENODEV;
	return l.ifindex != s->link.ifindex;
}

/* All that a device has at the point goes with its qdisc. */
static int delete_all(struct tc_nl *nl, const struct tc_state *now, uint32_t top, char *err,
		      size_t errsize)
{
	struct tc_change change = {.op = TC_DELETE, .o = top_of(now, top)};
	struct tc_changes c = {.v = &change, .n = 1};
	int error;

	return tc_run(nl, now->ifindex, &c, &error, err, errsize);
}

/*
 * What somebody had there is made again. An action has a number, which the kernel gives back a
 * while after the filter that had it is gone (RCU): until then, what is made with that number
 * is the old one. So it is tried again for some seconds.
 */
static int restore(struct tc_nl *nl, const struct tc_side *s, const struct tc_state *was,
		   char *err, size_t errsize)
{
	struct timespec pause = {.tv_nsec = PAUSE_FIRST};

	while (tc_rebuild(nl, s->link.ifindex, was, s->top, err, errsize)) {
		if (pause.tv_nsec > PAUSE_LAST)
			return -1;
		nanosleep(&pause, NULL);
		pause.tv_nsec *= 2;
	}
	return 0;
}

/* Whatever there is by now. */
static int put_back(struct tc_nl *nl, struct tc_side *s, char *err, size_t errsize)
{
	const struct tc_object *o;
	struct tc_state now;
	int status = 0;

	if (tc_state_read(nl, s->link.ifindex, &now, err, errsize))
		return -1;
	o = top_of(&now, s->top);
	if (o && o->handle)
		status = delete_all(nl, &now, s->top, err, errsize);
	tc_state_free(&now);
	return status ? status : restore(nl, s, &s->state, err, errsize);
}

static int insist_as_before(struct tc_nl *nl, const struct tc_side *s, char *err,
			    size_t errsize)
{
	const struct tc_object *o;
	struct tc_state now;
	char text[TEXT];

	if (tc_state_read(nl, s->link.ifindex, &now, err, errsize))
		return -1;
	o = tc_differing(&s->state, &now, s->top);
	if (o)
		fail_with(err, errsize, "%s is not as it was",
			  tc_object_text(o, text, sizeof(text)));
	tc_state_free(&now);
	return o ? -1 : 0;
}

int tc_side_revert(struct tc_nl *nl, struct tc_side *s, char *err, size_t errsize)
{
	int status;

	if (!s->ran)
		return 0;
	s->ran = false;
	if (vanished(nl, s)) {
		forget_saved(s);
		return 0;
	}
	if (tc_side_owner(s) == TC_SOMEBODY) {
		status = put_back(nl, s, err, errsize);
	} else {
		status = tc_undo(nl, s->link.ifindex, &s->done, err, errsize);
		/* others' actions among weir's: see restore() */
		if (s->top == TC_H_INGRESS && (status || insist_as_before(nl, s, err, errsize)))
			status = put_back(nl, s, err, errsize);
	}
	if (!status)
		status = insist_as_before(nl, s, err, errsize);
	if (!status)
		forget_saved(s);
	return status;
}

/* "why", and if it could not be taken back, why not. Always -1. */
static int give_up(struct tc_nl *nl, struct tc_side *s, const char *why, char *err,
		   size_t errsize)
{
	bool gone = vanished(nl, s);
	char more[TEXT];

	if (tc_side_revert(nl, s, more, sizeof(more)))
		return fail_with(err, errsize, "%s; and taking back what was done: %s", why,
				 more);
	if (gone)
		return fail_with(err, errsize, "the interface %s vanished meanwhile (%s)",
				 s->link.name, why);
	return fail_with(err, errsize, "%s", why);
}

int tc_side_run(struct tc_nl *nl, struct tc_side *s, char *err, size_t errsize)
{
	char why[TEXT];
	int error;

	if (tc_diff(s->want, &s->state, &s->done))
		return fail_with(err, errsize, "no memory");
	if (!s->done.n)
		return 0;
	if (remember(s, err, errsize))
		return -1;
	s->ran = true;
	if (tc_run(nl, s->link.ifindex, &s->done, &error, why, sizeof(why)) ||
	    verify(nl, s, why, sizeof(why)))
		return give_up(nl, s, why, err, errsize);
	return (int)s->done.n;
}

int tc_side_remove(struct tc_nl *nl, struct tc_side *s, char *err, size_t errsize)
{
	enum tc_owner owner = tc_side_owner(s);
	struct tc_state saved;
	struct tc_saved f;
	char why[TEXT];
	int found;

	if (owner == TC_SOMEBODY)
		return 0;
	if (tc_saved_find(&f, &s->link, s->top, err, errsize))
		return -1;
	found = tc_saved_read(&f, &saved, err, errsize);
	if (found < 0)
		return -1;
	if (owner == TC_WEIR && delete_all(nl, &s->state, s->top, err, errsize)) {
		tc_state_free(&saved);
		return -1;
	}
	if (found && restore(nl, s, &saved, why, sizeof(why))) {
		fail_with(err, errsize,
			  "%s: weir's qdisc is gone, and what it had replaced could not be put "
			  "back (it stands in %s): %s",
			  s->link.name, f.path, why);
		tc_state_free(&saved);
		return -1;
	}
	tc_saved_drop(&f);
	tc_state_free(&saved);
	return owner == TC_WEIR || found;
}
