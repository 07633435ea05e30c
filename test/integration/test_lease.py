# SPDX-License-Identifier: Apache-2.0
"""The lease: what a lost channel, a stopped shim and a killed shim do to a guest, and what they do not."""
import contextlib
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import threading
import time

import grpc
import pytest

from conftest import (BUSYBOX, UNTIL_THE_END, configure, ends_whole, eventually, find_processes, kill9, log_paths,
                      new_lines)

SHIM = r"containerd-shim-cleave-tenant-v2"
GUEST = r"cleave-agent --stub"
# Where a process of a stub guest can be seen from outside: it counts into a file of its own.
COUNTER = ["sh", "-c", "i=0; while :; do i=$((i+1)); echo $i > /count; sleep 0.05; done"]
SHARED = "/run/leased"
SHARER = ["sh", "-c", "i=0; until [ -e /live/end ]; do echo $i >> /live/lines || exit 1; i=$((i+1)); sleep 0.02; done"]
LINES = "i=0; while [ $i -lt {} ]; do echo $i; i=$((i+1)); sleep 0.05; done"


def numbers(tenant, ctr):
    return [int(line) for _, line in tenant.log(ctr)]


def short_lease(bed, power_off=600, lost=720):
    configure(bed, lambda text: f"lease_ttl = 4\nlease_power_off = {power_off}\nlost_timeout = {lost}\n" + text)


def count(bed):
    """None: it runs no more."""
    for pid in find_processes(bed, "tenant", r"^sh -c i=0; while :"):
        try:
            with open(f"/proc/{pid}/root/count", encoding="ascii") as file:
                return file.read()
        except OSError:
            return None
    return None


def stands_still(bed):
    before = count(bed)
    time.sleep(0.6)
    return before == count(bed)


def logged(bed, word):
    return [line for path in log_paths(bed) for line in new_lines(path) if word in line]


def leases(bed):
    """sandbox id: (state, epoch, limit of the numbers)."""
    directory = bed.path("tenant", "/var/lib/cleave/t/lease")
    found = {}
    for name in os.listdir(directory) if os.path.isdir(directory) else ():
        with open(f"{directory}/{name}", "rb") as file:
            _, _, state, epoch, limit = struct.unpack_from("=8sIIQQ", file.read())
        found[name] = state & 3, epoch, limit       # above that it counts revocations
    return found


@pytest.fixture
def stopped(bed, tenant):
    """stopped(): the tenant's shim, with SIGSTOP. It goes on at the end at the latest."""
    pids = []

    def stop():
        pids.extend(find_processes(bed, "tenant", SHIM))
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        return pids
    yield stop
    for pid in pids:
        if os.path.exists(f"/proc/{pid}"):
            os.kill(pid, signal.SIGCONT)


# ---- the channel is cut ------------------------------------------------------------------------

@pytest.mark.parametrize("seconds", [1, 30])
def test_a_cut_is_not_noticed(relay, tenant, bed, seconds):
    """Nothing is lost, nothing is doubled, and what ended meanwhile is told."""
    pod = tenant.run_pod("cut")
    lines = int(10 * (seconds + 4))
    ctr = tenant.run(pod, "lines", BUSYBOX, UNTIL_THE_END)
    brief = tenant.run(pod, "brief", BUSYBOX, ["sh", "-c", "while ! [ -e /go ]; do sleep 0.1; done; sleep 1; seq 500; exit 7"])
    client = subprocess.Popen(bed.argv("tenant", [
        "ctr", "-n", "k8s.io", "tasks", "exec", "--exec-id", "lines", ctr, "sh", "-c", LINES.format(lines) + "; exit 5"]),
        stdout=subprocess.PIPE)
    out = bytearray()
    reader = threading.Thread(target=lambda: [out.extend(line) for line in client.stdout])
    reader.start()
    eventually(lambda: len(numbers(tenant, ctr)) > 5 and out, what="the first lines")
    assert tenant.exec(brief, "touch", "/go")[0] == 0
    assert relay.hold() > 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert tenant.container_status(ctr).state == 1          # RUNNING
        assert tenant.pod_status(pod).status.state == 0         # READY
        time.sleep(0.2)
    relay.free()
    assert tenant.wait_exit(brief).exit_code == 7
    assert tenant.exec(ctr, "echo", "again")[1] == b"again\n"
    reader.join(30)
    assert client.wait(10) == 5 and out.split() == [b"%d" % i for i in range(lines)]
    assert ends_whole(tenant, ctr) > 5 * seconds        # it went on meanwhile
    assert numbers(tenant, brief) == list(range(1, 501))
    assert not logged(bed, "the guest is frozen")


def test_a_lapse_freezes_and_a_new_connection_thaws(relay, tenant, bed):
    short_lease(bed)
    pod = tenant.run_pod("lapse")
    ctr = tenant.run(pod, "counter", BUSYBOX, COUNTER)
    lines = tenant.run(pod, "lines", BUSYBOX, UNTIL_THE_END)
    eventually(lambda: not stands_still(bed), what="the counter")
    assert relay.hold() > 0
    eventually(lambda: stands_still(bed), 30, "the freeze")
    assert tenant.container_status(ctr).state == tenant.container_status(lines).state == 1
    results = []
    waiting = threading.Thread(target=lambda: results.append(tenant.exec(ctr, "echo", "waited")))
    waiting.start()                                             # a user's call is not lost
    assert stands_still(bed)
    relay.free()
    waiting.join(30)
    assert results == [(0, b"waited\n", b"")]
    eventually(lambda: not stands_still(bed), what="the thaw")
    ends_whole(tenant, lines)


def test_a_cut_for_good_ends_when_the_guest_has_powered_off(relay, tenant, bed):
    short_lease(bed, power_off=4)
    pod = tenant.run_pod("good")
    ctr = tenant.run(pod, "counter", BUSYBOX, COUNTER)
    began = time.monotonic()
    assert relay.hold() > 0
    eventually(lambda: stands_still(bed), 30, "the freeze")
    assert tenant.container_status(ctr).state == 1              # the host says that it runs
    status = tenant.wait_exit(ctr, 60)
    assert status.exit_code == 255
    assert 8 < time.monotonic() - began < 40 and not find_processes(bed, "tenant", GUEST)
    assert logged(bed, "the guest left no exit code") and logged(bed, "the guest is gone")
    eventually(lambda: tenant.not_ready(pod), what="NOTREADY")
    assert leases(bed) == {}


def test_a_host_that_says_nothing_is_outwaited(provisioner, relay, tenant, bed):
    """After lost_timeout the pod is dead: first the lease is revoked, then the host half removed."""
    flag = provisioner("[ -e $flag ] && [ $1 = status ] && exit 1; [ -e $flag ] && [ $1 = delete ] && exec sleep 30")
    short_lease(bed, power_off=4, lost=10)
    pod = tenant.run_pod("silent")
    ctr = tenant.run(pod, "one", BUSYBOX, ["sleep", "1000"])
    flag.touch()
    assert [state for state, _, _ in leases(bed).values()] == [1]
    began = time.monotonic()
    assert relay.hold() > 0
    eventually(lambda: [state for state, _, _ in leases(bed).values()] == [2], 20, "the revocation")
    assert time.monotonic() - began > 9
    assert tenant.container_status(ctr).state == 1              # not before the removal
    flag.unlink()
    kill9(find_processes(bed, "tenant", "sleep 30$"))
    assert tenant.wait_exit(ctr, 60).exit_code == 255
    eventually(lambda: tenant.not_ready(pod), what="NOTREADY")


def test_a_host_that_lies_about_the_end_ends_it(provisioner, relay, tenant, bed):
    """Its word alone is nothing: the half is deleted, and only then the pod is dead."""
    flag = provisioner('[ -e $flag ] && [ $1 = status ] && echo \'{"state": "absent"}\' && exit 0')
    pod = tenant.run_pod("lie")
    ctr = tenant.run(pod, "one", BUSYBOX, ["sleep", "1000"])
    flag.touch()
    assert tenant.container_status(ctr).state == 1
    assert relay.hold() > 0
    assert tenant.wait_exit(ctr, 30).exit_code == 255
    assert not find_processes(bed, "tenant", GUEST)
    eventually(lambda: tenant.not_ready(pod), what="NOTREADY")


def succeeds(call):
    try:
        call()
    except grpc.RpcError as error:
        assert "no channel" in error.details(), error
        return False
    return True


@pytest.mark.parametrize("runtime", ["cleave-tenant", "cleave-tenant-sandbox"])
def test_a_pod_out_of_reach_is_stopped_when_its_guest_is_frozen(relay, tenant, bed, runtime):
    """There is no channel, and the host says that it runs: kubelet's calls are answered soon all the same."""
    short_lease(bed)
    pod = tenant.run_pod("stop", runtime)
    ctr = tenant.run(pod, "counter", BUSYBOX, COUNTER)
    other = tenant.run(pod, "other", BUSYBOX, ["sleep", "1000"])
    assert relay.hold() > 0
    eventually(lambda: logged(bed, "running -> unknown"), what="the loss")
    began = time.monotonic()
    assert not succeeds(lambda: tenant.stop_container(ctr))     # SIGTERM, and nobody hears it
    assert 9 < time.monotonic() - began < 40
    assert stands_still(bed) and tenant.container_status(ctr).state == 1
    eventually(lambda: succeeds(lambda: tenant.stop_pod(pod)), 60, "the end of the pod")
    assert tenant.wait_exit(ctr).exit_code == tenant.wait_exit(other).exit_code == 255
    assert not find_processes(bed, "tenant", GUEST) and leases(bed) == {}
    assert tenant.not_ready(pod)


def test_a_container_out_of_reach_is_killed_when_it_can_be_heard_again(relay, tenant, bed):
    """It ends alone: its pod lives on, and its guest too."""
    short_lease(bed)
    pod = tenant.run_pod("one")
    ctr = tenant.run(pod, "counter", BUSYBOX, COUNTER)
    other = tenant.run(pod, "other", BUSYBOX, ["sleep", "1000"])
    assert relay.hold() > 0
    eventually(lambda: logged(bed, "running -> unknown"), what="the loss")
    eventually(lambda: succeeds(lambda: tenant.stop_container(ctr, grace=2)), 60, "the kill")
    assert tenant.wait_exit(ctr).exit_code == 255
    tenant.remove_container(ctr)
    assert tenant.container_status(other).state == 1 and not tenant.not_ready(pod)
    assert count(bed) is not None and stands_still(bed)
    relay.free()
    eventually(lambda: count(bed) is None, 30, "the end in the guest")
    assert tenant.exec(other, "echo", "here")[1] == b"here\n"


# ---- the shim is stopped, or killed ------------------------------------------------------------

@pytest.fixture
def shared(stub, bed, tenant):
    """A directory of the node that pods see live: its path, and where we have it."""
    where = bed.path("tenant", SHARED)
    os.makedirs(where)
    yield where
    tenant.remove_everything()
    shutil.rmtree(where)


def lines_of(path):
    with contextlib.suppress(OSError), open(path, encoding="ascii") as file:
        return [int(line) for line in file]
    return []


def test_a_stopped_shim_lets_the_lease_lapse(stub, stopped, tenant, bed, shared):
    """Who is in the middle of a call to a live share goes on with it after the thaw."""
    short_lease(bed)
    pod = tenant.run_pod("stopped")
    ctr = tenant.run(pod, "counter", BUSYBOX, COUNTER)
    sharer = tenant.run(pod, "sharer", BUSYBOX, SHARER, mounts=[{"container_path": "/live", "host_path": SHARED}])
    eventually(lambda: not stands_still(bed) and lines_of(shared + "/lines"), what="the counters")
    pids = stopped()
    eventually(lambda: not stands_still(bed), what="the counter, which goes on")
    eventually(lambda: stands_still(bed), 30, "the freeze")
    before = lines_of(shared + "/lines")
    assert stands_still(bed) and lines_of(shared + "/lines") == before
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    eventually(lambda: not stands_still(bed), what="the thaw")
    assert tenant.exec(ctr, "echo", "here")[1] == b"here\n"
    assert logged(bed, "the lease was not renewed for")         # so it took a new connection
    eventually(lambda: len(lines_of(shared + "/lines")) > len(before) + 5, what="more on the share")
    assert tenant.exec(sharer, "touch", "/live/end")[0] == 0
    assert tenant.wait_exit(sharer).exit_code == 0              # no call failed
    done = lines_of(shared + "/lines")
    assert done == list(range(len(done)))                       # none is lost, none is there twice


def test_the_guest_of_a_stopped_shim_powers_off(stub, stopped, tenant, bed):
    short_lease(bed, power_off=4)
    pod = tenant.run_pod("off")
    ctr = tenant.run(pod, "one", BUSYBOX, ["sleep", "1000"])
    pids = stopped()
    eventually(lambda: not find_processes(bed, "tenant", GUEST), 20, "the power-off")
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    status = tenant.wait_exit(ctr)
    assert status.exit_code in (137, 143, 255)                  # its last record may have got through
    eventually(lambda: tenant.not_ready(pod), what="NOTREADY")


def test_a_killed_shim_is_fenced_in_time(stub, tenant, bed):
    pod = tenant.run_pod("killed")
    tenant.run(pod, "one", BUSYBOX, ["sleep", "1000"])
    assert [state for state, _, _ in leases(bed).values()] == [1]
    kill9(find_processes(bed, "tenant", SHIM))
    eventually(lambda: not find_processes(bed, "tenant", GUEST), what="the end of the guest")
    eventually(lambda: leases(bed) == {}, what="the end of the lease")


def test_a_lease_is_revoked_before_a_slow_removal(provisioner, tenant, bed):
    flag = provisioner("[ $1 = delete ] && [ -e $flag ] && exec sleep 30")
    pod = tenant.run_pod("slow")
    tenant.run(pod, "one", BUSYBOX, ["sleep", "1000"])
    flag.touch()
    kill9(find_processes(bed, "tenant", SHIM))
    eventually(lambda: [state for state, _, _ in leases(bed).values()] == [2], what="the revocation")
    flag.unlink()
    kill9(find_processes(bed, "tenant", "sleep 30$"))
    eventually(lambda: leases(bed) == {}, 30, "the reaper")


def test_a_revocation_ends_the_link_of_a_living_shim(stub, tenant, bed):
    """By another process, through the record: at the next call, before it goes out."""
    pod = tenant.run_pod("revoked")
    ctr = tenant.run(pod, "one", BUSYBOX, ["sleep", "1000"])
    directory = bed.path("tenant", "/var/lib/cleave/t/lease")
    with open(f"{directory}/{os.listdir(directory)[0]}", "r+b") as record:
        record.seek(12)
        record.write(struct.pack("=I", 2))
    with pytest.raises(grpc.RpcError):
        tenant.exec(ctr, "echo", "never")
    assert tenant.wait_exit(ctr, 30).exit_code == 255
    assert logged(bed, "was revoked")


# ---- containerd is restarted -------------------------------------------------------------------

def test_a_flood_outlives_containerd(stub, tenant, bed):
    """What containerd had read and not yet written is lost with it; nothing else, and nothing comes twice."""
    pod = tenant.run_pod("flood")
    ctr = tenant.run(pod, "one", BUSYBOX, ["sh", "-c", "seq 400000 | sed 's/.*/<&>/'; exit 9"])
    eventually(lambda: len(tenant.log(ctr)) > 1000, what="the flood")
    bed.stop("tenant", "containerd", signal.SIGKILL)
    time.sleep(1)
    bed.start("tenant", "containerd")
    tenant.reconnect()
    assert tenant.wait_exit(ctr, 60).exit_code == 9
    eventually(lambda: tenant.log(ctr)[-1][1] == "<400000>", 30, "the last line")
    whole = [int(line[1:-1]) for _, line in tenant.log(ctr) if re.fullmatch(r"<[0-9]+>", line)]
    assert all(b > a for a, b in zip(whole, whole[1:])), "out of order, or twice"
    gaps = [(a, b) for a, b in zip(whole, whole[1:]) if b > a + 1]
    print(json.dumps(gaps))
    assert len(gaps) <= 1
