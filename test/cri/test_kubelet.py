# SPDX-License-Identifier: Apache-2.0
"""The calls that a kubelet (v1.37.2, a static pod, runc; made by kubelet_calls.py) makes in the life of
a pod with an init container, a sidecar, probes, hooks, a container that crashes and an emptyDir with a
subPath. Each is made again in its order, and the answers have to be the recorded ones."""
import json
import os
import shutil
import time

import pytest
from google.protobuf.json_format import ParseDict

import kubelet_calls
from suite import BUSYBOX

PATIENCE = 30.0


class Replay:
    def __init__(self, node):
        self.node, self.names, self.binds = node, {}, []
        self.config = None
        self.stopped = False

    def fill(self, value):
        """A recorded request with the names of this run."""
        text = json.dumps(value)
        for identity, name in self.names.items():
            text = text.replace(name, identity)
        return json.loads(text.replace("<image>", BUSYBOX))

    def prepare(self, call, request, row):
        if call == "RunPodSandbox":
            request["runtime_handler"] = self.node.handler
            self.config = request["config"]
            os.makedirs(self.node.file(self.config["log_directory"]), exist_ok=True)
        if call == "CreateContainer":
            request["sandbox_config"] = self.config
            log = os.path.join(self.config["log_directory"], request["config"]["log_path"])
            os.makedirs(os.path.dirname(self.node.file(log)), exist_ok=True)
            for path, source in row["sources"].items():
                self.make(path, source)

    def make(self, path, source):
        """What a kubelet prepares for a mount: a file, a directory, or a bind mount of one of its volumes."""
        if os.path.exists(self.node.file(path)):
            return
        if "text" in source:
            self.node.file(path, source["text"])
        else:
            os.makedirs(self.node.file(path), exist_ok=True)
        os.chmod(self.node.file(path), source["mode"])
        os.chown(self.node.file(path), source["uid"], source["gid"])
        if "bind" in source:
            origin = "/var/lib/kubelet" + source["bind"]
            self.make(origin, {key: source[key] for key in ("mode", "uid", "gid")})
            self.node.bed.run("tenant", "mount", "-n", "--bind", origin, path, check=True)
            self.binds.append(path)

    def call(self, row):
        call, request = row["call"], self.fill(row["request"])
        self.prepare(call, request, row)
        types = kubelet_calls.CALLS[call]
        answer = kubelet_calls.to_dict(self.node.call(call, ParseDict(request, types[0]()), types[1]))
        if call in ("RunPodSandbox", "CreateContainer"):
            self.names[next(iter(answer.values()))] = kubelet_calls.name_of(call, request)
        for pod in [answer.get("status", {})] + answer.get("items", []):
            pod.pop("runtime_handler", None)        # a static pod has none
        return kubelet_calls.neutral(answer, self.names)

    def expect(self, number, row):
        deadline = time.monotonic() + (PATIENCE if row["call"] in kubelet_calls.QUESTIONS else 0)
        while True:
            answer = self.call(row)
            if answer == row["response"]:
                return
            assert time.monotonic() < deadline, \
                f"call {number}, {row['call']} {row['request']}\nrecorded: {row['response']}\nanswered: {answer}"
            time.sleep(0.05)

    def logs(self):
        top = self.node.file(self.config["log_directory"])
        return {name: [line.split(" ", 3)[1:] for line in open(f"{top}/{name}", encoding="utf-8")]
                for name in ("first/0.log", "main/0.log", "crashes/1.log")}

    def message(self, recording):
        """What the termination log of the container `main` has to say."""
        mounts, = [row["request"]["config"]["mounts"] for row in recording
                   if row["call"] == "CreateContainer" and row["request"]["config"]["metadata"]["name"] == "main"]
        path, = [mount["host_path"] for mount in mounts if mount["container_path"] == "/dev/termination-log"]
        with open(self.node.file(path), encoding="utf-8") as file:
            return file.read()


@pytest.fixture
def replay(node):
    made = Replay(node)
    yield made
    node.discard()
    for path in made.binds:
        node.bed.run("tenant", "umount", "-n", path, check=True)
    shutil.rmtree(node.file("/var/lib/kubelet"), ignore_errors=True)
    if made.config:
        node.forget(ParseDict(made.config, kubelet_calls.pb.PodSandboxConfig()))


def test_the_calls_of_a_kubelet_get_the_recorded_answers(replay):
    with open(os.path.join(os.path.dirname(__file__), "kubelet_calls.json"), encoding="utf-8") as file:
        recording = json.load(file)
    assert {row["call"] for row in recording} == set(kubelet_calls.CALLS)
    for number, row in enumerate(recording):
        replay.expect(number, row)
        if row["call"] == "StopPodSandbox" and not replay.stopped:
            replay.stopped = True
            assert replay.logs() == {
                "first/0.log": [["stdout", "F", "uid=1000(user) gid=1000(user) groups=1000(user),2000,3000,50000(extra)\n"]],
                "main/0.log": [["stdout", "F", "first\n"], ["stdout", "F", "ready\n"]],
                "crashes/1.log": [["stderr", "F", "crash\n"]]}
            assert replay.message(recording) == "ended\n"
