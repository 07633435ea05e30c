#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a bed holds: domains, links, mounts, cgroups, sockets, files and processes of both nodes.
A test takes one before and one after and prints the difference: that is what was left behind.

    snapshot.py [-n BED] save FILE | diff FILE
"""
import argparse
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import bed as bed_program   # noqa: E402
import ns                   # noqa: E402

TREES = ("/run", "/etc/cleave", "/var/lib/cleave", "/var/lib/libvirt", "/var/lib/cni", "/var/log/pods", "/var/log/libvirt",
         "/var/lib/containerd/io.containerd.runtime.v2.task",
         "/var/lib/containerd/io.containerd.sandbox.controller.v1.shim",
         "/var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes",
         "/var/lib/containerd/io.containerd.grpc.v1.cri/containers")
# Kept on purpose: epochs and what was seen of reference values must outlive every pod; libvirt's log of a machine is for whoever asks later why
# it died (the host shim keeps the newest 100); the rest is the memory of CNI and of libvirtd.
KEPT = ("/run/.bed", "/run/host-node", "/var/lib/cleave/t/epoch", "/var/lib/cleave/t/reference", "/run/cni-addresses/bed/last_reserved_ip.0",
        "/run/cni-addresses/bed/lock", "/run/libvirt/common", "/var/lib/cleave/h/lock", "/var/lib/cleave/t/lock",
        "/var/lib/cleave/h/node", "/var/lib/cleave/h/node.lock", "/var/lib/cleave/h/swept",
        "/var/lib/cleave/h/accel.json", "/var/log/libvirt/qemu")
# Directories that every first pod of a node makes; what lies in them is compared all the same.
FRAMES = ("/run/cleave/h", "/var/lib/cleave/h/tombstones", "/var/lib/cleave/t/tombstones", "/var/lib/cleave/t/lease", "/run/cleave/t", "/run/cleave/t/provision", "/var/lib/cleave/h", "/var/lib/cleave/h/scratch", "/var/lib/cleave/t",
          "/run/cni-addresses/bed", "/run/cni-addresses", "/run/containerd/s", "/run/containerd/fifo",
          "/run/containerd/runc", "/run/containerd/runc/k8s.io", "/var/lib/cni", "/var/lib/cni/results",
          "/run/containerd/io.containerd.grpc.v1.cri/containers",
          "/run/containerd/io.containerd.grpc.v1.cri/image-volumes",
          "/run/containerd/io.containerd.grpc.v1.cri/sandboxes", "/run/containerd/io.containerd.runtime.v2.task/k8s.io",
          "/var/lib/containerd/io.containerd.runtime.v2.task/k8s.io",
          "/run/containerd/io.containerd.sandbox.controller.v1.shim/k8s.io",
          "/var/lib/containerd/io.containerd.sandbox.controller.v1.shim/k8s.io",
          "/run/libvirt/qemu/swtpm", "/var/lib/libvirt/swtpm", "/run/libvirt/qemu/dbus", "/run/xtables.lock", "/run/utab")


def take(bed):
    """{"host link": [...], ...}: sorted lists of texts."""
    found = {}
    for role in bed_program.ROLES:
        for kind, function in KINDS.items():
            found[f"{role} {kind}"] = sorted(set(function(bed, role)))
    return found


def difference(before, after):
    """Lines: "+ host link: veth123" for what is new, "-" for what is gone."""
    lines = []
    for kind in after:
        old, new = set(before.get(kind, ())), set(after[kind])
        lines += [f"+ {kind}: {item}" for item in sorted(new - old)]
        lines += [f"- {kind}: {item}" for item in sorted(old - new)]
    return lines


def leftovers(bed, before, seconds=30.0):
    """What there is that was not there before, once it has settled: [] is the wanted answer."""
    deadline = time.monotonic() + seconds
    while True:
        lines = [line for line in difference(before, take(bed)) if line[0] == "+"]
        if not lines or time.monotonic() > deadline:
            return lines
        time.sleep(0.2)


# ---- one function per kind ------------------------------------------------------------------

def domains(bed, role):
    if role != "host" or not bed.daemon_pid("host", "libvirtd"):
        return []
    listed = subprocess.run(bed.argv("host", ["virsh", "-c", "qemu:///system", "list", "--all", "--name"]),
                            capture_output=True, text=True, timeout=30)
    return listed.stdout.split() if listed.returncode == 0 else ["(libvirtd does not answer)"]


def links(bed, role):
    names = os.listdir(bed.path(role, "/sys/class/net"))
    spaces = [f"netns {name}" for name in os.listdir(bed.path(role, "/run/netns"))]
    return [name for name in names if name != "pods"] + spaces      # CNI's bridge stays


def mounts(bed, role):
    with open(f"/proc/{bed.pid(role)}/mountinfo", encoding="utf-8") as table:
        return [f"{f[4]} ({line.split(' - ')[1].split()[0]})" for line in table for f in [line.split()]]


def cgroups(bed, role):
    found = []
    for top in ns.cgroup_dirs(f"{bed.name}/{role}"):
        controller = top.split("/")[4]
        for path, _, _ in os.walk(top):
            name = path[len(top):]
            if name and name not in ("/machine", "/pods", "/k8s.io"):
                found.append(f"{controller}:{name}")
    return found


def sockets(bed, role):
    found = []
    with open(f"/proc/{bed.pid(role)}/net/unix", encoding="utf-8") as table:
        for fields in map(str.split, list(table)[1:]):
            if len(fields) > 7 and int(fields[3], 16) & 0x10000:        # listening
                found.append(f"unix {fields[7]}")
    for protocol in ("tcp", "tcp6"):
        with open(f"/proc/{bed.pid(role)}/net/{protocol}", encoding="utf-8") as table:
            found += [f"{protocol} port {int(f[1].split(':')[1], 16)}"
                      for f in map(str.split, list(table)[1:]) if f[3] == "0A"]
    # containerd's streaming server listens on a port of its own choosing.
    return [s for s in found if not s.startswith("tcp")] + [s for s in found if s.endswith(" 7433")]


def files(bed, role):
    found = []
    for tree in TREES:
        top = bed.path(role, tree)
        for path, directories, names in os.walk(top):
            inside = tree + path[len(top):]
            directories[:] = [d for d in directories if f"{inside}/{d}" not in KEPT]
            if "/rootfs" in inside:
                directories[:] = []
            found += [f"{inside}/{n}" for n in names + directories if f"{inside}/{n}" not in KEPT + FRAMES]
    return found


def processes(bed, role):
    """By control group: that covers nested pid namespaces and whatever was reparented."""
    own = {entry["pid"] for entry in list(bed.state["daemons"].values()) + list(bed.state["nodes"].values())}
    mark = f"/cleave-bed/{bed.name}/{role}"
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cgroup", encoding="utf-8") as groups:
                if not any(line.rstrip("\n").partition("::")[2].startswith(mark) or f":{mark}" in line
                           for line in groups) or int(pid) in own:
                    continue
            if ns.alive(int(pid)):
                with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as line:
                    command = " ".join(line.read().split("\0"))[:120]
                found.append(f"{pid} {command}")
        except OSError:
            continue                                                    # it ended meanwhile
    return [f for f in found if "virsh -c" not in f]


KINDS = {"domain": domains, "link": links, "mount": mounts, "cgroup": cgroups, "socket": sockets,
         "file": files, "process": processes}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", "--name", default=os.environ.get("BED", "bed"))
    parser.add_argument("verb", choices=("save", "diff"))
    parser.add_argument("file")
    args = parser.parse_args()
    bed = bed_program.Bed(args.name)
    if args.verb == "save":
        with open(args.file, "w", encoding="utf-8") as out:
            json.dump(take(bed), out, indent=1)
        return 0
    with open(args.file, encoding="utf-8") as saved:
        before = json.load(saved)
    left = leftovers(bed, before)
    for line in difference(before, take(bed)):
        print(line)
    print(f"left behind: {len(left)}")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
