/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A control socket in a folder of its own, and clients that never wait without the server's
 * turn. Whoever waits, waits for PATIENCE seconds and no longer.
 */
#ifndef WEIR_TESTS_UNIT_CONTROL_RIG_H
#define WEIR_TESTS_UNIT_CONTROL_RIG_H

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "gw/control.h"

#define PATIENCE 60

struct rig {
	char dir[64], path[160];
	struct control *c;
	unsigned status, stats, histograms, reloads;
	size_t answer; /* bytes of text in the answer to stats */
	bool fails;    /* status and reload say that they failed */
	bool later;    /* reload is answered later */
	uint64_t ticket;
};

static json_t *rig_status(void *arg)
{
	struct rig *r = arg;
	json_t *j = json_object();

	r->status++;
	json_object_set_new(j, "n", json_integer(r->status));
	if (r->fails)
		json_object_set_new(j, "error", json_string("no memory"));
	return j;
}

static json_t *rig_stats(void *arg, bool histograms)
{
	struct rig *r = arg;
	json_t *j = json_object();
	char *text = malloc(r->answer + 1);

	r->stats++;
	r->histograms += histograms;
	memset(text, 'x', r->answer);
	json_object_set_new(j, "text", json_stringn(text, r->answer));
	free(text);
	return j;
}

static json_t *rig_reload(void *arg, uint64_t ticket, bool *ok)
{
	struct rig *r = arg;
	json_t *j = json_object();

	r->reloads++;
	r->ticket = ticket;
	if (r->later) {
		json_decref(j);
		return NULL;
	}
	*ok = !r->fails;
	if (r->fails)
		json_object_set_new(j, "error", json_string("p.yaml is not valid"));
	return j;
}

static inline void rig_dir(struct rig *r)
{
	*r = (struct rig){.answer = 10};
	strcpy(r->dir, "/tmp/weir-control-XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	snprintf(r->path, sizeof(r->path), "%s/w.sock", r->dir);
}

static inline struct control *rig_open(struct rig *r, char *err, size_t size)
{
	struct control_ops ops = {
		.status = rig_status, .stats = rig_stats, .reload = rig_reload, .arg = r};

	return control_open(r->path, (uid_t)-1, (gid_t)-1, &ops, err, size);
}

static inline void rig_start(struct rig *r)
{
	char err[256] = "";

	rig_dir(r);
	r->c = rig_open(r, err, sizeof(err));
	if (!r->c)
		fail_msg("%s", err);
}

/* The folder must be empty by then. */
static inline void rig_end(struct rig *r)
{
	if (r->c)
		control_close(r->c);
	assert_int_equal(access(r->path, F_OK), -1);
	assert_int_equal(rmdir(r->dir), 0);
}

/* What is there for the server to do, until there is nothing. */
static inline void pump(struct rig *r)
{
	struct pollfd p = {.fd = control_fd(r->c), .events = POLLIN};
	time_t end = time(NULL) + PATIENCE;

	while (poll(&p, 1, 0) > 0) {
		control_event(r->c);
		assert_true(time(NULL) < end); /* else it would spin for ever */
	}
}

static inline int client_fd(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	return fd;
}

static inline int client_connect(const struct rig *r, int fd)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	memcpy(a.sun_path, r->path, strlen(r->path));
	return connect(fd, (struct sockaddr *)&a, sizeof(a));
}

/* Connected, and taken in. */
static inline int client(struct rig *r)
{
	int fd = client_fd();

	assert_int_equal(client_connect(r, fd), 0);
	pump(r);
	return fd;
}

static inline void say(struct rig *r, int fd, const void *text, size_t len)
{
	const char *at = text;
	time_t end = time(NULL) + PATIENCE;

	while (len) {
		ssize_t n = send(fd, at, len, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			return; /* it was cut off */
		if (n > 0) {
			at += n;
			len -= (size_t)n;
		}
		pump(r);
		assert_true(time(NULL) < end);
	}
}

/* The next line, with the server's turns in between; NULL: the connection ended. */
static inline char *hear(struct rig *r, int fd)
{
	static char line[1 << 22];
	size_t n = 0;
	time_t end = time(NULL) + PATIENCE;

	for (;;) {
		/* a byte at a time, so that nothing of the next line is taken */
		ssize_t got = recv(fd, line + n, sizeof(line) - 1 - n, MSG_PEEK);

		if (got == 0 || (got < 0 && errno != EAGAIN))
			return NULL;
		if (got > 0) {
			char *nl = memchr(line + n, '\n', (size_t)got);
			size_t take = nl ? (size_t)(nl - line) + 1 - n : (size_t)got;

			assert_int_equal(recv(fd, line + n, take, 0), take);
			n += take;
			if (nl) {
				line[n - 1] = '\0';
				return line;
			}
			assert_true(n < sizeof(line) - 1);
		}
		pump(r);
		assert_true(time(NULL) < end);
	}
}

static inline json_t *hear_json(struct rig *r, int fd)
{
	char *line = hear(r, fd);
	json_t *j = line ? json_loads(line, 0, NULL) : NULL;

	assert_true(json_is_object(j));
	assert_int_equal(json_integer_value(json_object_get(j, "weir-control")), 1);
	assert_true(json_is_boolean(json_object_get(j, "ok")));
	return j;
}

static inline bool hear_ok(struct rig *r, int fd)
{
	json_t *j = hear_json(r, fd);
	bool ok = json_is_true(json_object_get(j, "ok"));

	/* what is not well says why */
	assert_true(ok || json_string_value(json_object_get(j, "error")));
	json_decref(j);
	return ok;
}

#define PING "{\"weir-control\": 1, \"do\": \"ping\"}\n"
#define STATUS "{\"weir-control\": 1, \"do\": \"status\"}\n"
#define STATS "{\"weir-control\": 1, \"do\": \"stats\"}\n"

static inline bool ping(struct rig *r, int fd)
{
	say(r, fd, PING, strlen(PING));
	return hear_ok(r, fd);
}

/* Whether it was cut off, with nothing more to read. */
static inline bool ended(struct rig *r, int fd)
{
	char c;

	pump(r);
	return recv(fd, &c, 1, 0) == 0 || errno == ECONNRESET;
}

/* File descriptors that are open. */
static inline unsigned open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

#endif
