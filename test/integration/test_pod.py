# SPDX-License-Identifier: Apache-2.0
"""A pod through the tenant's containerd, with each kind of guest: a stub guest without a host half,
both halves with a stub guest, both halves with a real VM."""
import os
import platform

import grpc
import pytest

import cri as cri_program
from conftest import BUSYBOX, LAYERS, configure, eventually

GUESTS = ["stub", "pair", "vm"]
SLEEP = ["sleep", "1000"]


@pytest.fixture(params=GUESTS)
def guest(request):
    request.getfixturevalue(request.param)
    return request.param


@pytest.fixture(params=["stub", "pair"])
def quick_guest(request):
    request.getfixturevalue(request.param)
    return request.param


def test_a_container_runs_in_the_guest(bed, nodes, guest):
    tenant, host = nodes["tenant"], nodes["host"]
    pod = tenant.run_pod("web")
    assert tenant.pod_status(pod).status.state == cri_program.READY
    assert len(host.pods()) == (0 if guest == "stub" else 1)
    ctr = tenant.run(pod, "one", BUSYBOX, ["sh", "-c", "echo to-out; echo to-err >&2; exec sleep 1000"],
                     env={"COLOUR": "blue"}, working_dir="/tmp")
    assert tenant.container_status(ctr).state == cri_program.RUNNING
    release = tenant.exec(ctr, "uname", "-r")[1].decode().strip()
    assert (release != platform.release()) == (guest == "vm")
    assert tenant.exec(ctr, "sh", "-c", "echo $COLOUR; pwd; hostname") == (0, b"blue\n/tmp\nweb\n", b"")
    assert tenant.exec(ctr, "sh", "-c", "echo o; echo e >&2; exit 7") == (7, b"o\n", b"e\n")
    eventually(lambda: len(tenant.log(ctr)) == 2, what="both log lines")
    assert sorted(tenant.log(ctr)) == [("stderr", "to-err"), ("stdout", "to-out")]
    assert b"Hello" not in tenant.exec(ctr, "cat", "/proc/1/cmdline")[1]
    two = tenant.run(pod, "two", BUSYBOX, ["sh", "-c", "exit 9"])
    status = tenant.wait_exit(two)
    assert (status.state, status.exit_code) == (cri_program.EXITED, 9)
    assert tenant.stats(ctr).memory.working_set_bytes.value > 0
    tenant.stop_pod(pod)
    assert tenant.pod_status(pod).status.state == cri_program.NOTREADY
    tenant.remove_pod(pod)
    assert tenant.pods() == []
    eventually(lambda: host.pods() == [], what="the host half to go")


def test_no_process_of_the_container_is_on_the_tenant_node(bed, tenant, quick_guest):
    pod = tenant.run_pod("web")
    ctr = tenant.run(pod, "one", BUSYBOX, ["sleep", "31415"])
    inside = eventually(lambda: b"sleep 31415" in (out := tenant.exec(ctr, "ps")[1]) and out, what="the program")
    assert b"containerd" not in inside and b"cleave" not in inside


@pytest.mark.parametrize("command, code", [
    (["sh", "-c", "exit 0"], 0), (["sh", "-c", "exit 42"], 42), (["sh", "-c", "kill -9 $$"], 137),
    (["sh", "-c", "kill -TERM $$"], 143), (["false"], 1)])
def test_the_exit_code_comes_from_the_guest(tenant, stub, command, code):
    pod = tenant.run_pod("web")
    ctr = tenant.run(pod, "one", BUSYBOX, command)
    status = tenant.wait_exit(ctr)
    assert (status.state, status.exit_code) == (cri_program.EXITED, code)


def test_a_program_that_is_not_there_is_an_error_that_names_it(tenant, stub):
    pod = tenant.run_pod("web")
    with pytest.raises(grpc.RpcError) as error:
        tenant.run(pod, "one", BUSYBOX, ["/bin/none-such"])
    assert "none-such" in error.value.details()
    ctr = tenant.run(pod, "two", BUSYBOX, SLEEP)
    with pytest.raises(grpc.RpcError) as error:
        tenant.exec(ctr, "/bin/none-such")
    assert "none-such" in error.value.details()


def test_layers_are_stacked_with_whiteouts(tenant, guest):
    tenant.pull(LAYERS)
    pod = tenant.run_pod("web")
    ctr = tenant.run(pod, "one", LAYERS, SLEEP)
    out = tenant.exec(ctr, "sh", "-c", "cd /data && cat * && ls && ls /opaque")[1]
    assert out == b"first\nsecond\nkept\nreplaced\nnew\n"
    assert tenant.exec(ctr, "sh", "-c", "echo x > /data/kept && cat /data/kept")[1] == b"x\n"
    # A second container of the same image starts from the image, not from the first one's changes.
    two = tenant.run(pod, "two", LAYERS, SLEEP)
    assert tenant.exec(two, "cat", "/data/kept")[1] == b"first\n"


def test_stop_sends_term_and_then_kill(tenant, quick_guest):
    pod = tenant.run_pod("web")
    polite = tenant.run(pod, "polite", BUSYBOX, ["sh", "-c", "trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done"])
    stubborn = tenant.run(pod, "stubborn", BUSYBOX, ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done"])
    eventually(lambda: tenant.log(polite) and tenant.log(stubborn), what="their traps")
    tenant.stop_container(polite, grace=10)
    assert tenant.container_status(polite).exit_code == 5
    tenant.stop_container(stubborn, grace=1)
    assert tenant.container_status(stubborn).exit_code == 137
    for ctr in (polite, stubborn):
        tenant.remove_container(ctr)


def test_an_exec_runs_out_of_time(tenant, stub):
    pod = tenant.run_pod("web")
    ctr = tenant.run(pod, "one", BUSYBOX, SLEEP)
    with pytest.raises(grpc.RpcError) as error:
        tenant.exec(ctr, "sleep", "100", timeout=1)
    assert error.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    eventually(lambda: b"sleep 100\n" not in tenant.exec(ctr, "ps", "-o", "args")[1], what="the exec to be killed")


def test_stdin_is_delivered_and_closed(bed, tenant, quick_guest):
    pod = tenant.run_pod("web")
    ctr = tenant.run(pod, "one", BUSYBOX, SLEEP)
    done = bed.run("tenant", "ctr", "-n", "k8s.io", "tasks", "exec", "--exec-id", "in", ctr, "sh", "-c",
                   "cat; echo end; exit 4", input="a line\n", check=False)
    assert (done.returncode, done.stdout) == (4, "a line\nend\n"), done.stderr


def test_the_files_of_the_pod_are_made_in_the_guest(bed, tenant, quick_guest):
    pod = tenant.run_pod("named", dns_config={"servers": ["192.0.2.53"], "searches": ["cluster.test"]})
    ctr = tenant.run(pod, "one", BUSYBOX, SLEEP)
    assert tenant.exec(ctr, "cat", "/etc/hostname")[1].strip() == b"named"
    assert b"nameserver 192.0.2.53" in tenant.exec(ctr, "cat", "/etc/resolv.conf")[1]
    assert tenant.exec(ctr, "sh", "-c", "echo x > /dev/shm/x && cat /dev/shm/x")[1] == b"x\n"


def test_the_termination_message_comes_out(bed, tenant, quick_guest):
    pod = tenant.run_pod("web")
    path = "/run/termination-log"
    bed.run("tenant", "touch", path)
    ctr = tenant.run(pod, "one", BUSYBOX, ["sh", "-c", "echo because > /dev/termination-log; exit 3"],
                     annotations={"io.kubernetes.container.terminationMessagePath": "/dev/termination-log"},
                     mounts=[{"container_path": "/dev/termination-log", "host_path": path}])
    assert tenant.wait_exit(ctr).exit_code == 3
    assert eventually(lambda: open(bed.path("tenant", path), encoding="utf-8").read()) == "because\n"
    os.remove(bed.path("tenant", path))


def test_a_pod_of_the_nodes_network_is_refused_by_name(tenant, host, stub):
    with pytest.raises(grpc.RpcError) as error:
        tenant.run_pod("web", config=cri_program.Cri.pod_config(
            "web", linux={"security_context": {"namespace_options": {"network": 2}}}))
    assert "hostnetwork" in error.value.details().lower().replace(" ", "")


def test_a_privileged_container_is_refused(tenant, stub):
    pod = tenant.run_pod("web", linux={"security_context": {"privileged": True}})
    with pytest.raises(grpc.RpcError) as error:
        tenant.run(pod, "one", BUSYBOX, SLEEP, linux={"security_context": {"privileged": True}})
    assert "guest_root" in error.value.details()


@pytest.fixture
def guest_root(stub, bed):
    configure(bed, lambda text: "guest_root = true\n" + text)


def capabilities(tenant, ctr):
    lines = tenant.exec(ctr, "grep", "Cap", "/proc/self/status")[1].decode().split("\n")
    return {line.split()[0]: int(line.split()[1], 16) for line in lines if line}


def test_with_guest_root_a_privileged_container_has_all_that_the_guest_has(tenant, guest_root):
    privileged = {"security_context": {"privileged": True}}
    pod = tenant.run_pod("web", linux=privileged)
    ctr = tenant.run(pod, "one", BUSYBOX, SLEEP, linux=privileged)
    held = capabilities(tenant, ctr)
    assert held["CapEff:"] == held["CapBnd:"] == held["CapPrm:"]
    for number in (1, 21, 27):      # DAC_OVERRIDE, SYS_ADMIN, MKNOD
        assert held["CapEff:"] >> number & 1
    assert tenant.exec(ctr, "sh", "-c", "mkdir /m && mount -t tmpfs none /m && echo x > /m/y && cat /m/y")[1] == b"x\n"
    # Nothing is masked or made read-only: no mount below /proc, and /sys is writable.
    mounts = tenant.exec(ctr, "cat", "/proc/mounts")[1].decode().split("\n")
    assert not [line for line in mounts if " /proc/" in line]
    assert "rw" in next(line for line in mounts if " /sys sysfs" in line).split()[3].split(",")
    # An ordinary container beside it has what an engine gives it, and no more.
    plain = tenant.run(pod, "two", BUSYBOX, SLEEP)
    assert not capabilities(tenant, plain)["CapEff:"] >> 21 & 1
    assert tenant.exec(plain, "mount", "-t", "tmpfs", "none", "/tmp")[0] != 0


def test_with_guest_root_a_container_may_have_sys_admin(tenant, guest_root):
    pod = tenant.run_pod("web")
    ctr = tenant.run(pod, "one", BUSYBOX, SLEEP,
                     linux={"security_context": {"capabilities": {"add_capabilities": ["SYS_ADMIN"]}}})
    assert capabilities(tenant, ctr)["CapEff:"] >> 21 & 1


@pytest.mark.parametrize("narrowed", [False, True])
def test_without_guest_root_sys_admin_is_refused(tenant, stub, bed, narrowed):
    """By default, and where the pod gives it up."""
    if narrowed:
        configure(bed, lambda text: "guest_root = true\n" + text)
    pod = tenant.run_pod("web", annotations={"cleave.dev/guest-root": "false"} if narrowed else {})
    with pytest.raises(grpc.RpcError) as error:
        tenant.run(pod, "one", BUSYBOX, SLEEP,
                   linux={"security_context": {"capabilities": {"add_capabilities": ["SYS_ADMIN"]}}})
    assert "CAP_SYS_ADMIN" in error.value.details() and "guest_root" in error.value.details()


def test_an_annotation_grants_nothing(tenant, stub):
    with pytest.raises(grpc.RpcError) as error:
        tenant.run_pod("web", annotations={"cleave.dev/guest-root": "true"})
    assert "only give it up" in error.value.details()


def test_the_workloads_network_is_the_pods(tenant, guest):
    """Its own device and loopback: none of the guest's way to the tenant."""
    pod = tenant.run_pod("web")
    ctr = tenant.run(pod, "one", BUSYBOX, SLEEP)
    assert tenant.exec(ctr, "ls", "/sys/class/net")[1].split() == [b"eth0", b"lo", b"lw0"]
    address = tenant.pod_status(pod).status.network.ip
    assert f"inet {address}/" in tenant.exec(ctr, "ip", "address", "show", "dev", "eth0")[1].decode()


def test_many_short_execs(tenant, stub):
    pod = tenant.run_pod("web")
    ctr = tenant.run(pod, "one", BUSYBOX, SLEEP)
    for number in range(30):
        assert tenant.exec(ctr, "sh", "-c", f"echo {number}; exit {number}") == (number, f"{number}\n".encode(), b"")


def test_two_pods_side_by_side(nodes, pair):
    tenant, host = nodes["tenant"], nodes["host"]
    pods = [tenant.run_pod(f"web{n}") for n in range(2)]
    ctrs = [tenant.run(pod, "one", BUSYBOX, SLEEP) for pod in pods]
    assert len(host.pods()) == 2
    tenant.exec(ctrs[0], "sh", "-c", "echo first > /tmp/x")
    assert tenant.exec(ctrs[1], "cat", "/tmp/x")[0] == 1
    tenant.stop_pod(pods[0])
    tenant.remove_pod(pods[0])
    assert tenant.exec(ctrs[1], "echo", "here")[1] == b"here\n"
