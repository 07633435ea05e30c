# SPDX-License-Identifier: Apache-2.0
"""network = "host": the workload has the address of the host's pod, beside the channel, and the host may read what it says."""
import json
import os
import signal
import socket

import pytest

import setup
from conftest import BUSYBOX, configure, eventually, find_processes
from test_network_cases import BOTH, PORT, TALK, Place, refused, talk
from test_tenant_network import CONFLIST, SHIM, shim_devices, use_network

HOST_PODS = {4: setup.PODS["host"] + ".1", 6: "fd91::1"}
CHANNEL = 7433
SLEEP = ["sleep", "4700"]


@pytest.fixture
def dual(bed, nodes):
    """The host's pods have both families."""
    path = bed.path("host", CONFLIST)
    with open(path, encoding="utf-8") as file:
        before = file.read()
    conf = json.loads(before)
    conf["name"] = "dual"
    conf["plugins"][0]["bridge"] = "dual"
    conf["plugins"][0]["ipam"].update(
        dataDir="/run/cni-dual", ranges=[[{"subnet": setup.PODS["host"] + ".0/24"}], [{"subnet": "fd91::/64"}]],
        routes=[{"dst": "0.0.0.0/0"}, {"dst": "::/0"}])
    bed.run("host", "ip", "link", "delete", "pods", check=False)       # it has the same addresses
    use_network(bed, nodes["host"], json.dumps(conf), "dual", "host")
    yield
    for role in ("tenant", "host"):
        nodes[role].remove_everything()
    use_network(bed, nodes["host"], before, "bed", "host")
    bed.run("host", "ip", "link", "delete", "dual")
    bed.run("host", "rm", "-r", "/run/cni-dual")


def run(bed, tenant, extra=""):
    """(container, its place, the addresses of the host's pod)."""
    configure(bed, lambda text: 'network = "host"\n' + text)
    pod = tenant.run_pod("host")
    ctr = tenant.run(pod, "one", BUSYBOX, SLEEP)
    pid, = find_processes(bed, "host", "^sleep 4700")
    text = tenant.exec(ctr, "ip", "-o", "address", "show", "dev", "eth0")[1].decode()
    eventually(lambda: "tentative" not in bed.run("host", "ip", "address", "show", "dev", "dual").stdout, what="the bridge's address")
    found = {4: text.split("inet ")[1].split("/")[0], 6: text.split("inet6 ")[1].split("/")[0]}
    return pod, ctr, Place(pid), found


def pings(bed, address):
    return bed.run("host", "busybox", "ping", "-c", "2", "-i", "0.2", "-W", "5", address).stdout


@pytest.mark.parametrize("way", ["direct", "dial-out"])
def test_the_workload_has_the_address_of_the_hosts_pod(pair, dual, tenant, host, bed, way):
    if way == "dial-out":
        bed.use_guest("pair", extra=f'[transport]\nname = "dial-out"\naddress = "{setup.ADDRESS["tenant"]}"\n')
    pod, ctr, place, own = run(bed, tenant)
    assert own[4] == host.pod_status(host.pods()[0].id).status.network.ip
    node = Place(bed.pid("host"))
    for family in BOTH:
        for kind in TALK:
            assert talk(node, (own[family], PORT), place, kind) == HOST_PODS[family]
            assert talk(place, (HOST_PODS[family], PORT), node, kind) == own[family]
        refused(node, (own[family], PORT))
        answers = pings(bed, own[family])
        assert "2 packets received" in answers and "DUP" not in answers
    assert talk(place, (setup.ADDRESS["tenant"], PORT), Place(bed.pid("tenant"))) == own[4]
    # The channel is there beside it, and not for the workload; nor is the PodIP on the tenant's node.
    assert tenant.exec(ctr, "echo", "here")[1] == b"here\n"
    assert b":1D09 " not in tenant.exec(ctr, "cat", "/proc/net/tcp", "/proc/net/tcp6")[1]
    refused(place, (own[4], CHANNEL))
    with pytest.raises(OSError):
        talk(Place(bed.pid("tenant")), (tenant.pod_status(pod).status.network.ip, PORT), place)
    assert shim_devices(bed) == []


def test_frozen_it_is_silent(pair, dual, tenant, bed):
    configure(bed, lambda text: "lease_ttl = 4\n" + text)
    _, _, place, own = run(bed, tenant)
    node = Place(bed.pid("host"))
    shims = find_processes(bed, "tenant", SHIM)
    with place.serve(4, PORT) as server, node.open(4) as early, node.open(4) as late:
        early.connect((own[4], PORT))
        for pid in shims:
            os.kill(pid, signal.SIGSTOP)
        try:
            eventually(lambda: "0 packets received" in bed.run(
                "host", "busybox", "ping", "-c", "1", "-W", "1", own[4], check=False).stdout, 10, "the silence")
            late.settimeout(1)
            with pytest.raises(TimeoutError):
                late.connect((own[4], PORT))
            early.sendall(b"kept")
        finally:
            for pid in shims:
                os.kill(pid, signal.SIGCONT)
        with server.accept()[0] as made:
            made.settimeout(20)
            assert made.recv(10) == b"kept"         # the connection has outlived it


def test_a_machine_has_the_hosts_network(vm, dual, tenant, bed):
    configure(bed, lambda text: 'network = "host"\n' + text)
    pod = tenant.run_pod("machine")
    tenant.run(pod, "web", BUSYBOX, ["sh", "-c", "echo here > /tmp/index.html; exec httpd -f -p 80 -h /tmp"])
    ctr = tenant.run(pod, "one", BUSYBOX, SLEEP)
    text = tenant.exec(ctr, "ip", "-o", "address", "show", "dev", "eth0")[1].decode()
    four, six = text.split("inet ")[1].split("/")[0], text.split("inet6 ")[1].split("/")[0]
    for where in (four, f"[{six}]"):
        assert bed.run("host", "busybox", "wget", "-q", "-O", "-", f"http://{where}/").stdout == "here\n"
