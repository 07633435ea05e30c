# SPDX-License-Identifier: Apache-2.0
"""Output that nobody reads: its writer waits, memory stays what it is, and no other call is late. And a
terminal whose channel is cut."""
import os
import signal
import time

import pytest

import ttrpc
from conftest import BUSYBOX, eventually, find_processes, is_sanitised
from streams import STDOUT, Stream

TASK = "containerd.task.v3.Task"
SHIM = r"containerd-shim-cleave-tenant-v2"
GUEST = r"cleave-agent --stub"
PRINTS = 8 << 20            # each flood, if it were read
ROOM = 8 << 20              # what four floods may add to a process: windows, pipes and frames in flight


def private(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as rollup:
        return 1024 * sum(int(line.split()[1]) for line in rollup if line.startswith("Private_"))


@pytest.fixture
def unread(bed):
    """unread(): containerd stops reading, with everything else of it, until the test's end."""
    containerd = bed.daemon_pid("tenant", "containerd")
    yield lambda: os.kill(containerd, signal.SIGSTOP)
    os.kill(containerd, signal.SIGCONT)


def test_floods_that_nobody_reads_cost_no_memory_and_delay_nobody(stub, tenant, bed, unread):
    pod = tenant.run_pod("flow")
    quiet = tenant.run(pod, "quiet", BUSYBOX, ["sleep", "1000"])
    shim = ttrpc.of_sandbox(bed, "tenant", pod)
    processes = find_processes(bed, "tenant", SHIM) + find_processes(bed, "tenant", GUEST)
    assert len(processes) >= 2
    floods = [tenant.create(pod, f"flood-{n}", BUSYBOX,
                            ["sh", "-c", "until [ -e /go ]; do sleep 0.05; done; "
                                         f"head -c {PRINTS} /dev/zero | tr '\\0' x; echo; echo end; exit {n}"]) for n in range(4)]
    for ctr in floods:
        tenant.start_container(ctr)
    before = [private(pid) for pid in processes]
    for ctr in floods:
        assert tenant.exec(ctr, "touch", "/go")[0] == 0
    unread()
    late = 0.0
    deadline = time.monotonic() + 4
    while time.monotonic() < deadline:
        asked = time.monotonic()
        assert shim.call(TASK, "Kill", ttrpc.field(1, quiet))[:2] == (0, "")
        assert shim.call(TASK, "State", ttrpc.field(1, quiet))[0] == 0
        late = max(late, time.monotonic() - asked)
        grown = [now - then for now, then in zip(map(private, processes), before)]
        # The address sanitiser keeps what was freed in a quarantine: there a process grows by what passed through it.
        assert max(grown) < ROOM or is_sanitised(), f"grown by {grown}"
        time.sleep(0.02)
    assert late < 5, f"a call took {late:.1f} s"
    os.kill(bed.daemon_pid("tenant", "containerd"), signal.SIGCONT)
    for n, ctr in enumerate(floods):
        assert tenant.wait_exit(ctr, 120).exit_code == n
        lines = [line for _, line in tenant.log(ctr)]
        assert lines[-1] == "end" and sum(map(len, lines[:-1])) == PRINTS


def test_a_terminal_outlives_a_cut_and_loses_nothing(relay, tenant, bed):
    pod = tenant.run_pod("terminal")
    ctr = tenant.run(pod, "one", BUSYBOX, ["sleep", "1000"], tty=True)
    shell = ["sh", "-c", "stty -echo; echo ready; while read -r line; do echo \"<$line> $(stty size)\"; done"]
    stream = Stream(bed, tenant.exec_url(ctr, shell, stdin=True, stdout=True, tty=True))
    stream.resize(80, 24)
    stream.until(STDOUT, b"ready")
    stream.answer(b"size\n", b"<size> 24 80")
    assert relay.hold() > 0
    stream.send(b"typed while cut\n")
    stream.resize(100, 30)
    time.sleep(1)
    relay.free()
    stream.until(STDOUT, b"<typed while cut> ", 30)
    stream.answer(b"after\n", b"<after> 30 100")
    for n in range(200):
        stream.send(b"line %d\n" % n)
        if n % 50 == 25:
            eventually(relay.cut, what="something to cut")
    said = stream.until(STDOUT, b"<line 199>", 30)
    assert [int(word.split(b">")[0]) for word in said.split(b"<line ")[1:]] == list(range(200))
    stream.close()
    with open(bed.log("tenant", "containerd"), encoding="utf-8") as log:
        assert "no such stream" not in log.read()       # a terminal has no stderr to ask for
