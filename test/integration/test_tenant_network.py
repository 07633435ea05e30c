# SPDX-License-Identifier: Apache-2.0
"""The tenant's pod network in the guest: what it is there, what a cut or a death does to it, what is left behind. What any pod's
network does is in test/cri/test_network.py."""
import contextlib
import json
import os
import re
import secrets
import socket
import threading
import time

import pytest

import setup
from conftest import BUSYBOX, configure, eventually, find_processes, kill9, log_paths, new_lines
from streams import connect_inside
from test_vm import Wire

SHIM = r"containerd-shim-cleave-tenant-v2"
GUEST = r"cleave-agent --stub"
SLEEP = ["sleep", "1000"]
MOST = 900_000      # of a megabyte, in bytes
CONFLIST = "/etc/cni/net.d/10-bed.conflist"


@pytest.fixture(autouse=True)
def guest(stub):
    """A stub of the tenant node: the way to it is a link of its own."""


def address(tenant, pod):
    return tenant.pod_status(pod).status.network.ip


def connected(bed, count=1):
    return len([line for path in log_paths(bed) for line in new_lines(path) if "the pod's network is connected" in line]) >= count


def run_pod(tenant, bed, name, count=1):
    pod = tenant.run_pod(name)
    eventually(lambda: connected(bed, count), what="the pod's network")
    return pod


def shim_devices(bed):
    """TAP devices that a tenant shim holds: each keeps a network namespace alive."""
    found = []
    for pid in find_processes(bed, "tenant", SHIM):
        for fd in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{pid}/fd/{fd}") == "/dev/net/tun":
                    found.append((pid, fd))
    return found


# ---- the channel is cut ------------------------------------------------------------------------

def guest_sides(bed):
    """(device, address) of each stub guest of the node."""
    text = bed.run("tenant", "ip", "-o", "-4", "address").stdout
    return [(device, f"{a}.{int(b) + 1}") for device, a, b in re.findall(r" (stub\S+) +inet (\d+\.\d+\.\d+)\.(\d+)/30", text)]


@contextlib.contextmanager
def black_hole(bed):
    """What the tenant sends to its guests is lost without a word: a wrong address behind the right one."""
    sides = guest_sides(bed)

    def neighbours(command, rest=""):
        bed.run("tenant", "sh", "-ec", "".join(f"ip neigh {command} {guest} dev {device} {rest}\n" for device, guest in sides))
    neighbours("replace", "lladdr 02:00:00:00:00:99 nud permanent")
    yield
    neighbours("del")


class Lines:
    """What a server in the pod says, a number each twentieth of a second, and when it came."""

    def __init__(self, bed, tenant, pod, count):
        self.count, self.came, self.got = count, [], bytearray()
        program = f"i=0; while [ $i -lt {count} ]; do echo $i; i=$((i+1)); sleep 0.05; done"
        tenant.run(pod, "server", BUSYBOX, ["nc", "-l", "-p", "7000", "-e", "sh", "-c", program])
        self.client = eventually(lambda: attempt(bed, address(tenant, pod), 7000), what="the server")
        self.client.settimeout(90)
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self):
        while data := self.client.recv(4096):
            self.got.extend(data)
            self.came.append(time.monotonic())

    def finish(self):
        self.reader.join(90)
        self.client.close()
        assert self.got.split() == [b"%d" % i for i in range(self.count)]


@pytest.mark.parametrize("seconds", [5, 30])
def test_connections_outlive_a_cut(tenant, bed, seconds):
    """Of two guests: one is dialled, the other dials."""
    pods = {"direct": run_pod(tenant, bed, "direct")}
    bed.use_guest("stub", extra=f'[transport]\nname = "dial-out"\naddress = "{setup.ADDRESS["tenant"]}"\n')
    pods["dial-out"] = run_pod(tenant, bed, "dials", 2)
    flows = {way: Lines(bed, tenant, pod, 20 * (seconds + 4)) for way, pod in pods.items()}
    eventually(lambda: all(len(flow.came) > 10 for flow in flows.values()), what="the first lines")
    with black_hole(bed):
        time.sleep(seconds)
        assert all(flow.came[-1] < time.monotonic() - seconds + 4.5 for flow in flows.values())     # it is a cut
    freed = time.monotonic()
    for flow in flows.values():
        flow.finish()
    resumed = {way: min(t for t in flow.came if t > freed) - freed for way, flow in flows.items()}
    print(resumed)
    assert max(resumed.values()) < 12, resumed      # two, on a machine that has time


def attempt(bed, host, port):
    with contextlib.suppress(OSError):
        return connect_inside(bed, "tenant", (host, port))
    return None


# ---- deaths ------------------------------------------------------------------------------------

def test_a_killed_guest_leaves_nothing(tenant, bed):
    run_pod(tenant, bed, "guest")
    kill9(find_processes(bed, "tenant", GUEST))


def test_a_killed_shim_leaves_nothing(tenant, bed):
    run_pod(tenant, bed, "shim")
    kill9(find_processes(bed, "tenant", SHIM))
    eventually(lambda: not find_processes(bed, "tenant", GUEST), what="the guest's end")


def test_a_stopped_pod_has_let_go_of_its_namespace(tenant, bed):
    """CNI takes it down next, and after that the shim is told to delete."""
    pod = run_pod(tenant, bed, "stop")
    assert len(shim_devices(bed)) == 2
    tenant.stop_pod(pod)
    assert shim_devices(bed) == []
    assert not [name for name in os.listdir(bed.path("tenant", "/run/netns")) if name.startswith("cni-")]
    tenant.remove_pod(pod)


# ---- who sees what -----------------------------------------------------------------------------

def received(tenant, ctr):
    return int(tenant.exec(ctr, "cat", "/sys/class/net/eth0/statistics/rx_packets")[1])


def test_a_pod_does_not_see_the_frames_of_another(tenant, bed):
    one, other = run_pod(tenant, bed, "one"), run_pod(tenant, bed, "other", 2)
    tenant.run(one, "server", BUSYBOX, ["nc", "-l", "-p", "7000", "-e", "sh", "-c", "head -c 20000000 /dev/zero"])
    witness = tenant.run(other, "witness", BUSYBOX, SLEEP)
    assert address(tenant, one) != address(tenant, other)
    client = eventually(lambda: attempt(bed, address(tenant, one), 7000), what="the server")
    before, count = received(tenant, witness), 0
    while data := client.recv(1 << 16):
        count += len(data)
    client.close()
    assert count == 20000000
    assert received(tenant, witness) - before < 50          # neighbours' questions, for all to hear


def test_the_pods_network_is_not_the_hosts(pair, tenant, bed):
    """What the host's network carries of a megabyte that leaves the pod: that it is one."""
    pod = run_pod(tenant, bed, "hidden")
    word = "canary" + secrets.token_hex(6)
    tenant.run(pod, "server", BUSYBOX, ["nc", "-l", "-p", "7000", "-e", "sh", "-c", f"yes {word} | head -c 1000000"])
    wire = Wire(bed, "/run/network.pcap")
    client = eventually(lambda: attempt(bed, address(tenant, pod), 7000), what="the server")
    got = b"".join(iter(lambda: client.recv(1 << 16), b""))
    client.close()
    capture = bed.path("host", wire.path)       # it is behind, and what it has not read when it is stopped is lost
    eventually(lambda: os.path.getsize(capture) > MOST, what="the capture of most of it")
    seen = wire.stop(bed)
    os.unlink(capture)
    assert len(got) == 1000000 and got.startswith(word.encode())
    assert len(seen) > MOST and word.encode() not in seen
    ends = [socket.inet_aton(end) for end in (address(tenant, pod), setup.PODS["tenant"] + ".1")]
    assert b"".join(ends) not in seen and b"".join(reversed(ends)) not in seen


def test_a_network_that_was_not_asked_for_is_not_there(tenant, bed):
    configure(bed, lambda text: 'network = "none"\n' + text)
    pod = tenant.run_pod("none")
    ctr = tenant.run(pod, "one", BUSYBOX, SLEEP)
    assert tenant.exec(ctr, "ls", "/sys/class/net")[1].split() == [b"lo"]
    assert shim_devices(bed) == []


# ---- other networks ----------------------------------------------------------------------------

def use_network(bed, node, text, name, role="tenant"):
    """containerd looks at its directory by itself, in a while."""
    with open(bed.path(role, CONFLIST), "w", encoding="utf-8") as file:
        file.write(text)
    eventually(lambda: f'"{name}"' in node.status(verbose=True).info["cniconfig"], what=f"the network {name}")


@pytest.fixture
def large_and_dual(bed, tenant):
    """A bridge with an MTU of 9000 and both families."""
    with open(bed.path("tenant", CONFLIST), encoding="utf-8") as file:
        before = file.read()
    conf = json.loads(before)
    conf["name"] = "large"
    conf["plugins"][0].update(bridge="large", mtu=9000)
    conf["plugins"][0]["ipam"] = {
        "type": "host-local", "dataDir": "/run/cni-large", "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}],
        "ranges": [[{"subnet": "10.94.0.0/24"}], [{"subnet": "fd94::/64"}]]}
    use_network(bed, tenant, json.dumps(conf), "large")
    yield
    tenant.remove_everything()
    use_network(bed, tenant, before, "bed")
    bed.run("tenant", "ip", "link", "delete", "large")
    bed.run("tenant", "rm", "-r", "/run/cni-large")


def test_both_families_and_a_large_mtu_are_the_guests(large_and_dual, tenant, bed):
    pod = run_pod(tenant, bed, "large")
    ctr = tenant.run(pod, "one", BUSYBOX, SLEEP)
    text = tenant.exec(ctr, "ip", "address", "show", "dev", "eth0")[1].decode()
    assert "mtu 9000" in text and "inet 10.94.0." in text and "inet6 fd94::" in text and "fe80" not in text
    assert tenant.exec(ctr, "ping", "-c", "1", "-W", "5", "-s", "8972", "10.94.0.1")[0] == 0
    assert tenant.exec(ctr, "ping", "-c", "1", "-W", "5", "-s", "8952", "fd94::1")[0] == 0
    six = re.search(r"inet6 (fd94::\S+)/", text)[1]
    tenant.run(pod, "server", BUSYBOX, ["nc", "-l", "-p", "7000", "-e", "echo", "six"])
    client = eventually(lambda: attempt(bed, six, 7000), what="the server at its IPv6 address")
    assert client.recv(10) == b"six\n"
    client.close()
