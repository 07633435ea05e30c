# SPDX-License-Identifier: Apache-2.0
"""The host half alone, under real containerd and real libvirtd, driven through CRI as a kubelet
would. The guest here has meaningless initdata: it powers off, or sits there; what is inside it is
not the point, so tests that need it alive use a machine whose kernel has no init to run."""
import base64
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import threading
import time

import grpc
import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "test/bed"))
import bed as bed_program   # noqa: E402
import cri as cri_program   # noqa: E402
import setup as bed_setup   # noqa: E402
import snapshot             # noqa: E402
import ttrpc                # noqa: E402
from test_split_halves import Split   # noqa: E402

ANCHOR = "registry.cleave.test/anchor:1"
ID = "00112233445566778899aabbccddeeff"


@pytest.fixture(scope="module")
def bed():
    made = bed_program.Bed(f"host-{os.getpid()}")
    made.up(os.environ.get("BUILD", os.path.join(ROOT, "build")), "vm")
    idle_guest(made)
    cri = cri_program.Cri(made, "host")
    pod = cri.run_pod("warm", "cleave-host", annotations=annotations())    # whatever the first pod makes
    cri.stop_pod(pod)
    cri.remove_pod(pod)
    yield made
    made.down()


@pytest.fixture
def cri(bed):
    before = snapshot.take(bed)
    client = cri_program.Cri(bed, "host")
    yield client
    client.close()
    client = cri_program.Cri(bed, "host")
    client.version()
    client.remove_everything()
    left = snapshot.leftovers(bed, before, 30)
    print(f"left behind: {len(left)}", *left, sep="\n  ")
    assert left == []


def idle_guest(bed):
    """A kernel without an initrd's init panics; panic=0 keeps it where it is: a machine that stays."""
    conf = bed.path("host", "/etc/cleave/host.conf")
    with open(conf, encoding="utf-8") as file:
        lines = [line for line in file if not line.startswith(("cmdline", "boot_timeout"))]
    text = "".join(lines).replace("[machine]\n", "[machine]\nboot_timeout = 30\n")
    text = text.replace("[image]\n", '[image]\ncmdline = "/etc/cleave/cmdline"\n')
    with open(conf, "w", encoding="utf-8") as file:
        file.write(text)
    with open(bed.path("host", "/etc/cleave/cmdline"), "w", encoding="utf-8") as file:
        file.write("quiet panic=0 rdinit=/none root=none\n")


def annotations(**changed):
    found = {"cleave.dev/initdata": base64.b64encode(b'version = "0.1.0"').decode(), "cleave.dev/id": ID, **changed}
    return {key: value for key, value in found.items() if value is not None}


def run_pod(cri, name="pod", **fields):
    fields.setdefault("annotations", annotations())
    return cri.run_pod(name, "cleave-host", **fields)


def find(bed, *words, name="qemu"):
    """Pids (here) of the node's processes whose command line has all the words."""
    for line in snapshot.processes(bed, "host"):
        pid = int(line.split()[0])
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                command = file.read().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if name in command.split(" ")[0] and all(word in command for word in words):
            yield pid


def one(bed, *words, name="qemu", seconds=10.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        pids = list(find(bed, *words, name=name))
        if pids:
            return pids[0]
        time.sleep(0.005)
    raise AssertionError(f"no process {name} {words}")


def wait_for(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.02)


# ---- life ------------------------------------------------------------------------------------

def test_a_pod_lives_and_leaves_nothing(bed, cri):
    pod = run_pod(cri)
    status = cri.pod_status(pod, verbose=True)
    assert status.status.state == cri_program.READY
    assert "cleave-" + pod in status.info["info"]
    assert one(bed, "guest=cleave-" + pod + ",")
    started = time.monotonic()
    cri.stop_pod(pod)
    assert time.monotonic() - started < 10
    assert not list(find(bed, pod))
    assert cri.not_ready(pod)
    cri.stop_pod(pod)
    cri.remove_pod(pod)


def test_the_pods_cgroup_counts_the_machine(bed, cri):
    config = cri.pod_config("counted", annotations=annotations())
    pod = cri.run_pod("counted", "cleave-host", config=config)
    qemu = one(bed, "guest=cleave-" + pod)
    with open(f"/proc/{qemu}/cgroup", encoding="utf-8") as groups:
        assert f"{config.linux.cgroup_parent}/cleave-{pod}" in groups.read()
    cri.stop_pod(pod)
    cri.remove_pod(pod)


def test_the_host_half_of_a_split_pod_is_a_machine_of_its_size(bed, cri, tmp_path):
    """As a kubelet would ask for it, with the annotations that the split leaves to a mint."""
    made = Split(tmp_path)
    with open(made.make("halves", made.pod(), "--anchor-image", ANCHOR)[0], encoding="utf-8") as file:
        half = json.load(file)
    (anchor,) = half["spec"]["containers"]
    assert anchor["resources"]["limits"] == {"cpu": "500m", "memory": "1536Mi"}
    config = cri.pod_config(half["metadata"]["name"], half["metadata"]["namespace"], annotations={**half["metadata"]["annotations"], **annotations()},
                            linux={"resources": {"cpu_period": 100000, "cpu_quota": 50000, "memory_limit_in_bytes": 1536 << 20}})
    pod = cri.run_pod(runtime=half["spec"]["runtimeClassName"], config=config)
    with open(f"/proc/{one(bed, f'guest=cleave-{pod},')}/cmdline", "rb") as file:
        words = file.read().decode().split("\0")
    assert words[words.index("-m") + 1] in ("1536", "size=1572864k") and words[words.index("-smp") + 1].split(",")[0] == "1"
    ctr = cri.create(pod, anchor["name"], anchor["image"])
    cri.start_container(ctr)
    assert cri.container_status(ctr).state == cri_program.RUNNING
    cri.stop_pod(pod)
    cri.remove_pod(pod)


def test_an_anchor_runs_but_nothing_runs_in_it(bed, cri):
    pod = run_pod(cri)
    ctr = cri.create(pod, "anchor", ANCHOR, ["/secret-command"])
    cri.start_container(ctr)
    assert cri.container_status(ctr).state == cri_program.RUNNING
    with pytest.raises(grpc.RpcError) as refusal:
        cri.exec(ctr, "ls")
    assert refusal.value.code() == grpc.StatusCode.PERMISSION_DENIED
    assert "the host cannot run anything in it" in refusal.value.details()
    wait_for(lambda: cri.log(ctr))
    assert [text for _, text in cri.log(ctr)] == [
        "This container is an anchor: the pod's workload runs in a confidential machine. "
        "Its logs are on the tenant node (kubectl cleave logs)."]
    wait_for(lambda: cri.stats(ctr).memory.working_set_bytes.value > 10 << 20)
    assert cri.stats(ctr).cpu.usage_core_nano_seconds.value > 0
    cri.stop_container(ctr, grace=0)
    assert cri.container_status(ctr).exit_code == 137
    wait_for(lambda: cri.not_ready(pod))
    cri.remove_container(ctr)


def test_an_anchor_that_is_only_created_does_not_end_the_machine(bed, cri):
    pod = run_pod(cri)
    ctr = cri.create(pod, "anchor", ANCHOR)
    cri.remove_container(ctr)
    assert cri.pod_status(pod).status.state == cri_program.READY
    assert list(find(bed, pod))


@pytest.mark.parametrize("changed, words", [
    ({"cleave.dev/initdata": None}, "cleave.dev/initdata is missing"),
    ({"cleave.dev/id": None}, "cleave.dev/id is missing"),
    ({"cleave.dev/initdata": "not base64"}, "is not base64"),
    ({"cleave.dev/initdata": base64.b64encode(b"x" * 16385).decode()}, "1 to 16384 bytes"),
    ({"cleave.dev/id": "../../etc"}, "hexadecimal"),
])
def test_hostile_annotations_are_refused_before_anything_is_made(bed, cri, changed, words):
    with pytest.raises(grpc.RpcError) as refusal:
        run_pod(cri, annotations=annotations(**changed))
    assert words in refusal.value.details()


def test_a_size_beyond_the_hosts_is_refused(bed, cri):
    with pytest.raises(grpc.RpcError) as refusal:
        run_pod(cri, linux={"resources": {"memory_limit_in_bytes": 1 << 50}})
    assert "max_memory" in refusal.value.details()
    with pytest.raises(grpc.RpcError) as refusal:
        run_pod(cri, linux={"cgroup_parent": "/../../etc"})
    assert "cgroup_parent" in refusal.value.details()


@pytest.fixture
def stock_libvirt(bed):
    """QEMU does not run as root on a node that nobody has tuned."""
    try:
        user = pwd.getpwnam("libvirt-qemu")
    except KeyError:
        pytest.skip("libvirt's packages have made no user for QEMU")
    bed_setup.use_qemu_conf(bed, bed_setup.LIBVIRT_QEMU_STOCK)
    yield user
    bed_setup.use_qemu_conf(bed, bed_setup.LIBVIRT_QEMU)


def test_a_machine_runs_as_libvirts_own_user(bed, stock_libvirt, cri):
    pod = run_pod(cri)
    qemu = one(bed, "guest=cleave-" + pod)
    with open(f"/proc/{qemu}/status", encoding="utf-8") as status:
        assert f"Uid:\t{stock_libvirt.pw_uid}\t" in status.read()
    for disk in ("init.img", "net.img"):
        assert os.stat(bed.path("host", f"/run/cleave/h/{pod}/{disk}")).st_uid == 0
    cri.stop_pod(pod)
    assert not list(find(bed, pod))
    cri.remove_pod(pod)


def test_a_configuration_broken_meanwhile_does_not_keep_a_pod(bed, cri):
    pod = run_pod(cri)
    conf = bed.path("host", "/etc/cleave/host.conf")
    with open(conf, encoding="utf-8") as file:
        text = file.read()
    with open(conf, "w", encoding="utf-8") as file:
        file.write(text + "[libvirt]\nno_such_key = 1\n")
    try:
        cri.stop_pod(pod)
        assert not list(find(bed, pod))
        cri.remove_pod(pod)
    finally:
        with open(conf, "w", encoding="utf-8") as file:
            file.write(text)


def test_a_probe_takes_the_place_of_one_that_was_cut_down(bed, cri):
    stale, result = bed.path("host", "/run/stale.xml"), bed.path("host", "/var/lib/cleave/h/accel.json")
    with open(stale, "w", encoding="utf-8") as file:
        file.write("<domain type='qemu'><name>cleave-probe</name><memory unit='MiB'>64</memory>"
                   "<os><type arch='x86_64' machine='q35'>hvm</type></os></domain>")
    bed.run("host", "virsh", "-c", "qemu:///system", "create", "--paused", "/run/stale.xml")
    os.remove(stale)
    helper = os.path.abspath(os.path.join(bed.state["build"], "bin/cleave-host-helper"))
    answer = json.loads(bed.run("host", helper, "probe").stdout)
    with open(result, encoding="utf-8") as file:
        assert json.load(file)["kvm"] == answer["kvm"]
    os.remove(result)                                                    # the bed's machines are emulated
    assert not list(find(bed, "guest=cleave-probe"))


# ---- containerd ------------------------------------------------------------------------------

def test_containerd_restarts_under_a_running_pod(bed, cri):
    pod = run_pod(cri)
    ctr = cri.create(pod, "anchor", ANCHOR)
    cri.start_container(ctr)
    qemu = one(bed, "guest=cleave-" + pod)
    bed.stop("host", "containerd", signal.SIGKILL)
    bed.start("host", "containerd")
    again = cri_program.Cri(bed, "host")
    again.version()
    assert again.pod_status(pod).status.state == cri_program.READY
    assert again.container_status(ctr).state == cri_program.RUNNING
    assert list(find(bed, pod)) == [qemu]
    again.stop_container(ctr, grace=0)
    again.remove_container(ctr)
    again.stop_pod(pod)
    assert not list(find(bed, pod))


# ---- kill -9 ---------------------------------------------------------------------------------

def test_qemu_killed_is_noticed_at_once(bed, cri):
    pod = run_pod(cri)
    ctr = cri.create(pod, "anchor", ANCHOR)
    cri.start_container(ctr)
    os.kill(one(bed, "guest=cleave-" + pod), signal.SIGKILL)
    wait_for(lambda: cri.not_ready(pod))
    assert cri.wait_exit(ctr, 10).exit_code == 137


def test_shim_killed_takes_the_machine_with_it(bed, cri):
    pod = run_pod(cri)
    os.kill(one(bed, pod, name="containerd-shim-cleave-host-v2"), signal.SIGKILL)
    wait_for(lambda: not list(find(bed, pod)))
    wait_for(lambda: cri.not_ready(pod))


# Becomes the helper; what it says of itself decides when something is killed, once.
SCRIPTED_HELPER = """#!/bin/bash
if [ "$1" != {verb} ] || ! rm /run/cleave/script 2>/dev/null; then exec {helper} "$@"; fi
exec {helper} -debug "$@" 2> >(while read -r line; do [[ $line == *'"phase {phase}"'* ]] && {action}; done)
"""
KILL_HELPER, KILL_SHIM = "kill -9 $$", "kill -9 $PPID"
KILL_QEMU = "kill -9 $(cat /run/libvirt/qemu/cleave-*.pid)"
STOP_LIBVIRTD = "kill -STOP $(cat /run/libvirtd.pid)"
CREATE_PHASES = ("read", "disks", "connect", "domain", "process", "tap", "cgroup", "resume", "answer")
DESTROY_PHASES = ("kill", "libvirt", "files")


@pytest.fixture
def script(bed):
    """script(verb, phase, action): the next helper of that verb runs into it."""
    conf, program = (bed.path("host", "/etc/cleave/" + name) for name in ("host.conf", "helper"))
    with open(conf, encoding="utf-8") as file:
        text = file.read()
    helper = os.path.abspath(os.path.join(bed.state["build"], "bin/cleave-host-helper"))
    with open(conf, "w", encoding="utf-8") as file:
        file.write(text.replace(helper, "/etc/cleave/helper").replace("[machine]\n", "[machine]\ncall_timeout = 4\n"))

    def prepare(verb, phase, action):
        with open(program + ".new", "w", encoding="utf-8") as file:
            file.write(SCRIPTED_HELPER.format(helper=helper, verb=verb, phase=phase, action=action))
        os.chmod(program + ".new", 0o700)
        os.rename(program + ".new", program)
        with open(bed.path("host", "/run/cleave/script"), "w", encoding="utf-8"):
            pass

    prepare("none", "none", "true")
    os.remove(bed.path("host", "/run/cleave/script"))
    yield prepare
    with open(conf, "w", encoding="utf-8") as file:
        file.write(text)


def scripted(bed):
    return not os.path.exists(bed.path("host", "/run/cleave/script"))


def run_and_fail(bed, cri):
    """RunPodSandbox while something is killed: its error, or None where it was faster."""
    outcome = in_background(lambda: run_pod(cri))
    outcome.join(60)
    assert not outcome.is_alive() and scripted(bed)
    if not outcome.error:
        cri.stop_pod(outcome.result)
        cri.remove_pod(outcome.result)
    return outcome.error and outcome.error.details()


def test_helper_killed_in_each_phase_of_create(bed, script, cri):
    for phase in CREATE_PHASES:
        script("create", phase, KILL_HELPER)
        error = run_and_fail(bed, cri)
        assert error or phase == "answer", phase                     # all of the work is done by then
        assert not error or "helper failed at 'create': killed by signal 9" in error, f"{phase}: {error}"


def test_shim_killed_in_each_phase_of_create(bed, script, cri):
    for phase in CREATE_PHASES:
        script("create", phase, KILL_SHIM)
        assert run_and_fail(bed, cri) or phase == "answer", phase


def test_qemu_killed_while_create_goes_on(bed, script, cri):
    for phase in ("process", "tap", "cgroup", "resume"):
        script("create", phase, KILL_QEMU)
        run_and_fail(bed, cri)           # or it ran and was noticed dead: what counts is what is left


def test_helper_killed_in_each_phase_of_destroy(bed, script, cri):
    for phase in DESTROY_PHASES:
        pod = run_pod(cri)
        script("destroy", phase, KILL_HELPER)
        cri.stop_pod(pod)
        assert scripted(bed) and not list(find(bed, pod))
        cri.remove_pod(pod)


def test_a_process_that_only_looks_like_the_machine_is_left_alone(bed, cri):
    pod = run_pod(cri)
    likeness = subprocess.Popen(bed.argv("host", [
        "setpriv", "--reuid=65534", "--clear-groups", "/usr/bin/python3", "-c", "import time; time.sleep(1000)",
        "-name", f"guest=cleave-{pod},debug-threads=on"]))
    try:
        wait_for(lambda: list(find(bed, f"guest=cleave-{pod},", name="python3")))
        cri.stop_pod(pod)
        assert not list(find(bed, pod))
        assert list(find(bed, f"guest=cleave-{pod},", name="python3"))
    finally:
        for line in snapshot.processes(bed, "host"):
            if "time.sleep(1000)" in line:
                os.kill(int(line.split()[0]), signal.SIGKILL)
        likeness.wait(10)
    cri.remove_pod(pod)


# ---- a TPM in software -----------------------------------------------------------------------

@pytest.fixture
def measured(bed):
    """Machines whose boot is measured. What is killed here never gets as far as its kernel."""
    conf = bed.path("host", "/etc/cleave/host.conf")
    with open(conf, encoding="utf-8") as file:
        text = file.read()
    with open(conf, "w", encoding="utf-8") as file:
        file.write(text.replace('tpm = "none"', f'tpm = "{bed_setup.MEASURED[0]}"')
                   .replace('firmware = ""', f'firmware = "{bed_setup.MEASURED[1]}"'))
    yield
    with open(conf, "w", encoding="utf-8") as file:
        file.write(text)


def swtpm(bed):
    return list(find(bed, "swtpm", name="swtpm"))


def tpm_states(bed):
    return os.listdir(bed.path("host", "/var/lib/libvirt/swtpm"))


def test_a_tpm_lives_and_dies_with_its_machine(bed, measured, cri):
    config = cri.pod_config("measured", annotations=annotations())
    pod = cri.run_pod("measured", "cleave-host", config=config)
    assert one(bed, "guest=cleave-" + pod, bed_setup.MEASURED[1], "tpm-crb")
    [tpm] = swtpm(bed)
    uuid = bed.run("host", "virsh", "domuuid", "cleave-" + pod).stdout.strip()
    assert tpm_states(bed) == [uuid] and uuid.startswith("c1ea5e01-")
    with open(f"/proc/{tpm}/cgroup", encoding="utf-8") as groups:
        own = [line for line in groups if f"{config.linux.cgroup_parent}/cleave-{pod}" in line]
    assert any(":memory:" in line or line.startswith("0::") for line in own)
    with open(f"/proc/{tpm}/status", encoding="utf-8") as status:
        assert f"Uid:\t{pwd.getpwnam('tss').pw_uid}\t" in status.read()
    cri.stop_pod(pod)
    assert not swtpm(bed) and tpm_states(bed) == []
    cri.remove_pod(pod)


def test_a_tpm_where_nobody_has_tuned_libvirt(bed, stock_libvirt, measured, cri):
    pod = run_pod(cri)
    with open(f"/proc/{one(bed, 'guest=cleave-' + pod)}/status", encoding="utf-8") as status:
        assert f"Uid:\t{stock_libvirt.pw_uid}\t" in status.read()
    assert len(swtpm(bed)) == 1 and cri.pod_status(pod).status.state == cri_program.READY
    cri.stop_pod(pod)
    assert not swtpm(bed) and tpm_states(bed) == []
    cri.remove_pod(pod)


def test_a_tpm_killed_ends_the_machine(bed, measured, cri):
    """A guest without its TPM could give no evidence any more, and nobody would know why."""
    pod = run_pod(cri)
    ctr = cri.create(pod, "anchor", ANCHOR)
    cri.start_container(ctr)
    [tpm] = swtpm(bed)
    size = os.path.getsize(bed.log("host", "containerd"))
    os.kill(tpm, signal.SIGKILL)
    wait_for(lambda: cri.not_ready(pod))
    assert cri.wait_exit(ctr, 10).exit_code == 137
    with open(bed.log("host", "containerd"), encoding="utf-8", errors="replace") as log:
        log.seek(size)
        assert "the machine's TPM (swtpm) has ended" in log.read()


def test_the_machine_or_the_shim_killed_takes_the_tpm_along(bed, measured, cri):
    for victim in ("qemu", "containerd-shim-cleave-host-v2"):
        pod = run_pod(cri)
        os.kill(one(bed, pod, name=victim), signal.SIGKILL)
        wait_for(lambda: not swtpm(bed) and tpm_states(bed) == [], 20)
        wait_for(lambda p=pod: cri.not_ready(p))


def test_libvirt_restarts_under_a_machine_with_a_tpm(bed, measured, cri):
    pod = run_pod(cri)
    tpm = swtpm(bed)
    bed.stop("host", "libvirtd", signal.SIGKILL)
    bed.start("host", "libvirtd")
    assert swtpm(bed) == tpm and cri.pod_status(pod).status.state == cri_program.READY
    cri.stop_pod(pod)
    assert not swtpm(bed) and tpm_states(bed) == []
    cri.remove_pod(pod)


KILL_LIBVIRTD = "sleep 0.{delay}; kill -9 $(cat /run/libvirtd.pid)"


def test_helper_or_shim_killed_while_a_tpm_is_made(bed, measured, script, cri):
    for phase, action in (("domain", KILL_HELPER), ("domain", KILL_SHIM), ("process", KILL_HELPER), ("answer", KILL_SHIM)):
        script("create", phase, action)
        run_and_fail(bed, cri)
        wait_for(lambda: not swtpm(bed) and tpm_states(bed) == [], 20)


def test_libvirt_killed_while_it_makes_a_tpm(bed, measured, script, cri):
    """Whatever it had begun, nobody else knows of: the next destroy finds it by the machine's UUID. Directories of libvirt's own,
    which it has lost by its death, are its own to lose, and so is a QEMU that it was asking what it can do."""
    own = bed.path("host", "/var/lib/libvirt/qemu")
    before = {path for path, _, _ in os.walk(own)}
    begun = 0
    for delay in ("2", "5", "9"):
        script("create", "domain", KILL_LIBVIRTD.format(delay=delay))
        try:
            assert run_and_fail(bed, cri)
            begun += len(tpm_states(bed))
        finally:
            bed.start("host", "libvirtd")
        wait_for(lambda: not swtpm(bed) and tpm_states(bed) == [], 70)
    print(f"{begun} of 3 had begun")
    for probe in find(bed, "/qmp-"):
        os.kill(probe, signal.SIGKILL)
    for path in {path for path, _, _ in os.walk(own)} - before:
        shutil.rmtree(path, ignore_errors=True)


def test_the_state_of_a_tpm_from_before_a_crash_is_swept(bed, measured, cri):
    pod = run_pod(cri)
    [living] = tpm_states(bed)
    stale, foreign = living[:-12] + "0123456789ab", "c1ea5e01-0000-8000-8000-0123456789ab"
    for uuid in (stale, foreign):
        os.makedirs(bed.path("host", f"/var/lib/libvirt/swtpm/{uuid}/tpm2"))
    answer = json.loads(bed.run("host", os.path.abspath(bed.state["build"] + "/bin/cleave-host-helper"), "sweep").stdout)
    assert answer == {"destroyed": 1} and sorted(tpm_states(bed)) == sorted([living, foreign])
    assert swtpm(bed) and cri.pod_status(pod).status.state == cri_program.READY
    shutil.rmtree(bed.path("host", f"/var/lib/libvirt/swtpm/{foreign}"))
    cri.stop_pod(pod)


# ---- cancel ----------------------------------------------------------------------------------

def test_run_pod_sandbox_given_up_while_the_machine_starts(bed, cri):
    given_up = 0
    for delay_ms in (20, 60, 120, 200, 300):
        config = cri.pod_config("given-up", annotations=annotations())
        call = cri.run_pod_start(config, "cleave-host", timeout=30)
        time.sleep(delay_ms / 1000)
        given_up += call.cancel()
        wait_for(lambda: not list(find(bed, "create", name="cleave-host-helper")), 30)
    assert given_up > 0


@pytest.mark.parametrize("called", [False, True])
def test_a_shim_that_start_leaves_behind_ends_by_itself(bed, cri, called):
    """As when containerd kills `start` a moment too late, or hangs up between two calls and forgets the pod."""
    bundle = bed.path("host", "/run/orphan/io.containerd.sandbox.controller.v1.shim/k8s.io/orphan")
    inside = bundle[len(bed.path("host", "")):]
    os.makedirs(bundle)
    shim = os.path.abspath(os.path.join(bed.state["build"], "bin/containerd-shim-cleave-host-v2"))
    bed.run("host", "sh", "-c", f"cd {inside} && {shim} -namespace k8s.io -address /none -id orphan start </dev/null")
    if called:
        with open(f"{bundle}/address", encoding="utf-8") as file:
            client = ttrpc.Client(bed.path("host", file.read().removeprefix("unix://")))
        assert client.call("containerd.runtime.sandbox.v1.Sandbox", "PingSandbox", b"")[0] == 0
        client.close()
    assert list(find(bed, "-id orphan", name="containerd-shim-cleave-host-v2"))
    shutil.rmtree(bed.path("host", "/run/orphan"))
    wait_for(lambda: not list(find(bed, "-id orphan", name="containerd-shim-cleave-host-v2")), 15)


def test_libvirt_that_hangs_does_not_hold_up_a_stop(bed, cri):
    pod = run_pod(cri)
    libvirtd = bed.daemon_pid("host", "libvirtd")
    os.kill(libvirtd, signal.SIGSTOP)
    try:
        with open(bed.path("host", "/etc/cleave/host.conf"), encoding="utf-8") as file:
            assert "call_timeout" not in file.read()
        started = time.monotonic()
        outcome = in_background(lambda: cri.stop_pod(pod))
        wait_for(lambda: not list(find(bed, pod)))
        outcome.join(30)
        assert not outcome.is_alive() and time.monotonic() - started < 15        # of 20 s that libvirt has
        assert not outcome.error
    finally:
        os.kill(libvirtd, signal.SIGCONT)


def late_domain(bed, script, cri, logs):
    """libvirtd is stopped as it is asked for a domain. True: it had not begun with it; False: it had."""
    before = set(os.listdir(logs))
    script("create", "domain", STOP_LIBVIRTD)
    try:
        error = run_and_fail(bed, cri)
        late = set(os.listdir(logs)) == before
        assert not late or "no answer from libvirt" in error
    finally:
        os.kill(bed.daemon_pid("host", "libvirtd"), signal.SIGCONT)
    wait_for(lambda: set(os.listdir(logs)) != before)           # libvirt does what nobody wants any more
    return late


def test_a_domain_that_appears_when_all_is_over_is_destroyed(bed, script, cri):
    logs = bed.path("host", "/var/log/libvirt/qemu")
    assert any(late_domain(bed, script, cri, logs) for _ in range(5))


# ---- the shim's own socket -------------------------------------------------------------------

def test_the_shims_own_socket_refuses_what_reaches_into_the_pod(bed, cri):
    pod = run_pod(cri)
    ctr = cri.create(pod, "anchor", ANCHOR)
    cri.start_container(ctr)
    shim = ttrpc.of_sandbox(bed, "host", pod)
    for task in ("containerd.task.v2.Task", "containerd.task.v3.Task"):
        for target in (pod, ctr):
            exec_it = ttrpc.field(1, target) + ttrpc.field(2, "exec-1") + ttrpc.field(4, "/bin/sh")
            code, message, _ = shim.call(task, "Exec", exec_it)
            assert code == ttrpc.PERMISSION_DENIED and "the host cannot run anything in it" in message, message
            code, message, _ = shim.call(task, "Checkpoint", ttrpc.field(1, target) + ttrpc.field(2, "/tmp/x"))
            assert code == ttrpc.PERMISSION_DENIED and "cannot be saved by its host" in message, message
        assert shim.call(task, "Connect", ttrpc.field(1, pod))[:2] == (0, "")
        assert shim.call(task, "Migrate")[0] == 12
    shim.close()
    bundle = f"/run/containerd/io.containerd.sandbox.controller.v1.shim/k8s.io/{pod}/"
    with open(bed.path("host", bundle + "bootstrap.json"), encoding="utf-8") as file:
        address = json.load(file)["address"]
    with open(bed.path("host", bundle + "address"), encoding="utf-8") as file:
        assert file.read() == address
    assert cri.container_status(ctr).state == cri_program.RUNNING


class in_background(threading.Thread):
    def __init__(self, function):
        super().__init__(daemon=True)
        self.function, self.error, self.result = function, None, None
        self.start()

    def run(self):
        try:
            self.result = self.function()
        except grpc.RpcError as error:
            self.error = error
