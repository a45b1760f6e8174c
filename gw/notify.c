/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

int notify_send(const char *text)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t len = path ? strlen(path) : 0;
	ssize_t sent;
	int fd;

	if (!len)
		return 0;
	if ((path[0] != '/' && path[0] != '@') || len >= sizeof(to.sun_path)) {
		errno = EINVAL;
		return -1;
	}
	memcpy(to.sun_path, path, len);
	if (path[0] == '@')
		to.sun_path[0] = '\0'; /* an abstract one: no file, and no byte behind it */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	/* a manager that does not read must not stop us */
	sent = sendto(
		fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&to,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (path[0] == '/')));
	close(fd);
	return sent < 0 ? -1 : 0;
}

int notify_reloading(void)
{
	char text[64];
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
		 (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000);
	return notify_send(text);
}

/* A number that is all of the variable; 0 otherwise. */
static uint64_t number(const char *name)
{
	const char *text = getenv(name);
	char *end;
	unsigned long long n;

	if (!text || *text < '0' || *text > '9')
		return 0;
	errno = 0;
	n = strtoull(text, &end, 10);
	return errno || *end ? 0 : n;
}

uint64_t notify_watchdog(void)
{
	uint64_t pid = number("WATCHDOG_PID"), us = number("WATCHDOG_USEC");

	if (getenv("WATCHDOG_PID") && pid != (uint64_t)getpid())
		return 0;
	return us > UINT64_MAX / 1000 ? 0 : us * 1000;
}
