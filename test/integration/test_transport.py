# SPDX-License-Identifier: Apache-2.0
"""The three ways to a guest, between networks that do not reach each other and among strangers."""
import contextlib
import os
import re
import signal
import subprocess
import time

import grpc
import pytest

from conftest import BUSYBOX, UNTIL_THE_END, configure, ends_whole, eventually, find_processes, kill9

US, THEM = "10.90.0.2", "10.90.0.1"        # the nodes' ends of the wire
PODS = "10.91.0.0/24"                      # of the host
PORT = 30000
TENANT_SHIM = r"containerd-shim-cleave-tenant-v2"
GUEST = r"cleave-agent --stub"
SLEEP = ["sleep", "1000"]


def transport(name, address, port=0):
    return f'[transport]\nname = "{name}"\naddress = "{address}"\nport = {port}\n'


def echoes(tenant, pod):
    ctr = tenant.run(pod, "one", BUSYBOX, SLEEP)
    assert tenant.exec(ctr, "echo", "hello") == (0, b"hello\n", b"")
    return ctr


@pytest.fixture
def one_way(bed):
    """The tenant node connects to none of the host's pods, but can answer those who connect to it: as
    behind a firewall."""
    bed.run("tenant", "ip", "route", "del", PODS)
    bed.run("tenant", "ip", "route", "add", PODS, "via", THEM, "table", "100")
    bed.run("tenant", "ip", "rule", "add", "from", US, "to", PODS, "table", "100")
    yield
    bed.run("tenant", "ip", "rule", "del", "table", "100")
    bed.run("tenant", "ip", "route", "flush", "table", "100")
    bed.run("tenant", "ip", "route", "add", PODS, "via", THEM)


# To the one pod of the host node, by what CNI has given out.
RELAY = """
import os, socket, threading
def pump(a, b):
    try:
        while data := a.recv(65536):
            b.sendall(data)
    except OSError:
        pass
    for end in (a, b):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
def relay(peer):
    for name in os.listdir("/run/cni-addresses/bed"):
        if name.startswith("10.91."):
            try:
                guest = socket.create_connection((name, 7433), 2)
            except OSError:
                break
            guest.settimeout(None)
            threading.Thread(target=pump, args=(peer, guest), daemon=True).start()
            return pump(guest, peer)
    peer.close()
server = socket.create_server(("%s", 7000))
while True:
    threading.Thread(target=relay, args=(server.accept()[0],), daemon=True).start()
""" % THEM


@contextlib.contextmanager
def python(bed, role, program):
    """A program of the node; ends with the block."""
    child = subprocess.Popen(bed.argv(role, ["/usr/bin/python3", "-u", "-c", program]), stdout=subprocess.PIPE, text=True)
    try:
        yield child
    finally:
        kill9(find_processes(bed, role, r"python3 -u -c"))
        child.wait(10)


def test_direct_without_a_route_names_the_other_ways(bed, tenant, one_way):
    bed.use_guest("pair")
    configure(bed, lambda text: "create_timeout = 4\n" + text)
    with pytest.raises(grpc.RpcError) as failure:
        tenant.run_pod("direct")
    assert "relay" in failure.value.details() and "dial-out" in failure.value.details()
    assert "unreachable" in failure.value.details()


def test_a_relay_leads_where_no_route_does(bed, tenant, one_way):
    bed.use_guest("pair", extra=transport("relay", THEM, 7000))
    with python(bed, "host", RELAY):
        echoes(tenant, tenant.run_pod("relayed"))
        tenant.remove_everything()


@pytest.mark.parametrize("port", [0, PORT])
def test_a_guest_that_dials_needs_no_route_to_it(bed, nodes, one_way, port):
    host, tenant = nodes["host"], nodes["tenant"]
    bed.use_guest("pair", extra=transport("dial-out", US, port))
    first, second = tenant.run_pod("one"), tenant.run_pod("two")     # each has a port of its own
    for pod in (first, second):
        echoes(tenant, pod)
    places = {pod.annotations["cleave.dev/dial-out"] for pod in host.pods()}
    assert len(places) == 2
    if port:
        assert places == {f"{US}:{PORT}", f"{US}:{PORT + 1}"}


def listeners(pid):
    """Ports on which something listens in the process's network namespace."""
    found = []
    for name in ("tcp", "tcp6"):
        with open(f"/proc/{pid}/net/{name}", encoding="ascii") as table:
            found += [int(line.split()[1].split(":")[1], 16) for line in table if line.split()[3] == "0A"]
    return found


def all_kept_alive(pid):
    """Each connection of the process's network namespace waits for nothing but its keepalive."""
    with open(f"/proc/{pid}/net/tcp", encoding="ascii") as table:
        timers = [line.split()[5] for line in table if line.split()[3] == "01"]
    return len(timers) == 4 and all(timer.startswith("02:") for timer in timers)


def dialled(bed):
    return [port for port in listeners(bed.pid("tenant")) if PORT <= port < PORT + 64]


def test_a_guest_that_dials_has_no_door(bed, tenant):
    bed.use_guest("stub")
    tenant.run_pod("listens")
    agent, = find_processes(bed, "tenant", GUEST)
    assert listeners(agent) == [7433]
    tenant.remove_everything()
    bed.use_guest("stub", extra=transport("dial-out", US, PORT))
    tenant.run_pod("dials")
    agent, = find_processes(bed, "tenant", GUEST)
    assert listeners(agent) == []
    eventually(lambda: all_kept_alive(agent), what="control, bulk, frames and one offer at rest")
    assert dialled(bed) == [PORT]
    tenant.remove_everything()
    assert dialled(bed) == []       # the door of the tenant closes with the pod


def test_by_dial_out_containerd_restarts_and_nothing_is_lost(bed, tenant):
    bed.use_guest("pair", extra=transport("dial-out", US))
    pod = tenant.run_pod("restart")
    ctr = tenant.run(pod, "one", BUSYBOX, UNTIL_THE_END)
    bed.stop("tenant", "containerd", signal.SIGKILL)
    bed.start("tenant", "containerd")
    tenant.reconnect()
    assert tenant.exec(ctr, "echo", "again")[1] == b"again\n"
    assert ends_whole(tenant, ctr) > 0


def test_by_dial_out_a_killed_shim_leaves_nothing(bed, tenant):
    bed.use_guest("pair", extra=transport("dial-out", US, PORT))
    pod = tenant.run_pod("killed")
    ctr = tenant.run(pod, "one", BUSYBOX, SLEEP)
    kill9(find_processes(bed, "tenant", TENANT_SHIM))
    assert tenant.wait_exit(ctr).state == 2
    eventually(lambda: tenant.pod_status(pod).status.state == 1, what="NOTREADY")
    eventually(lambda: not find_processes(bed, "host", GUEST), what="the end of the guest")
    assert dialled(bed) == []


def test_by_dial_out_a_killed_guest_is_unknown_first_and_then_dead(bed, tenant):
    bed.use_guest("pair", extra=transport("dial-out", US))
    configure(bed, lambda text: "lease_ttl = 4\nlease_power_off = 4\nlost_timeout = 9\n" + text)
    pod = tenant.run_pod("lost")
    ctr = tenant.run(pod, "one", BUSYBOX, SLEEP)
    kill9(find_processes(bed, "host", GUEST))
    time.sleep(1)
    assert tenant.container_status(ctr).state == 1      # nobody knows: still running
    assert tenant.wait_exit(ctr).exit_code == 255
    eventually(lambda: tenant.pod_status(pod).status.state == 1, what="NOTREADY")


def test_a_provisioner_that_does_not_pass_it_on_is_found_out(bed, tenant, tmp_path):
    bed.use_guest("stub", extra=transport("dial-out", US))
    script = tmp_path / "provision-deaf"
    script.write_text("#!/bin/sh\nsed 's/,\"dial_out\":{[^}]*}//' | " + bed.state["build"] + '/test/provision-stub "$@"\n')
    script.chmod(0o755)
    configure(bed, lambda text: re.sub("provisioner = .*", f'provisioner = "{script}"', text))
    config = tenant.cri.pod_config("deaf")
    with pytest.raises(grpc.RpcError) as failure:
        tenant.run_pod(config=config)
    assert "dial-out needs a provisioner that tells a new guest where to dial" in failure.value.details()
    tenant.forget(config)


# Silent, talkative, and one that speaks TLS with a key of its own; from the host node, all the time.
STRANGERS = """
import itertools, socket, ssl, subprocess, sys, threading, time
subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", "/run/stranger.pem", "-out", "/run/stranger.crt", "-subj", "/CN=x"], check=True, capture_output=True)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/run/stranger.crt", "/run/stranger.pem")
seen = set()
def silent(sock):
    sock.recv(1)
    time.sleep(5)
def talks(sock):
    sock.sendall(b"SSH-2.0-stranger\\r\\n")
    sock.recv(1)
def shakes(sock):
    with context.wrap_socket(sock, server_side=True) as tls:
        seen.add("tls")
        tls.recv(64)
        tls.sendall(bytes(64))
        tls.recv(64)
def ever(act):
    while True:
        try:
            with socket.create_connection(("%s", %d), 1) as sock:
                sock.settimeout(20)
                act(sock)
                if len(seen) == 1:
                    seen.add(print("shaken", flush=True))
        except OSError:
            time.sleep(0.05)
for act in (silent, silent, silent, talks, talks, shakes):
    threading.Thread(target=ever, args=(act,), daemon=True).start()
print("begun", flush=True)
time.sleep(1000)
""" % (US, PORT)


def test_strangers_at_the_tenants_port_do_not_keep_the_guest_out(bed, tenant):
    bed.use_guest("pair", extra=transport("dial-out", US, PORT))
    with python(bed, "host", STRANGERS) as strangers:
        assert strangers.stdout.readline() == "begun\n"
        began = time.monotonic()
        pod = tenant.run_pod("besieged")
        ctr = echoes(tenant, pod)
        assert time.monotonic() - began < 30
        time.sleep(3)
        assert tenant.exec(ctr, "echo", "still") == (0, b"still\n", b"")
    bed.run("host", "rm", "/run/stranger.pem", "/run/stranger.crt")


def test_a_machine_dials_out(bed, tenant, vm, one_way):
    bed.use_guest("vm", extra=transport("dial-out", US, PORT))
    pod = tenant.run_pod("machine")
    ctr = echoes(tenant, pod)
    assert b"Linux" in tenant.exec(ctr, "uname", "-s")[1]
    assert os.path.exists(bed.path("host", "/run/cleave/h"))
