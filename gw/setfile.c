/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/setfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What could keep the reader waiting (a pipe, a terminal) is none. NULL with errno, or 0. */
static FILE *open_regular(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), error;
	struct stat st;
	FILE *f;

	if (fd < 0)
		return NULL;
	error = fstat(fd, &st) ? errno : 0;
	if (!error && S_ISREG(st.st_mode)) {
		f = fdopen(fd, "r");
		if (f)
			return f;
		error = errno;
	}
	close(fd);
	errno = error;
	return NULL;
}

struct addrset *setfile_read(const char *path, const char *file, struct policy_mark at,
			     struct policy_report *r)
{
	FILE *f = open_regular(path);
	struct addrset *s;

	if (!f) {
		policy_complain(r, POLICY_ERROR, file, at,
				"the set %s cannot be read: %s: it is to be a file with an "
				"address or a network a line",
				policy_shown(path).s,
				errno ? strerror(errno) : "it is no regular file");
		return NULL;
	}
	s = addrset_read(f, path, r);
	fclose(f);
	return s;
}

bool setfile_read_all(struct policy *p, struct policy_report *r)
{
	unsigned before = r->errors;

	for (size_t i = 0; i < p->n_set; i++) {
		const struct policy_set *s = p->set[i];
		struct addrset *a = s->nft ? NULL : setfile_read(s->path, p->file, s->at, r);

		if (a)
			policy_set_give(p, i, a);
		else if (policy_stopped(r))
			return false;
	}
	return r->errors == before;
}

bool setfile_stand_in(struct policy *p, const char *name, const char *path, const char *file,
		      struct policy_mark at, struct policy_report *r)
{
	struct addrset *a;

	for (size_t i = 0; i < p->n_set; i++) {
		if (!p->set[i]->nft || strcmp(p->set[i]->text, name) != 0)
			continue;
		a = setfile_read(path, file ? file : path, at, r);
		if (a)
			policy_set_give(p, i, a);
		return a != NULL;
	}
	policy_complain(r, POLICY_ERROR, file ? file : p->file, at,
			"no class asks for a set of nftables \"%s\"", policy_shown(name).s);
	return false;
}
