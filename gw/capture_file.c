/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/capture_file.h"

#include <pcap/dlt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	NS = 1000000000,
	PCAP_HEADER = 24,
	PCAP_RECORD = 16,
	PCAP_RECORD_MODIFIED = 24,
	/* Blocks of pcapng */
	BLOCK_SECTION = 0x0a0d0d0a,
	BLOCK_INTERFACE = 1,
	BLOCK_PACKET = 2, /* obsolete, but written once */
	BLOCK_SIMPLE = 3,
	BLOCK_ENHANCED = 6,
	BLOCK_LEAST = 12,
	BYTE_ORDER_MAGIC = 0x1a2b3c4d,
	OPTION_IF_NAME = 2,
	OPTION_FLAGS = 2, /* of a packet */
	OPTION_TSRESOL = 9,
	OPTION_TSOFFSET = 14,
	PACKET_OUTGOING = 4, /* packet type of Linux */
};

struct interface {
	int dlt;
	uint32_t snaplen;
	uint64_t units; /* of the time stamps, a second */
	int64_t offset; /* seconds */
	const char *name;
	uint8_t name_len;
};

/* A name, kept as long as the file: records point to it. */
struct name {
	struct name *next;
	char text[];
};

struct capture_file {
	struct capture_source *source;
	bool ng, big; /* numbers have the most significant byte first */
	bool modified, swapped_lengths, maybe_swapped;
	uint32_t tick; /* of pcap: ns that a fraction counts */
	struct interface *interface;
	size_t n, room;
	size_t section; /* of `interface`: where those of this section begin */
	struct name *names;
	size_t taken; /* bytes of the record that was given out */
	bool cut;
	char why[160];
};

/* ---- Numbers, and what is wrong. */

static uint16_t get16(const struct capture_file *f, const uint8_t *p)
{
	return f->big ? (uint16_t)(p[0] << 8 | p[1]) : (uint16_t)(p[1] << 8 | p[0]);
}

static uint32_t get32(const struct capture_file *f, const uint8_t *p)
{
	return f->big ? (uint32_t)get16(f, p) << 16 | get16(f, p + 2)
		      : (uint32_t)get16(f, p + 2) << 16 | get16(f, p);
}

static uint64_t get64(const struct capture_file *f, const uint8_t *p)
{
	return f->big ? (uint64_t)get32(f, p) << 32 | get32(f, p + 4)
		      : (uint64_t)get32(f, p + 4) << 32 | get32(f, p);
}

__attribute__((format(printf, 2, 3))) static int broken(struct capture_file *f, const char *fmt,
							...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f->why, sizeof(f->why), fmt, ap);
	va_end(ap);
	return -1;
}

/* n bytes from here on. False: the file ends before, or there is no memory. */
static bool want(struct capture_file *f, size_t n, const char *what, const uint8_t **p)
{
	size_t there = capture_source_peek(f->source, n, p);

	if (there >= n)
		return true;
	f->cut = true;
	broken(f, "truncated: %zu of the %zu bytes of %s", there, n, what);
	return false;
}

/*
 * The DLT_ value of a file's link type: the same but for a few old ones, whose DLT_ values
 * differ between systems.
 */
static int dlt_of(uint32_t linktype)
{
	static const struct {
		uint32_t linktype;
		int dlt;
	} others[] = {{100, DLT_ATM_RFC1483}, {101, DLT_RAW},	   {102, DLT_SLIP_BSDOS},
		      {103, DLT_PPP_BSDOS},   {106, DLT_ATM_CLIP}, {50, DLT_PPP_SERIAL},
		      {51, DLT_PPP_ETHER}};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (others[i].linktype == linktype)
			return others[i].dlt;
	return (int)linktype;
}

/* ---- Interfaces. */

static struct interface *add_interface(struct capture_file *f)
{
	if (f->n == f->room) {
		size_t room = f->room ? 2 * f->room : 4;
		struct interface *v = realloc(f->interface, room * sizeof(*v));

		if (!v) {
			broken(f, "no memory for %zu interfaces", room);
			return NULL;
		}
		f->interface = v;
		f->room = room;
	}
	f->interface[f->n] = (struct interface){.units = 1000000};
	return &f->interface[f->n++];
}

static int keep_name(struct capture_file *f, struct interface *i, const uint8_t *p, size_t len)
{
	struct name *name;

	/* some writers count the zero at its end */
	len = strnlen((const char *)p, len < UINT8_MAX ? len : UINT8_MAX);
	name = malloc(sizeof(*name) + len + 1);
	if (!name)
		return broken(f, "no memory for the name of an interface");
	memcpy(name->text, p, len);
	name->text[len] = '\0';
	name->next = f->names;
	f->names = name;
	i->name = name->text;
	i->name_len = (uint8_t)len;
	return 0;
}

/* if_tsresol: a power of ten, or of two with the highest bit set, of a second. */
static int set_resolution(struct capture_file *f, struct interface *i, uint8_t resol)
{
	unsigned power = resol & 0x7f;

	if (resol & 0x80 ? power > 63 : power > 19)
		return broken(f, "the time stamps of an interface count %s^-%u s, too fine",
			      resol & 0x80 ? "2" : "10", power);
	if (resol & 0x80) {
		i->units = UINT64_C(1) << power;
		return 0;
	}
	i->units = 1;
	while (power--)
		i->units *= 10;
	return 0;
}

static int interface_option(struct capture_file *f, struct interface *i, unsigned code,
			    const uint8_t *p, size_t len)
{
	switch (code) {
	case OPTION_IF_NAME:
		return keep_name(f, i, p, len);
	case OPTION_TSRESOL:
		if (len != 1)
			return broken(f, "an if_tsresol of %zu bytes", len);
		return set_resolution(f, i, *p);
	case OPTION_TSOFFSET:
		if (len != 8)
			return broken(f, "an if_tsoffset of %zu bytes", len);
		i->offset = (int64_t)get64(f, p);
		return 0;
	default:
		return 0;
	}
}

/* The block's bytes, from its type to its length at the end. */
static int read_interface(struct capture_file *f, const uint8_t *p, size_t len)
{
	struct interface *i;
	size_t at = 16, end = len - 4;

	if (len < 20)
		return broken(f, "an interface block of %zu bytes", len);
	i = add_interface(f);
	if (!i)
		return -1;
	i->dlt = dlt_of(get16(f, p + 8));
	i->snaplen = get32(f, p + 12);
	while (end - at >= 4) {
		unsigned code = get16(f, p + at);
		size_t n = get16(f, p + at + 2);

		at += 4;
		if (!code)
			break;
		if (n > end - at)
			return broken(f, "an option of an interface reaches beyond its block");
		if (interface_option(f, i, code, p + at, n))
			return -1;
		n = (n + 3) & ~(size_t)3;
		at = n < end - at ? at + n : end;
	}
	return 0;
}

/* ---- Time. */

/* What neither is a time nor can be shown as one. */
static void set_stamp(struct capture_record *r, __int128 sec, uint64_t ns, bool bad)
{
	r->believed = sec >= 0 && sec + ns / NS <= UINT32_MAX;
	r->bad_stamp = bad || !r->believed;
	if (r->believed)
		r->stamp = (uint64_t)sec * NS + ns;
	else
		r->stamp = sec < 0 ? 0 : CAPTURE_TIME_MAX;
}

static void set_ticks(struct capture_record *r, const struct interface *i, uint64_t ticks)
{
	uint64_t rest = ticks % i->units;

	set_stamp(r, (__int128)(ticks / i->units) + i->offset,
		  i->units == 1000000 ? rest * 1000
				      : (uint64_t)((unsigned __int128)rest * NS / i->units),
		  false);
}

/* ---- pcap. */

static bool is_pcap(struct capture_file *f, const uint8_t *p)
{
	for (unsigned big = 0; big < 2; big++) {
		f->big = big;
		switch (get32(f, p)) {
		case 0xa1b2c3d4:
			f->tick = 1000;
			return true;
		case 0xa1b23c4d:
			f->tick = 1;
			return true;
		case 0xa1b2cd34:
			f->tick = 1000;
			f->modified = true;
			return true;
		default:
			break;
		}
	}
	return false;
}

static int pcap_open_file(struct capture_file *f)
{
	struct interface *i;
	const uint8_t *p;
	unsigned major, minor;

	if (!want(f, PCAP_HEADER, "the file's header", &p))
		return -1;
	major = get16(f, p + 4);
	minor = get16(f, p + 6);
	/* Versions before 2.3 had the lengths the other way round, and so had those of 543. */
	if (major != 2 && major != 543)
		return broken(f, "version %u.%u of pcap is not known", major, minor);
	f->swapped_lengths = major == 543 || minor < 3;
	f->maybe_swapped = major == 2 && minor == 3;
	i = add_interface(f);
	if (!i)
		return -1;
	i->snaplen = get32(f, p + 16);
	i->dlt = dlt_of(get32(f, p + 20) & 0x03ffffff); /* above it, about checksums */
	capture_source_skip(f->source, PCAP_HEADER);
	return 0;
}

static int pcap_next_record(struct capture_file *f, struct capture_record *r)
{
	size_t head = f->modified ? PCAP_RECORD_MODIFIED : PCAP_RECORD;
	const struct interface *i = f->interface;
	const uint8_t *p;
	uint32_t stored, other;
	uint64_t ns;

	if (!capture_source_peek(f->source, head, &p))
		return 0;
	if (!want(f, head, "a packet's header", &p))
		return -1;
	stored = get32(f, p + 8);
	other = get32(f, p + 12);
	if (f->swapped_lengths || (f->maybe_swapped && stored > other)) {
		uint32_t was = stored;

		stored = other;
		other = was;
	}
	if (stored > CAPTURE_PACKET_MAX)
		return broken(f, "invalid packet capture length %u, bigger than %u", stored,
			      CAPTURE_PACKET_MAX);
	if (!want(f, head + stored, "a packet", &p))
		return -1;
	*r = (struct capture_record){
		.data = p + head, .caplen = stored, .wirelen = other, .dlt = i->dlt};
	/* as libpcap does: what is beyond the file's own limit is not part of the packet */
	if (i->snaplen && i->snaplen < stored)
		r->caplen = i->snaplen;
	if (f->modified) {
		r->way.ifindex = get32(f, p + 16);
		r->way.direction = p[22] == PACKET_OUTGOING ? DISSECT_OUT : DISSECT_IN;
	}
	ns = (uint64_t)get32(f, p + 4) * f->tick;
	set_stamp(r, get32(f, p), ns, ns >= NS);
	f->taken = head + stored;
	return 1;
}

/* ---- pcapng. */

static bool is_section(const uint8_t *p)
{
	return p[0] == 0x0a && p[1] == 0x0d && p[2] == 0x0d && p[3] == 0x0a;
}

/* A section: its byte order is its own. p: 12 bytes. */
static int begin_section(struct capture_file *f, const uint8_t *p)
{
	f->big = true;
	if (get32(f, p + 8) != BYTE_ORDER_MAGIC) {
		f->big = false;
		if (get32(f, p + 8) != BYTE_ORDER_MAGIC)
			return broken(f, "a section without a byte order");
	}
	f->section = f->n;
	return 0;
}

/* The whole block that comes next. 1, 0 at the end, -1. */
static int next_block(struct capture_file *f, uint32_t *type, const uint8_t **p, size_t *len)
{
	if (!capture_source_peek(f->source, BLOCK_LEAST, p))
		return 0;
	if (!want(f, BLOCK_LEAST, "a block's header", p))
		return -1;
	if (is_section(*p) && begin_section(f, *p))
		return -1;
	*type = get32(f, *p);
	*len = get32(f, *p + 4);
	if (*len < BLOCK_LEAST || *len % 4 || *len > CAPTURE_BLOCK_MAX)
		return broken(f, "a block of type %#x has %zu bytes, which cannot be", *type,
			      *len);
	if (!want(f, *len, "a block", p))
		return -1;
	/* libpcap does not look at that of a section either */
	if (*type != BLOCK_SECTION && get32(f, *p + *len - 4) != *len)
		return broken(f, "the two lengths of a block of type %#x differ", *type);
	if (*type == BLOCK_SECTION && (*len < 28 || get16(f, *p + 12) != 1))
		return broken(f, "version %u of pcapng is not known",
			      *len < 28 ? 0 : get16(f, *p + 12));
	return 1;
}

/* The direction from a packet's options, which begin at `at`. What is odd there is passed over.
 */
static uint8_t direction(const struct capture_file *f, const uint8_t *p, size_t at, size_t end)
{
	while (at < end && end - at >= 4) {
		unsigned code = get16(f, p + at);
		size_t n = get16(f, p + at + 2);

		at += 4;
		if (!code || n > end - at)
			break;
		if (code == OPTION_FLAGS && n == 4)
			switch (get32(f, p + at) & 3) {
			case 1:
				return DISSECT_IN;
			case 2:
				return DISSECT_OUT;
			default:
				return DISSECT_NO_WAY;
			}
		at += (n + 3) & ~(size_t)3;
	}
	return DISSECT_NO_WAY;
}

static int set_interface(struct capture_file *f, struct capture_record *r, uint32_t id)
{
	const struct interface *i;

	if (id >= f->n - f->section)
		return broken(f, "a packet of interface %u, which no block describes", id);
	r->interface = (uint32_t)f->section + id;
	i = &f->interface[r->interface];
	r->dlt = i->dlt;
	r->way.ifname = i->name;
	r->way.ifname_len = i->name_len;
	return 0;
}

/* An enhanced packet, or an obsolete one, which has the same layout but for its first word. */
static int read_packet(struct capture_file *f, struct capture_record *r, uint32_t type,
		       const uint8_t *p, size_t len)
{
	size_t end = len - 4, padded;

	if (len < 32)
		return broken(f, "a packet block of %zu bytes", len);
	*r = (struct capture_record){
		.caplen = get32(f, p + 20), .wirelen = get32(f, p + 24), .data = p + 28};
	if (set_interface(f, r, type == BLOCK_PACKET ? get16(f, p + 8) : get32(f, p + 8)))
		return -1;
	if (r->caplen > end - 28)
		return broken(f, "invalid packet capture length %u in a block of %zu bytes",
			      r->caplen, len);
	set_ticks(r, &f->interface[r->interface],
		  (uint64_t)get32(f, p + 12) << 32 | get32(f, p + 16));
	padded = 28 + (((size_t)r->caplen + 3) & ~(size_t)3);
	if (padded < end)
		r->way.direction = direction(f, p, padded, end);
	return 1;
}

/* A simple packet: of the first interface, and without a time. */
static int read_simple(struct capture_file *f, struct capture_record *r, const uint8_t *p,
		       size_t len)
{
	uint32_t snaplen;

	if (len < 16)
		return broken(f, "a packet block of %zu bytes", len);
	*r = (struct capture_record){.data = p + 12, .wirelen = get32(f, p + 8)};
	if (set_interface(f, r, 0))
		return -1;
	snaplen = f->interface[r->interface].snaplen;
	r->caplen = r->wirelen < len - 16 ? r->wirelen : (uint32_t)len - 16;
	if (snaplen && r->caplen > snaplen)
		r->caplen = snaplen;
	r->bad_stamp = true;
	return 1;
}

/* Goes on to the next packet, but leaves it where it is. 1: *type, *p and *len are its. */
static int find_packet(struct capture_file *f, uint32_t *type, const uint8_t **p, size_t *len)
{
	int rc;

	while ((rc = next_block(f, type, p, len)) == 1) {
		if (*type == BLOCK_ENHANCED || *type == BLOCK_SIMPLE || *type == BLOCK_PACKET)
			return 1;
		if (*type == BLOCK_INTERFACE && read_interface(f, *p, *len))
			return -1;
		capture_source_skip(f->source, *len);
	}
	return rc;
}

static int ng_next_record(struct capture_file *f, struct capture_record *r)
{
	const uint8_t *p;
	uint32_t type;
	size_t len;
	int rc = find_packet(f, &type, &p, &len);

	if (rc != 1)
		return rc;
	rc = type == BLOCK_SIMPLE ? read_simple(f, r, p, len) : read_packet(f, r, type, p, len);
	f->taken = len;
	return rc;
}

/* All that is in the file before its first packet; what ends it too early is told later. */
static int ng_open_file(struct capture_file *f)
{
	const uint8_t *p;
	uint32_t type;
	size_t len;
	int rc = find_packet(f, &type, &p, &len);

	if (f->n)
		return 0;
	return rc < 0 ? -1 : broken(f, "describes no interface, so it has no packets");
}

/* ---- */

static int open_file(struct capture_file *f)
{
	const uint8_t *p;
	size_t n = capture_source_peek(f->source, 4, &p);

	if (!n)
		return broken(f, "is empty");
	if (n < 4)
		return broken(f, "is neither pcap nor pcapng");
	if (is_pcap(f, p))
		return pcap_open_file(f);
	f->ng = is_section(p);
	return f->ng ? ng_open_file(f) : broken(f, "is neither pcap nor pcapng");
}

struct capture_file *capture_file_open(struct capture_source *source, char *err, size_t errsize)
{
	struct capture_file *f = calloc(1, sizeof(*f));

	err[0] = '\0';
	if (!f)
		return NULL;
	f->source = source;
	if (!open_file(f))
		return f;
	snprintf(err, errsize, "%s", f->why);
	capture_file_close(f);
	return NULL;
}

void capture_file_close(struct capture_file *f)
{
	if (!f)
		return;
	while (f->names) {
		struct name *next = f->names->next;

		free(f->names);
		f->names = next;
	}
	free(f->interface);
	free(f);
}

int capture_file_next(struct capture_file *f, struct capture_record *rec)
{
	int rc;

	if (f->why[0])
		return -1;
	capture_source_skip(f->source, f->taken);
	f->taken = 0;
	rc = f->ng ? ng_next_record(f, rec) : pcap_next_record(f, rec);
	/* a capture whose bytes cannot all be had ends badly, even behind a packet */
	return !rc && capture_source_why(f->source) ? broken(f, "ends early") : rc;
}

const char *capture_file_why(const struct capture_file *f)
{
	return capture_source_why(f->source) ? capture_source_why(f->source) : f->why;
}

bool capture_file_cut(const struct capture_file *f)
{
	return f->cut;
}

size_t capture_file_interfaces(const struct capture_file *f)
{
	return f->n;
}

int capture_file_dlt(const struct capture_file *f, size_t i)
{
	return f->interface[i].dlt;
}

uint32_t capture_file_snaplen(const struct capture_file *f)
{
	uint32_t most = 0;

	for (size_t i = 0; i < f->n; i++) {
		if (!f->interface[i].snaplen)
			return 0;
		if (f->interface[i].snaplen > most)
			most = f->interface[i].snaplen;
	}
	return most;
}
