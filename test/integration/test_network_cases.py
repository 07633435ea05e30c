# SPDX-License-Identifier: Apache-2.0
"""What a node's CNI, kube-proxy and policies make of a pod's traffic holds for a pod in a guest, in both families: one pair of pods
for all of it. Sockets are made in the pods' network namespaces in the stub guests, where the workload's would be."""
import contextlib
import json
import os
import re
import select
import socket
import struct
import threading
import traceback

import pytest

import setup
from conftest import BUSYBOX, eventually, find_processes, kill9
from streams import made_inside
from test_tenant_network import CONFLIST, SHIM, connected, use_network

NODE = {4: setup.ADDRESS["tenant"], 6: "fd90::2"}
OUTSIDE = {4: setup.ADDRESS["host"], 6: "fd90::1"}      # the host node: it has no route to these pods
FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
SERVICE = {4: "10.97.0.{}", 6: "fd97::{}"}
SERVICES = {4: "10.97.0.0/24", 6: "fd97::/64"}
SELF, OTHER, NAMES = 1, 2, 10                           # the last number of a service's address
GATEWAY = {4: "10.95.0.1", 6: "fd95::1"}
HOST_PORT, HOST_PORT_UDP, PORT, CLOSED = 12000, 12001, 7000, 7009
IP_MTU, IPV6_MTU = 14, 24
BOTH = (4, 6)
CASES = []


def case(function):
    CASES.append(function)
    return function


# ---- the node ----------------------------------------------------------------------------------

# As kube-proxy's iptables mode writes them.
PROXY = """*nat
:KUBE-SERVICES - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-SEP-SELF - [0:0]
:KUBE-SEP-OTHER - [0:0]
:KUBE-SEP-NAMES - [0:0]
-I PREROUTING -j KUBE-SERVICES
-I OUTPUT -j KUBE-SERVICES
-I POSTROUTING -j KUBE-POSTROUTING
-A KUBE-MARK-MASQ -j MARK --or-mark 0x4000
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MARK --xor-mark 0x4000
-A KUBE-POSTROUTING -j MASQUERADE --random-fully
-A KUBE-SERVICES -d {self} -p tcp --dport 80 -j KUBE-SEP-SELF
-A KUBE-SERVICES -d {other} -p tcp --dport 80 -j KUBE-SEP-OTHER
-A KUBE-SERVICES -d {names} -p udp --dport 53 -j KUBE-SEP-NAMES
-A KUBE-SEP-SELF -s {one} -j KUBE-MARK-MASQ
-A KUBE-SEP-SELF -p tcp -j DNAT --to-destination {one_at}:7000
-A KUBE-SEP-OTHER -s {two} -j KUBE-MARK-MASQ
-A KUBE-SEP-OTHER -p tcp -j DNAT --to-destination {two_at}:7000
-A KUBE-SEP-NAMES -s {names_by} -j KUBE-MARK-MASQ
-A KUBE-SEP-NAMES -p udp -j DNAT --to-destination {names_at}:7053
COMMIT
"""
UNPROXY = """*nat
-D PREROUTING -j KUBE-SERVICES
-D OUTPUT -j KUBE-SERVICES
-D POSTROUTING -j KUBE-POSTROUTING
{chains}COMMIT
"""
IPTABLES = {4: "iptables", 6: "ip6tables"}


def rules(bed):
    """Of the tenant's node, without what CNI keeps when it has none."""
    text = "".join(bed.run("tenant", program + "-save").stdout for program in IPTABLES.values())
    return {line for line in text.splitlines() if line.startswith("-A") and "CNI-HOSTPORT-" not in line}


@contextlib.contextmanager
def dual_wire(bed):
    """Between the nodes, with the way to services that a default route is elsewhere."""
    for role, address in (("tenant", NODE[6]), ("host", OUTSIDE[6])):
        bed.run(role, "ip", "address", "add", address + "/64", "dev", "wire", "nodad")
    for family, prefix in SERVICES.items():
        bed.run("tenant", "ip", "route", "add", prefix, "via", OUTSIDE[family])
    yield
    for prefix in SERVICES.values():
        bed.run("tenant", "ip", "route", "del", prefix)
    for role, address in (("tenant", NODE[6]), ("host", OUTSIDE[6])):
        bed.run(role, "ip", "address", "del", address + "/64", "dev", "wire")


@pytest.fixture
def network(bed, stub, tenant):
    """A bridge as clusters have it: masquerade, hairpin, host ports, both families, and only its own address for each pod. Nothing
    of it may be left."""
    with open(bed.path("tenant", CONFLIST), encoding="utf-8") as file:
        before = file.read()
    ipam = {"type": "host-local", "dataDir": "/run/cni-cases", "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}],
            "ranges": [[{"subnet": "10.95.0.0/24"}], [{"subnet": "fd95::/64"}]]}
    bridge = {"type": "bridge", "bridge": "cases", "isGateway": True, "ipMasq": True, "hairpinMode": True,
              "macspoofchk": True, "ipam": ipam}
    use_network(bed, tenant, json.dumps({"cniVersion": "1.0.0", "name": "cases", "plugins": [bridge, setup.PORTMAP]}), "cases")
    had = rules(bed)
    with dual_wire(bed):
        yield
        tenant.remove_everything()
    use_network(bed, tenant, before, "bed")
    bed.run("tenant", "ip", "link", "delete", "cases")
    leases = [name for name in os.listdir(bed.path("tenant", "/run/cni-cases/cases")) if name[0] in "1f"]
    bed.run("tenant", "rm", "-r", "/run/cni-cases")
    assert leases == [] and rules(bed) == had


# ---- a world of two pods -----------------------------------------------------------------------

class Place:
    """A network namespace, by a process in it or by a file."""

    def __init__(self, pid=None, path=None):
        self.path = path or f"/proc/{pid}/ns/net"

    def open(self, family, kind=socket.SOCK_STREAM):
        made = made_inside(self.path, lambda: socket.socket(FAMILY[family], kind))
        made.settimeout(5)
        return made

    def serve(self, family, port, kind=socket.SOCK_STREAM, host=""):
        server = self.open(family, kind)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == 6:
            server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        server.bind((host, port))
        if kind == socket.SOCK_STREAM:
            server.listen(8)
        return server

    def tap_into(self, device):
        """All frames of a device, and a way to send some."""
        made = made_inside(self.path, lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)))
        made.bind((device, 3))
        made.settimeout(0.3)
        return made


class World:
    def __init__(self, bed, tenant):
        self.bed, self.tenant = bed, tenant
        mapped = [{"container_port": PORT, "host_port": HOST_PORT},
                  {"container_port": PORT, "host_port": HOST_PORT_UDP, "protocol": 1}]
        dns = [{"servers": [SERVICE[family].format(NAMES)], "searches": ["svc.test"]} for family in BOTH]
        self.pods = [tenant.run_pod("one", port_mappings=mapped, dns_config=dns[0]), tenant.run_pod("two", dns_config=dns[1])]
        eventually(lambda: connected(bed, 2), what="both pods' networks")
        self.containers = [tenant.run(pod, "one", BUSYBOX, ["sleep", f"47{i}"]) for i, pod in enumerate(self.pods)]
        self.one, self.two = (Place(*find_processes(bed, "tenant", f"^sleep 47{i}")) for i in range(2))
        self.node, self.outside = Place(bed.pid("tenant")), Place(bed.pid("host"))
        self.addresses = [self._addresses(ctr) for ctr in self.containers]

    def _addresses(self, ctr):
        text = self.tenant.exec(ctr, "ip", "address", "show", "dev", "eth0")[1].decode()
        return {4: re.search(r"inet (\S+)/", text)[1], 6: re.search(r"inet6 (fd\S+)/", text)[1]}

    def _interfaces(self, pod):
        return json.loads(self.tenant.pod_status(pod, verbose=True).info["info"])["cniResult"]["Interfaces"]

    def veth(self, pod):
        """The pod's end on the node's bridge."""
        name, = [n for n in self._interfaces(pod) if n.startswith("veth")]
        return name

    def mac(self, pod):
        return bytes.fromhex(self._interfaces(pod)["eth0"]["Mac"].replace(":", ""))

    def space(self, pod):
        """That of the pod on the node."""
        name = os.path.basename(self._interfaces(pod)["eth0"]["Sandbox"])
        return Place(path=self.bed.path("tenant", "/run/netns/" + name))

    @contextlib.contextmanager
    def proxy(self):
        for family in BOTH:
            one, two = (addresses[family] for addresses in self.addresses)
            at, names = {4: ("{}", two), 6: ("[{}]", one)}[family]
            self._restore(family, PROXY.format(
                one=one, two=two, one_at=at.format(one), two_at=at.format(two), names_by=names, names_at=at.format(names),
                **{name: SERVICE[family].format(number) for name, number in (("self", SELF), ("other", OTHER), ("names", NAMES))}))
        yield
        chains = re.findall(r":(KUBE-\S+)", PROXY)
        for family in BOTH:
            self._restore(family, UNPROXY.format(chains="".join(f"-{verb} {chain}\n" for verb in "FX" for chain in chains)))

    def die(self):
        """The shim of the pod with host ports, in the midst of all; then it is stopped, CNI takes down what it made, and the shim is told
        to delete."""
        kill9([pid for pid in find_processes(self.bed, "tenant", SHIM) if self.pods[0] in command_line(pid)])

    def _restore(self, family, text):
        self.bed.run("tenant", IPTABLES[family] + "-restore", "--noflush", input=text)


def command_line(pid):
    with open(f"/proc/{pid}/cmdline", encoding="utf-8") as file:
        return file.read()


def over_tcp(client, to, server):
    """Who the server sees; a word goes each way."""
    with client, contextlib.closing(server):
        client.connect(to)
        made, peer = server.accept()
        with made:
            made.settimeout(5)
            client.sendall(b"ask")
            assert made.recv(10) == b"ask"
            made.sendall(b"answer")
            assert client.recv(10) == b"answer"
            return peer[0]


def over_udp(client, to, server):
    with client, server:
        client.connect(to)
        client.send(b"ask")
        word, peer = server.recvfrom(10)
        assert word == b"ask"
        server.sendto(b"answer", peer)
        assert client.recv(10) == b"answer"
        return peer[0]


TALK = {socket.SOCK_STREAM: over_tcp, socket.SOCK_DGRAM: over_udp}


def talk(client, to, server, kind=socket.SOCK_STREAM, port=PORT):
    """(address, port) is spoken to from one place and answered in another; who the latter sees."""
    family = 6 if ":" in to[0] else 4
    return TALK[kind](client.open(family, kind), to, server.serve(family, port, kind))


def refused(client, to):
    with client.open(6 if ":" in to[0] else 4) as sock, pytest.raises(ConnectionRefusedError):
        sock.connect(to)


# ---- cases: world, family ----------------------------------------------------------------------

@case
def pods_reach_each_other_and_see_who_it_is(world, family):
    one, two = (addresses[family] for addresses in world.addresses)
    for kind in TALK:
        assert talk(world.two, (one, PORT), world.one, kind) == two
        assert talk(world.one, (two, PORT), world.two, kind) == one
    refused(world.two, (one, CLOSED))


@case
def the_node_reaches_the_pod(world, family):
    assert talk(world.node, (world.addresses[0][family], PORT), world.one) == GATEWAY[family]


@case
def a_server_may_bind_the_pods_address(world, family):
    one, two = (addresses[family] for addresses in world.addresses)
    assert over_tcp(world.two.open(family), (one, PORT), world.one.serve(family, PORT, host=one)) == two
    client = world.one.open(family)
    client.bind((one, 0))
    assert over_tcp(client, (two, PORT), world.two.serve(family, PORT)) == one


@case
def host_ports_lead_to_the_pod(world, family):
    for kind, port in ((socket.SOCK_STREAM, HOST_PORT), (socket.SOCK_DGRAM, HOST_PORT_UDP)):
        assert talk(world.outside, (NODE[family], port), world.one, kind) == OUTSIDE[family]
        talk(world.two, (NODE[family], port), world.one, kind)


@case
def a_pod_reaches_itself_by_its_host_port(world, family):
    for kind, port in ((socket.SOCK_STREAM, HOST_PORT), (socket.SOCK_DGRAM, HOST_PORT_UDP)):
        assert talk(world.one, (NODE[family], port), world.one, kind) == GATEWAY[family]


@case
def what_leaves_the_cluster_has_the_nodes_address(world, family):
    for kind in TALK:
        assert talk(world.one, (OUTSIDE[family], PORT), world.outside, kind) == NODE[family]


@case
def a_service_leads_to_another_pod(world, family):
    assert talk(world.one, (SERVICE[family].format(OTHER), 80), world.two) == world.addresses[0][family]


@case
def a_service_leads_to_this_pod(world, family):
    service = SERVICE[family].format(SELF)
    assert talk(world.two, (service, 80), world.one) == world.addresses[1][family]
    assert talk(world.node, (service, 80), world.one) == NODE[family]
    assert talk(world.one, (service, 80), world.one) == GATEWAY[family]         # itself


def answer(question, family):
    """A reply to one question: an address if it asks for this family's, else none."""
    kind = struct.unpack("!H", question[-4:-2])[0]
    record, address = {4: (1, "192.0.2.7"), 6: (28, "2001:db8::7")}[family]
    data = socket.inet_pton(FAMILY[family], address) if kind == record else b""
    head = question[:2] + struct.pack("!HHHHH", 0x8580, 1, 1 if data else 0, 0, 0)
    return head + question[12:] + (b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 60, len(data)) + data if data else b"")


@case
def names_are_found_by_a_service_of_the_cluster(world, family):
    """One pod asks over IPv4, the other over IPv6: each by the server in its resolv.conf, which runs in the other."""
    asks, answers = {4: (0, world.two), 6: (1, world.one)}[family]
    with answers.serve(family, 7053, socket.SOCK_DGRAM) as server:
        asked, end = [], threading.Event()

        def serve():
            while not end.is_set():
                if select.select([server], [], [], 0.05)[0]:
                    question, peer = server.recvfrom(512)
                    asked.append((peer[0], b"\3web\3svc\4test\0" in question))
                    server.sendto(answer(question, family), peer)
        thread = threading.Thread(target=serve)
        thread.start()
        found = world.tenant.exec(world.containers[asks], "nslookup", "web")[1]
        end.set()
        thread.join()
    assert {4: b"192.0.2.7", 6: b"2001:db8::7"}[family] in found
    assert (world.addresses[asks][family], True) in asked and len({who for who, _ in asked}) == 1


POLICY = """table bridge cases {{
    chain forward {{
        type filter hook forward priority 0;
        oifname "{veth}" tcp dport {port} drop
        iifname "{veth}" tcp dport {port} drop
    }}
}}
"""


def frame(source, word, destination=b"\xff" * 6):
    """Of a protocol that no kernel knows."""
    return destination + source + b"\x88\xb5" + word + bytes(60)


def seen_by(tap, last):
    """What a tap has seen of ours, the word that ends it included if it came."""
    found = b""
    with contextlib.suppress(TimeoutError):
        while last not in found:
            data = tap.recv(2048)
            found += data if data[12:14] == b"\x88\xb5" else b""
    return found


@case
def a_guest_has_the_frames_of_its_own_pod_only(world, family):
    """What one guest sends with the other's address ends at its own port of the node's bridge. Frames between it and the node
    come to nothing of the other's: not to its guest, not to its namespace on the node."""
    one, two = (world.mac(pod) for pod in world.pods)
    bridge = bytes.fromhex(world.bed.run("tenant", "cat", "/sys/class/net/cases/address").stdout.strip().replace(":", ""))
    with contextlib.ExitStack() as stack:
        def tap(place, device):
            return stack.enter_context(place.tap_into(device))
        node, hostile = tap(world.node, "cases"), tap(world.two, "eth0")
        others = [tap(world.one, "eth0"), tap(world.space(world.pods[0]), "tap0"), tap(world.space(world.pods[0]), "eth0")]
        hostile.send(frame(one, b"forged-to-all"))
        hostile.send(frame(one, b"forged-to-node", bridge))
        hostile.send(frame(two, b"to-node", bridge))
        hostile.send(frame(two, b"to-all"))
        found = seen_by(node, b"to-all")
        assert b"to-node" in found and b"to-all" in found and b"forged" not in found
        node.send(frame(bridge, b"to-hostile", two))
        assert b"to-hostile" in seen_by(hostile, b"to-hostile")
        for other in others:
            found = seen_by(other, b"to-all")
            assert b"to-all" in found and b"forged" not in found and b"to-node" not in found and b"to-hostile" not in found
    address = world.addresses[0][family]
    assert talk(world.node, (address, PORT), world.one) == GATEWAY[family]


def lost(client, to, server):
    with client, server:
        client.settimeout(0.5)
        with pytest.raises(TimeoutError):
            client.connect(to)


@case
def a_policy_on_the_nodes_bridge_holds_both_ways(world, family):
    one, two = (addresses[family] for addresses in world.addresses)
    world.bed.run("tenant", "nft", "-f", "-", input=POLICY.format(veth=world.veth(world.pods[0]), port=PORT))
    lost(world.two.open(family), (one, PORT), world.one.serve(family, PORT))
    lost(world.one.open(family), (two, PORT), world.two.serve(family, PORT))
    assert talk(world.two, (one, PORT + 1), world.one, port=PORT + 1) == two
    world.bed.run("tenant", "nft", "delete", "table", "bridge", "cases")
    assert talk(world.two, (one, PORT), world.one) == two


@case
def a_narrow_path_is_found_out(world, family):
    """The word of the node's router, that a packet is too large, reaches the workload."""
    level, option = {4: (socket.IPPROTO_IP, IP_MTU), 6: (socket.IPPROTO_IPV6, IPV6_MTU)}[family]
    size = 1 << 20
    world.bed.run("tenant", "ip", "link", "set", "wire", "mtu", "1300")
    try:
        with world.outside.serve(family, PORT) as server, world.one.open(family) as client:
            client.connect((OUTSIDE[family], PORT))
            assert client.getsockopt(level, option) == 1500
            sender = threading.Thread(target=lambda: (client.sendall(bytes(size)), client.shutdown(socket.SHUT_WR)))
            sender.start()
            with server.accept()[0] as made:
                made.settimeout(10)
                got = sum(map(len, iter(lambda: made.recv(1 << 16), b"")))
            sender.join()
            assert got == size and client.getsockopt(level, option) == 1300
    finally:
        world.bed.run("tenant", "ip", "link", "set", "wire", "mtu", "1500")


def test_what_the_node_makes_of_traffic_holds_for_the_guests_pod(network, bed, tenant):
    world, wrong = World(bed, tenant), []
    with world.proxy():
        for check in CASES:
            for family in BOTH:
                try:
                    check(world, family)
                except (Exception, pytest.fail.Exception) as error:       # the others tell as much
                    where = traceback.extract_tb(error.__traceback__)[1].line
                    wrong.append(f"{check.__name__}, IPv{family}: {type(error).__name__} {error} {getattr(error, 'stderr', '')} in {where}")
    assert wrong == [], "\n".join(wrong)
    world.die()         # and nothing is left: `network` looks
