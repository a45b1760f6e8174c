/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A link's thread: packets in, engine, verdicts out.
 *
 * Time is read for every packet, and the engine is polled after each, so that what happens
 * here is what happens in a replay of the same packets. Verdicts are gathered over a batch
 * of received packets; the kernel runs the rest of a packet's path in our sendto().
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "gw/fail.h"

#include "gw/clock.h"
#include "gw/rule.h"
#include "gw/worker_priv.h"

#define BATCH WORKER_BATCH
#define SECOND UINT64_C(1000000000)
#define MS UINT64_C(1000000)
#define LOOK_EVERY MS	   /* at the kernel's last id, while there is more to read */
#define NAP_BUSY (20 * MS) /* a link that had packets within a second rests no longer */
#define NAP_IDLE SECOND	   /* nor one that had none: a thread that stood still is seen by it */

/* ---- Verdicts, and what may come back of them. */

/*
 * What is to be known when a verdict fails: whose bytes to give back. Class, generation of
 * the engine, by which min, length (SCHED_LEN_MAX is below 2^24).
 */
static uint64_t token_of(const struct worker *w, const struct engine_event *ev)
{
	return (uint64_t)ev->class->index << 48 | (uint64_t)(w->generation & 0xffff) << 32 |
	       (uint64_t)ev->by_min << 24 | ev->len;
}

static void verdict_failed(void *arg, uint64_t token, int error)
{
	struct worker *w = ((struct lane *)arg)->worker;
	uint32_t index = (uint32_t)(token >> 48);

	if (error != ENOENT || !token)
		return;
	w->health.vanished++;
	if ((token >> 32 & 0xffff) != (w->generation & 0xffff) || index >= w->link->n_all)
		return;
	engine_vanished(w->engine, w->link->all[index], (uint32_t)token & 0xffffff,
			(uint8_t)(token >> 24));
}

const struct held_packet *worker_take_held(struct worker *w, uint32_t place, struct lane **of)
{
	const struct held_packet *p = held_take(&w->held, place);

	*of = &w->lane[p->lane];
	(*of)->held--;
	return p;
}

void worker_let_go(struct worker *w, const struct engine_event *ev)
{
	struct lane *of;
	const struct held_packet *p = worker_take_held(w, (uint32_t)ev->id, &of);

	if (!of->queue)
		return; /* it failed, and the kernel has dropped what it held */
	if (ev->what == ENGINE_DROPPED) {
		worker_load_dropped(w, of, p);
		nfq_drop(of->queue, p->id, 0);
	} else
		nfq_accept(of->queue, p->id, rule_mark(p->mark, ev->set_dscp, ev->set_ce),
			   token_of(w, ev));
}

void worker_poll(struct worker *w, uint64_t now)
{
	struct engine_event ev;

	/* what finds no room is dropped even while the rest is held */
	while ((w->holding ? engine_dropped(w->engine, &ev)
			   : engine_poll(w->engine, now, &ev)) != ENGINE_NOTHING)
		worker_let_go(w, &ev);
}

/* ---- Packets. */

int worker_dissect(struct worker *w, const uint8_t *data, uint32_t caplen, uint32_t len,
		   struct dissected *d)
{
	uint32_t mtu = atomic_load_explicit(&w->mtu, memory_order_relaxed);

	if (dissect_ip(data, caplen, len, d))
		return -1;
	d->segment = len > mtu ? mtu : 0;
	return 0;
}

void worker_know(struct worker *w, struct dissected *d, uint32_t mark, uint32_t indev,
		 const uint8_t *mac)
{
	struct dissect_meta *m = &w->meta;
	const char *name;

	if (!w->asked)
		return;
	*m = (struct dissect_meta){.known = DISSECT_KNOWS_MARK, .mark = mark};
	name = w->asked & DISSECT_KNOWS_IN ? ifname_of(&w->names, indev, clock_now()) : NULL;
	if (name) {
		m->known |= DISSECT_KNOWS_IN | DISSECT_KNOWS_IN_INDEX;
		m->in_index = indev;
		memcpy(m->in_name, name, sizeof(m->in_name));
	}
	if (mac) {
		m->known |= DISSECT_KNOWS_MAC;
		memcpy(m->mac, mac, sizeof(m->mac));
	}
	d->meta = m;
}

void worker_hand_over(struct lane *l, uint32_t id, uint32_t mark, const struct dissected *d)
{
	struct worker *w = l->worker;
	struct match_result m;

	w->now = clock_now();
	match_packet(engine_match(w->engine), d, w->now, &m);
	if (m.class)
		nfq_accept_as(l->queue, id, rule_mark(mark, m.class->set_dscp, false),
			      w->classid[m.class->index], 0);
	else
		nfq_accept(l->queue, id, rule_mark(mark, -1, false), 0);
}

/* When a packet came that is read at w->now, and what it waited to be read. */
static uint64_t came(struct lane *l, const struct nfq_packet *p)
{
	struct worker *w = l->worker;
	uint64_t at = unread_moment(&l->unread, p->id, w->now), waited = w->now - at;

	if (waited > w->health.unread_wait)
		w->health.unread_wait = waited;
	w->health.unread_late += waited >= WORKER_UNREAD_LATE;
	worker_load_came(l, p, waited);
	return at;
}

static void packet(void *arg, const struct nfq_packet *p)
{
	struct lane *l = arg;
	struct worker *w = l->worker;
	struct dissected d;
	uint32_t place;
	uint64_t at;

	if (p->mark & RULE_RELEASED) {
		w->health.twice++;
		nfq_accept(l->queue, p->id, p->mark, 0);
		return;
	}
	if (worker_dissect(w, p->data, p->caplen, p->len, &d)) {
		w->health.undissected++;
		nfq_accept(l->queue, p->id, rule_mark(p->mark, -1, false), 0);
		return;
	}
	worker_know(w, &d, p->mark, p->indev, p->has_mac ? p->mac : NULL);
	w->now = clock_now();
	at = came(l, p);
	if (w->classid) {
		worker_hand_over(l, p->id, p->mark, &d);
		return;
	}
	place = held_put(&w->held, p);
	if (place == HELD_NONE) {
		/* the engine holds fewer than there are places: cannot be, but is no reason to
		 * stop */
		nfq_drop(l->queue, p->id, 0);
		return;
	}
	w->held.place[place].lane = l->number;
	l->held++;
	w->health.segments += d.segment != 0;
	if (engine_arrived(w->engine, w->now, at, place, &d) == ENGINE_PASSED) {
		const struct held_packet *h = worker_take_held(w, place, &l);

		nfq_accept(l->queue, h->id, rule_mark(h->mark, -1, false), 0);
	}
	if (!w->closing)
		worker_poll(w, w->now);
}

/* ---- The thread. */

static void serve(struct worker *w)
{
	uint64_t n;

	atomic_store(&w->called, false);
	if (read(w->wake, &n, sizeof(n)) < 0) {
		/* nothing to read is no fault: called and waking are not the same moment */
	}
	pthread_mutex_lock(&w->lock);
	if (w->call.fn) {
		w->call.fn(w, w->call.arg);
		w->call.fn = NULL;
		pthread_cond_broadcast(&w->done);
	}
	pthread_mutex_unlock(&w->lock);
}

static void note_late(struct worker_health *h, uint64_t late)
{
	uint64_t us = late / 1000;
	unsigned b = us ? 64 - (unsigned)__builtin_clzll(us) : 0;

	h->wakeups++;
	h->late_sum += late;
	if (late > h->late_max)
		h->late_max = late;
	h->late_hist[b < 32 ? b : 31]++;
}

/*
 * Before a round: what was due and is late, whatever else there is to do; and whether the
 * thread stood still while it was to run.
 */
static void look_at_time(struct worker *w, uint64_t now)
{
	uint64_t due = w->holding ? NEVER : engine_next(w->engine);
	uint64_t stood = w->awake_by && now > w->awake_by ? now - w->awake_by : 0;

	if (due <= now)
		note_late(&w->health, now - due);
	if (stood > w->health.stall_max)
		w->health.stall_max = stood;
	w->health.stalls += stood >= WORKER_STALL;
	for (unsigned i = 0; i < LANES; i++)
		if (stood > LOOK_EVERY ||
		    (w->lane[i].more && now - w->lane[i].noted >= LOOK_EVERY)) {
			worker_look_unread(w, now);
			break;
		}
}

/* Until something comes, or something is due. 0, or -1 with errno. */
static int rest(struct worker *w)
{
	struct pollfd fd[LANES + 1] = {{.fd = w->wake, .events = POLLIN}};
	uint64_t now = clock_now(), due = w->holding ? NEVER : engine_next(w->engine);
	uint64_t nap = now - w->received < SECOND ? NAP_BUSY : NAP_IDLE;
	struct timespec t;
	int n;

	for (unsigned i = 0; i < LANES; i++)
		fd[i + 1] =
			(struct pollfd){.fd = w->lane[i].queue ? nfq_fd(w->lane[i].queue) : -1,
					.events = POLLIN};
	if (due <= now)
		return 0;
	w->awake_by = due - now < nap ? due : now + nap;
	t = (struct timespec){.tv_sec = (time_t)((w->awake_by - now) / SECOND),
			      .tv_nsec = (long)((w->awake_by - now) % SECOND)};
	n = ppoll(fd, LANES + 1, &t, NULL);
	if (n < 0)
		return errno == EINTR ? 0 : -1;
	now = clock_now();
	/* it rested until something came: nothing did before that */
	for (unsigned i = 0; i < LANES && now <= w->awake_by + LOOK_EVERY; i++)
		lane_note_empty(&w->lane[i], now);
	return 0;
}

/* One round: what has come, what is due, what was asked. 0, or -1 with errno. */
static int work(struct worker *w)
{
	uint64_t begin = clock_now();
	int n = 0;

	look_at_time(w, begin);
	worker_load_look(w, begin);
	for (unsigned i = 0; i < LANES; i++) {
		int got = lane_take(&w->lane[i]);

		if (got < 0)
			return -1;
		n += got;
	}
	worker_poll(w, clock_now());
	if (worker_flush(w))
		return -1;
	if (atomic_load_explicit(&w->called, memory_order_acquire)) {
		serve(w);
		w->awake_by = clock_now();
		return 0; /* it may be told to stop: no rest before that is seen */
	}
	w->awake_by = clock_now();
	return n ? 0 : rest(w);
}

/* All that the kernel has for us, so that nothing is left in it without a verdict. */
static void take_all(struct worker *w)
{
	for (unsigned i = 0; i < LANES; i++)
		while (w->lane[i].queue &&
		       nfq_receive(w->lane[i].queue, BATCH, &w->lane[i].ops) > 0)
			;
}

/* Everything held is accepted, in the order in which it came. */
static void accept_all(struct worker *w)
{
	struct engine_left few[BATCH] = {{0}}, *left;
	size_t n, room;

	w->closing = true;
	take_all(w);
	worker_poll(w, 0);
	/* without memory for all, in order among so many */
	room = engine_waiting(w->engine);
	left = calloc(room + 1, sizeof(*left));
	if (!left)
		room = BATCH;
	while ((n = engine_withdraw(w->engine, left ? left : few, room))) {
		for (size_t i = 0; i < n; i++) {
			const struct engine_left *x = left ? &left[i] : &few[i];
			struct lane *of;
			const struct held_packet *p = worker_take_held(w, (uint32_t)x->id, &of);

			nfq_accept(of->queue, p->id,
				   rule_mark(p->mark, x->class->set_dscp, false), 0);
		}
	}
	free(left);
	(void)worker_flush(w);
}

/*
 * Before programs that only compute: what a link's thread waits for the processor is lost to
 * the line. It works on what has come and then rests, and the kernel keeps a share of each
 * processor for the others whatever happens (sched(7), "Limiting the CPU usage of real-time").
 */
static bool go_first(void)
{
	struct sched_param p = {.sched_priority = sched_get_priority_min(SCHED_FIFO)};

	return !pthread_setschedparam(pthread_self(), SCHED_FIFO, &p);
}

static void *run(void *arg)
{
	struct worker *w = arg;
	int failed = 0;

	w->health.realtime = go_first();
	/* the kernel may otherwise be 50 us late on purpose */
	prctl(PR_SET_TIMERSLACK, 1UL);
	while (!failed && !w->stop)
		failed = work(w) ? errno : 0;
	if (failed)
		worker_close_queues(w); /* nobody gives verdicts any more */
	else
		accept_all(w);
	pthread_mutex_lock(&w->lock);
	w->health.error = failed;
	w->health.cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	w->ended = true;
	if (w->call.fn) {
		w->call.fn(w, w->call.arg);
		w->call.fn = NULL;
	}
	pthread_cond_broadcast(&w->done);
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* ---- From outside. */

struct worker *worker_new(const struct worker_conf *c, char *err, size_t errsize)
{
	struct worker *w = calloc(1, sizeof(*w));

	if (!w) {
		fail_with(err, errsize, "%s", strerror(ENOMEM));
		return NULL;
	}
	w->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	/* besides what waits: a batch that is on its way in, and one on its way out */
	if (w->wake < 0 || held_init(&w->held, c->held_max + ENGINE_UNPOLLED_MAX)) {
		fail_with(err, errsize, "link %s: %s", c->link->name, strerror(errno));
		if (w->wake >= 0)
			close(w->wake);
		free(w);
		return NULL;
	}
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->done, NULL);
	w->policy = c->policy;
	w->link = c->link;
	w->engine = c->engine;
	w->asked = match_asked(c->link);
	w->classid = c->classid;
	w->alarm = c->alarm;
	lane_make(w, LANE_FIRST, c->first, packet, verdict_failed);
	lane_make(w, LANE_REST, c->queue, packet, verdict_failed);
	w->watch = nfq_watch_open();
	w->generation = 1; /* so that no token is 0 */
	atomic_init(&w->mtu, c->mtu);
	atomic_init(&w->called, false);
	return w;
}

int worker_start(struct worker *w, char *err, size_t errsize)
{
	char name[16];
	int e = pthread_create(&w->thread, NULL, run, w);

	if (e)
		return fail_with(err, errsize, "link %s: thread: %s", w->link->name,
				 strerror(e));
	w->started = true;
	snprintf(name, sizeof(name), "weir-%.10s", w->link->name);
	pthread_setname_np(w->thread, name);
	return 0;
}

void worker_call(struct worker *w, void (*fn)(struct worker *w, void *arg), void *arg)
{
	uint64_t one = 1;

	pthread_mutex_lock(&w->lock);
	if (w->started && !w->ended) {
		w->call = (struct call){fn, arg};
		atomic_store_explicit(&w->called, true, memory_order_release);
		if (write(w->wake, &one, sizeof(one)) < 0) {
			/* full: then it is awake anyway */
		}
		while (w->call.fn)
			pthread_cond_wait(&w->done, &w->lock);
	} else {
		fn(w, arg);
	}
	pthread_mutex_unlock(&w->lock);
}

const struct engine *worker_engine(const struct worker *w)
{
	return w->engine;
}

const struct policy_link *worker_link(const struct worker *w)
{
	return w->link;
}

void worker_set_mtu(struct worker *w, uint32_t mtu)
{
	atomic_store_explicit(&w->mtu, mtu, memory_order_relaxed);
}

/* ---- The end. */

static void stop(struct worker *w, void *arg)
{
	(void)arg;
	w->stop = true;
}

void worker_stop(struct worker *w)
{
	if (w->started) {
		worker_call(w, stop, NULL);
		pthread_join(w->thread, NULL);
		w->started = false;
	}
}

void worker_free(struct worker *w)
{
	if (!w)
		return;
	worker_stop(w);
	worker_close_queues(w);
	engine_free(w->engine);
	held_fini(&w->held);
	close(w->wake);
	if (w->watch >= 0)
		close(w->watch);
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->done);
	free(w);
}
