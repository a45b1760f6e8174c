/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A stage for trying traffic control: a network namespace of this process's own, devices in it
 * that carry a plan's qdiscs, packets sent out by them, and the kernel's counters.
 *
 * Nothing that is done here is seen by the host, and all of it is gone when the process ends.
 */
#ifndef WEIR_GW_TC_STAGE_H
#define WEIR_GW_TC_STAGE_H

#include "gw/tc_plan.h"

#define TC_STAGE_HEADER 14u /* bytes of the devices' header: Ethernet */
#define TC_STAGE_MTU 65535u

/* This process leaves its network namespace for a new one. 0, or -1 with err. */
int tc_stage_enter(char *err, size_t errsize);
/* A device, up, with that number; its ifindex, or -1 with err. What it sends goes nowhere. */
int tc_stage_device(unsigned number, char *err, size_t errsize);
/* Gives it the plan's objects, every class at a rate at which nothing waits. 0, or -1. */
int tc_stage_apply(uint32_t ifindex, struct tc_plan *plan, char *err, size_t errsize);

struct tc_stage_packet {
	uint32_t ifindex;
	uint16_t protocol;   /* ethertype */
	uint32_t len;	     /* bytes behind the device's header, at most TC_STAGE_MTU */
	const uint8_t *data; /* so many */
};
/* A socket to send by, for all devices. Its descriptor, or -1 with err. */
int tc_stage_socket(char *err, size_t errsize);
/* 0, or -1 with errno. */
int tc_stage_send(int fd, const struct tc_stage_packet *p);

/* A count of one class, or (classid TC_ROOT_HANDLE) of the whole device. */
struct tc_stage_count {
	uint32_t classid;
	uint64_t packets, bytes;
};
/* Calls fn for each. 0, or -1 with errno. */
int tc_stage_counts(uint32_t ifindex, void (*fn)(void *arg, const struct tc_stage_count *c),
		    void *arg);

#endif
