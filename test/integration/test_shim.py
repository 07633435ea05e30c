# SPDX-License-Identifier: Apache-2.0
"""What both shims share (common/shim, common/ttrpc) under a real containerd, by a shim that has no
runtime behind it: test/fake/shim_echo.c."""
import os
import signal
import subprocess

import bed as bed_program
import pytest
from conftest import BUILD, eventually, find_processes, kill9, until_it_listens

CTR = bed_program.NODE_BIN + "/ctr"
SHIM = BUILD + "/test/shim-echo"
BUNDLES = "/run/containerd/io.containerd.runtime.v2.task/demo"
SANDBOX, MEMBER = "sandbox", "container"


class Ctr:
    def __init__(self, bed):
        self.bed, self.events = bed, None

    def __call__(self, *words, check=True):
        done = self.bed.run("tenant", CTR, "-n", "demo", *words, check=False, timeout=30)
        assert not check or done.returncode == 0, done.stderr
        return done.stdout

    def run(self, name, pod, kind):
        return self("run", "-d", "--rootfs", "--runtime", SHIM, "--annotation",
                    f"io.kubernetes.cri.sandbox-id={pod}", "--annotation",
                    f"io.kubernetes.cri.container-type={kind}", "/run/rootfs", name, "sh")

    def tasks(self):
        rows = [line.split() for line in self("tasks", "ls").splitlines()[1:]]
        return {row[0]: row[2] for row in rows}

    def shims(self):
        return find_processes(self.bed, "tenant", "/shim-echo -namespace demo")

    def files(self, path):
        inside = self.bed.path("tenant", path)
        return sorted(os.listdir(inside)) if os.path.isdir(inside) else []

    def deleted(self):
        """What the delete verb wrote: [(id, is_sandbox)]."""
        path = self.bed.path("tenant", BUNDLES + "/deleted")
        with open(path, encoding="utf-8") as lines:
            return sorted(tuple(line.split()) for line in lines)

    def watch(self):
        self.events = subprocess.Popen(self.bed.argv("tenant", [CTR, "-n", "demo", "events"]),
                                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def topics(self, last):
        """The topics of tasks seen, up to and with the given (topic, id)."""
        seen = []
        for line in self.events.stdout:
            words = line.split(" ", 6)
            if words[5].startswith("/tasks/"):
                seen.append(words[5])
            if (words[5], last[1] in line) == (last[0], True):
                return seen
        raise AssertionError(f"the events ended before {last}: {seen}")

    def clear(self):
        for name in self("tasks", "ls", "-q", check=False).split():
            self("tasks", "rm", "-f", name, check=False)
        for name in self("containers", "ls", "-q", check=False).split():
            self("containers", "rm", name, check=False)
        if self.events:
            kill9(find_processes(self.bed, "tenant", "ctr -n demo events"))
            self.events.wait()
        kill9(self.shims())
        left = self.bed.path("tenant", BUNDLES + "/deleted")
        if os.path.exists(left):
            os.unlink(left)


@pytest.fixture
def ctr(bed):
    os.makedirs(bed.path("tenant", "/run/rootfs"), exist_ok=True)
    made = Ctr(bed)
    yield made
    made.clear()


def test_a_pod_has_one_shim_for_life(ctr):
    ctr.watch()
    until_it_listens(ctr.bed, ctr.events)
    ctr.run("pod", "pod", SANDBOX)          # what it says is nobody's: a detached ctr ends with the start
    ctr.run("web", "pod", MEMBER)
    assert ctr.tasks() == {"pod": "RUNNING", "web": "RUNNING"}
    assert len(ctr.shims()) == 1
    done = ctr.bed.run("tenant", CTR, "-n", "demo", "tasks", "exec", "--exec-id", "e1", "web", "ls", check=False)
    assert done.returncode == 7                     # ctr gives up reading when it hears of the end, which comes at once here
    ctr("tasks", "kill", "-s", "15", "web")
    eventually(lambda: ctr.tasks()["web"] == "STOPPED")
    ctr("tasks", "rm", "web", check=False)
    assert len(ctr.shims()) == 1                    # Shutdown and delete of a member touch nobody else
    assert ctr.tasks() == {"pod": "RUNNING"}
    ctr("tasks", "kill", "-s", "9", "pod")
    eventually(lambda: ctr.tasks()["pod"] == "STOPPED")
    ctr("tasks", "rm", "pod", check=False)
    eventually(lambda: not ctr.shims(), what="the end of the shim")
    assert ctr.files("/run/containerd/s") == []
    assert ctr.files(BUNDLES) == ["deleted"]
    assert ctr.deleted() == [("pod", "1"), ("web", "0")]
    assert ctr.topics(("/tasks/delete", '"pod"')) == [
        "/tasks/create", "/tasks/start", "/tasks/create", "/tasks/start", "/tasks/exec-added",
        "/tasks/exec-started", "/tasks/exit", "/tasks/exit", "/tasks/delete", "/tasks/exit", "/tasks/delete"]


def test_containerd_restarts_and_nothing_is_lost(ctr):
    ctr.run("pod", "pod", SANDBOX)
    ctr.run("web", "pod", MEMBER)
    shims = ctr.shims()
    ctr.bed.stop("tenant", "containerd")
    assert ctr.shims() == shims
    ctr.bed.start("tenant", "containerd")
    assert ctr.tasks() == {"pod": "RUNNING", "web": "RUNNING"}
    assert ctr.shims() == shims
    ctr("tasks", "kill", "-s", "15", "web")
    eventually(lambda: ctr.tasks()["web"] == "STOPPED")
    ctr("tasks", "rm", "web", check=False)
    assert ctr.tasks() == {"pod": "RUNNING"}        # after a restart `delete` runs for members too
    assert ctr.shims() == shims


def test_a_killed_shim_leaves_nothing(ctr):
    ctr.run("pod", "pod", SANDBOX)
    ctr.run("web", "pod", MEMBER)
    kill9(ctr.shims())
    eventually(lambda: ctr.tasks() == {}, what="the end of the tasks")
    eventually(lambda: ctr.files(BUNDLES) == ["deleted"], what="the end of the bundles")
    assert ctr.files("/run/containerd/s") == []
    assert ctr.deleted() == [("pod", "1"), ("web", "0")]


def test_a_stopped_shim_is_cleared_away_at_the_next_start(ctr):
    """containerd waits 5 s for it, gives it up and runs `delete`, which ends it."""
    ctr.run("pod", "pod", SANDBOX)
    ctr.bed.stop("tenant", "containerd")
    os.kill(ctr.shims()[0], signal.SIGSTOP)
    ctr.bed.start("tenant", "containerd")
    eventually(lambda: not ctr.shims(), seconds=20, what="the end of the shim")
    assert ctr.files("/run/containerd/s") == []
    assert ctr.tasks() == {}
