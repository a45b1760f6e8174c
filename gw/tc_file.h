/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `weir tc` writes down for later, in TC_SAVED_DIR: JSON, whole and on the disk or not at
 * all, in folders that are root's alone. The names of the files have the number of the network
 * namespace, which may become another's; so what belongs to no other is inside.
 */
#ifndef WEIR_GW_TC_FILE_H
#define WEIR_GW_TC_FILE_H

#include <jansson.h>
#include <stddef.h>

#define TC_FILE_PATH 128
#define TC_FILE_WHERE 64

/* What tells this namespace of this boot from all that are, were and will be. 0, or -1. */
int tc_file_where(char where[TC_FILE_WHERE], char *err, size_t errsize);
/* Its number. 0, or -1 with err. */
int tc_file_namespace(unsigned long *ns, char *err, size_t errsize);

/* path: shorter than TC_FILE_PATH. 0, or -1 with err. */
int tc_file_write(const char *path, json_t *j, unsigned mode, char *err, size_t errsize);
/* 1: *j is the caller's; 0: there is none; -1 with err, also of one that others wrote. */
int tc_file_read(const char *path, json_t **j, char *err, size_t errsize);
void tc_file_drop(const char *path);

#endif
