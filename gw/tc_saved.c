/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/tc_saved.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <linux/pkt_sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "gw/fail.h"
#include "gw/json.h"
#include "gw/tc_apply.h"
#include "gw/tc_tree.h"
#include "qos/siphash.h"

#define VERSION 2
#define SIZE_MOST (256u << 20)

/*
 * What tells this namespace of this boot from all that are, were and will be. A kernel before
 * 5.14 has no cookies: 0.
 */
static int find_where(char where[64], char *err, size_t errsize)
{
	static const char path[] = "/proc/sys/kernel/random/boot_id";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char boot[37] = "";
	uint64_t cookie = 0;
	socklen_t size = sizeof(cookie);
	ssize_t n = fd < 0 ? -1 : read(fd, boot, sizeof(boot) - 1);

	if (n < 0) {
		fail_with(err, errsize, "%s: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	close(fd);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail_with(err, errsize, "socket: %s", strerror(errno));
	if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size))
		cookie = 0;
	close(fd);
	snprintf(where, 64, "%s/%llu", boot, (unsigned long long)cookie);
	return 0;
}

static int namespace_of(unsigned long *ns, char *err, size_t errsize)
{
	struct stat st;

	if (stat("/proc/self/ns/net", &st))
		return fail_with(err, errsize, "/proc/self/ns/net: %s", strerror(errno));
	*ns = (unsigned long)st.st_ino;
	return 0;
}

int tc_saved_find(struct tc_saved *f, const struct tc_link *l, uint32_t top, char *err,
		  size_t errsize)
{
	if (namespace_of(&f->ns, err, errsize))
		return -1;
	memcpy(f->name, l->name, sizeof(f->name));
	f->ifindex = l->ifindex;
	f->top = top;
	snprintf(f->path, sizeof(f->path), TC_SAVED_DIR "/%lu-%u-%s.json", f->ns, l->ifindex,
		 top == TC_H_ROOT ? "root" : "ingress");
	return find_where(f->where, err, errsize);
}

static char *to_hex(const uint8_t *v, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	char *s = malloc(2 * n + 1);

	if (!s)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		s[2 * i] = digits[v[i] >> 4];
		s[2 * i + 1] = digits[v[i] & 15];
	}
	s[2 * n] = '\0';
	return s;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int put_object(json_t *list, const struct tc_object *o)
{
	char text[256], *hex = to_hex(o->raw, o->n_raw);
	json_t *j = json_object();
	int status = -1;

	if (hex && j)
		status = json_object_set_new(j, "is",
					     json_text(tc_object_text(o, text, sizeof(text)))) |
			 json_object_set_new(j, "messages", json_string(hex));
	free(hex);
	return json_array_append_new(list, j) | status ? -1 : 0;
}

/* In the order of the dump, by which filters are told apart. */
static int put_objects(json_t *list, const struct tc_state *s, uint32_t top)
{
	const struct tc_object **v = malloc((s->list.n + 1) * sizeof(*v));
	uint8_t *wanted = calloc(s->list.n + 1, 1);
	struct tc_tree t = {0};
	int status = -1;
	size_t n;

	if (v && wanted && !tc_tree_build(&t, &s->list, NULL)) {
		n = tc_tree_below(&t, top, v);
		for (size_t i = 0; i < n; i++)
			wanted[v[i] - s->list.v] = 1;
		status = 0;
		for (size_t i = 0; i < s->list.n && !status; i++)
			if (wanted[i])
				status = put_object(list, &s->list.v[i]);
	}
	tc_tree_free(&t);
	free(wanted);
	free(v);
	return status;
}

/*
 * A digest of all messages, so that a damaged file is told before anything is removed for it,
 * and never becomes a tree that nobody had.
 */
static json_t *digest_of(const json_t *list)
{
	static const struct siphash_key key = {0x7765697220746320, 0x7361766564206279};
	struct siphash h = siphash_begin(&key);
	char text[17];
	json_t *o;
	size_t i;

	json_array_foreach(list, i, o)
	{
		const json_t *hex = json_object_get(o, "messages");
		const char *s = json_string_value(hex);
		size_t n = s ? json_string_length(hex) : 0;

		siphash_word(&h, 2, n);
		for (size_t at = 0; at < n; at += sizeof(uint64_t)) {
			uint64_t word = 0;

			memcpy(&word, s + at, n - at < sizeof(word) ? n - at : sizeof(word));
			siphash_word(&h, 2, word);
		}
	}
	snprintf(text, sizeof(text), "%016llx",
		 (unsigned long long)siphash_end(&h, 2, 4, json_array_size(list)));
	return json_string(text);
}

static bool is_whole(const json_t *j, const json_t *list)
{
	json_t *digest = digest_of(list);
	bool same = digest && json_equal(digest, json_object_get(j, "digest"));

	json_decref(digest);
	return same && json_array_size(list);
}

static json_t *document(const struct tc_saved *f, const struct tc_state *s)
{
	json_t *j = json_object(), *list = json_array();

	if (j && list && !json_object_set_new(j, "version", json_integer(VERSION)) &&
	    !json_object_set_new(j, "interface", json_text(f->name)) &&
	    !json_object_set_new(j, "where", json_string(f->where)) &&
	    !put_objects(list, s, f->top) && !json_object_set(j, "objects", list) &&
	    !json_object_set_new(j, "digest", digest_of(list))) {
		json_decref(list);
		return j;
	}
	json_decref(list);
	json_decref(j);
	return NULL;
}

static int complain(const char *path, char *err, size_t errsize)
{
	return fail_with(err, errsize, "%s: %s%s", path, strerror(errno),
			 errno == EACCES || errno == EPERM ? ": it takes root" : "");
}

/*
 * Root follows what is in its folders: so each of them must be root's (or this user's own), and
 * nobody else's to write in. Below one that is, no name can be put by others.
 */
static int is_own(const char *path, char *err, size_t errsize)
{
	struct stat st;

	if (lstat(path, &st))
		return complain(path, err, errsize);
	if (!S_ISDIR(st.st_mode))
		return fail_with(err, errsize, "%s: it is no folder", path);
	if (st.st_uid && st.st_uid != geteuid())
		return fail_with(err, errsize,
				 "%s: it belongs to user %u, and weir's own state is below it: "
				 "\"chown root %s\"",
				 path, (unsigned)st.st_uid, path);
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return fail_with(
			err, errsize,
			"%s: others may write there, and weir's own state is below it: "
			"\"chmod 755 %s\"",
			path, path);
	return 0;
}

static int make_dir(char *err, size_t errsize)
{
	char path[] = TC_SAVED_DIR, *end = path;

	do {
		end = strchr(end + 1, '/');
		if (end)
			*end = '\0';
		if (mkdir(path, 0755) && errno != EEXIST)
			return complain(path, err, errsize);
		if (is_own(path, err, errsize))
			return -1;
		if (end)
			*end = '/';
	} while (end);
	return 0;
}

#define LOCK_LOOK 10u	    /* ms between two looks */
#define LOCK_PATIENCE 1000u /* ms, before it is worth a word */

int tc_lock_open(char *err, size_t errsize)
{
	char path[64];
	unsigned long ns = 0;
	int fd;

	/* each namespace has traffic control of its own */
	if (make_dir(err, errsize) || namespace_of(&ns, err, errsize))
		return -1;
	snprintf(path, sizeof(path), TC_SAVED_DIR "/%lu-lock", ns);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd < 0 ? complain(path, err, errsize) : fd;
}

int tc_lock_take(int fd, unsigned ms)
{
	const struct timespec look = {0, LOCK_LOOK * 1000000L};

	for (unsigned waited = 0; flock(fd, LOCK_EX | LOCK_NB); waited += LOCK_LOOK) {
		if ((errno != EWOULDBLOCK && errno != EINTR) || waited >= ms)
			return -1;
		nanosleep(&look, NULL);
	}
	return 0;
}

int tc_lock(void (*busy)(void), char *err, size_t errsize)
{
	int fd = tc_lock_open(err, errsize), status;

	if (fd < 0)
		return -1;
	status = tc_lock_take(fd, LOCK_PATIENCE);
	if (status && errno == EWOULDBLOCK && busy)
		busy();
	while (status && (errno == EINTR || errno == EWOULDBLOCK))
		status = flock(fd, LOCK_EX);
	if (!status)
		return fd;
	fail_with(err, errsize, "waiting for another weir: %s", strerror(errno));
	close(fd);
	return -1;
}

void tc_lock_give(int fd)
{
	(void)flock(fd, LOCK_UN);
}

static int sync_dir(void)
{
	int fd = open(TC_SAVED_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC), status;

	if (fd < 0)
		return -1;
	status = fsync(fd);
	close(fd);
	return status;
}

/*
 * Of this namespace, what interfaces had that are no more: one that comes and goes has another
 * number each time.
 */
static void sweep(unsigned long ns)
{
	DIR *d = opendir(TC_SAVED_DIR);
	const struct dirent *e;
	char name[IFNAMSIZ];

	while (d && (e = readdir(d))) {
		unsigned ifindex;
		char *end;

		if (strtoul(e->d_name, &end, 10) != ns || *end != '-')
			continue;
		ifindex = (unsigned)strtoul(end + 1, &end, 10);
		if (*end == '-' && ifindex && !if_indextoname(ifindex, name) && errno == ENXIO)
			unlinkat(dirfd(d), e->d_name, 0);
	}
	if (d)
		closedir(d);
}

static int write_all(int fd, json_t *j)
{
	FILE *f = fdopen(fd, "w");
	int status;

	if (!f) {
		close(fd);
		return -1;
	}
	status = json_dumpf(j, f, JSON_INDENT(1)) || fputc('\n', f) == EOF || fflush(f) ||
		 fsync(fd);
	return fclose(f) || status ? -1 : 0;
}

int tc_saved_write(const struct tc_saved *f, const struct tc_state *s, char *err,
		   size_t errsize)
{
	json_t *j = document(f, s);
	char temp[sizeof(f->path) + 8];
	int fd, status = -1;

	if (!j)
		return fail_with(err, errsize, "no memory");
	snprintf(temp, sizeof(temp), "%s.XXXXXX", f->path);
	if (make_dir(err, errsize))
		goto end;
	sweep(f->ns);
	fd = mkostemp(temp, O_CLOEXEC); /* mode 0600 */
	if (fd < 0) {
		fail_with(err, errsize, "%s: %s", temp, strerror(errno));
		goto end;
	}
	if (write_all(fd, j) || rename(temp, f->path) || sync_dir()) {
		fail_with(err, errsize, "%s: %s", f->path, strerror(errno));
		unlink(temp);
		goto end;
	}
	status = 0;
end:
	json_decref(j);
	return status;
}

/* The messages of all objects in one buffer; NULL: it is not in order. */
static uint8_t *bytes_of(const json_t *list, size_t *size)
{
	uint8_t *v = NULL;
	size_t n = 0, i;
	json_t *o;

	*size = 0;
	json_array_foreach(list, i, o)
	{
		const json_t *hex = json_object_get(o, "messages");
		const char *s = json_string_value(hex);
		size_t length = json_string_length(hex);
		uint8_t *more;

		/* whole messages begin on a multiple of four bytes */
		if (!s || length % 8 || !(more = realloc(v, n + length / 2 + 1)))
			goto bad;
		v = more;
		for (size_t k = 0; k < length; k += 2) {
			int high = digit(s[k]), low = digit(s[k + 1]);

			if (high < 0 || low < 0)
				goto bad;
			v[n++] = (uint8_t)(high << 4 | low);
		}
	}
	*size = n;
	return v;
bad:
	free(v);
	return NULL;
}

static int parse(const struct tc_saved *f, const json_t *j, struct tc_state *s, char *err,
		 size_t errsize)
{
	const json_t *list = json_object_get(j, "objects");
	char why[256];
	const char *where;
	uint8_t *v;
	size_t n;
	int status;

	if (json_integer_value(json_object_get(j, "version")) != VERSION)
		return fail_with(err, errsize, "%s: not of this version of weir", f->path);
	where = json_string_value(json_object_get(j, "where"));
	if (!where)
		return fail_with(err, errsize, "%s: it is damaged", f->path);
	if (strcmp(where, f->where) != 0)
		return 0;
	v = json_is_array(list) && is_whole(j, list) ? bytes_of(list, &n) : NULL;
	if (!v)
		return fail_with(err, errsize, "%s: it is damaged", f->path);
	status = tc_state_from(v, n, s, why, sizeof(why));
	free(v);
	return status ? fail_with(err, errsize, "%s: %s", f->path, why) : 1;
}

int tc_saved_read(const struct tc_saved *f, struct tc_state *s, char *err, size_t errsize)
{
	int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), status;
	struct stat st;
	json_error_t e;
	json_t *j;

	*s = (struct tc_state){0};
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return fail_with(err, errsize, "%s: %s", f->path, strerror(errno));
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size > SIZE_MOST ||
	    (st.st_uid && st.st_uid != geteuid())) {
		close(fd);
		return fail_with(err, errsize, "%s: it is not what weir wrote", f->path);
	}
	j = json_loadfd(fd, JSON_REJECT_DUPLICATES, &e);
	close(fd);
	if (!j)
		return fail_with(err, errsize, "%s:%d: %s", f->path, e.line, e.text);
	status = parse(f, j, s, err, errsize);
	json_decref(j);
	return status;
}

void tc_saved_drop(const struct tc_saved *f)
{
	sweep(f->ns);
	if (!unlink(f->path))
		sync_dir();
}
