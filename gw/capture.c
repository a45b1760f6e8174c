/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/capture.h"

#include <pcap/pcap.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "gw/capture_source.h"
#include "qos/dissect.h"

enum {
	NS = 1000000000,
	/* Large enough that the system calls do not count, small enough for a level 2 cache. */
	BUFFER = 64 * 1024,
};

struct input {
	const char *name; /* for messages */
	struct capture_source *source;
	pcap_t *pcap;
	int dlt;
	/* Classic pcap has 32 bits without sign: what is 1 there in ns, otherwise 0. */
	uint32_t classic_tick;
	/* the packet that is next */
	struct pcap_pkthdr *hdr;
	const uint8_t *data;
	uint64_t when, stamp;
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

/* libpcap reads a file of one link type and snapshot length only. */
static const char *hint(const char *message)
{
	return strstr(message, "of the first interface")
		       ? " (split it by interface, with editcap or tshark, and give the parts)"
		       : "";
}

static void input_breaks(struct capture *c, struct input *in)
{
	const char *why = capture_source_why(in->source);
	char text[512];

	if (!why)
		why = pcap_geterr(in->pcap);
	say(text, sizeof(text), "%s: ends after its packet %llu: %s%s", in->name,
	    (unsigned long long)in->count, why, hint(why));
	in->broken = strdup(text);
	c->messages = true;
	c->stats.truncated++;
}

/*
 * The time of the packet, as a number that needs no care. libpcap hands out what the
 * file has: seconds and fractions beyond all sense, and with classic pcap's unsigned
 * seconds as negative ones from 2038 on.
 */
static bool input_stamp(const struct input *in, uint64_t *stamp)
{
	int64_t sec = in->hdr->ts.tv_sec, frac = in->hdr->ts.tv_usec;

	if (in->classic_tick) {
		sec = (uint32_t)sec;
		if (frac < 0)
			frac += ((int64_t)1 << 32) * in->classic_tick;
	}
	if (frac < 0 || sec < 0) {
		*stamp = 0;
		return false;
	}
	if (sec > UINT32_MAX || frac / NS + sec > UINT32_MAX) {
		*stamp = CAPTURE_TIME_MAX;
		return false;
	}
	*stamp = (uint64_t)sec * NS + (uint64_t)frac;
	return true;
}

static void input_set_time(struct capture *c, struct input *in)
{
	bool believed = input_stamp(in, &in->stamp);

	if (!believed || in->hdr->ts.tv_usec < 0 || in->hdr->ts.tv_usec >= NS)
		c->stats.bad_stamps++;
	if (!believed)
		return; /* the latest time so far stays */
	if (in->stamp >= in->when) {
		in->when = in->stamp;
		return;
	}
	c->stats.backwards++;
	if (in->when - in->stamp > c->stats.backwards_max)
		c->stats.backwards_max = in->when - in->stamp;
}

/* Reads an input's next packet. False at its end, good or bad. */
static bool input_advance(struct capture *c, struct input *in)
{
	int rc = pcap_next_ex(in->pcap, &in->hdr, &in->data);

	if (rc != 1) {
		if (rc != PCAP_ERROR_BREAK || capture_source_why(in->source))
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

static void why_not_a_capture(const struct input *in, const char *message, char *err,
			      size_t errsize)
{
	const char *why = capture_source_why(in->source);
	uint8_t magic[4];
	size_t n = capture_source_magic(in->source, magic);

	if (why)
		say(err, errsize, "%s: %s", in->name, why);
	else if (!n)
		say(err, errsize, "%s: is empty", in->name);
	else if (n < sizeof(magic) || !strcmp(message, "unknown file format"))
		say(err, errsize, "%s: is neither pcap nor pcapng", in->name);
	else
		say(err, errsize, "%s: %s%s", in->name, message, hint(message));
}

static void set_classic_tick(struct input *in)
{
	static const uint8_t micro[2] = {0xa1, 0xd4}, nano[2] = {0xa1, 0x4d};
	uint8_t m[4];

	capture_source_magic(in->source, m);
	/* 0xa1b2c3d4 and 0xa1b23c4d in either order, and 0xa1b2cd34, the modified pcap */
	if ((m[0] == nano[0] && m[3] == nano[1]) || (m[3] == nano[0] && m[0] == nano[1]))
		in->classic_tick = 1;
	else if (m[0] == micro[0] || m[3] == micro[0])
		in->classic_tick = 1000;
}

static bool input_open(struct input *in, const char *name, char *err, size_t errsize)
{
	char message[PCAP_ERRBUF_SIZE] = "";
	const char *dlt_name;

	in->name = !strcmp(name, "-") ? "standard input" : name;
	in->source = capture_source_open(name, BUFFER, message, sizeof(message));
	if (!in->source) {
		say(err, errsize, "%s", message);
		return false;
	}
	in->pcap = pcap_fopen_offline_with_tstamp_precision(
		capture_source_file(in->source), PCAP_TSTAMP_PRECISION_NANO, message);
	if (!in->pcap) {
		why_not_a_capture(in, message, err, errsize);
		return false;
	}
	set_classic_tick(in);
	in->dlt = pcap_datalink(in->pcap);
	if (dissect_knows(in->dlt))
		return true;
	dlt_name = pcap_datalink_val_to_name(in->dlt);
	if (dlt_name)
		say(err, errsize, "%s: link type %s (%s) does not carry IP in a way known here",
		    in->name, dlt_name, pcap_datalink_val_to_description(in->dlt));
	else
		say(err, errsize, "%s: unknown link type %d", in->name, in->dlt);
	return false;
}

/*
 * The first packet of each is read at once: which is first of all cannot be known
 * otherwise. Here also shows a pcapng file whose interfaces libpcap cannot mix: of
 * such a file nothing can be read, which is no mere ending.
 */
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
		if (input_advance(c, in)) {
			c->heap[c->heap_len++] = (unsigned)i;
		} else if (in->broken && *hint(pcap_geterr(in->pcap))) {
			say(err, errsize, "%s: %s%s", in->name, pcap_geterr(in->pcap),
			    hint(pcap_geterr(in->pcap)));
			return false;
		}
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

		if (in->pcap)
			pcap_close(in->pcap);
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
	pk->stamp = in->stamp;
	pk->data = in->data;
	pk->caplen = in->hdr->caplen;
	pk->wirelen = in->hdr->len;
	if (pk->wirelen < pk->caplen) {
		pk->wirelen = pk->caplen;
		c->stats.bad_lengths++;
	}
	pk->dlt = in->dlt;
	pk->source = c->heap[0];
	pk->meta = (struct dissect_meta){0};
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
	for (size_t i = 1; i < c->n; i++)
		if (c->inputs[i].dlt != c->inputs[0].dlt)
			return -1;
	return c->n ? c->inputs[0].dlt : -1;
}

int capture_snaplen(const struct capture *c)
{
	int most = 0;

	for (size_t i = 0; i < c->n; i++)
		if (pcap_snapshot(c->inputs[i].pcap) > most)
			most = pcap_snapshot(c->inputs[i].pcap);
	return most;
}
