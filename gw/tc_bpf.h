/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cBPF programs for the kernel, made from those of the policy's filters (filter.h), which see a
 * packet from its IP header on.
 */
#ifndef WEIR_GW_TC_BPF_H
#define WEIR_GW_TC_BPF_H

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

#include "qos/filter.h"
#include "qos/policy.h"

/*
 * Instructions. cls_bpf runs 4096 (BPF_MAXINSNS), but a dump has 32 KB for a filter with all
 * that is around it (netlink_dump()): a longer one cannot be read back, and tc cannot show what
 * is there.
 */
#define TC_BPF_MAX 4040u
#define TC_XT_BPF_MAX 64u	 /* XT_BPF_MAX_NUM_INSTR of xt_bpf */
#define TC_BPF_MATCH 0xffffffffu /* what cls_bpf takes as "the class of this filter" */

/*
 * A program that returns TC_BPF_MATCH for IP packets that have one of the DSCP values (bits of
 * `dscp`; 0: any) and that f takes (NULL: all), else 0. From the IP header on, as f.
 * `out` has room for `room`. The number of instructions; 0: it does not fit.
 */
size_t tc_bpf_rule(const struct filter *f, uint64_t dscp, struct sock_filter *out, size_t room);

/*
 * A beginning for such a program: goes on when the packet's mark is one of b's, else returns 0.
 * Reads it as the kernel gives it to a program (SKF_AD_MARK), so it can only run there. The
 * number of instructions; 0: it does not fit.
 */
size_t tc_bpf_marks(const struct policy_beside *b, struct sock_filter *out, size_t room);

/*
 * The same program for cls_bpf, where offset 0 is the device's header and the IP header is at
 * SKF_NET_OFF: loads are shifted, and what the program takes for the packet's length is that
 * of the IP packet again (`header` bytes less; jumps move as needed). 0: it does not fit.
 */
size_t tc_bpf_for_cls(const struct sock_filter *in, size_t n, uint32_t header,
		      struct sock_filter *out, size_t room);

/* A program for cls_bpf that takes what is not IP (by skb->protocol, without VLAN tags). */
size_t tc_bpf_not_ip(struct sock_filter *out, size_t room);
/* One that takes everything. */
size_t tc_bpf_all(struct sock_filter *out, size_t room);

#endif
