/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/trace.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIN(a, b) ((a) < (b) ? (a) : (b))

enum {
	NS = 1000000000,
	BUFFER = 256 * 1024,
	NUMBERS_MOST = 128, /* what the numbers, tabs and verdict of a line can take */
	WINDOW = 256 * 1024,
	WINDOW_FIRST = 1024, /* small while few packets wait: it stays in the cache */
	BATCH = 1024,	     /* records read back at once */
};

enum verdict { NONE, SENT, DROPPED, PASSED };

struct record {
	uint64_t arrival;
	const char *link, *cls;
	/* From here on it is not known until later: one piece, to be patched in the file. */
	uint64_t departure;
	const char *reason;
	uint32_t verdict; /* enum verdict */
	uint32_t length;
};

#define PATCH_AT offsetof(struct record, departure)
#define PATCH_SIZE (offsetof(struct record, length) - PATCH_AT)

/*
 * Packets wait in [first, next): those before `kept` in the file, the others in the
 * ring. The file begins with packet `origin`.
 */
struct trace {
	char *name;
	int fd;
	char *buffer;
	size_t used;
	uint64_t seconds; /* of the time that was written last, and in digits */
	char seconds_text[24];
	unsigned seconds_len;
	int error; /* errno of the first write that failed; nothing is written after it */
	uint64_t first, kept, next;
	struct record *ring;
	size_t mask, window;
	int spill;
	uint64_t origin;
};

static void fail(struct trace *t, int e)
{
	if (!t->error)
		t->error = e ? e : EIO;
}

static void flush(struct trace *t)
{
	size_t done = 0;

	while (done < t->used && !t->error) {
		ssize_t n = write(t->fd, t->buffer + done, t->used - done);

		if (n > 0)
			done += (size_t)n;
		else if (!n || errno != EINTR)
			fail(t, errno);
	}
	t->used = 0;
}

/* `digits` decimal digits of v, or as many zeros as it lacks. */
static void put_digits(char *to, uint64_t v, unsigned digits)
{
	static const char pairs[] = "00010203040506070809101112131415161718192021222324"
				    "25262728293031323334353637383940414243444546474849"
				    "50515253545556575859606162636465666768697071727374"
				    "75767778798081828384858687888990919293949596979899";

	for (; digits >= 2; v /= 100) {
		digits -= 2;
		memcpy(to + digits, pairs + 2 * (v % 100), 2);
	}
	if (digits)
		*to = (char)('0' + v % 10);
}

static char *put_number(char *to, uint64_t v)
{
	unsigned digits = 1;

	for (uint64_t limit = 10; v >= limit && digits < 20; digits++)
		limit *= 10;
	put_digits(to, v, digits);
	return to + digits;
}

/* A time: the seconds are mostly those of the line before. */
static char *put_time(struct trace *t, char *to, uint64_t ns)
{
	uint64_t sec = ns / NS;

	if (!sec)
		return put_number(to, ns);
	if (sec != t->seconds) {
		t->seconds = sec;
		t->seconds_len = (unsigned)(put_number(t->seconds_text, sec) - t->seconds_text);
	}
	memcpy(to, t->seconds_text, sizeof(t->seconds_text));
	to += t->seconds_len;
	put_digits(to, ns % NS, 9);
	return to + 9;
}

static char *put_string(char *to, const char *s)
{
	while (*s)
		*to++ = *s++;
	return to;
}

static void write_line(struct trace *t, uint64_t packet, const struct record *r)
{
	static const char *const verdicts[] = {"-\t", "sent\t", "dropped\t", "passed\t"};
	const char *link = r->link ? r->link : "-", *cls = r->cls ? r->cls : "-";
	const char *reason = r->reason ? r->reason : "-";
	size_t most = NUMBERS_MOST + strlen(link) + strlen(cls) + strlen(reason);
	char *to;

	if (t->error)
		return;
	if (t->used + most > BUFFER)
		flush(t);
	if (most > BUFFER) {
		fail(t, ENAMETOOLONG);
		return;
	}
	to = put_number(t->buffer + t->used, packet);
	*to++ = '\t';
	to = put_time(t, to, r->arrival);
	*to++ = '\t';
	to = put_string(to, link);
	*to++ = '\t';
	to = put_string(to, cls);
	*to++ = '\t';
	if (r->verdict == PASSED)
		*to++ = '-';
	else
		to = put_number(to, r->length);
	*to++ = '\t';
	to = put_string(to, verdicts[r->verdict]);
	if (r->verdict == SENT)
		to = put_time(t, to, r->departure);
	else
		*to++ = '-';
	*to++ = '\t';
	to = put_string(to, reason);
	*to++ = '\n';
	t->used = (size_t)(to - t->buffer);
}

static struct record *in_ring(struct trace *t, uint64_t packet)
{
	return &t->ring[packet & t->mask];
}

static off_t in_file(const struct trace *t, uint64_t packet)
{
	return (off_t)((packet - t->origin) * sizeof(struct record));
}

/* All of a piece of the file, or an error. */
static bool spill_write(struct trace *t, const void *from, size_t size, off_t at)
{
	const char *p = from;

	while (size && !t->error) {
		ssize_t n = pwrite(t->spill, p, size, at);

		if (n > 0) {
			p += n;
			size -= (size_t)n;
			at += n;
		} else if (!n || errno != EINTR) {
			fail(t, errno);
		}
	}
	return !t->error;
}

static bool spill_read(struct trace *t, void *to, size_t size, off_t at)
{
	char *p = to;

	while (size && !t->error) {
		ssize_t n = pread(t->spill, p, size, at);

		if (n > 0) {
			p += n;
			size -= (size_t)n;
			at += n;
		} else if (!n || errno != EINTR) {
			fail(t, n ? errno : EIO);
		}
	}
	return !t->error;
}

/* Writes the lines that nothing before them holds back; of the file's all when `all`. */
static void drain_file(struct trace *t, bool all)
{
	struct record batch[BATCH] = {0};
	uint64_t n = t->kept - t->first;

	while (n && !t->error) {
		uint64_t want = MIN(n, (uint64_t)BATCH), i;

		if (!spill_read(t, batch, (size_t)want * sizeof(batch[0]),
				in_file(t, t->first)))
			return;
		for (i = 0; i < want && (all || batch[i].verdict != NONE); i++)
			write_line(t, t->first++, &batch[i]);
		if (i < want)
			return;
		n -= want;
	}
	if (t->spill >= 0 && !t->error && t->first == t->kept && t->origin != t->kept) {
		t->origin = t->kept;
		if (ftruncate(t->spill, 0))
			fail(t, errno);
	}
}

static void drain_ring(struct trace *t, bool all)
{
	if (t->first != t->kept)
		return;
	while (t->first != t->next) {
		struct record *r = in_ring(t, t->first);

		if (r->verdict == NONE && !all)
			break;
		write_line(t, t->first++, r);
	}
	t->kept = t->first;
}

/* Beside the output, where there is room if anywhere; never in a device's directory. */
static int open_beside(const struct trace *t)
{
	const char *slash = strrchr(t->name, '/');
	struct stat st;
	char *dir;
	int fd;

	if (fstat(t->fd, &st) || !S_ISREG(st.st_mode))
		return -1;
	dir = slash ? strndup(t->name, (size_t)(slash - t->name) + 1) : strdup(".");
	if (!dir)
		return -1;
	fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	free(dir);
	return fd;
}

static int open_temporary(void)
{
	const char *dir = getenv("TMPDIR");
	char *path;
	int fd;

	if (asprintf(&path, "%s/weir-XXXXXX", dir && *dir ? dir : "/tmp") < 0)
		return -1;
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		unlink(path);
	free(path);
	return fd;
}

/* The older half of the ring goes to the end of the file. */
static void spill_half(struct trace *t)
{
	size_t size = t->mask + 1;
	size_t from = (size_t)(t->kept & t->mask), count = size / 2;
	size_t straight = MIN(count, size - from);

	if (t->spill < 0) {
		t->spill = open_beside(t);
		if (t->spill < 0)
			t->spill = open_temporary();
		if (t->spill < 0) {
			fail(t, errno);
			return;
		}
	}
	if (t->first == t->kept)
		t->origin = t->kept;
	if (spill_write(t, t->ring + from, straight * sizeof(*t->ring), in_file(t, t->kept)))
		spill_write(t, t->ring, (count - straight) * sizeof(*t->ring),
			    in_file(t, t->kept + straight));
	t->kept += count;
}

static bool grow(struct trace *t)
{
	size_t mask = 2 * t->mask + 1;
	struct record *ring = calloc(mask + 1, sizeof(*ring));

	if (!ring)
		return false;
	for (uint64_t p = t->kept; p != t->next; p++)
		ring[p & mask] = *in_ring(t, p);
	free(t->ring);
	t->ring = ring;
	t->mask = mask;
	return true;
}

static void make_room(struct trace *t)
{
	if (t->next - t->kept <= t->mask)
		return;
	if (t->mask + 1 < t->window && grow(t))
		return;
	drain_file(t, false);
	drain_ring(t, false);
	if (t->next - t->kept > t->mask)
		spill_half(t);
}

static void add(struct trace *t, uint64_t packet, const struct record *r)
{
	assert(packet == t->next);
	if (t->error)
		t->first = t->kept = t->next; /* nothing can be kept any more */
	make_room(t);
	*in_ring(t, t->next++) = *r;
}

static void resolve(struct trace *t, uint64_t packet, enum verdict verdict, uint64_t departure,
		    const char *reason)
{
	struct record *r, patch;

	if (t->error)
		return;
	assert(packet >= t->first && packet < t->next);
	if (packet < t->kept) {
		patch = (struct record){
			.departure = departure, .reason = reason, .verdict = verdict};
		spill_write(t, &patch.departure, PATCH_SIZE,
			    in_file(t, packet) + (off_t)PATCH_AT);
		return;
	}
	r = in_ring(t, packet);
	assert(r->verdict == NONE);
	r->departure = departure;
	r->reason = reason;
	r->verdict = verdict;
	if (packet == t->first)
		drain_ring(t, false);
}

void trace_arrive(struct trace *t, uint64_t packet, uint64_t arrival_ns, const char *link,
		  const char *cls, uint32_t length)
{
	add(t, packet,
	    &(struct record){
		    .arrival = arrival_ns, .link = link, .cls = cls, .length = length});
}

void trace_passed(struct trace *t, uint64_t packet, uint64_t arrival_ns, const char *reason)
{
	struct record r = {.arrival = arrival_ns, .reason = reason, .verdict = PASSED};

	add(t, packet, &r);
	drain_ring(t, false);
}

void trace_sent(struct trace *t, uint64_t packet, uint64_t departure_ns, const char *reason)
{
	resolve(t, packet, SENT, departure_ns, reason);
}

void trace_dropped(struct trace *t, uint64_t packet, const char *reason)
{
	resolve(t, packet, DROPPED, 0, reason);
}

uint64_t trace_spilled(const struct trace *t)
{
	return t->first == t->kept ? 0 : t->kept - t->origin;
}

static void trace_free(struct trace *t)
{
	if (t->fd >= 0)
		close(t->fd);
	if (t->spill >= 0)
		close(t->spill);
	free(t->ring);
	free(t->buffer);
	free(t->name);
	free(t);
}

struct trace *trace_open(const char *name, char *err, size_t errsize)
{
	return trace_open_window(name, WINDOW, err, errsize);
}

struct trace *trace_open_window(const char *name, size_t window, char *err, size_t errsize)
{
	static const char header[] = "packet\tarrival_ns\tlink\tclass\tlength\tverdict\t"
				     "departure_ns\treason\n";
	bool is_stdout = !strcmp(name, "-");
	struct trace *t = calloc(1, sizeof(*t));

	assert(window >= 2 && !(window & (window - 1)));
	if (!t) {
		snprintf(err, errsize, "%s: out of memory", name);
		return NULL;
	}
	t->fd = t->spill = -1;
	t->window = window;
	t->mask = MIN(window, (size_t)WINDOW_FIRST) - 1;
	t->first = t->kept = t->next = t->origin = 1;
	t->name = strdup(is_stdout ? "standard output" : name);
	t->buffer = malloc(BUFFER);
	t->ring = calloc(t->mask + 1, sizeof(*t->ring));
	if (!t->name || !t->buffer || !t->ring) {
		snprintf(err, errsize, "%s: out of memory", name);
		trace_free(t);
		return NULL;
	}
	t->fd = is_stdout ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
			  : open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (t->fd < 0) {
		snprintf(err, errsize, "%s: %s", t->name, strerror(errno));
		trace_free(t);
		return NULL;
	}
	t->used = (size_t)(put_string(t->buffer, header) - t->buffer);
	return t;
}

int trace_close(struct trace *t, char *err, size_t errsize)
{
	int e;

	if (!t->error) {
		drain_file(t, true);
		drain_ring(t, true);
		flush(t);
	}
	e = t->error;
	if (close(t->fd) && !e)
		e = errno;
	t->fd = -1;
	if (e)
		snprintf(err, errsize, "%s: %s", t->name, strerror(e));
	trace_free(t);
	return e ? -1 : 0;
}
