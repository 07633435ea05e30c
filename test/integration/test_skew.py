# SPDX-License-Identifier: Apache-2.0
"""Halves of different releases: an agent that speaks other numbers, programs replaced under running pods."""
import os
import shutil

import grpc
import pytest

import sealed
from conftest import BUSYBOX, configure, eventually, find_processes, new_lines

TENANT, HOST = "containerd-shim-cleave-tenant-v2", "containerd-shim-cleave-host-v2"


def test_an_agent_that_dropped_our_number_is_refused_by_name(tenant, bed):
    bed.use_guest("stub", agent="test/agent-next")
    config = tenant.cri.pod_config("next")
    with pytest.raises(grpc.RpcError) as failure:
        tenant.run_pod(config=config)
    words = failure.value.details()
    assert "speaks API 2 to 3, the tenant 1 to 1" in words and "use a guest image of the tenant's release" in words


def test_a_newer_agent_that_still_speaks_our_number_is_used(tenant, bed):
    bed.use_guest("stub", agent="test/agent-newer")
    pod = tenant.run_pod("newer")
    ctr = tenant.run(pod, "one", BUSYBOX, ["sleep", "1000"])
    assert tenant.exec(ctr, "true")[0] == 0
    eventually(lambda: any("API 1" in line for line in new_lines(bed.log("tenant", "containerd"))), what="the number in the log")


def test_an_agent_without_the_pods_network_is_refused_by_name(tenant, bed):
    """It is of the release before; with network = none it is as good as any."""
    bed.use_guest("stub", agent="test/agent-older")
    with pytest.raises(grpc.RpcError) as failure:
        tenant.run_pod("older")
    assert 'network = "tenant" needs a guest image of this release' in failure.value.details()
    assert "is not supported by this agent, only 'none'" in failure.value.details()
    configure(bed, lambda text: 'network = "none"\n' + text)
    pod = tenant.run_pod("none")
    ctr = tenant.run(pod, "one", BUSYBOX, ["sleep", "1000"])
    assert tenant.exec(ctr, "ls", "/sys/class/net")[1].split() == [b"lo"]
    # Nor has it live volumes; nothing is asked of it before a container has one.
    with pytest.raises(grpc.RpcError) as failure:
        tenant.run(pod, "two", BUSYBOX, ["sleep", "1000"], mounts=[{"container_path": "/live", "host_path": "/srv"}])
    assert "live volumes need a guest image of this release" in failure.value.details()
    tenant.remove_everything()
    config = tenant.cri.pod_config("sealed")
    sealed.seal(config, sealed.slot("one", ["sleep", "1000"]))
    with pytest.raises(grpc.RpcError) as failure:
        tenant.run_pod(config=config)
    assert "a sealed pod needs a guest image of this release" in failure.value.details()


@pytest.fixture
def installed(bed, tmp_path):
    """Both nodes run shims out of a directory that can be changed, as a package manager would."""
    directory = str(tmp_path)
    configs = {}
    for role, name in (("tenant", TENANT), ("host", HOST)):
        shutil.copy(f"{bed.state['build']}/bin/{name}", directory)
        path = bed.path(role, "/etc/containerd/config.toml")
        with open(path, encoding="utf-8") as file:
            configs[role] = path, file.read()
        with open(path, "w", encoding="utf-8") as file:
            file.write(configs[role][1].replace(f"{bed.state['build']}/bin/{name}", f"{directory}/{name}"))
        bed.stop(role, "containerd")
        bed.start(role, "containerd")
    for name in ("cleave-provision-cri",):
        shutil.copy(f"{bed.state['build']}/bin/{name}", directory)
    yield directory
    for role, (path, text) in configs.items():
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        bed.stop(role, "containerd")
        bed.start(role, "containerd")


def files_of(pids):
    return {(os.stat(f"/proc/{pid}/exe").st_ino) for pid in pids}


@pytest.mark.parametrize("runtime", ["cleave-tenant", "cleave-tenant-sandbox"])
def test_replaced_programs_leave_running_pods_alone(installed, pair, bed, nodes, runtime):
    tenant, host = nodes["tenant"], nodes["host"]
    for node in (tenant, host):
        node.reconnect()
    old = tenant.run_pod("old", runtime)
    first = tenant.run(old, "first", BUSYBOX, ["sleep", "1000"])
    before = {role: find_processes(bed, role, name + " ") for role, name in (("tenant", TENANT), ("host", HOST))}
    old_files = {role: files_of(pids) for role, pids in before.items()}
    for name in (TENANT, HOST):     # a package manager writes beside and renames over
        shutil.copy(f"{installed}/{name}", f"{installed}/.{name}.new")
        os.rename(f"{installed}/.{name}.new", f"{installed}/{name}")
    assert tenant.exec(first, "echo", "still") == (0, b"still\n", b"")
    second = tenant.run(old, "second", BUSYBOX, ["sleep", "1000"])
    assert tenant.exec(second, "true")[0] == 0
    for role, name in (("tenant", TENANT), ("host", HOST)):
        assert find_processes(bed, role, name + " ") == before[role]
    new = tenant.run_pod("new", runtime)
    third = tenant.run(new, "third", BUSYBOX, ["sleep", "1000"])
    assert tenant.exec(third, "true")[0] == 0
    for role, name in (("tenant", TENANT), ("host", HOST)):
        added = set(find_processes(bed, role, name + " ")) - set(before[role])
        assert len(added) == 1
        assert files_of(added) == {os.stat(f"{installed}/{name}").st_ino}
        assert files_of(added) != old_files[role]
    for ctr in (first, second, third):
        tenant.stop_container(ctr, grace=0)
        tenant.remove_container(ctr)
    tenant.stop_pod(old)            # the old shims end with the program that is on disk: `delete`
    tenant.remove_pod(old)
    assert tenant.pod_status(new).status.state == 0 and len(host.pods()) == 1
    tenant.stop_pod(new)
    tenant.remove_pod(new)
    eventually(lambda: not host.pods(), what="the end of both host halves")
