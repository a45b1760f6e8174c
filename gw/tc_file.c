/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/tc_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "gw/fail.h"
#include "gw/tc_apply.h"

#define SIZE_MOST (256u << 20)

/* A kernel before 5.14 has no cookies: 0. */
int tc_file_where(char where[TC_FILE_WHERE], char *err, size_t errsize)
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
	snprintf(where, TC_FILE_WHERE, "%s/%llu", boot, (unsigned long long)cookie);
	return 0;
}

int tc_file_namespace(unsigned long *ns, char *err, size_t errsize)
{
	struct stat st;

	if (stat("/proc/self/ns/net", &st))
		return fail_with(err, errsize, "/proc/self/ns/net: %s", strerror(errno));
	*ns = (unsigned long)st.st_ino;
	return 0;
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

/* ---- The lock of tc_apply.h. */

#define LOCK_LOOK 10u	    /* ms between two looks */
#define LOCK_PATIENCE 1000u /* ms, before it is worth a word */

int tc_lock_open(char *err, size_t errsize)
{
	char path[64];
	unsigned long ns = 0;
	int fd;

	/* each namespace has traffic control of its own */
	if (make_dir(err, errsize) || tc_file_namespace(&ns, err, errsize))
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

/* ---- Files. */

static int sync_dir(void)
{
	int fd = open(TC_SAVED_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC), status;

	if (fd < 0)
		return -1;
	status = fsync(fd);
	close(fd);
	return status;
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

int tc_file_write(const char *path, json_t *j, unsigned mode, char *err, size_t errsize)
{
	char temp[TC_FILE_PATH + 8];
	int fd;

	if (make_dir(err, errsize))
		return -1;
	snprintf(temp, sizeof(temp), "%s.XXXXXX", path);
	fd = mkostemp(temp, O_CLOEXEC); /* mode 0600 */
	if (fd < 0)
		return fail_with(err, errsize, "%s: %s", temp, strerror(errno));
	if (fchmod(fd, mode)) {
		close(fd);
		fd = -1;
	}
	if (fd < 0 || write_all(fd, j) || rename(temp, path) || sync_dir()) {
		fail_with(err, errsize, "%s: %s", path, strerror(errno));
		unlink(temp);
		return -1;
	}
	return 0;
}

int tc_file_read(const char *path, json_t **j, char *err, size_t errsize)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	json_error_t e;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return fail_with(err, errsize, "%s: %s", path, strerror(errno));
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size > SIZE_MOST ||
	    (st.st_uid && st.st_uid != geteuid())) {
		close(fd);
		return fail_with(err, errsize, "%s: it is not what weir wrote", path);
	}
	*j = json_loadfd(fd, JSON_REJECT_DUPLICATES, &e);
	close(fd);
	return *j ? 1 : fail_with(err, errsize, "%s:%d: %s", path, e.line, e.text);
}

void tc_file_drop(const char *path)
{
	if (!unlink(path))
		sync_dir();
}
