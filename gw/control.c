/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The socket's server. Clients are served as they are ready, a few bytes or a whole answer
 * at a time; what a client does not read waits in its own buffer, up to a bound.
 */
#include "gw/control.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define UNREAD_MAX (64u << 20) /* bytes of answers that a client has not read */
#define EVENTS 16

struct client {
	int fd;	       /* -1: free */
	uint64_t last; /* when it was last heard of, in events */
	size_t n_in;
	char in[CONTROL_REQUEST_MAX];
	char *out;
	size_t n_out, sent;
};

struct control {
	char *path;
	int fd, epoll;
	struct control_ops ops;
	uint64_t events;
	struct client client[CONTROL_CLIENTS_MAX];
};

static int fail(char *err, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static int fail(char *err, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, size, fmt, ap);
	va_end(ap);
	return -1;
}

static int address(const char *path, struct sockaddr_un *a, char *err, size_t errsize)
{
	size_t len = strlen(path);

	*a = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (!len || len >= sizeof(a->sun_path))
		return fail(err, errsize, "socket %.120s: its path must be 1 to %zu bytes long",
			    path, sizeof(a->sun_path) - 1);
	memcpy(a->sun_path, path, len);
	return 0;
}

/* ---- Making the socket. */

/* Its folder, if that is missing; owned by who must remove the socket later. */
static int make_folder(const char *path, uid_t uid, gid_t gid, char *err, size_t errsize)
{
	char dir[sizeof(((struct sockaddr_un *)0)->sun_path)];
	char *slash;

	snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	if (!slash || slash == dir)
		return 0;
	*slash = '\0';
	if (mkdir(dir, 0755)) {
		if (errno == EEXIST)
			return 0;
		return fail(err, errsize, "socket %s: folder %s: %s", path, dir,
			    strerror(errno));
	}
	if (chown(dir, uid, gid))
		return fail(err, errsize, "socket %s: folder %s: %s", path, dir,
			    strerror(errno));
	return 0;
}

/* A socket that nobody answers is removed. 0, or -1: somebody does, or it is something else. */
static int remove_dead(const char *path, const struct sockaddr_un *a, char *err, size_t errsize)
{
	struct stat st;
	int fd, error;

	if (lstat(path, &st))
		return errno == ENOENT
			       ? 0
			       : fail(err, errsize, "socket %s: %s", path, strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return fail(err, errsize,
			    "socket %s: there is a file of that name that is no socket", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail(err, errsize, "socket %s: %s", path, strerror(errno));
	error = connect(fd, (const struct sockaddr *)a, sizeof(*a)) ? errno : 0;
	close(fd);
	if (!error || error == EAGAIN)
		return fail(err, errsize, "socket %s: another weir answers there", path);
	if (error != ECONNREFUSED)
		return fail(err, errsize, "socket %s: %s", path, strerror(error));
	if (unlink(path))
		return fail(err, errsize, "socket %s: removing a dead one: %s", path,
			    strerror(errno));
	return 0;
}

static int listen_at(struct control *c, uid_t uid, gid_t gid, char *err, size_t errsize)
{
	struct sockaddr_un a;
	mode_t mask;
	int failed;

	if (address(c->path, &a, err, errsize) ||
	    make_folder(c->path, uid, gid, err, errsize) ||
	    remove_dead(c->path, &a, err, errsize))
		return -1;
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->fd < 0)
		return fail(err, errsize, "socket %s: %s", c->path, strerror(errno));
	/* from the first moment nobody else may connect */
	mask = umask(0117);
	failed = bind(c->fd, (struct sockaddr *)&a, sizeof(a));
	umask(mask);
	if (failed) {
		fail(err, errsize, "socket %s: %s", c->path, strerror(errno));
		free(c->path);
		c->path = NULL; /* not ours to remove */
		return -1;
	}
	if (chown(c->path, uid, gid) || listen(c->fd, 16))
		return fail(err, errsize, "socket %s: %s", c->path, strerror(errno));
	return 0;
}

static int watch(const struct control *c, int op, int fd, uint32_t events, void *of)
{
	struct epoll_event ev = {.events = events, .data.ptr = of};

	return epoll_ctl(c->epoll, op, fd, &ev);
}

struct control *control_open(const char *path, uid_t uid, gid_t gid,
			     const struct control_ops *ops, char *err, size_t errsize)
{
	struct control *c = calloc(1, sizeof(*c));

	if (!c || !(c->path = strdup(path))) {
		free(c);
		fail(err, errsize, "%s", strerror(ENOMEM));
		return NULL;
	}
	c->fd = -1;
	c->ops = *ops;
	for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++)
		c->client[i].fd = -1;
	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (c->epoll < 0) {
		fail(err, errsize, "epoll: %s", strerror(errno));
		free(c->path);
		c->path = NULL;
	} else if (!listen_at(c, uid, gid, err, errsize)) {
		if (!watch(c, EPOLL_CTL_ADD, c->fd, EPOLLIN, NULL))
			return c;
		fail(err, errsize, "epoll: %s", strerror(errno));
	} else if (c->fd < 0) {
		free(c->path);
		c->path = NULL;
	}
	control_close(c);
	return NULL;
}

/* ---- Clients. */

static void drop_client(struct client *k)
{
	close(k->fd); /* and epoll forgets it */
	free(k->out);
	*k = (struct client){.fd = -1};
}

void control_close(struct control *c)
{
	for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++)
		if (c->client[i].fd >= 0)
			drop_client(&c->client[i]);
	if (c->path && c->fd >= 0)
		unlink(c->path);
	if (c->fd >= 0)
		close(c->fd);
	if (c->epoll >= 0)
		close(c->epoll);
	free(c->path);
	free(c);
}

int control_fd(const struct control *c)
{
	return c->epoll;
}

/* A place for a new client: a free one, or that of the one that has been silent for longest. */
static struct client *client_place(struct control *c)
{
	struct client *oldest = &c->client[0];

	for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		if (c->client[i].fd < 0)
			return &c->client[i];
		if (c->client[i].last < oldest->last)
			oldest = &c->client[i];
	}
	drop_client(oldest);
	return oldest;
}

static void take_client(struct control *c)
{
	struct client *k;
	int fd = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return; /* it went away again, or no file descriptor is free: the next time */
	k = client_place(c);
	k->fd = fd;
	k->last = ++c->events;
	if (watch(c, EPOLL_CTL_ADD, fd, EPOLLIN, k))
		drop_client(k);
}

/* Sends what fits. False: the client is gone. */
static bool push(struct control *c, struct client *k)
{
	while (k->sent < k->n_out) {
		ssize_t n = send(k->fd, k->out + k->sent, k->n_out - k->sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return !watch(c, EPOLL_CTL_MOD, k->fd, EPOLLIN | EPOLLOUT, k);
		if (n < 0)
			return false;
		k->sent += (size_t)n;
	}
	free(k->out);
	k->out = NULL;
	k->n_out = k->sent = 0;
	return !watch(c, EPOLL_CTL_MOD, k->fd, EPOLLIN, k);
}

/* Takes doc over. False: the client has too much unread, or there is no memory. */
static bool answer(struct client *k, json_t *doc, bool ok)
{
	char *text, *out;
	size_t len;

	json_object_set_new(doc, "weir-control", json_integer(CONTROL_VERSION));
	json_object_set_new(doc, "ok", json_boolean(ok));
	text = json_dumps(doc, JSON_COMPACT);
	json_decref(doc);
	if (!text)
		return false;
	len = strlen(text);
	out = k->n_out + len + 1 > UNREAD_MAX ? NULL : realloc(k->out, k->n_out + len + 1);
	if (out) {
		k->out = out;
		memcpy(out + k->n_out, text, len);
		out[k->n_out + len] = '\n';
		k->n_out += len + 1;
	}
	free(text);
	return out != NULL;
}

static bool refuse(struct client *k, const char *why)
{
	json_t *j = json_object();

	json_object_set_new(j, "error", json_string(why));
	return answer(k, j, false);
}

static bool carry_out(struct control *c, struct client *k, const char *what)
{
	json_t *j;
	bool ok = true;

	if (!strcmp(what, "status")) {
		j = c->ops.status(c->ops.arg);
		ok = !json_object_get(j, "error");
	} else if (!strcmp(what, "stats")) {
		j = c->ops.stats(c->ops.arg);
		ok = !json_object_get(j, "error");
	} else if (!strcmp(what, "reload")) {
		j = c->ops.reload(c->ops.arg, &ok);
	} else if (!strcmp(what, "ping")) {
		j = json_object();
	} else {
		return refuse(k, "\"do\" must be status, stats, reload or ping");
	}
	return answer(k, j, ok);
}

/* One line. False: the client is to be cut off. */
static bool request(struct control *c, struct client *k, const char *line, size_t len)
{
	json_error_t e;
	json_t *j = json_loadb(line, len, JSON_REJECT_DUPLICATES, &e);
	const char *what = json_string_value(json_object_get(j, "do"));
	const json_t *version = json_object_get(j, "weir-control");
	bool good;

	if (!json_is_object(j))
		good = refuse(k, "a request is a line with one JSON object: "
				 "{\"weir-control\": 1, \"do\": \"status\"}");
	else if (!json_is_integer(version) || json_integer_value(version) != CONTROL_VERSION)
		good = refuse(k, "\"weir-control\" must be 1, the version of this protocol");
	else if (!what)
		good = refuse(k, "\"do\" is missing: status, stats, reload or ping");
	else
		good = carry_out(c, k, what);
	json_decref(j);
	return good;
}

/* What a client said. False: it is gone, or is to be cut off. */
static bool pull(struct control *c, struct client *k)
{
	char *end;
	ssize_t n = recv(k->fd, k->in + k->n_in, sizeof(k->in) - k->n_in, 0);

	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR);
	k->n_in += (size_t)n;
	while ((end = memchr(k->in, '\n', k->n_in))) {
		size_t used = (size_t)(end - k->in) + 1;

		if (!request(c, k, k->in, used - 1))
			return false;
		k->n_in -= used;
		memmove(k->in, k->in + used, k->n_in);
	}
	/* a line that does not fit will never end */
	return k->n_in < sizeof(k->in) && push(c, k);
}

void control_event(struct control *c)
{
	struct epoll_event ev[EVENTS];
	int n = epoll_wait(c->epoll, ev, EVENTS, 0);

	for (int i = 0; i < n; i++) {
		struct client *k = ev[i].data.ptr;
		bool good = true;

		if (!k || k->fd < 0)
			continue;
		k->last = ++c->events;
		if (ev[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
			good = pull(c, k);
		if (good && (ev[i].events & EPOLLOUT))
			good = push(c, k);
		if (!good)
			drop_client(k);
	}
	/* last, so that no place of this round's clients is given away before its turn */
	for (int i = 0; i < n; i++)
		if (!ev[i].data.ptr)
			take_client(c);
}
