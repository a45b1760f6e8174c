/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Synthetic traffic for policy tests: streams of made packets in virtual time.
 *
 * The packets are real headers (IPv4 or IPv6, and UDP, TCP, ICMP, ESP or GRE) with
 * true lengths and checksums, so that they take the same way through dissector and
 * matcher as those of a capture. Payload is zeros, of which only a little is there.
 *
 * Everything is integer arithmetic on a seeded generator: a stream gives the same
 * packets at the same nanoseconds on every machine.
 *
 *  constant  packet k goes when the bits before it have been sent at `rate`, to the ns,
 *            or every `interval`
 *  poisson   exponential gaps whose mean is that of the same stream if constant
 *  on-off    constant at `rate` for `on`, then silent for `off`; both fixed or exponential
 *  greedy    always has packets to send: every flow keeps `window` of them offered. One
 *            that leaves is replaced at once; one that is dropped is replaced after a
 *            packet's time on the link, all replacements of a stream one after another,
 *            so that a queue that drops whatever comes cannot hold time still
 *
 * The first three are open loops; greedy wants to be told what became of its packets
 * (synth_sent, synth_dropped), and its answer may be due before what synth_when() said
 * earlier: ask again after telling.
 */
#ifndef WEIR_GW_SYNTH_H
#define WEIR_GW_SYNTH_H

#include "qos/dissect.h"
#include "qos/policy.h"

#define SYNTH_CAP 80		   /* bytes of a packet that are made */
#define SYNTH_STREAMS_MAX 256	   /* of one test */
#define SYNTH_FLOWS_MAX (1u << 20) /* of one stream; greedy: flows times window */
#define SYNTH_SIZES_MAX 64	   /* entries of a mix */
#define SYNTH_WEIGHT_MAX 1000
#define SYNTH_TIME_MAX 86400000000000ULL /* ns: a day */

/* xoshiro256**, seeded through splitmix64 (Blackman, Vigna: "Scrambled linear pseudorandom
 * number generators", 2021). */
struct synth_rand {
	uint64_t s[4];
};
void synth_rand_init(struct synth_rand *r, uint64_t seed);
uint64_t synth_rand_next(struct synth_rand *r);
/* Uniform in 0..n-1, without bias; n > 0. */
uint64_t synth_rand_below(struct synth_rand *r, uint64_t n);
/* Exponential with mean 1, as a fixed-point number with 32 fraction bits; at most 64 ln 2. */
uint64_t synth_rand_exp(struct synth_rand *r);
/* A seed from texts, for streams that name none: the same on every machine. */
uint64_t synth_seed(const char *test, const char *stream);

enum synth_kind { SYNTH_CONSTANT, SYNTH_POISSON, SYNTH_ON_OFF, SYNTH_GREEDY };

struct synth_size { /* bytes of the IP packet, lo..hi evenly */
	uint32_t lo, hi, weight;
};

struct synth_hosts { /* n addresses from `first` on */
	uint8_t first[16];
	uint32_t n;
};

struct synth_stream {
	char *name;
	struct policy_mark at; /* in the test file */
	enum synth_kind kind;
	uint64_t rate;	   /* bit/s of IP packets; 0: by interval */
	uint64_t interval; /* ns */
	struct synth_size size[SYNTH_SIZES_MAX];
	unsigned n_size;
	uint8_t version; /* 4 or 6 */
	struct synth_hosts src, dst;
	uint8_t proto; /* 1, 6, 17, 47, 50 or 58 */
	uint16_t sport, dport;
	uint32_t sports, dports; /* how many from there on may be used, at least 1 */
	uint8_t dscp, ecn;
	struct dissect_meta meta; /* of all its packets; what is not said is not known */
	uint32_t flows;		  /* spread over hosts first, then over source ports */
	uint32_t window;	  /* greedy: packets offered, of each flow */
	uint64_t start, end;	  /* ns from the origin; packets come in [start, end) */
	uint64_t on, off;	  /* ns */
	bool random_periods;	  /* on and off are means of exponential times */
	uint64_t seed;
};

/* Bytes of headers that a stream's packets have: none may be smaller. */
uint32_t synth_header_size(const struct synth_stream *s);

/*
 * Makes the nth packet of a flow with `size` bytes of IP; size is not below
 * synth_header_size(). Returns how many of them are in buf, at most SYNTH_CAP.
 */
uint32_t synth_build(const struct synth_stream *s, uint32_t flow, uint32_t size, uint64_t nth,
		     uint8_t buf[SYNTH_CAP]);

struct synth_packet {
	uint64_t when;
	unsigned stream; /* index */
	uint32_t flow;
	uint32_t caplen, len; /* of IP */
	uint8_t data[SYNTH_CAP];
};

struct synth;

/* All streams of a test, from `origin` on. v is not copied. NULL: no memory. */
struct synth *synth_new(const struct synth_stream *v, size_t n, uint64_t origin);
void synth_free(struct synth *s);

/* When the next packet comes; UINT64_MAX: none, unless a greedy stream is told something. */
uint64_t synth_when(const struct synth *s);
/* That packet: false when there is none. At one instant, streams go in their order. */
bool synth_next(struct synth *s, struct synth_packet *pk);

/* What became of a packet at `when` (not running backwards). Open loops don't care. */
void synth_sent(struct synth *s, unsigned stream, uint32_t flow, uint64_t when);
/* `gap`: ns that a packet of its size takes on the link. */
void synth_dropped(struct synth *s, unsigned stream, uint32_t flow, uint64_t when,
		   uint64_t gap);

#endif
