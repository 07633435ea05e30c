# SPDX-License-Identifier: Apache-2.0
"""PodSandbox: run, stop, remove, status and list; sysctls; the pod's name and DNS."""
import re
import time

import grpc
import pytest

import cri as cri_program
from suite import BUSYBOX, SLEEP

ABSENT = "0123456789abcdef" * 4


def test_a_pod_that_runs_is_ready_and_listed(node):
    pod = node.pod("run", labels={"tier": "front"}, annotations={"note.test/x": "y"})
    status = node.pod_status(pod).status
    assert (status.id, status.state) == (pod, cri_program.READY)
    assert (status.metadata.name, status.metadata.namespace) == ("run", "test")
    assert status.labels["tier"] == "front" and status.annotations["note.test/x"] == "y"
    assert 0 <= time.time_ns() - status.created_at < 120e9
    listed, = node.pods(id=pod)
    assert (listed.state, listed.metadata.uid) == (cri_program.READY, status.metadata.uid)
    assert abs(listed.created_at - status.created_at) < 1e9


def test_a_stopped_pod_is_not_ready_and_its_containers_have_ended(node):
    pod = node.pod("stop")
    ctr = node.run(pod, "one", BUSYBOX, SLEEP)
    node.stop_pod(pod)
    assert node.pod_status(pod).status.state == cri_program.NOTREADY
    assert [p.state for p in node.pods(id=pod)] == [cri_program.NOTREADY]
    status = node.container_status(ctr)
    assert (status.state, status.exit_code) == (cri_program.EXITED, 137)
    with pytest.raises(grpc.RpcError):
        node.run(pod, "two", BUSYBOX, SLEEP)


def test_a_removed_pod_is_gone_with_its_containers(node):
    pod = node.pod("remove")
    ctr = node.run(pod, "one", BUSYBOX, SLEEP)
    node.stop_pod(pod)
    node.remove_pod(pod)
    assert node.pods(id=pod) == [] and node.containers(id=ctr) == []
    with pytest.raises(grpc.RpcError) as failure:
        node.pod_status(pod)
    assert failure.value.code() == grpc.StatusCode.NOT_FOUND


def test_pods_are_filtered_by_label_and_state(node):
    red, blue = (node.pod(colour, labels={"colour": colour, "suite": "cri"}) for colour in ("red", "blue"))
    assert {p.id for p in node.pods(label_selector={"suite": "cri"})} == {red, blue}
    assert [p.id for p in node.pods(label_selector={"colour": "red"})] == [red]
    assert node.pods(label_selector={"colour": "green"}) == []
    node.stop_pod(red)
    assert [p.id for p in node.pods(label_selector={"suite": "cri"}, state={"state": cri_program.READY})] == [blue]
    assert [p.id for p in node.pods(label_selector={"suite": "cri"}, state={"state": cri_program.NOTREADY})] == [red]


def test_a_second_stop_and_a_stop_of_no_pod_are_no_errors(node):
    pod = node.pod("twice")
    node.stop_pod(pod)
    node.stop_pod(pod)
    node.call("StopPodSandbox", cri_program.pb.PodSandboxId(pod_sandbox_id=ABSENT))
    node.remove_pod(pod)
    node.call("StopPodSandbox", cri_program.pb.PodSandboxId(pod_sandbox_id=pod))


def test_a_second_removal_and_a_removal_of_no_pod_are_no_errors(node):
    pod = node.pod("twice")
    node.remove_pod(pod)        # a pod that still runs is stopped first
    for absent in (pod, ABSENT):
        node.call("RemovePodSandbox", cri_program.pb.PodSandboxId(pod_sandbox_id=absent))


def test_two_pods_of_one_name_need_two_attempts(node):
    config = node.config("again")
    node.run_pod(runtime=node.handler, config=config)
    with pytest.raises(grpc.RpcError):
        node.run_pod_start(config, node.handler).result()
    config.metadata.attempt = 1
    second = node.run_pod(runtime=node.handler, config=config)
    assert node.pod_status(second).status.metadata.attempt == 1


def test_an_unknown_handler_is_an_error_that_names_it(node):
    config = node.config("typo")
    with pytest.raises(grpc.RpcError) as failure:
        node.run_pod_start(config, "no-such-handler").result()
    assert "no-such-handler" in failure.value.details()
    node.forget(config)


def test_safe_sysctls_are_set_for_every_container_of_the_pod(node):
    wanted = {"kernel.shm_rmid_forced": "1", "net.ipv4.ip_local_port_range": "2048 61000", "net.ipv4.tcp_syncookies": "0"}
    pod = node.pod("safe", sysctls=wanted)
    for name in ("one", "two"):
        ctr = node.run(pod, name, BUSYBOX, SLEEP)
        for key, value in wanted.items():
            assert node.out(ctr, "cat", "/proc/sys/" + key.replace(".", "/")).split() == value.split(), key


def test_unsafe_sysctls_are_set(node):
    wanted = {"kernel.shmmni": "8192", "kernel.msgmax": "16384", "fs.mqueue.msg_max": "200", "net.core.somaxconn": "256"}
    pod = node.pod("unsafe", sysctls=wanted)
    ctr = node.run(pod, "one", BUSYBOX, SLEEP)
    for key, value in wanted.items():
        assert node.out(ctr, "cat", "/proc/sys/" + key.replace(".", "/")).strip() == value, key


def test_sysctls_of_one_pod_are_not_those_of_the_next(node, ctr):
    pod = node.pod("mine", sysctls={"kernel.shmmni": "8192"})
    mine = node.run(pod, "one", BUSYBOX, SLEEP)
    assert node.out(mine, "cat", "/proc/sys/kernel/shmmni").strip() == "8192"
    assert node.out(ctr, "cat", "/proc/sys/kernel/shmmni").strip() != "8192"


def test_the_hostname_is_the_pods(node):
    pod = node.pod("named", hostname="called-so")
    ctr = node.run(pod, "one", BUSYBOX, SLEEP)
    assert node.out(ctr, "hostname") == "called-so\n"
    assert node.out(ctr, "cat", "/proc/sys/kernel/hostname") == "called-so\n"
    assert node.out(ctr, "cat", "/etc/hostname").strip() == "called-so"
    assert node.sh(ctr, "echo $HOSTNAME").strip() in ("called-so", "")


def test_resolv_conf_is_the_dns_config_and_nothing_else(node):
    pod = node.pod("resolver", dns_config={"servers": ["192.0.2.53", "192.0.2.54"], "searches": ["one.test", "two.test"],
                                           "options": ["ndots:8"]})
    ctr = node.run(pod, "one", BUSYBOX, SLEEP)
    lines = [line.split() for line in node.out(ctr, "cat", "/etc/resolv.conf").splitlines() if re.match("[a-z]", line)]
    assert sorted(lines) == [["nameserver", "192.0.2.53"], ["nameserver", "192.0.2.54"], ["options", "ndots:8"],
                             ["search", "one.test", "two.test"]]


@pytest.mark.vm
def test_a_pod_takes_all_of_it_at_once(node):
    pod = node.pod("whole", sysctls={"kernel.shm_rmid_forced": "1", "kernel.shmmni": "8192"}, hostname="called-so",
                   dns_config={"servers": ["192.0.2.53"]})
    ctr = node.run(pod, "one", BUSYBOX, SLEEP)
    assert node.sh(ctr, "hostname; cat /etc/resolv.conf; cd /proc/sys/kernel; cat shm_rmid_forced shmmni").split() == [
        "called-so", "nameserver", "192.0.2.53", "1", "8192"]
