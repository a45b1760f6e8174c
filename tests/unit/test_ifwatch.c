/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interfaces that come, go and change: in a network namespace of its own, with TUN devices. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/if_tun.h>
#include <linux/rtnetlink.h>

#include "gw/ifwatch.h"
#include "tests/unit/netlink_build.h"

#define PATIENCE 60 /* s */

/* ---- The namespace. */

static int control = -1; /* a socket for ioctl(); -1: no namespace of our own */
static char reason[128];

static int make_namespace(void **state)
{
	int fd;

	(void)state;
	if (unshare(CLONE_NEWNET)) {
		snprintf(reason, sizeof(reason), "a network namespace of its own: %s",
			 strerror(errno));
		return 0;
	}
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		snprintf(reason, sizeof(reason), "/dev/net/tun: %s", strerror(errno));
		return 0;
	}
	close(fd);
	control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return control < 0;
}

static void need_namespace(void)
{
	if (control >= 0)
		return;
	print_message("# skipped: %s\n", reason);
	skip();
}

static struct ifreq request(const char *name)
{
	struct ifreq r = {0};

	memcpy(r.ifr_name, name, strlen(name));
	return r;
}

/* It is there until the file descriptor is closed. */
static int tun(const char *name)
{
	struct ifreq r = request(name);
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	r.ifr_flags = IFF_TUN | IFF_NO_PI;
	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, TUNSETIFF, &r), 0);
	return fd;
}

static void set_up(const char *name, bool up)
{
	struct ifreq r = request(name);

	r.ifr_flags = up ? IFF_UP : 0;
	assert_int_equal(ioctl(control, SIOCSIFFLAGS, &r), 0);
}

static void set_mtu(const char *name, int mtu)
{
	struct ifreq r = request(name);

	r.ifr_mtu = mtu;
	assert_int_equal(ioctl(control, SIOCSIFMTU, &r), 0);
}

static void rename_to(const char *name, const char *to)
{
	struct ifreq r = request(name);

	memcpy(r.ifr_newname, to, strlen(to) + 1);
	assert_int_equal(ioctl(control, SIOCSIFNAME, &r), 0);
}

/* ---- What was told last of each name. */

#define NAMES 300

struct told {
	struct ifwatch_state v[NAMES];
	unsigned n, calls;
};

static void tell(void *arg, const struct ifwatch_state *s)
{
	struct told *t = arg;
	unsigned i;

	assert_true(strlen(s->name) > 0 && strlen(s->name) < sizeof(s->name));
	t->calls++;
	for (i = 0; i < t->n; i++)
		if (!strcmp(t->v[i].name, s->name))
			break;
	assert_true(i < NAMES);
	t->n += i == t->n;
	t->v[i] = *s;
}

static struct ifwatch_state last(const struct told *t, const char *name)
{
	for (unsigned i = 0; i < t->n; i++)
		if (!strcmp(t->v[i].name, name))
			return t->v[i];
	return (struct ifwatch_state){0};
}

static struct ifwatch *watch(void)
{
	char err[256] = "";
	struct ifwatch *w = ifwatch_open(err, sizeof(err));

	if (!w)
		fail_msg("%s", err);
	return w;
}

static void read_all(struct ifwatch *w, struct told *t)
{
	struct pollfd p = {.fd = ifwatch_fd(w), .events = POLLIN};

	while (poll(&p, 1, 0) > 0)
		assert_int_equal(ifwatch_read(w, tell, t), 0);
}

/* The carrier of a new device is known a moment later than the device. */
static void until_up(struct ifwatch *w, struct told *t, const char *name, bool up)
{
	struct pollfd p = {.fd = ifwatch_fd(w), .events = POLLIN};
	time_t end = time(NULL) + PATIENCE;

	while (last(t, name).up != up) {
		assert_true(time(NULL) < end);
		poll(&p, 1, 100);
		read_all(w, t);
	}
}

static struct ifwatch_state now(const char *name)
{
	struct ifwatch_state s;

	memset(&s, 0x55, sizeof(s));
	assert_int_equal(ifwatch_get(name, &s), 0);
	return s;
}

/* ---- Tests. */

static void test_get(void **state)
{
	struct ifwatch_state s;
	int fd;

	(void)state;
	need_namespace();
	s = now("lo");
	assert_string_equal(s.name, "lo");
	assert_true(s.there);
	assert_false(s.up);
	set_up("lo", true);
	s = now("lo");
	assert_true(s.there && s.up);
	assert_int_equal(s.mtu, 65536);
	set_mtu("lo", 1400);
	assert_int_equal(now("lo").mtu, 1400);
	set_up("lo", false);
	assert_false(now("lo").up);

	s = now("nowhere0");
	assert_string_equal(s.name, "nowhere0");
	assert_false(s.there || s.up);
	assert_int_equal(s.mtu, 0);
	assert_false(now("").there);

	/* one whose name is as long as can be; a longer name is another, which cannot be */
	fd = tun("fifteen-letters");
	assert_true(now("fifteen-letters").there);
	assert_false(now("fifteen-letter").there);
	assert_false(now("fifteen-letters0").there);
	assert_false(now("fifteen-letters and any number more of them").there);
	close(fd);
	assert_false(now("fifteen-letters").there);
}

static void test_watch(void **state)
{
	struct told t = {0};
	struct ifwatch *w;
	int fd;

	(void)state;
	need_namespace();
	w = watch();
	assert_int_equal(ifwatch_read(w, tell, &t), 0);
	assert_int_equal(t.calls, 0);
	fd = tun("t0");
	read_all(w, &t);
	assert_true(last(&t, "t0").there);
	assert_false(last(&t, "t0").up);
	set_up("t0", true);
	until_up(w, &t, "t0", true);
	set_mtu("t0", 1280);
	read_all(w, &t);
	assert_int_equal(last(&t, "t0").mtu, 1280);
	set_up("t0", false);
	read_all(w, &t);
	assert_false(last(&t, "t0").up);
	assert_true(last(&t, "t0").there);
	rename_to("t0", "t1");
	read_all(w, &t);
	assert_true(last(&t, "t1").there);
	assert_false(now("t0").there); /* of which nobody tells */
	close(fd);
	read_all(w, &t);
	assert_false(last(&t, "t1").there || last(&t, "t1").up);
	/* nothing more happens, and nothing is told */
	t.calls = 0;
	assert_int_equal(ifwatch_read(w, tell, &t), 0);
	assert_int_equal(t.calls, 0);
	ifwatch_close(w);
	ifwatch_close(NULL);
}

/* The carrier is another thing than being up. */
static void test_carrier(void **state)
{
	struct told t = {0};
	struct ifwatch *w;
	int fd, on = 0;

	(void)state;
	need_namespace();
	w = watch();
	fd = tun("t0");
	set_up("t0", true);
	until_up(w, &t, "t0", true);
	if (ioctl(fd, TUNSETCARRIER, &on)) {
		print_message("# skipped: the carrier of a TUN device: %s\n", strerror(errno));
		close(fd);
		ifwatch_close(w);
		skip();
	}
	until_up(w, &t, "t0", false);
	assert_true(last(&t, "t0").there);
	on = 1;
	assert_int_equal(ioctl(fd, TUNSETCARRIER, &on), 0);
	until_up(w, &t, "t0", true);
	close(fd);
	ifwatch_close(w);
}

/* More happens than the socket holds: in the end all is known as it is. */
static void test_overflow(void **state)
{
	int small = 1, fd[30];
	struct told t = {0};
	struct ifwatch *w;
	char name[IFNAMSIZ];

	(void)state;
	need_namespace();
	w = watch();
	assert_int_equal(
		setsockopt(ifwatch_fd(w), SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	for (int i = 0; i < 30; i++) {
		snprintf(name, sizeof(name), "t%d", i);
		fd[i] = tun(name);
	}
	for (int mtu = 1000; mtu < 1100; mtu++)
		set_mtu("t29", mtu);
	read_all(w, &t);
	/* that many messages were not there to be read */
	assert_true(t.calls < 100);
	for (int i = 0; i < 30; i++) {
		snprintf(name, sizeof(name), "t%d", i);
		assert_true(last(&t, name).there);
	}
	assert_int_equal(last(&t, "t29").mtu, 1099);
	/* and what happens from then on */
	set_mtu("t3", 1234);
	read_all(w, &t);
	assert_int_equal(last(&t, "t3").mtu, 1234);
	for (int i = 0; i < 30; i++)
		close(fd[i]);
	ifwatch_close(w);
}

/* ---- Messages. */

static struct nlmsghdr *link_message(uint16_t type, unsigned char family, unsigned flags)
{
	struct ifinfomsg m = {.ifi_family = family, .ifi_index = 3, .ifi_flags = flags};
	struct nlmsghdr *nlh = message(type, &m, sizeof(m));

	mnl_attr_put_strz(nlh, IFLA_IFNAME, "eth0");
	mnl_attr_put_u32(nlh, IFLA_MTU, 1500);
	return nlh;
}

static void test_parse(void **state)
{
	struct ifinfomsg m = {.ifi_index = 3};
	struct ifwatch_state s;
	struct nlmsghdr *nlh;

	(void)state;
	assert_true(
		ifwatch_parse(link_message(RTM_NEWLINK, AF_UNSPEC, IFF_UP | IFF_RUNNING), &s));
	assert_string_equal(s.name, "eth0");
	assert_int_equal(s.mtu, 1500);
	assert_true(s.there && s.up);
	assert_true(ifwatch_parse(link_message(RTM_NEWLINK, AF_UNSPEC, IFF_UP), &s));
	assert_true(s.there && !s.up);
	assert_true(ifwatch_parse(link_message(RTM_NEWLINK, AF_UNSPEC, IFF_RUNNING), &s));
	assert_true(s.there && !s.up);
	assert_true(
		ifwatch_parse(link_message(RTM_DELLINK, AF_UNSPEC, IFF_UP | IFF_RUNNING), &s));
	assert_false(s.there || s.up);
	/* that a port leaves its bridge is told as if it were gone */
	assert_false(ifwatch_parse(link_message(RTM_DELLINK, AF_BRIDGE, IFF_UP), &s));
	assert_false(ifwatch_parse(link_message(RTM_NEWADDR, AF_UNSPEC, IFF_UP), &s));
	/* no name; one that does not end, or is too long; a header that is not whole */
	nlh = message(RTM_NEWLINK, &m, sizeof(m));
	assert_false(ifwatch_parse(nlh, &s));
	mnl_attr_put(nlh, IFLA_IFNAME, 0, "");
	assert_false(ifwatch_parse(nlh, &s));
	mnl_attr_put(nlh, IFLA_IFNAME, 16, "0123456789abcdef");
	mnl_attr_put(nlh, IFLA_MTU, 2, "\1\1");
	assert_true(ifwatch_parse(nlh, &s));
	assert_string_equal(s.name, "0123456789abcde");
	assert_int_equal(s.mtu, 0);
	nlh = message(RTM_NEWLINK, &m, sizeof(m));
	mnl_attr_put(nlh, IFLA_IFNAME, 17, "0123456789abcdefg");
	assert_false(ifwatch_parse(nlh, &s));
	nlh = message(RTM_NEWLINK, &m, sizeof(m) - 4);
	assert_false(ifwatch_parse(nlh, &s));
}

static void any(void *arg, const struct nlmsghdr *nlh)
{
	unsigned *n = arg;
	struct ifwatch_state s;

	if (!ifwatch_parse(nlh, &s))
		return;
	++*n;
	assert_true(strlen(s.name) > 0 && strlen(s.name) < sizeof(s.name));
	assert_true(s.there || !s.up);
}

static void test_lies(void **state)
{
	unsigned n = 0;

	(void)state;
	lie(link_message(RTM_NEWLINK, AF_UNSPEC, IFF_UP), sizeof(struct nlmsghdr), any, &n);
	assert_true(n > 50);
	noise(RTM_NEWLINK, sizeof(struct ifinfomsg), 50000, any, &n);
	noise(RTM_DELLINK, sizeof(struct ifinfomsg), 50000, any, &n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_get),	cmocka_unit_test(test_watch),
		cmocka_unit_test(test_carrier), cmocka_unit_test(test_overflow),
		cmocka_unit_test(test_parse),	cmocka_unit_test(test_lies),
	};

	return cmocka_run_group_tests(tests, make_namespace, NULL);
}
