# SPDX-License-Identifier: Apache-2.0
"""Several containers in one pod, and the orders in which a kubelet makes them: init containers one after
another, sidecars that outlive them, debug containers that join late."""
import pytest

import cri as cri_program
from conftest import eventually
from suite import BUSYBOX, SLEEP, TARGET


def stdout(node, ctr):
    return [text for stream, text in node.log(ctr) if stream == "stdout"]


@pytest.mark.vm
def test_each_container_of_a_pod_answers_for_itself(node, pod):
    names = ("one", "two", "three")
    ctrs = {name: node.run(pod, name, BUSYBOX, ["sh", "-c", f"echo I am {name}; exec sleep 1000"], env={"NAME": name})
            for name in names}
    for name, ctr in ctrs.items():
        assert node.sh(ctr, "echo $NAME") == name + "\n"
        eventually(lambda c=ctr: node.log(c), what="the log")
        assert stdout(node, ctr) == ["I am " + name]
    node.stop_container(ctrs["two"], grace=0)
    for name, code in (("one", 0), ("three", 0)):
        assert node.exec(ctrs[name], "true")[0] == code
    assert node.container_status(ctrs["two"]).exit_code == 137


def test_containers_reach_each_other_at_localhost(node, pod):
    web = node.run(pod, "web", BUSYBOX, ["sh", "-c", "echo page > /tmp/index.html; exec httpd -f -p 127.0.0.1:8080 -h /tmp"])
    client = node.run(pod, "client", BUSYBOX, SLEEP)
    page = eventually(lambda: node.exec(client, "wget", "-q", "-O", "-", "http://127.0.0.1:8080/")[1], what="the page")
    assert page == b"page\n" and node.container_status(web).state == cri_program.RUNNING


def test_init_containers_run_to_their_end_one_after_another(node, pod):
    ended = []
    for name in ("first", "second"):
        ctr = node.run(pod, name, BUSYBOX, ["sh", "-c", f"echo {name}; sleep 0.2"])
        status = node.wait_exit(ctr)
        assert (status.exit_code, status.reason) == (0, "Completed")
        ended.append(status)
    main = node.container_status(node.run(pod, "main", BUSYBOX, SLEEP))
    assert ended[0].finished_at <= ended[1].started_at <= ended[1].finished_at <= main.started_at


def test_a_failed_init_container_is_made_again_until_it_succeeds(node, pod):
    node.sh(node.run(pod, "state", BUSYBOX, SLEEP), "rm -f /dev/shm/tries")
    codes = []
    for attempt in range(3):
        ctr = node.run(pod, "init", BUSYBOX, ["sh", "-c", "echo x >> /dev/shm/tries; [ $(wc -l < /dev/shm/tries) -ge 3 ]"],
                       attempt=attempt)
        codes.append(node.wait_exit(ctr).exit_code)
        assert node.container_status(ctr).metadata.attempt == attempt
        node.remove_container(ctr)
    assert codes == [1, 1, 0]


def test_a_sidecar_starts_before_and_ends_after_the_main_container(node, pod):
    """restartPolicy Always in an init container: start it, wait for its probe, go on; stop it last."""
    sidecar = node.run(pod, "sidecar", BUSYBOX, ["sh", "-c", "trap 'exit 0' TERM; touch /tmp/up; while :; do sleep 0.05; done"])
    eventually(lambda: node.exec(sidecar, "test", "-e", "/tmp/up", timeout=5)[0] == 0, what="its start-up probe")
    main = node.run(pod, "main", BUSYBOX, ["sh", "-c", "sleep 0.3; exit 4"])
    assert node.wait_exit(main).exit_code == 4
    assert node.container_status(sidecar).state == cri_program.RUNNING
    node.stop_container(sidecar, grace=20)
    last = node.container_status(sidecar)
    assert (last.exit_code, last.reason) == (0, "Completed")
    assert last.finished_at >= node.container_status(main).finished_at


@pytest.mark.vm
def test_a_debug_container_joins_what_runs_and_leaves_it_running(node, pod):
    main = node.run(pod, "main", BUSYBOX, ["sleep", "4711"])
    debug = node.secure(pod, "debug", command=["sh", "-c", "ps -o args; cat /proc/1/root/etc/passwd; exit 6"],
                        namespace_options={"pid": TARGET, "target_id": main})
    assert node.wait_exit(debug).exit_code == 6
    eventually(lambda: "sleep 4711" in stdout(node, debug), what="its output")
    node.remove_container(debug)
    assert node.container_status(main).state == cri_program.RUNNING
    assert node.exec(main, "true")[0] == 0


def test_a_crashed_container_is_made_again_in_its_pod(node, pod):
    """CrashLoopBackOff: the next attempt starts from the image, and the pod is the same."""
    ips = node.pod_status(pod).status.network.ip
    for attempt in range(3):
        ctr = node.run(pod, "crash", BUSYBOX, ["sh", "-c", "[ -e /mark ] && exit 9; touch /mark; exit 1"], attempt=attempt)
        assert node.wait_exit(ctr).exit_code == 1
        node.remove_container(ctr)
    assert node.pod_status(pod).status.network.ip == ips


def test_a_post_start_and_a_pre_stop_hook(node, pod):
    ctr = node.run(pod, "hooks", BUSYBOX, ["sh", "-c", "trap 'cat /tmp/hook; exit 0' TERM; while :; do sleep 0.05; done"])
    assert node.exec(ctr, "sh", "-c", "echo started > /tmp/hook")[0] == 0
    assert node.exec(ctr, "sh", "-c", "echo stopping >> /tmp/hook")[0] == 0
    node.stop_container(ctr, grace=20)
    assert eventually(lambda: stdout(node, ctr), what="the log") == ["started", "stopping"]


def test_many_containers_of_a_pod_end_with_it(node):
    pod = node.pod("many")
    ctrs = [node.run(pod, f"c{number}", BUSYBOX, SLEEP) for number in range(4)]
    node.stop_pod(pod)
    for ctr in ctrs:
        status = node.container_status(ctr)
        assert (status.state, status.exit_code) == (cri_program.EXITED, 137)
