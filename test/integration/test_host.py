# SPDX-License-Identifier: Apache-2.0
"""The host half alone, under real containerd and real libvirtd, driven through CRI as a kubelet
would. The guest here has meaningless initdata: it powers off, or sits there; what is inside it is
not the point, so tests that need it alive use a machine whose kernel has no init to run."""
import base64
import os
import pwd
import signal
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
import ns                   # noqa: E402
import setup as bed_setup   # noqa: E402
import snapshot             # noqa: E402

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


def not_ready(cri, pod):
    """False, too, while containerd still cleans up behind a shim that was killed."""
    try:
        return cri.pod_status(pod).status.state == cri_program.NOTREADY
    except grpc.RpcError as error:
        assert "ttrpc: closed" in error.details()
        return False


# ---- life ------------------------------------------------------------------------------------

def test_a_pod_lives_and_leaves_nothing(bed, cri):
    pod = run_pod(cri)
    status = cri.pod_status(pod, verbose=True)
    assert status.status.state == cri_program.READY
    assert "cleave-" + pod in status.info["info"]
    assert one(bed, "guest=cleave-" + pod + ",")
    started = time.monotonic()
    cri.stop_pod(pod)
    assert time.monotonic() - started < 3
    assert not list(find(bed, pod))
    assert not_ready(cri, pod)
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
    wait_for(lambda: not_ready(cri, pod))
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
    started = time.monotonic()
    wait_for(lambda: not_ready(cri, pod), 5)
    assert time.monotonic() - started < 1
    assert cri.wait_exit(ctr, 2).exit_code == 137


def test_shim_killed_takes_the_machine_with_it(bed, cri):
    pod = run_pod(cri)
    os.kill(one(bed, pod, name="containerd-shim-cleave-host-v2"), signal.SIGKILL)
    wait_for(lambda: not list(find(bed, pod)), 5)
    wait_for(lambda: not_ready(cri, pod), 5)


@pytest.mark.parametrize("delay_ms", [0, 5, 10, 20, 40, 80, 120, 160, 200, 240, 280, 320])
def test_helper_killed_in_any_phase_of_create(bed, cri, delay_ms):
    outcome = in_background(lambda: run_pod(cri))
    try:
        helper = one(bed, "create", name="cleave-host-helper", seconds=5)
        time.sleep(delay_ms / 1000)
        os.kill(helper, signal.SIGKILL)
    except (AssertionError, ProcessLookupError):
        pass                                        # it was faster
    outcome.join(30)
    assert not outcome.is_alive()
    if outcome.error:
        assert "helper" in outcome.error.details(), outcome.error.details()


@pytest.mark.parametrize("delay_ms", [0, 20, 60, 100, 150, 200, 300])
def test_shim_killed_during_create(bed, cri, delay_ms):
    outcome = in_background(lambda: run_pod(cri))
    one(bed, "create", name="cleave-host-helper", seconds=5)
    time.sleep(delay_ms / 1000)
    for shim in find(bed, name="containerd-shim-cleave-host-v2"):
        os.kill(shim, signal.SIGKILL)
    outcome.join(30)
    assert not outcome.is_alive()


def test_helper_killed_during_destroy(bed, cri):
    for delay_ms in (0, 10, 30, 60, 100):
        pod = run_pod(cri)
        outcome = in_background(lambda: cri.stop_pod(pod))
        try:
            helper = one(bed, "destroy", name="cleave-host-helper", seconds=2)
            time.sleep(delay_ms / 1000)
            os.kill(helper, signal.SIGKILL)
        except (AssertionError, ProcessLookupError):
            pass
        outcome.join(30)
        assert not outcome.is_alive() and not outcome.error
        assert not list(find(bed, pod))
        cri.remove_pod(pod)


# ---- cancel ----------------------------------------------------------------------------------

@pytest.mark.parametrize("delay_ms", [20, 60, 120, 200, 300])
def test_run_pod_sandbox_given_up_while_the_machine_starts(bed, cri, delay_ms):
    call = cri.run_pod_start(cri.pod_config("given-up", annotations=annotations()), "cleave-host", timeout=30)
    time.sleep(delay_ms / 1000)
    call.cancel()
    wait_for(lambda: not list(find(bed, name="cleave-host-helper")), 10)


def test_libvirt_that_hangs_does_not_hold_up_a_stop(bed, cri):
    pod = run_pod(cri)
    libvirtd = bed.daemon_pid("host", "libvirtd")
    os.kill(libvirtd, signal.SIGSTOP)
    try:
        with open(bed.path("host", "/etc/cleave/host.conf"), encoding="utf-8") as file:
            assert "call_timeout" not in file.read()
        started = time.monotonic()
        outcome = in_background(lambda: cri.stop_pod(pod))
        wait_for(lambda: not list(find(bed, pod)), 2)
        outcome.join(30)
        assert not outcome.is_alive() and time.monotonic() - started < 25
        assert not outcome.error
    finally:
        os.kill(libvirtd, signal.SIGCONT)


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
