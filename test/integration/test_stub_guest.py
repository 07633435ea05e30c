# SPDX-License-Identifier: Apache-2.0
"""The stub guest alone: the same agent as in the machine, and nothing left of it however it ends."""
import glob
import json
import os
import signal
import socket
import ssl
import subprocess
import time

import pytest

from machine import MAC, client_hello, initdata_disk, network_disk, sample_initdata

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("BUILD", ROOT + "/build"))
ADDRESS = "10.99.0.5"


class Stub:
    def __init__(self, directory, initdata=None, network=None):
        self.name = f"stub-test-{os.getpid()}"
        self.log = str(directory / "log")
        (directory / "initdata").write_bytes(
            initdata_disk(sample_initdata()) if initdata is None else initdata)
        (directory / "net").write_bytes(
            network_disk(address=ADDRESS, gateway="10.99.0.1") if network is None else network)
        run("ip", "netns", "add", self.name)
        mac = ":".join(f"{byte:02x}" for byte in MAC)
        run("ip", "-n", self.name, "link", "add", "eth0", "address", mac, "type", "veth", "peer",
            "name", "peer0")
        run("ip", "-n", self.name, "link", "set", "peer0", "up")
        self.process = subprocess.Popen(
            [BUILD + "/test/stub-guest", "--root", BUILD + "/image/tree", "--initdata",
             directory / "initdata", "--net", directory / "net", "--netns",
             "/run/netns/" + self.name, "--log", self.log, "--cgroup", self.name])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        run("ip", "netns", "delete", self.name)

    def answer(self, hello=None):
        """The first byte that comes back on the agent's port, from inside the namespace."""
        for _ in range(200):
            if self.process.poll() is not None:
                pytest.fail("the guest ended: " + open(self.log, encoding="utf-8").read())
            try:
                return self.ask(hello or client_hello())
            except OSError:
                time.sleep(0.02)
        return pytest.fail("no answer")

    def ask(self, hello):
        with open("/proc/thread-self/ns/net") as own, open("/run/netns/" + self.name) as there:
            os.setns(there.fileno(), os.CLONE_NEWNET) if hasattr(os, "setns") else setns(there)
            try:
                with socket.create_connection((ADDRESS, 7433), 1) as peer:
                    peer.settimeout(2)
                    peer.sendall(hello)
                    return peer.recv(1)
            finally:
                os.setns(own.fileno(), os.CLONE_NEWNET) if hasattr(os, "setns") else setns(own)

    def agents(self):
        return subprocess.run(["pgrep", "-P", str(self.process.pid)], stdout=subprocess.PIPE,
                              text=True, check=False).stdout.split()

    def leftovers(self):
        left = glob.glob("/sys/fs/cgroup/*/" + self.name) + glob.glob("/sys/fs/cgroup/" + self.name)
        with open("/proc/mounts", encoding="utf-8") as mounts:
            left += [line for line in mounts if BUILD + "/image/tree" in line]
        return left + os.listdir(BUILD + "/image/tree/run")


def setns(file):
    import ctypes
    if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), 0x40000000) < 0:
        raise OSError(ctypes.get_errno(), "setns")


def run(*command):
    subprocess.run(command, check=True)


def gone(pid):
    """Ended; a zombie that its new parent has yet to reap counts as gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def children(pid):
    return subprocess.run(["pgrep", "-P", str(pid)], stdout=subprocess.PIPE, text=True, check=False).stdout.split()


def comm(pid):
    with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
        return file.read().strip()


def sleepers():
    return subprocess.run(["pgrep", "-f", "^sleep 31337"], stdout=subprocess.PIPE, text=True,
                          check=False).stdout.split()


def eventually(condition):
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.02)
    assert condition()


@pytest.fixture(autouse=True)
def possible():
    if os.geteuid() != 0:
        pytest.skip("namespaces need root")
    if not os.path.exists(BUILD + "/image/tree/init"):
        pytest.fail("no guest image: make image-tree test-programs")


def test_it_speaks_the_one_version_of_tls_of_its_build(tmp_path):
    """The first byte of a ServerHello, or of an alert."""
    said = subprocess.run([BUILD + "/bin/cleave", "version", "--json"], stdout=subprocess.PIPE, check=True).stdout
    its_own = "TLSv1_" + json.loads(said)["library"]["tls"][2:]
    with Stub(tmp_path) as stub:
        for version in ("TLSv1_2", "TLSv1_3"):
            expected = b"\x16" if version == its_own else b"\x15"
            assert stub.answer(client_hello(ssl.TLSVersion[version])) == expected, version
        stub.process.send_signal(signal.SIGTERM)
        assert stub.process.wait(10) == 0


def test_it_serves_and_obeys_the_power_button(tmp_path):
    with Stub(tmp_path) as stub:
        assert stub.answer() == b"\x16"
        stub.process.send_signal(signal.SIGTERM)
        assert stub.process.wait(10) == 0
        assert stub.leftovers() == []


def test_kill_9_of_the_parent_leaves_nothing(tmp_path):
    with Stub(tmp_path) as stub:
        stub.answer()
        pids = stub.agents()
        assert len(pids) == 2   # the guest and the sweeper
        stub.process.kill()
        stub.process.wait()
        eventually(lambda: all(gone(pid) for pid in pids))
        assert stub.leftovers() == []


def test_kill_9_of_the_agent_at_work_leaves_nothing():
    with subprocess.Popen([BUILD + "/test/agent_life", "hold"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True) as life:
        assert any(line == "holding\n" for line in life.stdout)
        stub = int(children(life.pid)[0])
        agent = [pid for pid in children(stub) if comm(pid) == "cleave-agent"]
        assert len(agent) == 1 and len(sleepers()) == 2
        assert glob.glob(f"/sys/fs/cgroup/*/cleave-stub-{stub}")
        os.kill(int(agent[0]), signal.SIGKILL)
        assert life.wait(20) == 0
    left = glob.glob(f"/sys/fs/cgroup/*/cleave-stub-{stub}") + glob.glob(f"/sys/fs/cgroup/cleave-stub-{stub}")
    with open("/proc/mounts", encoding="utf-8") as mounts:
        left += [line for line in mounts if BUILD + "/image/tree" in line]
    left += os.listdir(BUILD + "/image/tree/run")
    assert left == []
    eventually(lambda: all(gone(pid) for pid in sleepers()))


@pytest.mark.parametrize("delay_ms", [0, 5, 10, 20, 40, 80])
def test_kill_9_while_it_starts_leaves_nothing(tmp_path, delay_ms):
    with Stub(tmp_path) as stub:
        time.sleep(delay_ms / 1000)
        pids = stub.agents()
        stub.process.kill()
        stub.process.wait()
        eventually(lambda: all(gone(pid) for pid in pids) and stub.leftovers() == [])


@pytest.mark.parametrize("disks, code", [
    ({"initdata": b""}, 20), ({"initdata": b"CLEAVINI"}, 22), ({"network": b""}, 30),
    ({"network": b"CLEAVNET"}, 32), ({"network": network_disk(mac=b"\x02\0\0\0\0\x09")}, 33),
    ({"initdata": initdata_disk(b"x")}, 40)])
def test_wrong_disks_end_it_with_the_machines_codes(tmp_path, disks, code):
    with Stub(tmp_path, **disks) as stub:
        assert stub.process.wait(10) == code
        assert stub.leftovers() == []
