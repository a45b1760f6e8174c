/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Serves the metrics: one document, to a few clients at a time, none of whom is trusted. */
#include "gw/metrics.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "gw/metrics_body.h"

#define CLIENTS 8u	      /* at once; who comes when all places are taken gets another's */
#define PLACES (CLIENTS + 8u) /* and those that are about to go */
#define BACKLOG 128
#define IDLE 2u		/* s in which a client must say or take something */
#define TOTAL_MS 10000u /* for all of its visit; Prometheus gives up after as much */
#define MEMORY 16384u	/* bytes of a connection: request line and headers */
#define TYPE "text/plain; version=0.0.4; charset=utf-8"
#define PATH "/metrics"
#define MISDIRECTED 421u /* RFC 9110 section 15.5.20 */

struct client {
	MHD_socket fd;
	uint64_t until;	  /* ms; 0: free */
	uint8_t from[16]; /* its address */
	bool cut;	  /* it was shut down, and is about to go */
};

struct metrics {
	struct MHD_Daemon *daemon;
	int fd;
	struct gateway_snapshot *(*snapshot)(void *arg);
	void *arg;
	const char *name; /* NULL: none; a name of this host beside its own */
	struct client client[PLACES];
	struct metrics_shared *shared; /* the youngest snapshot that is in use; NULL: none */
};

static int fail(char *err, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int fail(char *err, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, size, fmt, ap);
	va_end(ap);
	return -1;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- Where it listens. */

#define ADDRESS_MAX 80

/* "ADDR:PORT" or "[ADDR]:PORT" into its parts. 0, or -1 with err. */
static int split(const char *listen, char addr[ADDRESS_MAX], const char **port, char *err,
		 size_t size)
{
	static const char example[] = "127.0.0.1:9590 or [::1]:9590";
	const char *colon = strrchr(listen, ':'), *from = listen, *to = colon;

	if (*listen == '[') {
		from = listen + 1;
		to = strchr(from, ']');
		if (!to || to[1] != ':' || strchr(to + 2, ':'))
			return fail(err, size, "metrics: %.100s: not as in %s", listen,
				    example);
		colon = to + 1;
	} else if (!colon) {
		return fail(err, size, "metrics: %.100s: a port is missing, as in %s", listen,
			    example);
	} else if (memchr(listen, ':', (size_t)(colon - listen))) {
		return fail(err, size,
			    "metrics: %.100s: an IPv6 address goes in brackets, as in %s",
			    listen, example);
	}
	if (from == to)
		return fail(err, size,
			    "metrics: %.100s: an address is missing: 127.0.0.1 for this host "
			    "alone, 0.0.0.0 or [::] for all that can reach it",
			    listen);
	if (to - from >= ADDRESS_MAX)
		return fail(err, size, "metrics: %.100s: the address is too long", listen);
	memcpy(addr, from, (size_t)(to - from));
	addr[to - from] = '\0';
	*port = colon + 1;
	return 0;
}

static int port_number(const char *text, uint16_t *port)
{
	unsigned n = 0;

	if (!*text || strlen(text) > 5)
		return -1;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		n = n * 10 + (unsigned)(*text - '0');
	}
	*port = (uint16_t)n;
	return n <= UINT16_MAX ? 0 : -1;
}

static bool is_loopback(const struct sockaddr *a)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	if (a->sa_family == AF_INET) {
		memcpy(&v4, a, sizeof(v4));
		return ntohl(v4.sin_addr.s_addr) >> 24 == 127;
	}
	memcpy(&v6, a, sizeof(v6));
	return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr) ||
	       (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr) && v6.sin6_addr.s6_addr[12] == 127);
}

static int bind_socket(const char *text, const struct addrinfo *a, char *err, size_t size)
{
	int on = 1, fd;

	fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail(err, size, "metrics: %.100s: %s", text, strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (!bind(fd, a->ai_addr, a->ai_addrlen) && !listen(fd, BACKLOG))
		return fd;
	fail(err, size, "metrics: %.100s: %s%s", text, strerror(errno),
	     errno == EADDRINUSE      ? ": another program listens there"
	     : errno == EADDRNOTAVAIL ? ": this host has no such address"
				      : "");
	close(fd);
	return -1;
}

/* A socket that listens, or -1 with err. Never asks a name server. */
static int open_socket(const char *text, bool *loopback, char *err, size_t size)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
				 .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE};
	struct addrinfo *a = NULL;
	char addr[ADDRESS_MAX];
	const char *port = NULL;
	uint16_t number;
	int fd;

	if (split(text, addr, &port, err, size))
		return -1;
	if (port_number(port, &number))
		return fail(err, size, "metrics: %.100s: the port is a number up to 65535",
			    text);
	hints.ai_family = *text == '[' ? AF_INET6 : AF_INET;
	if (getaddrinfo(addr, port, &hints, &a) || !a)
		return fail(err, size,
			    "metrics: %.100s: \"%s\" is no IP%s address: as in 127.0.0.1:9590 "
			    "or [::1]:9590",
			    text, addr, *text == '[' ? "v6" : "v4");
	*loopback = is_loopback(a->ai_addr);
	fd = bind_socket(text, a, err, size);
	freeaddrinfo(a);
	return fd;
}

/* ---- What it answers. */

static enum MHD_Result answer(struct MHD_Connection *c, unsigned status, struct MHD_Response *r)
{
	enum MHD_Result done;

	if (!r)
		return MHD_NO;
	MHD_add_response_header(r, MHD_HTTP_HEADER_CONNECTION, "close");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE,
				status == MHD_HTTP_OK ? TYPE : "text/plain; charset=utf-8");
	done = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return done;
}

static enum MHD_Result answer_text(struct MHD_Connection *c, unsigned status, const char *text)
{
	/* the text is only read, whatever the type of the argument says */
	union {
		const char *in;
		void *out;
	} u = {text};

	return answer(
		c, status,
		MHD_create_response_from_buffer(strlen(text), u.out, MHD_RESPMEM_PERSISTENT));
}

/* "name:9590", "[::1]:9590" to "name", "::1". false: it is too long for a name. */
static bool host_only(const char *host, char name[256])
{
	const char *end;
	size_t n;

	if (*host == '[') {
		end = strchr(++host, ']');
		n = end ? (size_t)(end - host) : strlen(host);
	} else {
		n = strcspn(host, ":");
	}
	if (n >= 256)
		return false;
	memcpy(name, host, n);
	name[n] = '\0';
	/* a name may end with the dot of the root */
	if (n > 1 && name[n - 1] == '.')
		name[n - 1] = '\0';
	return true;
}

/*
 * Whether a request was meant for this host. A page of a stranger can make a browser ask any
 * address by the stranger's own name, and read the answer (DNS rebinding): so what is asked for
 * must be an address, or a name that is known to be this host's.
 */
static bool is_own_host(const struct metrics *m, const char *host)
{
	struct in6_addr a;
	char name[256], own[256] = "";

	if (!host) /* HTTP/1.0; no browser does that */
		return true;
	if (!host_only(host, name))
		return false;
	if (inet_pton(AF_INET, name, &a) == 1 || inet_pton(AF_INET6, name, &a) == 1)
		return true;
	if (!gethostname(own, sizeof(own) - 1) && *own && !strcasecmp(name, own))
		return true;
	return !strcasecmp(name, "localhost") || (m->name && !strcasecmp(name, m->name));
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *c, const char *url,
				  const char *method, const char *version, const char *upload,
				  size_t *upload_size, void **state)
{
	struct metrics *m = arg;
	struct MHD_Response *r;

	(void)version;
	(void)upload;
	(void)upload_size;
	(void)state;
	if (!is_own_host(m,
			 MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST)))
		return answer_text(c, MISDIRECTED,
				   "That is no name of this host: ask by its address, or start "
				   "weir with --metrics-name NAME.\n");
	/* at once: nobody's upload is waited for */
	if (strcmp(url, PATH) != 0)
		return answer_text(c, MHD_HTTP_NOT_FOUND, "The metrics are at " PATH ".\n");
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 &&
	    strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return answer_text(c, MHD_HTTP_METHOD_NOT_ALLOWED,
				   "The metrics can be read, with GET, and nothing else.\n");
	r = metrics_body(&m->shared, m->snapshot, m->arg);
	if (!r)
		return answer_text(c, MHD_HTTP_SERVICE_UNAVAILABLE, "There is no memory.\n");
	return answer(c, MHD_HTTP_OK, r);
}

/* ---- How long it lasts: the library's own limit begins anew with every byte. */

static void address_of(const struct sockaddr *a, uint8_t to[16])
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	memset(to, 0, 16);
	if (a->sa_family == AF_INET) {
		memcpy(&v4, a, sizeof(v4));
		memcpy(to, &v4.sin_addr, 4);
	} else if (a->sa_family == AF_INET6) {
		memcpy(&v6, a, sizeof(v6));
		memcpy(to, &v6.sin6_addr, 16);
	}
}

static void cut(struct client *k, uint64_t now)
{
	/* the library sees the end of the stream, and closes it */
	shutdown(k->fd, SHUT_RDWR);
	k->cut = true;
	k->until = now + TOTAL_MS;
}

static unsigned places_of(const struct metrics *m, const uint8_t from[16])
{
	unsigned n = 0;

	for (unsigned i = 0; i < PLACES; i++)
		n += m->client[i].until && !m->client[i].cut &&
		     !memcmp(m->client[i].from, from, 16);
	return n;
}

/*
 * All places are taken: of the address that has most of them, the connection that is there
 * longest goes. So who opens many, and says nothing, is in its own way first.
 */
static void make_place(struct metrics *m)
{
	struct client *victim = NULL;
	unsigned most = 0, all = 0;

	for (unsigned i = 0; i < PLACES; i++) {
		struct client *k = &m->client[i];
		unsigned n = k->until && !k->cut ? places_of(m, k->from) : 0;

		all += n != 0;
		if (n > most || (n && n == most && k->until < victim->until)) {
			most = n;
			victim = k;
		}
	}
	if (victim && all > CLIENTS)
		cut(victim, now_ms());
}

static void on_connection(void *arg, struct MHD_Connection *c, void **state,
			  enum MHD_ConnectionNotificationCode what)
{
	const union MHD_ConnectionInfo *i, *a;
	struct metrics *m = arg;
	struct client *k = *state;

	if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (k)
			k->until = 0;
		return;
	}
	i = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
	a = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	for (unsigned n = 0; i && n < PLACES; n++) {
		k = &m->client[n];
		if (k->until)
			continue;
		*k = (struct client){.fd = i->connect_fd, .until = now_ms() + TOTAL_MS};
		if (a && a->client_addr)
			address_of(a->client_addr, k->from);
		*state = k;
		make_place(m);
		return;
	}
}

static void end_overdue(struct metrics *m)
{
	uint64_t now = now_ms();

	for (unsigned n = 0; n < PLACES; n++)
		if (m->client[n].until && m->client[n].until <= now)
			cut(&m->client[n], now);
}

/* ---- */

struct metrics *metrics_open(const char *listen, const char *name,
			     struct gateway_snapshot *(*snapshot)(void *arg), void *arg,
			     bool *loopback, char *err, size_t errsize)
{
	struct metrics *m = calloc(1, sizeof(*m));
	const union MHD_DaemonInfo *i = NULL;
	int fd;

	if (!m) {
		fail(err, errsize, "metrics: %s", strerror(ENOMEM));
		return NULL;
	}
	m->name = name;
	m->snapshot = snapshot;
	m->arg = arg;
	fd = open_socket(listen, loopback, err, errsize);
	if (fd < 0) {
		free(m);
		return NULL;
	}
	/* the socket is the library's now, and closed by it: also where it fails (0.9.75) */
	m->daemon = MHD_start_daemon(
		MHD_USE_EPOLL, 0, NULL, NULL, on_request, m, MHD_OPTION_LISTEN_SOCKET, fd,
		MHD_OPTION_CONNECTION_LIMIT, PLACES, MHD_OPTION_CONNECTION_TIMEOUT, IDLE,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, m, MHD_OPTION_END);
	if (m->daemon)
		i = MHD_get_daemon_info(m->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (!i) {
		fail(err, errsize, "metrics: the HTTP server does not start");
		metrics_close(m);
		return NULL;
	}
	m->fd = i->epoll_fd;
	return m;
}

void metrics_close(struct metrics *m)
{
	if (m->daemon)
		MHD_stop_daemon(m->daemon);
	free(m);
}

unsigned metrics_port(const struct metrics *m)
{
	const union MHD_DaemonInfo *i =
		MHD_get_daemon_info(m->daemon, MHD_DAEMON_INFO_LISTEN_FD);
	struct sockaddr_storage a = {0};
	socklen_t size = sizeof(a);
	char port[NI_MAXSERV];
	uint16_t n;

	if (!i || getsockname(i->listen_fd, (struct sockaddr *)&a, &size) ||
	    getnameinfo((struct sockaddr *)&a, size, NULL, 0, port, sizeof(port),
			NI_NUMERICSERV) ||
	    port_number(port, &n))
		return 0;
	return n;
}

int metrics_fd(const struct metrics *m)
{
	return m->fd;
}

int metrics_timeout(const struct metrics *m)
{
	MHD_UNSIGNED_LONG_LONG idle;
	uint64_t now = now_ms(), ms = UINT64_MAX;

	if (MHD_get_timeout(m->daemon, &idle) == MHD_YES)
		ms = idle;
	for (unsigned n = 0; n < PLACES; n++) {
		uint64_t until = m->client[n].until;

		if (until && ms > (until > now ? until - now : 0))
			ms = until > now ? until - now : 0;
	}
	if (ms == UINT64_MAX)
		return -1;
	return ms < INT_MAX ? (int)ms : INT_MAX;
}

void metrics_event(struct metrics *m)
{
	end_overdue(m);
	MHD_run(m->daemon);
}
