/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The socket's server. A client is read while nothing of an answer waits for it, and each
 * call of control_event() carries out at most one request of it: so one that asks and asks
 * without reading holds up itself, and nobody else.
 */
#include "gw/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gw/control_listen.h"

/*
 * Bytes of answers that wait, of all clients together: some five answers on 10,000 classes.
 * One client alone may have more.
 */
#define UNREAD_MAX ((size_t)64 << 20)
#define EVENTS 16

struct client {
	int fd;		/* -1: free */
	uint64_t last;	/* when it was last heard of, in events */
	bool ended;	/* it says no more, or must not */
	uint64_t waits; /* for the end of a reload: its ticket; 0: for nothing */
	bool progress;	/* and wants to hear of it meanwhile */
	size_t n_in;
	char in[CONTROL_REQUEST_MAX];
	char *out;
	size_t n_out, sent;
	struct control_pieces more; /* of that answer; next NULL: none */
};

struct control {
	char *path;
	struct control_file file;
	int fd, epoll;
	int spare; /* given up for a moment to turn a client away when no other is left */
	struct control_ops ops;
	uint64_t events, tickets;
	size_t unread;
	struct client client[CONTROL_CLIENTS_MAX];
};

static int watch(const struct control *c, int op, int fd, uint32_t events, void *of)
{
	struct epoll_event ev = {.events = events, .data.ptr = of};

	return epoll_ctl(c->epoll, op, fd, &ev);
}

static int open_spare(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static int start(struct control *c, const char *path, uid_t uid, gid_t gid, char *err,
		 size_t errsize)
{
	c->path = strdup(path);
	c->spare = open_spare();
	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!c->path || c->epoll < 0) {
		snprintf(err, errsize, "control socket: %s", strerror(errno));
		return -1;
	}
	c->fd = control_listen(path, uid, gid, &c->file, err, errsize);
	if (c->fd < 0)
		return -1;
	if (watch(c, EPOLL_CTL_ADD, c->fd, EPOLLIN, NULL)) {
		snprintf(err, errsize, "control socket: epoll: %s", strerror(errno));
		return -1;
	}
	return 0;
}

struct control *control_open(const char *path, uid_t uid, gid_t gid,
			     const struct control_ops *ops, char *err, size_t errsize)
{
	struct control *c = calloc(1, sizeof(*c));

	if (!c) {
		snprintf(err, errsize, "control socket: %s", strerror(ENOMEM));
		return NULL;
	}
	c->fd = c->epoll = c->spare = -1;
	c->ops = *ops;
	for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++)
		c->client[i].fd = -1;
	if (!start(c, path, uid, gid, err, errsize))
		return c;
	control_close(c);
	return NULL;
}

/* ---- Clients. */

static void forget_text(struct control *c, struct client *k)
{
	c->unread -= k->n_out;
	free(k->out);
	k->out = NULL;
	k->n_out = k->sent = 0;
}

static void forget_pieces(struct control *c, struct client *k)
{
	if (!k->more.next)
		return;
	c->unread -= k->more.cost;
	k->more.end(k->more.of);
	k->more = (struct control_pieces){0};
}

static void forget_answer(struct control *c, struct client *k)
{
	forget_text(c, k);
	forget_pieces(c, k);
}

/* Whether an answer, or a part of one, waits for it. */
static bool is_answered(const struct client *k)
{
	return k->n_out || k->more.next;
}

static void drop_client(struct control *c, struct client *k)
{
	close(k->fd); /* and epoll forgets it */
	forget_answer(c, k);
	*k = (struct client){.fd = -1};
}

void control_close(struct control *c)
{
	for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++)
		if (c->client[i].fd >= 0)
			drop_client(c, &c->client[i]);
	if (c->fd >= 0) {
		control_remove(c->path, &c->file);
		close(c->fd);
	}
	if (c->epoll >= 0)
		close(c->epoll);
	if (c->spare >= 0)
		close(c->spare);
	free(c->path);
	free(c);
}

int control_fd(const struct control *c)
{
	return c->epoll;
}

/* The one that has been silent for longest, of all or of those with an answer that waits. */
static struct client *oldest(struct control *c, bool unread, const struct client *but)
{
	struct client *found = NULL;

	for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		struct client *k = &c->client[i];

		/* one that waits is silent because the gateway is */
		if (k == but || k->fd < 0 || k->waits || (unread && !is_answered(k)))
			continue;
		if (!found || k->last < found->last)
			found = k;
	}
	return found;
}

static struct client *client_place(struct control *c)
{
	struct client *k;

	for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++)
		if (c->client[i].fd < 0)
			return &c->client[i];
	k = oldest(c, false, NULL);
	if (k)
		drop_client(c, k);
	return k;
}

/* Else the connection would wait and be told again and again. */
static void turn_away(struct control *c)
{
	int fd;

	if (c->spare >= 0)
		close(c->spare);
	fd = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0)
		close(fd);
	c->spare = open_spare();
}

static void take_client(struct control *c)
{
	struct client *k;
	int fd = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE)
			turn_away(c);
		return; /* or it went away again */
	}
	k = client_place(c);
	if (!k) { /* all wait */
		close(fd);
		return;
	}
	k->fd = fd;
	k->last = ++c->events;
	if (watch(c, EPOLL_CTL_ADD, fd, EPOLLIN, k))
		drop_client(c, k);
}

/* ---- Requests and answers. */

/* A line for the client, behind what waits for it. Takes doc over. False: no memory. */
static bool put_line(struct control *c, struct client *k, json_t *doc)
{
	struct client *other;
	char *text, *all;
	size_t n;

	json_object_set_new(doc, "weir-control", json_integer(CONTROL_VERSION));
	text = json_dumps(doc, JSON_COMPACT);
	json_decref(doc);
	if (!text)
		return false;
	n = strlen(text) + 1;
	text[n - 1] = '\n'; /* in place of the 0: its length is known */
	if (k->n_out) {
		all = realloc(k->out, k->n_out + n);
		if (all)
			memcpy(all + k->n_out, text, n);
		free(text);
		if (!all)
			return false;
		text = all;
	}
	k->out = text;
	k->n_out += n;
	c->unread += n;
	while (c->unread > UNREAD_MAX && (other = oldest(c, true, k)))
		drop_client(c, other);
	return true;
}

/* The first piece, with what every answer has; the others when that has been sent. */
static bool begin_pieces(struct control *c, struct client *k, const struct control_pieces *p)
{
	struct client *other;
	int n = asprintf(&k->out, "{\"weir-control\":%d,\"ok\":true,", CONTROL_VERSION);

	if (n < 0) {
		k->out = NULL;
		p->end(p->of);
		return false;
	}
	k->n_out = (size_t)n;
	k->more = *p;
	c->unread += k->n_out + p->cost;
	while (c->unread > UNREAD_MAX && (other = oldest(c, true, k)))
		drop_client(c, other);
	return true;
}

/* Takes the next piece, or the end of the line. False: there is no memory. */
static bool next_piece(struct control *c, struct client *k)
{
	k->out = k->more.next(k->more.of, &k->n_out);
	if (!k->out && k->n_out) {
		k->n_out = 0;
		return false;
	}
	if (!k->out) {
		forget_pieces(c, k);
		k->out = strdup("\n");
		k->n_out = k->out ? 1 : 0;
	}
	c->unread += k->n_out;
	return k->out != NULL;
}

/* Takes doc over. False: there is no memory. */
static bool answer(struct control *c, struct client *k, json_t *doc, bool ok)
{
	json_object_set_new(doc, "ok", json_boolean(ok));
	return put_line(c, k, doc);
}

static bool refuse(struct control *c, struct client *k, const char *why)
{
	json_t *j = json_object();

	json_object_set_new(j, "error", json_string(why));
	return answer(c, k, j, false);
}

static bool tell_stats(struct control *c, struct client *k, bool histograms)
{
	struct control_pieces p = {0};
	json_t *j;
	bool ok;

	if (c->ops.stats_pieces)
		return c->ops.stats_pieces(c->ops.arg, histograms, &p)
			       ? begin_pieces(c, k, &p)
			       : refuse(c, k, "no memory");
	j = c->ops.stats(c->ops.arg, histograms);
	ok = !json_object_get(j, "error");
	return answer(c, k, j, ok);
}

static bool carry_out(struct control *c, struct client *k, const char *what,
		      const json_t *histograms, const json_t *progress)
{
	json_t *j;
	bool ok = true;

	if (histograms && !json_is_boolean(histograms))
		return refuse(c, k, "\"histograms\" must be true or false");
	if (progress && !json_is_boolean(progress))
		return refuse(c, k, "\"progress\" must be true or false");
	if (!strcmp(what, "status")) {
		j = c->ops.status(c->ops.arg);
		ok = !json_object_get(j, "error");
	} else if (!strcmp(what, "stats")) {
		return tell_stats(c, k, json_is_true(histograms));
	} else if (!strcmp(what, "reload")) {
		j = c->ops.reload(c->ops.arg, ++c->tickets, &ok);
		if (!j) {
			k->waits = c->tickets;
			k->progress = json_is_true(progress);
			return true;
		}
	} else if (!strcmp(what, "ping")) {
		j = json_object();
	} else {
		return refuse(c, k, "\"do\" must be status, stats, reload or ping");
	}
	return answer(c, k, j, ok);
}

static bool request(struct control *c, struct client *k, const char *line, size_t len)
{
	json_error_t e;
	json_t *j = json_loadb(line, len, JSON_REJECT_DUPLICATES, &e);
	const char *what = json_string_value(json_object_get(j, "do"));
	const json_t *version = json_object_get(j, "weir-control");
	bool good;

	if (!json_is_object(j))
		good = refuse(c, k,
			      "a request is a line with one JSON object: "
			      "{\"weir-control\": 1, \"do\": \"status\"}");
	else if (!json_is_integer(version) || json_integer_value(version) != CONTROL_VERSION)
		good = refuse(c, k, "\"weir-control\" must be 1, the version of this protocol");
	else if (!what)
		good = refuse(c, k, "\"do\" is missing: status, stats, reload or ping");
	else
		good = carry_out(c, k, what, json_object_get(j, "histograms"),
				 json_object_get(j, "progress"));
	json_decref(j);
	return good;
}

/* Carries out the next request that is there in full, if there is one. */
static bool next_request(struct control *c, struct client *k)
{
	char *end = memchr(k->in, '\n', k->n_in);
	size_t used;
	bool good;

	if (!end && k->n_in == sizeof(k->in)) {
		/* such a line may never end */
		k->n_in = 0;
		k->ended = true;
		return refuse(c, k, "a request is at most 4096 bytes long, its end included");
	}
	if (!end)
		return true;
	used = (size_t)(end - k->in) + 1;
	good = request(c, k, k->in, used - 1);
	k->n_in -= used;
	memmove(k->in, k->in + used, k->n_in);
	return good;
}

/* Takes what the client said. False: it is gone. */
static bool pull(struct client *k)
{
	ssize_t n = recv(k->fd, k->in + k->n_in, sizeof(k->in) - k->n_in, 0);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	k->ended = !n; /* what it asked before is answered still */
	k->n_in += (size_t)n;
	return true;
}

/* Sends what fits, one piece at most. False: the client is gone, or there is no memory. */
static bool push(struct control *c, struct client *k)
{
	if (!k->n_out && k->more.next && !next_piece(c, k))
		return false;
	while (k->sent < k->n_out) {
		ssize_t n = send(k->fd, k->out + k->sent, k->n_out - k->sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN;
		k->sent += (size_t)n;
	}
	forget_text(c, k);
	return true;
}

/*
 * One that waits for a reload is not read meanwhile: what it asks next has its turn after that.
 * That it is gone is seen all the same.
 */
static bool serve_waiting(struct control *c, struct client *k)
{
	return (!k->n_out || push(c, k)) &&
	       !watch(c, EPOLL_CTL_MOD, k->fd, k->n_out ? EPOLLOUT : 0, k);
}

/* False: the client is gone, or to be cut off. */
static bool serve(struct control *c, struct client *k)
{
	bool more;

	if (k->waits)
		return serve_waiting(c, k);
	if (is_answered(k) && !push(c, k))
		return false;
	if (!is_answered(k) && !k->ended && !memchr(k->in, '\n', k->n_in) && !pull(k))
		return false;
	if (!is_answered(k) && (!next_request(c, k) || !push(c, k)))
		return false;
	if (k->waits)
		return serve_waiting(c, k);
	more = is_answered(k) || memchr(k->in, '\n', k->n_in);
	if (k->ended && !more)
		return false;
	/* the next request that is here already gets its turn when an answer can be written */
	return !watch(c, EPOLL_CTL_MOD, k->fd, more ? EPOLLOUT : EPOLLIN, k);
}

/* The next after k that waits for a reload whose ticket is `ticket` or lower. */
static struct client *waiting(struct control *c, struct client *k, uint64_t ticket)
{
	for (k = k ? k + 1 : c->client; k < c->client + CONTROL_CLIENTS_MAX; k++)
		if (k->fd >= 0 && k->waits && k->waits <= ticket)
			return k;
	return NULL;
}

void control_answer(struct control *c, uint64_t ticket, json_t *doc, bool ok)
{
	for (struct client *k = NULL; (k = waiting(c, k, ticket));) {
		k->waits = 0;
		k->last = ++c->events;
		if (!answer(c, k, json_incref(doc), ok) || !serve(c, k))
			drop_client(c, k);
	}
	json_decref(doc);
}

void control_progress(struct control *c, uint64_t ticket, const char *text)
{
	for (struct client *k = NULL; (k = waiting(c, k, ticket));) {
		json_t *j;

		/* one that does not read misses some */
		if (!k->progress || k->n_out)
			continue;
		j = json_object();
		json_object_set_new(j, "progress", json_string(text));
		if (!put_line(c, k, j) || !serve(c, k))
			drop_client(c, k);
	}
}

void control_event(struct control *c)
{
	struct epoll_event ev[EVENTS];
	int n = epoll_wait(c->epoll, ev, EVENTS, 0);

	for (int i = 0; i < n; i++) {
		struct client *k = ev[i].data.ptr;

		if (!k || k->fd < 0)
			continue;
		k->last = ++c->events;
		if ((k->waits && (ev[i].events & (EPOLLHUP | EPOLLERR))) || !serve(c, k))
			drop_client(c, k);
	}
	/* last, so that no place of this round's clients is given away before its turn */
	for (int i = 0; i < n; i++)
		if (!ev[i].data.ptr)
			take_client(c);
}
