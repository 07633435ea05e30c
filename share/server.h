/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Serves one directory of the node to one guest: a passthrough file system whose client may be
 * hostile. One thread does everything but wait for locks.
 *
 * What holds, whatever the peer sends: only names of one component are resolved, beneath a node
 * that it was given, and never through a symbolic link; only regular files and directories are ever
 * opened; nothing of a file system that is a view of the node's kernel is served. */

struct server;
struct error;

struct server_files {
    int peer;      /* the stream */
    int root;      /* O_PATH, of the directory */
    int own_files; /* O_PATH, of /proc/self/fd: from where the server is there may be no /proc */
};

/* Takes them in any case. */
int server_new(const struct server_files *files, struct server **ret, struct error *err);
void server_free(struct server *server);
/* Names in the root that have gone: each a record of SERVER_NAME_SIZE bytes with a NUL in it, from
 * somebody who is trusted. The guest is asked to forget them, and what it knew below. Taken. */
enum { SERVER_NAME_SIZE = 64 };
void server_hear_of_removals(struct server *server, int fd);
/* Until the peer closes (0), or is dropped for what it sent (-1). */
int server_run(struct server *server, struct error *err);
