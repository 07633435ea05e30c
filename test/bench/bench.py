#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every measure against containerd's own runc shim in the same run: blocks of both in turns, medians of the
ratios of the blocks with a bootstrap interval; counts where counts are exact. See docs/performance.md."""
import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import evidence                 # noqa: E402
import fleet as fleet_program   # noqa: E402
import network                  # noqa: E402
import plot                     # noqa: E402
import report                   # noqa: E402
import share                    # noqa: E402
import steps                    # noqa: E402
import wire                     # noqa: E402
from report import Row          # noqa: E402

MIB, PAGE = 1 << 20, 4096
FULL = {"pods": 5, "state_blocks": 30, "state": 1000, "exec_blocks": 15, "execs": 20, "warm_execs": 100, "growth_execs": 1000,
        "cycles": 200, "turns": 40, "flood": 256 * MIB, "flood_blocks": 5, "kills": 2000, "agents": 7, "idle": 30,
        "wire_execs": 20,
        "handshake_blocks": 30, "handshakes": 10, "parses": 20, "net_blocks": 7, "net_stream": 48 * MIB, "net_requests": 2000, "cipher_ms": 500,
        "share_blocks": 7, "share_bytes": 32 * MIB, "share_stat": 2000, "share_create": 300, "share_list": 20}
QUICK = {"pods": 1, "state_blocks": 3, "state": 200, "exec_blocks": 2, "execs": 5, "warm_execs": 10, "growth_execs": 30,
         "cycles": 5, "turns": 10, "flood": 4 * MIB, "flood_blocks": 1, "kills": 100, "agents": 1, "idle": 2, "wire_execs": 5,
         "handshake_blocks": 3, "handshakes": 3, "parses": 3, "net_blocks": 1, "net_stream": 4 * MIB, "net_requests": 100, "cipher_ms": 50,
         "share_blocks": 1, "share_bytes": 4 * MIB, "share_stat": 100, "share_create": 20, "share_list": 3}


class Bench:
    def __init__(self, fleet, sizes):
        self.fleet, self.sizes = fleet, sizes
        self.rows = []
        self.pod_times = {fleet_program.OURS: [], fleet_program.RUNC: []}

    def add(self, *rows):
        self.rows += rows

    # ---- the pods ----------------------------------------------------------------------------

    def start(self):
        """Pods of both runtimes in turns."""
        before = {role: len(self.fleet.inside(role)) for role in ("tenant", "host")}
        self.shims = {fleet_program.OURS: [], fleet_program.RUNC: []}
        for number in range(self.sizes["pods"]):
            for runtime, shims in self.shims.items():
                began = time.monotonic()
                pod = self.fleet.pod(runtime, f"{runtime}-{number}")
                self.pod_times[runtime].append(time.monotonic() - began)
                if runtime == fleet_program.OURS and number == 0:
                    added = {role: len(self.fleet.inside(role)) - count for role, count in before.items()}
                    self.processes = {"tenant": added["tenant"], "host": added["host"]}
                shims.append(self.fleet.shim_of(pod))
        self.ours, self.runc = self.shims[fleet_program.OURS], self.shims[fleet_program.RUNC]
        self.hosts = self.fleet.host_shims()

    def blocks(self, operation, count, blocks, warm=0):
        """[(ours, runc)] of one pair of shims, in turns."""
        pairs = []
        for number in range(blocks):
            order = [self.ours[0], self.runc[0]][::1 if number % 2 else -1]
            found = {shim: shim.drive(operation, count, warm) for shim in order}
            pairs.append((found[self.ours[0]], found[self.runc[0]]))
        return pairs

    # ---- memory ------------------------------------------------------------------------------

    def memory(self):
        """P1, P2, P18: what only this process has, in the same state."""
        for shim in self.hosts + self.ours + self.runc:
            shim.drive("state", 1000)
        runc = [shim.private() for shim in self.runc]
        self.add(Row.ratio("P1", f"host shim, private memory after 1000 State, N={len(self.hosts)}",
                           [shim.private() for shim in self.hosts], runc, 1 / MIB, "MiB", goal=1 / 8))
        for shim in self.ours + self.runc:
            shim.drive("exec", self.sizes["warm_execs"])
        self.add(Row.ratio("P2", f"tenant shim, private memory after {self.sizes['warm_execs']} execs, N={len(self.ours)}",
                           [shim.private() for shim in self.ours], [shim.private() for shim in self.runc], 1 / MIB, "MiB",
                           goal=1 / 2))
        agents = [fleet_program.private_of(pid) for pid in self.fleet.agents_here()]
        self.add(Row("P18", f"agent, private memory after {self.sizes['warm_execs']} execs", max(agents) / MIB, "MiB", goal=4))

    def growth(self):
        """P3: private memory per 1000 execs after the warm-up."""
        count = self.sizes["growth_execs"]
        agents = self.fleet.agents_here()
        watched = {"tenant shim": [self.ours[0].pid], "agent": agents, "host shim": [shim.pid for shim in self.hosts]}
        self.ours[0].drive("exec", count // 5)
        before = {name: sum(map(fleet_program.private_of, pids)) for name, pids in watched.items()}
        self.ours[0].drive("exec", count)
        for name, pids in watched.items():
            grown = sum(map(fleet_program.private_of, pids)) - before[name]
            self.add(Row("P3", f"{name}, pages grown in {count} execs", grown // PAGE, "pages", goal=0))

    def leaks(self):
        """P4: descriptors and threads after containers have come and gone."""
        count = self.sizes["cycles"]
        ours = self.ours[0]
        agents = self.fleet.agents_here()

        def counts():
            return {"tenant shim, descriptors": ours.fds(), "tenant shim, threads": ours.threads(),
                    "host shim, descriptors": sum(shim.fds() for shim in self.hosts),
                    "agent, descriptors": sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in agents),
                    "agent, threads": sum(len(os.listdir(f"/proc/{pid}/task")) for pid in agents)}

        self._cycle(ours.pod, 3)
        before = counts()
        self._cycle(ours.pod, count)
        self.settle(counts, before)
        for name, value in counts().items():
            self.add(Row("P4", f"{name} gained in {count} create/delete", value - before[name], "", goal=0, exact=True))

    def _cycle(self, pod, count):
        cri = self.fleet.tenant
        for number in range(count):
            ctr = self.fleet.container(pod, f"cycle{number}")
            cri.stop_container(ctr, grace=0)
            cri.remove_container(ctr)

    @staticmethod
    def settle(counts, wanted, seconds=15):
        """Threads of pools end some seconds after their work."""
        deadline = time.monotonic() + seconds
        while any(value > wanted[name] for name, value in counts().items()) and time.monotonic() < deadline:
            time.sleep(0.2)

    def idle(self):
        """P5: nobody wakes without a reason."""
        def switches(shims):
            total = 0
            for shim in shims:
                for task in os.listdir(f"/proc/{shim.pid}/task"):
                    with open(f"/proc/{shim.pid}/task/{task}/status", encoding="utf-8") as status:
                        total += next(int(line.split()[1]) for line in status if line.startswith("voluntary_ctxt"))
            return total

        groups = {"tenant shims": self.ours, "host shims": self.hosts, "runc shims": self.runc}
        before = {name: switches(shims) for name, shims in groups.items()}
        time.sleep(self.sizes["idle"])
        rates = {name: (switches(shims) - before[name]) / len(shims) / self.sizes["idle"] for name, shims in groups.items()}
        for name in ("tenant shims", "host shims"):
            self.add(Row("P5", f"{name}, wake-ups per second and shim when idle", round(rates[name], 3), "/s", goal=1 / 30,
                         reference=f"{rates['runc shims']:.2f} /s"))

    # ---- State -------------------------------------------------------------------------------

    def state(self):
        """P7 and P8."""
        pairs = self.blocks("state", self.sizes["state"], self.sizes["state_blocks"], 50)
        per_call = 1 / 1000 / self.sizes["state"]
        self.add(Row.ratio("P7", "State, CPU in the shim", *([side["cpu_ns"] for side in sides] for sides in zip(*pairs)),
                           per_call, "us", goal=1 / 8))
        self.counts()
        self.add(Row.ratio("P8", "State, latency p50, same client", *([side["p50_ns"] for side in sides] for sides in zip(*pairs)),
                           1 / 1000, "us", goal=1 / 2))
        pairs = self.blocks("stats", self.sizes["state"] // 5, max(2, self.sizes["state_blocks"] // 6), 5)
        self.add(Row.ratio("P8", "Stats, latency p50, sample cached",
                           *([side["p50_ns"] for side in sides] for sides in zip(*pairs)), 1 / 1000, "us", goal=1 / 2))

    def counts(self):
        goals = {"instructions": 4000, "syscalls": 3, "allocations": 0}
        for name, shim in (("tenant shim", self.ours[0]), ("host shim", self.hosts[0])):
            counted = steps.of_calls(shim, "state", self.sizes["turns"])
            for what, goal in goals.items():
                self.add(Row("P7", f"State, {what} per call, {name}", counted[what], "", goal=goal, exact=True))

    # ---- the channel -------------------------------------------------------------------------

    def hop(self):
        """P9, P34 and half of P22: the agent without a shim before it, several of them."""
        count, rounds = self.sizes["kills"], self.sizes["agents"]
        agents = [json.loads(subprocess.run([self.fleet.build + "/test/bench-agent", str(count // 2)], check=True, timeout=300,
                                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout) for _ in range(rounds)]

        def each(what, quantile):
            return [agent[what][quantile + "_ns"] for agent in agents]

        through = self.ours[0].drive("kill", count, 50)["p50_ns"]
        hop, kill = (statistics.median(each(what, "p50")) for what in ("hop", "kill"))
        self.add(Row("P9", "Kill(0) through shim, TLS and agent, over one gRPC hop without them", (through - hop) / 1000, "us", goal=120,
                     ours=f"{through / 1000:.0f} us", reference=f"{hop / 1000:.0f} us"),
                 Row("P9", "of that the shim: over Kill(0) by the channel itself", (through - kill) / 1000, "us",
                     ours=f"{through / 1000:.0f} us", reference=f"{kill / 1000:.0f} us"))
        for call in ("ping", "kill"):
            self.add(Row.ratio("P22", f"agent's {call} p99 while 4 containers flood, over idle", each(call + "_flooded", "p99"),
                               each(call, "p99"), 1 / 1000, "us", goal=5))
        for quantile, goal in (("p50", None), ("p99", 5)):
            self.add(Row.ratio("P34", f"agent's ping {quantile} while frames and bulk are saturated, over idle",
                               each("ping_saturated", quantile), each("ping", quantile), 1 / 1000, "us", goal=goal))
        self.boot_ns = agents[0]["boot_ns"]

    def flooded(self):
        """The other half of P22: through the shim, four FIFOs being read. In a pod that goes with them."""
        shim = self.fleet.shim_of(self.fleet.pod(fleet_program.OURS, "flooded"))
        idle = shim.drive("kill", self.sizes["kills"], 50)
        floods = [shim.start_drive("flood-zeros", 1 << 40, f"/run/bench-flood{i}") for i in range(4)]
        try:
            time.sleep(0.5)
            busy = shim.drive("kill", self.sizes["kills"] // 4, 20)
            if any(flood.poll() is not None for flood in floods):
                raise RuntimeError("a flood has ended early")
        finally:
            for flood in floods:
                flood.kill()
                flood.wait()
            self.fleet.end(shim.pod)
        self.add(Row("P22", "Kill(0) p99 through the shim while 4 processes flood, over idle", busy["p99_ns"] / idle["p99_ns"],
                     "x", goal=5, ours=f"{busy['p99_ns'] / 1000:.0f} us", reference=f"{idle['p99_ns'] / 1000:.0f} us"))

    def exec(self):
        """P10: Exec, Start, Wait, Delete of true."""
        pairs = self.blocks("exec", self.sizes["execs"], self.sizes["exec_blocks"], 2)
        for quantile, goal in (("p50", 0.5), ("p99", 0.7)):
            self.add(Row.ratio("P10", f"exec of true, {quantile} of a block of {self.sizes['execs']}",
                               *([side[quantile + "_ns"] for side in sides] for sides in zip(*pairs)), 1e-6, "ms", goal=goal))

    def logs(self):
        """P21: byte-exact, against what this machine encrypts in the same minute."""
        for kind in ("zeros", "lines"):
            ours, yardstick = [], []
            for _ in range(self.sizes["flood_blocks"]):
                gcm = subprocess.run([self.fleet.build + "/test/bench-gcm", "300"], check=True, capture_output=True).stdout
                yardstick.append(json.loads(gcm)["bytes_per_cpu_second"])
                done = self.ours[0].drive("flood-" + kind, self.sizes["flood"])
                ours.append(done["bytes"] * 1e9 / done["ns"])
            self.add(Row.ratio("P21", f"container's output ({kind}) over AES-256-GCM on one core", ours, yardstick, 1 / MIB, "MiB/s",
                               goal=0.6, at_least=True))
        done = self.runc[0].drive("flood-zeros", self.sizes["flood"])
        self.add(Row("P21", "the same through the runc shim, without a channel", done["bytes"] * 1e9 / done["ns"] / MIB, "MiB/s"))

    # ---- the pod's network -------------------------------------------------------------------

    def network(self):
        """P32 and P33; P34 is hop()'s."""
        self.add(*network.rows(self.fleet, [self.ours[0], self.runc[0]], self.sizes))

    # ---- the live share ----------------------------------------------------------------------

    def share(self):
        """P35 and P36."""
        self.add(*share.rows(self.fleet, [self.ours[0], self.runc[0]], self.sizes))

    # ---- evidence ----------------------------------------------------------------------------

    def evidence(self):
        """P12 and P29. No pod has a part in it."""
        self.add(*evidence.handshakes(self.fleet.build, self.sizes["handshake_blocks"], self.sizes["handshakes"]))
        self.add(*evidence.parsers(self.fleet.build, self.sizes["parses"]))

    # ---- counts ------------------------------------------------------------------------------

    def per_exec(self):
        """P31: on the wire between the nodes, and in processes and time for a pod."""
        count = self.sizes["wire_execs"]
        with wire.captured(self.fleet, fleet_program.setup.ADDRESS["tenant"]) as capture:
            self.ours[0].drive("exec", count)
        self.add(Row("P31", "bytes on the wire per exec", round(capture.bytes / count), "B"),
                 Row("P31", "packets per exec", round(len(capture.packets) / count, 1), ""),
                 Row("P31", "flights from tenant to guest per exec", round(capture.flights() / count, 1), ""))
        for role, processes in self.processes.items():
            self.add(Row("P31", f"processes per pod on the {role} node" + (", the stub guest's included" if role == "host" else ""),
                         processes, ""))
        median = {runtime: statistics.median(times) for runtime, times in self.pod_times.items()}
        self.add(Row("P31", "RunPodSandbox minus the stub guest's boot",
                     (median[fleet_program.OURS] - self.boot_ns / 1e9) * 1000, "ms",
                     ours=f"{median[fleet_program.OURS] * 1000:.0f} ms", reference=f"{median[fleet_program.RUNC] * 1000:.0f} ms"))

    def binaries(self):
        """P28: code and data, debug information left out."""
        for name, goal in (("host", 400), ("tenant", 1024)):
            path = f"{self.fleet.build}/bin/containerd-shim-cleave-{name}-v2"
            text, data = map(int, subprocess.run(["size", path], check=True, capture_output=True, text=True)
                             .stdout.splitlines()[1].split()[:2])
            self.add(Row("P28", f"{name} shim, code and data", round((text + data) / 1024), "KiB", goal=goal, exact=True))

    MEASURES = ("start", "memory", "growth", "state", "hop", "exec", "logs", "flooded", "idle", "per_exec", "leaks", "network", "share",
                "binaries", "evidence")

    def run(self, say):
        for name in self.MEASURES:
            began = time.monotonic()
            getattr(self, name)()
            say(f"  {name}: {time.monotonic() - began:.1f} s")
        self.rows.sort(key=lambda row: int(row.key[1:]))


def about(build, sizes):
    node = fleet_program.bed_program.NODE_BIN
    return {"containerd": fleet_program.version_of(node + "/containerd", r"containerd.* v?(\d\S+)"),
            "runc": fleet_program.version_of("/usr/sbin/runc", r"version (\S+)"), "kernel": platform.release(),
            "cores": os.cpu_count(), "load": os.getloadavg()[0], "sizes": sizes, "build": build}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default=os.environ.get("BUILD", "build"))
    parser.add_argument("--quick", action="store_true", help="small counts: proves the harness, says little")
    args = parser.parse_args()
    sizes = QUICK if args.quick else FULL
    began = time.monotonic()
    facts = about(os.path.abspath(args.build), sizes)
    print(f"bench: against containerd {facts['containerd']}'s runc shim with runc {facts['runc']}, {facts['cores']} cores,"
          f" load {facts['load']:.1f}", flush=True)
    with fleet_program.Fleet(args.build) as fleet:
        bench = Bench(fleet, sizes)
        bench.run(lambda line: print(line, file=sys.stderr, flush=True))
    out = os.path.join(args.build, "bench")
    os.makedirs(out, exist_ok=True)
    with open(out + "/results.json", "w", encoding="utf-8") as file:
        json.dump({"about": facts, "rows": [row.json() for row in bench.rows]}, file, indent=1)
    plot.draw(out + "/results.json", out + "/bench.svg")
    print(report.table(bench.rows))
    print(*report.missed(bench.rows), sep="\n")
    met = [row.met for row in bench.rows if row.met is not None]
    print(f"bench: {sum(met)} of {len(met)} goals met; {out}/results.json, {out}/bench.svg; {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        print(f"bench: {error}", file=sys.stderr)
        sys.exit(1)
