/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/setjob.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gw/setfile.h"
#include "gw/setnft.h"

#define NICE 5 /* behind the thread that answers */

struct setjob {
	struct policy_set set; /* with texts of its own */
	char *file;
	int done;
	pthread_t thread;
	atomic_bool stop, ended;
	struct addrset *got;
	uint64_t again;
	char err[512];
};

/* The first of what is wrong. */
static void keep(void *arg, enum policy_severity sev, const char *file, struct policy_mark at,
		 const char *text)
{
	struct setjob *j = arg;

	if (sev != POLICY_ERROR || j->err[0])
		return;
	if (at.line)
		snprintf(j->err, sizeof(j->err), "%s:%d:%d: %s", file, at.line, at.col, text);
	else
		snprintf(j->err, sizeof(j->err), "%s: %s", file, text);
}

static void *run(void *arg)
{
	struct setjob *j = arg;
	struct policy_report r = {.fn = keep, .arg = j, .stop = &j->stop};
	uint64_t one = 1;

	/* of this thread alone, as Linux has it */
	(void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICE);
	j->again = SETNFT_NEVER;
	if (j->set.nft)
		j->got = setnft_read(j->set.text, j->file, j->set.at, &r, &j->again);
	else
		j->got = setfile_read(j->set.path, j->file, j->set.at, &r);
	atomic_store_explicit(&j->ended, true, memory_order_release);
	if (write(j->done, &one, sizeof(one)) < 0) {
		/* a counter that cannot be full */
	}
	return NULL;
}

static void free_all(struct setjob *j)
{
	free(j->set.text);
	free(j->set.path);
	free(j->file);
	free(j);
}

struct setjob *setjob_start(const struct policy *p, const struct policy_set *s, int done)
{
	struct setjob *j = calloc(1, sizeof(*j));
	int e;

	if (!j)
		return NULL;
	j->set = (struct policy_set){.nft = s->nft, .at = s->at};
	j->set.text = strdup(s->text);
	j->set.path = s->path ? strdup(s->path) : NULL;
	j->file = strdup(p->file);
	j->done = done;
	atomic_init(&j->stop, false);
	atomic_init(&j->ended, false);
	e = j->set.text && j->file && !s->path == !j->set.path
		    ? pthread_create(&j->thread, NULL, run, j)
		    : ENOMEM;
	if (!e) {
		pthread_setname_np(j->thread, "weir-set");
		return j;
	}
	free_all(j);
	errno = e;
	return NULL;
}

bool setjob_done(const struct setjob *j)
{
	return atomic_load_explicit(&j->ended, memory_order_acquire);
}

struct addrset *setjob_end(struct setjob *j, uint64_t *again, char *err, size_t errsize)
{
	struct addrset *got;

	atomic_store_explicit(&j->stop, true, memory_order_relaxed);
	pthread_join(j->thread, NULL);
	got = j->got;
	*again = j->again;
	snprintf(err, errsize, "%s", j->err[0] ? j->err : "it could not be read");
	free_all(j);
	return got;
}
