# SPDX-License-Identifier: Apache-2.0
"""The tenant shim under a real containerd, its guest a stub."""
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time

import grpc
import pytest

from conftest import BUILD, BUSYBOX, LAYERS, UNTIL_THE_END, configure, ends_whole, eventually, find_processes, kill9, until_it_listens

PAUSE_SHIM = r"containerd-shim-cleave-tenant-v2"
GUEST = r"cleave-agent --stub"
CTR = "ctr -n k8s.io"


def tombstones(bed):
    directory = bed.path("tenant", "/var/lib/cleave/t/tombstones")
    return [name for name in os.listdir(directory) if name.endswith(".json")] if os.path.isdir(directory) else []


@pytest.fixture
def pod(stub, tenant):
    return tenant.run_pod("web")


def text(streams, name):
    return "".join(line + "\n" for stream, line in streams if stream == name)


def test_a_container_runs_in_the_guest(tenant, pod):
    ctr = tenant.run(pod, "one", BUSYBOX, ["sh", "-c", "echo out; echo err >&2; hostname; exec sleep 1000"])
    assert tenant.container_status(ctr).state == 1
    code, out, err = tenant.exec(ctr, "sh", "-c", "echo here; echo there >&2; exit 7")
    assert (code, out, err) == (7, b"here\n", b"there\n")
    eventually(lambda: len(tenant.log(ctr)) >= 3, what="the log")        # its two streams come each on its own
    assert text(tenant.log(ctr), "stdout") == "out\nweb\n"
    assert text(tenant.log(ctr), "stderr") == "err\n"


def test_status_tells_by_what_the_guest_is_trusted(tenant, bed, pod):
    done = subprocess.run([f"{BUILD}/bin/cleave", "status", "--json", "--directory", bed.path("tenant", "/run/cleave/t"), pod[:12]],
                          capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    assert (told["namespace"], told["name"], told["cri_sandbox"]) == ("test", "web", pod)
    assert (told["type"], told["anchor"], told["tls_version"], told["appraisal"]) == ("sample", "none", 0x0303, 1)
    assert told["epoch"] >= 1 and 0 <= time.time() - told["appraised_at"] < 120
    tenant.stop_pod(pod)
    assert not os.path.exists(bed.path("tenant", f"/run/cleave/t/{told['sandbox']}"))


def test_layers_whiteouts_and_blobs_are_sent_once(tenant, pod):
    tenant.pull(LAYERS)
    first = tenant.run(pod, "one", LAYERS, ["sleep", "1000"])
    began = time.monotonic()
    second = tenant.run(pod, "two", LAYERS, ["sleep", "1000"])
    assert time.monotonic() - began < 15
    assert tenant.exec(first, "true")[0] == tenant.exec(second, "true")[0] == 0
    assert tenant.exec(first, "touch", "/only-here")[0] == 0
    assert tenant.exec(second, "test", "-e", "/only-here")[0] == 1


def test_exit_codes_are_the_guests(tenant, pod):
    for code in (0, 3, 255):
        ctr = tenant.run(pod, f"exit{code}", BUSYBOX, ["sh", "-c", f"exit {code}"])
        assert tenant.wait_exit(ctr).exit_code == code
    ctr = tenant.run(pod, "one", BUSYBOX, ["sleep", "1000"])
    for name, code in (("TERM", 143), ("KILL", 137)):
        assert tenant.exec(ctr, "sh", "-c", f"kill -{name} $$")[0] == code


def test_stop_uses_the_signal_and_then_force(tenant, pod):
    polite = tenant.run(pod, "polite", BUSYBOX, ["sh", "-c", "trap 'exit 5' TERM; echo ready; while :; do sleep 0.1; done"])
    stubborn = tenant.run(pod, "stubborn", BUSYBOX, ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done"])
    eventually(lambda: tenant.log(polite) and tenant.log(stubborn), what="their traps")
    tenant.stop_container(polite)
    assert tenant.wait_exit(polite).exit_code == 5
    tenant.stop_container(stubborn, grace=1)
    assert tenant.wait_exit(stubborn).exit_code == 137


def test_what_cannot_run_says_why_and_leaves_nothing(tenant, pod):
    ctr = tenant.create(pod, "one", BUSYBOX, ["/no/such/program"])
    with pytest.raises(grpc.RpcError) as failure:
        tenant.start_container(ctr)
    assert "no such file" in failure.value.details().lower()
    good = tenant.run(pod, "two", BUSYBOX, ["sleep", "1000"])
    with pytest.raises(grpc.RpcError) as failure:
        tenant.exec(good, "/no/such/program")
    assert "no such file" in failure.value.details().lower()
    assert tenant.exec(good, "true")[0] == 0


def test_host_network_is_refused_by_name(stub, tenant):
    config = tenant.cri.pod_config("hostnet", linux={"security_context": {"namespace_options": {"network": 2}}})
    with pytest.raises(grpc.RpcError) as failure:
        tenant.run_pod(config=config)
    assert "hostNetwork is refused" in failure.value.details()
    tenant.forget(config)


def test_a_container_without_a_pod_is_refused(stub, tenant, bed):
    runtime = bed.state["build"] + "/bin/containerd-shim-cleave-tenant-v2"
    done = bed.run("tenant", "sh", "-c", f"{CTR} run --runtime {runtime} {BUSYBOX} alone true; {CTR} c rm alone",
                   check=False)
    assert "a container without a pod" in done.stderr + done.stdout


def test_the_pods_files_are_those_of_its_config(stub, tenant):
    config = tenant.cri.pod_config("files", dns_config={"servers": ["192.0.2.53"], "searches": ["x.test"]})
    pod = tenant.run_pod(config=config)
    ctr = tenant.run(pod, "one", BUSYBOX, ["sleep", "1000"])
    assert b"nameserver 192.0.2.53" in tenant.exec(ctr, "cat", "/etc/resolv.conf")[1]
    assert tenant.exec(ctr, "cat", "/etc/hostname")[1] == b"files\n"
    assert b"localhost" in tenant.exec(ctr, "cat", "/etc/hosts")[1]
    assert tenant.exec(ctr, "sh", "-c", "echo x > /dev/shm/y && cat /dev/shm/y")[1] == b"x\n"


def test_the_termination_message_comes_back(tenant, pod, bed):
    path = "/run/cleave-termination-log"
    with open(bed.path("tenant", path), "w", encoding="utf-8"):
        pass
    ctr = tenant.run(pod, "one", BUSYBOX, ["sh", "-c", "echo last words > /dev/termination-log; exit 1"],
                     mounts=[{"container_path": "/dev/termination-log", "host_path": path}])
    assert tenant.wait_exit(ctr).exit_code == 1
    with open(bed.path("tenant", path), encoding="utf-8") as message:
        assert message.read() == "last words\n"
    os.unlink(bed.path("tenant", path))


def test_stats_are_those_of_the_container(tenant, pod):
    ctr = tenant.run(pod, "one", BUSYBOX, ["sh", "-c", "x=$(dd if=/dev/zero bs=1M count=1 2>/dev/null | tr '\\0' x); sleep 1000"])
    stats = eventually(lambda: (s := tenant.stats(ctr)).cpu.usage_core_nano_seconds.value > 0 and s, what="CPU time")
    assert 0 < stats.memory.working_set_bytes.value < 64 << 20
    assert stats.cpu.timestamp > 0 and stats.memory.timestamp > 0


def test_out_of_memory_is_named(stub, tenant):
    pod = tenant.run_pod("oom")
    ctr = tenant.run(pod, "one", BUSYBOX, ["dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1"],
                     linux={"resources": {"memory_limit_in_bytes": 32 << 20}})
    status = tenant.wait_exit(ctr)
    assert (status.exit_code, status.reason) == (137, "OOMKilled")


def test_a_debug_container_sees_its_targets_processes(tenant, pod):
    target = tenant.run(pod, "target", BUSYBOX, ["sleep", "4711"])
    debug = tenant.run(pod, "debug", BUSYBOX, ["sleep", "1000"], linux={"security_context": {
        "namespace_options": {"pid": 3, "target_id": target}}})
    assert b"4711" in tenant.exec(debug, "sh", "-c", "cat /proc/*/cmdline")[1]


def test_pods_can_share_processes(tenant, pod):
    share = {"security_context": {"namespace_options": {"pid": 0}}}
    tenant.run(pod, "one", BUSYBOX, ["sleep", "4711"], linux=share)
    two = tenant.run(pod, "two", BUSYBOX, ["sleep", "1000"], linux=share)
    assert b"4711" in tenant.exec(two, "sh", "-c", "cat /proc/*/cmdline")[1]


def test_a_shared_pid_1_leads_nowhere(tenant, pod, bed):
    share = {"security_context": {"namespace_options": {"pid": 0}}}
    ctr = tenant.run(pod, "one", BUSYBOX, ["sleep", "4711"], linux=share)
    keeper, = find_processes(bed, "tenant", r"^/pause\b")
    init, = find_processes(bed, "tenant", r"^sleep 4711")
    agent, = find_processes(bed, "tenant", GUEST)

    def namespace(pid, kind):
        return os.readlink(f"/proc/{pid}/ns/{kind}")
    assert namespace(keeper, "net") == namespace(init, "net")
    for kind in ("net", "mnt", "ipc", "uts", "pid"):
        assert namespace(keeper, kind) != namespace(agent, kind), kind
    seen = tenant.exec(ctr, "sh", "-c", "cat /proc/1/net/tcp /proc/1/net/tcp6; tail -n +3 /proc/1/net/dev")[1]
    assert b":1D09 " not in seen                        # the channel's port
    assert set(re.findall(rb"^ *([a-z]\w*):", seen, re.M)) == {b"lo", b"eth0", b"lw0"}    # none of the agent's
    assert tenant.exec(ctr, "cat", "/proc/1/mountinfo")[1].count(b"\n") == 1


def test_containerd_restarts_and_nothing_is_lost(tenant, pod, bed):
    ctr = tenant.run(pod, "one", BUSYBOX, UNTIL_THE_END)
    time.sleep(1)
    bed.stop("tenant", "containerd")
    time.sleep(1)
    bed.start("tenant", "containerd")
    tenant.reconnect()
    assert tenant.pod_status(pod).status.state == 0
    assert tenant.exec(ctr, "echo", "again")[1] == b"again\n"
    assert ends_whole(tenant, ctr) > 20


def test_a_killed_shim_leaves_nothing(tenant, pod, bed):
    ctr = tenant.run(pod, "one", BUSYBOX, ["sleep", "1000"])
    kill9(find_processes(bed, "tenant", PAUSE_SHIM))
    assert tenant.wait_exit(ctr).state == 2
    eventually(lambda: tenant.pod_status(pod).status.state == 1, what="NOTREADY")
    eventually(lambda: not find_processes(bed, "tenant", GUEST), what="the end of the guest")


def test_a_killed_guest_is_unknown_first_and_then_dead(provisioner, tenant, bed):
    flag = provisioner("[ $1 = status ] && [ -e $flag ] && exit 1")
    flag.touch()
    pod = tenant.run_pod("lost")
    ctr = tenant.run(pod, "one", BUSYBOX, ["sleep", "1000"])
    kill9(find_processes(bed, "tenant", GUEST))
    time.sleep(2)
    assert tenant.container_status(ctr).state == 1      # nobody knows: still running
    flag.unlink()
    status = tenant.wait_exit(ctr, 20)
    assert status.exit_code == 255
    eventually(lambda: tenant.pod_status(pod).status.state == 1, what="NOTREADY")


def test_a_creation_that_is_given_up_leaves_nothing(provisioner, tenant, bed):
    provisioner("[ $1 = create ] && sleep 30")
    config = tenant.cri.pod_config("slow")
    call = tenant.run_pod_start(config, "cleave-tenant")
    eventually(lambda: find_processes(bed, "tenant", "provision-wrapped create"), what="the provisioner")
    call.cancel()
    eventually(lambda: not find_processes(bed, "tenant", PAUSE_SHIM), what="the end of the shim")
    eventually(lambda: not find_processes(bed, "tenant", "provision-wrapped"), what="the end of the provisioner")
    tenant.forget(config)


def test_a_killed_provisioner_is_an_error_and_leaves_nothing(provisioner, tenant, bed):
    provisioner("[ $1 = create ] && exec sleep 4711")
    config = tenant.cri.pod_config("killed")
    call = tenant.run_pod_start(config, "cleave-tenant")
    kill9(eventually(lambda: find_processes(bed, "tenant", "sleep 4711"), what="the provisioner"))
    with pytest.raises(grpc.RpcError) as failure:
        call.result()
    assert "killed by signal 9" in failure.value.details()
    tenant.forget(config)


def test_a_provisioner_dies_with_its_shim(provisioner, tenant, bed):
    provisioner("[ $1 = create ] && exec sleep 4711")
    config = tenant.cri.pod_config("orphan")
    call = tenant.run_pod_start(config, "cleave-tenant")
    eventually(lambda: find_processes(bed, "tenant", "sleep 4711"), what="the provisioner")
    kill9(find_processes(bed, "tenant", PAUSE_SHIM))
    eventually(lambda: not find_processes(bed, "tenant", "sleep 4711"), what="the end of the provisioner")
    with pytest.raises(grpc.RpcError):
        call.result()
    tenant.forget(config)


def test_a_creation_that_takes_too_long_is_an_error(provisioner, tenant, bed):
    provisioner("[ $1 = create ] && exec sleep 4711")
    configure(bed, lambda text: "create_timeout = 3\n" + text)
    began = time.monotonic()
    with pytest.raises(grpc.RpcError) as failure:
        tenant.run_pod("late")
    assert "in time" in failure.value.details()
    assert 2 < time.monotonic() - began < 20


@pytest.mark.parametrize("how", ["exit 1", "exec sleep 4712"])
def test_a_host_half_that_cannot_be_removed_is_finished_later(provisioner, tenant, bed, how):
    flag = provisioner(f"[ $1 = delete ] && [ -e $flag ] && {how}")
    pod = tenant.run_pod("stuck")
    ctr = tenant.run(pod, "one", BUSYBOX, ["sleep", "1000"])
    flag.touch()
    began = time.monotonic()
    tenant.stop_pod(pod)
    assert tenant.wait_exit(ctr).exit_code == 137
    tenant.remove_pod(pod)
    assert time.monotonic() - began < 15
    assert tombstones(bed) and find_processes(bed, "tenant", "cleave-reaper|reap /var/lib/cleave/t")
    flag.unlink()
    kill9(find_processes(bed, "tenant", "sleep 4712"))
    eventually(lambda: not tombstones(bed), what="the reaper's success")
    assert not find_processes(bed, "tenant", GUEST)


def test_delete_of_a_stuck_shim_is_in_time(provisioner, tenant, bed):
    """containerd gives it 5 s; here a machine with other work does not cut it short, and the provisioner would take for ever."""
    flag = provisioner("[ $1 = delete ] && [ -e $flag ] && exec sleep 4713")
    flag.touch()
    pod = tenant.run_pod("stuck")
    shim = find_processes(bed, "tenant", PAUSE_SHIM)
    for pid in shim:
        os.kill(pid, signal.SIGSTOP)
    bundle = f"/run/containerd/io.containerd.runtime.v2.task/k8s.io/{pod}"
    done = bed.run("tenant", "sh", "-c", f"cd {bundle} && exec timeout -s KILL 15 {bed.state['build']}/bin/containerd-shim-cleave-"
                   f"tenant-v2 -namespace k8s.io -address /run/containerd/containerd.sock -id {pod} -bundle {bundle} delete > /dev/null", check=False)
    assert done.returncode == 0, done.stderr
    assert not set(shim) & set(find_processes(bed, "tenant", PAUSE_SHIM))
    assert tombstones(bed)
    flag.unlink()
    kill9(find_processes(bed, "tenant", "sleep 4713"))
    eventually(lambda: not tombstones(bed), 20, "the reaper's success")
    assert not find_processes(bed, "tenant", GUEST)


def test_the_end_of_a_pod_leaves_time_and_loses_no_word(tenant, pod, bed):
    ctr = tenant.run(pod, "one", BUSYBOX, ["sh", "-c", "trap 'seq 20000; echo bye; exit 5' TERM; echo up; while :; do sleep 0.1; done"])
    eventually(lambda: "up" in text(tenant.log(ctr), "stdout"), what="the container's start")
    bed.run("tenant", "sh", "-c", f"{CTR} tasks kill -s SIGKILL {pod}")
    assert tenant.wait_exit(ctr).exit_code == 5
    eventually(lambda: text(tenant.log(ctr), "stdout").endswith("bye\n"), what="the last word")
    assert text(tenant.log(ctr), "stdout").split() == ["up", *map(str, range(1, 20001)), "bye"]
    eventually(lambda: tenant.pod_status(pod).status.state == 1, what="NOTREADY")


def test_events_come_in_order(tenant, pod, bed):
    watch = subprocess.Popen(bed.argv("tenant", ["ctr", "-n", "k8s.io", "events"]), stdout=subprocess.PIPE, text=True)
    until_it_listens(bed, watch)
    ctr = tenant.run(pod, "one", BUSYBOX, ["sh", "-c", "trap 'exit 3' TERM; echo ready; while :; do sleep 0.1; done"])
    eventually(lambda: tenant.log(ctr), what="its trap")
    assert tenant.exec(ctr, "true")[0] == 0
    tenant.stop_container(ctr)
    tenant.remove_container(ctr)
    topics = []
    for line in watch.stdout:
        topic = next((word for word in line.split() if word.startswith("/tasks/")), None)
        if topic and ctr in line:
            topics.append(topic[len("/tasks/"):])
        if topic == "/tasks/delete" and ctr in line and "exit" in topics[-2:]:
            break
    watch.kill()
    watch.wait()
    assert topics[:5] == ["create", "start", "exec-added", "exec-started", "exit"]
    assert topics[-2:] == ["exit", "delete"]


def test_an_exec_outlives_containerd(tenant, pod, bed):
    ctr = tenant.run(pod, "one", BUSYBOX, ["sleep", "1000"])
    client = subprocess.Popen(bed.argv("tenant", ["ctr", "-n", "k8s.io", "tasks", "exec", "--exec-id", "long", ctr, "sh", "-c",
                                                  "touch /begun; sleep 3; echo out; touch /done"]),
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    eventually(lambda: tenant.exec(ctr, "test", "-e", "/begun")[0] == 0, what="the exec")
    bed.stop("tenant", "containerd", signal.SIGKILL)
    client.wait(20)
    bed.start("tenant", "containerd")
    tenant.reconnect()
    eventually(lambda: tenant.exec(ctr, "test", "-e", "/done")[0] == 0, what="the end of the exec")
    assert tenant.container_status(ctr).state == 1
    for name in os.listdir(bed.path("tenant", "/run/containerd/fifo")):     # ctr had no time for its own
        shutil.rmtree(bed.path("tenant", f"/run/containerd/fifo/{name}"))


def test_a_container_ends_while_containerd_is_down(tenant, pod, bed):
    ctr = tenant.run(pod, "one", BUSYBOX, ["sh", "-c", "sleep 2; seq 2000; exit 9"])
    bed.stop("tenant", "containerd")
    time.sleep(3)
    bed.start("tenant", "containerd")
    tenant.reconnect()
    assert tenant.wait_exit(ctr).exit_code == 9
    eventually(lambda: "2000" in text(tenant.log(ctr), "stdout").split(), what="the log")
    assert text(tenant.log(ctr), "stdout").split() == list(map(str, range(1, 2001)))


@pytest.fixture
def other_conf(stub, bed):
    """The runtime names a configuration of its own; the usual one is broken."""
    config = bed.path("tenant", "/etc/containerd/config.toml")
    with open(config, encoding="utf-8") as file:
        before = file.read()
    runtime = "[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.cleave-tenant"
    with open(config, "w", encoding="utf-8") as file:
        file.write(before + f"\n{runtime}.options]\n  ConfigPath = '/run/.bed/other.conf'\n")
    other = bed.path("tenant", "/run/.bed/other.conf")
    os.makedirs(os.path.dirname(other), exist_ok=True)
    with open(bed.path("tenant", "/etc/cleave/tenant.conf"), encoding="utf-8") as file, open(other, "w", encoding="utf-8") as copy:
        copy.write(file.read())
    configure(bed, lambda text: 'colour = "blue"\n' + text)
    bed.stop("tenant", "containerd")
    bed.start("tenant", "containerd")
    yield
    with open(config, "w", encoding="utf-8") as file:
        file.write(before)
    os.unlink(other)
    bed.stop("tenant", "containerd")
    bed.start("tenant", "containerd")


def test_config_path_of_the_runtime_is_the_configuration(other_conf, tenant):
    tenant.reconnect()
    pod = tenant.run_pod("other")
    ctr = tenant.run(pod, "one", BUSYBOX, ["sleep", "1000"])
    assert tenant.exec(ctr, "true")[0] == 0
    tenant.stop_pod(pod)
    tenant.remove_pod(pod)


def test_without_the_permission_sample_evidence_is_refused(stub, tenant, bed):
    configure(bed, lambda text: re.sub("allow_insecure_evidence = .*", "allow_insecure_evidence = []", text))
    config = tenant.cri.pod_config("careful")
    with pytest.raises(grpc.RpcError) as failure:
        tenant.run_pod(config=config)
    assert "sample" in failure.value.details()
    tenant.forget(config)


def test_an_unknown_key_of_the_configuration_is_named(stub, tenant, bed):
    configure(bed, lambda text: 'colour = "blue"\n' + text)
    config = tenant.cri.pod_config("typo")
    with pytest.raises(grpc.RpcError) as failure:
        tenant.run_pod(config=config)
    assert "colour" in failure.value.details()
    tenant.forget(config)


@pytest.mark.parametrize("relay_program", ["relay", "dial-out"], indirect=True)
def test_cut_twice_no_byte_is_lost_and_kill_is_answered(relay, tenant, bed):
    pod = tenant.run_pod("cut")
    copier = tenant.run(pod, "copier", BUSYBOX, ["sleep", "1000"])
    flood = tenant.run(pod, "flood", BUSYBOX, ["sh", "-c", "while :; do echo 0123456789012345678901234567890123456789; done"])
    data = os.urandom(8 << 20)
    copy = subprocess.Popen(bed.argv("tenant", ["ctr", "-n", "k8s.io", "tasks", "exec", "--exec-id", "copy", copier, "cat"]),
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    back = bytearray()
    reader = threading.Thread(target=lambda: back.extend(copy.stdout.read()))
    reader.start()
    for start in range(0, len(data), 1 << 20):
        copy.stdin.write(data[start:start + (1 << 20)])
        copy.stdin.flush()
        if start in (2 << 20, 5 << 20):
            eventually(relay.cut, what="a connection to cut")
        if start == 5 << 20:        # Kill meets a channel that is not there
            began = time.monotonic()
            tenant.stop_container(flood, grace=0)
            assert time.monotonic() - began < 20
    assert tenant.wait_exit(flood).exit_code == 137
    copy.stdin.close()
    reader.join(60)
    assert copy.wait(10) == 0
    assert hashlib.sha256(back).digest() == hashlib.sha256(data).digest()
    assert tenant.container_status(copier).state == 1
