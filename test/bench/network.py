# SPDX-License-Identifier: Apache-2.0
"""The pod's network in the guest, over the channel: against the runc pod's on the same bridge, which is a veth pair and
nothing else, and against what this machine enciphers meanwhile."""
import contextlib
import json
import os
import subprocess

from report import Row

PORT = 7100
MIB = 1 << 20
WAYS = {"to": "to the pod", "from": "from the pod"}
REQUESTS = {"1": "1 byte", "1024": "1 KiB"}


def process_in(tenant, ctr, kind):
    """/proc/PID of a process in the container's namespace of this kind: a guest that is a stub has processes of this machine."""
    name = tenant.exec(ctr, "readlink", f"/proc/self/ns/{kind}")[1].decode().strip()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/{pid}/ns/{kind}") == name:
                return f"/proc/{pid}"
    raise RuntimeError(f"no process is in {name}")


class End:
    """A pod's network namespace with a server in it; the client is the node itself."""

    def __init__(self, fleet, shim):
        self.program = fleet.build + "/test/bench-net"
        self.node = f"/proc/{fleet.bed.pid('tenant')}/ns/net"
        self.address = fleet.tenant.pod_status(shim.pod).status.network.ip
        self.netns = process_in(fleet.tenant, shim.task, "net") + "/ns/net"

    @contextlib.contextmanager
    def serving(self):
        with subprocess.Popen(["nsenter", "--net=" + self.netns, self.program, "serve", str(PORT)], stdout=subprocess.PIPE) as server:
            try:
                if server.stdout.readline() != b"ready\n":
                    raise RuntimeError("bench-net does not serve")
                yield
            finally:
                server.kill()

    def drive(self, way, count):
        done = subprocess.run(["nsenter", "--net=" + self.node, self.program, way, self.address, str(PORT), str(count)],
                              check=True, capture_output=True, text=True, timeout=300)
        return json.loads(done.stdout)

    def stream(self, way, count):
        """Bytes per second."""
        return count * 1e9 / self.drive(way, count)["ns"]


def cipher(build, milliseconds):
    return json.loads(subprocess.run([build + "/test/bench-gcm", str(milliseconds)], check=True, capture_output=True).stdout)


def _cpu_ns(pids):
    """Of all threads, by the scheduler's own account."""
    total = 0
    for pid in pids:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as stat:
                total += int(stat.read().split()[0])
    return total


def _throughput(fleet, ends, carriers, sizes):
    """P32. `carriers`: the processes that carry packets."""
    ours, plain = ends
    for way, words in WAYS.items():
        rates = {"ours": [], "plain": [], "cipher": [], "cpu": [], "cipher_cpu": []}
        for _ in range(sizes["net_blocks"]):
            before = _cpu_ns(carriers)
            rates["ours"].append(ours.stream(way, sizes["net_stream"]))
            rates["cpu"].append((_cpu_ns(carriers) - before) / sizes["net_stream"])
            found = cipher(fleet.build, sizes["cipher_ms"])
            rates["cipher"].append(found["bytes_per_second"])
            rates["cipher_cpu"].append(2e9 / found["bytes_per_cpu_second"])
            rates["plain"].append(plain.stream(way, sizes["net_stream"] * 4))
        yield Row.ratio("P32", f"pod's network, {words}, over AES-256-GCM at both ends", rates["ours"], rates["cipher"], 1 / MIB, "MiB/s",
                        goal=0.6, at_least=True)
        yield Row.ratio("P32", f"pod's network, {words}, over plain veth", rates["ours"], rates["plain"], 1 / MIB, "MiB/s")
        yield Row.ratio("P32", f"CPU time of shim and agent per byte {words}, over the cipher's", rates["cpu"], rates["cipher_cpu"], 1, "ns")


def _latency(ends, sizes):
    """P33."""
    for size, words in REQUESTS.items():
        blocks = [[end.drive(size, sizes["net_requests"]) for end in ends] for _ in range(sizes["net_blocks"])]
        for quantile in ("p50", "p99"):
            sides = ([block[side][quantile + "_ns"] for block in blocks] for side in (0, 1))
            yield Row.ratio("P33", f"request and answer of {words}, {quantile}, over plain veth", *sides, 1 / 1000, "us")


def rows(fleet, shims, sizes):
    """Of a pod of ours and one of runc's."""
    ends = [End(fleet, shim) for shim in shims]
    carriers = [shims[0].pid, *fleet.agents_here()]
    with ends[0].serving(), ends[1].serving():
        return [*_throughput(fleet, ends, carriers, sizes), *_latency(ends, sizes)]
