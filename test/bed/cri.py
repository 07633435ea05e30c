#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A CRI client for tests, and by hand: cri.py [-n BED] host|tenant VERB ... (VERB --help tells more)."""
import argparse
import fcntl
import os
import shutil
import sys
import time
import uuid

os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")     # its handlers start threads in our forks
import grpc    # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import bed as bed_program   # noqa: E402
import ns                   # noqa: E402


def _generate():
    """runtime_pb2 from runtime.proto, under build/ and only when the .proto is newer."""
    out = bed_program.ROOT + "/build/gen-py"
    source = HERE + "/runtime.proto"
    os.makedirs(out, exist_ok=True)
    with open(out + "/.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        target = out + "/runtime_pb2.py"
        if not os.path.exists(target) or os.path.getmtime(target) < os.path.getmtime(source):
            from grpc_tools import protoc
            if protoc.main(["protoc", f"-I{HERE}", f"--python_out={out}", source]) != 0:
                raise RuntimeError("protoc failed on " + source)
    sys.path.insert(0, out)


_generate()
import runtime_pb2 as pb    # noqa: E402

READY, NOTREADY = 0, 1
CREATED, RUNNING, EXITED, UNKNOWN = range(4)
LONG = 240.0        # what kubelet allows RunPodSandbox


class Cri:
    """One node's CRI socket. Every method is one call and raises grpc.RpcError."""

    def __init__(self, bed, role):
        self.bed, self.role = bed, role
        self.configs = {}           # pod id -> its PodSandboxConfig, which CreateContainer wants again
        self.channel = self._connect()

    def _connect(self):
        return grpc.insecure_channel(self.bed.cri(self.role), options=[
            ("grpc.default_authority", "localhost"), ("grpc.max_receive_message_length", 1 << 28),
            ("grpc.use_local_subchannel_pool", 1)])

    def call(self, method, request, response=pb.Empty, service="Runtime", timeout=LONG, wait=False):
        return self.start(method, request, response, service, timeout, wait).result()

    def start(self, method, request, response=pb.Empty, service="Runtime", timeout=LONG, wait=False):
        """The call as a future, which .cancel() gives up."""
        stub = self.channel.unary_unary(f"/runtime.v1.{service}Service/{method}",
                                        request_serializer=lambda m: m.SerializeToString(),
                                        response_deserializer=response.FromString)
        return stub.future(request, timeout=timeout, wait_for_ready=wait)

    def close(self):
        self.channel.close()

    def version(self, seconds=20.0):
        """Answers once containerd does: its socket is there before its CRI service is."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                return self.call("Version", pb.Empty(), pb.VersionResponse, timeout=5, wait=True)
            except grpc.RpcError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.05)

    def status(self, verbose=False):
        return self.call("Status", pb.StatusRequest(verbose=verbose), pb.StatusResponse, timeout=20)

    def reconnect(self):
        """After a restart of containerd: a new connection (the old one's back-off would last)."""
        self.channel.close()
        self.channel = self._connect()
        return self.version()

    # ---- pods --------------------------------------------------------------------------------

    @staticmethod
    def pod_config(name, namespace="test", **fields):
        uid = str(uuid.uuid4())
        linux = {"cgroup_parent": f"/pods/{uid}", **fields.pop("linux", {})}
        config = {"hostname": name, "log_directory": f"/var/log/pods/{namespace}_{name}_{uid}", "linux": linux, **fields}
        return pb.PodSandboxConfig(metadata={"name": name, "uid": uid, "namespace": namespace}, **config)

    def run_pod_start(self, config, runtime, timeout=LONG):
        return self.start("RunPodSandbox", pb.RunPodSandboxRequest(config=config, runtime_handler=runtime),
                          pb.RunPodSandboxResponse, timeout=timeout)

    def run_pod(self, name="pod", runtime="cleave-tenant", timeout=LONG, config=None, **fields):
        config = config or self.pod_config(name, **fields)
        os.makedirs(self.bed.path(self.role, config.log_directory), exist_ok=True)
        try:
            pod = self.run_pod_start(config, runtime, timeout).result().pod_sandbox_id
        except grpc.RpcError:
            self.forget(config)
            raise
        self.configs[pod] = config
        return pod

    def pod_status(self, pod, verbose=False):
        return self.call("PodSandboxStatus", pb.PodSandboxId(pod_sandbox_id=pod, verbose=verbose),
                         pb.PodSandboxStatusResponse, timeout=20)

    def not_ready(self, pod):
        """False, too, while containerd still cleans up behind a shim that was killed."""
        try:
            return self.pod_status(pod).status.state == NOTREADY
        except grpc.RpcError as error:
            assert "ttrpc: closed" in error.details()
            return False

    def pods(self, **which):
        request = pb.ListPodSandboxRequest(filter=which or None)
        return list(self.call("ListPodSandbox", request, pb.ListPodSandboxResponse, timeout=20).items)

    def stop_pod(self, pod, timeout=60.0):
        self.call("StopPodSandbox", pb.PodSandboxId(pod_sandbox_id=pod), timeout=timeout)

    def remove_pod(self, pod, timeout=60.0):
        self._config_of(pod)
        self.call("RemovePodSandbox", pb.PodSandboxId(pod_sandbox_id=pod), timeout=timeout)
        self.forget(self.configs.pop(pod))

    def forget(self, config):
        """What a kubelet removes after a pod: its log directory and its control group."""
        shutil.rmtree(self.bed.path(self.role, config.log_directory), ignore_errors=True)
        if config.linux.cgroup_parent:      # else that would be the node's own
            ns.cgroup_remove(f"{self.bed.name}/{self.role}{config.linux.cgroup_parent}")

    # ---- containers --------------------------------------------------------------------------

    def _config_of(self, pod):
        """Of a pod that another process made: enough for CreateContainer."""
        if pod not in self.configs:
            status = self.pod_status(pod).status
            m = status.metadata
            self.configs[pod] = pb.PodSandboxConfig(
                metadata=m, hostname=m.name, annotations=status.annotations, labels=status.labels,
                log_directory=f"/var/log/pods/{m.namespace}_{m.name}_{m.uid}", linux={"cgroup_parent": f"/pods/{m.uid}"})
        return self.configs[pod]

    def create(self, pod, name, image, command=(), env=None, attempt=0, timeout=LONG, **fields):
        config = pb.ContainerConfig(metadata={"name": name, "attempt": attempt}, image={"image": image}, command=list(command),
                                    log_path=f"{name}.log", **fields)
        for key, value in (env or {}).items():
            config.envs.add(key=key, value=value)
        request = pb.CreateContainerRequest(pod_sandbox_id=pod, config=config, sandbox_config=self._config_of(pod))
        return self.call("CreateContainer", request, pb.ContainerId, timeout=timeout).container_id

    def start_container(self, ctr, timeout=120.0):
        self.call("StartContainer", pb.ContainerId(container_id=ctr), timeout=timeout)

    def run(self, pod, name, image, command=(), **fields):
        ctr = self.create(pod, name, image, command, **fields)
        self.start_container(ctr)
        return ctr

    def stop_container(self, ctr, grace=10, timeout=60.0):
        self.call("StopContainer", pb.StopContainerRequest(container_id=ctr, timeout=grace), timeout=timeout)

    def remove_container(self, ctr, timeout=60.0):
        self.call("RemoveContainer", pb.ContainerId(container_id=ctr), timeout=timeout)

    def container_status(self, ctr, verbose=False):
        return self.call("ContainerStatus", pb.ContainerId(container_id=ctr, verbose=verbose),
                         pb.ContainerStatusResponse, timeout=20).status

    def containers(self, **which):
        request = pb.ListContainersRequest(filter=which or None)
        return list(self.call("ListContainers", request, pb.ListContainersResponse, timeout=20).containers)

    def wait_exit(self, ctr, seconds=30.0):
        deadline = time.monotonic() + seconds
        while True:
            status = self.container_status(ctr)
            if status.state == EXITED or time.monotonic() > deadline:
                return status
            time.sleep(0.05)

    def exec(self, ctr, *command, timeout=30):
        """(exit code, stdout, stderr) of ExecSync."""
        answer = self.call("ExecSync", pb.ExecSyncRequest(container_id=ctr, cmd=command, timeout=timeout),
                           pb.ExecSyncResponse, timeout=timeout + 10)
        return answer.exit_code, answer.stdout, answer.stderr

    def stats(self, ctr):
        return self.call("ContainerStats", pb.ContainerId(container_id=ctr), pb.ContainerStatsResponse, timeout=20).stats

    def stats_list(self, **which):
        request = pb.ListContainerStatsRequest(filter=which or None)
        return list(self.call("ListContainerStats", request, pb.ListContainerStatsResponse, timeout=20).stats)

    def pod_stats(self, pod):
        return self.call("PodSandboxStats", pb.PodSandboxId(pod_sandbox_id=pod), pb.PodSandboxStatsResponse, timeout=20).stats

    def pod_stats_list(self, **which):
        request = pb.ListPodSandboxStatsRequest(filter=which or None)
        return list(self.call("ListPodSandboxStats", request, pb.ListPodSandboxStatsResponse, timeout=20).stats)

    def update(self, ctr, **resources):
        self.call("UpdateContainerResources", pb.UpdateContainerResourcesRequest(container_id=ctr, linux=resources), timeout=20)

    def checkpoint(self, ctr, location):
        self.call("CheckpointContainer", pb.CheckpointContainerRequest(container_id=ctr, location=location), timeout=20)

    # ---- streams: where to connect ------------------------------------------------------------

    def exec_url(self, ctr, command, **streams):
        return self.call("Exec", pb.ExecRequest(container_id=ctr, cmd=command, **streams), pb.Url, timeout=20).url

    def attach_url(self, ctr, **streams):
        return self.call("Attach", pb.AttachRequest(container_id=ctr, **streams), pb.Url, timeout=20).url

    def forward_url(self, pod, port):
        return self.call("PortForward", pb.PortForwardRequest(pod_sandbox_id=pod, port=[port]), pb.Url, timeout=20).url

    # ---- logs --------------------------------------------------------------------------------

    def reopen_log(self, ctr):
        self.call("ReopenContainerLog", pb.ContainerId(container_id=ctr), timeout=20)

    def log(self, ctr):
        """The CRI log as (stream, text) pairs."""
        path = self.container_status(ctr).log_path
        with open(self.bed.path(self.role, path), encoding="utf-8", errors="replace") as log:
            return [(f[1], f[3]) for f in (line.rstrip("\n").split(" ", 3) for line in log) if len(f) == 4]

    # ---- images ------------------------------------------------------------------------------

    def pull(self, image):
        return self.call("PullImage", pb.PullImageRequest(image={"image": image}), pb.PullImageResponse, "Image").image_ref

    def images(self):
        return list(self.call("ListImages", pb.Empty(), pb.ListImagesResponse, "Image").images)

    def image_status(self, image):
        """Its Image; None if there is none."""
        answer = self.call("ImageStatus", pb.ImageRequest(image={"image": image}), pb.ImageStatusResponse, "Image")
        return answer.image if answer.HasField("image") else None

    def remove_image(self, image):
        self.call("RemoveImage", pb.ImageRequest(image={"image": image}), service="Image")

    # ---- clean-up ----------------------------------------------------------------------------

    def remove_everything(self, seconds=30.0):
        """Every pod, tried again as a kubelet would: containerd cannot yet remove a pod whose shim has just died."""
        deadline = time.monotonic() + seconds
        while pods := self.pods():
            try:
                for pod in pods:
                    self.stop_pod(pod.id)
                    self.remove_pod(pod.id)
            except grpc.RpcError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)


VERBS = {
    "version": ((), lambda c, a: c.version()),
    "pods": ((), lambda c, a: "\n".join(f"{p.id}  {'READY' if p.state == READY else 'NOTREADY'}  {p.runtime_handler}  "
                                       f"{p.metadata.namespace}/{p.metadata.name}" for p in c.pods())),
    "ps": ((), lambda c, a: "\n".join(f"{k.id}  {('CREATED', 'RUNNING', 'EXITED', 'UNKNOWN')[k.state]}  "
                                     f"{k.metadata.name}  {k.image.image}" for k in c.containers())),
    "images": ((), lambda c, a: "\n".join(f"{i.id[7:19]}  {i.size}  {' '.join(i.repo_tags)}" for i in c.images())),
    "pull": (("image",), lambda c, a: c.pull(a.image)),
    "runp": (("--runtime", "name"), lambda c, a: c.run_pod(a.name, a.runtime or "runc")),
    "stopp": (("id",), lambda c, a: c.stop_pod(a.id)),
    "rmp": (("id",), lambda c, a: c.remove_pod(a.id)),
    "inspectp": (("id",), lambda c, a: c.pod_status(a.id, True)),
    "create": (("pod", "name", "image", "command*"), lambda c, a: c.create(a.pod, a.name, a.image, _command(a))),
    "start": (("id",), lambda c, a: c.start_container(a.id)),
    "stop": (("id",), lambda c, a: c.stop_container(a.id)),
    "rm": (("id",), lambda c, a: c.remove_container(a.id)),
    "inspect": (("id",), lambda c, a: c.container_status(a.id, True)),
    "exec": (("id", "command*"), lambda c, a: _exec(c, a)),
    "logs": (("id",), lambda c, a: "\n".join(f"{s}: {t}" for s, t in c.log(a.id))),
    "stats": (("id",), lambda c, a: c.stats(a.id)),
    "clean": ((), lambda c, a: c.remove_everything()),
}


def _command(args):
    return args.command[1:] if args.command[:1] == ["--"] else args.command


def _exec(cri, args):
    code, out, err = cri.exec(args.id, *_command(args))
    sys.stdout.buffer.write(out)
    sys.stdout.flush()
    sys.stderr.buffer.write(err)
    sys.exit(code)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", "--bed", default=os.environ.get("BED", "bed"))
    parser.add_argument("role", choices=bed_program.ROLES)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb, (words, _) in VERBS.items():
        sub = verbs.add_parser(verb)
        for word in words:
            if word.endswith("*"):
                sub.add_argument(word[:-1], nargs=argparse.REMAINDER)
            else:
                sub.add_argument(word)
    args = parser.parse_args()
    answer = VERBS[args.verb][1](Cri(bed_program.Bed(args.bed), args.role), args)
    if answer not in (None, ""):
        print(answer)


if __name__ == "__main__":
    try:
        main()
    except grpc.RpcError as error:
        sys.exit(f"cri: {error.code().name}: {error.details()}")
    except (RuntimeError, OSError) as error:
        sys.exit(f"cri: {error}")
