# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL as a container image, made of the files of Debian's packages, which mk/deps unpacks and does not install.

    REGISTRY/postgres:1   busybox, and the server with its clients; runs as user 1000

Without a command it serves the database cluster in /data/db, at every address and by a socket in /data, and makes the
cluster first where there is none. Whoever reaches it is trusted."""
import os

import images

NAME = f"{images.REGISTRY}/postgres:1"
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../build/cache/postgres")
BIN = "usr/lib/postgresql/15/bin"
LIB = "usr/lib/postgresql/15/lib"
SHARE = "usr/share/postgresql/15"
PROGRAMS = ("initdb", "postgres", "psql", "pgbench")
MODULES = ("plpgsql.so", "dict_snowball.so")        # what a new cluster loads
NEEDLESS = ("man", "contrib")
DATA = "/data"

# A cluster is complete when the last line of its configuration is there: one that was killed while it was made is made anew.
SERVE = b"""#!/bin/sh
set -e
if ! grep -qs "^# complete" "$PGDATA/postgresql.conf"; then
    rm -rf "$PGDATA"
    initdb --username=postgres --auth=trust --no-locale --encoding=UTF8 --wal-segsize=1 >/dev/null
    echo "host all all all trust" >>"$PGDATA/pg_hba.conf"
    cat /etc/postgresql.conf >>"$PGDATA/postgresql.conf"
fi
exec postgres
"""

# Small in memory and in the volume; what concerns durability stays as it is by default.
CONFIG = b"""listen_addresses = '*'
unix_socket_directories = '/data'
shared_buffers = 16MB
max_wal_size = 32MB
min_wal_size = 2MB
max_connections = 30
jit = off
# complete
"""


def _files():
    root = os.path.realpath(ROOT)
    if not os.path.exists(f"{root}/{BIN}/postgres"):
        raise RuntimeError(f"{root} has no PostgreSQL: make deps")
    programs = {f"{BIN}/{name}": f"{root}/{BIN}/{name}" for name in PROGRAMS}
    programs |= {f"{LIB}/{name}": f"{root}/{LIB}/{name}" for name in MODULES}
    yield from images.with_libraries(programs, root)
    for folder, directories, names in os.walk(f"{root}/{SHARE}"):
        directories[:] = sorted(set(directories) - set(NEEDLESS))
        for name in sorted(names):
            path = f"{folder}/{name}"
            yield path[len(root) + 1:], images.read(os.path.realpath(path))


def _folders(entries):
    found = set()
    for path, _ in entries:
        while path := os.path.dirname(path):
            found.add(path)
    return [(path, None) for path in sorted(found)]


def image():
    entries = [*_files(), ("bin/serve", (SERVE, 0o755)), ("etc/postgresql.conf", CONFIG)]
    env = [f"PATH=/{BIN}:/bin", f"PGDATA={DATA}/db", "PGUSER=postgres", f"PGHOST={DATA}"]
    return images.Image([images.busybox_layer(), images.layer(_folders(entries) + entries)],
                        {"Cmd": ["/bin/serve"], "User": "1000", "Env": env})
