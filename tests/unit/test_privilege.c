/* SPDX-License-Identifier: GPL-2.0-or-later */
/* That what is given up is gone for good, seen from inside and in /proc. Each drop is done by a
 * child; what a child finds wrong it writes, and one that is content writes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gw/privilege.h"

#define NET_ADMIN (UINT64_C(1) << CAP_NET_ADMIN)

static const struct privilege_user nobody = {65534, 65533};

/* ---- Children. */

static int out; /* where a child complains */

static void wrong(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void wrong(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vdprintf(out, fmt, ap);
	va_end(ap);
	dprintf(out, "; ");
}

#define EXPECT(what) \
	do { \
		if (!(what)) \
			wrong("line %d: %s", __LINE__, #what); \
	} while (0)

/* Runs fn in a child and returns all that it wrote. */
static const char *child(void (*fn)(void))
{
	static char text[8192];
	size_t n = 0;
	ssize_t got;
	int fd[2], status;
	pid_t pid;

	assert_int_equal(pipe(fd), 0);
	pid = fork();
	if (!pid) {
		close(fd[0]);
		out = fd[1];
		fn();
		_exit(0);
	}
	close(fd[1]);
	assert_true(pid > 0);
	while ((got = read(fd[0], text + n, sizeof(text) - 1 - n)) > 0)
		n += (size_t)got;
	text[n] = '\0';
	close(fd[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		fail_msg("the child ended with %x: %s", (unsigned)status, text);
	return text;
}

/* The hexadecimal number that a line of a status file has. */
static uint64_t number(const char *status, const char *key, int base)
{
	const char *at = strstr(status, key);

	return at ? strtoull(at + strlen(key), NULL, base) : UINT64_MAX;
}

static const char *proc_status(void)
{
	static char text[8192];
	FILE *f = fopen("/proc/self/status", "r");
	size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;

	text[n] = '\0';
	if (f)
		fclose(f);
	return text;
}

static bool set_caps(uint64_t caps, uint64_t inheritable)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2];

	for (unsigned i = 0; i < 2; i++)
		d[i] = (struct __user_cap_data_struct){
			.effective = (uint32_t)(caps >> (32 * i)),
			.permitted = (uint32_t)(caps >> (32 * i)),
			.inheritable = (uint32_t)(inheritable >> (32 * i))};
	return !syscall(SYS_capset, &h, d);
}

/* What privilege_drop() promises: CAP_NET_ADMIN and nothing else, whatever is tried. */
static void expect_little(uint64_t bounding)
{
	const char *s = proc_status();

	EXPECT(number(s, "\nCapInh:", 16) == 0);
	EXPECT(number(s, "\nCapPrm:", 16) == NET_ADMIN);
	EXPECT(number(s, "\nCapEff:", 16) == NET_ADMIN);
	EXPECT(number(s, "\nCapAmb:", 16) == 0);
	EXPECT(number(s, "\nCapBnd:", 16) == bounding);
	EXPECT(number(s, "\nNoNewPrivs:", 10) == 1);
	EXPECT(prctl(PR_SET_NO_NEW_PRIVS, 0L, 0L, 0L, 0L) < 0);
	EXPECT(!set_caps(NET_ADMIN | 1u << CAP_SYS_ADMIN, 0));
	EXPECT(!set_caps(NET_ADMIN, 1u << CAP_SETUID));
	EXPECT(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SETUID, 0L, 0L) < 0);
	EXPECT(chroot("/") < 0 && errno == EPERM);
	EXPECT(setgroups(0, NULL) < 0 && errno == EPERM);
	/* what it keeps it can use still */
	EXPECT(set_caps(NET_ADMIN, 0));
}

static bool need_root(void)
{
	if (geteuid() == 0 && number(proc_status(), "\nCapEff:", 16) >> CAP_SETPCAP & 1)
		return true;
	print_message("# skipped: only root, with all its capabilities, has something to give "
		      "up\n");
	return false;
}

/* ---- Users. */

static void test_find(void **state)
{
	static const char *const none[] = {
		"no-such-user", "",	 "-1",	       "+0",	     " 0",
		"0 ",		"0x0",	 "4294967295", "4294967296", "18446744073709551616",
		"3999999998",	"root\n"};
	struct privilege_user u = {7, 7};
	struct passwd *p;
	char err[256] = "", digits[32], longer[300];

	(void)state;
	assert_int_equal(privilege_find("root", &u, err, sizeof(err)), 0);
	assert_int_equal(u.uid, 0);
	assert_int_equal(u.gid, 0);
	u = (struct privilege_user){7, 7};
	assert_int_equal(privilege_find("0", &u, err, sizeof(err)), 0);
	assert_int_equal(u.uid, 0);
	assert_int_equal(u.gid, 0);
	p = getpwnam("daemon");
	if (p) {
		uid_t uid = p->pw_uid;
		gid_t gid = p->pw_gid;

		snprintf(digits, sizeof(digits), "%u", (unsigned)uid);
		assert_int_equal(privilege_find(digits, &u, err, sizeof(err)), 0);
		assert_int_equal(u.uid, uid);
		assert_int_equal(u.gid, gid);
	}
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		u = (struct privilege_user){7, 7};
		if (!privilege_find(none[i], &u, err, sizeof(err)))
			fail_msg("\"%s\" is user %u", none[i], (unsigned)u.uid);
		assert_non_null(strstr(err, "there is no user"));
		assert_int_equal(u.uid, 7); /* and nothing else is one by mistake */
	}
	memset(longer, 'u', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(privilege_find(longer, &u, err, sizeof(err)), -1);
	assert_true(strlen(err) < 100);
}

/* ---- Giving up. */

static void drop_alone(void)
{
	char err[256] = "";

	EXPECT(privilege_check(err, sizeof(err)) == 0);
	if (privilege_drop(NULL, err, sizeof(err)))
		wrong("%s", err);
	EXPECT(getuid() == 0 && geteuid() == 0);
	expect_little(NET_ADMIN);
	EXPECT(privilege_check(err, sizeof(err)) == 0);
	/* again is no harm */
	EXPECT(privilege_drop(NULL, err, sizeof(err)) == 0);
}

static void drop_to_nobody(void)
{
	static const gid_t groups[] = {0, 4, 27};
	uid_t r, e, s;
	gid_t gr, ge, gs;
	char err[256] = "";

	EXPECT(setgroups(3, groups) == 0);
	if (privilege_drop(&nobody, err, sizeof(err)))
		wrong("%s", err);
	EXPECT(getresuid(&r, &e, &s) == 0 && r == 65534 && e == 65534 && s == 65534);
	EXPECT(getresgid(&gr, &ge, &gs) == 0 && gr == 65533 && ge == 65533 && gs == 65533);
	EXPECT(getgroups(0, NULL) == 0);
	expect_little(NET_ADMIN);
	EXPECT(setuid(0) < 0);
	EXPECT(seteuid(0) < 0);
	EXPECT(setgid(0) < 0);
	EXPECT(access("/root/.", W_OK) < 0);
	EXPECT(privilege_check(err, sizeof(err)) == 0);
}

/* To be the user that one is is no change, and is none. */
static void drop_to_root(void)
{
	struct privilege_user root = {0, 0};
	char err[256] = "";

	if (privilege_drop(&root, err, sizeof(err)))
		wrong("%s", err);
	EXPECT(getuid() == 0);
	expect_little(NET_ADMIN);
}

/* As a service manager starts it: an ordinary user who has the one capability, ambient. */
static bool be_a_service(void)
{
	return !prctl(PR_SET_KEEPCAPS, 1L) && !setresgid(65533, 65533, 65533) &&
	       !setresuid(65534, 65534, 65534) && set_caps(NET_ADMIN, NET_ADMIN) &&
	       !prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_ADMIN, 0L, 0L);
}

static void drop_of_a_service(void)
{
	uint64_t bounding = number(proc_status(), "\nCapBnd:", 16);
	struct privilege_user other = {65533, 65533};
	char err[256] = "";

	EXPECT(be_a_service());
	EXPECT(privilege_check(err, sizeof(err)) == 0);
	/* it cannot become another */
	EXPECT(privilege_drop(&other, err, sizeof(err)) == -1);
	EXPECT(strstr(err, "becoming user 65533") != NULL);
	EXPECT(getuid() == 65534);
	if (privilege_drop(NULL, err, sizeof(err)))
		wrong("%s", err);
	/* nor take anything from its bounding set, which says nothing without new privileges */
	expect_little(bounding);
	if (privilege_drop(&nobody, err, sizeof(err)))
		wrong("%s", err);
}

/* What has too little is told so, and cannot drop to what it has not. */
static void drop_without(void)
{
	char err[256] = "";

	EXPECT(set_caps(~NET_ADMIN & number(proc_status(), "\nCapPrm:", 16), 0));
	EXPECT(privilege_check(err, sizeof(err)) == -1);
	EXPECT(strstr(err, "CAP_NET_ADMIN") != NULL);
	err[0] = '\0';
	EXPECT(privilege_drop(NULL, err, sizeof(err)) == -1);
	EXPECT(strstr(err, "capabilities") != NULL);
}

static void have_nothing(void)
{
	char err[256] = "";

	EXPECT(set_caps(0, 0));
	EXPECT(privilege_check(err, sizeof(err)) == -1);
	EXPECT(privilege_drop(NULL, err, sizeof(err)) == -1);
	EXPECT(err[0] && !strchr(err, '\n'));
}

/* A program that it starts has no more than it: that is what the bounding set is for. */
static void drop_and_exec(void)
{
	char err[256] = "";

	if (privilege_drop(NULL, err, sizeof(err)))
		wrong("%s", err);
	dup2(out, STDOUT_FILENO);
	execl("/bin/cat", "cat", "/proc/self/status", (char *)NULL);
	wrong("/bin/cat: %s", strerror(errno));
}

static void dump_or_not(void)
{
	struct rlimit r = {7, 7};

	EXPECT(privilege_core_dumps(true) == 0);
	EXPECT(prctl(PR_GET_DUMPABLE, 0L, 0L, 0L, 0L) == 1);
	EXPECT(privilege_core_dumps(false) == 0);
	EXPECT(prctl(PR_GET_DUMPABLE, 0L, 0L, 0L, 0L) == 0);
	EXPECT(getrlimit(RLIMIT_CORE, &r) == 0 && r.rlim_cur == 0 && r.rlim_max == 0);
	/* again is no harm */
	EXPECT(privilege_core_dumps(false) == 0);
}

static void in_child(void (*fn)(void))
{
	const char *said;

	if (!need_root())
		skip();
	said = child(fn);
	if (*said)
		fail_msg("%s", said);
}

static void test_alone(void **state)
{
	(void)state;
	in_child(drop_alone);
}

static void test_nobody(void **state)
{
	(void)state;
	in_child(drop_to_nobody);
}

static void test_root(void **state)
{
	(void)state;
	in_child(drop_to_root);
}

static void test_service(void **state)
{
	(void)state;
	in_child(drop_of_a_service);
}

static void test_without(void **state)
{
	(void)state;
	in_child(drop_without);
}

static void test_nothing(void **state)
{
	const char *said = child(have_nothing); /* by anybody */

	(void)state;
	if (*said)
		fail_msg("%s", said);
}

static void test_core_dumps(void **state)
{
	const char *said = child(dump_or_not); /* by anybody */

	(void)state;
	if (*said)
		fail_msg("%s", said);
}

static void test_exec(void **state)
{
	const char *said;

	(void)state;
	if (!need_root())
		skip();
	said = child(drop_and_exec);
	assert_int_equal(number(said, "\nCapPrm:", 16), NET_ADMIN);
	assert_int_equal(number(said, "\nCapEff:", 16), NET_ADMIN);
	assert_int_equal(number(said, "\nCapBnd:", 16), NET_ADMIN);
	assert_int_equal(number(said, "\nNoNewPrivs:", 10), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),	cmocka_unit_test(test_alone),
		cmocka_unit_test(test_nobody),	cmocka_unit_test(test_root),
		cmocka_unit_test(test_service), cmocka_unit_test(test_without),
		cmocka_unit_test(test_nothing), cmocka_unit_test(test_core_dumps),
		cmocka_unit_test(test_exec),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
