/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket: a gateway is asked, and answers in JSON, a line each.
 *
 *     -> {"weir-control": 1, "do": "status"}          stats, status, reload, ping
 *        "histograms": true                           of stats: with histograms of delays
 *        "progress": true                             of reload: with lines as it goes on
 *     <- {"weir-control": 1, "ok": true, ...}         or "ok": false, "error": "...",
 *                                                     "complaints": [...] of a reload
 *     <- {"weir-control": 1, "progress": "..."}       before the answer, if it was asked for
 *
 * A stream socket, mode 0660. Several requests may follow each other on one connection: each is
 * carried out when the answer before has been taken. A reload is answered when it has ended;
 * what else is asked meanwhile, at once. The server never waits for a client. Cut off are one
 * that says a line longer than CONTROL_REQUEST_MAX (with an answer), the most silent one when
 * all CONTROL_CLIENTS_MAX places are taken, and those that leave their answers unread when
 * these become too much together.
 */
#ifndef WEIR_GW_CONTROL_H
#define WEIR_GW_CONTROL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CONTROL_PATH "/run/weir/weir.sock"
#define CONTROL_VERSION 1
#define CONTROL_REQUEST_MAX 4096u
#define CONTROL_CLIENTS_MAX 32u

struct control;

/*
 * An object as text, from behind its opening brace to its closing one. next: what follows,
 * freed by the caller; NULL: there is no more, or, where *n is not 0, no memory. cost: bytes
 * that are held until end is called.
 */
struct control_pieces {
	char *(*next)(void *of, size_t *n);
	void (*end)(void *of);
	void *of;
	size_t cost;
};

/* What a server asks of who owns the gateway; returns a new reference, never NULL. */
struct control_ops {
	json_t *(*status)(void *arg); /* an object; control adds "weir-control" and "ok" */
	json_t *(*stats)(void *arg, bool histograms);
	/*
	 * If there is one, in place of stats: an answer that is made while it is sent. False:
	 * there is no memory.
	 */
	bool (*stats_pieces)(void *arg, bool histograms, struct control_pieces *to);
	/*
	 * NULL: it goes on, or has to wait for one that does; control_answer() with this ticket
	 * or a higher one tells its end. Tickets count up from 1.
	 */
	json_t *(*reload)(void *arg, uint64_t ticket, bool *ok);
	void *arg;
};

/*
 * Makes the socket (and its folder, if that is missing); a dead one of the same name is
 * replaced, one that answers is an error. uid, gid: whose it becomes; -1: as it is. NULL with
 * one line in err.
 */
struct control *control_open(const char *path, uid_t uid, gid_t gid,
			     const struct control_ops *ops, char *err, size_t errsize);
void control_close(struct control *c); /* removes the socket */
/* One file descriptor (an epoll) to wait on, and what to do when it is readable. */
int control_fd(const struct control *c);
void control_event(struct control *c);
/*
 * The answer to all reloads whose ticket is `ticket` or lower; takes doc over. Those who asked
 * may be gone: then to nobody.
 */
void control_answer(struct control *c, uint64_t ticket, json_t *doc, bool ok);
/* A line to those who wait for that and want to hear of it. */
void control_progress(struct control *c, uint64_t ticket, const char *text);

/* The other side. Asks and waits for the answer (at most timeout_ms); NULL with one line in
 * err. */
json_t *control_ask(const char *path, const char *what, int timeout_ms, char *err,
		    size_t errsize);

/* Whether nobody listens there: there is no such socket, or a dead one. */
bool control_absent(const char *path);

/*
 * The same with "progress": whenever the gateway says that it is still at it, `progress` is
 * called and timeout_ms begin anew. NULL with one line in err; *began: it was asked, and what
 * comes of it is not known.
 */
json_t *control_ask_long(const char *path, const char *what, int timeout_ms,
			 void (*progress)(const char *text), bool *began, char *err,
			 size_t errsize);

/*
 * The same for those who wait for other things too. `with` is a further key of the request
 * that is to be true, or NULL. control_call_begin() does not wait; NULL with one line in err.
 * control_call_read(), to be called when the descriptor is readable: 1, the answer in *answer;
 * 0, not all of it is there yet; -1 with one line in err. Lines with "progress" count as none.
 * control_call_end() in any case.
 */
struct control_call;
struct control_call *control_call_begin(const char *path, const char *what, const char *with,
					char *err, size_t errsize);
int control_call_fd(const struct control_call *c);
int control_call_read(struct control_call *c, json_t **answer, char *err, size_t errsize);
void control_call_end(struct control_call *c); /* NULL: nothing */

#endif
