/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Words of a filter that libpcap would look up as names of hosts or networks.
 *
 * Such a look-up asks the network: it can hang, and its answer can differ from one
 * time to the next. A policy must mean the same every time, so names are refused
 * before libpcap sees them; a mistyped keyword, which libpcap would take for a host
 * name, is told as what it is. Names of ports and protocols are left to libpcap, which
 * finds them in the host's services and protocols files.
 */
#include "qos/filter_words.h"

#include "qos/policy.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define WORD_MAX 64

/* The language of pcap-filter(7), in which words are no names. */
static const char *const KEYWORDS[] = {"and",
				       "or",
				       "not",
				       "host",
				       "net",
				       "mask",
				       "port",
				       "portrange",
				       "proto",
				       "protochain",
				       "gateway",
				       "src",
				       "dst",
				       "inbound",
				       "outbound",
				       "less",
				       "greater",
				       "len",
				       "length",
				       "broadcast",
				       "multicast",
				       "ip",
				       "ip6",
				       "tcp",
				       "udp",
				       "sctp",
				       "icmp",
				       "icmp6",
				       "igmp",
				       "igrp",
				       "pim",
				       "vrrp",
				       "carp",
				       "ah",
				       "esp",
				       "arp",
				       "rarp",
				       "ether",
				       "fddi",
				       "tr",
				       "wlan",
				       "ppp",
				       "slip",
				       "link",
				       "radio",
				       "vlan",
				       "mpls",
				       "pppoed",
				       "pppoes",
				       "geneve",
				       "llc",
				       "atalk",
				       "aarp",
				       "decnet",
				       "lat",
				       "sca",
				       "moprc",
				       "mopdl",
				       "iso",
				       "esis",
				       "es-is",
				       "isis",
				       "is-is",
				       "clnp",
				       "stp",
				       "ipx",
				       "netbeui",
				       "ra",
				       "ta",
				       "addr1",
				       "addr2",
				       "addr3",
				       "addr4",
				       "type",
				       "subtype",
				       "direction",
				       "dir",
				       "address1",
				       "address2",
				       "address3",
				       "address4",
				       "ifname",
				       "on",
				       "rnr",
				       "rulenum",
				       "reason",
				       "rset",
				       "ruleset",
				       "srnr",
				       "subrulenum",
				       "action",
				       "ifindex",
				       "l1",
				       "l2",
				       "iih",
				       "lsp",
				       "snp",
				       "csnp",
				       "psnp",
				       "byte",
				       "lane",
				       "bcc",
				       "oam",
				       "oamf4",
				       "oamf4ec",
				       "oamf4sc",
				       "metac",
				       "connectmsg",
				       "vpi",
				       "vci",
				       "fisu",
				       "lssu",
				       "lsu",
				       "msu",
				       "hfisu",
				       "hlssu",
				       "hmsu",
				       "sio",
				       "opc",
				       "dpc",
				       "sls",
				       "hsio",
				       "hopc",
				       "hdpc",
				       "hsls",
				       "icmptype",
				       "icmpcode",
				       "icmp6type",
				       "icmp6code",
				       "tcpflags",
				       "tcp-fin",
				       "tcp-syn",
				       "tcp-rst",
				       "tcp-push",
				       "tcp-ack",
				       "tcp-urg",
				       "tcp-ece",
				       "tcp-cwr",
				       "icmp-echoreply",
				       "icmp-unreach",
				       "icmp-sourcequench",
				       "icmp-redirect",
				       "icmp-echo",
				       "icmp-routeradvert",
				       "icmp-routersolicit",
				       "icmp-timxceed",
				       "icmp-paramprob",
				       "icmp-tstamp",
				       "icmp-tstampreply",
				       "icmp-ireq",
				       "icmp-ireqreply",
				       "icmp-maskreq",
				       "icmp-maskreply",
				       "icmp6-destinationrunreach",
				       "icmp6-packettoobig",
				       "icmp6-timeexceeded",
				       "icmp6-parameterproblem",
				       "icmp6-echo",
				       "icmp6-echoreply",
				       "icmp6-multicastlistenerquery",
				       "icmp6-multicastlistenerreportv1",
				       "icmp6-multicastlistenerdone",
				       "icmp6-routersolicit",
				       "icmp6-routeradvert",
				       "icmp6-neighborsolicit",
				       "icmp6-neighboradvert",
				       "icmp6-redirect",
				       "icmp6-routerrenum",
				       "icmp6-nodeinformationquery",
				       "icmp6-nodeinformationresponse",
				       "icmp6-ineighbordiscoverysolicit",
				       "icmp6-ineighbordiscoveryadvert",
				       "icmp6-multicastlistenerreportv2",
				       "icmp6-homeagentdiscoveryrequest",
				       "icmp6-homeagentdiscoveryreply",
				       "icmp6-mobileprefixsolicit",
				       "icmp6-mobileprefixadvert",
				       "icmp6-certpathsolicit",
				       "icmp6-certpathadvert",
				       "icmp6-multicastrouteradvert",
				       "icmp6-multicastroutersolicit",
				       "icmp6-multicastrouterterm",
				       NULL};

/* After these a name is looked up in a file of the host, if at all. */
static const char *const LOCAL[] = {"port", "portrange", "proto", "protochain", "ifname",
				    "on",   "reason",	 "rset",  "ruleset",	"action",
				    "type", "subtype",	 "dir",	  "direction",	NULL};

/* These go on with the kind of the word before them ("port 22 or ssh"). */
static const char *const NEUTRAL[] = {"and", "or", "not", "src", "dst", NULL};

static bool listed(const char *word, const char *const *list)
{
	for (; *list; list++)
		if (!strcmp(word, *list))
			return true;
	return false;
}

bool filter_word_known(const char *word, size_t n)
{
	for (const char *const *k = KEYWORDS; *k; k++)
		if (strlen(*k) == n && !memcmp(word, *k, n))
			return true;
	return false;
}

static bool word_char(char c)
{
	return isalnum((unsigned char)c) || c == '-' || c == '_' || c == '.' || c == ':';
}

/* A number, an address or a part of one: digits and dots, hexadecimal, or with colons. */
static bool numeric(const char *w)
{
	if (strchr(w, ':'))
		return true;
	if (w[0] == '0' && (w[1] == 'x' || w[1] == 'X'))
		return true;
	return w[strspn(w, "0123456789.")] == '\0';
}

/* Words of other programs, and how a filter says it. */
static const char *theirs(const char *word)
{
	static const char *const v[][2] = {
		{"dport", "dst port"},	  {"sport", "src port"},    {"dstport", "dst port"},
		{"srcport", "src port"},  {"daddr", "dst host"},    {"saddr", "src host"},
		{"dst-port", "dst port"}, {"src-port", "src port"}, {"ipv4", "ip"},
		{"ipv6", "ip6"},	  {"icmpv6", "icmp6"},	    {"ipv6-icmp", "icmp6"},
	};

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		if (!strcmp(word, v[i][0]))
			return v[i][1];
	return NULL;
}

/* before: the character in front of the word */
static void complain(const char *word, char before, char *err, size_t errsize)
{
	const char *near = theirs(word);
	char range[256];

	if (!near)
		near = policy_suggest(word, KEYWORDS);
	if (before == '%')
		snprintf(err, errsize,
			 "syntax error: \"%%%s\": a packet's addresses have no zone: leave it "
			 "out",
			 word);
	else if (filter_hint_range(word, range, sizeof(range)))
		snprintf(err, errsize,
			 "syntax error: \"%s\": filters know no ranges of addresses: %s", word,
			 range);
	else if (near)
		snprintf(err, errsize,
			 "syntax error: unknown word \"%s\" (did you mean \"%s\"?)", word,
			 near);
	else
		snprintf(err, errsize,
			 "syntax error: unknown word \"%s\" (names of hosts and networks are "
			 "not looked up: write addresses)",
			 word);
}

int filter_words_check(const char *text, char *err, size_t errsize)
{
	bool local = false; /* the last word that says so asks for no host */
	const char *p = text, *from;

	while (*p) {
		char word[WORD_MAX];
		size_t n = 0;
		bool escaped = *p == '\\';

		if (escaped)
			p++;
		if (!isalnum((unsigned char)*p) && *p != ':') {
			if (*p)
				p++;
			continue;
		}
		for (from = p; word_char(*p); p++)
			if (n + 1 < sizeof(word))
				word[n++] = *p;
		word[n] = '\0';
		if (numeric(word))
			continue;
		if (!escaped && listed(word, KEYWORDS)) {
			if (!listed(word, NEUTRAL))
				local = listed(word, LOCAL);
			continue;
		}
		if (!local || from[-(from > text)] == '%') {
			complain(word, from > text ? from[-1] : ' ', err, errsize);
			return -1;
		}
	}
	return 0;
}
