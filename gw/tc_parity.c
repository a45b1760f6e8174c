/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/tc_parity.h"

#include "gw/clock.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "gw/drive.h"
#include "gw/fail.h"
#include "gw/tc_stage.h"
#include "gw/tc_state.h"
#include "qos/engine.h"

#define BATCH 256u
#define PATIENCE_NS UINT64_C(20000000000) /* for the kernel to have sent a batch */
#define FILTERS_TEXT 1024u

/* A link on its device. */
struct device {
	struct tc_plan *plan;
	uint32_t ifindex;
	uint64_t sent;			   /* packets given to it */
	struct tc_stage_count all;	   /* of the whole device, as read last */
	struct tc_stage_count *now, *then; /* by policy_class.index: as read last, and before */
	struct match *alone; /* the policy's answer to a packet that has no others around it */
};

/* One packet, kept until its batch is compared. */
struct kept {
	struct tc_stage_packet p;
	struct dissected d; /* of p's bytes; of IP packets */
	uint8_t *mem;
	size_t device;
	uint64_t number;
	const struct policy_class *class; /* NULL: unshaped */
	uint32_t charged;
};

struct tc_parity {
	struct tc_parity_opts o;
	struct tc_parity_result result;
	struct capture *capture;
	struct drive_capture from;
	struct engine *engine;
	struct device *device; /* as result.link */
	int fd;
	uint32_t orphans; /* later fragments that were asked about alone */
	struct kept batch[BATCH];
	size_t n;
	char why[512]; /* that the driver was stopped */
	struct drive drive;
};

const char *tc_parity_why_name(enum tc_parity_why why)
{
	static const char *const names[] = {"filter", "fragment", "cut", "size"};

	return names[why];
}

/* ---- The kernel's counters. */

static void count(void *arg, const struct tc_stage_count *c)
{
	struct device *d = arg;
	const struct policy_class *class;

	if (c->classid == TC_ROOT_HANDLE) {
		d->all = *c;
		return;
	}
	class = tc_plan_class(d->plan, c->classid);
	if (class && !class->n_child)
		d->now[class->index] = *c;
}

/* Reads them until all that was given to the device has been counted. */
static int read_counts(struct tc_parity *t, size_t device, char *err, size_t errsize)
{
	struct device *d = &t->device[device];
	uint64_t end = clock_now() + PATIENCE_NS;

	for (;;) {
		if (tc_stage_counts(d->ifindex, count, d))
			return fail_with(err, errsize, "counters of the kernel: %s",
					 strerror(errno));
		if (d->all.packets >= d->sent)
			return 0;
		if (clock_now() > end)
			return fail_with(
				err, errsize, "link %s: the kernel sent %llu of %llu packets",
				d->plan->link->name, (unsigned long long)d->all.packets,
				(unsigned long long)d->sent);
		poll(NULL, 0, 1);
	}
}

static void remember(struct device *d)
{
	memcpy(d->then, d->now, d->plan->link->n_all * sizeof(*d->now));
}

/* ---- A batch. */

static int give(struct tc_parity *t, const struct kept *k, char *err, size_t errsize)
{
	if (tc_stage_send(t->fd, &k->p))
		return fail_with(err, errsize, "sending packet %llu: %s",
				 (unsigned long long)k->number, strerror(errno));
	t->device[k->device].sent++;
	return 0;
}

/* Whether the kernel counted for each class what the batch has for it. */
static bool agrees(const struct tc_parity *t, size_t device)
{
	const struct device *d = &t->device[device];
	const struct policy_link *l = d->plan->link;

	for (size_t i = 0; i < l->n_all; i++) {
		uint64_t packets = 0, bytes = 0;

		for (size_t k = 0; k < t->n; k++)
			if (t->batch[k].device == device && t->batch[k].class == l->all[i]) {
				packets++;
				bytes += t->batch[k].charged;
			}
		if (packets != d->now[i].packets - d->then[i].packets ||
		    bytes != d->now[i].bytes - d->then[i].bytes)
			return false;
	}
	return true;
}

/* Why: what the replay asked of a packet until it had the class. */
struct text {
	char s[FILTERS_TEXT];
	size_t used;
};

static void criterion(void *arg, const struct policy_class *c, const char *what, bool matched)
{
	struct text *x = arg;
	int n = snprintf(x->s + x->used, sizeof(x->s) - x->used, "%s%s: %s: %s",
			 x->used ? "; " : "", c->path, what, matched ? "yes" : "no");

	if (n > 0)
		x->used += (size_t)n < sizeof(x->s) - x->used ? (size_t)n
							      : sizeof(x->s) - x->used - 1;
}

/*
 * Whether the kernel did what the policy says of just the bytes that it got: a later fragment
 * without its first, zeros for what the capture has cut. Only then is a difference excused.
 */
/* Beyond its table the kernel puts sizes together from entries, each of them rounded. */
static bool beyond_table(const struct tc_plan *plan, const struct kept *k, uint64_t bytes)
{
	const struct tc_object *root = &plan->list.v[0];
	uint64_t off = bytes > k->charged ? bytes - k->charged : k->charged - bytes;

	return root->htb_qdisc.has_stab &&
	       k->p.len + TC_STAGE_HEADER >= root->htb_qdisc.stab.n && off <= k->charged / 100;
}

static enum tc_parity_why why_of(struct tc_parity *t, const struct kept *k,
				 const struct policy_class *kernel, uint64_t bytes)
{
	enum tc_parity_why why = k->d.flags & DISSECT_FRAG_LATER ? TC_PARITY_FRAGMENT
				 : k->d.caplen < k->d.len	 ? TC_PARITY_CUT
								 : TC_PARITY_FILTER;
	struct match_result res;
	struct dissected d;

	if (kernel && kernel == k->class)
		return beyond_table(t->device[k->device].plan, k, bytes) ? TC_PARITY_SIZE
									 : TC_PARITY_FILTER;
	if (why == TC_PARITY_FILTER || !kernel || dissect_ip(k->mem, k->p.len, k->p.len, &d))
		return TC_PARITY_FILTER;
	d.frag_id = t->orphans++; /* never that of a first fragment: none is asked here */
	match_packet(t->device[k->device].alone, &d, 0, &res);
	return res.class == kernel ? why : TC_PARITY_FILTER;
}

static int differs(struct tc_parity *t, const struct kept *k, const struct policy_class *kernel,
		   uint64_t bytes)
{
	struct tc_parity_result *r = &t->result;
	enum tc_parity_why why = why_of(t, k, kernel, bytes);
	struct tc_parity_difference *v;
	struct text x = {.used = 0};

	r->differ[why]++;
	if (r->n_difference == TC_PARITY_SHOWN)
		return 0;
	v = realloc(r->difference, (r->n_difference + 1) * sizeof(*v));
	if (!v)
		return -1;
	r->difference = v;
	if (k->class)
		match_explain(engine_match(t->engine), &k->d, criterion, &x);
	v += r->n_difference++;
	*v = (struct tc_parity_difference){.packet = k->number,
					   .link = r->link[k->device].link,
					   .replay = k->class,
					   .kernel = kernel,
					   .why = why,
					   .filters = strdup(x.s)};
	return v->filters ? 0 : -1;
}

/* Sends one again and looks where it goes. */
static int look_at(struct tc_parity *t, const struct kept *k, char *err, size_t errsize)
{
	struct device *d = &t->device[k->device];
	const struct policy_link *l = d->plan->link;
	const struct policy_class *found = NULL;
	uint64_t bytes = 0;

	remember(d);
	if (give(t, k, err, errsize) || read_counts(t, k->device, err, errsize))
		return -1;
	for (size_t i = 0; i < l->n_all && !found; i++) {
		if (d->now[i].packets == d->then[i].packets)
			continue;
		found = l->all[i];
		bytes = d->now[i].bytes - d->then[i].bytes;
	}
	if (found == k->class && (!found || bytes == k->charged))
		return 0;
	if (differs(t, k, found, bytes))
		return fail_with(err, errsize, "%s", strerror(ENOMEM));
	return 0;
}

static uint64_t all_differ(const struct tc_parity_result *r)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < TC_PARITY_WHYS; i++)
		n += r->differ[i];
	return n;
}

/* One by one. That counts differ and no packet does is no answer. */
static int find_differences(struct tc_parity *t, size_t device, char *err, size_t errsize)
{
	uint64_t before = all_differ(&t->result);

	for (size_t k = 0; k < t->n; k++)
		if (t->batch[k].device == device && look_at(t, &t->batch[k], err, errsize))
			return -1;
	if (all_differ(&t->result) > before)
		return 0;
	return fail_with(err, errsize,
			 "link %s: the kernel's counts are not those of the packets %llu to "
			 "%llu, but those of each of them are: something else was sent",
			 t->device[device].plan->link->name,
			 (unsigned long long)t->batch[0].number,
			 (unsigned long long)t->batch[t->n - 1].number);
}

static int compare_device(struct tc_parity *t, size_t device, char *err, size_t errsize)
{
	struct device *d = &t->device[device];

	if (read_counts(t, device, err, errsize))
		return -1;
	for (size_t i = 0; i < d->plan->link->n_all; i++) {
		struct tc_parity_class *c = &t->result.link[device].of[i];

		c->kernel_packets += d->now[i].packets - d->then[i].packets;
		c->kernel_bytes += d->now[i].bytes - d->then[i].bytes;
	}
	if (!agrees(t, device) && find_differences(t, device, err, errsize))
		return -1;
	remember(d);
	return 0;
}

static void forget(struct tc_parity *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->batch[i].mem);
	t->n = 0;
}

static int run_batch(struct tc_parity *t, char *err, size_t errsize)
{
	int failed = 0;

	for (size_t i = 0; i < t->n && !failed; i++)
		failed = give(t, &t->batch[i], err, errsize);
	t->result.sent += t->n;
	for (size_t i = 0; i < t->result.n_link && !failed; i++)
		failed = compare_device(t, i, err, errsize);
	forget(t);
	return failed;
}

/* ---- Packets of the capture. */

static void class_of(struct tc_parity *t, const struct ahead_packet *p, struct kept *k)
{
	struct tc_parity_class *c = &t->result.link[k->device].of[k->class->index];

	c->replay_packets++;
	c->replay_bytes += k->charged;
	k->d = p->d;
	k->d.ip = k->mem;
}

static size_t device_of(const struct tc_parity *t, const struct policy_link *l)
{
	size_t i = 0;

	while (t->result.link[i].link != l)
		i++;
	return i;
}

/* What is not IP, where its ethertype is known: it must go unshaped. */
static bool keep_other(struct tc_parity *t, const struct ahead_packet *p, struct kept *k)
{
	const uint8_t *f = p->pk.data;

	if (p->pk.dlt != DLT_EN10MB || p->pk.caplen < 16 ||
	    (!t->o.link && t->result.n_link > 1))
		return false;
	k->p.protocol = (uint16_t)(f[12] << 8 | f[13]);
	if (k->p.protocol != ETH_P_ARP)
		return false;
	k->p.len = p->pk.caplen - 14;
	k->mem = malloc(k->p.len);
	if (k->mem)
		memcpy(k->mem, f + 14, k->p.len);
	t->result.link[0].unshaped.replay_packets++;
	return true;
}

static void keep_ip(struct tc_parity *t, const struct ahead_packet *p,
		    const struct engine_ticket *ticket, struct kept *k)
{
	k->class = ticket->class;
	k->charged = ticket->len;
	k->device = device_of(t, ticket->link);
	k->p.protocol = p->d.flags & DISSECT_V6 ? ETH_P_IPV6 : ETH_P_IP;
	k->p.len = p->d.len < TC_STAGE_MTU ? p->d.len : TC_STAGE_MTU;
	k->mem = calloc(1, k->p.len);
	if (k->mem)
		memcpy(k->mem, p->d.ip, p->d.caplen < k->p.len ? p->d.caplen : k->p.len);
	class_of(t, p, k);
}

/* The packet that was kept last is in the batch; a full one goes through the kernel. */
static void kept(struct tc_parity *t, struct kept *k)
{
	int failed = 0;

	k->p.data = k->mem;
	k->p.ifindex = t->device[k->device].ifindex;
	t->n++;
	if (!k->mem)
		failed = fail_with(t->why, sizeof(t->why), "%s", strerror(ENOMEM));
	else if (t->n == BATCH)
		failed = run_batch(t, t->why, sizeof(t->why));
	t->drive.stop |= failed != 0;
}

/* ---- What the driver tells: classes are all that counts, whatever waits or is dropped. */

static uint64_t id(void *arg, const struct drive_unit *u)
{
	struct tc_parity *t = arg;

	t->result.packets++;
	return u->p->pk.number;
}

static void passed(void *arg, const struct drive_unit *u, const char *why)
{
	struct tc_parity *t = arg;
	struct kept *k = &t->batch[t->n];

	(void)why;
	*k = (struct kept){.number = u->p->pk.number};
	if (!u->d && keep_other(t, u->p, k))
		kept(t, k);
	else
		t->result.passed++;
}

static void queued(void *arg, const struct drive_unit *u, const struct engine_ticket *ticket)
{
	struct tc_parity *t = arg;
	struct kept *k = &t->batch[t->n];

	*k = (struct kept){.number = u->p->pk.number};
	keep_ip(t, u->p, ticket, k);
	kept(t, k);
}

static void happened(void *arg, const struct engine_event *ev)
{
	(void)arg;
	(void)ev;
}

static const struct drive_sink sink = {
	.id = id, .passed = passed, .queued = queued, .happened = happened};

int tc_parity_run(struct tc_parity *t, char *err, size_t errsize)
{
	struct capture_stats s;

	if (drive_run(&t->drive))
		return fail_with(err, errsize, "the engine stands still");
	if (t->drive.stop)
		return fail_with(err, errsize, "%s", t->why);
	if (t->n && run_batch(t, err, errsize))
		return -1;
	if (ahead_failed(t->from.ahead))
		return fail_with(err, errsize, "%s", strerror(ENOMEM));
	ahead_get_stats(t->from.ahead, &s);
	t->result.truncated = s.truncated;
	return 0;
}

const struct tc_parity_result *tc_parity_result(const struct tc_parity *t)
{
	return &t->result;
}

/* ---- Setting the stage. */

static int open_device(struct tc_parity *t, const struct tc_can *can,
		       const struct policy_link *l, struct policy_report *r, char *err,
		       size_t errsize)
{
	const struct tc_device dev = {.header = TC_STAGE_HEADER, .mtu = TC_STAGE_MTU};
	struct tc_parity_link *pl = &t->result.link[t->result.n_link];
	struct device *d = &t->device[t->result.n_link];
	int ifindex = tc_stage_device((unsigned)t->result.n_link, err, errsize);

	if (ifindex < 0)
		return -1;
	t->result.n_link++;
	pl->link = l;
	d->ifindex = (uint32_t)ifindex;
	pl->of = calloc(l->n_all, sizeof(*pl->of));
	d->now = calloc(l->n_all, sizeof(*d->now));
	d->then = calloc(l->n_all, sizeof(*d->then));
	if (!pl->of || !d->now || !d->then)
		return fail_with(err, errsize, "%s", strerror(ENOMEM));
	d->alone = match_new(t->o.policy, &(struct match_opts){.only = l}, r);
	if (!d->alone)
		return fail_with(err, errsize, "%s", strerror(ENOMEM));
	d->plan = tc_plan_new(t->o.policy, l, can, &dev, r, err, errsize);
	if (!d->plan || tc_stage_apply(d->ifindex, d->plan, err, errsize))
		return -1;
	if (read_counts(t, t->result.n_link - 1, err, errsize))
		return -1;
	d->sent = d->all.packets;
	remember(d);
	return 0;
}

static int set_stage(struct tc_parity *t, struct policy_report *r, char *err, size_t errsize)
{
	const struct policy *p = t->o.policy;
	struct engine_opts eo = {.only = t->o.link};
	struct tc_can can;

	/* time begins with the first packet, if there is any */
	(void)capture_begins(t->capture, &eo.now);
	t->engine = engine_new(p, &eo, r);
	/* large segments as they are: tc gets them so */
	if (t->engine)
		t->from.ahead = ahead_new(t->capture, eo.key, 0);
	t->result.link = calloc(p->n_link, sizeof(*t->result.link));
	t->device = calloc(p->n_link, sizeof(*t->device));
	if (!t->from.ahead || !t->result.link || !t->device)
		return r->errors ? -1 : fail_with(err, errsize, "%s", strerror(ENOMEM));
	if (tc_probe(&can, err, errsize) || tc_stage_enter(err, errsize))
		return -1;
	t->drive.engine = t->engine;
	t->fd = tc_stage_socket(err, errsize);
	if (t->fd < 0)
		return -1;
	for (size_t i = 0; i < p->n_link; i++)
		if ((!t->o.link || t->o.link == p->link[i]) &&
		    open_device(t, &can, p->link[i], r, err, errsize))
			return -1;
	return 0;
}

struct tc_parity *tc_parity_open(const struct tc_parity_opts *o, struct policy_report *r,
				 char *err, size_t errsize)
{
	struct tc_parity *t = calloc(1, sizeof(*t));

	err[0] = '\0';
	if (!t) {
		fail_with(err, errsize, "%s", strerror(ENOMEM));
		return NULL;
	}
	t->o = *o;
	t->fd = -1;
	t->from.warn = o->warn;
	t->from.arg = o->arg;
	drive_init(&t->drive, o->policy, o->link);
	t->drive.source = &drive_capture_source;
	t->drive.from = &t->from;
	t->drive.sink = &sink;
	t->drive.to = t;
	/* before the namespace is left: a file's name means what it means there */
	t->capture = capture_open(o->capture, o->n_capture, err, errsize);
	if (!t->capture || set_stage(t, r, err, errsize)) {
		tc_parity_close(t);
		return NULL;
	}
	return t;
}

void tc_parity_close(struct tc_parity *t)
{
	if (!t)
		return;
	forget(t);
	for (size_t i = 0; i < t->result.n_link; i++) {
		tc_plan_free(t->device[i].plan);
		match_free(t->device[i].alone);
		free(t->device[i].now);
		free(t->device[i].then);
		free(t->result.link[i].of);
	}
	for (size_t i = 0; i < t->result.n_difference; i++)
		free(t->result.difference[i].filters);
	free(t->result.difference);
	free(t->result.link);
	free(t->device);
	engine_free(t->engine);
	ahead_free(t->from.ahead);
	if (t->capture)
		capture_close(t->capture);
	if (t->fd >= 0)
		close(t->fd);
	free(t);
}
