#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""One pod through both realms, step by step. Every line that is marked with a tick was checked; the
first claim that does not hold ends the demo with exit code 1."""
import argparse
import os
import platform
import secrets
import shutil
import subprocess
import sys
import textwrap
import threading
import time

import grpc

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import bed as bed_program   # noqa: E402
import cri as cri_program   # noqa: E402
import scratch              # noqa: E402
import setup                # noqa: E402
import snapshot             # noqa: E402
import ttrpc                # noqa: E402

IMAGE = "registry.cleave.test/busybox:1"
BOOT_SECONDS = 200
FETCH = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=10).read().decode(), end='')"


class Broken(Exception):
    pass


class Story:
    """What is printed, and what is counted."""

    def __init__(self):
        self.began = time.monotonic()
        self.claims = self.steps = 0

    def step(self, realm, text):
        self.steps += 1
        print(f"\n{self.steps:2}. {realm:6} {text}", flush=True)

    def show(self, text, mark="  |"):
        for line in str(text).rstrip("\n").split("\n"):
            for part in textwrap.wrap(line, 110) or [""]:
                print(f"    {mark} {part}", flush=True)

    def claim(self, holds, text):
        if not holds:
            raise Broken(text)
        self.claims += 1
        print(f"    ok  {text}", flush=True)


def short(name):
    return name[:13]


def refused(function):
    """(code's name, sentence) of a call that must fail."""
    try:
        function()
    except grpc.RpcError as error:
        return error.code().name, error.details()
    return "OK", "it was answered"


def processes(bed, words):
    return [line for line in snapshot.processes(bed, "host") if words in line]


def wait(condition, seconds=15):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


class Demo:
    def __init__(self, bed):
        self.bed, self.story = bed, Story()
        self.tenant, self.host = cri_program.Cri(bed, "tenant"), cri_program.Cri(bed, "host")
        self.canary = "canary-" + secrets.token_hex(8)
        self.shared = "/run/pages"           # of the node alone
        self.command = ["sh", "-c", f"echo to-stdout; echo to-stderr >&2; : {self.canary}; exec sleep 1000"]

    def pod(self):
        story, tenant = self.story, self.tenant
        story.step("tenant", "RunPodSandbox: the host half is made, its VM boots and is appraised")
        config = tenant.pod_config("demo", labels={"app": self.canary})
        os.makedirs(self.bed.path("tenant", config.log_directory), exist_ok=True)
        began = time.monotonic()
        call = tenant.run_pod_start(config, "cleave-tenant", BOOT_SECONDS)
        stages = [("host: a pod sandbox", lambda: self.host.pods()),
                  ("host: a virtual machine (QEMU)", lambda: processes(self.bed, "qemu-system"))]
        while stages and not call.done():
            if stages[0][1]():
                story.show(f"{time.monotonic() - began:5.1f} s  {stages.pop(0)[0]}")
            time.sleep(0.05)
        self.tenant_pod = call.result().pod_sandbox_id
        tenant.configs[self.tenant_pod] = config
        story.show(f"{time.monotonic() - began:5.1f} s  tenant: the guest is appraised, the pod is ready")
        story.claim(tenant.pod_status(self.tenant_pod).status.state == cri_program.READY,
                    f"tenant pod {short(self.tenant_pod)} is READY")
        host_pods = self.host.pods()
        story.claim(len(host_pods) == 1 and host_pods[0].state == cri_program.READY,
                    f"host pod {short(host_pods[0].id)} is READY")
        story.claim(len(processes(self.bed, "qemu-system")) == 1, "one QEMU runs on the host node, none on the tenant's")
        self.host_pod = host_pods[0]

    def container(self):
        story, tenant = self.story, self.tenant
        story.step("tenant", f"pull {IMAGE} on the tenant's node, run it in the guest")
        story.show("image " + tenant.pull(IMAGE)[:32])
        began = time.monotonic()
        self.ctr = tenant.run(self.tenant_pod, "one", IMAGE, self.command, env={"SECRET": self.canary})
        story.show(f"{time.monotonic() - began:5.1f} s  created and started: layers sent, hashed and unpacked in the guest")
        story.claim(tenant.container_status(self.ctr).state == cri_program.RUNNING,
                    f"container {short(self.ctr)} is RUNNING")
        release = tenant.exec(self.ctr, "uname", "-r")[1].decode().strip()
        story.show(f"uname -r in the container: {release}    on the node: {platform.release()}")
        story.claim(release != platform.release(), "it runs on another kernel than the node's")
        story.claim(not any("sleep 1000" in line for role in bed_program.ROLES
                            for line in snapshot.processes(self.bed, role)), "its process is on neither node")

    def exec_and_logs(self):
        story, tenant = self.story, self.tenant
        story.step("tenant", "exec, its output and its exit code")
        code, out, err = tenant.exec(self.ctr, "sh", "-c", "hostname; echo $SECRET | cut -c1-6; echo oops >&2; exit 7")
        story.show(f"exit code {code}\nstdout: {out.decode().split()}\nstderr: {err.decode().split()}")
        story.claim((code, out, err) == (7, b"demo\ncanary\n", b"oops\n"), "exit code and both streams are the command's")
        story.step("tenant", "logs of the container, both streams")
        wait(lambda: len(tenant.log(self.ctr)) >= 2)
        log = tenant.log(self.ctr)
        story.show("\n".join(f"{stream}: {text}" for stream, text in log))
        story.claim(sorted(log) == [("stderr", "to-stderr"), ("stdout", "to-stdout")], "both lines are there, once")

    def network_and_volume(self):
        story, tenant, bed = self.story, self.tenant, self.bed
        story.step("tenant", "a server in the guest: the pod's address is the tenant's, its files are the node's")
        os.mkdir(bed.path("tenant", self.shared))
        with open(os.path.join(bed.path("tenant", self.shared), "index.html"), "w", encoding="utf-8") as file:
            file.write(self.canary)
        server = tenant.run(self.tenant_pod, "web", IMAGE, ["httpd", "-f", "-p", "8080", "-h", "/pages"],
                            mounts=[{"host_path": self.shared, "container_path": "/pages"}])
        address = tenant.pod_status(self.tenant_pod).status.network.ip
        story.show(f"GET http://{address}:8080/ on the tenant's node")
        story.claim(wait(lambda: bed.run("tenant", "/usr/bin/python3", "-c", FETCH, f"http://{address}:8080/",
                                         check=False).stdout == self.canary), f"{address} answers from the guest with a file of the tenant's node")
        tenant.exec(server, "sh", "-c", f"echo {self.canary} >/pages/answer; echo {self.canary} >/root/own; sync")
        with open(os.path.join(bed.path("tenant", self.shared), "answer"), encoding="utf-8") as file:
            story.claim(file.read() == self.canary + "\n", "what the container writes there is on the tenant's node")

    def hosts_view(self):
        story, host = self.story, self.host
        story.step("host", "what the host can see of it")
        for pod in host.pods():
            story.show(f"pod {pod.metadata.namespace}/{pod.metadata.name}  handler {pod.runtime_handler}")
        story.show(f"containers: {len(host.containers())}    images: "
                   + " ".join(sorted(tag for image in host.images() for tag in image.repo_tags)))
        story.claim(not host.containers(), "no container, so no image, command or environment")
        seen = self.host_texts()
        hits = [name for name, text in seen.items() if self.canary.encode() in text or b"busybox" in text]
        story.claim(not hits, "no word of the workload in: " + ", ".join(seen) + (f" (but in {hits})" if hits else ""))

    def host_texts(self):
        """{what: bytes} of the places on the host node where a workload could show."""
        bed, uuid = self.bed, self.host_pod.id
        xml = bed.run("host", "virsh", "-c", "qemu:///system", "dumpxml", f"cleave-{uuid}").stdout
        status = str(self.host.pod_status(uuid, verbose=True))
        with open(bed.log("host", "containerd"), "rb") as log:
            logs = log.read()
        disks = b""
        for name in os.listdir(bed.path("host", f"/run/cleave/h/{uuid}")):
            with open(bed.path("host", f"/run/cleave/h/{uuid}/{name}"), "rb") as file:
                disks += file.read()
        qemu = processes(bed, "qemu-system")[0].split()[0]
        scratch_disk = b"".join(block for _, block in sorted(scratch.blocks(scratch.disk_of(qemu)).items()))
        return {"pod status": status.encode(), "libvirt's XML": xml.encode(), "logs": logs,
                "the VM's own disks": disks, f"its scratch disk ({len(scratch_disk) >> 20} MiB of it in use)": scratch_disk,
                "process list": "\n".join(snapshot.processes(bed, "host")).encode()}

    def attack(self):
        story, host = self.story, self.host
        story.step("host", "an attacking host: a container of its own in the sandbox, then exec into it")
        anchor = host.run(self.host_pod.id, "intruder", setup.ANCHOR, ["sh"])
        self.intruders = host.configs[self.host_pod.id]
        story.show(f"anchor {short(anchor)} created and started: it has no process")
        code, sentence = refused(lambda: host.exec(anchor, "cat", "/etc/shadow"))
        story.show(f"CRI ExecSync: {code}: {sentence}")
        story.claim(code == "PERMISSION_DENIED" and "the host cannot run anything in it" in sentence,
                    "the host's exec is refused, with our sentence")
        story.step("host", "past containerd: a raw ttrpc Exec on the shim's socket")
        shim = ttrpc.of_sandbox(self.bed, "host", self.host_pod.id)
        code, sentence, _ = shim.call("containerd.task.v3.Task", "Exec", ttrpc.field(1, anchor) + ttrpc.field(2, "x"))
        shim.close()
        story.show(f"Task.Exec: status {code}: {sentence}")
        story.claim(code == ttrpc.PERMISSION_DENIED and "the host cannot run anything in it" in sentence,
                    "refused there, too: the host half has nothing to forward it with")
        story.claim(self.tenant.exec(self.ctr, "echo", "unharmed") == (0, b"unharmed\n", b""), "the workload runs on")

    def teardown(self, before):
        story, tenant = self.story, self.tenant
        story.step("tenant", "StopPodSandbox, RemovePodSandbox: both halves go")
        began = time.monotonic()
        tenant.stop_pod(self.tenant_pod)
        tenant.remove_pod(self.tenant_pod)
        story.show(f"{time.monotonic() - began:5.1f} s")
        story.claim(wait(lambda: not self.host.pods()), "the host's pod is gone")
        story.claim(not processes(self.bed, "qemu-system"), "the virtual machine is gone")
        shutil.rmtree(self.bed.path("tenant", self.shared))
        self.host.forget(self.intruders)        # the log of the intruder, which the host itself asked for
        left = snapshot.leftovers(self.bed, before)
        story.show("domains, links, mounts, cgroups, sockets, files, processes of both nodes, before and after:")
        if left:
            story.show("\n".join(left))
        story.show(f"left behind: {len(left)}")
        story.claim(not left, "nothing is left on either node")

    def run(self):
        self.tenant.version()
        self.host.version()
        self.tenant.pull(setup.PAUSE)
        before = snapshot.take(self.bed)
        for part in (self.pod, self.container, self.exec_and_logs, self.network_and_volume, self.hosts_view, self.attack):
            part()
        self.teardown(before)


def bring_up(build):
    bed = bed_program.Bed("demo")
    began = time.monotonic()
    bed.up(build, "vm")
    version = subprocess.run([bed_program.NODE_BIN + "/containerd", "--version"], capture_output=True, text=True, check=True)
    print("cleave demo: one pod through both realms\n"
          f"    a host node and a tenant node on this machine, containerd {version.stdout.split()[2]} on each: "
          f"up in {time.monotonic() - began:.1f} s\n"
          "    evidence is 'sample': it is for development and proves nothing about the machine", flush=True)
    return bed


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default=os.environ.get("BUILD", bed_program.ROOT + "/build"))
    args = parser.parse_args()
    if os.geteuid() != 0:
        print("demo: needs root (network and mount namespaces, libvirtd)", file=sys.stderr)
        return 2
    watchdog = threading.Timer(15 * 60, lambda: os._exit(3))
    watchdog.daemon = True
    watchdog.start()
    bed = bring_up(args.build)
    story = None
    try:
        demo = Demo(bed)
        story = demo.story
        demo.run()
    except (Broken, grpc.RpcError, RuntimeError, OSError, subprocess.CalledProcessError) as error:
        details = error.details() if isinstance(error, grpc.RpcError) else error
        print(f"\ndemo FAILED in step {story.steps if story else 0}: {details}\n"
              f"logs: {bed.dir}.last/{{host,tenant}}/*.log", file=sys.stderr)
        bed.down()
        return 1
    bed.down()
    print(f"\ndemo: {story.claims} claims held, 0 did not; {time.monotonic() - story.began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
