#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The CRI calls of a kubelet: which messages they are, how a recording keeps them, and the proxy that makes one.

    kubelet_calls.py record UPSTREAM SOCKET OUT     on the node: a kubelet that is pointed at SOCKET is recorded
    kubelet_calls.py reduce OUT kubelet_calls.json  keeps what a replay needs

A recording names pods and containers by what they are ("<pod>", "<main.0>"), moments by "<time>"."""
import json
import os
import re
import stat
import sys
import threading
import time
from concurrent import futures

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "bed"))
import cri as cri_program   # noqa: E402
import grpc                 # noqa: E402
from google.protobuf.json_format import MessageToDict, ParseDict    # noqa: E402

pb = cri_program.pb
ACTIONS = {
    "RunPodSandbox": (pb.RunPodSandboxRequest, pb.RunPodSandboxResponse),
    "StopPodSandbox": (pb.PodSandboxId, pb.Empty),
    "RemovePodSandbox": (pb.PodSandboxId, pb.Empty),
    "CreateContainer": (pb.CreateContainerRequest, pb.ContainerId),
    "StartContainer": (pb.ContainerId, pb.Empty),
    "StopContainer": (pb.StopContainerRequest, pb.Empty),
    "RemoveContainer": (pb.ContainerId, pb.Empty),
    "ExecSync": (pb.ExecSyncRequest, pb.ExecSyncResponse),
}
QUESTIONS = {
    "PodSandboxStatus": (pb.PodSandboxId, pb.PodSandboxStatusResponse),
    "ListPodSandbox": (pb.ListPodSandboxRequest, pb.ListPodSandboxResponse),
    "ContainerStatus": (pb.ContainerId, pb.ContainerStatusResponse),
    "ListContainers": (pb.ListContainersRequest, pb.ListContainersResponse),
}
CALLS = {**ACTIONS, **QUESTIONS}
TIME = re.compile(r'"(created_at|started_at|finished_at)": "\d+"')
ADDRESS = re.compile(r'"ip": "[0-9.]+"')
IMAGE = re.compile(r'"(image_ref|image)": "[^"]*(sha256:|busybox)[^"]*"')


def to_dict(message):
    return MessageToDict(message, preserving_proto_field_name=True, use_integers_for_enums=True)


def name_of(call, request):
    """What a call's answer will be known by."""
    if call == "RunPodSandbox":
        return "<pod>"
    metadata = request["config"]["metadata"]
    return f"<{metadata['name']}.{metadata.get('attempt', 0)}>"


def neutral(value, names):
    """A message without what differs from run to run. `names`: id -> name."""
    text = json.dumps(value)
    for identity, name in names.items():
        text = text.replace(identity, name)
    text = TIME.sub(r'"\1": "<time>"', text)
    text = ADDRESS.sub('"ip": "<address>"', text)
    value = json.loads(IMAGE.sub(r'"\1": "<image>"', text))
    for items in ("containers", "items"):
        if isinstance(value.get(items), list):
            value[items].sort(key=lambda item: item["id"])
    return value


# ---- recording --------------------------------------------------------------------------------


def source(path):
    """What lies behind a mount, enough to make it again."""
    st = os.stat(path)
    made = {"mode": stat.S_IMODE(st.st_mode), "uid": st.st_uid, "gid": st.st_gid}
    if stat.S_ISREG(st.st_mode):
        with open(path, encoding="utf-8") as file:
            made["text"] = file.read()
    with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
        for fields in map(str.split, mounts):
            if fields[4] == path:
                made["bind"] = fields[3]
    return made


class Recorder(grpc.GenericRpcHandler):
    def __init__(self, upstream, out):
        self.channel = grpc.insecure_channel("unix://" + upstream, options=[("grpc.default_authority", "localhost")])
        self.out, self.lock = out, threading.Lock()

    def service(self, details):
        if details.method.rsplit("/", 1)[1] in ("GetContainerEvents",):
            return None
        return grpc.unary_unary_rpc_method_handler(lambda request, context: self._pass(details.method, request, context))

    def _pass(self, method, request, context):
        call = method.rsplit("/", 1)[1]
        row = {"call": call}
        if call in CALLS:
            row["request"] = to_dict(CALLS[call][0].FromString(request))
        if call == "CreateContainer":
            paths = [mount["host_path"] for mount in row["request"]["config"].get("mounts", [])]
            row["sources"] = {path: source(path) for path in paths}
        try:
            answer = self.channel.unary_unary(method)(request, timeout=min(context.time_remaining() or 600, 600))
        except grpc.RpcError as error:
            context.abort(error.code(), error.details())
        if call in CALLS:
            row["response"] = to_dict(CALLS[call][1].FromString(answer))
            with self.lock:
                self.out.write(json.dumps(row) + "\n")
                self.out.flush()
        return answer


def record(upstream, listen, path):
    with open(path, "w", encoding="utf-8") as out:
        server = grpc.server(futures.ThreadPoolExecutor(32), handlers=[Recorder(upstream, out)])
        server.add_insecure_port("unix://" + listen)
        server.start()
        server.wait_for_termination()


# ---- what a replay needs ----------------------------------------------------------------------


def reduce(rows):
    """Only what says something new: a question whose answer has changed, an action that is not a
    probe like the one before. Ids and moments become names."""
    names, last, kept = {}, {}, []
    for row in rows:
        call, request = row["call"], row["request"]
        request.pop("sandbox_config", None)     # the one of RunPodSandbox again
        if call == "RunPodSandbox":
            request["config"]["dns_config"] = {"servers": ["192.0.2.53"]}
            request["config"]["linux"]["cgroup_parent"] = "/pods/" + request["config"]["metadata"]["uid"]
        if call in ("RunPodSandbox", "CreateContainer"):
            names[next(iter(row["response"].values()))] = name_of(call, request)
        row["request"], row["response"] = neutral(request, names), neutral(row["response"], names)
        told = (call, json.dumps(row["request"]))
        if call not in ACTIONS or call == "ExecSync":
            if last.get(told) == row["response"]:
                continue
            last[told] = row["response"]
        if call in QUESTIONS and not row["response"]:
            continue
        kept.append(row)
    return kept


def main():
    if sys.argv[1:2] == ["record"] and len(sys.argv) == 5:
        record(*sys.argv[2:])
    elif sys.argv[1:2] == ["reduce"] and len(sys.argv) == 4:
        with open(sys.argv[2], encoding="utf-8") as lines:
            rows = reduce([json.loads(line) for line in lines])
        with open(sys.argv[3], "w", encoding="utf-8") as out:
            out.write("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
