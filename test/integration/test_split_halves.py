# SPDX-License-Identifier: Apache-2.0
"""The verbs around `cleave split`, from outside: two halves and join, verify, diff, explain. What halves have in them is shown by
test_halves for pods of all fields."""
import hashlib
import json
import os
import re
import subprocess

import pytest

import images
from conftest import BUILD

CLEAVE = BUILD + "/bin/cleave"
SALT = "cd" * 32
ANCHOR = "registry.example/pause:1"
SEEN_BY_THE_HOST = {"nodeSelector": {"zone": "zone-b"}, "tolerations": [{"key": "tee", "operator": "Exists"}], "priorityClassName": "high"}


def cleave(*words, stdin=None):
    return subprocess.run([CLEAVE, *words], capture_output=True, text=True, timeout=20, check=False, input=stdin)


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def write(path, value):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file)
    return str(path)


class Split:
    """One pod, its image in a layout, and what `cleave split` makes of them."""

    def __init__(self, directory):
        image = images.Image([images.layer([("etc", None)])], {"Cmd": ["sh"], "Env": [images.PATH]})
        self.directory, self.layout = str(directory), f"{directory}/layout"
        self.reference = "registry.example/payroll@" + images.digest(image.manifest)
        os.makedirs(f"{self.layout}/blobs/sha256")
        write(f"{self.layout}/oci-layout", {"imageLayoutVersion": "1.0.0"})
        for blob in (image.manifest, image.config):
            with open(f"{self.layout}/blobs/sha256/{hashlib.sha256(blob).hexdigest()}", "wb") as file:
                file.write(blob)

    def pod(self, **spec):
        containers = [{"name": "payroll-db", "image": self.reference, "args": ["--ledger"], "env": [{"name": "LEDGER", "value": "secret-7"}],
                       "resources": {"limits": {"cpu": "500m", "memory": "1Gi"}}, "volumeMounts": [{"name": "books", "mountPath": "/books"}]}]
        return {"apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": "payroll", "namespace": "finance", "labels": {"app": "payroll", "tier": "gold"}},
                "spec": {"containers": containers, "volumes": [{"name": "books", "emptyDir": {}}]} | SEEN_BY_THE_HOST | spec}

    def make(self, name, pod, *words):
        """(host half, manifest, tenant half), as paths."""
        out = f"{self.directory}/{name}"
        done = cleave("split", "-", "--layout", self.layout, "--output", out, *words, stdin=json.dumps(pod))
        assert done.returncode == 0, done.stderr
        return f"{out}/host-pod.json", f"{out}/tenant.json", f"{out}/tenant-pod.json"


@pytest.fixture(name="made", scope="module")
def fixture_made(tmp_path_factory):
    return Split(tmp_path_factory.mktemp("split"))


def test_two_halves_are_one_pod(made):
    host, _, tenant = made.make("halves", made.pod(), "--anchor-image", ANCHOR, "--host-label", "tier", "--guest-memory", "256MiB")
    done = cleave("join", host, tenant)
    assert done.returncode == 0, done.stderr
    pod, half, shell = json.loads(done.stdout), load(tenant), load(host)
    assert pod["spec"]["containers"][0]["env"] == [{"name": "LEDGER", "value": "secret-7"}]
    assert pod["spec"]["runtimeClassName"] == "cleave" and "annotations" not in pod["metadata"]
    for name, value in SEEN_BY_THE_HOST.items():
        assert pod["spec"][name] == shell["spec"][name] == value and name not in half["spec"]
    assert shell["metadata"]["labels"] == {"tier": "gold"}
    assert shell["metadata"]["name"] == "pod-" + half["metadata"]["annotations"]["cleave.dev/link"]
    assert shell["spec"]["containers"][0]["resources"]["limits"] == {"cpu": "500m", "memory": "1280Mi"}
    with open(host, encoding="utf-8") as file:
        assert not re.search("payroll|ledger|secret|finance|books|manifest", file.read(), re.I)


def test_halves_of_two_pods_are_not_joined(made):
    one = made.make("one", made.pod(), "--anchor-image", ANCHOR)
    other = made.make("other", made.pod(), "--anchor-image", ANCHOR)
    done = cleave("join", one[0], other[2])
    assert (done.returncode, done.stdout) == (1, "") and "their links differ" in done.stderr
    assert cleave("join", one[0]).returncode == 2


def test_without_an_anchor_there_is_no_host_half(made):
    host, _, tenant = made.make("alone", made.pod())
    assert not os.path.exists(host) and load(tenant)["spec"]["nodeSelector"] == {"zone": "zone-b"}


def test_verify_composes_again(made):
    _, manifest, tenant = made.make("sealed", made.pod(), "--anchor-image", ANCHOR)
    with open(manifest, "rb") as file:
        digest = hashlib.sha384(file.read()).hexdigest()
    done = cleave("verify", tenant, "--layout", made.layout)
    assert done.returncode == 0 and digest in done.stdout and "the same bytes" in done.stdout, done.stderr
    done = cleave("verify", tenant)
    assert done.returncode == 0 and digest in done.stdout and "not looked at (--layout)" in done.stdout, done.stderr


@pytest.mark.parametrize("words", [["--layout"], []])
def test_verify_says_what_the_pod_has_besides(words, made):
    tenant = made.make("changed", made.pod())[2]
    half = load(tenant)
    half["spec"]["containers"][0] |= {"name": "other"} if not words else {"args": ["--other"]}
    done = cleave("verify", write(f"{made.directory}/changed.json", half), *words, *([made.layout] if words else []))
    assert done.returncode == 1 and re.search("--other" if words else r"containers\[other\]", done.stdout), done.stdout
    assert "not what this pod makes" in done.stderr


def test_verify_takes_no_manifest_that_a_guest_would_not(made):
    half = load(made.make("broken", made.pod())[2])
    annotations = half["metadata"]["annotations"]
    for package, sentence in ((None, "it is not sealed"), ("AAAA", "cleave.dev/manifest"), (annotations["cleave.dev/manifest"][:-8], "")):
        annotations["cleave.dev/manifest"] = package
        done = cleave("verify", write(f"{made.directory}/broken.json", half))
        assert (done.returncode, done.stdout) == (1, "") and sentence in done.stderr, done.stderr
    assert cleave("verify").returncode == 2


def test_diff_says_what_differs(made):
    one = made.make("a", made.pod())
    assert cleave("diff", one[1], one[2]).stdout == "the same manifest: the digests are equal\n"
    again = made.make("b", made.pod())
    done = cleave("diff", one[1], again[2])
    assert (done.returncode, done.stdout) == (0, "the same but for the salt: the digests differ\n")
    changed = made.make("c", made.pod(restartPolicy="Never"), "--debug")
    done = cleave("diff", one[2], changed[1])
    assert (done.returncode, sorted(done.stdout.splitlines())) == (
        1, ["debug: A has false, B has true", 'restart_policy: A has "Always", B has "Never"'])
    assert cleave("diff", one[1]).returncode == cleave("diff", one[1], made.directory).returncode == 2


def test_explain_says_whose_each_field_is(made):
    done = cleave("explain", "-", stdin=json.dumps(made.pod()))
    lines = {name: half for half, name in re.findall(r"^(\w+) +(\S+): ", done.stdout, re.M)}
    assert done.returncode == 0 and "secret-7" not in done.stdout
    assert lines["spec.containers[0].env[0].value"] == "tenant" and lines["spec.nodeSelector.zone"] == "host"
    assert lines["spec.containers[0].resources.limits.memory"] == "both"
    for spec, sentence in (({"colour": 1}, "'spec.colour' is no field"), ({"hostNetwork": True}, "spec.hostNetwork is refused")):
        done = cleave("explain", "-", stdin=json.dumps(made.pod(**spec)))
        assert done.returncode == 1 and sentence in done.stderr
    pod = made.pod()
    pod["metadata"]["labels"]["\x1b[2J"] = "x"
    assert "metadata.labels.?[2J: " in cleave("explain", "-", stdin=json.dumps(pod)).stdout
    assert "spec.initContainers[]: spec.containers[]" in cleave("explain", "--fields").stdout
