# SPDX-License-Identifier: Apache-2.0
"""The pod's network: its address, its loopback, and the ports by which others reach it."""
import pytest

import setup
from conftest import eventually
from streams import connect_inside
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
