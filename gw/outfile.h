/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files that a command writes must not be those that it reads, whatever their names are. */
#ifndef WEIR_GW_OUTFILE_H
#define WEIR_GW_OUTFILE_H

#include <stddef.h>

/*
 * Whether writing to `out` ("-": standard output) would overwrite one of `files`, of which
 * "-" is standard input: the same regular file by device and inode, so that other names,
 * symbolic and hard links are seen through. To be asked before `out` is opened, since opening
 * empties it. 0, or -1 with one line in err. A NULL among `files` is passed over; what is not
 * there yet overwrites nothing.
 */
int outfile_check(const char *out, const char *const *files, size_t n, char *err,
		  size_t errsize);

#endif
