#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The test bed: a host node and a tenant node on this machine. See README.md beside this file."""
import argparse
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import images       # noqa: E402
import node         # noqa: E402
import ns           # noqa: E402
import setup        # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ROLES = ("host", "tenant")
CACHE = os.path.join(ROOT, "build/cache")
NODE_BIN = CACHE + "/node/usr/bin"
OLD_BIN = CACHE + "/node-1.7/usr/bin"
CONTAINERDS = ("2", "1.7")
DAEMONS = {"host": ("containerd", "libvirtd"), "tenant": ("containerd", "registry")}


class Bed:
    """One bed by its name. Its state lies in build/bed/NAME, its logs in NAME/{host,tenant}/*.log."""

    def __init__(self, name):
        self.name = name
        self.dir = os.path.join(ROOT, "build/bed", name)
        self.state = {"nodes": {}, "daemons": {}}
        try:
            with open(self.dir + "/state.json", encoding="utf-8") as state:
                self.state = json.load(state)
        except OSError:
            pass

    # ---- what tests use ----------------------------------------------------------------------

    def pid(self, role):
        """The pid (here) of the node's pid 1."""
        entry = self.state["nodes"].get(role)
        if not entry or not ns.alive(entry["pid"], entry["start"]):
            raise RuntimeError(f"bed '{self.name}': the {role} node is not up")
        return entry["pid"]

    def path(self, role, inside):
        """A path by which a process outside reaches a file of the node."""
        return f"/proc/{self.pid(role)}/root{inside}"

    def cri(self, role):
        """The address of the node's CRI socket, for a process outside."""
        return "unix:" + self.path(role, "/run/containerd/containerd.sock")

    def log(self, role, daemon):
        return f"{self.dir}/{role}/{daemon}.log"

    def env(self, role):
        old = OLD_BIN + ":" if self.containerd(role) == "1.7" else ""
        path = f"{old}{NODE_BIN}:{self.state['build']}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        keep = {k: v for k, v in os.environ.items() if k in ("TERM", "LANG", "HOME", "ASAN_OPTIONS", "UBSAN_OPTIONS")}
        return {**keep, "PATH": path, "CLEAVE_BED": self.name, "CLEAVE_NODE": role}

    def argv(self, role, command):
        """A command line that runs `command` inside the node (for subprocess)."""
        return ["/usr/bin/python3", os.path.abspath(__file__), "-n", self.name, "exec", role, "--", *command]

    def run(self, role, *command, **kwargs):
        """subprocess.run() inside the node; output captured as text, failure raises."""
        options = {"capture_output": True, "text": True, "check": True, **kwargs}
        return subprocess.run(self.argv(role, command), **options)

    def daemon_pid(self, role, daemon):
        entry = self.state["daemons"].get(f"{role}/{daemon}")
        return entry["pid"] if entry and ns.alive(entry["pid"], entry["start"]) else None

    def start(self, role, daemon):
        """Starts a daemon of the node and waits until it serves."""
        argv, socket = setup.DAEMONS[daemon]
        old = daemon == "containerd" and self.containerd(role) == "1.7"
        argv = [a.format(bin=OLD_BIN if old else NODE_BIN) for a in argv]
        pid = ns.spawn(self.pid(role), self._cgroup(role), argv,
                       self.log(role, daemon), self.env(role))
        self.state["daemons"][f"{role}/{daemon}"] = {"pid": pid, "start": ns.start_time(pid)}
        self._save()
        deadline = time.monotonic() + 20
        while not setup.serving(self, role, socket):
            if not ns.alive(pid) or time.monotonic() > deadline:
                raise RuntimeError(f"{daemon} did not start, see {self.log(role, daemon)}")
            time.sleep(0.01)
        return pid

    def stop(self, role, daemon, signum=signal.SIGTERM):
        pid = self.daemon_pid(role, daemon)
        if pid and not ns.kill_and_wait(pid, signum):
            raise RuntimeError(f"{daemon} of the {role} node did not end")

    def containerd(self, role):
        """Which containerd the node runs. The host half needs the Sandbox API, so its node always runs the new one."""
        return self.state.get("containerd", "2") if role == "tenant" else "2"

    def use_containerd(self, version):
        """Another containerd on the tenant node, with an image store of its own."""
        self.stop("tenant", "containerd")
        self.state["containerd"] = version
        setup.configure_containerd(self, "tenant")
        self._save()
        self.start("tenant", "containerd")

    def use_guest(self, guest, **settings):
        """What the machine of the next pod is; `settings` as setup.write_cleave."""
        self.state["guest"] = guest
        setup.write_cleave(self, guest, **settings)
        self._save()

    # ---- up and down -------------------------------------------------------------------------

    def up(self, build, guest, debug=False, **options):
        """`conformance`: the tenant node also has what CRI conformance tests want of a node: the
        images that they name, and host ports. `guest_root`: granted to its pods. `containerd`: its
        version on the tenant node."""
        self.down()
        for role in ROLES:
            os.makedirs(f"{self.dir}/{role}")
        self.state = {"build": os.path.abspath(build), "guest": guest, "debug": debug,
                      "conformance": False, "guest_root": False, "containerd": "2", **options,
                      "nodes": {}, "daemons": {}}
        layout = ns.hierarchies()
        for role in ROLES:
            ns.cgroup_create(self._cgroup(role))
            pid = ns.create(self._cgroup(role), lambda ready, r=role: node.main(r, layout, ready))
            self.state["nodes"][role] = {"pid": pid, "start": ns.start_time(pid)}
            self._save()
        setup.wire(self)
        for role in ROLES:
            setup.configure(self, role)
            for daemon in DAEMONS[role]:
                self.start(role, daemon)
        setup.load_images(self)

    def down(self):
        for role, entry in self.state["nodes"].items():
            if ns.alive(entry["pid"], entry["start"]):
                if role == "host":
                    setup.keep_libvirt_cache(self)
                if not ns.kill_and_wait(entry["pid"]):
                    raise RuntimeError(f"the {role} node does not end")
        busy = [d for role in ROLES for d in ns.cgroup_remove(self._cgroup(role))]
        busy += ns.cgroup_remove(self.name)
        if busy:
            raise RuntimeError("cgroups that cannot be removed: " + " ".join(busy))
        if os.path.isdir(self.dir):
            shutil.rmtree(self.dir + ".last", ignore_errors=True)   # logs of the last run
            os.rename(self.dir, self.dir + ".last")
            os.remove(self.dir + ".last/state.json")
        self.state = {"nodes": {}, "daemons": {}}

    def _cgroup(self, role):
        return f"{self.name}/{role}"

    def _save(self):
        with open(self.dir + "/state.json.new", "w", encoding="utf-8") as out:
            json.dump(self.state, out, indent=1)
        os.rename(self.dir + "/state.json.new", self.dir + "/state.json")


def status(bed):
    if not bed.state["nodes"]:
        print(f"bed '{bed.name}' is down")
        return 1
    for role in ROLES:
        print(f"{role}: pid {bed.pid(role)}, cri {bed.cri(role)}")
        for daemon in DAEMONS[role]:
            print(f"  {daemon}: pid {bed.daemon_pid(role, daemon)}, log {bed.log(role, daemon)}")
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", "--name", default=os.environ.get("BED", "bed"))
    verbs = parser.add_subparsers(dest="verb", required=True)
    up = verbs.add_parser("up", help="make both nodes (an existing bed of this name is replaced)")
    up.add_argument("--build", default=os.environ.get("BUILD", ROOT + "/build"))
    up.add_argument("--guest", choices=tuple(setup.HELPER), default=os.environ.get("GUEST", "stub"))
    up.add_argument("--containerd", choices=CONTAINERDS, default="2", help="of the tenant node")
    up.add_argument("--debug", action="store_true", help="containerd logs at level debug")
    up.add_argument("--conformance", action="store_true", help="the tenant node has conformance tests' images, and host ports")
    verbs.add_parser("down")
    verbs.add_parser("status")
    run = verbs.add_parser("exec", help="run a command inside a node")
    run.add_argument("role", choices=ROLES)
    run.add_argument("command", nargs=argparse.REMAINDER)
    guest = verbs.add_parser("guest", help="rewrite the nodes' cleave configurations")
    guest.add_argument("guest", choices=tuple(setup.HELPER))
    for verb in ("start", "stop", "restart", "kill"):
        sub = verbs.add_parser(verb, help=f"{verb} a daemon of a node")
        sub.add_argument("role", choices=ROLES)
        sub.add_argument("daemon", nargs="?", default="containerd")
    args = parser.parse_args()
    bed = Bed(args.name)
    if args.verb == "exec":
        command = args.command[1:] if args.command[:1] == ["--"] else args.command
        return ns.run(bed.pid(args.role), f"{args.name}/{args.role}", command or ["/bin/bash"], bed.env(args.role))
    if args.verb == "status":
        return status(bed)
    return locked(bed, args)


def locked(bed, args):
    os.makedirs(ROOT + "/build/bed", exist_ok=True)
    with open(f"{ROOT}/build/bed/.{bed.name}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        bed = Bed(bed.name)
        started = time.monotonic()
        if args.verb == "up":
            bed.up(args.build, args.guest, args.debug, conformance=args.conformance, containerd=args.containerd)
            status(bed)
            print(f"up in {time.monotonic() - started:.1f} s")
        elif args.verb == "down":
            bed.down()
            print(f"down in {time.monotonic() - started:.1f} s")
        elif args.verb == "guest":
            bed.use_guest(args.guest)
        else:
            if args.verb != "start":
                bed.stop(args.role, args.daemon, signal.SIGKILL if args.verb == "kill" else signal.SIGTERM)
            if args.verb in ("start", "restart"):
                bed.start(args.role, args.daemon)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
        print(f"bed: {error}", file=sys.stderr)
        sys.exit(1)
