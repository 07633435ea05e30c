# SPDX-License-Identifier: Apache-2.0
"""Both halves together, as a tenant and a host have them: what the host can learn, what survives a
restart, and what is left when any of the processes dies. Where the machine is the point it is a real
VM; else the pair's guest is a stub."""
import json
import os
import re
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import threading
import time

import grpc
import pytest

import bed as bed_program
import cri as cri_program
import images
import ns
import sealed
import setup as bed_setup
import ttrpc
from conftest import BUSYBOX, UNTIL_THE_END, configure, ends_whole, eventually, find_processes, kill9, new_lines

SLEEP = ["sleep", "1000"]
QEMU = r"qemu-system"
HOST_SHIM = r"containerd-shim-cleave-host-v2"
TENANT_SHIM = r"containerd-shim-cleave-tenant-v2"
PROVISION = r"cleave-provision-cri"
NEVER_REFUSED = "the host cannot run anything in it"


def change(bed, role, path, **keys):
    """Sets keys of a table-less head of a node's configuration file."""
    name = bed.path(role, path)
    with open(name, encoding="utf-8") as file:
        text = file.read()
    for key, value in keys.items():
        text, found = re.subn(rf"(?m)^{key} = .*$", f"{key} = {value}", text)
        if not found:
            text = f"{key} = {value}\n" + text
    with open(name, "w", encoding="utf-8") as file:
        file.write(text)


# ---- what the host can learn -----------------------------------------------------------------

class Wire:
    """Everything that passes between the nodes, as bytes."""

    def __init__(self, bed, path):
        self.path = path
        # -U: each packet is in the file at once; the end of the capture loses none.
        self.dump = subprocess.Popen(bed.argv("host", ["tcpdump", "-i", "any", "-s", "0", "-U", "-w", path]),
                                     stderr=subprocess.PIPE, text=True)
        for line in self.dump.stderr:
            if "listening on" in line:
                break

    def stop(self, bed):
        for pid in find_processes(bed, "host", "^tcpdump"):
            ns.kill_and_wait(pid, signal.SIGTERM)
        self.dump.wait(10)
        with open(bed.path("host", self.path), "rb") as capture:
            return capture.read()


def content_since(path, began):
    """None: it is no file, or older: what has been made up since is not in it. /tmp is the whole machine's: others' files go."""
    try:
        status = os.lstat(path)
        if not stat.S_ISREG(status.st_mode) or status.st_ctime < began - 1:
            return None
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None


def everything_of_the_host(bed, began):
    """(name, bytes) of every file that the host node has and that has changed since, its processes' arguments and environments."""
    for tree in ("/run", "/var/lib", "/var/log", "/etc", "/tmp"):
        top = bed.path("host", tree)
        for folder, directories, names in os.walk(top):
            # Images of the host's own; and the checkout, where the tenant node's logs lie, too.
            if "/overlayfs/snapshots" in folder or folder[len(bed.path("host", "")):] == bed_program.ROOT:
                directories[:] = []
                continue
            for name in names:
                path = f"{folder}/{name}"
                content = None if "/run/netns" in folder else content_since(path, began)
                if content is not None:
                    yield tree + path[len(top):], content
    for daemon in ("containerd", "libvirtd"):
        with open(bed.log("host", daemon), "rb") as log:
            yield f"log of {daemon}", log.read()
    for pid in find_processes(bed, "host", "."):
        for part in ("cmdline", "environ"):
            try:
                with open(f"/proc/{pid}/{part}", "rb") as file:
                    yield f"{part} of {pid}", file.read()
            except OSError:
                continue
    for domain in bed.run("host", "virsh", "list", "--all", "--name").stdout.split():
        yield f"XML of {domain}", bed.run("host", "virsh", "dumpxml", domain).stdout.encode()


@pytest.fixture
def wire(bed):
    made = Wire(bed, "/run/wire.pcap")
    yield made
    made.stop(bed)
    os.unlink(bed.path("host", made.path))


def test_no_word_of_the_workload_reaches_the_host(bed, nodes, vm, wire):
    """Nor of a manifest: what the host sees of it is a digest, and its salt keeps the words from being guessed."""
    tenant, host, began = nodes["tenant"], nodes["host"], time.time()
    words = {name: f"canary{name}{secrets.token_hex(6)}" for name in (
        "image", "podname", "namespace", "hostname", "label", "annotation", "command", "environment", "file",
        "stdout", "stderr", "stdin", "execution", "execout")}
    words["salt"] = secrets.token_hex(32)
    image = f"{images.REGISTRY}/{words['image']}:1"
    made = images.busybox([("etc/word", words["file"].encode() + b"\n")])
    assert ns.call(bed.pid("tenant"), ns.NEWNET, lambda: made.push(bed_setup.REGISTRY_PORT, words["image"], "1"))
    tenant.pull(image)
    command = ["sh", "-c", f"echo {words['stdout']}; echo {words['stderr']} >&2; : {words['command']}; exec sleep 1000"]
    execs = {"file": ["cat", "/etc/word"], "environment": ["sh", "-c", "echo $WORD"], "hostname": ["hostname"],
             "execout": ["sh", "-c", f"echo {words['execout']}; : {words['execution']}"]}

    def run(name, is_sealed):
        config = tenant.cri.pod_config(name, words["namespace"], hostname=words["hostname"], labels={"app": words["label"]},
                                       annotations={"note": words["annotation"]})
        if is_sealed:
            slot = sealed.slot("one", command, made, ["WORD=" + words["environment"]], exec=list(execs.values()))
            sealed.seal(config, slot, salt=words["salt"])
        pod = tenant.run_pod(config=config)
        ctr = tenant.run(pod, "one", image, command, env={"WORD": words["environment"]})
        for word, args in execs.items():
            assert words[word].encode() in tenant.exec(ctr, *args)[1]
        return pod, ctr

    kept, one = run(words["podname"] + "-sealed", True)
    with pytest.raises(grpc.RpcError, match="its manifest has no such command"):
        tenant.exec(one, "cat", "/etc/passwd")
    pod, ctr = run(words["podname"], False)
    done = bed.run("tenant", "ctr", "-n", "k8s.io", "tasks", "exec", "--exec-id", "in", ctr, "cat",
                   input=words["stdin"] + "\n", check=False)
    assert done.stdout == words["stdin"] + "\n"
    eventually(lambda: len(tenant.log(ctr)) == 2, what="both log lines")
    assert words["stdout"] in str(tenant.log(ctr))

    # A search that finds nothing proves nothing: the host's own words must be found by it.
    own = f"cleave-{host.pods()[0].id}"
    found, hits = set(), []
    for name, content in everything_of_the_host(bed, began):
        found.add(name) if own.encode() in content else None
        hits += [f"{what} in {name}" for what, word in words.items() if word.encode() in content]
    for place in ("XML", "cmdline", "/"):
        assert any(name.startswith(place) for name in found), place
    captured = wire.stop(bed)
    assert len(captured) > 1 << 20                          # the layers went over it
    hits += [f"{what} on the wire" for what, word in words.items() if word.encode() in captured]
    assert b"busybox" not in captured and hits == []
    for each in (kept, pod):
        tenant.stop_pod(each)
        tenant.remove_pod(each)
    tenant.remove_image(image)
    hits = [f"{what} in {name}, after the pod" for name, content in everything_of_the_host(bed, began)
            for what, word in words.items() if word.encode() in content]
    assert hits == []


def test_execs_in_a_machine_join_its_containers(bed, nodes, vm):
    """The machine's kernel is another than a stub guest's, and so are its control groups (version 2)."""
    tenant = nodes["tenant"]
    pod = tenant.run_pod("execs")
    for name, mode in (("alone", 1), ("shared", 0)):
        ctr = tenant.run(pod, name, BUSYBOX, ["sleep", "4711"],
                         linux={"security_context": {"namespace_options": {"pid": mode}}})
        code, out, _ = tenant.exec(ctr, "sh", "-c", "cat /proc/self/cgroup; for n in cgroup ipc mnt net pid uts; do "
                                   "[ $(readlink /proc/self/ns/$n) = $(readlink /proc/$(pidof sleep)/ns/$n) ] || "
                                   "echo $n; done; ls /proc/self/fd")
        assert (code, out) == (0, b"0::/\n0\n1\n2\n3\n"), name    # 3 is the directory that ls reads
        done = bed.run("tenant", "script", "-qec", f"stty cols 91 rows 17; ctr -n k8s.io tasks exec --exec-id t --tty "
                       f"{ctr} sh -c 'tty; stty size; exit 9'", "/dev/null", check=False)
        assert "/dev/pts/0" in done.stdout and done.returncode == 9, name
        with pytest.raises(grpc.RpcError, match="executable file `/no/such` not found"):
            tenant.exec(ctr, "/no/such")
    tenant.stop_pod(pod)
    tenant.remove_pod(pod)


def test_the_host_is_refused_with_our_sentence(bed, nodes, pair):
    tenant, host = nodes["tenant"], nodes["host"]
    pod = tenant.run_pod("web")
    ctr = tenant.run(pod, "one", BUSYBOX, SLEEP)
    half = host.pods()[0].id
    anchor = host.run(half, "intruder", bed_setup.ANCHOR, ["sh"])
    config = host.configs[half]
    with pytest.raises(grpc.RpcError) as refusal:
        host.exec(anchor, "id")
    assert refusal.value.code() == grpc.StatusCode.PERMISSION_DENIED
    assert NEVER_REFUSED in refusal.value.details()
    shim = ttrpc.of_sandbox(bed, "host", half)
    for service in ("containerd.task.v2.Task", "containerd.task.v3.Task"):
        for method in ("Exec", "ResizePty", "Pause", "Resume", "Checkpoint"):
            code, sentence, _ = shim.call(service, method, ttrpc.field(1, anchor) + ttrpc.field(2, "x"))
            assert code == ttrpc.PERMISSION_DENIED and sentence.startswith("this is the host half of a cleave pod"), method
    for method, id in (("Exec", "nobody"), ("Exec", half), ("Pause", half)):
        assert shim.call("containerd.task.v3.Task", method, ttrpc.field(1, id))[0] == ttrpc.PERMISSION_DENIED
    assert shim.call("containerd.task.v3.Task", "Migrate")[0] == 12         # UNIMPLEMENTED
    assert shim.call("agent.Control", "Exec", ttrpc.field(1, anchor))[0] == 12
    shim.close()
    assert tenant.exec(ctr, "echo", "unharmed")[1] == b"unharmed\n"
    host.forget(config)


# ---- restarts --------------------------------------------------------------------------------

@pytest.mark.parametrize("role", ["host", "tenant"])
def test_containerd_restarts_and_the_pod_does_not_notice(bed, nodes, vm, role):
    tenant, host = nodes["tenant"], nodes["host"]
    pod = tenant.run_pod("web")
    counter = tenant.run(pod, "counter", BUSYBOX, UNTIL_THE_END)
    qemu = find_processes(bed, "host", QEMU)
    time.sleep(0.5)
    bed.stop(role, "containerd", signal.SIGKILL)
    time.sleep(1)
    bed.start(role, "containerd")
    nodes[role].reconnect()
    assert tenant.pod_status(pod).status.state == host.pods()[0].state == cri_program.READY
    assert tenant.exec(counter, "echo", "again") == (0, b"again\n", b"")
    assert ends_whole(tenant, counter) > 5
    assert find_processes(bed, "host", QEMU) == qemu
    two = tenant.run(pod, "two", BUSYBOX, ["sh", "-c", "exit 3"])
    assert tenant.wait_exit(two).exit_code == 3


# ---- death -----------------------------------------------------------------------------------

def dies(bed, nodes, end):
    """A pod whose machine ends by `end`: unknown first, dead when the host has deleted its half."""
    tenant, host = nodes["tenant"], nodes["host"]
    pod = tenant.run_pod("web")
    ctr = tenant.run(pod, "one", BUSYBOX, SLEEP)
    half = host.pods()[0].id
    end(half)
    eventually(lambda: host.not_ready(half), what="NOTREADY on the host")
    assert tenant.container_status(ctr).state == cri_program.RUNNING        # no word from the guest
    status = tenant.wait_exit(ctr)
    assert (status.state, status.exit_code) == (cri_program.EXITED, 255)
    assert host.pods() == []                                                # before that was told
    eventually(lambda: tenant.not_ready(pod), what="NOTREADY on the tenant's node")
    tenant.stop_pod(pod)
    tenant.remove_pod(pod)


def test_qemu_is_killed(bed, nodes, vm):
    dies(bed, nodes, lambda half: kill9(find_processes(bed, "host", QEMU)))


def test_the_guest_panics(bed, nodes, vm):
    line = bed.path("host", "/etc/cleave/cmdline")
    with open(bed.state["build"] + "/image/cmdline", encoding="utf-8") as usual, open(line, "w", encoding="utf-8") as own:
        own.write(usual.read().strip() + " unknown_nmi_panic=1\n")
    change(bed, "host", "/etc/cleave/host.conf", cmdline='"/etc/cleave/cmdline"')
    try:
        dies(bed, nodes, lambda half: bed.run("host", "virsh", "inject-nmi", f"cleave-{half}"))
    finally:
        os.unlink(line)


def test_the_host_shim_is_killed(bed, nodes, vm):
    dies(bed, nodes, lambda half: kill9(find_processes(bed, "host", HOST_SHIM)))


def test_the_tenant_shim_is_killed(bed, nodes, vm):
    """It is never adopted: its `delete` fences the guest and removes the host half."""
    tenant, host = nodes["tenant"], nodes["host"]
    pod = tenant.run_pod("web")
    ctr = tenant.run(pod, "one", BUSYBOX, SLEEP)
    kill9(find_processes(bed, "tenant", TENANT_SHIM))
    eventually(lambda: not find_processes(bed, "host", QEMU), what="the end of the machine")
    eventually(lambda: host.pods() == [], what="the end of the host's pod")
    assert tenant.wait_exit(ctr).state == cri_program.EXITED
    eventually(lambda: tenant.not_ready(pod), what="NOTREADY")


# ---- the wire is silent ----------------------------------------------------------------------

@pytest.fixture
def partition(bed, nodes):
    """partition(way): packets vanish without a word, "replies" of the guest or "all"; heal() brings them back."""
    made = []

    def silence(way):
        made.append(("host", f"{bed_setup.ADDRESS['tenant']}/32"))
        if way == "all":
            made.append(("tenant", f"{bed_setup.PODS['host']}.0/25"))
        for role, target in made:
            bed.run(role, "ip", "route", "add", "blackhole", target)

    def heal():
        while made:
            role, target = made.pop()
            bed.run(role, "ip", "route", "delete", "blackhole", target)
    silence.heal = heal
    yield silence
    heal()


@pytest.mark.parametrize("way", ["replies", "all"])
@pytest.mark.parametrize("seconds", [5, 20], ids=["shorter than the ttl", "longer than the ttl"])
def test_a_partition_heals(bed, nodes, pair, partition, seconds, way):
    """No line is lost or doubled, and what was asked for in the silence happens once."""
    tenant = nodes["tenant"]
    change(bed, "tenant", "/etc/cleave/tenant.conf", lease_ttl=12)
    pod = tenant.run_pod("web")
    ctr = tenant.run(pod, "ticks", BUSYBOX, TICKS)
    eventually(lambda: len(tenant.log(ctr)) > 5, what="the first lines")
    partition(way)
    results = []
    waiting = threading.Thread(target=lambda: results.append(tenant.exec(ctr, "sh", "-c", "echo once >> /once; cat /once", timeout=60)))
    waiting.start()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert tenant.container_status(ctr).state == cri_program.RUNNING
        time.sleep(0.5)
    partition.heal()
    waiting.join(60)
    assert results == [(0, b"once\n", b"")]
    times = end_of_ticks(tenant, ctr)
    stood = max(b - a for a, b in zip(times, times[1:]))
    if way == "all" or seconds == 5:        # else renewals may still arrive, unanswered
        assert (stood > 3) == (seconds == 20), stood


# ---- time stands still -----------------------------------------------------------------------

# Numbered lines, each with the guest's own clock.
SHARED = "/run/ticking"
TICKS = ["sh", "-c", "i=0; while ! [ -e /end ]; do echo $i $(cut -d' ' -f1 /proc/uptime); i=$((i+1)); sleep 0.1; done; exit 9"]


def ticks(tenant, ctr):
    lines = [text.split() for _, text in tenant.log(ctr)]
    assert [int(number) for number, _ in lines] == list(range(len(lines)))      # none lost, none twice
    return [float(uptime) for _, uptime in lines]


def logged(bed, word):
    return [line for line in new_lines(bed.log("tenant", "containerd")) if word in line]


def end_of_ticks(tenant, ctr):
    assert tenant.exec(ctr, "touch", "/end")[0] == 0
    assert tenant.wait_exit(ctr).exit_code == 9
    return ticks(tenant, ctr)


@pytest.mark.parametrize("seconds, lease_ttl", [(4, 8), (62, 60)], ids=["shorter than the ttl", "longer than the ttl"])
def test_a_stopped_machine_is_frozen_until_it_is_appraised(bed, nodes, vm, seconds, lease_ttl):
    """The host stops the machine: its clock stands still, the tenant's does not."""
    tenant, host = nodes["tenant"], nodes["host"]
    change(bed, "tenant", "/etc/cleave/tenant.conf", lease_ttl=lease_ttl)
    pod = tenant.run_pod("web")
    ctr = tenant.run(pod, "ticks", BUSYBOX, TICKS)
    eventually(lambda: len(tenant.log(ctr)) > 5, what="the first lines")
    machine = f"cleave-{host.pods()[0].id}"
    bed.run("host", "virsh", "suspend", machine)
    time.sleep(seconds)                                     # the stop itself, not a wait for something
    assert tenant.container_status(ctr).state == cri_program.RUNNING
    assert not logged(bed, "the guest is frozen")
    bed.run("host", "virsh", "resume", machine)
    eventually(lambda: logged(bed, "the guest is frozen"), 30, "the discovery")
    eventually(lambda: logged(bed, "the guest is appraised again"), 30, "the appraisal")
    before = len(tenant.log(ctr))
    eventually(lambda: len(tenant.log(ctr)) > before + 5, what="further lines")
    assert abs(int(tenant.exec(ctr, "date", "+%s")[1]) - time.time()) < 3       # its clock was set on
    times = end_of_ticks(tenant, ctr)
    assert max(b - a for a, b in zip(times, times[1:])) < seconds               # the guest did not see the stop


@pytest.fixture
def shared(bed, nodes, vm):
    """A directory of the tenant's node that pods see live."""
    os.makedirs(bed.path("tenant", SHARED))
    yield SHARED
    nodes["tenant"].remove_everything()
    shutil.rmtree(bed.path("tenant", SHARED))


def test_a_lapse_freezes_what_runs_in_the_machine(bed, nodes, vm, shared):
    """What it writes to its scratch disk and to a live share is all there afterwards."""
    tenant = nodes["tenant"]
    change(bed, "tenant", "/etc/cleave/tenant.conf", lease_ttl=4)
    pod = tenant.run_pod("web")
    script = TICKS[2].replace("echo $i ", "echo $i >> /root/ticks; echo $i >> /live/ticks; sync; echo $i ")
    ctr = tenant.run(pod, "ticks", BUSYBOX, ["sh", "-c", script], mounts=[{"container_path": "/live", "host_path": shared}])
    eventually(lambda: len(tenant.log(ctr)) > 5, what="the first lines")
    shims = find_processes(bed, "tenant", TENANT_SHIM)
    for pid in shims:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(9)
    for pid in shims:
        os.kill(pid, signal.SIGCONT)
    assert tenant.exec(ctr, "sh", "-c", "i=0; while read -r line; do [ $line = $i ] || exit 1; i=$((i+1)); done < /root/ticks")[0] == 0
    times = end_of_ticks(tenant, ctr)               # a call waits for the appraised connection
    with open(bed.path("tenant", shared + "/ticks"), encoding="ascii") as file:
        assert [int(line) for line in file] == list(range(len(times)))
    assert 3 < max(b - a for a, b in zip(times, times[1:])) < 15


@pytest.mark.parametrize("after", ["the host's pod", "the machine", "1 s of booting", "2 s of booting"])
def test_run_pod_sandbox_is_given_up_while_the_machine_boots(bed, nodes, vm, after):
    tenant, host = nodes["tenant"], nodes["host"]
    config = cri_program.Cri.pod_config("given-up")
    call = tenant.run_pod_start(config, "cleave-tenant")
    eventually(host.pods if after == "the host's pod" else lambda: find_processes(bed, "host", QEMU), what=after)
    if after[0].isdigit():
        time.sleep(int(after[0]))
    call.cancel()
    eventually(lambda: not find_processes(bed, "tenant", TENANT_SHIM), what="the end of the tenant's shim")
    eventually(lambda: not find_processes(bed, "host", QEMU), what="the end of the machine")
    eventually(lambda: host.pods() == [], what="the end of the host's pod")
    tenant.forget(config)


@pytest.mark.parametrize("delay", [0, 0.02, 0.05, 0.1, 0.2, 0.4])
def test_the_provisioner_is_killed_while_it_creates(bed, nodes, pair, delay):
    tenant, host = nodes["tenant"], nodes["host"]
    config = cri_program.Cri.pod_config("orphan")
    call = tenant.run_pod_start(config, "cleave-tenant")
    found = eventually(lambda: find_processes(bed, "tenant", f"{PROVISION} create") or call.done(), what="the provisioner")
    time.sleep(delay)
    if found is not True:
        kill9(found)
    if call.exception():                                    # it was quicker than the kill otherwise
        assert "killed by signal 9" in call.exception().details()
        tenant.forget(config)
    else:
        tenant.configs[call.result().pod_sandbox_id] = config
        tenant.remove_everything()
    eventually(lambda: host.pods() == [], what="the end of the host's pod")
    eventually(lambda: not find_processes(bed, "host", HOST_SHIM), what="the end of the host's shim")


def test_the_provisioner_is_killed_while_it_removes(bed, nodes, pair):
    tenant, host = nodes["tenant"], nodes["host"]
    hits = 0
    for delay in (0, 0.02, 0.05, 0.1):
        pod = tenant.run_pod("web")
        stop = tenant.start("StopPodSandbox", cri_program.pb.PodSandboxId(pod_sandbox_id=pod), timeout=90)
        found = eventually(lambda: find_processes(bed, "tenant", f"{PROVISION} delete") or stop.done(), what="the removal")
        time.sleep(delay)
        for pid in found if found is not True else ():
            hits += ns.alive(pid)
            kill9([pid])
        stop.result()
        tenant.remove_pod(pod)
        eventually(lambda: host.pods() == [], what="the end of the host's pod")
    assert hits                                             # at least one was caught at work


def test_the_host_cannot_be_reached_at_all(bed, nodes, pair):
    tenant = nodes["tenant"]
    change(bed, "tenant", "/etc/cleave/tenant.conf", endpoint='"/run/nowhere.sock"')
    config = cri_program.Cri.pod_config("alone")
    with pytest.raises(grpc.RpcError) as failure:
        tenant.run_pod(config=config)
    assert "/run/nowhere.sock" in failure.value.details()


def test_a_stranger_at_the_guests_port_gets_nothing(bed, nodes, vm):
    """Whoever reaches port 7433 without the tenant's key is refused by TLS; nothing else listens."""
    tenant, host = nodes["tenant"], nodes["host"]
    pod = tenant.run_pod("web")
    address = host.pod_status(host.pods()[0].id).status.network.ip
    talk = subprocess.run(bed.argv("host", ["openssl", "s_client", "-connect", f"{address}:7433", "-brief"]),
                          input="GET / HTTP/1.0\r\n\r\n", capture_output=True, text=True, timeout=20)
    assert "alert" in talk.stderr or "error" in talk.stderr, talk.stderr

    def open_ports():
        for port in (22, 80, 1024, 2375, 7000, 7432, 7434, 8080, 10250):
            with socket.socket() as probe:
                probe.settimeout(1)
                if probe.connect_ex((address, port)) == 0:
                    os._exit(1)

    assert ns.call(bed.pid("host"), ns.NEWNET, open_ports)
    assert tenant.pod_status(pod).status.state == cri_program.READY


# ---- what else a user meets ------------------------------------------------------------------

def test_an_image_that_does_not_fit_says_how_much_it_needs(bed, nodes, vm):
    """Layers live in the guest's memory if it has no disk: 512 MiB here."""
    tenant = nodes["tenant"]
    bed.use_guest("vm", scratch="0")
    name = f"{images.REGISTRY}/large:1"
    made = images.busybox([("zeros", bytes(700 << 20))])
    assert ns.call(bed.pid("tenant"), ns.NEWNET, lambda: made.push(bed_setup.REGISTRY_PORT, "large", "1"))
    tenant.pull(name)
    pod = tenant.run_pod("web")
    with pytest.raises(grpc.RpcError) as failure:
        tenant.run(pod, "large", name, SLEEP)
    assert re.search(r"needs (more than )?\d+ MiB, has \d+", failure.value.details()), failure.value.details()
    small = tenant.run(pod, "small", BUSYBOX, SLEEP)        # the pod is none the worse for it
    assert tenant.exec(small, "echo", "here")[1] == b"here\n"
    tenant.remove_everything()
    tenant.remove_image(name)


def test_a_host_half_that_exists_already_is_used_and_left(bed, nodes, pair):
    """The static provisioner: one operator mints, the other makes the guest of that, and says where it is."""
    tenant, host = nodes["tenant"], nodes["host"]
    build = bed.state["build"]
    request = {"version": 1, "name": "web", "namespace": "test", "vcpus": 1, "memory": 512 << 20, "network": "none",
               "evidence": "sample"}
    minted = json.loads(bed.run("tenant", f"{build}/bin/cleave-provision-static", "mint", input=json.dumps(request)).stdout)
    assert stat.S_IMODE(os.stat(bed.path("tenant", minted["key_path"])).st_mode) == 0o600
    there = host.run_pod("shell", "cleave-host", annotations=minted["annotations"])
    endpoint = f"{host.pod_status(there).status.network.ip}:7433"
    bed.run("tenant", "mv", os.path.dirname(minted["key_path"]), f"/etc/cleave/static/{endpoint}")
    change(bed, "tenant", "/etc/cleave/tenant.conf", provisioner=f'"{build}/bin/cleave-provision-static"', evidence='"tpm"')
    with pytest.raises(grpc.RpcError) as refusal:           # its maker asked for less
        tenant.run_pod("web", annotations={"cleave.dev/endpoint": endpoint})
    assert "the initdata names evidence 'sample', tenant.conf asks for 'tpm'" in refusal.value.details()
    change(bed, "tenant", "/etc/cleave/tenant.conf", evidence='"sample"')
    pod = tenant.run_pod("web", annotations={"cleave.dev/endpoint": endpoint})
    ctr = tenant.run(pod, "one", BUSYBOX, SLEEP)
    assert tenant.exec(ctr, "echo", "reached") == (0, b"reached\n", b"")
    tenant.stop_pod(pod)
    tenant.remove_pod(pod)
    assert [p.id for p in host.pods()] == [there]       # not ours to remove
    bed.run("tenant", "rm", "-r", "/etc/cleave/static")
    host.stop_pod(there)
    host.remove_pod(there)
    assert host.pods() == []


@pytest.mark.parametrize("granted", [True, False])
def test_a_machine_has_bridges_only_where_guest_root_is_granted(bed, nodes, vm, granted):
    if granted:
        configure(bed, lambda text: "guest_root = true\n" + text)
    linux = {"security_context": {"privileged": granted}}
    pod = nodes["tenant"].run_pod("web", linux=linux)
    ctr = nodes["tenant"].run(pod, "one", BUSYBOX, SLEEP, linux=linux)
    loaded = nodes["tenant"].exec(ctr, "grep", "^bridge ", "/proc/modules")[1]
    assert bool(loaded) == granted
    if granted:
        assert nodes["tenant"].exec(ctr, "brctl", "addbr", "ours") == (0, b"", b"")
