/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gw/privilege.h"
#include "gw/fail.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FIRST (-20)
#define KEEP (1u << CAP_NET_ADMIN) /* in the first of the two words */

/* The system calls themselves: libcap would be a library for two of them. */
static int get_caps(struct __user_cap_data_struct data[2])
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};

	return (int)syscall(SYS_capget, &h, data);
}

static int set_caps(uint32_t caps)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{.effective = caps, .permitted = caps}};

	return (int)syscall(SYS_capset, &h, data);
}

int privilege_find(const char *user, struct privilege_user *u, char *err, size_t errsize)
{
	const struct passwd *p = getpwnam(user);
	unsigned long id;
	char *end;

	if (!p && *user >= '0' && *user <= '9') {
		errno = 0;
		id = strtoul(user, &end, 10);
		if (!errno && !*end && id < (uid_t)-1)
			p = getpwuid((uid_t)id);
	}
	if (!p)
		return fail_with(err, errsize, "there is no user \"%.64s\"", user);
	*u = (struct privilege_user){p->pw_uid, p->pw_gid};
	return 0;
}

int privilege_check(char *err, size_t errsize)
{
	struct __user_cap_data_struct data[2];

	if (get_caps(data))
		return fail_with(err, errsize, "capabilities: %s", strerror(errno));
	if (!(data[0].effective & KEEP))
		return fail_with(err, errsize,
				 "weir run needs CAP_NET_ADMIN: run it as root, or with that "
				 "capability");
	return 0;
}

int privilege_allow_realtime(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_RTPRIO, &r))
		return -1;
	if (r.rlim_cur >= 1)
		return 0;
	r.rlim_cur = 1;
	if (r.rlim_max < 1)
		r.rlim_max = 1; /* needs CAP_SYS_RESOURCE */
	return setrlimit(RLIMIT_RTPRIO, &r);
}

int privilege_go_first(void)
{
	/* of this thread; those that it makes have it from it */
	return setpriority(PRIO_PROCESS, 0, FIRST);
}

int privilege_core_dumps(bool allowed)
{
	const struct rlimit none = {0, 0};

	/* the limit does not hold for dumps that a program takes (core(5)), the flag does */
	if (!allowed && setrlimit(RLIMIT_CORE, &none))
		return -1;
	return prctl(PR_SET_DUMPABLE, allowed ? 1L : 0L, 0L, 0L, 0L);
}

static int become(const struct privilege_user *u, char *err, size_t errsize)
{
	if (prctl(PR_SET_KEEPCAPS, 1L))
		return fail_with(err, errsize, "keeping a capability: %s", strerror(errno));
	if (setgroups(0, NULL) || setresgid(u->gid, u->gid, u->gid) ||
	    setresuid(u->uid, u->uid, u->uid))
		return fail_with(err, errsize, "becoming user %u: %s", (unsigned)u->uid,
				 strerror(errno));
	return 0;
}

static bool has_that_alone(void)
{
	struct __user_cap_data_struct data[2];

	return !get_caps(data) && data[0].permitted == KEEP && data[0].effective == KEEP &&
	       !data[0].inheritable && !data[1].permitted && !data[1].effective &&
	       !data[1].inheritable;
}

/* What was given up must be gone: a privilege that is only believed to be gone is a hole. */
static int verify(const struct privilege_user *u, char *err, size_t errsize)
{
	uid_t r, e, s;

	if (!has_that_alone())
		return fail_with(err, errsize, "capabilities could not be given up");
	if (!u)
		return 0;
	if (getresuid(&r, &e, &s) || r != u->uid || e != u->uid || s != u->uid ||
	    (u->uid && !setuid(0)))
		return fail_with(err, errsize, "could not become user %u for good",
				 (unsigned)u->uid);
	return 0;
}

int privilege_drop(const struct privilege_user *u, char *err, size_t errsize)
{
	/* the bounding set can only be made smaller by who has CAP_SETPCAP, and while it has it
	 */
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0L, 0L, 0L) >= 0; cap++)
		if (cap != CAP_NET_ADMIN && prctl(PR_CAPBSET_DROP, cap, 0L, 0L, 0L) &&
		    errno != EPERM)
			return fail_with(err, errsize, "capabilities: %s", strerror(errno));
	if (u && (u->uid != getuid() || u->uid != geteuid()) && become(u, err, errsize))
		return -1;
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0L, 0L, 0L);
	/* a service manager that gave it no more may have forbidden the call */
	if (!has_that_alone() && set_caps(KEEP))
		return fail_with(err, errsize, "capabilities: %s", strerror(errno));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L))
		return fail_with(err, errsize, "no new privileges: %s", strerror(errno));
	return verify(u, err, errsize);
}
