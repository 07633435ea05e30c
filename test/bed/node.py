# SPDX-License-Identifier: Apache-2.0
"""One node of the bed: the pid 1 of its namespaces, and what is mounted there.

Everything a node writes lies in tmpfs of its own mount namespace and its own cgroup subtree, its
links in its own network namespace, its processes in its own pid namespace: when pid 1 is killed,
the kernel removes all of it."""
import os
import shutil
import signal
import socket
import subprocess

import ns

PRIVATE_TMPFS = ("/var/lib/containerd", "/var/lib/cleave", "/var/lib/libvirt", "/var/log/pods", "/var/lib/registry")
# Mounts there propagate: containerd's, and those of volumes that a test makes.
VOLUMES = "/run/volumes"
SHARED = ("/run/netns", "/run/containerd", VOLUMES)


def main(role, layout, ready):
    """pid 1 of a node; `layout` names the hierarchies to mount. Never returns."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
    socket.sethostname(f"cleave-{role}")
    _mounts(layout)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for knob in ("ip_forward", "conf/all/route_localnet"):
        with open(f"/proc/sys/net/ipv4/{knob}", "w", encoding="utf-8") as out:
            out.write("1")
    null = os.open("/dev/null", os.O_RDWR)
    for fd in range(3):
        os.dup2(null, fd)
    os.closerange(3, _report_fd(ready))
    ready()
    while True:
        if signal.sigwait({signal.SIGCHLD, signal.SIGTERM}) == signal.SIGTERM:
            os._exit(0)
        _reap()


def _report_fd(ready):
    """The one descriptor above 2 that stays open until ready() has used it."""
    cells = [c.cell_contents for c in ready.__closure__ or ()]
    return next((c for c in cells if isinstance(c, int)), 3)


def _reap():
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def _mounts(layout):
    ns.mount(None, "/", flags=ns.MS_REC | ns.MS_PRIVATE)
    ns.mount("proc", "/proc", "proc")
    _sys(layout)
    ns.mount("cleave-bed", "/run", "tmpfs", data="mode=755")
    for top in ("/etc", "/var"):
        upper, work = f"/run/.bed{top}/upper", f"/run/.bed{top}/work"
        os.makedirs(upper)
        os.makedirs(work)
        ns.mount("cleave-bed", top, "overlay", data=f"lowerdir={top},upperdir={upper},workdir={work}")
    for path in PRIVATE_TMPFS + SHARED:
        os.makedirs(path, exist_ok=True)
        ns.mount("cleave-bed", path, "tmpfs", data="mode=711")
    for path in SHARED:
        ns.mount(None, path, flags=ns.MS_SHARED)
    for path in ("/run/lock", "/run/cleave", "/etc/cleave", "/etc/containerd", "/etc/cni/net.d"):
        os.makedirs(path, exist_ok=True)
    for path in ("/etc/libvirt", "/var/cache/libvirt", "/var/log/libvirt"):
        shutil.rmtree(path, ignore_errors=True)
        os.makedirs(path)


def _sys(layout):
    """A sysfs that shows this network namespace, and cgroups whose root is this node's group."""
    links = [(e.name, os.readlink(e.path)) for e in os.scandir("/sys/fs/cgroup") if e.is_symlink()]
    ns.mount("sysfs", "/sys", "sysfs")
    if [point for point, _, _ in layout] != ["/sys/fs/cgroup"]:
        ns.mount("cleave-bed", "/sys/fs/cgroup", "tmpfs", data="mode=755")
    for point, fstype, options in layout:
        os.makedirs(point, exist_ok=True)
        keep = [o for o in options.split(",") if o not in ("rw", "ro")] if fstype == "cgroup" else []
        ns.mount(fstype, point, fstype, data=",".join(keep))
    for name, target in links:
        os.symlink(target, f"/sys/fs/cgroup/{name}")
