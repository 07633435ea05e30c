# SPDX-License-Identifier: Apache-2.0
"""The two ways in which containerd drives the tenant shim: a pause container, or the Sandbox API."""
import os
import re
import time

import grpc
import pytest

import ttrpc
from conftest import BUSYBOX, UNTIL_THE_END, configure, ends_whole, eventually, find_processes, kill9
from test_tenant import GUEST, text

SHIM = r"containerd-shim-cleave-tenant-v2"
PAUSE, SANDBOX = "cleave-tenant", "cleave-tenant-sandbox"
MODES = {"pause": PAUSE, "sandbox": SANDBOX}


@pytest.fixture(params=list(MODES))
def runtime(request):
    return MODES[request.param]


@pytest.fixture(params=["stub", "pair"])
def quick_guest(request):
    request.getfixturevalue(request.param)
    return request.param


@pytest.fixture(params=["stub", "pair", "vm"])
def guest(request):
    request.getfixturevalue(request.param)
    return request.param


def test_a_pod_lives_and_goes(nodes, guest, runtime):
    tenant, host = nodes["tenant"], nodes["host"]
    pod = tenant.run_pod("web", runtime)
    status = tenant.pod_status(pod, verbose=True).status
    assert status.state == 0 and status.created_at > 0
    assert len(host.pods()) == (0 if guest == "stub" else 1)
    ctr = tenant.run(pod, "one", BUSYBOX, ["sh", "-c", "echo out; echo err >&2; hostname; exec sleep 1000"])
    assert tenant.exec(ctr, "sh", "-c", "echo here; echo there >&2; exit 7") == (7, b"here\n", b"there\n")
    eventually(lambda: "web" in text(tenant.log(ctr), "stdout"), what="the log")
    assert (text(tenant.log(ctr), "stdout"), text(tenant.log(ctr), "stderr")) == ("out\nweb\n", "err\n")
    assert tenant.stats(ctr).memory.working_set_bytes.value > 0
    two = tenant.run(pod, "two", BUSYBOX, ["sh", "-c", "exit 9"])
    assert tenant.wait_exit(two).exit_code == 9
    tenant.stop_container(ctr)
    tenant.remove_container(ctr)
    tenant.stop_pod(pod)
    assert tenant.pod_status(pod).status.state == 1
    assert host.pods() == []
    tenant.stop_pod(pod)            # as kubelet does
    tenant.remove_pod(pod)
    assert tenant.pods() == []


def test_the_pods_files_and_shm_are_in_every_container(stub, tenant, runtime):
    config = tenant.cri.pod_config(
        "files", dns_config={"servers": ["192.0.2.53", "192.0.2.54"], "searches": ["x.test", "y.test"], "options": ["ndots:5"]},
        linux={"sysctls": {"net.ipv4.ip_unprivileged_port_start": "81"}})
    pod = tenant.run_pod(config=config, runtime=runtime)
    ctr = tenant.run(pod, "one", BUSYBOX, ["sleep", "1000"])
    assert tenant.exec(ctr, "cat", "/etc/resolv.conf")[1] == (
        b"search x.test y.test\nnameserver 192.0.2.53\nnameserver 192.0.2.54\noptions ndots:5\n")
    assert tenant.exec(ctr, "cat", "/etc/hostname")[1] == b"files\n"
    assert b"localhost" in tenant.exec(ctr, "cat", "/etc/hosts")[1]
    assert tenant.exec(ctr, "cat", "/proc/sys/net/ipv4/ip_unprivileged_port_start")[1] == b"81\n"
    assert tenant.exec(ctr, "sh", "-c", "echo x > /dev/shm/y; echo z >> /etc/hosts") == (0, b"", b"")
    two = tenant.run(pod, "two", BUSYBOX, ["sleep", "1000"])
    assert tenant.exec(two, "cat", "/dev/shm/y")[1] == b"x\n"
    guarded = tenant.run(pod, "guarded", BUSYBOX, ["sleep", "1000"], linux={"security_context": {"readonly_rootfs": True}})
    assert tenant.exec(guarded, "sh", "-c", "echo x > /etc/hosts")[0] != 0
    assert tenant.exec(guarded, "sh", "-c", "echo x > /dev/shm/g")[0] == 0


def test_a_hosts_file_of_kubelet_wins(stub, tenant, bed, runtime):
    path = "/run/kubelets-hosts"
    with open(bed.path("tenant", path), "w", encoding="utf-8") as file:
        file.write("192.0.2.1 alias\n")
    pod = tenant.run_pod("hosts", runtime)
    ctr = tenant.run(pod, "one", BUSYBOX, ["sleep", "1000"], mounts=[{"container_path": "/etc/hosts", "host_path": path}])
    assert tenant.exec(ctr, "cat", "/etc/hosts")[1] == b"192.0.2.1 alias\n"
    assert tenant.exec(ctr, "grep", "-c", " /etc/hosts ", "/proc/mounts")[1] == b"1\n"
    os.unlink(bed.path("tenant", path))


def test_containers_share_what_the_pod_shares(stub, tenant, runtime):
    pod = tenant.run_pod("share", runtime)
    share = {"security_context": {"namespace_options": {"pid": 0}}}
    tenant.run(pod, "one", BUSYBOX, ["sleep", "4711"], linux=share)
    two = tenant.run(pod, "two", BUSYBOX, ["sleep", "1000"], linux=share)
    assert b"4711" in tenant.exec(two, "sh", "-c", "cat /proc/*/cmdline")[1]
    target = tenant.run(pod, "target", BUSYBOX, ["sleep", "4712"])
    debug = tenant.run(pod, "debug", BUSYBOX, ["sleep", "1000"], linux={"security_context": {
        "namespace_options": {"pid": 3, "target_id": target}}})
    assert b"4712" in tenant.exec(debug, "sh", "-c", "cat /proc/*/cmdline")[1]


def test_the_size_of_the_pod_is_the_machines(pair, nodes, runtime):
    tenant, host = nodes["tenant"], nodes["host"]
    config = tenant.cri.pod_config("large", linux={"resources": {
        "cpu_period": 100000, "cpu_quota": 150000, "memory_limit_in_bytes": 256 << 20}})
    tenant.run_pod(config=config, runtime=runtime)
    half, = host.pods()
    info = host.pod_status(half.id, verbose=True).info["info"]
    assert '"vcpus":2' in info.replace(" ", "") and f'"memoryBytes":{768 << 20}' in info.replace(" ", "")


def test_what_cannot_be_is_refused_by_name(stub, tenant, runtime):
    """hostNetwork is asked on the wire, below: containerd 2.1 itself crashes on it in Sandbox API mode."""
    config = tenant.cri.pod_config("wrong", annotations={"cleave.dev/manifest": "x"})
    with pytest.raises(grpc.RpcError) as failure:
        tenant.run_pod(config=config, runtime=runtime)
    assert "cleave.dev/manifest: package: " in failure.value.details()


def test_containerd_restarts_and_nothing_is_lost(stub, tenant, bed, runtime):
    pod = tenant.run_pod("again", runtime)
    ctr = tenant.run(pod, "one", BUSYBOX, UNTIL_THE_END)
    gone = tenant.run(pod, "gone", BUSYBOX, ["sleep", "1000"])
    shims = find_processes(bed, "tenant", SHIM)
    bed.stop("tenant", "containerd")
    time.sleep(1)
    bed.start("tenant", "containerd")
    tenant.reconnect()
    assert tenant.pod_status(pod).status.state == 0
    assert tenant.exec(ctr, "echo", "again")[1] == b"again\n"
    tenant.stop_container(gone, grace=0)
    tenant.remove_container(gone)       # now `delete` runs for containers too: it must not touch the pod
    assert find_processes(bed, "tenant", SHIM) == shims
    assert ends_whole(tenant, ctr) > 10
    three = tenant.run(pod, "three", BUSYBOX, ["sleep", "1000"])
    assert tenant.exec(three, "true")[0] == 0
    tenant.stop_pod(pod)
    assert tenant.pod_status(pod).status.state == 1


def test_a_killed_shim_leaves_nothing(nodes, bed, quick_guest, runtime):
    tenant, host = nodes["tenant"], nodes["host"]
    pod = tenant.run_pod("killed", runtime)
    ctr = tenant.run(pod, "one", BUSYBOX, ["sleep", "1000"])
    kill9(find_processes(bed, "tenant", SHIM))
    eventually(lambda: tenant.not_ready(pod), what="NOTREADY")
    assert tenant.wait_exit(ctr).state == 2
    eventually(lambda: not find_processes(bed, "tenant", GUEST), what="the end of the guest")
    eventually(lambda: not host.pods(), what="the end of the host half")


def test_a_pod_that_is_given_up_while_it_starts_leaves_nothing(provisioner, tenant, bed, runtime):
    provisioner("[ $1 = create ] && sleep 30")
    config = tenant.cri.pod_config("slow")
    call = tenant.run_pod_start(config, runtime)
    eventually(lambda: find_processes(bed, "tenant", "provision-wrapped create"), what="the provisioner")
    call.cancel()
    eventually(lambda: not find_processes(bed, "tenant", SHIM), what="the end of the shim")
    eventually(lambda: not find_processes(bed, "tenant", "provision-wrapped"), what="the end of the provisioner")
    tenant.forget(config)


def test_a_killed_guest_ends_the_pod(stub, tenant, bed, runtime):
    pod = tenant.run_pod("lost", runtime)
    ctr = tenant.run(pod, "one", BUSYBOX, ["sleep", "1000"])
    kill9(find_processes(bed, "tenant", GUEST))
    assert tenant.wait_exit(ctr).exit_code == 255
    eventually(lambda: tenant.pod_status(pod).status.state == 1, what="NOTREADY")
    with pytest.raises(grpc.RpcError):
        tenant.run(pod, "two", BUSYBOX, ["true"])


def test_a_host_half_that_cannot_be_removed_is_finished_later(provisioner, tenant, bed, runtime):
    flag = provisioner("[ $1 = delete ] && [ -e $flag ] && exit 1")
    pod = tenant.run_pod("stuck", runtime)
    flag.touch()
    began = time.monotonic()
    tenant.stop_pod(pod)
    tenant.remove_pod(pod)
    assert time.monotonic() - began < 15
    assert find_processes(bed, "tenant", "cleave-reaper|reap /var/lib/cleave/t")
    flag.unlink()
    eventually(lambda: not find_processes(bed, "tenant", GUEST), 20, "the end of the guest")


# ---- the Sandbox API on the wire ---------------------------------------------------------------

API = "containerd.runtime.sandbox.v1.Sandbox"


def bundle_of(bed, sandbox):
    path = f"/run/containerd/io.containerd.sandbox.controller.v1.shim/demo/{sandbox}"
    os.makedirs(bed.path("tenant", path), exist_ok=True)
    return path


@pytest.fixture
def bare(provisioner, bed):
    """A shim that no containerd knows: bare(SHELL) starts it and gives a client; SHELL is the provisioner's."""
    shim = f"{bed.state['build']}/bin/{SHIM} -namespace demo -address /run/containerd/containerd.sock -id demo"
    bundle = bundle_of(bed, "demo")
    clients = []

    def start(shell="true"):
        if not clients:
            provisioner(shell)
            configure(bed, lambda text: 'network = "none"\n' + text)
            out = bed.run("tenant", "sh", "-c", f"cd {bundle} && exec {shim} start </dev/null").stdout
            assert '"version":3' in out
            start.path = bed.path("tenant", re.search(r"unix://([^\"]+)", out)[1])
        clients.append(ttrpc.Client(start.path))
        return clients[-1]
    yield start
    for client in clients:
        client.close()
    bed.run("tenant", "sh", "-c", f"cd {bundle} && {shim} -bundle {bundle} delete >/dev/null; rm -rf {bundle}")


NAME = ttrpc.field(1, ttrpc.field(1, "demo") + ttrpc.field(2, "uid") + ttrpc.field(3, "test"))


def create(client, sandbox="demo", config=NAME, kind="runtime.v1.PodSandboxConfig"):
    message = ttrpc.field(1, sandbox) + ttrpc.field(4, ttrpc.field(1, kind) + ttrpc.field(2, config))
    return client.call(API, "CreateSandbox", message)


def ask(client, method, sandbox="demo"):
    return client.call(API, method, ttrpc.field(1, sandbox))


def state_of(client):
    code, _, payload = ask(client, "SandboxStatus")
    assert code == 0
    return ttrpc.fields(payload)[3]


def test_each_call_is_answered_in_each_state(bare):
    shim, waiter, other = bare(), bare(), bare()
    assert state_of(shim) == b"SANDBOX_NOTREADY"
    assert ask(shim, "StartSandbox")[0] == 5 and ask(shim, "WaitSandbox")[0] == 5
    assert create(shim, "another")[0] == 5
    assert create(shim, kind="google.protobuf.Empty")[0] == 3
    assert create(shim, config=b"\x3a\x7f\x0a")[0] == 3
    assert create(shim, config=ttrpc.field(4, ttrpc.field(1, "192.0.2.1\nnameserver 192.0.2.2")))[0] == 3
    twice = ttrpc.field(7, ttrpc.field(1, "cleave.dev/endpoint") + ttrpc.field(2, "x")) * 2
    assert create(shim, config=twice)[0] == 3
    on_host = ttrpc.field(8, ttrpc.field(2, ttrpc.field(1, ttrpc.field(1, 2))))
    assert "hostNetwork is refused" in create(shim, config=NAME + on_host)[1]
    userns = ttrpc.field(8, ttrpc.field(2, ttrpc.field(1, ttrpc.field(5, b""))))
    assert "user namespaces" in create(shim, config=NAME + userns)[1]
    assert create(shim, config=NAME + ttrpc.field(2, "demo"))[0] == 0
    assert create(shim)[0] == 6
    assert state_of(shim) == b"SANDBOX_NOTREADY"
    for client in (waiter, other):
        client.send(API, "WaitSandbox", ttrpc.field(1, "demo"))
    code, message, payload = ask(shim, "StartSandbox")
    assert code == 0, message
    started = ttrpc.fields(payload)
    assert started[1] > 0 and ttrpc.fields(started[2])[1] > 0
    assert ask(shim, "StartSandbox")[0] == 9
    assert state_of(shim) == b"SANDBOX_READY"
    assert ttrpc.fields(ttrpc.fields(ask(shim, "Platform")[2])[1])[1] == b"linux"
    assert ask(shim, "PingSandbox")[0] == 0
    metric = ttrpc.fields(ttrpc.fields(ask(shim, "SandboxMetrics")[2])[1])
    assert metric[2] == b"demo" and b"cgroups" in metric[3]
    task = "containerd.task.v3.Task"
    assert ttrpc.fields(shim.call(task, "Connect", ttrpc.field(1, "demo"))[2])[2] == started[1]
    assert shim.call(task, "Pids", ttrpc.field(1, "demo"))[2]
    assert ttrpc.fields(shim.call(task, "State", ttrpc.field(1, "demo"))[2])[4] == 2
    for method in ("Start", "Delete", "Kill"):
        code, message, _ = shim.call(task, method, ttrpc.field(1, "demo"))
        assert code == 9 and "is a sandbox, not a container" in message
    assert shim.call(task, "Shutdown", ttrpc.field(1, "demo"))[0] == 0
    assert ask(shim, "StopSandbox")[0] == 0 and ask(shim, "StopSandbox")[0] == 0
    for client in (waiter, other):
        assert ttrpc.fields(client.receive()[2])[1] == 137
    assert ttrpc.fields(ask(shim, "WaitSandbox")[2])[1] == 137
    assert state_of(shim) == b"SANDBOX_NOTREADY"
    assert ask(shim, "ShutdownSandbox")[0] == 0
    with pytest.raises((EOFError, ConnectionError)):
        for _ in range(100):
            ask(shim, "PingSandbox")
            time.sleep(0.05)


def test_stop_cancels_a_start_under_way(bare, bed):
    shim, starter, waiter = bare("[ $1 = create ] && sleep 4711"), bare(), bare()
    assert create(shim)[0] == 0
    waiter.send(API, "WaitSandbox", ttrpc.field(1, "demo"))
    starter.send(API, "StartSandbox", ttrpc.field(1, "demo"))
    eventually(lambda: find_processes(bed, "tenant", "provision-wrapped create"), what="the provisioner")
    began = time.monotonic()
    assert ask(shim, "StopSandbox")[0] == 0
    assert time.monotonic() - began < 15
    assert starter.receive()[0] == 1
    assert ttrpc.fields(waiter.receive()[2])[1] == 137
    eventually(lambda: not find_processes(bed, "tenant", "provision-wrapped"), what="the end of the provisioner")
    assert ask(shim, "ShutdownSandbox")[0] == 0


def test_a_start_whose_caller_is_gone_is_cancelled(bare, bed):
    shim, starter = bare("[ $1 = create ] && sleep 4711"), bare()
    assert create(shim)[0] == 0
    starter.send(API, "StartSandbox", ttrpc.field(1, "demo"))
    eventually(lambda: find_processes(bed, "tenant", "provision-wrapped create"), what="the provisioner")
    starter.close()
    eventually(lambda: not find_processes(bed, "tenant", "provision-wrapped create"), what="the end of the provisioner")
    assert ttrpc.fields(ask(shim, "WaitSandbox")[2])[1] == 137
    assert ask(shim, "ShutdownSandbox")[0] == 0


# ---- containerd 1.7 ----------------------------------------------------------------------------

@pytest.fixture
def old_containerd(bed):
    bed.use_containerd("1.7")
    yield
    bed.use_containerd("2")


def test_containerd_1_7_drives_a_pod_through_its_life(old_containerd, bed, nodes, quick_guest):
    tenant, host = nodes["tenant"], nodes["host"]
    assert tenant.version().runtime_version.startswith("1.7")
    config = tenant.cri.pod_config("old", dns_config={"servers": ["192.0.2.53"]})
    pod = tenant.run_pod(config=config)
    assert len(host.pods()) == (0 if quick_guest == "stub" else 1)
    ctr = tenant.run(pod, "one", BUSYBOX, ["sh", "-c", "echo out; hostname; trap 'exit 5' TERM; while :; do sleep 0.1; done"])
    assert tenant.exec(ctr, "sh", "-c", "echo here; echo there >&2; exit 7") == (7, b"here\n", b"there\n")
    assert tenant.exec(ctr, "cat", "/etc/resolv.conf")[1] == b"nameserver 192.0.2.53\n"
    eventually(lambda: text(tenant.log(ctr), "stdout") == "out\nold\n", what="the log")
    assert tenant.stats(ctr).memory.working_set_bytes.value > 0
    shims = find_processes(bed, "tenant", SHIM)
    bed.stop("tenant", "containerd")
    bed.start("tenant", "containerd")
    tenant.reconnect()
    assert tenant.exec(ctr, "echo", "again")[1] == b"again\n"
    assert find_processes(bed, "tenant", SHIM) == shims
    tenant.stop_container(ctr)
    assert tenant.wait_exit(ctr).exit_code == 5
    tenant.remove_container(ctr)
    two = tenant.run(pod, "two", BUSYBOX, ["sleep", "1000"])
    tenant.stop_pod(pod)
    assert tenant.wait_exit(two).exit_code == 137
    assert tenant.pod_status(pod).status.state == 1
    tenant.remove_pod(pod)
    assert tenant.pods() == [] and host.pods() == []


def test_containerd_1_7_clears_away_behind_a_killed_shim(old_containerd, stub, tenant, bed):
    pod = tenant.run_pod("killed")
    tenant.run(pod, "one", BUSYBOX, ["sleep", "1000"])
    kill9(find_processes(bed, "tenant", SHIM))
    eventually(lambda: not find_processes(bed, "tenant", GUEST), what="the end of the guest")
