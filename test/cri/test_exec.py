# SPDX-License-Identifier: Apache-2.0
"""ExecSync, as probes use it: what comes back, and when."""
import threading
import time

import grpc
import pytest

from conftest import eventually
from cri import pb
from suite import BUSYBOX


@pytest.mark.vm
def test_output_error_and_code_come_back(node, ctr):
    assert node.exec(ctr, "echo", "-n", "a  b") == (0, b"a  b", b"")
    assert node.exec(ctr, "sh", "-c", "echo out; echo err >&2; exit 7") == (7, b"out\n", b"err\n")
    for code in (0, 1, 126, 127, 255):
        assert node.exec(ctr, "sh", "-c", f"exit {code}")[0] == code
    for signal, code in (("TERM", 143), ("KILL", 137)):
        assert node.exec(ctr, "sh", "-c", f"kill -{signal} $$")[0] == code


def test_bytes_are_not_changed(node, ctr):
    assert node.exec(ctr, "printf", r"\000\001\377\r\n\n")[1] == b"\x00\x01\xff\r\n\n"


@pytest.mark.vm
def test_more_than_a_pipe_holds_comes_whole(node, ctr):
    code, out, err = node.exec(ctr, "sh", "-c", "seq 60000; seq 30000 >&2; exit 3", timeout=60)
    assert code == 3
    assert out == b"".join(b"%d\n" % n for n in range(1, 60001))
    assert err == b"".join(b"%d\n" % n for n in range(1, 30001))


def test_an_exec_that_is_late_is_killed_and_says_so(node, ctr):
    began = time.monotonic()
    with pytest.raises(grpc.RpcError) as failure:
        node.exec(ctr, "sleep", "2718", timeout=1)
    assert failure.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert 0.9 < time.monotonic() - began < 10
    eventually(lambda: "sleep 2718\n" not in node.out(ctr, "ps", "-o", "args"), what="its end")


def test_an_exec_in_time_is_not_killed(node, ctr):
    assert node.exec(ctr, "sh", "-c", "sleep 0.5; echo done", timeout=20)[:2] == (0, b"done\n")


def test_no_timeout_is_no_limit(node, ctr):
    request = pb.ExecSyncRequest(container_id=ctr, cmd=["sh", "-c", "sleep 1; echo done"], timeout=0)
    assert node.call("ExecSync", request, pb.ExecSyncResponse, timeout=30).stdout == b"done\n"


def test_a_program_that_is_not_there_is_an_error_and_no_exit(node, ctr):
    with pytest.raises(grpc.RpcError) as failure:
        node.exec(ctr, "/none/such")
    assert "/none/such" in failure.value.details()


def test_an_exec_in_what_does_not_run_is_an_error(node, pod):
    ended = node.run(pod, "ended", BUSYBOX, ["true"])
    node.wait_exit(ended)
    for identity in (ended, "0" * 64):
        with pytest.raises(grpc.RpcError):
            node.exec(identity, "true")


def test_an_exec_has_the_containers_environment_user_and_directory(node, pod):
    two = node.run(pod, "two", BUSYBOX, ["sleep", "1000"], env={"COLOUR": "blue"}, working_dir="/var",
                   linux={"security_context": {"run_as_user": {"value": 1000}}})
    assert node.sh(two, "echo $COLOUR; pwd; id -u").split() == ["blue", "/var", "1000"]


def test_what_an_exec_leaves_in_the_background_does_not_hold_it(node, ctr):
    began = time.monotonic()
    assert node.exec(ctr, "sh", "-c", "sleep 3141 > /dev/null 2>&1 & echo here")[:2] == (0, b"here\n")
    assert time.monotonic() - began < 10
    assert node.exec(ctr, "sh", "-c", "kill $(pidof sleep | tr ' ' '\\n' | grep -vx 1)")[0] == 0


def test_a_probe_finds_out_when_the_state_changes(node, ctr):
    """A kubelet's loop: start-up fails until it is ready, then liveness passes until it is not."""
    def probe():
        return node.exec(ctr, "test", "-e", "/tmp/healthy", timeout=5)[0]
    for healthy in (False, True, False):
        node.out(ctr, "touch" if healthy else "rm", *(["/tmp/healthy"] if healthy else ["-f", "/tmp/healthy"]))
        assert [probe() for _ in range(3)] == [0 if healthy else 1] * 3


def test_a_probe_that_hangs_does_not_disturb_the_next(node, ctr):
    for round_ in range(3):
        with pytest.raises(grpc.RpcError) as failure:
            node.exec(ctr, "sleep", "2719", timeout=1)
        assert failure.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        assert node.exec(ctr, "echo", str(round_), timeout=5)[:2] == (0, b"%d\n" % round_)
    eventually(lambda: "sleep 2719\n" not in node.out(ctr, "ps", "-o", "args"), what="the end of all")


def test_execs_side_by_side_keep_their_own_output(node, ctr):
    answers = {}

    def one(number):
        answers[number] = node.exec(ctr, "sh", "-c", f"seq {number} {number + 2000}; exit {number}", timeout=60)
    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90)
    for number in range(8):
        expected = b"".join(b"%d\n" % n for n in range(number, number + 2001))
        assert answers[number] == (number, expected, b""), number
