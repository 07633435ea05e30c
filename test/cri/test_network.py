# SPDX-License-Identifier: Apache-2.0
"""The pod's network: its addresses, its loopback, and the ports by which others reach it."""
import json
import re

import pytest

import setup
from conftest import eventually
from streams import Stream, connect_inside
from suite import BUSYBOX, SLEEP

PAGE = ["sh", "-c", "hostname > /tmp/index.html; exec httpd -f -p 80 -h /tmp"]


def address(node, pod):
    return node.pod_status(pod).status.network.ip


def fetched(node, host, port):
    """What a client on the node gets; empty if nobody answers."""
    try:
        with connect_inside(node.bed, "tenant", (host, port)) as server:
            server.sendall(b"GET /index.html HTTP/1.0\r\n\r\n")
            return b"".join(iter(lambda: server.recv(4096), b""))
    except OSError:
        return b""


def test_each_pod_has_an_address_of_the_nodes_network(node, pod):
    addresses = {address(node, pod), address(node, node.pod("other"))}
    assert len(addresses) == 2 and all(a.startswith(setup.PODS["tenant"] + ".") for a in addresses)


def test_the_loopback_is_up(node, ctr):
    assert "127.0.0.1" in node.out(ctr, "ip", "address", "show", "dev", "lo")
    assert node.exec(ctr, "ping", "-c", "1", "-W", "5", "127.0.0.1")[0] == 0


@pytest.mark.vm
def test_the_address_is_seen_inside(node, pod, ctr):
    assert address(node, pod) in node.out(ctr, "ip", "address", "show", "dev", "eth0")


@pytest.mark.vm
def test_a_container_port_is_reached_at_the_pods_address(node):
    pod = node.pod("web", port_mappings=[{"container_port": 80}])
    node.run(pod, "one", BUSYBOX, PAGE)
    page = eventually(lambda: fetched(node, address(node, pod), 80), what="the page")
    assert page.endswith(b"web\n")


def test_a_host_port_is_reached_at_the_node(node):
    pod = node.pod("mapped", port_mappings=[{"container_port": 80, "host_port": 12000}])
    node.run(pod, "one", BUSYBOX, PAGE)
    assert eventually(lambda: fetched(node, "127.0.0.1", 12000), what="the page").endswith(b"mapped\n")
    node.remove_pod(pod)
    assert fetched(node, "127.0.0.1", 12000) == b""


def test_pods_reach_each_other(node, ctr):
    pod = node.pod("web")
    node.run(pod, "one", BUSYBOX, PAGE)
    page = eventually(lambda: node.exec(ctr, "wget", "-q", "-O", "-", f"http://{address(node, pod)}/")[1], what="the page")
    assert page == b"web\n"


def test_containers_of_a_pod_share_its_ports(node, pod):
    server = node.run(pod, "server", BUSYBOX, ["sh", "-c", "echo page > /tmp/index.html; exec httpd -f -p 8082 -h /tmp"])
    client = node.run(pod, "client", BUSYBOX, SLEEP)
    page = eventually(lambda: node.exec(client, "wget", "-q", "-O", "-", "http://localhost:8082/")[1], what="the page")
    assert page == b"page\n" and node.exec(server, "true")[0] == 0


@pytest.mark.vm
def test_a_server_of_the_pods_address_is_reached_by_no_other(node, pod):
    here = address(node, pod)
    ctr = node.run(pod, "one", BUSYBOX, ["sh", "-c", f"echo page > /tmp/index.html; exec httpd -f -p {here}:8083 -h /tmp"])
    eventually(lambda: fetched(node, here, 8083).endswith(b"page\n"), what="the page")
    assert node.out(ctr, "wget", "-q", "-O", "-", f"http://{here}:8083/") == "page\n"         # itself
    assert "refused" in node.sh(ctr, "wget -q -O - http://127.0.0.1:8083/ 2>&1 || true")
    assert fetched(node, here, 8084) == b""


def test_the_port_stays_when_the_container_is_another(node):
    pod = node.pod("again", port_mappings=[{"container_port": 80, "host_port": 12000}])
    where = address(node, pod)
    first = node.run(pod, "one", BUSYBOX, PAGE)
    for host, port in ((where, 80), ("127.0.0.1", 12000)):
        eventually(lambda: fetched(node, host, port).endswith(b"again\n"), what="the page")
    node.stop_container(first, grace=0)
    assert fetched(node, where, 80) == b""
    node.run(pod, "one", BUSYBOX, PAGE, attempt=1)
    for host, port in ((where, 80), ("127.0.0.1", 12000)):
        eventually(lambda: fetched(node, host, port).endswith(b"again\n"), what="the page of the second one")
    assert address(node, pod) == where


@pytest.mark.vm
def test_a_user_may_ping_and_serve_a_low_port(node, pod):
    """containerd sets both sysctls for a pod with a network of its own."""
    user = {"security_context": {"run_as_user": {"value": 1000}}}
    node.run(pod, "low", BUSYBOX, ["sh", "-c", "echo page > /tmp/index.html; exec httpd -f -p 81 -h /tmp"], linux=user)
    eventually(lambda: fetched(node, address(node, pod), 81).endswith(b"page\n"), what="the page")
    ctr = node.secure(pod, "pings", run_as_user={"value": 1000}, capabilities={"drop_capabilities": ["NET_RAW"]})
    assert node.out(ctr, "cat", "/proc/sys/net/ipv4/ping_group_range").split() == ["0", "2147483647"]


# ---- both families ----------------------------------------------------------------------------

CONFLIST = "/etc/cni/net.d/10-bed.conflist"
DETECTION = "/proc/sys/net/ipv6/conf/default/accept_dad"     # of duplicate addresses: a second and more on a new bridge


def use_network(node, text):
    """containerd looks at the directory by itself, in a while."""
    node.file(CONFLIST, text)
    name = json.loads(text)["name"]
    eventually(lambda: f'"{name}"' in node.status(verbose=True).info["cniconfig"], what=f"the network {name}")


@pytest.fixture
def dual(node):
    """The network of new pods has both families, and the node's name `localhost` too."""
    with open(node.file(CONFLIST), encoding="utf-8") as file:
        before = file.read()
    with open(node.file("/etc/hosts"), encoding="utf-8") as file:
        hosts = file.read()
    conf = json.loads(before)
    conf["name"] = "dual"
    conf["plugins"][0].update(bridge="dual", ipam={
        "type": "host-local", "dataDir": "/run/cni-dual", "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}],
        "ranges": [[{"subnet": "10.96.0.0/24"}], [{"subnet": "fd96::/64"}]]})
    use_network(node, json.dumps(conf))
    node.bed.run("tenant", "sh", "-c", "echo 0 > " + DETECTION)
    node.file("/etc/hosts", hosts + "::1 localhost\n")
    yield
    node.discard()
    node.file("/etc/hosts", hosts)
    use_network(node, before)
    node.bed.run("tenant", "sh", "-c", "echo 1 > " + DETECTION)
    node.bed.run("tenant", "ip", "link", "delete", "dual")
    node.bed.run("tenant", "rm", "-r", "/run/cni-dual")


def test_a_pod_of_two_families_has_an_address_of_each(dual, node):
    pod = node.pod("dual")
    network = node.pod_status(pod).status.network
    six, = (entry.ip for entry in network.additional_ips)
    assert network.ip.startswith("10.96.0.") and six.startswith("fd96::")
    ctr = node.run(pod, "one", BUSYBOX, ["sh", "-c", "echo six > /tmp/index.html; exec httpd -f -p '[::1]:8081' -h /tmp"])
    told = node.out(ctr, "ip", "address", "show", "dev", "eth0")
    assert re.findall(r"inet6? ((?:10\.|fd)\S+)/", told) == [network.ip, six]
    node.run(pod, "web", BUSYBOX, PAGE)
    for host in (network.ip, six):
        eventually(lambda: fetched(node, host, 80).endswith(b"dual\n"), what=f"the page at {host}")
    assert fetched(node, six, 8081) == b""
    stream = Stream(node.bed, node.forward_url(pod, 8081))      # who listens on ::1 only is reached by that
    stream.send(b"GET /index.html HTTP/1.0\r\n\r\n")
    stream.ended()
    assert stream.got[0].endswith(b"six\n")
