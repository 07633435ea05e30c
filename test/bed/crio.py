# SPDX-License-Identifier: Apache-2.0
"""Plays CRI-O's part towards a shim, by the rules of its `vm` runtime type: a bundle with the root mounted
already, `start` for each container, Task API v2 on the address that it prints, no events, never `delete`."""
import json
import os
import re
import uuid

import ttrpc

TASK = "containerd.task.v2.Task"
STORAGE = "/run/crio-storage"
CREATED, RUNNING, STOPPED = 1, 2, 3
CAPABILITIES = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_KILL", "CAP_SETGID", "CAP_SETUID"]


class Crio:
    """One node's CRI-O, as far as a runtime sees it."""

    def __init__(self, bed, shim, conf):
        self.bed, self.shim, self.conf = bed, shim, conf
        self.addresses = set()

    def _write(self, path, text):
        target = self.bed.path("tenant", path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "w", encoding="utf-8") as out:
            out.write(text)

    def pod(self, name):
        return Pod(self, name)

    def start(self, bundle, ident):
        """Runs `start` as CRI-O does; a client of the address on stdout."""
        out = self.bed.run("tenant", "sh", "-c", f"cd {bundle} && TTRPC_ADDRESS= exec {self.shim} -namespace default -address '' "
                           f"-publish-binary '' -id {ident} start </dev/null").stdout
        assert re.fullmatch(r"unix:///\S+\n?", out), out
        self.addresses.add(out.strip())
        return ttrpc.Client(self.bed.path("tenant", out.strip().removeprefix("unix://")))


class Container:
    """A bundle and its task. `rootfs` is a directory of the node that holds the image's files."""

    def __init__(self, crio, ident, spec, rootfs):
        self.crio, self.id, self.dir = crio, ident, f"{STORAGE}/{ident}"
        self.bundle = self.dir + "/userdata"
        spec["root"] = {"path": self.dir + "/merged"}
        crio._write(self.bundle + "/config.json", json.dumps(spec))
        crio._write(self.bundle + "/log", "")       # CRI-O reads none; a test does
        for stream in ("stdin", "stdout", "stderr"):
            os.mkfifo(crio.bed.path("tenant", f"{self.dir}/{stream}"), 0o600)
        merged = crio.bed.path("tenant", self.dir + "/merged")
        os.makedirs(merged)
        self.mounted = bool(rootfs)
        if rootfs:
            crio.bed.run("tenant", "/bin/busybox", "mount", "-n", "-o", "bind", rootfs, self.dir + "/merged")
        self.out = os.open(crio.bed.path("tenant", self.dir + "/stdout"), os.O_RDONLY | os.O_NONBLOCK)
        self.client = crio.start(self.bundle, ident)

    def call(self, method, *fields, exec_id=None):
        message = ttrpc.field(1, self.id) + (ttrpc.field(2, exec_id) if exec_id else b"") + b"".join(fields)
        code, text, payload = self.client.call(TASK, method, message)
        return code, text, ttrpc.fields(payload)

    def create(self):
        options = ttrpc.field(1, "runtimeoptions.v1.Options") + ttrpc.field(2, ttrpc.field(2, self.crio.conf))
        return self.call("Create", ttrpc.field(2, self.bundle), ttrpc.field(6, self.dir + "/stdout"), ttrpc.field(10, options))

    def state(self):
        return self.call("State")[2].get(4)

    def kill(self, signal):
        return self.call("Kill", ttrpc.field(3, signal))

    def wait(self):
        """The exit status, when there is one."""
        return self.call("Wait")[2].get(1, 0)

    def exec(self, exec_id, *args):
        process = {"args": list(args), "cwd": "/", "env": ["PATH=/bin"], "user": {"uid": 0, "gid": 0}}
        spec = ttrpc.field(1, "types.containerd.io/opencontainers/runtime-spec/1/Process") + ttrpc.field(2, json.dumps(process))
        assert self.call("Exec", ttrpc.field(7, spec), exec_id=exec_id)[0] == 0
        assert self.call("Start", exec_id=exec_id)[0] == 0
        status = self.call("Wait", exec_id=exec_id)[2].get(1, 0)
        assert self.call("Delete", exec_id=exec_id)[0] == 0
        return status

    def log(self):
        with open(self.crio.bed.path("tenant", self.bundle + "/log"), encoding="utf-8") as file:
            return file.read()

    def output(self):
        try:
            return os.read(self.out, 65536)
        except BlockingIOError:
            return b""

    def delete(self):
        """Delete, then Shutdown, as after each container."""
        code = self.call("Delete")[0]
        self.call("Shutdown")
        return code

    def close(self):
        self.client.close()
        os.close(self.out)
        if self.mounted:
            self.crio.bed.run("tenant", "/bin/busybox", "umount", "-n", self.dir + "/merged")
        self.crio.bed.run("tenant", "rm", "-rf", self.dir)


class Pod:
    """The sandbox ("infra") container and what is made in it."""

    def __init__(self, crio, name):
        self.crio, self.name, self.containers = crio, name, []
        self.id = uuid.uuid4().hex * 2
        self.run = f"{STORAGE}/{self.id}/userdata"
        crio._write(self.run + "/resolv.conf", "nameserver 192.0.2.99\n")
        crio._write(self.run + "/hostname", name + "\n")
        crio._write(self.run + "/.containerenv", "")
        self.namespaces = [{"type": kind, "path": f"/var/run/{short}ns/{self.id}"}
                           for kind, short in (("network", "net"), ("uts", "uts"), ("ipc", "ipc"))]
        self._make_network()
        self.sandbox = Container(crio, self.id, self._spec("sandbox", self.id, ["/pause"]), None)

    def _make_network(self):
        """As CNI would: a namespace by name, eth0 in it."""
        for command in (f"netns add {self.id}", f"link add crio{self.id[:8]} type veth peer name eth0 netns {self.id}",
                        f"-n {self.id} address add 10.95.0.2/24 dev eth0", f"-n {self.id} link set eth0 up"):
            self.crio.bed.run("tenant", "ip", *command.split())

    def _spec(self, kind, ident, args):
        prefix = "io.kubernetes.cri-o."
        mounts = [{"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]},
                  {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
                  {"destination": "/dev/shm", "type": "bind", "source": f"{self.run}/shm", "options": ["rw", "bind"]},
                  {"destination": "/etc/resolv.conf", "type": "bind", "source": self.run + "/resolv.conf", "options": ["rw", "bind"]},
                  {"destination": "/etc/hostname", "type": "bind", "source": self.run + "/hostname", "options": ["rw", "bind"]}]
        if kind == "container":
            mounts.append({"destination": "/run/.containerenv", "type": "bind", "source": self.run + "/.containerenv",
                           "options": ["rw", "bind"]})
        caps = {name: CAPABILITIES for name in ("bounding", "effective", "permitted")}
        return {"ociVersion": "1.0.2-dev", "hostname": self.name, "mounts": mounts,
                "process": {"args": args, "cwd": "/", "env": ["PATH=/bin"], "user": {"uid": 0, "gid": 0}, "capabilities": caps},
                "linux": {"namespaces": [*self.namespaces, {"type": "pid"}, {"type": "mount"}], "resources": {}},
                "annotations": {
                    prefix + "ContainerType": kind, prefix + "SandboxID": self.id, prefix + "ContainerID": ident,
                    prefix + "KubeName": self.name, prefix + "Namespace": "test", prefix + "ImageName": "registry.test/image:1",
                    prefix + "Metadata": json.dumps({"name": self.name, "uid": "1", "namespace": "test"})}}

    def start(self):
        """Create and Start of the sandbox container: (code, message)."""
        code, text, _ = self.sandbox.create()
        return (code, text) if code else self.sandbox.call("Start")[:2]

    def container(self, args, rootfs, change=None):
        ident = uuid.uuid4().hex * 2
        spec = self._spec("container", ident, args)
        if change:
            change(spec)
        made = Container(self.crio, ident, spec, rootfs)
        self.containers.append(made)
        return made

    def stop(self):
        """What CRI-O does last, if the shim is there to hear it."""
        try:
            if self.sandbox.kill(9)[0] == 0:
                self.sandbox.wait()
            for container in [*self.containers, self.sandbox]:
                container.delete()
        except (OSError, EOFError):
            pass

    def close(self):
        for container in [*self.containers, self.sandbox]:
            container.close()
        self.crio.bed.run("tenant", "ip", "netns", "delete", self.id)


def make_rootfs(bed, tar):
    """The files of an image where CRI-O's storage would have them."""
    root = STORAGE + "/image"
    os.makedirs(bed.path("tenant", root), exist_ok=True)
    with open(bed.path("tenant", STORAGE + "/image.tar"), "wb") as out:
        out.write(tar)
    bed.run("tenant", "tar", "-xf", STORAGE + "/image.tar", "-C", root)
    return root


def remove_storage(bed):
    bed.run("tenant", "rm", "-rf", STORAGE)
