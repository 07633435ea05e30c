/* SPDX-License-Identifier: Apache-2.0 */
#include "database.h"

#include <fcntl.h>
#include <stddef.h>
#include <unistd.h>

#include "base/scoped.h"

const char *database_in(int directory)
{
    static const struct {
        const char *file, *whose;
    } signs[] = {
        {"PG_VERSION", "PostgreSQL"},      {"pgdata/PG_VERSION", "PostgreSQL"},
        {"data/PG_VERSION", "PostgreSQL"}, {"ibdata1", "MySQL or MariaDB"},
        {"WiredTiger", "MongoDB"},         {"member/wal", "etcd"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(signs); i++)
        if (faccessat(directory, signs[i].file, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
            return signs[i].whose;
    return NULL;
}
