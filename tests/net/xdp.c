/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Puts a XDP program on an interface: one that passes every packet (pass), or sends every IP
 * packet of an Ethernet frame back out or on by another one's index (redirect INDEX).
 *
 *   xdp INTERFACE generic|native pass
 *   xdp INTERFACE generic|native redirect INDEX
 *
 * It stays until `ip link set dev INTERFACE xdpgeneric off` (or xdpdrv). By the system calls
 * themselves, so that no compiler and no library for it is needed. Exit 0; 2: could not, with
 * the reason; 3: this kernel has no such thing.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <libmnl/libmnl.h>

#define INSN(c, d, s, o, i) \
	{ \
		.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) \
	}
#define MOV(d, i) INSN(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define EXIT INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

static int fail(const char *what)
{
	fprintf(stderr, "xdp: %s: %s\n", what, strerror(errno));
	return errno == ENOSYS || errno == EOPNOTSUPP ? 3 : 2;
}

static int load(const struct bpf_insn *prog, size_t n)
{
	union bpf_attr a = {0};

	a.prog_type = BPF_PROG_TYPE_XDP;
	a.insns = (uint64_t)(uintptr_t)prog;
	a.insn_cnt = (uint32_t)n;
	a.license = (uint64_t)(uintptr_t) "GPL";
	return (int)syscall(SYS_bpf, BPF_PROG_LOAD, &a, sizeof(a));
}

static int attach(unsigned index, int fd, uint32_t flags)
{
	uint8_t buf[4096] __attribute__((aligned(8)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct mnl_socket *nl = mnl_socket_open(NETLINK_ROUTE);
	struct ifinfomsg *m;
	struct nlattr *nest;
	ssize_t n = -1;

	nlh->nlmsg_type = RTM_SETLINK;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	nlh->nlmsg_seq = 1;
	m = mnl_nlmsg_put_extra_header(nlh, sizeof(*m));
	m->ifi_index = (int)index;
	nest = mnl_attr_nest_start(nlh, IFLA_XDP);
	mnl_attr_put_u32(nlh, IFLA_XDP_FD, (uint32_t)fd);
	mnl_attr_put_u32(nlh, IFLA_XDP_FLAGS, flags);
	mnl_attr_nest_end(nlh, nest);
	if (nl && mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) >= 0 &&
	    mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) >= 0)
		n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
	if (n >= 0)
		n = mnl_cb_run(buf, (size_t)n, 1, mnl_socket_get_portid(nl), NULL, NULL);
	if (nl) {
		int error = errno;

		mnl_socket_close(nl);
		errno = error;
	}
	return n < 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
	const struct bpf_insn pass[] = {MOV(BPF_REG_0, XDP_PASS), EXIT};
	struct bpf_insn redirect[] = {MOV(BPF_REG_1, 0), MOV(BPF_REG_2, 0),
				      INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_redirect),
				      EXIT};
	unsigned index;
	uint32_t flags;
	int fd;

	if (argc < 4 || (!strcmp(argv[3], "redirect") && argc != 5)) {
		fprintf(stderr, "xdp INTERFACE generic|native pass|redirect [INDEX]\n");
		return 2;
	}
	index = if_nametoindex(argv[1]);
	if (!index)
		return fail(argv[1]);
	flags = !strcmp(argv[2], "generic") ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE;
	if (!strcmp(argv[3], "redirect")) {
		redirect[0].imm = (int32_t)strtol(argv[4], NULL, 10);
		fd = load(redirect, sizeof(redirect) / sizeof(redirect[0]));
	} else {
		fd = load(pass, sizeof(pass) / sizeof(pass[0]));
	}
	if (fd < 0)
		return fail("loading a program");
	if (attach(index, fd, flags))
		return fail("attaching it");
	close(fd);
	return 0;
}
