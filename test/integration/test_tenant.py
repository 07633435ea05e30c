# SPDX-License-Identifier: Apache-2.0
"""The tenant shim under a real containerd, its guest a stub."""
import hashlib
import os
import re
import socket
import subprocess
import threading
import time

import grpc
import pytest

from conftest import BUSYBOX, LAYERS, eventually, find_processes, kill9

PAUSE_SHIM = r"containerd-shim-cleave-tenant-v2"
GUEST = r"cleave-agent --stub"
CTR = "ctr -n k8s.io"


@pytest.fixture
def pod(stub, tenant):
    return tenant.run_pod("web")


def text(streams, name):
    return "".join(line + "\n" for stream, line in streams if stream == name)


def test_a_container_runs_in_the_guest(tenant, pod):
    ctr = tenant.run(pod, "one", BUSYBOX, ["sh", "-c", "echo out; echo err >&2; hostname; exec sleep 1000"])
    assert tenant.container_status(ctr).state == 1
    code, out, err = tenant.exec(ctr, "sh", "-c", "echo here; echo there >&2; exit 7")
    assert (code, out, err) == (7, b"here\n", b"there\n")
    eventually(lambda: "web" in text(tenant.log(ctr), "stdout"), what="the log")
    assert text(tenant.log(ctr), "stdout") == "out\nweb\n"
    assert text(tenant.log(ctr), "stderr") == "err\n"


def test_layers_whiteouts_and_blobs_are_sent_once(tenant, pod):
    tenant.pull(LAYERS)
    first = tenant.run(pod, "one", LAYERS, ["sleep", "1000"])
    began = time.monotonic()
    second = tenant.run(pod, "two", LAYERS, ["sleep", "1000"])
    assert time.monotonic() - began < 5
    assert tenant.exec(first, "true")[0] == tenant.exec(second, "true")[0] == 0
    assert tenant.exec(first, "touch", "/only-here")[0] == 0
    assert tenant.exec(second, "test", "-e", "/only-here")[0] == 1


def test_exit_codes_are_the_guests(tenant, pod):
    for code in (0, 3, 255):
        ctr = tenant.run(pod, f"exit{code}", BUSYBOX, ["sh", "-c", f"exit {code}"])
        assert tenant.wait_exit(ctr).exit_code == code
    ctr = tenant.run(pod, "one", BUSYBOX, ["sleep", "1000"])
    for name, code in (("TERM", 143), ("KILL", 137)):
        assert tenant.exec(ctr, "sh", "-c", f"kill -{name} $$")[0] == code


def test_stop_uses_the_signal_and_then_force(tenant, pod):
    polite = tenant.run(pod, "polite", BUSYBOX, ["sh", "-c", "trap 'exit 5' TERM; while :; do sleep 0.1; done"])
    stubborn = tenant.run(pod, "stubborn", BUSYBOX, ["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"])
    tenant.exec(polite, "true")
    tenant.stop_container(polite)
    assert tenant.wait_exit(polite).exit_code == 5
    tenant.stop_container(stubborn, grace=1)
    assert tenant.wait_exit(stubborn).exit_code == 137


def test_what_cannot_run_says_why_and_leaves_nothing(tenant, pod):
    ctr = tenant.create(pod, "one", BUSYBOX, ["/no/such/program"])
    with pytest.raises(grpc.RpcError) as failure:
        tenant.start_container(ctr)
    assert "no such file" in failure.value.details().lower()
    good = tenant.run(pod, "two", BUSYBOX, ["sleep", "1000"])
    with pytest.raises(grpc.RpcError) as failure:
        tenant.exec(good, "/no/such/program")
    assert "no such file" in failure.value.details().lower()
    assert tenant.exec(good, "true")[0] == 0


def test_a_directory_of_the_node_is_refused_by_name(tenant, pod):
    ctr = tenant.create(pod, "one", BUSYBOX, ["true"], mounts=[{"container_path": "/data", "host_path": "/tmp"}])
    with pytest.raises(grpc.RpcError) as failure:
        tenant.start_container(ctr)
    assert "/data" in failure.value.details() and "not available yet" in failure.value.details()


def test_host_network_is_refused_by_name(stub, tenant):
    config = tenant.cri.pod_config("hostnet", linux={"security_context": {"namespace_options": {"network": 2}}})
    with pytest.raises(grpc.RpcError) as failure:
        tenant.run_pod(config=config)
    assert "hostNetwork is refused" in failure.value.details()
    tenant.forget(config)


def test_a_container_without_a_pod_is_refused(stub, tenant, bed):
    runtime = bed.state["build"] + "/bin/containerd-shim-cleave-tenant-v2"
    done = bed.run("tenant", "sh", "-c", f"{CTR} run --runtime {runtime} {BUSYBOX} alone true; {CTR} c rm alone",
                   check=False)
    assert "a container without a pod" in done.stderr + done.stdout


def test_the_pods_files_are_those_of_its_config(stub, tenant):
    config = tenant.cri.pod_config("files", dns_config={"servers": ["192.0.2.53"], "searches": ["x.test"]})
    pod = tenant.run_pod(config=config)
    ctr = tenant.run(pod, "one", BUSYBOX, ["sleep", "1000"])
    assert b"nameserver 192.0.2.53" in tenant.exec(ctr, "cat", "/etc/resolv.conf")[1]
    assert tenant.exec(ctr, "cat", "/etc/hostname")[1] == b"files\n"
    assert b"localhost" in tenant.exec(ctr, "cat", "/etc/hosts")[1]
    assert tenant.exec(ctr, "sh", "-c", "echo x > /dev/shm/y && cat /dev/shm/y")[1] == b"x\n"


def test_the_termination_message_comes_back(tenant, pod, bed):
    path = "/run/cleave-termination-log"
    with open(bed.path("tenant", path), "w", encoding="utf-8"):
        pass
    ctr = tenant.run(pod, "one", BUSYBOX, ["sh", "-c", "echo last words > /dev/termination-log; exit 1"],
                     mounts=[{"container_path": "/dev/termination-log", "host_path": path}])
    assert tenant.wait_exit(ctr).exit_code == 1
    with open(bed.path("tenant", path), encoding="utf-8") as message:
        assert message.read() == "last words\n"
    os.unlink(bed.path("tenant", path))


def test_stats_are_those_of_the_container(tenant, pod):
    ctr = tenant.run(pod, "one", BUSYBOX, ["sh", "-c", "x=$(dd if=/dev/zero bs=1M count=1 2>/dev/null | tr '\\0' x); sleep 1000"])
    stats = eventually(lambda: (s := tenant.stats(ctr)).cpu.usage_core_nano_seconds.value > 0 and s, what="CPU time")
    assert 0 < stats.memory.working_set_bytes.value < 64 << 20
    assert stats.cpu.timestamp > 0 and stats.memory.timestamp > 0


def test_out_of_memory_is_named(stub, tenant):
    pod = tenant.run_pod("oom")
    ctr = tenant.run(pod, "one", BUSYBOX, ["dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1"],
                     linux={"resources": {"memory_limit_in_bytes": 32 << 20}})
    status = tenant.wait_exit(ctr)
    assert (status.exit_code, status.reason) == (137, "OOMKilled")


def test_a_debug_container_sees_its_targets_processes(tenant, pod):
    target = tenant.run(pod, "target", BUSYBOX, ["sleep", "4711"])
    debug = tenant.run(pod, "debug", BUSYBOX, ["sleep", "1000"], linux={"security_context": {
        "namespace_options": {"pid": 3, "target_id": target}}})
    assert b"4711" in tenant.exec(debug, "sh", "-c", "cat /proc/*/cmdline")[1]


def test_pods_can_share_processes(tenant, pod):
    share = {"security_context": {"namespace_options": {"pid": 0}}}
    tenant.run(pod, "one", BUSYBOX, ["sleep", "4711"], linux=share)
    two = tenant.run(pod, "two", BUSYBOX, ["sleep", "1000"], linux=share)
    assert b"4711" in tenant.exec(two, "sh", "-c", "cat /proc/*/cmdline")[1]


def test_containerd_restarts_and_nothing_is_lost(tenant, pod, bed):
    ctr = tenant.run(pod, "one", BUSYBOX, ["sh", "-c", "i=0; while [ $i -lt 60 ]; do echo $i; i=$((i+1)); sleep 0.1; done; exit 9"])
    time.sleep(1)
    bed.stop("tenant", "containerd")
    time.sleep(1)
    bed.start("tenant", "containerd")
    tenant.reconnect()
    assert tenant.pod_status(pod).status.state == 0
    assert tenant.exec(ctr, "echo", "again")[1] == b"again\n"
    assert tenant.wait_exit(ctr).exit_code == 9
    assert text(tenant.log(ctr), "stdout").split() == [str(i) for i in range(60)]


def test_a_killed_shim_leaves_nothing(tenant, pod, bed):
    ctr = tenant.run(pod, "one", BUSYBOX, ["sleep", "1000"])
    kill9(find_processes(bed, "tenant", PAUSE_SHIM))
    assert tenant.wait_exit(ctr).state == 2
    eventually(lambda: tenant.pod_status(pod).status.state == 1, what="NOTREADY")
    eventually(lambda: not find_processes(bed, "tenant", GUEST), what="the end of the guest")


def test_a_killed_guest_is_unknown_first_and_then_dead(tenant, bed):
    bed.use_guest("stub", extra="")
    conf = bed.path("tenant", "/etc/cleave/tenant.conf")
    with open(conf, encoding="utf-8") as file:
        changed = "lost_timeout = 4\n" + file.read()
    with open(conf, "w", encoding="utf-8") as file:
        file.write(changed)
    pod = tenant.run_pod("lost")
    ctr = tenant.run(pod, "one", BUSYBOX, ["sleep", "1000"])
    kill9(find_processes(bed, "tenant", GUEST))
    time.sleep(1)
    assert tenant.container_status(ctr).state == 1      # nobody knows: still running
    status = tenant.wait_exit(ctr)
    assert status.exit_code == 255
    eventually(lambda: tenant.pod_status(pod).status.state == 1, what="NOTREADY")


def test_a_creation_that_is_given_up_leaves_nothing(stub, tenant, bed, tmp_path):
    script = str(tmp_path / "provision-slow")
    program = bed.state["build"] + "/test/provision-stub"
    with open(script, "w", encoding="utf-8") as file:
        file.write(f'#!/bin/sh\n[ $1 = create ] && sleep 30\nexec {program} "$@"\n')
    os.chmod(script, 0o755)
    conf = bed.path("tenant", "/etc/cleave/tenant.conf")
    with open(conf, encoding="utf-8") as file:
        changed = re.sub('provisioner = .*', f'provisioner = "{script}"', file.read())
    with open(conf, "w", encoding="utf-8") as file:
        file.write(changed)
    config = tenant.cri.pod_config("slow")
    call = tenant.run_pod_start(config, "cleave-tenant")
    eventually(lambda: find_processes(bed, "tenant", "provision-slow create"), what="the provisioner")
    call.cancel()
    eventually(lambda: not find_processes(bed, "tenant", PAUSE_SHIM), what="the end of the shim")
    eventually(lambda: not find_processes(bed, "tenant", "provision-slow"), what="the end of the provisioner")
    tenant.forget(config)


def test_without_the_permission_sample_evidence_is_refused(stub, tenant, bed):
    conf = bed.path("tenant", "/etc/cleave/tenant.conf")
    with open(conf, encoding="utf-8") as file:
        changed = re.sub("allow_insecure_evidence = .*", "allow_insecure_evidence = []", file.read())
    with open(conf, "w", encoding="utf-8") as file:
        file.write(changed)
    config = tenant.cri.pod_config("careful")
    with pytest.raises(grpc.RpcError) as failure:
        tenant.run_pod(config=config)
    assert "sample" in failure.value.details()
    tenant.forget(config)


def test_an_unknown_key_of_the_configuration_is_named(stub, tenant, bed):
    conf = bed.path("tenant", "/etc/cleave/tenant.conf")
    with open(conf, encoding="utf-8") as file:
        changed = 'colour = "blue"\n' + file.read()
    with open(conf, "w", encoding="utf-8") as file:
        file.write(changed)
    config = tenant.cri.pod_config("typo")
    with pytest.raises(grpc.RpcError) as failure:
        tenant.run_pod(config=config)
    assert "colour" in failure.value.details()
    tenant.forget(config)


@pytest.fixture
def relay(bed):
    """relay() cuts every connection between shim and guest, and says how many ends that were."""
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cut_relay.py")
    sockets = ["/tmp/cleave-relay", "/tmp/cleave-relay-cut"]
    sockets = [f"{path}-{os.getpid()}" for path in sockets]
    child = subprocess.Popen(bed.argv("tenant", ["/usr/bin/python3", program, *sockets]))
    eventually(lambda: all(map(os.path.exists, sockets)), what="the relay")
    bed.use_guest("stub", extra=f'[transport]\nname = "relay"\naddress = "{sockets[0]}"\n')

    def cut():
        with socket.socket(socket.AF_UNIX) as knife:
            knife.connect(sockets[1])
            return int(knife.recv(16))

    yield cut
    kill9(find_processes(bed, "tenant", "cut_relay.py"))
    child.wait(10)
    for path in sockets:
        os.unlink(path)


def test_cut_twice_no_byte_is_lost_and_kill_is_answered(relay, tenant, bed):
    pod = tenant.run_pod("cut")
    copier = tenant.run(pod, "copier", BUSYBOX, ["sleep", "1000"])
    flood = tenant.run(pod, "flood", BUSYBOX, ["sh", "-c", "while :; do echo 0123456789012345678901234567890123456789; done"])
    data = os.urandom(8 << 20)
    copy = subprocess.Popen(bed.argv("tenant", ["ctr", "-n", "k8s.io", "tasks", "exec", "--exec-id", "copy", copier, "cat"]),
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    back = bytearray()
    reader = threading.Thread(target=lambda: back.extend(copy.stdout.read()))
    reader.start()
    for start in range(0, len(data), 1 << 20):
        copy.stdin.write(data[start:start + (1 << 20)])
        copy.stdin.flush()
        if start in (2 << 20, 5 << 20):
            eventually(relay, what="a connection to cut")
    began = time.monotonic()
    tenant.stop_container(flood, grace=0)
    assert time.monotonic() - began < 10
    assert tenant.wait_exit(flood).exit_code == 137
    copy.stdin.close()
    reader.join(60)
    assert copy.wait(10) == 0
    assert hashlib.sha256(back).digest() == hashlib.sha256(data).digest()
    assert tenant.container_status(copier).state == 1
