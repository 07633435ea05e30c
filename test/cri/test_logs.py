# SPDX-License-Identifier: Apache-2.0
"""The CRI log file: its format, whole and partial lines, and what rotation does."""
import os
import re

import grpc
import pytest

from conftest import UNTIL_THE_END, eventually
from suite import BUSYBOX

LINE = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+(?:Z|[+-]\d\d:\d\d)) (stdout|stderr) ([FP]) (.*)")


def lines(node, ctr, path=None):
    """(stream, tag, text) of each line of the log, which must have the format."""
    with open(node.file(path or node.container_status(ctr).log_path), encoding="utf-8", newline="\n") as log:
        found = [LINE.fullmatch(line.rstrip("\n")) for line in log]
    assert all(found)
    return [match.groups()[1:] for match in found]


def ended(node, pod, script, name="log"):
    ctr = node.run(pod, name, BUSYBOX, ["sh", "-c", script])
    assert node.wait_exit(ctr).exit_code == 0
    return ctr


@pytest.mark.vm
def test_each_stream_is_logged_in_order(node, pod):
    ctr = ended(node, pod, "for i in 1 2 3; do echo out $i; echo err $i >&2; done")
    found = eventually(lambda: len(found := lines(node, ctr)) == 6 and found, what="the log")
    for stream, word in (("stdout", "out"), ("stderr", "err")):
        assert [text for s, tag, text in found if s == stream] == [f"{word} {n}" for n in (1, 2, 3)]
    assert {tag for _, tag, _ in found} == {"F"}


def test_times_of_the_lines_do_not_go_back(node, pod):
    ctr = ended(node, pod, "for i in 1 2 3; do echo $i; sleep 0.2; done")
    path = node.file(node.container_status(ctr).log_path)
    eventually(lambda: open(path, encoding="utf-8").read().count("\n") == 3, what="the log")
    with open(path, encoding="utf-8") as log:
        stamps = [line.split()[0] for line in log]
    assert stamps == sorted(stamps) and len(set(stamps)) == 3


def test_a_last_line_without_an_end_is_partial(node, pod):
    ctr = ended(node, pod, "echo whole; printf rest")
    eventually(lambda: len(lines(node, ctr)) == 2, what="the log")
    assert lines(node, ctr) == [("stdout", "F", "whole"), ("stdout", "P", "rest")]


def test_a_long_line_is_cut_and_marked(node, pod):
    ctr = ended(node, pod, "x=$(seq -s , 9000); echo $x; echo after")
    found = eventually(lambda: (found := lines(node, ctr)) and found[-1][2] == "after" and found, what="the log")
    cut = found[:-1]
    assert [tag for _, tag, _ in cut] == ["P"] * (len(cut) - 1) + ["F"] and len(cut) > 1
    assert "".join(text for _, _, text in cut) == ",".join(map(str, range(1, 9001)))


def test_empty_lines_and_spaces_are_kept(node, pod):
    ctr = ended(node, pod, "echo; echo '  two  '; printf '\\ttab\\n'")
    eventually(lambda: len(lines(node, ctr)) == 3, what="the log")
    assert [text for _, _, text in lines(node, ctr)] == ["", "  two  ", "\ttab"]


@pytest.mark.vm
def test_a_flood_is_logged_whole(node, pod):
    ctr = ended(node, pod, "seq 50000")
    eventually(lambda: lines(node, ctr)[-1:] == [("stdout", "F", "50000")], 30, "the last line")
    assert [text for _, _, text in lines(node, ctr)] == [str(n) for n in range(1, 50001)]


@pytest.mark.vm
def test_rotation_loses_no_line(node, pod):
    ctr = node.run(pod, "rotate", BUSYBOX, UNTIL_THE_END)
    path = node.container_status(ctr).log_path
    parts = []
    for number in range(2):
        eventually(lambda: os.path.getsize(node.file(path)) > 200, what="some lines")
        parts.append(f"{path}.{number}")
        os.rename(node.file(path), node.file(parts[-1]))
        node.reopen_log(ctr)
        assert os.path.exists(node.file(path))
    assert node.exec(ctr, "touch", "/end")[0] == 0
    assert node.wait_exit(ctr).exit_code == 9
    eventually(lambda: lines(node, ctr)[-1:] == [("stdout", "F", "end")], what="the last line")
    parts.append(path)
    *found, _ = [text for part in parts for _, _, text in lines(node, ctr, part)]
    assert found == [str(n) for n in range(len(found))]


def test_a_log_is_reopened_only_of_what_runs(node, pod):
    ctr = ended(node, pod, "echo done")
    with pytest.raises(grpc.RpcError) as failure:
        node.reopen_log(ctr)
    assert "not running" in failure.value.details()


def test_a_log_outlives_its_container_but_not_its_pod(node):
    pod = node.pod("brief")
    ctr = ended(node, pod, "echo last")
    path = node.file(node.container_status(ctr).log_path)
    eventually(lambda: os.path.getsize(path) > 0, what="the log")
    node.remove_container(ctr)
    assert os.path.exists(path)
    node.remove_pod(pod)
    assert not os.path.exists(path)
