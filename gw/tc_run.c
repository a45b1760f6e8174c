/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Changes to the kernel, many messages to a system call, and back again. */
#include "gw/tc_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gw/fail.h"
#include "gw/tc_message.h"
#include "gw/tc_nl.h"
#include "gw/tc_raw.h"

struct run {
	struct tc_nl *nl;
	uint32_t ifindex;
	struct tc_changes *c;
	bool undo;

	uint8_t *buf; /* TC_NL_BATCH_BYTES */
	size_t size;
	struct tc_change *of[TC_NL_BATCH]; /* what each message of the buffer is for */
	struct tc_ack ack[TC_NL_BATCH];
	size_t n;

	int error; /* the first that counts */
	char *err;
	size_t errsize;
};

static int no_memory(struct run *r)
{
	r->error = ENOMEM;
	return fail_with(r->err, r->errsize, "no memory");
}

/* There is no such request, as where a size table's entries are not known; or no memory. */
static int cannot(struct run *r, const struct tc_object *o)
{
	char text[256];

	r->error = EINVAL;
	return fail_with(r->err, r->errsize, "the kernel cannot be asked for %s",
			 tc_object_text(o, text, sizeof(text)));
}

static const char *op_text(const struct run *r, const struct tc_change *c)
{
	if (c->op == TC_CHANGE)
		return "changing";
	return (c->op == TC_ADD) != r->undo ? "adding" : "deleting";
}

/*
 * What may be answered when something is taken back: that it is so already. One message may
 * have stood for a whole tree, and a device that has vanished has taken all with it.
 */
static bool is_so(const struct run *r, const struct tc_change *c, int error)
{
	if (!r->undo)
		return false;
	return error == ENODEV || (c->op == TC_ADD ? error == ENOENT : error == EEXIST);
}

static void judge(struct run *r, const char *words)
{
	for (size_t i = 0; i < r->n; i++) {
		struct tc_change *c = r->of[i];
		char text[256];

		/* an answer that did not come: it may be done, and is taken back as if it were
		 */
		if (!r->undo && (!r->ack[i].came || !r->ack[i].error))
			c->done = true;
		if (!r->ack[i].error || is_so(r, c, r->ack[i].error) || r->error)
			continue;
		r->error = r->ack[i].error;
		fail_with(r->err, r->errsize, "%s %s: %s", op_text(r, c),
			  tc_object_text(c->o, text, sizeof(text)), words);
	}
}

/* Sends what has gathered. 0, or -1: something of it was refused. */
static int flush(struct run *r)
{
	char words[256] = "";
	int status;

	if (!r->n)
		return 0;
	status = tc_nl_batch(r->nl, r->buf, r->size, r->ack, r->n, words, sizeof(words), r->err,
			     r->errsize);
	if (status && !r->error)
		r->error = EIO;
	judge(r, words);
	r->n = 0;
	r->size = 0;
	return status || r->error ? -1 : 0;
}

/* Takes over m. */
static int push(struct run *r, struct tc_change *c, struct nl_msg *m)
{
	struct nlmsghdr *h = nlmsg_hdr(m);
	size_t size = NLMSG_ALIGN(h->nlmsg_len);
	int status = 0;

	if (size > TC_NL_BATCH_BYTES) {
		nlmsg_free(m);
		r->error = EMSGSIZE;
		return fail_with(r->err, r->errsize, "a message of %zu bytes", size);
	}
	if (r->n == TC_NL_BATCH || r->size + size > TC_NL_BATCH_BYTES)
		status = flush(r);
	if (!status || r->undo) {
		memset(r->buf + r->size + size - NLMSG_ALIGNTO, 0, NLMSG_ALIGNTO);
		memcpy(r->buf + r->size, h, h->nlmsg_len);
		r->size += size;
		r->of[r->n++] = c;
	}
	nlmsg_free(m);
	return status;
}

/*
 * What the kernel told of it, asked for again. What comes by itself is never "done", so that
 * nobody tries to take it back.
 */
static int push_raw(struct run *r, struct tc_change *c, const struct tc_object *o)
{
	struct nl_msg **m = calloc(tc_raw_most(o) + 1, sizeof(*m));
	int n = m ? tc_raw_requests(o, r->ifindex, m) : -1;
	int status = 0;

	if (n < 0)
		status = no_memory(r);
	for (int i = 0; i < n; i++) {
		if (!status)
			status = push(r, c, m[i]);
		else
			nlmsg_free(m[i]);
	}
	free(m);
	return status;
}

static int push_add(struct run *r, struct tc_change *c, const struct tc_object *o)
{
	struct nl_msg *m;

	/* all is in what the kernel told, but for the entries of a size table */
	if (o->raw && !(o->kind == TC_QDISC && o->type == TC_HTB && o->htb_qdisc.stab.size))
		return push_raw(r, c, o);
	m = tc_encode(TC_ADD, o, NULL, r->ifindex);
	return m ? push(r, c, m) : cannot(r, o);
}

static int push_delete(struct run *r, struct tc_change *c, const struct tc_object *o)
{
	struct nl_msg *m = o->raw ? tc_raw_delete(o, r->ifindex)
				  : tc_encode(TC_DELETE, o, NULL, r->ifindex);

	return m ? push(r, c, m) : cannot(r, o);
}

static int push_change(struct run *r, struct tc_change *c)
{
	const struct tc_object *to = r->undo ? c->was : c->o;
	struct nl_msg *m = tc_encode(TC_CHANGE, to, r->undo ? c->o : c->was, r->ifindex);

	return m ? push(r, c, m) : cannot(r, to);
}

static int begin(struct run *r)
{
	r->buf = malloc(TC_NL_BATCH_BYTES);
	return r->buf ? 0 : no_memory(r);
}

int tc_run(struct tc_nl *nl, uint32_t ifindex, struct tc_changes *c, int *error, char *err,
	   size_t errsize)
{
	struct run r = {.nl = nl, .ifindex = ifindex, .c = c, .err = err, .errsize = errsize};
	int status = begin(&r);

	for (size_t i = 0; i < c->n && !status; i++) {
		struct tc_change *x = &c->v[i];

		if (x->op == TC_ADD)
			status = push_add(&r, x, x->o);
		else if (x->op == TC_CHANGE)
			status = push_change(&r, x);
		else if (!x->implied)
			status = push_delete(&r, x, x->o);
	}
	if (!status)
		status = flush(&r);
	free(r.buf);
	/* what goes with another goes when that goes */
	for (size_t i = c->n; i-- > 0;)
		if (c->v[i].implied)
			c->v[i].done = i + 1 < c->n && c->v[i + 1].done;
	*error = r.error;
	return status ? -1 : 0;
}

int tc_undo(struct tc_nl *nl, uint32_t ifindex, struct tc_changes *c, char *err, size_t errsize)
{
	struct run r = {.nl = nl,
			.ifindex = ifindex,
			.c = c,
			.undo = true,
			.err = err,
			.errsize = errsize};
	int status = begin(&r);

	/* to the end, whatever is refused: the most that can be had */
	for (size_t i = c->n; i-- > 0 && r.buf;) {
		struct tc_change *x = &c->v[i];

		if (!x->done)
			continue;
		if (x->op == TC_ADD)
			status |= push_delete(&r, x, x->o);
		else if (x->op == TC_CHANGE)
			status |= push_change(&r, x);
		else
			status |= push_add(&r, x, x->o);
	}
	if (r.buf)
		status |= flush(&r);
	free(r.buf);
	return status || r.error ? -1 : 0;
}
