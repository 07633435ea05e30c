# SPDX-License-Identifier: Apache-2.0
"""The live share of a real pod, from the container's mount to the directory on the node: against a bind mount of the same
directory in a runc pod, and against what this machine enciphers meanwhile."""
import json
import os
import subprocess
import time

import fleet as fleet_program
import network
from report import Row

DIRECTORY = "/run/volumes/bench"
MIB = 1 << 20
BYTES = {"write": "sequential write", "read": "sequential read, not cached"}
NAMES = {"stat": "stat", "create": "create", "list": "list of 1000 names"}


class Mount:
    """The directory as a container has it; this process goes there by /proc."""

    def __init__(self, fleet, shim):
        self.program = fleet.build + "/test/bench-files"
        self.ctr = fleet.tenant.run(shim.pod, "files", fleet_program.IMAGE, ["sleep", "2147483647"],
                                    mounts=[{"container_path": "/data", "host_path": DIRECTORY}])
        self.path = network.process_in(fleet.tenant, self.ctr, "mnt") + "/root/data"

    def drive(self, kind, count):
        done = subprocess.run([self.program, kind, self.path, str(count)], check=True, capture_output=True, text=True, timeout=300)
        return json.loads(done.stdout)

    def rate(self, kind, count):
        """Bytes per second."""
        return count * 1e9 / self.drive(kind, count)["ns"]


def _bytes(build, mounts, sizes):
    ours, local = mounts
    rates = {kind: {"ours": [], "local": [], "cipher": []} for kind in BYTES}
    for _ in range(sizes["share_blocks"]):
        for kind, found in rates.items():       # what `write` leaves is what is read
            found["ours"].append(ours.rate(kind, sizes["share_bytes"]))
            found["cipher"].append(network.cipher(build, sizes["cipher_ms"])["bytes_per_second"])
        for kind, found in rates.items():
            found["local"].append(local.rate(kind, sizes["share_bytes"]))
    goals = {"write": 0.5, "read": None}
    for kind, found in rates.items():
        yield Row.ratio("P35", f"live share, {BYTES[kind]}, over AES-256-GCM at both ends", found["ours"], found["cipher"], 1 / MIB, "MiB/s",
                        goal=goals[kind], at_least=True)
        yield Row.ratio("P35", f"live share, {BYTES[kind]}, over a local bind mount", found["ours"], found["local"], 1 / MIB, "MiB/s")


def _warm(mounts, sizes):
    """One side right after the other, and no cipher between them."""
    blocks = [[mount.rate("warm", sizes["share_bytes"]) for mount in mounts] for _ in range(sizes["share_blocks"])]
    yield Row.ratio("P35", "live share, warm read, over a local bind mount", *zip(*blocks), 1 / MIB, "MiB/s", goal=0.9, at_least=True)


def _names(mounts, sizes):
    for kind, words in NAMES.items():
        blocks = [[mount.drive(kind, sizes["share_" + kind])["p50_ns"] for mount in mounts] for _ in range(sizes["share_blocks"])]
        yield Row.ratio("P35", f"live share, {words}, p50, over a local bind mount", *zip(*blocks), 1 / 1000, "us")


def _memory(fleet):
    """P36: of both processes of a pod's shares, the one that serves and the one that mounts, after all that."""
    pids = [pid for pid in fleet.inside("tenant") if os.path.basename(fleet_program.command_of(pid)[0]) == "cleave-share"]
    if len(pids) != 2:
        raise RuntimeError(f"the pod with a share has {len(pids)} processes cleave-share")

    def private():
        return sum(map(fleet_program.private_of, pids))

    yield Row("P36", "cleave-share, both processes, private memory after that", private() / MIB, "MiB")
    yield Row("P36", "the same at rest", _settled(private) / MIB, "MiB")
    yield Row("P36", "the same at rest, proportional", sum(map(fleet_program.pss_of, pids)) / MIB, "MiB")


def _settled(value):
    """The server gives back what it does not use a second after it was used last."""
    now = value()
    for _ in range(10):
        before = now
        time.sleep(1.2)
        now = value()
        if now == before:
            break
    return now


def rows(fleet, shims, sizes):
    """Of a pod of ours and one of runc's."""
    os.makedirs(fleet.bed.path("tenant", DIRECTORY))
    mounts = [Mount(fleet, shim) for shim in shims]
    return [*_bytes(fleet.build, mounts, sizes), *_warm(mounts, sizes), *_names(mounts, sizes), *_memory(fleet)]
