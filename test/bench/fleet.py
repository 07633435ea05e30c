# SPDX-License-Identifier: Apache-2.0
"""The pods that are measured, on a bed of their own, and what /proc says of their shims."""
import json
import os
import re
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "bed"))
import bed as bed_program       # noqa: E402
import cri as cri_program       # noqa: E402
import setup                    # noqa: E402

IMAGE = "registry.cleave.test/busybox:1"
OURS, RUNC = "cleave-tenant", "runc"
TASKS = "/run/containerd/io.containerd.runtime.v2.task/k8s.io"
SANDBOXES = "/run/containerd/io.containerd.sandbox.controller.v1.shim/k8s.io"


class Shim:
    """One resident shim and a task behind it, as the driver wants it."""

    def __init__(self, fleet, role, bundle, pid, task):
        self.fleet, self.role, self.pid, self.task = fleet, role, pid, task
        with open(fleet.bed.path(role, bundle + "/bootstrap.json"), encoding="utf-8") as file:
            boot = json.load(file)
        self.socket = boot["address"].removeprefix("unix://")
        self.service = f"containerd.task.v{boot['version']}.Task"

    def _argv(self, operation, count, warm, fifo):
        return [self.fleet.build + "/test/bench-driver", "--root", self.fleet.bed.path(self.role, ""), "--socket", self.socket,
                "--service", self.service, "--task", self.task, "--pid", str(self.pid), "--warm", str(warm),
                "--fifo", fifo, operation, str(count)]

    def start_drive(self, operation, count, fifo):
        """The driver in the background; whoever starts it ends it."""
        return subprocess.Popen(self._argv(operation, count, 0, fifo), stdout=subprocess.DEVNULL)

    def drive(self, operation, count, warm=0):
        """One block; what the driver measured."""
        done = subprocess.run(self._argv(operation, count, warm, "/run/bench-fifo"), capture_output=True, text=True, timeout=600, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{operation} of {os.path.basename(self.socket)[:12]}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def private(self):
        """Bytes that only this process has."""
        return private_of(self.pid)

    def fds(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def threads(self):
        return len(os.listdir(f"/proc/{self.pid}/task"))


def _rollup_of(pid, begin):
    with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as rollup:
        return sum(int(line.split()[1]) * 1024 for line in rollup if line.startswith(begin))


def private_of(pid):
    return _rollup_of(pid, "Private_")


def pss_of(pid):
    return _rollup_of(pid, "Pss:")


def command_of(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().decode(errors="replace").split("\0") or [""]
    except OSError:
        return [""]


def processes(test):
    """Pids of this machine whose command line passes."""
    return [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and test(command_of(pid))]


class Fleet:
    """A bed with pods of both runtimes. Use as a context: it takes the bed down."""

    def __init__(self, build, name=None):
        self.build = os.path.abspath(build)
        self.bed = bed_program.Bed(name or f"bench-{os.getpid()}")
        self.pods = {}          # pod id -> runtime

    def __enter__(self):
        self.bed.up(self.build, "pair")
        self.tenant, self.host = (cri_program.Cri(self.bed, role) for role in ("tenant", "host"))
        for cri in (self.tenant, self.host):
            cri.version()
        for image in ("pause:1", "busybox:1"):
            self.tenant.pull("registry.cleave.test/" + image)
        return self

    def __exit__(self, kind, *_):
        self.tenant.close()
        self.host.close()
        self.bed.down()
        if not kind:                # the daemons' logs are for whoever asks what went wrong
            shutil.rmtree(self.bed.dir + ".last", ignore_errors=True)

    def pod(self, runtime, name="pod"):
        pod = self.tenant.run_pod(name, runtime)
        self.pods[pod] = runtime
        return pod

    def end(self, pod):
        self.tenant.stop_pod(pod)
        self.tenant.remove_pod(pod)
        del self.pods[pod]

    def container(self, pod, name="one"):
        return self.tenant.run(pod, name, IMAGE, ["sleep", "2147483647"])

    def shim_of(self, pod):
        """Of a pod, which gets one running container."""
        shim = Shim(self, "tenant", f"{TASKS}/{pod}", self.resident(pod), self.container(pod))
        shim.pod = pod
        return shim

    def resident(self, sandbox, timeout=10):
        """The shim's process: of those that were started for the sandbox, the one that stayed."""
        deadline = time.monotonic() + timeout
        while True:
            found = processes(lambda argv: "containerd-shim" in argv[0] and sandbox in argv) if sandbox else []
            if len(found) == 1:
                return found[0]
            if time.monotonic() > deadline:
                raise RuntimeError(f"{len(found)} shims of sandbox {sandbox[:12]}")
            time.sleep(0.05)

    def host_shims(self):
        """The host's halves of all pods; a task of theirs is the anchor, whose id is the sandbox's."""
        return [Shim(self, "host", f"{SANDBOXES}/{pod.id}", self.resident(pod.id), pod.id) for pod in self.host.pods()]

    def agents(self):
        """Pids of all agents of this bed, the stub guests' pids 1."""
        return processes(lambda argv: argv[0].endswith("cleave-agent") and "--stub" in argv)

    def agents_here(self):
        host = self.bed.pid("host")
        return [pid for pid in self.agents() if self._below(pid, host)]

    @staticmethod
    def _below(pid, ancestor):
        while pid > 1:
            if pid == ancestor:
                return True
            with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
                pid = int(stat.read().rpartition(")")[2].split()[1])
        return False

    def inside(self, role):
        """Pids of all processes of a node, guests included."""
        return {int(pid) for pid in os.listdir("/proc") if pid.isdigit() and self._is_below(int(pid), self.bed.pid(role))}

    def _is_below(self, pid, ancestor):
        try:
            return self._below(pid, ancestor)
        except OSError:
            return False


def version_of(program, pattern):
    text = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(pattern, text)
    return found[1] if found else "?"
