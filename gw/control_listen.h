/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control socket's name in the file system. */
#ifndef WEIR_GW_CONTROL_LISTEN_H
#define WEIR_GW_CONTROL_LISTEN_H

#include <stddef.h>
#include <sys/types.h>

/* Which file a socket is, so that only that one is removed. */
struct control_file {
	dev_t dev;
	ino_t ino;
};

/*
 * A listening socket, as control_open() promises. The file descriptor, or -1 with one line in
 * err and nothing left behind.
 */
int control_listen(const char *path, uid_t uid, gid_t gid, struct control_file *file, char *err,
		   size_t errsize);
/* Removes it, unless there is another of that name now. */
void control_remove(const char *path, const struct control_file *file);

#endif
