/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Modules of xtables that a rule of the family inet needs and does not bring.
 *
 * The kernel loads such a module by its alias for a family ("ipt_bpf", "ip6t_bpf"), and knows
 * none for inet (net/netfilter/x_tables.c, xt_prefix): a rule of that family finds an extension
 * only when it is there already. So it is asked for as iptables would ask, by its revision, of
 * the family ip (net/netfilter/nft_compat.c, nfnl_compat_get_rcu()); it then serves all.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "gw/nft_batch.h"

static int ask(struct mnl_socket *nl, const char *kind, const char *name, uint32_t rev)
{
	uint8_t buf[512] __attribute__((aligned(8)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *nfg;
	ssize_t n;

	nlh->nlmsg_type = NFNL_SUBSYS_NFT_COMPAT << 8 | NFNL_MSG_COMPAT_GET;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	nlh->nlmsg_seq = 1;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = NFPROTO_IPV4;
	nfg->version = NFNETLINK_V0;
	if (!mnl_attr_put_strz_check(nlh, sizeof(buf), NFTA_COMPAT_NAME, name))
		return EINVAL;
	mnl_attr_put_u32(nlh, NFTA_COMPAT_REV, htonl(rev));
	mnl_attr_put_u32(nlh, NFTA_COMPAT_TYPE, htonl(!strcmp(kind, "target")));
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		return errno;
	/* the answer is its revision, or an error */
	n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
	if (n < 0 || mnl_cb_run(buf, (size_t)n, 1, mnl_socket_get_portid(nl), NULL, NULL) < 0)
		return errno;
	return 0;
}

int nft_xt_load(const char *kind, const char *name, uint32_t rev)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	int error = nl ? ask(nl, kind, name, rev) : errno;

	if (nl)
		mnl_socket_close(nl);
	return error;
}
