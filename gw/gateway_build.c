/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/gateway_build.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "gw/clock.h"
#include "gw/fail.h"
#include "gw/gateway.h"
#include "gw/setnft.h"

#define NICE 5 /* behind the thread that answers */
/* of those that are kept: a policy may have an error in every line */
#define COMPLAINTS_MAX POLICY_COMPLAINTS_MAX

struct complaint {
	char *file; /* NULL: the policy's */
	enum policy_severity sev;
	struct policy_mark at;
	char *text;
};

struct left {
	struct engine *engine;
	struct policy *policy;
};

enum stage { READING, BUILDING, DONE };

struct build {
	build_read *read;
	char *file;
	struct build_from *from; /* with names of its own */
	size_t n_from;
	uint32_t held_max;
	pthread_t thread;
	int fd;
	atomic_bool stop;
	atomic_uint stage;
	bool joined;
	/* what came of it */
	struct policy *policy;
	struct build_link *link;
	size_t n_link;
	struct complaint *complaint;
	size_t n_complaint, cap_complaint;
	unsigned lost_errors, lost_warnings; /* complaints without a place for them */
	char err[512];
	struct left *left;
	size_t n_left;
};

/* Threads that free something: build_wait() waits until there are none. */
static pthread_mutex_t freeing_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t freeing_none = PTHREAD_COND_INITIALIZER;
static unsigned freeing;

/* ---- In the thread. */

static void keep(void *arg, enum policy_severity sev, const char *file, struct policy_mark at,
		 const char *text)
{
	struct build *b = arg;
	struct complaint *c;

	if (b->n_complaint == b->cap_complaint && b->cap_complaint < COMPLAINTS_MAX) {
		size_t cap = b->cap_complaint ? 2 * b->cap_complaint : 16;

		c = realloc(b->complaint, cap * sizeof(*c));
		if (c) {
			b->complaint = c;
			b->cap_complaint = cap;
		}
	}
	if (b->n_complaint < b->cap_complaint) {
		c = &b->complaint[b->n_complaint];
		*c = (struct complaint){.sev = sev, .at = at, .text = strdup(text)};
		c->file = strcmp(file, b->file) ? strdup(file) : NULL;
		if (c->text) {
			b->n_complaint++;
			return;
		}
		free(c->file);
	}
	if (sev == POLICY_ERROR)
		b->lost_errors++;
	else
		b->lost_warnings++;
}

static const struct build_from *find(const struct build *b, const char *link)
{
	for (size_t i = 0; i < b->n_from; i++)
		if (!strcmp(b->from[i].link, link))
			return &b->from[i];
	return NULL;
}

static int build_engine(struct build *b, const struct policy_link *l, struct build_link *to)
{
	const struct build_from *from = find(b, l->name);
	struct engine_opts o = {.only = l, .now = clock_now()};
	struct policy_report r = {.fn = keep, .arg = b, .stop = &b->stop};

	/* one that leaves its queue hands over what waits there by the new classes */
	if (!from && l->backend == POLICY_BACKEND_KERNEL)
		return 0;
	to->held_max = from ? from->held_max : b->held_max;
	if (from)
		memcpy(to->key, from->key, sizeof(to->key));
	else if (getrandom(to->key, sizeof(to->key), 0) != (ssize_t)sizeof(to->key))
		return fail_with(b->err, sizeof(b->err), "random numbers: %s", strerror(errno));
	o.packets_max = to->held_max;
	memcpy(o.key, to->key, sizeof(o.key));
	to->engine = engine_new(b->policy, &o, &r);
	return to->engine ? 0
			  : fail_with(b->err, sizeof(b->err), "link %s: %s", l->name,
				      strerror(ENOMEM));
}

/* 0, or -1: it failed, or is of no use any more. */
static int work(struct build *b)
{
	struct policy_report r = {.fn = keep, .arg = b, .stop = &b->stop};
	int status;

	b->policy = b->read(b->file, &r, &status);
	if (!b->policy || gateway_check(b->policy, &r) || !setnft_read_all(b->policy, &r))
		return r.errors ? -1
				: fail_with(b->err, sizeof(b->err), "%s cannot be read",
					    b->file);
	atomic_store_explicit(&b->stage, BUILDING, memory_order_relaxed);
	b->n_link = b->policy->n_link;
	b->link = calloc(b->n_link, sizeof(*b->link));
	if (!b->link)
		return fail_with(b->err, sizeof(b->err), "%s", strerror(ENOMEM));
	for (size_t i = 0; i < b->n_link; i++)
		if (atomic_load_explicit(&b->stop, memory_order_relaxed) ||
		    build_engine(b, b->policy->link[i], &b->link[i]))
			return -1;
	return 0;
}

static void free_result(struct build *b)
{
	for (size_t i = 0; i < b->n_link; i++)
		engine_free(b->link[i].engine);
	free(b->link);
	b->link = NULL;
	b->n_link = 0;
	policy_free(b->policy);
	b->policy = NULL;
}

static void *run(void *arg)
{
	struct build *b = arg;
	uint64_t one = 1;

	/* of this thread alone, as Linux has it */
	(void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICE);
	if (work(b))
		free_result(b);
	atomic_store_explicit(&b->stage, DONE, memory_order_release);
	if (write(b->fd, &one, sizeof(one)) < 0) {
		/* a counter that cannot be full */
	}
	return NULL;
}

/* ---- From outside. */

static void free_all(struct build *b)
{
	free_result(b);
	for (size_t i = 0; i < b->n_left; i++)
		engine_free(b->left[i].engine);
	for (size_t i = 0; i < b->n_left; i++)
		policy_free(b->left[i].policy);
	free(b->left);
	for (size_t i = 0; i < b->n_complaint; i++) {
		free(b->complaint[i].file);
		free(b->complaint[i].text);
	}
	free(b->complaint);
	for (size_t i = 0; i < b->n_from; i++)
		free(b->from[i].link);
	free(b->from);
	free(b->file);
	if (b->fd >= 0)
		close(b->fd);
	free(b);
}

static int copy_from(struct build *b, const char *file, const struct build_from *from, size_t n)
{
	b->file = strdup(file);
	b->from = calloc(n + 1, sizeof(*b->from));
	if (!b->file || !b->from)
		return -1;
	for (; b->n_from < n; b->n_from++) {
		b->from[b->n_from] = from[b->n_from];
		b->from[b->n_from].link = strdup(from[b->n_from].link);
		if (!b->from[b->n_from].link)
			return -1;
	}
	return 0;
}

struct build *build_start(build_read *read, const char *file, const struct build_from *from,
			  size_t n, uint32_t held_max, char *err, size_t errsize)
{
	struct build *b = calloc(1, sizeof(*b));
	int e = ENOMEM;

	if (!b) {
		fail_with(err, errsize, "%s", strerror(ENOMEM));
		return NULL;
	}
	b->read = read;
	b->held_max = held_max;
	b->joined = true;
	atomic_init(&b->stop, false);
	atomic_init(&b->stage, READING);
	b->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (b->fd < 0)
		e = errno;
	else if (!copy_from(b, file, from, n))
		e = pthread_create(&b->thread, NULL, run, b);
	if (!e) {
		b->joined = false;
		pthread_setname_np(b->thread, "weir-reload");
		return b;
	}
	fail_with(err, errsize, "a thread that reads the policy: %s", strerror(e));
	free_all(b);
	return NULL;
}

int build_fd(const struct build *b)
{
	return b->fd;
}

static void join(struct build *b)
{
	if (!b->joined)
		pthread_join(b->thread, NULL);
	b->joined = true;
}

bool build_done(struct build *b)
{
	if (atomic_load_explicit(&b->stage, memory_order_acquire) != DONE)
		return false;
	join(b);
	return true;
}

const char *build_doing(const struct build *b)
{
	switch (atomic_load_explicit(&b->stage, memory_order_relaxed)) {
	case READING:
		return "the policy is read and checked";
	case BUILDING:
		return "classes are built";
	default:
		return "the policy takes over";
	}
}

struct policy *build_take(struct build *b, struct policy_report *r, char *err, size_t errsize)
{
	struct policy *p = b->policy;

	for (size_t i = 0; i < b->n_complaint; i++) {
		struct complaint *c = &b->complaint[i];

		policy_complain(r, c->sev, c->file ? c->file : b->file, c->at, "%s", c->text);
	}
	r->errors += b->lost_errors;
	r->warnings += b->lost_warnings;
	if (b->err[0])
		fail_with(err, errsize, "%s", b->err);
	b->policy = NULL;
	return p;
}

const struct policy *build_policy(const struct build *b)
{
	return b->policy;
}

struct build_link *build_link(struct build *b, size_t i)
{
	return &b->link[i];
}

void build_leave(struct build *b, struct engine *e, struct policy *p)
{
	struct left *v = realloc(b->left, (b->n_left + 1) * sizeof(*v));

	if (!v) {
		/* at once, then; a policy only when nothing of it is left */
		engine_free(e);
		if (!b->n_left)
			policy_free(p);
		return;
	}
	b->left = v;
	v[b->n_left++] = (struct left){e, p};
}

static void end(struct build *b)
{
	join(b);
	free_all(b);
	/* what a policy of many classes took goes back, else each reload would keep as much */
	malloc_trim(0);
	pthread_mutex_lock(&freeing_lock);
	if (!--freeing)
		pthread_cond_broadcast(&freeing_none);
	pthread_mutex_unlock(&freeing_lock);
}

static void *run_end(void *arg)
{
	(void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICE);
	end(arg);
	return NULL;
}

void build_free(struct build *b)
{
	pthread_attr_t a;
	pthread_t t;
	int failed;

	if (!b)
		return;
	atomic_store_explicit(&b->stop, true, memory_order_relaxed);
	pthread_mutex_lock(&freeing_lock);
	freeing++;
	pthread_mutex_unlock(&freeing_lock);
	pthread_attr_init(&a);
	pthread_attr_setdetachstate(&a, PTHREAD_CREATE_DETACHED);
	failed = pthread_create(&t, &a, run_end, b);
	pthread_attr_destroy(&a);
	if (failed)
		end(b);
}

void build_wait(void)
{
	pthread_mutex_lock(&freeing_lock);
	while (freeing)
		pthread_cond_wait(&freeing_none, &freeing_lock);
	pthread_mutex_unlock(&freeing_lock);
}
