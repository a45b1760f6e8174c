/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/setwatch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "gw/clock.h"
#include "gw/fail.h"
#include "gw/setjob.h"
#include "gw/setnft.h"

#define SECOND UINT64_C(1000000000)
/* not each write: what is half written is no set; a file that stays open is looked at */
#define CHANGES (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE)

struct one {
	char *folder; /* of a file */
	const char *name;
	int wd;		 /* of the folder; -1: none */
	uint64_t first;	 /* ns: when it changed first since it was read last; 0: it did not */
	uint64_t due;	 /* ns: when it is to be read */
	uint64_t least;	 /* ns: not before that */
	struct stat was; /* as it was when it was read; all zero: it was not there */
	bool failed;
	struct setnft_name nft; /* of one of nftables */
};

struct setwatch {
	const struct policy *p;
	struct setwatch_ops ops;
	struct one *one; /* beside p->set */
	int all;	 /* epoll: of the following */
	int inotify;	 /* -1: there is none, and files are looked at only */
	int nft;	 /* -1: there are no such sets, or what they hold is looked at only */
	int timer, done;
	struct setjob *job;
	size_t job_of;
	uint64_t began; /* ns: the job */
	uint64_t looked;
};

static void changed(struct one *o)
{
	uint64_t now = clock_now(), latest;

	if (!o->first)
		o->first = now;
	latest = o->first + SETWATCH_LATEST;
	o->due = now + SETWATCH_QUIET < latest ? now + SETWATCH_QUIET : latest;
	if (o->due < o->least)
		o->due = o->least;
}

/* ---- Files. */

static void watch_folder(struct setwatch *w, struct one *o)
{
	if (w->inotify >= 0 && o->folder)
		o->wd = inotify_add_watch(w->inotify, o->folder, CHANGES);
}

static void look_at_file(const struct setwatch *w, size_t i)
{
	struct one *o = &w->one[i];
	struct stat st;

	if (stat(w->p->set[i]->path, &st))
		st = (struct stat){0};
	if (st.st_dev != o->was.st_dev || st.st_ino != o->was.st_ino ||
	    st.st_size != o->was.st_size || st.st_mtim.tv_sec != o->was.st_mtim.tv_sec ||
	    st.st_mtim.tv_nsec != o->was.st_mtim.tv_nsec ||
	    st.st_ctim.tv_sec != o->was.st_ctim.tv_sec ||
	    st.st_ctim.tv_nsec != o->was.st_ctim.tv_nsec)
		changed(o);
}

/* The folder may be another one by now. */
static void look_at_all(struct setwatch *w)
{
	w->looked = clock_now();
	for (size_t i = 0; i < w->p->n_set; i++) {
		struct one *o = &w->one[i];

		if (o->folder) {
			watch_folder(w, o);
			look_at_file(w, i);
		}
		/* nobody tells of those of nftables, or it could not be read */
		if ((o->failed || (w->nft < 0 && !o->folder)) && !o->due)
			changed(o);
	}
}

static void take_event(struct setwatch *w, const struct inotify_event *e)
{
	for (size_t i = 0; i < w->p->n_set; i++) {
		struct one *o = &w->one[i];

		if (!o->folder)
			continue;
		if ((e->mask & IN_Q_OVERFLOW) ||
		    (o->wd == e->wd && e->len && !strcmp(e->name, o->name)))
			changed(o);
		else if (o->wd == e->wd && (e->mask & IN_IGNORED))
			o->wd = -1;
	}
}

static void read_inotify(struct setwatch *w)
{
	char buf[8192] __attribute__((aligned(8)));
	ssize_t n;

	while (w->inotify >= 0 && (n = read(w->inotify, buf, sizeof(buf))) > 0) {
		const struct inotify_event *e;

		for (ssize_t at = 0; at < n; at += (ssize_t)(sizeof(*e) + e->len)) {
			e = (const void *)(buf + at);
			take_event(w, e);
		}
	}
}

/* ---- Sets of nftables. */

static void nft_changed(void *arg, const struct setnft_name *n)
{
	struct setwatch *w = arg;

	for (size_t i = 0; i < w->p->n_set; i++) {
		const struct setnft_name *is = &w->one[i].nft;

		if (!w->p->set[i]->nft)
			continue;
		if (!n->table[0] || (n->family == is->family && !strcmp(n->table, is->table) &&
				     (!n->set[0] || !strcmp(n->set, is->set))))
			changed(&w->one[i]);
	}
}

/* ---- Reading. */

/*
 * So rarely that reading takes a tenth of the time; and once more by itself where the kernel
 * does not tell.
 */
static void read_again(struct setwatch *w, struct one *o, uint64_t again)
{
	uint64_t at = clock_now();

	o->least = at + 9 * (at - w->began);
	if (o->due && o->due < o->least)
		o->due = o->least;
	if (again == SETNFT_NEVER || o->due)
		return;
	o->due = at + (again > SECOND ? again : SECOND);
	if (o->due < o->least)
		o->due = o->least;
}

static void end_job(struct setwatch *w)
{
	struct one *o = &w->one[w->job_of];
	char why[512];
	uint64_t again;
	struct addrset *got = setjob_end(w->job, &again, why, sizeof(why));

	w->job = NULL;
	o->failed = !got;
	read_again(w, o, again);
	if (got)
		w->ops.now(w->ops.arg, w->job_of, got);
	else
		w->ops.failed(w->ops.arg, w->job_of, why);
}

static void begin_job(struct setwatch *w, size_t i)
{
	const struct policy_set *s = w->p->set[i];
	struct one *o = &w->one[i];

	o->first = o->due = 0;
	/* before it is read: what changes meanwhile is seen afterwards */
	if (s->path && stat(s->path, &o->was))
		o->was = (struct stat){0};
	w->job_of = i;
	w->began = clock_now();
	w->job = setjob_start(w->p, s, w->done);
	if (w->job)
		return;
	o->failed = true; /* and so tried again */
	w->ops.failed(w->ops.arg, i, strerror(errno));
}

/* The next that is to be read, now or by the timer. */
static void go_on(struct setwatch *w)
{
	uint64_t now = clock_now(), due = UINT64_MAX;
	struct itimerspec t = {0};

	for (size_t i = 0; i < w->p->n_set && !w->job; i++) {
		if (!w->one[i].due)
			continue;
		if (w->one[i].due <= now)
			begin_job(w, i);
		else if (w->one[i].due < due)
			due = w->one[i].due;
	}
	if (!w->job && due != UINT64_MAX)
		t.it_value = (struct timespec){(time_t)(due / SECOND), (long)(due % SECOND)};
	/* with a job, its end goes on */
	timerfd_settime(w->timer, TFD_TIMER_ABSTIME, &t, NULL);
}

void setwatch_event(struct setwatch *w)
{
	uint64_t n;

	if (read(w->timer, &n, sizeof(n)) < 0 || read(w->done, &n, sizeof(n)) < 0) {
		/* neither need have come */
	}
	read_inotify(w);
	if (w->nft >= 0 && setnft_changes(w->nft, nft_changed, w))
		nft_changed(w, &(struct setnft_name){0});
	if (clock_now() - w->looked >= SETWATCH_LOOK)
		look_at_all(w);
	if (w->job && setjob_done(w->job))
		end_job(w);
	go_on(w);
}

int setwatch_fd(const struct setwatch *w)
{
	return w->all;
}

/* ---- Life. */

static int add_fd(const struct setwatch *w, int fd)
{
	struct epoll_event e = {.events = EPOLLIN};

	return fd < 0 ? -1 : epoll_ctl(w->all, EPOLL_CTL_ADD, fd, &e);
}

static int begin(struct setwatch *w, size_t i)
{
	const char *path = w->p->set[i]->path, *slash = path ? strrchr(path, '/') : NULL;
	struct one *o = &w->one[i];

	o->wd = -1;
	changed(o);
	o->due = o->first;
	if (w->p->set[i]->nft && w->nft < 0) {
		w->nft = setnft_watch();
		if (w->nft >= 0 && add_fd(w, w->nft))
			return -1;
	}
	if (!path) {
		setnft_name(w->p->set[i]->text, &o->nft);
		return 0;
	}
	o->name = slash ? slash + 1 : path;
	o->folder =
		slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
	if (!o->folder)
		return -1;
	watch_folder(w, o);
	return 0;
}

struct setwatch *setwatch_open(const struct policy *p, const struct setwatch_ops *ops,
			       char *err, size_t errsize)
{
	struct setwatch *w = calloc(1, sizeof(*w));
	bool good = w != NULL;

	if (w) {
		*w = (struct setwatch){.p = p, .ops = *ops, .nft = -1, .looked = clock_now()};
		w->one = calloc(p->n_set + 1, sizeof(*w->one));
		w->all = epoll_create1(EPOLL_CLOEXEC);
		w->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
		w->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
		w->done = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		good = w->one && w->all >= 0 && !add_fd(w, w->timer) && !add_fd(w, w->done);
		if (good && w->inotify >= 0)
			good = !add_fd(w, w->inotify);
	}
	for (size_t i = 0; good && i < p->n_set; i++)
		good = !begin(w, i);
	if (good) {
		go_on(w);
		return w;
	}
	fail_with(err, errsize, "following sets: %s", strerror(errno));
	setwatch_close(w);
	return NULL;
}

void setwatch_close(struct setwatch *w)
{
	char why[512];
	uint64_t again;
	int fd[5];

	if (!w)
		return;
	memcpy(fd, (int[5]){w->all, w->inotify, w->nft, w->timer, w->done}, sizeof(fd));
	if (w->job)
		addrset_free(setjob_end(w->job, &again, why, sizeof(why)));
	for (size_t i = 0; w->one && i < w->p->n_set; i++)
		free(w->one[i].folder);
	free(w->one);
	for (size_t i = 0; i < sizeof(fd) / sizeof(fd[0]); i++)
		if (fd[i] >= 0)
			close(fd[i]);
	free(w);
}
