# SPDX-License-Identifier: Apache-2.0
"""The columns of the CRI suite: each case runs with runc, with cleave and a stub guest, and if it is
marked `vm` with cleave and a real VM, too. What runc does not pass is a wrong case.

Test modules use these fixtures:
    node    the tenant node's CRI client whose pods get the column's runtime; what a case made is removed after it
    pod     one plain pod for the whole module
    ctr     a sleeping busybox in that pod, for the whole module
    world   what belongs to the column: `node` without the clean-up, for fixtures of a module
"""
import os

import grpc
import pytest

import cri as cri_program
import images
import ns
import setup
import snapshot
from tables import IMPOSSIBLE, KNOWN, PENDING

BUSYBOX = "registry.cleave.test/busybox:1"
SLEEP = ["sleep", "1000"]
HANDLER = {"runc": "runc", "cleave": "cleave-tenant", "vm": "cleave-tenant"}
POD, CONTAINER, NODE, TARGET = range(4)                     # NamespaceMode
DEFAULT, UNCONFINED, LOCALHOST = range(3)                   # SecurityProfile.ProfileType
PRIVATE, TO_CONTAINER, BIDIRECTIONAL = range(3)             # MountPropagation


class Column(cri_program.Cri):
    """One column: the tenant node's containerd with one runtime handler."""

    def __init__(self, bed, name):
        super().__init__(bed, "tenant")
        self.name, self.kept = name, set()
        self.version()

    @property
    def is_cleave(self):
        return self.name != "runc"

    @property
    def handler(self):
        return HANDLER[self.name]

    def config(self, name="web", security=None, sysctls=None, **fields):
        config = self.pod_config(name, **fields)
        if security:
            config.linux.security_context.MergeFrom(cri_program.pb.LinuxSandboxSecurityContext(**security))
        config.linux.sysctls.update(sysctls or {})
        return config

    def pod(self, name="web", security=None, sysctls=None, **fields):
        return self.run_pod(runtime=self.handler, config=self.config(name, security, sysctls, **fields))

    def create(self, pod, name, image, command=(), **fields):
        """As a kubelet asks for it: a container has processes of its own if nothing else is said."""
        linux = fields.pop("linux", {})
        security = {"namespace_options": {"pid": CONTAINER}, **linux.get("security_context", {})}
        return super().create(pod, name, image, command, linux={**linux, "security_context": security}, **fields)

    def keep(self, identity):
        """A pod or a container of a fixture: it stays until the module's end."""
        self.kept.add(identity)
        return identity

    def discard(self):
        """Whatever is not kept goes, as a kubelet would remove it."""
        for pod in self.pods():
            if pod.id not in self.kept:
                self.stop_pod(pod.id)
                self.remove_pod(pod.id)
        for ctr in self.containers():
            if ctr.id not in self.kept:
                log = self.file(self.container_status(ctr.id).log_path)
                self.end(ctr.id)
                self.remove_container(ctr.id)
                if os.path.isfile(log):
                    os.unlink(log)          # the next container of this name would append to it

    def end(self, ctr):
        """Ends it if it runs. containerd has deleted the task of what ends by itself some time before it calls it
        exited: meanwhile it stops nothing, and does not remove it either. So the state is waited for."""
        if self.container_status(ctr).state == cri_program.RUNNING:
            try:
                self.stop_container(ctr, grace=0)
            except grpc.RpcError as error:  # containerd hangs up on the task of what has just ended by itself
                if "ttrpc: closed" not in error.details():
                    raise
            assert self.wait_exit(ctr).state == cri_program.EXITED

    # ---- what cases ask often -----------------------------------------------------------------

    def out(self, ctr, *command, timeout=30):
        """What a command prints; it must succeed."""
        code, out, err = self.exec(ctr, *command, timeout=timeout)
        assert code == 0, f"{command} ended with {code}: {err.decode(errors='replace')}"
        return out.decode()

    def sh(self, ctr, script):
        return self.out(ctr, "sh", "-c", script)

    def secure(self, pod, name, image=BUSYBOX, command=tuple(SLEEP), **security):
        """A running container with this security context."""
        return self.run(pod, name, image, command, linux={"security_context": security})

    def task(self, *words, **kwargs):
        return self.bed.run("tenant", "ctr", "-n", "k8s.io", "tasks", *words, **kwargs)

    # ---- files of the node and images of the registry ------------------------------------------

    def file(self, inside, text=None):
        """The path by which this process reaches a file of the node; with `text`, it is written."""
        path = self.bed.path("tenant", inside)
        if text is not None:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as out:
                out.write(text)
        return path

    def push(self, name, image):
        """Puts an image into the registry of the node; the reference to pull."""
        repository, tag = name.split(":")
        if not ns.call(self.bed.pid("tenant"), ns.NEWNET, lambda: image.push(setup.REGISTRY_PORT, repository, tag)):
            raise RuntimeError(f"the image {name} could not be pushed")
        return f"{images.REGISTRY}/{name}"

    def reference(self, image):
        """An image that the registry has already, pulled."""
        self.pull(image)
        return image

    def image(self, name, *extra, **config):
        """A busybox image of the suite's own, pulled."""
        reference = self.push(name, images.busybox(extra, **config))
        self.pull(reference)
        return reference


def pytest_generate_tests(metafunc):
    if "world" in metafunc.fixturenames:
        only = metafunc.definition.get_closest_marker("only")
        columns = list(only.args) if only else ["runc", "cleave"]
        columns += ["vm"] * (metafunc.definition.get_closest_marker("vm") is not None)
        metafunc.parametrize("world", columns, indirect=True, scope="module")


def mark_exceptions(items):
    """A row of a table concerns cleave's columns only: runc has to pass."""
    for item in items:
        column = getattr(item, "callspec", None) and item.callspec.params.get("world")
        if column not in ("cleave", "vm"):
            continue
        case = f"{item.path.stem}::{item.originalname}"
        if case in PENDING | IMPOSSIBLE:
            item.add_marker(pytest.mark.skip(reason=(PENDING | IMPOSSIBLE)[case]))
        if case in KNOWN:
            item.add_marker(pytest.mark.xfail(reason=KNOWN[case], strict=True))


@pytest.fixture(scope="module")
def world(request, running_bed):
    """The column for the tests of one module. At its end nothing may be left that was not there before."""
    if request.param == "vm" and not os.path.exists(running_bed.state["build"] + "/image/initrd.img"):
        pytest.fail("no guest image: make image")
    running_bed.use_guest("vm" if request.param == "vm" else "stub", guest_root=getattr(request.module, "GUEST_ROOT", False))
    column = Column(running_bed, request.param)
    for image in ("pause:1", "busybox:1"):
        column.pull(f"{images.REGISTRY}/{image}")
    before = snapshot.take(running_bed)
    yield column
    column.kept.clear()
    column.remove_everything()
    column.close()
    left = snapshot.leftovers(running_bed, before)
    print(f"left behind: {len(left)}", *left, sep="\n")
    assert not left, "left behind:\n" + "\n".join(left)


@pytest.fixture
def node(world, logged_bed):
    yield world
    world.discard()


@pytest.fixture(scope="module")
def pod(world):
    return world.keep(world.pod("shared"))


@pytest.fixture(scope="module")
def ctr(world, pod):
    return world.keep(world.run(pod, "shared", BUSYBOX, SLEEP))
