/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control socket from the other side. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "gw/control.h"

#define ANSWER_MAX ((size_t)1 << 30)

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* timeout_ms 0: does not wait for a place among those not yet accepted. */
static int reach(const char *path, int timeout_ms, char *err, size_t errsize)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct timeval wait = {timeout_ms / 1000, timeout_ms % 1000 * 1000L};
	int fd;

	if (strlen(path) >= sizeof(a.sun_path)) {
		snprintf(err, errsize, "socket %.60s...: the path is too long", path);
		return -1;
	}
	memcpy(a.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | (timeout_ms ? 0 : SOCK_NONBLOCK), 0);
	/* also for connect(), which waits for such a place */
	if (fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) &&
	    !connect(fd, (struct sockaddr *)&a, sizeof(a)))
		return fd;
	if (errno == EAGAIN)
		snprintf(err, errsize, "the gateway on %s did not answer within %d ms", path,
			 timeout_ms);
	else if (errno == EACCES)
		snprintf(err, errsize,
			 "socket %s: permission denied: ask as root, or as the gateway's "
			 "user or group",
			 path);
	else
		snprintf(err, errsize, "no gateway answers on %s (is `weir run` running?): %s",
			 path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

bool control_absent(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd, error;

	if (strlen(path) >= sizeof(a.sun_path))
		return false;
	memcpy(a.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	error = connect(fd, (struct sockaddr *)&a, sizeof(a)) ? errno : 0;
	close(fd);
	return error == ENOENT || error == ECONNREFUSED;
}

/* ---- One question. */

struct control_call {
	int fd;
	char *path;
	char *text; /* what came of the answer, n of room bytes */
	size_t n, room;
	void (*progress)(const char *text); /* NULL: nobody */
	bool heard;			    /* of progress, since that was last set to false */
};

static struct control_call *begin(const char *path, const char *what, const char *with,
				  int timeout_ms, char *err, size_t errsize)
{
	struct control_call *c;
	char request[192];
	int fd = reach(path, timeout_ms, err, errsize), len;

	if (fd < 0)
		return NULL;
	c = calloc(1, sizeof(*c));
	if (!c) {
		snprintf(err, errsize, "%s", strerror(ENOMEM));
		close(fd);
		return NULL;
	}
	c->fd = fd;
	c->room = 1 << 16;
	c->text = malloc(c->room);
	c->path = strdup(path);
	len = snprintf(request, sizeof(request),
		       with ? "{\"weir-control\": %d, \"do\": \"%.32s\", \"%.32s\": true}\n"
			    : "{\"weir-control\": %d, \"do\": \"%.32s\"}\n",
		       CONTROL_VERSION, what, with);
	/* short enough for the buffer of a socket that is new */
	if (c->text && c->path && send(fd, request, (size_t)len, MSG_NOSIGNAL) == len)
		return c;
	snprintf(err, errsize, "socket %s: %s", path, strerror(errno));
	control_call_end(c);
	return NULL;
}

struct control_call *control_call_begin(const char *path, const char *what, const char *with,
					char *err, size_t errsize)
{
	return begin(path, what, with, 0, err, errsize);
}

int control_call_fd(const struct control_call *c)
{
	return c->fd;
}

void control_call_end(struct control_call *c)
{
	if (!c)
		return;
	close(c->fd);
	free(c->path);
	free(c->text);
	free(c);
}

/* What the answer says of itself. NULL with err: it is none of weir's. */
static json_t *understand(const struct control_call *c, char *err, size_t errsize)
{
	json_error_t e;
	json_t *j = json_loads(c->text, 0, &e);
	json_int_t version;

	if (!json_is_object(j) || !json_is_boolean(json_object_get(j, "ok"))) {
		snprintf(err, errsize, "socket %s: what answers there is no weir", c->path);
		json_decref(j);
		return NULL;
	}
	version = json_integer_value(json_object_get(j, "weir-control"));
	if (version != CONTROL_VERSION) {
		snprintf(err, errsize,
			 "the gateway on %s speaks version %" JSON_INTEGER_FORMAT
			 " of the control protocol, this program version %d: ask with the "
			 "weir that runs there",
			 c->path, version, CONTROL_VERSION);
		json_decref(j);
		return NULL;
	}
	return j;
}

static int make_room(struct control_call *c)
{
	char *more = c->room < ANSWER_MAX ? realloc(c->text, c->room * 2) : NULL;

	if (!more)
		return -1;
	c->text = more;
	c->room *= 2;
	return 0;
}

/* A line that is whole, without its end. As control_call_read(). */
static int take_line(struct control_call *c, json_t **answer, char *err, size_t errsize)
{
	json_t *j = json_loads(c->text, 0, NULL);
	const char *text = json_string_value(json_object_get(j, "progress"));
	bool progress = text && !json_object_get(j, "ok");

	if (progress && c->progress)
		c->progress(text);
	json_decref(j);
	if (progress) {
		c->heard = true;
		return 0;
	}
	*answer = understand(c, err, errsize);
	return *answer ? 1 : -1;
}

/* One recv() a call, so that an answer without end does not keep the caller from its clock. */
int control_call_read(struct control_call *c, json_t **answer, char *err, size_t errsize)
{
	ssize_t got = recv(c->fd, c->text + c->n, c->room - c->n, MSG_DONTWAIT);
	char *nl;

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (got <= 0) {
		snprintf(err, errsize, "the gateway ended in the middle of its answer%s%s",
			 got ? ": " : "", got ? strerror(errno) : "");
		return -1;
	}
	c->n += (size_t)got;
	while ((nl = memchr(c->text + c->n - got, '\n', (size_t)got))) {
		size_t used = (size_t)(nl - c->text) + 1;
		int done;

		*nl = '\0';
		done = take_line(c, answer, err, errsize);
		if (done)
			return done;
		/* all that is left came with this call */
		c->n -= used;
		memmove(c->text, c->text + used, c->n);
		got = (ssize_t)c->n;
	}
	if (c->n == c->room && make_room(c)) {
		snprintf(err, errsize, "the answer is too long");
		return -1;
	}
	return 0;
}

/* Until the answer is there, or nothing was heard for timeout_ms. */
static json_t *wait_for(struct control_call *c, int timeout_ms, char *err, size_t errsize)
{
	long end = now_ms() + timeout_ms;
	json_t *answer = NULL;
	int done = 0;

	while (!done) {
		struct pollfd p = {.fd = c->fd, .events = POLLIN};
		long left = end - now_ms();

		if (left <= 0 || !poll(&p, 1, (int)left)) {
			snprintf(err, errsize, "the gateway did not answer within %d ms",
				 timeout_ms);
			break;
		}
		c->heard = false;
		done = control_call_read(c, &answer, err, errsize);
		if (c->heard)
			end = now_ms() + timeout_ms;
	}
	return done > 0 ? answer : NULL;
}

json_t *control_ask(const char *path, const char *what, int timeout_ms, char *err,
		    size_t errsize)
{
	struct control_call *c = begin(path, what, NULL, timeout_ms, err, errsize);
	json_t *answer = c ? wait_for(c, timeout_ms, err, errsize) : NULL;

	control_call_end(c);
	return answer;
}

json_t *control_ask_long(const char *path, const char *what, int timeout_ms,
			 void (*progress)(const char *text), bool *began, char *err,
			 size_t errsize)
{
	struct control_call *c = begin(path, what, "progress", timeout_ms, err, errsize);
	json_t *answer = NULL;

	*began = c != NULL;
	if (c) {
		c->progress = progress;
		answer = wait_for(c, timeout_ms, err, errsize);
	}
	control_call_end(c);
	return answer;
}
