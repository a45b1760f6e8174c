/* SPDX-License-Identifier: GPL-2.0-or-later */
/* systemd's notification protocol (sd_notify(3)): one datagram to $NOTIFY_SOCKET. */
#ifndef WEIR_GW_NOTIFY_H
#define WEIR_GW_NOTIFY_H

#include <stdint.h>

/* Lines such as "READY=1\nSTATUS=...". 0 also without a service manager; -1 with errno. */
int notify_send(const char *text);
/* RELOADING=1 with the time that goes with it. */
int notify_reloading(void);
/* ns between two "WATCHDOG=1" that this process must send at most; 0: none is wanted. */
uint64_t notify_watchdog(void);

#endif
