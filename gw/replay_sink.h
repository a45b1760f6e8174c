/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a replay does with its packets: counts those on no link, writes the trace and the
 * capture of what left. Inside gw/replay*.c only.
 *
 * A packet that was cut into pieces is one line of the trace, which says what became of it when
 * the last of its pieces has left or was dropped; in the output each piece is a packet.
 */
#ifndef WEIR_GW_REPLAY_SINK_H
#define WEIR_GW_REPLAY_SINK_H

#include "gw/capture_look.h"
#include "gw/drive.h"
#include "gw/outpcap.h"
#include "gw/replay.h"
#include "gw/trace.h"

/* A packet of the capture of which pieces are under way. */
struct replay_whole {
	uint64_t number, departure;
	uint32_t left, sent; /* pieces of which nothing is known yet; that left */
	bool traced;	     /* its line is given, but for what became of it */
	bool marked;
	const char *drop, *part; /* why the first of those dropped was; as of some of them */
	uint32_t next_free;	 /* index + 1; 0: none */
};

struct replay_frame {
	const uint8_t *data;
	uint32_t caplen, wirelen;
	uint32_t ip; /* offset of the IP header */
};

struct replay_sink {
	struct replay_result *result;
	struct drive *drive; /* stopped when there is no memory */
	struct capture_look *look;
	struct trace *trace; /* NULL: none */
	struct outpcap *out; /* NULL: none */
	struct holder *held; /* with `out` */
	int out_dlt;	     /* -1: raw IP */
	uint64_t unwritten;  /* packets that left and are not in the output */
	bool other_type;     /* its link type cannot hold some of them */
	bool no_memory;
	/* private: the unit that has just come, copied only if it has to wait */
	bool here;
	uint64_t here_id;
	struct replay_frame frame;
	uint8_t *scratch;
	size_t scratch_size;
	struct replay_whole *whole;
	uint32_t n_whole, room_whole, free_whole;
};

extern const struct drive_sink replay_sink;
void replay_sink_fini(struct replay_sink *s);

#endif
