/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control socket's file: whose it is, what stood there before, and that it goes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>

#include "tests/unit/control_rig.h"

static mode_t mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return st.st_mode & 07777;
}

/* Opening must fail, say why, and leave no file descriptor behind. */
static void refused(struct rig *r, const char *why)
{
	unsigned before = open_fds();
	char err[256] = "";

	assert_null(rig_open(r, err, sizeof(err)));
	if (!strstr(err, why))
		fail_msg("\"%s\" does not say \"%s\"", err, why);
	assert_null(strchr(err, '\n'));
	assert_int_equal(open_fds(), before);
}

/* A socket of that name that somebody bound; listening, if backlog is not negative. */
static int socket_file(const struct rig *r, int backlog)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = client_fd();

	memcpy(a.sun_path, r->path, strlen(r->path));
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	if (backlog >= 0)
		assert_int_equal(listen(fd, backlog), 0);
	return fd;
}

static void test_mode(void **state)
{
	static const mode_t masks[] = {0, 022, 077, 0777};
	unsigned before = open_fds();
	struct rig r;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		char err[256] = "";
		struct stat st;
		mode_t old;

		rig_dir(&r);
		old = umask(masks[i]);
		r.c = rig_open(&r, err, sizeof(err));
		assert_int_equal(umask(old), masks[i]); /* as it was */
		assert_non_null(r.c);
		assert_int_equal(lstat(r.path, &st), 0);
		assert_true(S_ISSOCK(st.st_mode));
		assert_int_equal(st.st_mode & 07777, 0660);
		assert_int_equal(st.st_uid, geteuid());
		rig_end(&r);
	}
	assert_int_equal(open_fds(), before);
}

static void test_owner(void **state)
{
	struct control_ops ops = {
		.status = rig_status, .stats = rig_stats, .reload = rig_reload};
	char err[256] = "", folder[128];
	struct stat st;
	struct rig r;

	(void)state;
	if (geteuid() != 0) {
		print_message("# skipped: only root can give a file away\n");
		skip();
	}
	rig_dir(&r);
	ops.arg = &r;
	snprintf(folder, sizeof(folder), "%s/run", r.dir);
	snprintf(r.path, sizeof(r.path), "%s/w.sock", folder);
	r.c = control_open(r.path, 65534, 65533, &ops, err, sizeof(err));
	assert_non_null(r.c);
	assert_int_equal(lstat(r.path, &st), 0);
	assert_int_equal(st.st_uid, 65534);
	assert_int_equal(st.st_gid, 65533);
	assert_int_equal(st.st_mode & 07777, 0660);
	/* the folder stays root's: that user must not replace what root keeps in it */
	assert_int_equal(lstat(folder, &st), 0);
	assert_int_equal(st.st_uid, 0);
	assert_int_equal(st.st_mode & 022, 0);
	control_close(r.c);
	assert_int_equal(access(r.path, F_OK), -1);
	assert_int_equal(rmdir(folder), 0);
	assert_int_equal(rmdir(r.dir), 0);
}

static void test_folder(void **state)
{
	char folder[128], err[256] = "";
	mode_t old = umask(077);
	struct rig r;

	(void)state;
	rig_dir(&r);
	snprintf(folder, sizeof(folder), "%s/run", r.dir);
	snprintf(r.path, sizeof(r.path), "%s/w.sock", folder);
	r.c = rig_open(&r, err, sizeof(err));
	assert_non_null(r.c);
	assert_int_equal(mode_of(folder), 0755); /* whatever the umask is */
	control_close(r.c);
	/* one that is there is left as it is */
	assert_int_equal(chmod(folder, 0710), 0);
	r.c = rig_open(&r, err, sizeof(err));
	assert_non_null(r.c);
	assert_int_equal(mode_of(folder), 0710);
	control_close(r.c);
	assert_int_equal(rmdir(folder), 0);
	umask(old);

	/* one folder is made, not a whole path; and a file is none */
	snprintf(r.path, sizeof(r.path), "%s/not/there/w.sock", r.dir);
	refused(&r, "No such file or directory");
	snprintf(r.path, sizeof(r.path), "%s/run", r.dir);
	close(open(r.path, O_CREAT | O_WRONLY, 0600));
	snprintf(r.path, sizeof(r.path), "%s/run/w.sock", r.dir);
	refused(&r, "Not a directory");
	assert_int_equal(unlink(folder), 0);
	assert_int_equal(rmdir(r.dir), 0);
}

/* One that a dead gateway left is replaced; one that lives is left alone. */
static void test_dead_and_living(void **state)
{
	char err[256] = "";
	struct rig r;
	int fd[8], n = 0, busy;

	(void)state;
	rig_dir(&r);
	close(socket_file(&r, 5));
	assert_int_equal(access(r.path, F_OK), 0);
	r.c = rig_open(&r, err, sizeof(err));
	if (!r.c)
		fail_msg("%s", err);
	refused(&r, "another weir answers");
	busy = client(&r);
	assert_true(ping(&r, busy));
	close(busy);
	control_close(r.c);

	/* one that is too busy to take anybody in lives as well */
	busy = socket_file(&r, 0);
	for (; n < 8; n++) {
		fd[n] = client_fd();
		if (client_connect(&r, fd[n]) && errno == EAGAIN)
			break;
	}
	assert_in_range(n, 1, 7);
	refused(&r, "another weir answers");
	for (int i = 0; i <= n; i++)
		close(fd[i]);
	close(busy);
	assert_int_equal(unlink(r.path), 0);
	assert_int_equal(rmdir(r.dir), 0);
}

/* What is no socket is never removed. */
static void test_other_files(void **state)
{
	char other[128], text[8] = "";
	struct rig r;
	int fd;

	(void)state;
	rig_dir(&r);
	fd = open(r.path, O_CREAT | O_RDWR, 0600);
	assert_int_equal(write(fd, "mine", 4), 4);
	close(fd);
	refused(&r, "no socket");
	fd = open(r.path, O_RDONLY);
	assert_int_equal(read(fd, text, sizeof(text)), 4);
	close(fd);
	assert_string_equal(text, "mine");
	assert_int_equal(unlink(r.path), 0);

	assert_int_equal(mkdir(r.path, 0700), 0);
	refused(&r, "no socket");
	assert_int_equal(rmdir(r.path), 0);
	assert_int_equal(mkfifo(r.path, 0600), 0);
	refused(&r, "no socket");
	assert_int_equal(unlink(r.path), 0);

	/* a link, to nothing or to a dead socket, is somebody's */
	snprintf(other, sizeof(other), "%s/other", r.dir);
	assert_int_equal(symlink(other, r.path), 0);
	refused(&r, "no socket");
	assert_int_equal(rename(r.path, other), 0);
	close(socket_file(&r, 1));
	assert_int_equal(unlink(other), 0);
	assert_int_equal(rename(r.path, other), 0);
	assert_int_equal(symlink(other, r.path), 0);
	refused(&r, "no socket");
	assert_int_equal(access(other, F_OK), 0);
	assert_int_equal(unlink(r.path), 0);
	assert_int_equal(unlink(other), 0);
	assert_int_equal(rmdir(r.dir), 0);
}

static void test_path(void **state)
{
	struct rig r = {0};
	struct control_ops ops = {
		.status = rig_status, .stats = rig_stats, .reload = rig_reload, .arg = &r};
	char path[200], err[256] = "";
	struct control *c;

	(void)state;
	refused(&r, "1 to 107 bytes"); /* "" */
	rig_dir(&r);
	for (size_t len = 105; len < 112; len++) {
		/* as many slashes as it takes */
		memset(path, '/', sizeof(path));
		memcpy(path, r.dir, strlen(r.dir));
		strcpy(path + len - 5, "/sock");
		assert_int_equal(strlen(path), len);
		c = control_open(path, (uid_t)-1, (gid_t)-1, &ops, err, sizeof(err));
		assert_int_equal(c != NULL, len <= 107);
		if (c) {
			assert_int_equal(access(path, F_OK), 0);
			control_close(c);
			assert_int_equal(access(path, F_OK), -1);
		} else {
			assert_non_null(strstr(err, "1 to 107 bytes"));
		}
	}
	assert_int_equal(rmdir(r.dir), 0);
}

/* At the end only the file that was made is removed. */
static void test_another_of_that_name(void **state)
{
	struct rig r;
	int fd;

	(void)state;
	rig_start(&r);
	assert_int_equal(unlink(r.path), 0);
	fd = socket_file(&r, 1); /* somebody else's, by now */
	control_close(r.c);
	assert_int_equal(access(r.path, F_OK), 0);
	close(fd);
	assert_int_equal(unlink(r.path), 0);
	assert_int_equal(rmdir(r.dir), 0);
	/* and when there is none any more, that is all right */
	rig_start(&r);
	assert_int_equal(unlink(r.path), 0);
	rig_end(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mode),
		cmocka_unit_test(test_owner),
		cmocka_unit_test(test_folder),
		cmocka_unit_test(test_dead_and_living),
		cmocka_unit_test(test_other_files),
		cmocka_unit_test(test_path),
		cmocka_unit_test(test_another_of_that_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
