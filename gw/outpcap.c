/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/outpcap.h"

#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NS = 1000000000, BUFFER = 64 * 1024, SNAPLEN_MOST = 262144 };

struct outpcap {
	char *name;
	char *buffer; /* of `file` */
	FILE *file;
	pcap_t *pcap;
	pcap_dumper_t *dumper;
	bool raw;
	int error; /* errno of the first write that failed */
};

static FILE *open_file(struct outpcap *o, const char *name)
{
	/* A descriptor of our own, so that closing it tells of errors there too. */
	int fd = !strcmp(name, "-")
			 ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
			 : open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");

	if (!f) {
		int e = errno;

		if (fd >= 0)
			close(fd);
		errno = e;
		return NULL;
	}
	o->buffer = malloc(BUFFER);
	if (o->buffer)
		setvbuf(f, o->buffer, _IOFBF, BUFFER);
	__fsetlocking(f, FSETLOCKING_BYCALLER);
	return f;
}

static void outpcap_free(struct outpcap *o)
{
	if (o->dumper)
		pcap_dump_close(o->dumper);
	else if (o->file)
		fclose(o->file);
	if (o->pcap)
		pcap_close(o->pcap);
	free(o->buffer);
	free(o->name);
	free(o);
}

struct outpcap *outpcap_open(const char *name, int dlt, int snaplen, char *err, size_t errsize)
{
	struct outpcap *o = calloc(1, sizeof(*o));

	if (o)
		o->name = strdup(!strcmp(name, "-") ? "standard output" : name);
	if (!o || !o->name) {
		snprintf(err, errsize, "%s: out of memory", name);
		free(o);
		return NULL;
	}
	o->raw = dlt < 0;
	if (snaplen <= 0 || snaplen > SNAPLEN_MOST)
		snaplen = SNAPLEN_MOST;
	o->file = open_file(o, name);
	if (!o->file) {
		snprintf(err, errsize, "%s: %s", o->name, strerror(errno));
		outpcap_free(o);
		return NULL;
	}
	o->pcap = pcap_open_dead_with_tstamp_precision(o->raw ? DLT_RAW : dlt, snaplen,
						       PCAP_TSTAMP_PRECISION_NANO);
	if (o->pcap)
		o->dumper = pcap_dump_fopen(o->pcap, o->file);
	if (!o->dumper) {
		snprintf(err, errsize, "%s: %s", o->name,
			 o->pcap ? pcap_geterr(o->pcap) : "out of memory");
		outpcap_free(o);
		return NULL;
	}
	return o;
}

void outpcap_write(struct outpcap *o, uint64_t when_ns, const uint8_t *data, uint32_t caplen,
		   uint32_t wirelen, uint32_t ip_offset)
{
	uint64_t sec = when_ns / NS;
	struct pcap_pkthdr h = {.caplen = caplen, .len = wirelen};

	if (o->error)
		return;
	if (o->raw) {
		if (ip_offset > caplen)
			ip_offset = caplen;
		data += ip_offset;
		h.caplen -= ip_offset;
		h.len -= ip_offset;
	}
	/* The file's seconds have 32 bits, and end in 2106. */
	h.ts.tv_sec = (time_t)(sec > UINT32_MAX ? UINT32_MAX : sec);
	h.ts.tv_usec = (suseconds_t)(sec > UINT32_MAX ? NS - 1 : when_ns % NS);
	errno = 0;
	pcap_dump((u_char *)o->dumper, &h, data);
	if (ferror_unlocked(o->file))
		o->error = errno ? errno : EIO;
}

int outpcap_close(struct outpcap *o, char *err, size_t errsize)
{
	/* What pcap_dump_close() does not report, the closing of a second descriptor does. */
	int fd = dup(fileno(o->file));
	int e = o->error;

	errno = 0;
	if (pcap_dump_flush(o->dumper) && !e)
		e = errno ? errno : EIO;
	pcap_dump_close(o->dumper);
	o->dumper = NULL;
	o->file = NULL;
	if (fd >= 0 && close(fd) && !e)
		e = errno;
	if (e)
		snprintf(err, errsize, "%s: %s", o->name, strerror(e));
	outpcap_free(o);
	return e ? -1 : 0;
}

/* An open-addressed table, at most half full; an entry is moved up when one before it goes. */
struct holder {
	struct held **slots;
	size_t mask, count;
	size_t bytes, max_bytes;
};

enum { HOLDER_FIRST = 256, HELD_OVERHEAD = sizeof(struct held) + 2 * sizeof(void *) };

/*
 * Ids count up, so that the neighbours in a table by remainder are all different. Those of the
 * pieces of a packet differ in the bits from 40 on alone: they are spread by them.
 */
static size_t home(const struct holder *h, uint64_t id)
{
	return (size_t)(id + (id >> 40) * 0x9e3779b1u) & h->mask;
}

static size_t find(const struct holder *h, uint64_t id)
{
	size_t at = home(h, id);

	while (h->slots[at] && h->slots[at]->id != id)
		at = (at + 1) & h->mask;
	return at;
}

struct holder *holder_new(size_t max_bytes)
{
	struct holder *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->slots = calloc(HOLDER_FIRST, sizeof(struct held *));
	if (!h->slots) {
		free(h);
		return NULL;
	}
	h->mask = HOLDER_FIRST - 1;
	h->max_bytes = max_bytes;
	return h;
}

void holder_free(struct holder *h)
{
	if (!h)
		return;
	for (size_t i = 0; i <= h->mask; i++)
		free(h->slots[i]);
	free(h->slots);
	free(h);
}

static int grow(struct holder *h)
{
	struct held **old = h->slots;
	size_t old_size = h->mask + 1;

	h->slots = calloc(2 * old_size, sizeof(struct held *));
	if (!h->slots) {
		h->slots = old;
		return -1;
	}
	h->mask = 2 * old_size - 1;
	for (size_t i = 0; i < old_size; i++)
		if (old[i])
			h->slots[find(h, old[i]->id)] = old[i];
	free(old);
	return 0;
}

int holder_put(struct holder *h, uint64_t id, const uint8_t *data, uint32_t caplen,
	       uint32_t wirelen, uint32_t ip_offset)
{
	struct held *p;

	if (caplen > h->max_bytes || h->max_bytes - caplen < HELD_OVERHEAD ||
	    h->bytes > h->max_bytes - caplen - HELD_OVERHEAD)
		return -1;
	if (2 * (h->count + 1) > h->mask + 1 && grow(h))
		return -1;
	p = malloc(sizeof(*p) + caplen);
	if (!p)
		return -1;
	*p = (struct held){
		.id = id, .caplen = caplen, .wirelen = wirelen, .ip_offset = ip_offset};
	memcpy(p->data, data, caplen);
	h->slots[find(h, id)] = p;
	h->count++;
	h->bytes += caplen + HELD_OVERHEAD;
	return 0;
}

struct held *holder_take(struct holder *h, uint64_t id)
{
	size_t hole = find(h, id);
	struct held *p = h->slots[hole];

	if (!p)
		return NULL;
	h->count--;
	h->bytes -= p->caplen + HELD_OVERHEAD;
	h->slots[hole] = NULL;
	for (size_t at = (hole + 1) & h->mask; h->slots[at]; at = (at + 1) & h->mask) {
		size_t from_home = (at - home(h, h->slots[at]->id)) & h->mask;

		/* Whoever's search would pass the hole moves into it. */
		if (from_home >= ((at - hole) & h->mask)) {
			h->slots[hole] = h->slots[at];
			h->slots[at] = NULL;
			hole = at;
		}
	}
	return p;
}

size_t holder_count(const struct holder *h)
{
	return h->count;
}
