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
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* also for connect(), which waits for a place among those not yet accepted */
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

/* A line, without its end; NULL with err. */
static char *read_line(int fd, int timeout_ms, char *err, size_t errsize)
{
	size_t n = 0, room = 1 << 16;
	char *text = malloc(room);
	long end = now_ms() + timeout_ms;

	while (text) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		long left = end - now_ms();
		char *nl, *more;
		ssize_t got;

		if (left <= 0 || (!poll(&p, 1, (int)left))) {
			snprintf(err, errsize, "the gateway did not answer within %d ms",
				 timeout_ms);
			break;
		}
		got = recv(fd, text + n, room - n, MSG_DONTWAIT);
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (got <= 0) {
			snprintf(err, errsize,
				 "the gateway ended in the middle of its answer%s%s",
				 got ? ": " : "", got ? strerror(errno) : "");
			break;
		}
		nl = memchr(text + n, '\n', (size_t)got);
		n += (size_t)got;
		if (nl) {
			*nl = '\0';
			return text;
		}
		if (n < room)
			continue;
		more = room < ANSWER_MAX ? realloc(text, room * 2) : NULL;
		if (!more) {
			snprintf(err, errsize, "the answer is too long");
			break;
		}
		text = more;
		room *= 2;
	}
	free(text);
	return NULL;
}

json_t *control_ask(const char *path, const char *what, int timeout_ms, char *err,
		    size_t errsize)
{
	char request[128];
	int fd = reach(path, timeout_ms, err, errsize), len;
	json_error_t e;
	json_t *j = NULL;
	json_int_t version;
	char *text;

	if (fd < 0)
		return NULL;
	len = snprintf(request, sizeof(request), "{\"weir-control\": %d, \"do\": \"%.32s\"}\n",
		       CONTROL_VERSION, what);
	if (send(fd, request, (size_t)len, MSG_NOSIGNAL) != len) {
		snprintf(err, errsize, "socket %s: %s", path, strerror(errno));
		close(fd);
		return NULL;
	}
	text = read_line(fd, timeout_ms, err, errsize);
	close(fd);
	if (!text)
		return NULL;
	j = json_loads(text, 0, &e);
	free(text);
	if (!json_is_object(j) || !json_is_boolean(json_object_get(j, "ok"))) {
		snprintf(err, errsize, "socket %s: what answers there is no weir", path);
		json_decref(j);
		return NULL;
	}
	version = json_integer_value(json_object_get(j, "weir-control"));
	if (version != CONTROL_VERSION) {
		snprintf(err, errsize,
			 "the gateway on %s speaks version %" JSON_INTEGER_FORMAT
			 " of the control protocol, this program version %d: ask with the "
			 "weir that runs there",
			 path, version, CONTROL_VERSION);
		json_decref(j);
		return NULL;
	}
	return j;
}
