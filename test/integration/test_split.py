# SPDX-License-Identifier: Apache-2.0
"""`cleave split`: the specification that it composes beside what containerd makes of the calls of a real kubelet for the same pod.

test/cri/kubelet_pods/NAME.yaml are the pods; test/cri/kubelet_pods.json is what a kubelet (1.37.2) asked containerd for when it got
them as static pods (recorded with test/cri/kubelet_calls.py; a static pod's name ends with its node's). containerd is asked for the
same again, and its specification is rewritten by the tenant shim's own rules (guest-spec). What may differ is in `settle` and
nowhere else."""
import base64
import gzip
import hashlib
import json
import os
import subprocess

import grpc
import pytest
from google.protobuf.json_format import ParseDict

import cri as cri_program
import images
from conftest import BUILD
from suite import Column

pb = cri_program.pb
HERE = os.path.dirname(os.path.abspath(__file__))
PODS = HERE + "/../cri/kubelet_pods"
CLEAVE = BUILD + "/bin/cleave"
KUBELET = "/var/lib/kubelet"
SALT = "ab" * 32
CONFIGURED = {"Entrypoint": ["/bin/sh", "-c", "sleep 1000; echo $0 $*"], "Cmd": ["one", "two"],
              "Env": [images.PATH, "FROM_IMAGE=1", "GREETING=image"], "User": "1000:1000", "WorkingDir": "/var",
              "Volumes": {"/declared/first": {}, "/declared/second": {}}}


def write(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as out:
        out.write(data.encode() if isinstance(data, str) else data)
    return str(path)


def layout(directory, *made):
    """An OCI image layout with these images."""
    write(f"{directory}/oci-layout", '{"imageLayoutVersion":"1.0.0"}')
    for image in made:
        for blob in (image.manifest, *image.blobs):
            write(f"{directory}/blobs/sha256/{hashlib.sha256(blob).hexdigest()}", blob)
    return str(directory)


def split(pod, *words, stdin=None):
    return subprocess.run([CLEAVE, "split", pod, *words], capture_output=True, text=True, timeout=20, check=False, input=stdin)


# ---- without a node --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """(layout, reference) of one image."""
    image = images.Image([images.layer([("etc", None)])], {"Cmd": ["sh"]})
    return layout(tmp_path_factory.mktemp("layout"), image), "registry.example/shop@" + images.digest(image.manifest)


def pod_of(reference, **spec):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "shop"},
            "spec": {"containers": [{"name": "one", "image": reference}]} | spec}


def test_split_writes_what_fits_together(plain, tmp_path):
    pod = pod_of(plain[1])
    done = split("-", "--layout", plain[0], "--output", str(tmp_path / "out"), stdin=json.dumps(pod))
    assert done.returncode == 0, done.stderr
    manifest = (tmp_path / "out/tenant.json").read_bytes()
    half = json.loads((tmp_path / "out/tenant-pod.json").read_bytes())
    assert done.stdout == hashlib.sha384(manifest).hexdigest() + "\n"
    assert gzip.decompress(base64.b64decode(half["metadata"]["annotations"]["cleave.dev/manifest"], validate=True)) == manifest
    assert half["spec"]["runtimeClassName"] == "cleave" and half["spec"]["containers"][0]["image"] == plain[1]
    assert json.dumps(json.loads(manifest), sort_keys=True, separators=(",", ":")).encode() == manifest
    assert (json.loads(manifest)["pod"]["name"], json.loads(manifest)["debug"]) == ("shop", False)
    for name in ("tenant.json", "tenant-pod.json"):
        assert (tmp_path / "out" / name).stat().st_mode & 0o777 == 0o600


def test_split_is_the_same_again_with_the_same_salt_only(plain, tmp_path):
    path = write(tmp_path / "pod.json", json.dumps(pod_of(plain[1])))
    digests = [split(path, "--layout", plain[0], "--output", str(tmp_path), *words).stdout
               for words in (["--salt", SALT], ["--salt", SALT], [], [], ["--salt", SALT, "--debug"])]
    assert digests[0] == digests[1] and len(set(digests)) == 4 and all(len(digest) == 97 for digest in digests)


def env(**variable):
    return {"containers": [{"name": "one", "image": "IMAGE", "env": [variable]}]}


REFUSALS = {
    "tag": ({"containers": [{"name": "one", "image": "registry.example/shop:1"}]}, "is not pinned"),
    "absent": ({"containers": [{"name": "one", "image": "x@sha256:" + "0" * 64}]}, "is in no layout"),
    "network": ({"hostNetwork": True}, "spec.hostNetwork is refused: the pod's machine is not on this node"),
    "users": ({"hostUsers": False}, "spec.hostUsers is refused"),
    "from": ({"containers": [{"name": "one", "image": "IMAGE", "envFrom": [{"secretRef": {"name": "s"}}]}]}, "name each one in env"),
    "twice": ({"initContainers": [{"name": "one", "image": "IMAGE"}]}, "two containers are called 'one'"),
    "seccomp": ({"securityContext": {"seccompProfile": {"type": "RuntimeDefault"}}}, "--seccomp FILE"),
    "privileged": ({"containers": [{"name": "one", "image": "IMAGE", "securityContext": {"privileged": True}}]}, "privileged"),
    "restart": ({"initContainers": [{"name": "two", "image": "IMAGE", "restartPolicy": "Never"}]}, "(a sidecar)"),
    "value": (env(name="A", value=1), "write it in quotes"),
    "policy": ({"restartPolicy": "Sometimes"}, "Sometimes"),
    "nested": ({"volumes": [{"name": "data", "hostPath": {"path": "/srv"}}, {"name": "conf", "configMap": {"name": "conf"}}],
                "containers": [{"name": "one", "image": "IMAGE", "volumeMounts": [
                    {"name": "data", "mountPath": "/data"}, {"name": "conf", "mountPath": "/data/conf"}]}]}, "lies in the share at '/data'"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_split_says_what_a_sealed_pod_cannot_be(case, plain, tmp_path):
    spec, sentence = REFUSALS[case]
    pod = json.dumps(pod_of(plain[1], **spec)).replace("IMAGE", plain[1])
    done = split("-", "--layout", plain[0], "--output", str(tmp_path / "out"), stdin=pod)
    assert (done.returncode, done.stdout) == (1, "") and sentence in done.stderr, done.stderr
    assert not os.path.exists(tmp_path / "out")


def test_split_wants_one_pod(plain, tmp_path):
    for text, sentence in (("kind: Deployment\napiVersion: apps/v1\n", "take the Pod of its template"),
                           ("apiVersion: v1\nkind: Pod\nmetadata: {generateName: shop-}\n", "metadata.name"),
                           ("a: 1\na: 2\n", "line 2: the key 'a' is there twice"), ("", "nothing in it")):
        done = split("-", "--layout", plain[0], "--output", str(tmp_path), stdin=text)
        assert done.returncode == 1 and sentence in done.stderr, done.stderr
    assert split("-", "--layout", str(tmp_path)).returncode == 1
    assert split("-", "--colour").returncode == 2 and split("--salt").returncode == 2


# ---- beside containerd -----------------------------------------------------------------------


def adopt(value, names):
    text = json.dumps(value)
    for name, real in names.items():
        text = text.replace(f"<{name}>", real)
    return json.loads(text)


class Kubelet:
    """The part of a kubelet: what is recorded, asked for again, and its files."""

    def __init__(self, node, references):
        self.node, self.references, self.binds, self.logs = node, references, [], set()

    def enter(self, *words):
        done = subprocess.run(["nsenter", "-m", "-p", "-t", str(self.node.bed.pid("tenant")), *words], capture_output=True, text=True,
                              timeout=20, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def make(self, path, source):
        real = self.node.file(path)
        if os.path.exists(real):
            return
        if "text" in source:
            self.node.file(path, source["text"])
        else:
            os.makedirs(real)
        os.chmod(real, source["mode"])
        os.chown(real, source["uid"], source["gid"])
        if "volume-subpaths" in path and "text" not in source:
            origin = KUBELET + source["bind"]
            os.makedirs(self.node.file(origin), exist_ok=True)
            self.enter("mount", "-n", "--bind", origin, path)
            self.binds.append(path)

    def clean(self):
        for path in self.binds:
            self.enter("umount", "-n", path)
        self.enter("rm", "-rf", f"{KUBELET}/pods", "/run/split", "/run/volumes/kept", *self.logs)

    def create(self, sandbox, config, container):
        for path, source in container["sources"].items():
            self.make(path, source)
        request = pb.CreateContainerRequest(pod_sandbox_id=sandbox, sandbox_config=config)
        ParseDict(adopt(container["config"], self.references), request.config)
        return self.node.call("CreateContainer", request, pb.ContainerId).container_id

    def spec(self, identity):
        """containerd's specification of one container."""
        status = self.node.call("ContainerStatus", pb.ContainerId(container_id=identity, verbose=True), pb.ContainerStatusResponse)
        return json.loads(status.info["info"])["runtimeSpec"]

    def guest_spec(self, identity, spec, uid):
        """What the tenant shim would send of it."""
        sources = {mount["destination"]: mount["source"] for mount in spec["mounts"]}
        sandbox = os.path.dirname(sources["/etc/hostname"])
        shm = sandbox.replace("/var/lib/containerd/", "/run/containerd/") + "/shm"
        self.node.file("/run/split/config.json", json.dumps(spec))
        return json.loads(self.enter(BUILD + "/test/guest-spec", "/run/split", KUBELET, uid, identity, sandbox, shm))

    def run_pod(self, recorded, annotations=()):
        config = ParseDict(recorded["sandbox"], pb.PodSandboxConfig())
        config.annotations.update(annotations)
        os.makedirs(self.node.file(config.log_directory), exist_ok=True)
        self.logs.add(config.log_directory)
        return config, self.node.run_pod(runtime=self.node.handler, config=config)

    def specs(self, recorded):
        """{container: (containerd's specification, the guest's)}"""
        config, sandbox = self.run_pod(recorded)
        specs = {}
        for container in recorded["containers"]:
            identity = self.create(sandbox, config, container)
            spec = self.spec(identity)
            specs[container["config"]["metadata"]["name"]] = spec, self.guest_spec(identity, spec, config.metadata.uid)
        return specs


@pytest.fixture(scope="module")
def whole_kubelet(running_bed):
    running_bed.use_guest("stub")
    node = Column(running_bed, "cleave")
    made = {"BUSYBOX": ("busybox", images.standard()["busybox:1"]), "CONFIGURED": ("configured", images.busybox(**CONFIGURED)),
            "NAMED": ("named", images.busybox(User="user:extra"))}
    references = {}
    for name, (repository, image) in made.items():
        node.push(f"{repository}:pinned", image)
        references[name] = f"{images.REGISTRY}/{repository}@{images.digest(image.manifest)}"
        node.pull(references[name])
    node.pull(f"{images.REGISTRY}/pause:1")
    played = Kubelet(node, references)
    yield played, [image for _, image in made.values()]
    played.clean()
    node.close()


@pytest.fixture
def kubelet(whole_kubelet, logged_bed):
    """(kubelet, images); its pods end with the test."""
    yield whole_kubelet
    whole_kubelet[0].node.remove_everything()


SET = ("bounding", "effective", "permitted")


def split_pod(name, kubelet, made, tmp_path, *words):
    with open(f"{PODS}/{name}.yaml", encoding="utf-8") as file:
        text = file.read().replace(f"name: {name}", f"name: {name}-node", 1)
    for key, reference in kubelet.references.items():
        text = text.replace("image: " + key, "image: " + reference)
    done = split(write(tmp_path / "pod.yaml", text), "--layout", layout(tmp_path / "layout", *made), "--output", str(tmp_path), *words)
    assert done.returncode == 0, done.stderr
    return json.loads((tmp_path / "tenant.json").read_bytes())


def settle_volumes(manifest, slot, guest):
    """The mounts of volumes are the slot's own: each has to be where the node's is, of its kind, at its path."""
    mounts = {mount["destination"]: mount for mount in guest["mounts"]}
    for wanted in slot["mounts"]:
        mount = mounts.pop(wanted["destination"])
        kind = {"share": "share", "empty": "volume", "copied": "volume"}[manifest["volumes"][wanted["volume"]]["kind"]]
        assert mount["source"].startswith(f"cleave:{kind}:"), mount
        if wanted["path"] and manifest["volumes"][wanted["volume"]]["kind"] == "empty":
            assert mount["source"].endswith("/" + wanted["path"]), mount
        if kind == "volume":            # a share is read-only on the node
            assert ("ro" if wanted["read_only"] else "rw") in mount["options"], mount
    guest["mounts"] = [mount for mount in guest["mounts"] if mount["destination"] in mounts]


def settle(manifest, slot, guest, config):
    """What may differ: each line of it is a promise less."""
    spec = slot["spec"]
    settle_volumes(manifest, slot, guest)
    # Nobody knows before the pod is there what it will be called by the node.
    for key in ("sandbox-id", "sandbox-uid"):
        assert guest["annotations"].pop("io.kubernetes.cri." + key)
    # The node calls an image as it was called when it first came: another test may have pulled it by a tag.
    for one in (guest, spec):
        assert one["annotations"].pop("io.kubernetes.cri.image-name").startswith("registry.cleave.test/")
    # kubelet has no order of variables; holes are the node's.
    variables = dict(variable.split("=", 1) for variable in guest["process"]["env"])
    for hole in slot["environment"]:
        variables.pop(hole, None)
    guest["process"]["env"] = variables
    spec["process"]["env"] = dict(variable.split("=", 1) for variable in spec["process"]["env"])
    # Sets have no order.
    for one in (guest, spec):
        one["process"]["capabilities"] = {key: sorted(one["process"]["capabilities"].get(key, [])) for key in SET}
        one["linux"]["namespaces"].sort(key=lambda namespace: namespace["type"])
        declared = [mount for mount in one["mounts"] if mount["source"] == "cleave:image"]
        one["mounts"] = [mount for mount in one["mounts"] if mount not in declared] + sorted(declared, key=str)
    # The bed's containerd has not all capabilities that there are, and can give no more.
    if "ALL" in config["linux"]["security_context"].get("capabilities", {}).get("add_capabilities", []):
        for key in SET:
            lacking = set(spec["process"]["capabilities"][key]) - set(guest["process"]["capabilities"][key])
            assert not lacking & {"CAP_CHOWN", "CAP_SYS_TIME", "CAP_NET_ADMIN"}, lacking
            guest["process"]["capabilities"][key] = sorted(lacking | set(guest["process"]["capabilities"][key]))
    # What the image's /etc/group says of its users is not looked up: `user` is in `extra` there.
    groups = guest["process"]["user"]["additionalGids"]
    if guest["process"]["user"]["uid"] == 1000:
        groups.remove(50000)
    # kubelet masks what some machines have for each processor.
    guest["linux"]["maskedPaths"] = [path for path in guest["linux"]["maskedPaths"] if "thermal_throttle" not in path]
    # The memory of kubelet's node is not the guest's: of burstable pods only the order is the same. And the bed's containerd
    # may not go below its own.
    score, asked = spec["process"].pop("oomScoreAdj"), int(config["linux"]["resources"].get("oom_score_adj", 0))
    assert 3 <= score <= 999 if 3 <= asked <= 999 else score == asked
    del guest["process"]["oomScoreAdj"]


with open(PODS + ".json", encoding="utf-8") as recording:
    RECORDED = json.load(recording)


@pytest.mark.parametrize("name", RECORDED)
def test_split_composes_what_containerd_makes(name, kubelet, tmp_path):
    played, made = kubelet
    specs = played.specs(RECORDED[name])
    profiles = [spec["linux"]["seccomp"] for spec, _ in specs.values() if "seccomp" in spec["linux"]]
    words = ["--seccomp", write(tmp_path / "seccomp", json.dumps(profiles[0]))] if profiles else []
    manifest = split_pod(name, played, made, tmp_path, *words)
    assert [slot["name"] for slot in manifest["containers"]] == list(specs)
    assert manifest["pod"]["hostname"] == RECORDED[name]["sandbox"]["hostname"]
    for slot, container in zip(manifest["containers"], RECORDED[name]["containers"]):
        guest = specs[slot["name"]][1]
        settle(manifest, slot, guest, container["config"])
        for part in sorted(set(guest) | set(slot["spec"])):
            assert slot["spec"].get(part) == guest.get(part), (slot["name"], part)


# ---- in a guest ------------------------------------------------------------------------------


def sealed(name, kubelet, made, tmp_path):
    """The pod of a recording, with the manifest of its split: (configuration, pod)."""
    manifest = split_pod(name, kubelet, made, tmp_path)
    half = json.loads((tmp_path / "tenant-pod.json").read_bytes())
    key = "cleave.dev/manifest"
    return manifest, *kubelet.run_pod(RECORDED[name], {key: half["metadata"]["annotations"][key]})


def test_a_split_pod_runs_as_its_kubelet_runs_it(kubelet, tmp_path):
    """An init container, a sidecar, probes and hooks, and a volume with a subPath."""
    played, made = kubelet
    node = played.node
    manifest, config, sandbox = sealed("whole", played, made, tmp_path)
    for container, slot in zip(RECORDED["whole"]["containers"], manifest["containers"]):
        ctr = played.create(sandbox, config, container)
        node.start_container(ctr)
        if slot["kind"] == "init":
            assert node.wait_exit(ctr).exit_code == 0
        for command in slot["exec"]:
            assert node.exec(ctr, *command)[0] == 0, command
    assert [len(slot["exec"]) for slot in manifest["containers"]] == [0, 1, 2]
    with pytest.raises(grpc.RpcError, match="exec"):
        node.exec(ctr, "cat", "/data/first")
    with open(node.file(f"{config.log_directory}/main/0.log"), encoding="utf-8") as log:
        assert "first" in log.read()
