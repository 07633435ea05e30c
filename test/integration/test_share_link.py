# SPDX-License-Identifier: Apache-2.0
"""The way of a live share, under containers: what a cut and the end of the pod do to it. What a share is: test_shares.py."""
import contextlib
import os
import shutil
import signal
import threading
import time

import grpc
import pytest

from conftest import BUSYBOX, eventually, find_processes, kill9
from test_tenant_network import black_hole

GUEST = r"cleave-agent --stub"
SERVER = r"cleave-share "
SLEEP = ["sleep", "1000"]
PLACE = "/run/live"
# Each round makes, writes, renames, reads and now and then removes; "wrong" counts what was not as it should be.
WORK = """
i=0; wrong=0
until [ -e /live/enough ]; do
  echo $i > /live/f$i && mv /live/f$i /live/g$i && [ "$(cat /live/g$i)" = $i ] || wrong=$((wrong+1))
  [ -e /live/f$i ] && wrong=$((wrong+1))
  [ $((i % 2)) = 0 ] || rm /live/g$i || wrong=$((wrong+1))
  i=$((i+1))
done
echo $wrong $i
"""


@pytest.fixture
def place(stub, bed, tenant):
    path = bed.path("tenant", PLACE)
    os.makedirs(path)
    yield path
    tenant.remove_everything()
    shutil.rmtree(path)


@pytest.fixture
def ctr(place, tenant):
    pod = tenant.run_pod("live")
    return tenant.run(pod, "one", BUSYBOX, SLEEP, mounts=[{"container_path": "/live", "host_path": PLACE}])


class Work:
    """A command in a container, aside."""

    def __init__(self, tenant, ctr, *command):
        self.result = None
        self.thread = threading.Thread(target=self._run, args=(tenant, ctr, command))
        self.thread.start()

    def _run(self, tenant, ctr, command):
        with contextlib.suppress(grpc.RpcError):        # a pod that ends takes it along
            self.result = tenant.exec(ctr, *command, timeout=180)


def test_cuts_cost_time_and_nothing_else(ctr, place, tenant, bed):
    """TCP bridges the first one; the second is long enough for another connection."""
    work = Work(tenant, ctr, "sh", "-c", WORK)
    for seconds in (1.5, 5, 0):
        done = len(os.listdir(place))
        eventually(lambda: len(os.listdir(place)) > done + 50, what="some work")
        with black_hole(bed):
            time.sleep(seconds)
        assert work.result is None
    with open(os.path.join(place, "enough"), "w", encoding="utf-8"):
        work.thread.join(120)
    code, out, err = work.result
    assert code == 0, (code, err[-500:])
    wrong, rounds = map(int, out.split())
    assert (wrong, err) == (0, b"") and len(os.listdir(place)) == (rounds + 1) // 2 + 1


WAITER = "cat /live/of-nobody"


def keep_waiting(tenant, bed, ctr):
    """A process of the container is in the kernel, for an answer that does not come: SIGKILL does not reach it before the mount is
    aborted."""
    for pid in find_processes(bed, "tenant", SERVER):
        os.kill(pid, signal.SIGSTOP)
    work = Work(tenant, ctr, *WAITER.split())
    eventually(lambda: "request_wait_answer" in map(waits_for, find_processes(bed, "tenant", WAITER)), what="a process that waits")
    return work


def waits_for(pid):
    with contextlib.suppress(OSError), open(f"/proc/{pid}/wchan", encoding="utf-8") as file:
        return file.read()
    return None


def test_a_pod_ends_although_its_server_answers_nothing(ctr, tenant, bed):
    work = keep_waiting(tenant, bed, ctr)
    before = time.monotonic()
    tenant.remove_everything()
    assert time.monotonic() - before < 30
    eventually(lambda: not find_processes(bed, "tenant", GUEST), what="the guest's end")
    work.thread.join(60)


def test_a_killed_guest_leaves_nobody_who_waits(ctr, tenant, bed):
    work = keep_waiting(tenant, bed, ctr)
    guests = find_processes(bed, "tenant", GUEST)
    assert guests
    kill9(guests)
    eventually(lambda: not find_processes(bed, "tenant", WAITER), what="the end of who waits")
    tenant.remove_everything()
    work.thread.join(60)



def inits(bed):
    """The processes that the guest's agent waits for: of each container its init."""
    guest, = find_processes(bed, "tenant", GUEST)
    with open(f"/proc/{guest}/task/{guest}/children", encoding="utf-8") as children:
        return children.read().split()


def test_what_waits_for_a_storage_is_not_created_when_nobody_wants_it_any_more(ctr, tenant, bed):
    """It waits in the guest, for the server. The storage hangs for longer than the shim looks after what it has given up."""
    pod, before = tenant.containers()[0].pod_sandbox_id, len(inits(bed))
    mount = {"container_path": "/live", "host_path": PLACE}
    server = max(find_processes(bed, "tenant", SERVER))
    os.kill(server, signal.SIGSTOP)
    given_up = tenant.create(pod, "given-up", BUSYBOX, SLEEP, mounts=[mount])
    with pytest.raises(grpc.RpcError):
        tenant.start_container(given_up, timeout=1)
    tenant.wait_exit(given_up)
    tenant.remove_container(given_up)
    time.sleep(3)
    os.kill(server, signal.SIGCONT)
    other = tenant.run(pod, "other", BUSYBOX, SLEEP, mounts=[mount])
    assert tenant.exec(other, "ls", "/live")[0] == 0
    assert len(inits(bed)) == before + 1
