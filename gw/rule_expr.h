/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rules themselves, as libnftnl objects. NULL: no memory. */
#ifndef WEIR_GW_RULE_EXPR_H
#define WEIR_GW_RULE_EXPR_H

#include "gw/rule.h"

#include <libnftnl/rule.h>

struct protect_rule;

#define RULE_TAKE "take"
#define RULE_RELEASE "release"
#define RULE_REMARK "remark"
/* What leaves, and what comes in: at postrouting a packet has the interface it came by, too. */
#define RULE_CONTROL(direction) ((direction) == POLICY_INGRESS ? "control-in" : "control")

/* take: what was here already passes; what leaves by an interface goes to its queue. */
struct nftnl_rule *rule_accept_released(void);
struct nftnl_rule *rule_queue(const struct rule_link *link, enum rule_how how);
/* Before that: what these programs take goes to the queue that is read first. */
struct nftnl_rule *rule_first(const struct rule_link *link, const struct protect_rule *p,
			      enum rule_how how);
/* What this program takes is looked at by the rules of the chain "control". */
struct nftnl_rule *rule_jump_control(const struct rule_link *link,
				     const struct protect_rule *look);
/* release: what was not here passes; CE; DSCP; and the mark as it was. */
struct nftnl_rule *rule_accept_others(void);
struct nftnl_rule *rule_set_ce(uint8_t nfproto);
struct nftnl_rule *rule_jump_remark(void);
struct nftnl_rule *rule_clear_mark(void);
/* remark: one value of one protocol. */
struct nftnl_rule *rule_set_dscp(uint8_t nfproto, unsigned dscp);

#endif
