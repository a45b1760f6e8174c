/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Traffic for tests. Every packet says its flow, its number within the flow, and when it was
 * sent (CLOCK_MONOTONIC, which all network namespaces of a host share), so that one
 * receiver knows what was lost, doubled, overtaken, and how long each was on its way.
 *
 *   nettool send ADDR PORT [--pps N] [--size BYTES] [--count N] [--flows N] [--tos N]
 *                [--from ADDR[:PORT]]                      (IPv4)
 *   nettool recv PORT [--count N] [--idle MS]      until that many, or silence for so long
 *   nettool flood ADDR PORT [--pps N] [--size BYTES] [--count N] [--flows N] [--forge]
 *
 * --size is that of the UDP payload; --flows of send differ in the source port, those of
 * flood in the destination port too; with --forge, each packet has another source address
 * (root). Results: "key value" lines on standard output. A sender that gets SIGTERM stops and
 * says how many it sent; a receiver then waits for no longer a silence than LINGER.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SECOND UINT64_C(1000000000)
#define FLOWS_MAX 4096
#define MAGIC 0x77656972u
#define LINGER 500 /* ms: what is still to come then was sent and has left long ago */

struct payload {
	uint32_t magic, flow;
	uint64_t seq, sent;
};

struct options {
	uint64_t pps, size, count, flows, tos, idle;
	const char *from;
	bool forge;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

static void until(uint64_t ns)
{
	struct timespec t = {(time_t)(ns / SECOND), (long)(ns % SECOND)};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

static int die(const char *what)
{
	fprintf(stderr, "nettool: %s: %s\n", what, strerror(errno));
	return 2;
}

static int resolve(const char *host, const char *port, struct sockaddr_storage *a,
		   socklen_t *len)
{
	struct addrinfo hint = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICHOST}, *r;

	if (getaddrinfo(host, port, &hint, &r))
		return -1;
	memcpy(a, r->ai_addr, r->ai_addrlen);
	*len = r->ai_addrlen;
	freeaddrinfo(r);
	return 0;
}

static int sender(const struct sockaddr_storage *to, uint64_t tos)
{
	int fd = socket(to->ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0), v = (int)tos,
	    big = 4 << 20;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &big, sizeof(big));
	if (to->ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &v, sizeof(v));
	else
		setsockopt(fd, IPPROTO_IP, IP_TOS, &v, sizeof(v));
	return fd;
}

/* "10.1.2.3" or "10.1.2.3:4000" */
static int bind_to(int fd, const char *from)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	const char *colon = strchr(from, ':');
	char host[64];

	snprintf(host, sizeof(host), "%.*s", colon ? (int)(colon - from) : 63, from);
	if (colon)
		a.sin_port = htons((uint16_t)atoi(colon + 1));
	if (inet_pton(AF_INET, host, &a.sin_addr) != 1) {
		errno = EINVAL;
		return -1;
	}
	return bind(fd, (struct sockaddr *)&a, sizeof(a));
}

static volatile sig_atomic_t ended;

static void end(int sig)
{
	(void)sig;
	ended = 1;
}

/*
 * Stays on the processor where it is: each has its own backlog of packets that come from a
 * veth, so those of a sender that moves may overtake each other before anybody else has seen
 * them.
 */
static void stay(void)
{
	cpu_set_t set;
	int cpu = sched_getcpu();

	if (cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET((unsigned)cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* Who measures must not wait for programs that compute. Where that may not be, it may. */
static void go_first(void)
{
	setpriority(PRIO_PROCESS, 0, -20);
}

static int do_send(const char *host, const char *port, const struct options *o)
{
	static int fd[FLOWS_MAX];
	static uint64_t seq[FLOWS_MAX];
	static uint8_t buf[65536];
	struct payload *p = (struct payload *)(void *)buf;
	struct sockaddr_storage to;
	socklen_t len;
	uint64_t begin, failed = 0, i;

	stay();
	if (o->pps)
		go_first();
	if (resolve(host, port, &to, &len))
		return die(host);
	for (i = 0; i < o->flows; i++) {
		fd[i] = sender(&to, o->tos);
		if (fd[i] < 0 || (o->from && bind_to(fd[i], o->from)) ||
		    connect(fd[i], (struct sockaddr *)&to, len))
			return die("socket");
	}
	signal(SIGTERM, end);
	begin = now_ns();
	for (i = 0; i < o->count && !ended; i++) {
		uint32_t f = (uint32_t)(i % o->flows);

		if (o->pps)
			until(begin + i * SECOND / o->pps);
		*p = (struct payload){MAGIC, f, seq[f]++, now_ns()};
		while (send(fd[f], buf, o->size, 0) < 0) {
			/* an ICMP error of an earlier one is told here: say this one again */
			if (errno != ECONNREFUSED && errno != EAGAIN && errno != ENOBUFS) {
				failed++;
				break;
			}
		}
	}
	printf("sent %" PRIu64 "\nfailed %" PRIu64 "\n", i - failed, failed);
	return 0;
}

/*
 * A packet from an address that nobody has: of 2^30, 64.0.0.0 to 126.255.255.255 and 128.0.0.0
 * to 191.255.255.255 among them, in no order. The kernel fills in length and checksum of the
 * header.
 */
static ssize_t send_forged(int fd, const struct sockaddr_in *to, uint64_t i, uint8_t *buf,
			   size_t size)
{
	struct iphdr *ip = (struct iphdr *)(void *)buf;
	struct udphdr *udp = (struct udphdr *)(void *)(ip + 1);
	uint32_t from = 64u << 24 | (uint32_t)(i * UINT64_C(0x9e3779b97f4a7c15) >> 34);

	if (from >> 24 == 127)
		from ^= 1u << 31;
	*ip = (struct iphdr){.version = 4,
			     .ihl = 5,
			     .ttl = 64,
			     .protocol = IPPROTO_UDP,
			     .saddr = htonl(from),
			     .daddr = to->sin_addr.s_addr};
	*udp = (struct udphdr){.source = htons(4000),
			       .dest = to->sin_port,
			       .len = htons((uint16_t)(sizeof(*udp) + size))};
	return sendto(fd, buf, sizeof(*ip) + sizeof(*udp) + size, MSG_DONTWAIT,
		      (const struct sockaddr *)to, sizeof(*to));
}

static int do_flood(const char *host, const char *port, const struct options *o)
{
	enum { SOCKETS = 16, BATCH = 32 };
	static uint8_t buf[65536];
	struct sockaddr_storage to;
	struct sockaddr_in *to4 = (struct sockaddr_in *)(void *)&to;
	int fd[SOCKETS];
	uint16_t base = (uint16_t)atoi(port);
	socklen_t len;
	uint64_t begin, sent = 0;

	if (resolve(host, port, &to, &len) || to.ss_family != AF_INET)
		return die(host);
	for (unsigned i = 0; i < SOCKETS; i++)
		if ((fd[i] = o->forge ? socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW)
				      : sender(&to, 0)) < 0)
			return die("socket");
	signal(SIGTERM, end);
	begin = now_ns();
	for (uint64_t i = 0; i < o->count && !ended; i++) {
		uint64_t flow = i % o->flows;

		if (i % BATCH == 0)
			until(begin + i * SECOND / o->pps);
		to4->sin_port = htons((uint16_t)(base + flow / SOCKETS % 30000));
		if (o->forge)
			sent += send_forged(fd[0], to4, i, buf, o->size) > 0;
		else
			sent += sendto(fd[flow % SOCKETS], buf, o->size, MSG_DONTWAIT,
				       (struct sockaddr *)&to, len) > 0;
	}
	printf("sent %" PRIu64 "\nns %" PRIu64 "\n", sent, now_ns() - begin);
	return 0;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

struct seen {
	uint64_t highest; /* number + 1 */
	uint64_t room;
	uint8_t *had; /* a bit for each number */
};

/* Whether it came before. */
static bool mark(struct seen *s, uint64_t seq)
{
	uint8_t bit = (uint8_t)(1u << seq % 8);
	bool was;

	if (seq / 8 >= s->room) {
		uint64_t room = seq / 4 + 64;

		s->had = realloc(s->had, room);
		if (!s->had)
			exit(2);
		memset(s->had + s->room, 0, room - s->room);
		s->room = room;
	}
	was = s->had[seq / 8] & bit;
	s->had[seq / 8] |= bit;
	return was;
}

/* Whether there is something to read. The first packet may take its time. */
static bool comes(int fd, uint64_t received, uint64_t idle)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int n;

	do
		n = poll(&p, 1, ended ? LINGER : received ? (int)idle : 20000);
	while (n < 0 && errno == EINTR);
	return n > 0;
}

static int do_recv(const char *port, const struct options *o)
{
	static struct seen flow[FLOWS_MAX], source;
	static uint8_t buf[65536];
	const struct payload *p = (const struct payload *)(const void *)buf;
	struct sockaddr_in6 a = {.sin6_family = AF_INET6,
				 .sin6_port = htons((uint16_t)atoi(port))};
	uint64_t n = 0, bytes = 0, dup = 0, late = 0, lost = 0, first = 0, last = 0, ports = 0;
	uint64_t *delay = calloc(o->count + 1, sizeof(*delay));
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), big = 8 << 20;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof(big));
	if (!delay || fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)))
		return die("bind");
	go_first();
	signal(SIGTERM, end);
	puts("ready");
	fflush(stdout);
	while (n < o->count && comes(fd, n, o->idle)) {
		struct sockaddr_in6 from = {0};
		socklen_t len = sizeof(from);
		ssize_t size =
			recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len);
		uint64_t at = now_ns();

		if (size < (ssize_t)sizeof(*p) || p->magic != MAGIC || p->flow >= FLOWS_MAX ||
		    p->seq > UINT64_C(100000000))
			continue;
		if (mark(&flow[p->flow], p->seq))
			dup++;
		ports += !mark(&source, ntohs(from.sin6_port));
		if (p->seq + 1 > flow[p->flow].highest)
			flow[p->flow].highest = p->seq + 1;
		else
			late++;
		first = first ? first : at;
		last = at;
		bytes += (uint64_t)size;
		delay[n++] = at - p->sent;
	}
	for (unsigned f = 0; f < FLOWS_MAX; f++)
		lost += flow[f].highest;
	lost = lost + dup - n;
	qsort(delay, n, sizeof(*delay), compare);
	printf("received %" PRIu64 "\nlost %" PRIu64 "\ndoubled %" PRIu64 "\nreordered %" PRIu64
	       "\nbytes %" PRIu64 "\nns %" PRIu64 "\nports %" PRIu64 "\n",
	       n, lost, dup, late - dup, bytes, last - first, ports);
	if (n)
		printf("p50_us %" PRIu64 "\np99_us %" PRIu64 "\nmax_us %" PRIu64 "\n",
		       delay[n / 2] / 1000, delay[n * 99 / 100] / 1000, delay[n - 1] / 1000);
	free(delay);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option long_options[] = {
		{"pps", 1, NULL, 'p'},	 {"size", 1, NULL, 's'},  {"count", 1, NULL, 'c'},
		{"flows", 1, NULL, 'f'}, {"tos", 1, NULL, 't'},	  {"idle", 1, NULL, 'i'},
		{"from", 1, NULL, 'F'},	 {"forge", 0, NULL, 'g'}, {0}};
	struct options o = {.pps = 100, .size = 172, .count = 100, .flows = 1, .idle = 1500};
	int c;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		uint64_t v = optarg ? strtoull(optarg, NULL, 0) : 0;

		switch (c) {
		case 'p':
			o.pps = v;
			break;
		case 's':
			o.size = v;
			break;
		case 'c':
			o.count = v;
			break;
		case 'f':
			o.flows = v;
			break;
		case 't':
			o.tos = v;
			break;
		case 'i':
			o.idle = v;
			break;
		case 'F':
			o.from = optarg;
			break;
		case 'g':
			o.forge = true;
			break;
		default:
			return 2;
		}
	}
	argv += optind;
	argc -= optind;
	if (o.size < sizeof(struct payload) || o.size > 65000 || !o.flows)
		return die("--size or --flows");
	if (argc == 3 && !strcmp(argv[0], "flood") && o.pps)
		return do_flood(argv[1], argv[2], &o);
	if (o.flows > FLOWS_MAX)
		return die("--flows");
	if (argc == 3 && !strcmp(argv[0], "send"))
		return do_send(argv[1], argv[2], &o);
	if (argc == 2 && !strcmp(argv[0], "recv"))
		return do_recv(argv[1], &o);
	fputs("usage: nettool send|flood ADDR PORT | recv PORT  (see the source)\n", stderr);
	return 2;
}
