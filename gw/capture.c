/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/capture.h"

#include <pcap/pcap.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "gw/capture_file.h"
#include "gw/capture_source.h"
#include "qos/dissect.h"

/* Large enough that the system calls do not count, small enough for a level 2 cache. */
enum { BUFFER = 64 * 1024 };

struct input {
	const char *name; /* for messages */
	struct capture_source *source;
	struct capture_file *file;
	struct capture_record next;
	uint64_t when; /* of `next`, never backwards */
	uint64_t count;
	char *broken; /* message not yet given */
};

struct capture {
	struct input *inputs;
	size_t n;
	/* Heap of the inputs that have a packet, by time, then by place in the list. */
	unsigned *heap;
	size_t heap_len;
	bool given;    /* the packet at the top has been given out */
	bool messages; /* some input has a message */
	struct capture_stats stats;
};

/* One line, whatever is in the file's name. */
__attribute__((format(printf, 3, 4))) static void say(char *to, size_t size, const char *fmt,
						      ...)
{
	va_list ap;

	if (!size)
		return;
	va_start(ap, fmt);
	vsnprintf(to, size, fmt, ap);
	va_end(ap);
	for (; *to; to++)
		if ((unsigned char)*to < ' ' || *to == 0x7f)
			*to = '?';
}

static void input_breaks(struct capture *c, struct input *in)
{
	char text[512];

	say(text, sizeof(text), "%s: ends after its packet %llu: %s", in->name,
	    (unsigned long long)in->count, capture_file_why(in->file));
	in->broken = strdup(text);
	c->messages = true;
	c->stats.truncated++;
	c->stats.broken += !capture_file_cut(in->file);
}

static void input_set_time(struct capture *c, struct input *in)
{
	const struct capture_record *r = &in->next;

	c->stats.bad_stamps += r->bad_stamp;
	if (!r->believed)
		return; /* the latest time so far stays */
	if (r->stamp >= in->when) {
		in->when = r->stamp;
		return;
	}
	c->stats.backwards++;
	if (in->when - r->stamp > c->stats.backwards_max)
		c->stats.backwards_max = in->when - r->stamp;
}

/* Reads an input's next packet. False at its end, good or bad. */
static bool input_advance(struct capture *c, struct input *in)
{
	int rc = capture_file_next(in->file, &in->next);

	if (rc != 1) {
		if (rc < 0)
			input_breaks(c, in);
		return false;
	}
	in->count++;
	input_set_time(c, in);
	return true;
}

static bool before(const struct capture *c, unsigned a, unsigned b)
{
	uint64_t x = c->inputs[a].when, y = c->inputs[b].when;

	return x < y || (x == y && a < b);
}

static void sift_down(struct capture *c, size_t at)
{
	unsigned moving = c->heap[at];

	for (;;) {
		size_t child = 2 * at + 1;

		if (child >= c->heap_len)
			break;
		if (child + 1 < c->heap_len && before(c, c->heap[child + 1], c->heap[child]))
			child++;
		if (!before(c, c->heap[child], moving))
			break;
		c->heap[at] = c->heap[child];
		at = child;
	}
	c->heap[at] = moving;
}

/* Whether some interface carries IP: packets of the others are passed, as they come. */
static bool knows_one(const struct input *in, char *err, size_t errsize)
{
	size_t n = capture_file_interfaces(in->file);
	int first = capture_file_dlt(in->file, 0);
	const char *name = pcap_datalink_val_to_name(first);

	for (size_t i = 0; i < n; i++)
		if (dissect_knows(capture_file_dlt(in->file, i)))
			return true;
	if (name)
		say(err, errsize, "%s: link type %s (%s) does not carry IP in a way known here",
		    in->name, name, pcap_datalink_val_to_description(first));
	else
		say(err, errsize, "%s: unknown link type %d", in->name, first);
	return false;
}

static bool input_open(struct input *in, const char *name, char *err, size_t errsize)
{
	char message[512] = "";
	const char *why;

	in->name = !strcmp(name, "-") ? "standard input" : name;
	in->source = capture_source_open(name, BUFFER, message, sizeof(message));
	if (!in->source) {
		say(err, errsize, "%s", message);
		return false;
	}
	in->file = capture_file_open(in->source, message, sizeof(message));
	if (in->file)
		return knows_one(in, err, errsize);
	why = capture_source_why(in->source);
	say(err, errsize, "%s: %s", in->name, why ? why : *message ? message : "out of memory");
	return false;
}

/* The first packet of each is read at once: which is first of all cannot be known otherwise. */
static bool open_all(struct capture *c, const char *const *names, char *err, size_t errsize)
{
	bool stdin_taken = false;

	for (size_t i = 0; i < c->n; i++) {
		struct input *in = &c->inputs[i];

		if (!strcmp(names[i], "-")) {
			if (stdin_taken) {
				say(err, errsize, "standard input: is given more than once");
				return false;
			}
			stdin_taken = true;
		}
		if (!input_open(in, names[i], err, errsize))
			return false;
		c->stats.bytes_total += capture_source_size(in->source);
		if (input_advance(c, in))
			c->heap[c->heap_len++] = (unsigned)i;
	}
	for (size_t i = 0; i < c->n; i++)
		if (!capture_source_size(c->inputs[i].source))
			c->stats.bytes_total = 0;
	for (size_t i = c->heap_len; i-- > 0;)
		sift_down(c, i);
	return true;
}

struct capture *capture_open(const char *const *names, size_t n, char *err, size_t errsize)
{
	struct capture *c = calloc(1, sizeof(*c));

	if (c) {
		c->n = n;
		c->inputs = calloc(n + 1, sizeof(*c->inputs));
		c->heap = calloc(n + 1, sizeof(*c->heap));
	}
	if (!c || !c->inputs || !c->heap)
		say(err, errsize, "out of memory");
	else if (open_all(c, names, err, errsize))
		return c;
	capture_close(c);
	return NULL;
}

void capture_close(struct capture *c)
{
	if (!c)
		return;
	for (size_t i = 0; c->inputs && i < c->n; i++) {
		struct input *in = &c->inputs[i];

		capture_file_close(in->file);
		capture_source_free(in->source);
		free(in->broken);
	}
	free(c->inputs);
	free(c->heap);
	free(c);
}

bool capture_begins(const struct capture *c, uint64_t *when)
{
	if (!c->heap_len)
		return false;
	*when = c->inputs[c->heap[0]].when;
	return true;
}

void capture_stop_on(struct capture *c, int fd)
{
	for (size_t i = 0; i < c->n; i++)
		capture_source_stop_on(c->inputs[i].source, fd);
}

static void give_messages(struct capture *c, void (*warn)(void *arg, const char *text),
			  void *arg)
{
	c->messages = false;
	for (size_t i = 0; i < c->n; i++) {
		struct input *in = &c->inputs[i];

		if (in->broken && warn)
			warn(arg, in->broken);
		free(in->broken);
		in->broken = NULL;
	}
}

int capture_next(struct capture *c, struct capture_packet *pk,
		 void (*warn)(void *arg, const char *text), void *arg)
{
	const struct input *in;

	if (c->given) {
		c->given = false;
		if (!input_advance(c, &c->inputs[c->heap[0]]))
			c->heap[0] = c->heap[--c->heap_len];
		if (c->heap_len)
			sift_down(c, 0);
	}
	if (c->messages)
		give_messages(c, warn, arg);
	if (!c->heap_len)
		return 0;
	in = &c->inputs[c->heap[0]];
	pk->number = ++c->stats.packets;
	pk->when = in->when;
	pk->stamp = in->next.stamp;
	pk->data = in->next.data;
	pk->caplen = in->next.caplen;
	pk->wirelen = in->next.wirelen;
	if (pk->wirelen < pk->caplen) {
		pk->wirelen = pk->caplen;
		c->stats.bad_lengths++;
	}
	pk->dlt = in->next.dlt;
	pk->interface = in->next.interface;
	pk->source = c->heap[0];
	pk->meta = (struct dissect_meta){.way = in->next.way};
	if (dissect_mac(pk->dlt, pk->data, pk->caplen, pk->meta.mac))
		pk->meta.known |= DISSECT_KNOWS_MAC;
	c->given = true;
	return 1;
}

void capture_get_stats(const struct capture *c, struct capture_stats *s)
{
	*s = c->stats;
	for (size_t i = 0; i < c->n; i++)
		s->bytes_read += capture_source_read(c->inputs[i].source);
}

int capture_dlt(const struct capture *c)
{
	int dlt = c->n ? capture_file_dlt(c->inputs[0].file, 0) : -1;

	for (size_t i = 0; i < c->n; i++)
		for (size_t k = capture_file_interfaces(c->inputs[i].file); k-- > 0;)
			if (capture_file_dlt(c->inputs[i].file, k) != dlt)
				return -1;
	return dlt;
}

int capture_snaplen(const struct capture *c)
{
	uint32_t most = 0;

	for (size_t i = 0; i < c->n; i++) {
		uint32_t s = capture_file_snaplen(c->inputs[i].file);

		if (!s || s > CAPTURE_PACKET_MAX)
			return CAPTURE_PACKET_MAX;
		if (s > most)
			most = s;
	}
	return (int)most;
}

size_t capture_interfaces(const struct capture *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++)
		n += capture_file_interfaces(c->inputs[i].file);
	return n;
}
