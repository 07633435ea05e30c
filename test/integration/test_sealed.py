# SPDX-License-Identifier: Apache-2.0
"""Sealed pods under a real containerd: the guest runs what the manifest says, whatever the tenant's node asks for."""
import json
import os
import random
import subprocess

import grpc
import pytest

import images
import sealed
from conftest import BUILD, BUSYBOX, LAYERS, eventually, log_paths, new_lines
from test_shares import TOP, place, write   # noqa: F401
from test_tenant import text
from test_tenant_modes import MODES
from test_volumes import SLEEP, at, live, sh

SAY = ["sh", "-c", "echo $WORD $GIVEN; hostname; exec sleep 1000"]
# Three parts of a manifest, and almost as much as an annotation may be.
LARGE = ["x" * 500 * 1024 + random.Random(1).randbytes(75_000).hex()]


@pytest.fixture
def kubelet(stub, bed, tenant):
    yield from live(bed, tenant)


def seal(tenant, *slots, name="web", **changed):
    config = tenant.cri.pod_config(name)
    return config, sealed.seal(config, *slots, **changed)


def run_pod(tenant, *slots, **changed):
    return tenant.run_pod(config=seal(tenant, *slots, **changed)[0])


def refusal(call, *words, **named):
    with pytest.raises(grpc.RpcError) as failure:
        call(*words, **named)
    return failure.value.details()


def status_of(bed, pod):
    done = subprocess.run([f"{BUILD}/bin/cleave", "status", "--json", "--directory", bed.path("tenant", "/run/cleave/t"), pod[:12]],
                          capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("runtime", MODES.values(), ids=MODES)
def test_the_guest_runs_what_the_manifest_says(stub, tenant, bed, runtime):
    config, manifest = seal(
        tenant, sealed.slot("one", SAY, env=["WORD=sealed", "GIVEN="], environment=["GIVEN"], exec=[["cat", "/proc/1/comm"], LARGE]),
        sealed.slot("two", ["sh", "-c", "exit 9"]))
    pod = tenant.run_pod(config=config, runtime=runtime)
    assert status_of(bed, pod)["manifest_digest"] == sealed.digest(manifest)
    one = tenant.run(pod, "one", BUSYBOX, ["sh", "-c", "echo taken over"], env={"WORD": "changed", "GIVEN": "a hole", "OTHER": "x"},
                     working_dir="/tmp", linux={"security_context": {"run_as_user": {"value": 1000}}})
    eventually(lambda: "web" in text(tenant.log(one), "stdout"), what="the log")
    assert text(tenant.log(one), "stdout") == "sealed a hole\nweb\n"
    assert tenant.exec(one, "cat", "/proc/1/comm") == (0, b"sleep\n", b"")
    for command in (["cat", "/proc/1/environ"], ["cat"], ["sh"], ["cat", "/proc/1/comm", ""]):
        assert "exec" in refusal(tenant.exec, one, *command), command
    two = tenant.run(pod, "two", BUSYBOX, SLEEP)
    assert tenant.wait_exit(two).exit_code == 9
    three = tenant.create(pod, "three", BUSYBOX, SLEEP)
    assert "its manifest has no container 'three'" in refusal(tenant.start_container, three)
    secret = config.annotations[sealed.ANNOTATION][:64]
    assert 100 * 1024 < len(config.annotations[sealed.ANNOTATION]) < 128 * 1024
    assert not any(secret in line or "taken over" in line for path in log_paths(bed) for line in new_lines(path))


def test_a_manifest_goes_on_where_its_channel_broke(relay, tenant, bed):
    relay.cut_after(300 * 1024)         # in its second part
    pod = run_pod(tenant, sealed.slot("one", SLEEP, exec=[["true"], LARGE]))
    assert not relay.waits_to_cut()
    assert tenant.exec(tenant.run(pod, "one", BUSYBOX), "true")[0] == 0
    assert [line for line in new_lines(bed.log("tenant", "containerd")) if "the channel is lost" in line]


def test_an_image_is_the_manifests_or_refused(stub, tenant):
    tenant.pull(LAYERS)
    layers = images.standard()["layers:1"]
    pod = run_pod(tenant, sealed.slot("one", SLEEP), sealed.slot("two", SLEEP, layers, exec=[["cat", "/data/replaced"]]))
    assert tenant.exec(tenant.run(pod, "two", LAYERS), "cat", "/data/replaced")[1] == b"second\n"
    one = tenant.create(pod, "one", LAYERS)
    assert "container 'one' has 1 layers in the manifest, and 3 came" in refusal(tenant.start_container, one)
    tenant.remove_container(one)
    tenant.run(pod, "one", BUSYBOX)


def test_volumes_are_those_of_the_manifest(kubelet, tenant, place):
    """What is copied or shared is the node's to fill; where it is mounted, and what of it, is not the node's to say."""
    write(place("file"), "live\n")
    conf, work = kubelet.copied("conf", {"key": b"value\n"}), kubelet.empty("work")
    mounts = [sealed.volume_at("/conf", "conf", read_only=True), sealed.volume_at("/job", "work")]
    sealed.seal(kubelet.config,
                sealed.slot("one", ["sh", "-c", "cp /conf/key /job/; exec sleep 1000"], mounts=mounts),
                sealed.slot("two", SLEEP, mounts=[*mounts, sealed.volume_at("/live", "live"), sealed.volume_at("/kept", "live", read_only=True)],
                            exec=[["cat", "/job/key", "/live/file"], ["touch", "/live/made"], ["touch", "/kept/made"], ["ls", "/conf", "/extra"]]),
                volumes={"conf": {"kind": "copied"}, "work": {"kind": "empty", "size": 0, "memory": False}, "live": {"kind": "share"}})
    pod = kubelet.run_pod()
    given = [at("/conf", conf, True), at("/job", work)]
    ctr = tenant.create(pod, "one", BUSYBOX, mounts=[*given, at("/live", TOP)])
    words = refusal(tenant.start_container, ctr)
    assert f"mount '/live': '{TOP}' would be a live share of this node, and the manifest" in words
    tenant.remove_container(ctr)
    tenant.run(pod, "one", BUSYBOX, mounts=given)
    two = tenant.run(pod, "two", BUSYBOX, mounts=[*given, at("/live", TOP), at("/kept", TOP), at("/extra", kubelet.empty("extra"))])
    eventually(lambda: tenant.exec(two, "cat", "/job/key", "/live/file")[1] == b"value\nlive\n", what="both volumes")
    assert b"Read-only" in tenant.exec(two, "touch", "/kept/made")[2]     # although the node serves it writable
    assert not os.path.exists(place("made"))
    assert tenant.exec(two, "touch", "/live/made")[0] == 0
    assert os.path.exists(place("made"))
    code, out, _ = tenant.exec(two, "ls", "/conf", "/extra")
    assert code != 0 and b"key" in out                   # the other volume is dropped


@pytest.mark.parametrize("policy, again", [("Never", False), ("OnFailure", True)])
def test_the_guest_restarts_by_its_own_records(stub, tenant, policy, again):
    fails = sealed.slot("fails", ["sh", "-c", "exit 1"])
    pod = run_pod(tenant, sealed.slot("first", ["true"], kind="init"), fails, sealed.slot("works", ["true"]), restart_policy=policy)
    early = tenant.create(pod, "works", BUSYBOX)
    assert "first" in refusal(tenant.start_container, early)
    tenant.remove_container(early)
    for name, code in (("first", 0), ("fails", 1), ("works", 0)):
        assert tenant.wait_exit(tenant.run(pod, name, BUSYBOX)).exit_code == code
    for name, allowed in (("fails", again), ("works", False)):
        ctr = tenant.create(pod, name, BUSYBOX, attempt=1)
        if allowed:
            tenant.start_container(ctr)
            assert tenant.wait_exit(ctr).exit_code == 1
        else:
            assert f"'{name}'" in refusal(tenant.start_container, ctr)


def test_debug_is_in_the_manifest_and_opens_what_it_says(stub, tenant):
    pod = run_pod(tenant, sealed.slot("one", SLEEP), debug=True)
    one = tenant.run(pod, "one", BUSYBOX)
    assert sh(tenant, one, "echo here") == "here\n"
    two = tenant.run(pod, "two", BUSYBOX, ["sh", "-c", "exit 5"])
    assert tenant.wait_exit(two).exit_code == 5


def test_a_manifest_of_another_pod_is_refused(stub, tenant):
    config, _ = seal(tenant, sealed.slot("one", SLEEP))
    for field, changed in (("name", {"name": "other"}), ("namespace", {"namespace": "other"}), ("uid", {"uid": "other"})):
        wrong = tenant.cri.pod_config("web", annotations=config.annotations)
        wrong.metadata.CopyFrom(config.metadata)
        wrong.metadata.MergeFrom(type(config.metadata)(**changed))
        assert f"cleave.dev/manifest: the manifest is of another pod: its {field} is" in refusal(tenant.run_pod, config=wrong)
    config.annotations[sealed.ANNOTATION] = config.annotations[sealed.ANNOTATION][:-8]
    assert "cleave.dev/manifest: " in refusal(tenant.run_pod, config=config)


FORGED = """
real=$(sed -n 's/^exec \\(.*\\) .*/\\1/p' $0)
[ $1 = create ] && { sed '%s' | $real create; exit; }"""


def test_a_guest_that_is_minted_otherwise_is_refused(provisioner, tenant):
    """The provisioner's word counts for nothing: what it minted is looked at."""
    other = "5e" * 48
    for change, words in (('s/,"manifest_digest":"[^"]*"//', "the initdata says open"),
                          (f's/"manifest_digest":"[^"]*"/"manifest_digest":"{other}"/', f"the initdata is sealed with manifest {other}")):
        provisioner(FORGED % change)
        config, manifest = seal(tenant, sealed.slot("one", SLEEP))
        told = refusal(tenant.run_pod, config=config)
        assert words in told and sealed.digest(manifest) in told
    provisioner(FORGED % f's/"version"/"manifest_digest":"{other}","version"/')
    assert "and the pod is open" in refusal(tenant.run_pod, "open")
