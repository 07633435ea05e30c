# SPDX-License-Identifier: Apache-2.0
"""Namespaces and cgroups of a node: make them, enter them, end them."""
import ctypes
import errno
import os
import select
import signal
import sys
import time

NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWPID, NEWNET = (
    0x20000, 0x2000000, 0x4000000, 0x8000000, 0x20000000, 0x40000000)
ALL = NEWNS | NEWCGROUP | NEWUTS | NEWIPC | NEWPID | NEWNET
MS_REC, MS_PRIVATE, MS_SHARED, MS_BIND = 0x4000, 1 << 18, 1 << 20, 0x1000

libc = ctypes.CDLL(None, use_errno=True)


def checked(result, what):
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")
    return result


def unshare(flags):
    checked(libc.unshare(flags), "unshare")


def setns(pid, flags):
    fd = os.pidfd_open(pid)
    try:
        checked(libc.setns(fd, flags), f"setns {pid}")
    finally:
        os.close(fd)


def mount(source, target, fstype=None, flags=0, data=None):
    enc = lambda s: s.encode() if s else None
    checked(libc.mount(enc(source), enc(target), enc(fstype), ctypes.c_ulong(flags), enc(data)),
            f"mount {fstype or source} on {target}")


# ---- cgroups: one subtree per node in every hierarchy --------------------------------------

def hierarchies():
    """(mount point, filesystem type, options) of each cgroup hierarchy of this machine."""
    found = []
    with open("/proc/self/mountinfo", encoding="utf-8") as info:
        for line in info:
            left, right = line.split(" - ")
            fstype, _, options = right.split()[:3]
            if fstype in ("cgroup", "cgroup2"):
                found.append((left.split()[4], fstype, options))
    return found


def cgroup_dirs(name):
    return [f"{point}/cleave-bed/{name}" for point, _, _ in hierarchies()]


def cgroup_create(name):
    for point, fstype, options in hierarchies():
        path = point
        for part in ["cleave-bed"] + name.split("/"):
            if fstype == "cgroup2":
                _enable_controllers(path)
            path += "/" + part
            os.makedirs(path, exist_ok=True)
            if "cpuset" in options.split(","):
                for knob in ("cpuset.cpus", "cpuset.mems"):
                    with open(f"{path}/../{knob}", encoding="utf-8") as src:
                        _write(f"{path}/{knob}", src.read())


def _enable_controllers(path):
    with open(path + "/cgroup.controllers", encoding="utf-8") as src:
        for controller in src.read().split():
            try:
                _write(path + "/cgroup.subtree_control", "+" + controller)
            except OSError:
                pass                    # a controller that cannot be delegated here is not needed


def _write(path, text):
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)


def cgroup_join(name):
    for path in cgroup_dirs(name):
        leaf = path + "/init"           # cgroup v2 allows no process beside sub-groups
        _write((leaf if os.path.isdir(leaf) else path) + "/cgroup.procs", str(os.getpid()))


def cgroup_remove(name):
    """Removes the subtree; a group empties a moment after its last process has died."""
    deadline = time.monotonic() + 5
    while True:
        busy = [top for top in cgroup_dirs(name) if not _rmdir_tree(top)]
        if not busy or time.monotonic() > deadline:
            break
        time.sleep(0.02)
    for path in cgroup_dirs(""):
        _rmdir_tree(path, only_empty=True)
    return busy


def _rmdir_tree(top, only_empty=False):
    if not os.path.isdir(top):
        return True
    paths = [top] if only_empty else [d for d, _, _ in os.walk(top, topdown=False)]
    for path in paths:
        try:
            os.rmdir(path)
        except OSError:
            if path == top:
                return False
    return True


# ---- processes ------------------------------------------------------------------------------

def start_time(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            return int(stat.read().rpartition(")")[2].split()[19])
    except (OSError, IndexError):
        return None


def alive(pid, started=None):
    """A zombie is not alive; neither is another process with a reused pid."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            fields = stat.read().rpartition(")")[2].split()
    except OSError:
        return False
    return fields[0] not in "ZX" and (started is None or int(fields[19]) == started)


def kill_and_wait(pid, signum=signal.SIGKILL, seconds=10.0):
    """Sends one signal and waits until the process has ended; False when it has not."""
    try:
        fd = os.pidfd_open(pid)
    except OSError:
        return True
    try:
        signal.pidfd_send_signal(fd, signum)
        return bool(select.select([fd], [], [], seconds)[0])
    except ProcessLookupError:
        return True
    finally:
        os.close(fd)


def create(cgroup, main):
    """A process with new namespaces that runs main(ready) as their pid 1; returns its pid here
    once main has called ready(). Raises what main raised before that."""
    answer, report = os.pipe()
    middle = os.fork()
    if middle == 0:
        os.close(answer)
        os.setsid()
        try:
            cgroup_join(cgroup)
            unshare(ALL)
            pid = os.fork()
        except OSError as error:
            os.write(report, f"error {error}".encode())
            os._exit(1)
        if pid:
            os.write(report, f"pid {pid}\n".encode())
            os._exit(0)
        try:
            main(lambda: (os.write(report, b"ready\n"), os.close(report)))
        except BaseException as error:  # noqa: the parent reports it
            os.write(report, f"error {type(error).__name__}: {error}".encode())
        os._exit(1)
    os.close(report)
    with os.fdopen(answer, "rb") as pipe:
        text = pipe.read().decode()
    os.waitpid(middle, 0)
    said = sorted(text.splitlines())        # two processes speak: either may be the first
    if len(said) != 2 or said[1] != "ready":
        raise RuntimeError(text)
    return int(said[0].split()[1])


def spawn(pid, cgroup, argv, log, env):
    """Starts a daemon inside the namespaces of `pid`, as a child of their pid 1; returns its pid
    here. (A process that is forked into a pid namespace from outside would be left to the machine's
    own pid 1, and a namespace does not end before that has reaped it.)"""
    answer, report = os.pipe()
    middle = os.fork()
    if middle == 0:
        os.close(answer)
        try:
            _spawn_middle(pid, cgroup, argv, log, env, report)
            os._exit(0)
        except OSError as error:
            os.write(report, f"error {argv[0]}: {error}".encode())
        os._exit(1)
    os.close(report)
    with os.fdopen(answer, "rb") as pipe:
        text = pipe.read().decode()     # ends when exec has closed the pipe
    os.waitpid(middle, 0)
    if "error" in text:
        raise RuntimeError(text)
    return int(text.split()[0])


def _spawn_middle(pid, cgroup, argv, log, env, report):
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    proc = os.open("/proc", os.O_PATH)
    cgroup_join(cgroup)
    setns(pid, ALL)
    go, release = os.pipe()
    inner = os.fork()
    if inner:
        os.close(go)
        while True:                     # the daemon's pid, as this side of the namespaces sees it
            with open(os.open(f"{inner}/task/{inner}/children", os.O_RDONLY, dir_fd=proc), encoding="utf-8") as file:
                children = file.read().split()
            if children:
                break
        os.write(report, f"{children[0]}\n".encode())
        os.write(release, b"gg")
        os.waitpid(inner, 0)
        return
    daemon = os.fork()
    os.close(release)
    os.read(go, 1)
    if daemon:
        os._exit(0)
    os.setsid()
    os.dup2(os.open("/dev/null", os.O_RDWR), 0)
    os.dup2(out, 1)
    os.dup2(out, 2)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.execvpe(argv[0], argv, env)


def run(pid, cgroup, argv, env, flags=ALL):
    """Runs a command inside the namespaces in the foreground and returns its exit code."""
    child = os.fork()
    if child == 0:
        try:
            cgroup_join(cgroup)
            setns(pid, flags)
            inner = os.fork()
            if inner == 0:
                libc.prctl(1, signal.SIGKILL)   # PR_SET_PDEATHSIG: do not outlive the caller
                os.execvpe(argv[0], argv, env)
            for forwarded in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(forwarded, lambda s, _: os.kill(inner, s))
            os._exit(_code(_wait(inner)))
        except OSError as error:
            print(f"{argv[0]}: {error}", file=sys.stderr)
        os._exit(127)
    for ignored in (signal.SIGINT,):
        signal.signal(ignored, signal.SIG_IGN)
    return _code(_wait(child))


def _wait(pid):
    while True:
        try:
            return os.waitpid(pid, 0)[1]
        except OSError as error:
            if error.errno != errno.EINTR:
                raise


def _code(status):
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def call(pid, flags, function):
    """Runs a Python function in a child inside some namespaces; True when it did not raise."""
    child = os.fork()
    if child == 0:
        try:
            setns(pid, flags)
            function()
            os._exit(0)
        except BaseException as error:  # noqa: it is a child
            print(f"bed: {type(error).__name__}: {error}", file=sys.stderr)
        os._exit(1)
    return os.waitstatus_to_exitcode(_wait(child)) == 0
