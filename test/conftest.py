# SPDX-License-Identifier: Apache-2.0
"""One bed for the whole run. Every test that uses `tenant` or `host` leaves nothing behind, or fails
with the printed difference."""
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + "/bed", HERE + "/cri"]
import bed as bed_program       # noqa: E402
import cri as cri_program       # noqa: E402
import ns                       # noqa: E402
import snapshot                 # noqa: E402
from suite import ctr, mark_exceptions, node, pod, pytest_generate_tests, world   # noqa: E402, F401

BUILD = os.path.abspath(os.environ.get("BUILD", bed_program.ROOT + "/build"))
BUSYBOX = "registry.cleave.test/busybox:1"
LAYERS = "registry.cleave.test/layers:1"
RUNTIME = {"host": "cleave-host", "tenant": "cleave-tenant"}
# Files that take minutes, the longest first: a file is one worker's, and what begins last ends last.
SLOW = ("test_vm", "test_lease", "test_host", "test_workloads", "test_tenant_modes", "test_measured", "test_image", "test_tenant",
        "test_pod", "test_crio", "test_volumes", "test_scratch", "test_reproducible", "test_stats", "test_provision")


def is_sanitised():
    with open(BUILD + "/bin/containerd-shim-cleave-tenant-v2", "rb") as shim:
        return b"__asan_init" in shim.read()


def stub_root_fault(build):
    """What keeps the agent of this build from running in a stub guest, whose root is the image's tree; None: nothing. A guest that
    cannot even begin is a shim that dials until its patience ends, in each test anew."""
    tree, programs = build + "/image/tree", [f"{build}/bin/cleave-{name}" for name in ("agent", "exec", "attest")]
    if not os.path.exists(tree + "/init"):
        return f"{tree} is not there"
    for program in programs:
        needed = subprocess.run(["readelf", "-dW", program], check=True, capture_output=True, text=True).stdout
        for library in re.findall(r"\(NEEDED\)\s+Shared library: \[(.+?)\]", needed):
            if not any(os.path.exists(f"{tree}/{where}/{library}") for where in ("usr/lib/x86_64-linux-gnu", "usr/lib64")):
                return f"{tree} has no {library}, which {program} needs"
    for program in programs[1:]:
        if os.path.getmtime(program) > os.path.getmtime(build + "/image/tree.stamp"):
            return f"{program} is newer than the one in {tree}"
    return None


@pytest.fixture(scope="session")
def whole_bed():
    fault = stub_root_fault(BUILD)
    if fault:
        pytest.exit(f"{fault}: make BUILD={os.path.relpath(BUILD)} image-tree (with the SAN of that build)", returncode=1)
    if os.geteuid() != 0:
        pytest.skip("the test bed needs root")
    name = os.environ.get("BED") or f"check-{os.getpid()}"
    if os.environ.get("BED") and bed_program.Bed(name).state["nodes"]:
        yield bed_program.Bed(name)             # somebody's own bed: used, and left up
        return
    made = bed_program.Bed(name)
    made.up(BUILD, "stub", conformance=True)
    yield made
    made.down()


def start_daemons(bed):
    for role in bed_program.ROLES:
        for daemon in bed_program.DAEMONS[role]:
            if not bed.daemon_pid(role, daemon):
                bed.start(role, daemon)


@pytest.fixture(scope="module")
def running_bed(whole_bed):
    start_daemons(whole_bed)
    return whole_bed


@pytest.fixture
def logged_bed(whole_bed):
    """What the daemons log during a test is kept for its report, and may not be a sanitizer's."""
    log_sizes.update({path: os.path.getsize(path) for path in log_paths(whole_bed)})
    yield whole_bed
    faults = [line for path in log_paths(whole_bed) for line in new_lines(path) if SANITIZER.search(line)]
    assert not faults, "\n".join(faults)


@pytest.fixture
def started(whole_bed):
    start_daemons(whole_bed)


@pytest.fixture
def bed(started, logged_bed):
    """The bed with every daemon running."""
    return logged_bed


log_sizes = {}
DULL = re.compile("loading plugin|starting cri plugin|level=debug|Start |ImageCreate|ImageUpdate|NRI|No images store|[Pp]ull|HTTP/1")


SANITIZER = re.compile(r"ERROR: (Address|Leak)Sanitizer|: runtime error: ")


def new_lines(path):
    """What a daemon has logged since the test began."""
    with open(path, encoding="utf-8", errors="replace") as log:
        log.seek(log_sizes.get(path, 0))
        return log.read().splitlines()


def log_paths(bed):
    return [bed.log(role, daemon) for role in bed_program.ROLES for daemon in bed_program.DAEMONS[role]]


class Node:
    """A CRI client whose pods are removed at the end, with a comparison of before and after."""

    def __init__(self, bed, role):
        self.bed, self.role, self.cri = bed, role, cri_program.Cri(bed, role)
        self.cri.version()

    def __getattr__(self, name):
        return getattr(self.cri, name)


@pytest.fixture
def nodes(bed):
    """(host, tenant). At the end both are emptied and compared with the beginning."""
    both = {role: Node(bed, role) for role in bed_program.ROLES}
    for image in ("pause:1", "busybox:1"):
        both["tenant"].pull(f"registry.cleave.test/{image}")
    before = snapshot.take(bed)
    yield both
    for role in ("tenant", "host"):
        both[role].reconnect()
        both[role].remove_everything()
    left = snapshot.leftovers(bed, before)
    for node in both.values():
        node.close()
    print(f"left behind: {len(left)}", *left, sep="\n")
    assert not left, "left behind:\n" + "\n".join(left)


@pytest.fixture
def tenant(nodes):
    return nodes["tenant"]


@pytest.fixture
def host(nodes):
    return nodes["host"]


@pytest.fixture
def stub(bed):
    bed.use_guest("stub")


@pytest.fixture
def pair(bed):
    bed.use_guest("pair")


@pytest.fixture
def vm(bed):
    if not os.path.exists(BUILD + "/image/initrd.img"):
        pytest.fail("no guest image: make image")
    bed.use_guest("vm")


# ---- tools that tests share -------------------------------------------------------------------

def eventually(condition, seconds=15.0, what="the condition"):
    """The first true value of condition(); fails after some seconds."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what} did not come true in {seconds} s"
        time.sleep(0.05)


def until_it_listens(bed, watch):
    """`ctr events` of the tenant node does not say when it listens: something is made until it tells of it."""
    def hears():
        for verb in ("create", "remove"):
            bed.run("tenant", "ctr", "namespaces", verb, "listens")
        return select.select([watch.stdout], [], [], 0.2)[0]
    eventually(hears, 30, "the watcher")


def find_processes(bed, role, pattern):
    """Pids of the node's processes whose command line matches."""
    return [int(line.split(" ", 1)[0]) for line in snapshot.processes(bed, role)
            if re.search(pattern, line.split(" ", 1)[1])]


# A container that lives as long as its test needs it, however slow the machine is.
UNTIL_THE_END = ["sh", "-c", "i=0; while ! [ -e /end ]; do echo $i; i=$((i+1)); sleep 0.05; done; echo end; exit 9"]


def ends_whole(node, ctr):
    """It is told to end; none of its lines is lost, none came twice. How many there are."""
    assert node.exec(ctr, "touch", "/end")[0] == 0
    assert node.wait_exit(ctr, 40).exit_code == 9
    eventually(lambda: node.log(ctr)[-1][1] == "end", what="the last line")
    found = [int(line) for _, line in node.log(ctr)[:-1]]
    assert found == list(range(len(found)))
    return len(found)


def kill9(pids):
    for pid in pids:
        ns.kill_and_wait(pid, signal.SIGKILL)


def pytest_collection_modifyitems(items):
    mark_exceptions(items)
    items.sort(key=lambda item: SLOW.index(item.path.stem) if item.path.stem in SLOW else len(SLOW))


def pytest_configure(config):
    config.addinivalue_line("markers", "vm: the case of the CRI suite runs with a real VM, too")
    config.addinivalue_line("markers", "only(column): the case of the CRI suite says something about this column only")


def configure(bed, change):
    """Rewrites tenant.conf; the next use_guest() puts it back."""
    conf = bed.path("tenant", "/etc/cleave/tenant.conf")
    with open(conf, encoding="utf-8") as file:
        changed = change(file.read())
    with open(conf, "w", encoding="utf-8") as file:
        file.write(changed)


@pytest.fixture
def provisioner(stub, bed, tmp_path):
    """provisioner(SHELL) runs SHELL before the real one: $1 is the verb, $flag a file that may exist."""
    flag = tmp_path / "flag"

    def wrap(shell):
        script = str(tmp_path / "provision-wrapped")
        with open(script, "w", encoding="utf-8") as file:
            file.write(f'#!/bin/sh\nflag={flag}\n{shell}\nexec {bed.state["build"]}/test/provision-stub "$@"\n')
        os.chmod(script, 0o755)
        configure(bed, lambda text: re.sub("provisioner = .*", f'provisioner = "{script}"', text))
        return flag
    return wrap


class Relay:
    """Between the tenant shim and the one stub guest of its node. cut() breaks every connection, once the usual ones
    are there, and says how many ends that were; hold() keeps new ones away as well, until free()."""

    def __init__(self, path, usual):
        self.path, self.usual = path, usual

    def _say(self, word):
        with socket.socket(socket.AF_UNIX) as knife:
            knife.connect(self.path)
            knife.sendall(word)
            knife.shutdown(socket.SHUT_WR)
            return int(knife.recv(16) or 0)

    def cut(self):
        return self._say(b"%d" % self.usual)

    def cut_after(self, size):
        """Once: the first connection that carries more bytes in one direction."""
        self._say(b"after %d" % size)

    def waits_to_cut(self):
        return self._say(b"waits") > 0

    def hold(self):
        return self._say(b"hold")

    def free(self):
        self._say(b"free")


# The provisioner tells the guest another port than the shim's, which it writes down for the relay.
OTHER_PORT = """#!/usr/bin/python3
import json, subprocess, sys
request = json.load(sys.stdin)
if "dial_out" in request:
    with open("{cut}.port", "w", encoding="ascii") as file:
        file.write(str(request["dial_out"]["port"]))
    request["dial_out"]["port"] = {port}
sys.exit(subprocess.run(["{program}", *sys.argv[1:]], input=json.dumps(request), text=True).returncode)
"""
RELAY_PORT = 29999


@pytest.fixture
def relay_program(request, stub, bed, tmp_path):
    """(the knife's socket, how many ends there usually are). The parameter is the transport."""
    dials = getattr(request, "param", "relay") == "dial-out"
    way, knife = f"/tmp/cleave-relay-{os.getpid()}", f"/tmp/cleave-relay-cut-{os.getpid()}"
    files = [way, knife]
    if dials:
        way, files = f"10.90.0.2:{RELAY_PORT}", [knife]
    child = subprocess.Popen(bed.argv("tenant", ["/usr/bin/python3", HERE + "/integration/cut_relay.py", way, knife]))
    eventually(lambda: all(map(os.path.exists, files)), what="the relay")
    bed.use_guest("stub", extra=f'[transport]\nname = "{"dial-out" if dials else "relay"}"\naddress = "{way.split(":")[0]}"\n')
    if dials:
        script = tmp_path / "provision-elsewhere"
        script.write_text(OTHER_PORT.format(cut=knife, port=RELAY_PORT, program=bed.state["build"] + "/test/provision-stub"))
        script.chmod(0o755)
        configure(bed, lambda text: re.sub("provisioner = .*", f'provisioner = "{script}"', text))
    yield knife, 6 if dials else 4      # control, bulk, and with dial-out the next offer
    kill9(find_processes(bed, "tenant", "cut_relay.py"))
    child.wait(10)
    for path in (*files, knife + ".port"):
        if os.path.exists(path):
            os.unlink(path)


@pytest.fixture
def relay(relay_program, nodes):
    made = Relay(*relay_program)
    yield made
    made.free()         # for the end of the pods


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what the daemons logged meanwhile."""
    outcome = yield
    report = outcome.get_result()
    bed = item.funcargs.get("logged_bed") if hasattr(item, "funcargs") else None
    if report.failed and bed:
        for path in filter(os.path.exists, log_paths(bed)):
            lines = [line[:600] for line in new_lines(path) if not DULL.search(line)]
            if lines:
                report.sections.append((path, "\n".join(lines[-60:])))
