/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A ring of batches. The reader fills the one behind those that are full, the caller
 * works on the first of them; the mutex guards how many are full, nothing else. A reader
 * that met a full ring goes on only when half of it is free: waking a thread costs more
 * than a batch.
 */
#include "gw/ahead.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "qos/flow.h"
#include "qos/segment.h"

enum {
	RING = 4,
	/* Together small enough for a level 2 cache when packets are captured in part. */
	PACKETS = 512,
	BYTES = 256 * 1024,
};

/* A message of the capture. */
struct note {
	struct note *next;
	char text[];
};

struct batch {
	struct note *notes; /* told before the packets */
	size_t n;
	struct ahead_packet *packet;
	uint8_t *data;
	size_t used, size;
	bool last, failed;
	struct capture_stats stats;
};

enum next { NONE, PACKET, END };

struct ahead {
	/* The reader's, or the caller's where there is none */
	struct capture *capture;
	struct siphash_key key;
	struct segment_mss *mss; /* NULL: large segments are not asked for */
	uint32_t mtu;
	struct capture_packet pk;
	enum next next; /* what was read and is not yet in a batch: pk, or the end */
	struct note *notes, **notes_end;
	bool no_memory;
	unsigned in;

	/* The caller's */
	unsigned out;
	bool held; /* ring[out] is being worked on */
	bool over, failed;
	struct capture_stats stats;

	bool threaded;
	pthread_t thread;
	int stop_fd;

	pthread_mutex_t mutex;
	pthread_cond_t filled, freed;
	unsigned full; /* batches */
	bool stop;

	struct batch ring[RING];
};

static void take_note(void *arg, const char *text)
{
	struct ahead *a = arg;
	size_t size = strlen(text) + 1;
	struct note *note = malloc(sizeof(*note) + size);

	if (!note) {
		a->no_memory = true;
		return;
	}
	note->next = NULL;
	memcpy(note->text, text, size);
	*a->notes_end = note;
	a->notes_end = &note->next;
}

static struct note *free_note(struct note *note)
{
	struct note *next = note->next;

	free(note);
	return next;
}

/* Room for the packet in a batch. False: the batch is full, or there is no memory. */
static bool make_room(struct ahead *a, struct batch *b)
{
	uint8_t *bigger;

	if (b->n == PACKETS)
		return false;
	if (b->size - b->used >= a->pk.caplen)
		return true;
	if (b->n)
		return false;
	bigger = malloc(a->pk.caplen);
	if (!bigger) {
		a->no_memory = true;
		return false;
	}
	free(b->data);
	b->data = bigger;
	b->size = a->pk.caplen;
	return true;
}

static void put_packet(struct ahead *a, struct batch *b)
{
	struct ahead_packet *p = &b->packet[b->n++];
	uint8_t *data = b->data + b->used;
	int at;

	memcpy(data, a->pk.data, a->pk.caplen);
	b->used += a->pk.caplen;
	p->pk = a->pk;
	p->pk.data = data;
	p->d.hash = 0;
	at = dissect_link(p->pk.dlt, data, p->pk.caplen, p->pk.wirelen, &p->why);
	if (at < 0)
		return;
	p->ip = (uint32_t)at;
	if (dissect_ip(data + at, p->pk.caplen - p->ip, p->pk.wirelen - p->ip, &p->d)) {
		p->why = "bad-ip";
		return;
	}
	p->why = NULL;
	dissect_way(p->pk.dlt, data, p->pk.caplen, &p->pk.meta.way);
	p->d.meta = &p->pk.meta;
	p->d.hash = flow_key_hash(&a->key, &p->d.key);
	if (a->mss)
		segment_look(a->mss, &p->d, a->mtu);
}

/* Messages come before the packet that they came with: that begins a batch of its own. */
static void fill(struct ahead *a, struct batch *b)
{
	b->n = b->used = 0;
	for (;;) {
		if (a->next == NONE)
			a->next = capture_next(a->capture, &a->pk, take_note, a) == 1 ? PACKET
										      : END;
		if (a->notes) {
			if (b->n)
				break;
			b->notes = a->notes;
			a->notes = NULL;
			a->notes_end = &a->notes;
		}
		if (a->next == END || !make_room(a, b))
			break;
		put_packet(a, b);
		a->next = NONE;
	}
	capture_get_stats(a->capture, &b->stats);
	b->stats.packets -= a->next == PACKET;
	b->failed = a->no_memory;
	b->last = a->no_memory || (a->next == END && !a->notes);
}

/* Hands over the batch that was filled. False: no room will be for another. */
static bool hand_over(struct ahead *a)
{
	bool stop;

	pthread_mutex_lock(&a->mutex);
	a->full++;
	pthread_cond_signal(&a->filled);
	if (a->full == RING)
		while (a->full > RING / 2 && !a->stop)
			pthread_cond_wait(&a->freed, &a->mutex);
	stop = a->stop;
	pthread_mutex_unlock(&a->mutex);
	return !stop;
}

static void *reader(void *arg)
{
	struct ahead *a = arg;
	bool last;

	do {
		struct batch *b = &a->ring[a->in];

		fill(a, b);
		last = b->last; /* once handed over, it is no longer ours */
		a->in = (a->in + 1) % RING;
	} while (hand_over(a) && !last);
	return NULL;
}

/* Gives back the batch that was worked on. */
static void release(struct ahead *a)
{
	if (!a->held)
		return;
	a->held = false;
	if (!a->threaded)
		return;
	a->out = (a->out + 1) % RING;
	pthread_mutex_lock(&a->mutex);
	if (--a->full == RING / 2)
		pthread_cond_signal(&a->freed);
	pthread_mutex_unlock(&a->mutex);
}

/* The next batch. */
static struct batch *take(struct ahead *a)
{
	struct batch *b = &a->ring[a->out];

	a->held = true;
	if (!a->threaded) {
		fill(a, b);
		return b;
	}
	pthread_mutex_lock(&a->mutex);
	while (!a->full)
		pthread_cond_wait(&a->filled, &a->mutex);
	pthread_mutex_unlock(&a->mutex);
	return b;
}

size_t ahead_next(struct ahead *a, const struct ahead_packet **packets,
		  void (*warn)(void *arg, const char *text), void *arg)
{
	while (!a->over) {
		struct batch *b;

		release(a);
		b = take(a);
		a->stats = b->stats;
		a->over = b->last;
		a->failed |= b->failed;
		for (; b->notes; b->notes = free_note(b->notes))
			if (warn)
				warn(arg, b->notes->text);
		if (b->n) {
			*packets = b->packet;
			return b->n;
		}
	}
	return 0;
}

bool ahead_failed(const struct ahead *a)
{
	return a->failed;
}

void ahead_get_stats(const struct ahead *a, struct capture_stats *s)
{
	*s = a->stats;
}

/* Signals are for the threads that the program knows of. */
static void start(struct ahead *a)
{
	sigset_t all, old;

	a->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (a->stop_fd < 0)
		return;
	capture_stop_on(a->capture, a->stop_fd);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	a->threaded = true;
	if (pthread_create(&a->thread, NULL, reader, a)) {
		a->threaded = false;
		capture_stop_on(a->capture, -1);
	} else {
		pthread_setname_np(a->thread, "weir-ahead");
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

struct ahead *ahead_new(struct capture *c, const uint8_t key[16], uint32_t mtu)
{
	struct ahead *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->capture = c;
	a->key = flow_load_key(key);
	a->notes_end = &a->notes;
	a->stop_fd = -1;
	pthread_mutex_init(&a->mutex, NULL);
	pthread_cond_init(&a->filled, NULL);
	pthread_cond_init(&a->freed, NULL);
	capture_get_stats(c, &a->stats);
	a->mtu = mtu;
	if (mtu && !(a->mss = segment_mss_new(key))) {
		ahead_free(a);
		return NULL;
	}
	for (unsigned i = 0; i < RING; i++) {
		struct batch *b = &a->ring[i];

		b->packet = malloc(PACKETS * sizeof(*b->packet));
		b->data = malloc(BYTES);
		b->size = BYTES;
		if (!b->packet || !b->data) {
			ahead_free(a);
			return NULL;
		}
	}
	start(a);
	return a;
}

static void stop(struct ahead *a)
{
	pthread_mutex_lock(&a->mutex);
	a->stop = true;
	pthread_cond_signal(&a->freed);
	pthread_mutex_unlock(&a->mutex);
	/* fails only when the counter is full, and then it can be read all the same */
	(void)!eventfd_write(a->stop_fd, 1);
	pthread_join(a->thread, NULL);
	capture_stop_on(a->capture, -1);
}

void ahead_free(struct ahead *a)
{
	if (!a)
		return;
	if (a->threaded)
		stop(a);
	if (a->stop_fd >= 0)
		close(a->stop_fd);
	for (unsigned i = 0; i < RING; i++) {
		struct batch *b = &a->ring[i];

		while (b->notes)
			b->notes = free_note(b->notes);
		free(b->packet);
		free(b->data);
	}
	while (a->notes)
		a->notes = free_note(a->notes);
	segment_mss_free(a->mss);
	pthread_mutex_destroy(&a->mutex);
	pthread_cond_destroy(&a->filled);
	pthread_cond_destroy(&a->freed);
	free(a);
}
