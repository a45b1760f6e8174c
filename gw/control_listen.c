/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/control_listen.h"
#include "gw/fail.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 16

static int address(const char *path, struct sockaddr_un *a, char *err, size_t errsize)
{
	size_t len = strlen(path);

	*a = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (!len || len >= sizeof(a->sun_path))
		return fail_with(err, errsize,
				 "socket %.120s: its path must be 1 to %zu bytes long", path,
				 sizeof(a->sun_path) - 1);
	memcpy(a->sun_path, path, len);
	return 0;
}

/*
 * Its folder, if that is missing. It stays its maker's, whose other files are in it, also where
 * the socket becomes another user's: that one leaves a dead socket behind, which the next start
 * removes.
 */
static int make_folder(const char *path, char *err, size_t errsize)
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
	} else if (!chmod(dir, 0755)) { /* whatever the umask is */
		return 0;
	}
	return fail_with(err, errsize, "socket %s: folder %s: %s", path, dir, strerror(errno));
}

/* A socket that nobody answers is removed. 0, or -1: somebody does, or it is something else. */
static int remove_dead(const char *path, const struct sockaddr_un *a, char *err, size_t errsize)
{
	struct stat st;
	int fd, error;

	if (lstat(path, &st)) {
		if (errno == ENOENT)
			return 0;
		return fail_with(err, errsize, "socket %s: %s", path, strerror(errno));
	}
	if (!S_ISSOCK(st.st_mode))
		return fail_with(err, errsize,
				 "socket %s: there is a file of that name that is no socket",
				 path);
	/* not blocking: one that lives may be too busy to take another client */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail_with(err, errsize, "socket %s: %s", path, strerror(errno));
	error = connect(fd, (const struct sockaddr *)a, sizeof(*a)) ? errno : 0;
	close(fd);
	if (!error || error == EAGAIN)
		return fail_with(err, errsize, "another weir answers on %s", path);
	if (error != ECONNREFUSED)
		return fail_with(err, errsize, "socket %s: %s", path, strerror(error));
	if (unlink(path) && errno != ENOENT)
		return fail_with(err, errsize, "socket %s: removing a dead one: %s", path,
				 strerror(errno));
	return 0;
}

static int bind_private(int fd, const struct sockaddr_un *a)
{
	/* from the first moment nobody else may connect */
	mode_t mask = umask(0117);
	int failed = bind(fd, (const struct sockaddr *)a, sizeof(*a)), error = errno;

	umask(mask);
	errno = error;
	return failed;
}

int control_listen(const char *path, uid_t uid, gid_t gid, struct control_file *file, char *err,
		   size_t errsize)
{
	struct sockaddr_un a;
	struct stat st;
	bool keep;
	int fd;

	if (address(path, &a, err, errsize) || make_folder(path, err, errsize) ||
	    remove_dead(path, &a, err, errsize))
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail_with(err, errsize, "socket %s: %s", path, strerror(errno));
	if (bind_private(fd, &a)) {
		/* the file of that name, if there is one now, is not ours */
		fail_with(err, errsize, "socket %s: %s", path, strerror(errno));
		close(fd);
		return -1;
	}
	/* a service manager may have forbidden to give files away where nothing is to be given
	 */
	keep = uid == (uid_t)-1 && gid == (gid_t)-1;
	if ((!keep && chown(path, uid, gid)) || lstat(path, &st) || listen(fd, BACKLOG)) {
		fail_with(err, errsize, "socket %s: %s", path, strerror(errno));
		unlink(path);
		close(fd);
		return -1;
	}
	*file = (struct control_file){st.st_dev, st.st_ino};
	return fd;
}

void control_remove(const char *path, const struct control_file *file)
{
	struct stat st;

	if (!lstat(path, &st) && st.st_dev == file->dev && st.st_ino == file->ino)
		unlink(path);
}
