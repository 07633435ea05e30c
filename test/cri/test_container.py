# SPDX-License-Identifier: Apache-2.0
"""Containers: create, start, stop, remove, list, status; what a second or a needless call does."""
import time

import grpc
import pytest

import cri as cri_program
from conftest import eventually, find_processes
from suite import BUSYBOX, POD, SLEEP

ABSENT = "fedcba9876543210" * 4
POLITE = ["sh", "-c", "trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done"]


def test_a_created_container_is_listed_and_does_not_run(node, pod):
    ctr = node.create(pod, "one", BUSYBOX, SLEEP, labels={"role": "db"}, annotations={"note.test/x": "y"})
    status = node.container_status(ctr)
    assert (status.state, status.started_at, status.finished_at) == (cri_program.CREATED, 0, 0)
    assert 0 <= time.time_ns() - status.created_at < 60e9
    assert (status.metadata.name, status.labels["role"], status.annotations["note.test/x"]) == ("one", "db", "y")
    listed, = node.containers(id=ctr)
    assert (listed.state, listed.pod_sandbox_id, listed.labels["role"]) == (cri_program.CREATED, pod, "db")
    assert listed.image.image and listed.image_ref.startswith("sha256:")
    with pytest.raises(grpc.RpcError):
        node.exec(ctr, "true")


@pytest.mark.vm
def test_a_started_container_runs(node, pod):
    ctr = node.create(pod, "one", BUSYBOX, SLEEP)
    node.start_container(ctr)
    status = node.container_status(ctr)
    assert status.state == cri_program.RUNNING
    assert status.created_at <= status.started_at <= time.time_ns() and status.finished_at == 0
    assert [c.state for c in node.containers(id=ctr)] == [cri_program.RUNNING]
    assert node.out(ctr, "cat", "/proc/1/cmdline") == "sleep\0" "1000\0"


def test_a_second_start_is_an_error(node, pod):
    ctr = node.run(pod, "one", BUSYBOX, SLEEP)
    with pytest.raises(grpc.RpcError):
        node.start_container(ctr)
    assert node.container_status(ctr).state == cri_program.RUNNING


def test_command_arguments_directory_and_environment(node, pod):
    ctr = node.run(pod, "one", BUSYBOX, ["sh", "-c", 'echo "$0|$*|$PWD|$COLOUR|$EMPTY|"'], args=["zero", "a b", ""],
                   working_dir="/var/log", env={"COLOUR": "blue=green", "EMPTY": ""})
    assert node.wait_exit(ctr).exit_code == 0
    assert eventually(lambda: node.log(ctr)) == [("stdout", "zero|a b |/var/log|blue=green||")]


def test_a_stopped_container_had_its_time_to_end(node, pod):
    ctr = node.run(pod, "one", BUSYBOX, POLITE)
    eventually(lambda: node.log(ctr), what="its trap")
    node.stop_container(ctr, grace=20)
    status = node.container_status(ctr)
    assert (status.state, status.exit_code) == (cri_program.EXITED, 5)
    assert status.started_at <= status.finished_at <= time.time_ns()
    assert status.reason == "Error"


def test_a_container_that_ignores_the_signal_is_killed_after_its_grace(node, pod):
    ctr = node.run(pod, "one", BUSYBOX, ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done"])
    eventually(lambda: node.log(ctr), what="its trap")
    began = time.monotonic()
    node.stop_container(ctr, grace=1)
    assert 0.9 < time.monotonic() - began < 15
    assert node.container_status(ctr).exit_code == 137


def test_no_grace_is_a_kill(node, pod):
    ctr = node.run(pod, "one", BUSYBOX, POLITE)
    node.stop_container(ctr, grace=0)
    assert node.container_status(ctr).exit_code == 137


def test_the_stop_signal_of_the_image_is_used(node, pod):
    image = node.image("stop-signal:1", StopSignal="SIGUSR1")
    ctr = node.run(pod, "one", image, ["sh", "-c", "trap 'exit 7' USR1; trap 'exit 8' TERM; echo r; while :; do sleep 0.05; done"])
    eventually(lambda: node.log(ctr), what="its trap")
    node.stop_container(ctr, grace=20)
    assert node.container_status(ctr).exit_code == 7


def test_a_container_that_ends_says_how(node, pod):
    shared = {"security_context": {"namespace_options": {"pid": POD}}}      # pid 1 could not kill itself
    for name, script, code, reason in (("good", "true", 0, "Completed"), ("bad", "exit 42", 42, "Error"),
                                       ("killed", "kill -KILL $$", 137, "Error"), ("ended", "kill -TERM $$", 143, "Error")):
        status = node.wait_exit(node.run(pod, name, BUSYBOX, ["sh", "-c", script], linux=shared))
        assert (status.state, status.exit_code, status.reason) == (cri_program.EXITED, code, reason), name


@pytest.mark.parametrize("state", ["created", "running", "stopped"])
def test_a_container_is_removed_in_every_state(node, pod, state):
    ctr = node.create(pod, state, BUSYBOX, SLEEP)
    if state != "created":
        node.start_container(ctr)
    if state == "stopped":
        node.stop_container(ctr, grace=0)
    node.remove_container(ctr)
    assert node.containers(id=ctr) == []
    with pytest.raises(grpc.RpcError) as failure:
        node.container_status(ctr)
    assert failure.value.code() == grpc.StatusCode.NOT_FOUND


def test_a_name_is_free_again_after_the_removal(node, pod):
    for _ in range(2):
        ctr = node.run(pod, "same", BUSYBOX, SLEEP)
        with pytest.raises(grpc.RpcError):
            node.create(pod, "same", BUSYBOX, SLEEP)
        node.remove_container(ctr)


def test_a_second_stop_and_a_stop_of_no_container_are_no_errors(node, pod):
    ctr = node.run(pod, "one", BUSYBOX, SLEEP)
    for _ in range(2):
        node.stop_container(ctr, grace=0)
    assert node.container_status(ctr).exit_code == 137
    node.stop_container(ABSENT)


def test_a_second_removal_and_a_removal_of_no_container_are_no_errors(node, pod):
    ctr = node.run(pod, "one", BUSYBOX, SLEEP)
    for absent in (ctr, ctr, ABSENT):
        node.remove_container(absent)


def test_containers_are_filtered(node, pod):
    other = node.pod("other")
    one = node.run(pod, "one", BUSYBOX, SLEEP, labels={"app": "list", "nr": "1"})
    two = node.create(pod, "two", BUSYBOX, SLEEP, labels={"app": "list", "nr": "2"})
    three = node.run(other, "three", BUSYBOX, SLEEP, labels={"app": "list", "nr": "3"})

    def listed(**which):
        return {c.id for c in node.containers(**which)}
    assert listed() >= {one, two, three}
    assert listed(id=two) == {two}
    assert listed(pod_sandbox_id=other) == {three}
    assert listed(label_selector={"app": "list"}) == {one, two, three}
    assert listed(label_selector={"app": "list", "nr": "1"}) == {one}
    assert listed(label_selector={"app": "list"}, state={"state": cri_program.RUNNING}) == {one, three}
    assert listed(pod_sandbox_id=pod, label_selector={"app": "list"}, state={"state": cri_program.CREATED}) == {two}


def test_a_program_that_is_not_there_is_named(node, pod):
    ctr = node.create(pod, "one", BUSYBOX, ["/none/such"])
    with pytest.raises(grpc.RpcError) as failure:
        node.start_container(ctr)
    assert "/none/such" in failure.value.details()
    assert node.container_status(ctr).state == cri_program.EXITED


@pytest.mark.vm
def test_the_processes_are_where_they_belong(node, ctr):
    """With runc on the node; with a VM not; a stub guest's are in a tree below the guest's agent."""
    marked = node.run(node.containers(id=ctr)[0].pod_sandbox_id, "marked", BUSYBOX, ["sleep", "271828"])
    assert "sleep 271828" in node.out(marked, "ps", "-o", "args")
    seen = find_processes(node.bed, "tenant", r"^sleep 271828")
    assert len(seen) == (0 if node.name == "vm" else 1)
    for name in ("/proc/sys/kernel/random/boot_id", "/proc/sys/kernel/osrelease"):
        with open(name, encoding="utf-8") as mine:
            assert (node.out(ctr, "cat", name) != mine.read()) == (node.name == "vm"), name


@pytest.mark.vm
def test_the_root_is_the_containers_own(node, pod, ctr):
    two = node.run(pod, "two", BUSYBOX, SLEEP)
    node.sh(ctr, "echo mine > /only-here && rm /etc/group")
    assert node.exec(two, "test", "-e", "/only-here")[0] == 1
    assert "extra" in node.out(two, "cat", "/etc/group")
    assert node.exec(ctr, "test", "-e", "/etc/group")[0] == 1
    node.sh(ctr, "rm /only-here; echo root:x:0: > /etc/group")


@pytest.mark.vm
def test_a_word_to_the_termination_log_comes_back(node, pod):
    """What a kubelet does: an empty file of its own is mounted, and read after the end."""
    path = node.file("/run/termination-log", "")
    ctr = node.run(pod, "one", BUSYBOX, ["sh", "-c", "printf 'gave\\nup' > /dev/term; exit 3"],
                   annotations={"io.kubernetes.container.terminationMessagePath": "/dev/term"},
                   mounts=[{"container_path": "/dev/term", "host_path": "/run/termination-log"}])
    assert node.wait_exit(ctr).exit_code == 3
    with open(path, encoding="utf-8") as message:
        assert message.read() == "gave\nup"
    node.remove_container(ctr)
    node.bed.run("tenant", "rm", "/run/termination-log")
