# SPDX-License-Identifier: Apache-2.0
"""Paths of the tenant node that containers see live: what both sides see, which paths are refused, how it ends. What any runtime
does with them is in test/cri/test_mounts.py."""
import contextlib
import os
import socket

import grpc
import pytest


from conftest import BUSYBOX, configure, eventually, find_processes, kill9, log_paths, new_lines
from test_volumes import SLEEP, Kubelet, at, live, sh

SHARE = r"^cleave-share "
SHIM = r"containerd-shim-cleave-tenant-v2"
TOP = "/run/volumes/shares"         # mounts below it propagate
TO_CONTAINER, BIDIRECTIONAL = 1, 2


@pytest.fixture
def place(bed):
    """A directory of the node: here(path) is where this process has it. Gone after the case, with what is mounted there."""
    def here(path=""):
        return bed.path("tenant", f"{TOP}/{path}")
    os.makedirs(here())
    yield here
    bed.run("tenant", "sh", "-c", f"umount -n {TOP}/sub 2>/dev/null; rm -r {TOP}")


@pytest.fixture
def kubelet(stub, bed, tenant):
    yield from live(bed, tenant)


@pytest.fixture
def kubelet_of_machine(vm, bed, tenant):
    yield from live(bed, tenant)


def write(path, text, mode=0o644, uid=0, gid=0):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chown(path, uid, gid)
    os.chmod(path, mode)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def logged(bed, words):
    return [line for path in log_paths(bed) for line in new_lines(path) if words in line]


def servers(bed):
    return find_processes(bed, "tenant", SHARE)


# ---- what both sides see -----------------------------------------------------------------------

def see_each_other(kubelet, tenant, place):
    """Owners are numbers, on both sides the same; a group of the pod's that the volume belongs to is inherited."""
    os.chown(place(), 0, 2000)
    os.chmod(place(), 0o2770)
    write(place("secret"), "of root", 0o600)
    write(place("shared"), "of the group", 0o640, gid=2000)
    pod = kubelet.run_pod()
    ctr = tenant.run(pod, "one", BUSYBOX, SLEEP, mounts=[at("/data", TOP), at("/etc/one", TOP + "/shared", True)],
                     linux={"security_context": {"run_as_user": {"value": 1000}, "supplemental_groups": [2000]}})
    assert sh(tenant, ctr, "cat /data/shared /etc/one; stat -c '%a %u %g' /data /data/secret") == \
        "of the groupof the group2770 0 2000\n600 0 0\n"
    assert tenant.exec(ctr, "cat", "/data/secret")[0] != 0
    for mount in ("/data", "/etc/one"):
        assert {"nosuid", "nodev"} <= set(sh(tenant, ctr, f"grep ' {mount} ' /proc/self/mountinfo").split()[5].split(","))
    assert tenant.exec(ctr, "sh", "-c", "echo x > /etc/one")[0] != 0
    sh(tenant, ctr, "umask 027; mkdir /data/deep; echo from the guest > /data/deep/file; ln -s file /data/deep/link")
    made = os.stat(place("deep/file"))
    assert (made.st_uid, made.st_gid, oct(made.st_mode & 0o7777)) == (1000, 2000, "0o640")
    assert read(place("deep/link")) == "from the guest\n"
    write(place("deep/later"), "from the node\n", uid=1000)
    assert sh(tenant, ctr, "cat /data/deep/later; echo more >> /data/deep/later") == "from the node\n"
    assert read(place("deep/later")) == "from the node\nmore\n"
    return ctr


def test_both_sides_see_one_directory_with_its_owners(kubelet, tenant, place):
    see_each_other(kubelet, tenant, place)


def test_a_share_in_a_machine(kubelet_of_machine, tenant, bed, place):
    """In a real guest: the same, and what kubelet has in the layout of a persistent volume."""
    ctr = see_each_other(kubelet_of_machine, tenant, place)
    assert len(servers(bed)) == 2       # a keeper and a server
    end(tenant, ctr)
    assert read(place("deep/later")) == "from the node\nmore\n"


def claim(kubelet, bed, plugin, name, inside=""):
    """A persistent volume as kubelet and a driver leave it: a file system that is mounted below the pod's directory."""
    path = f"{kubelet.base}/volumes/kubernetes.io~{plugin}/{name}{inside}"
    os.makedirs(kubelet.here(path))
    kubelet.mount("-n", "-t", "tmpfs", "none", path)
    return path


def test_persistent_volumes_and_sub_paths_of_them(kubelet, tenant, bed):
    csi = claim(kubelet, bed, "csi", "pvc-1", "/mount")
    nfs = claim(kubelet, bed, "nfs", "files")
    os.makedirs(kubelet.here(csi) + "/deep/er")
    write(kubelet.here(csi) + "/deep/file", "one file\n")
    directory, file = kubelet.subpath(csi, "deep/er"), None
    os.makedirs(kubelet.here(f"{kubelet.base}/volume-subpaths/pvc/two"))
    file = f"{kubelet.base}/volume-subpaths/pvc/two/1"
    write(kubelet.here(file), "")
    kubelet.mount("--bind", f"{csi}/deep/file", file)
    pod = kubelet.run_pod()
    one = tenant.run(pod, "one", BUSYBOX, SLEEP, mounts=[at("/csi", csi), at("/nfs", nfs), at("/conf/file", file)])
    two = tenant.run(pod, "two", BUSYBOX, SLEEP, mounts=[at("/sub", directory), at("/csi", csi, True)])
    sh(tenant, one, "echo x > /csi/deep/er/x; echo y > /nfs/y; echo more >> /conf/file")
    assert sh(tenant, two, "cat /sub/x /csi/deep/er/x /csi/deep/file") == "x\nx\none file\nmore\n"
    assert tenant.exec(two, "touch", "/csi/z")[0] != 0
    assert os.listdir(kubelet.here(nfs)) == ["y"] and os.listdir(kubelet.here(csi)) == ["deep"]


def test_a_directory_that_is_swapped_is_seen_whole_and_a_database_is_warned_of(kubelet, tenant, bed, place):
    """As an atomic writer swaps it: whoever reads through `..data` sees one version. A writable share with a database's data
    is no place for that, and the log says so."""
    def version(number):
        os.makedirs(place(f"..{number}"))
        for name in ("one", "two"):
            write(place(f"..{number}/{name}"), f"{number}\n")
        os.symlink(f"..{number}", place("..new"))
        os.rename(place("..new"), place("..data"))
    version(1)
    pod = kubelet.run_pod()
    ctr = tenant.run(pod, "one", BUSYBOX, SLEEP, mounts=[at("/data", TOP, True)])
    for number in range(2, 8):
        version(number)
        assert sh(tenant, ctr, "cd /data/..data/; cat one two") == f"{number}\n{number}\n"
    os.makedirs(place("pgdata"))
    write(place("pgdata/PG_VERSION"), "15\n")
    tenant.run(pod, "reads", BUSYBOX, SLEEP, mounts=[at("/data", TOP, True)])
    assert not logged(bed, "has the data of")
    tenant.run(pod, "writes", BUSYBOX, SLEEP, mounts=[at("/data", TOP)])
    eventually(lambda: logged(bed, f"'{TOP}' has the data of PostgreSQL: on a live share its locks"), what="the warning")


WRITES = "cd /data; for i in x sub/file sub/x; do echo from the guest > $i && echo $i; done 2>/dev/null; cat sub/file"


def test_recursively_read_only_is_so_below_as_well(kubelet, tenant, bed, place):
    """Beside one that is read-only and no more. CRI cannot ask this runtime for it, another client of containerd can."""
    def ctr(*words):
        return bed.run("tenant", "ctr", "-n", "k8s.io", *words).stdout
    os.makedirs(place("sub"))
    bed.run("tenant", "mount", "-n", "-t", "tmpfs", "none", TOP + "/sub")
    write(place("sub/file"), "from the node\n")
    annotations = ["--annotation", "io.kubernetes.cri.container-type=container",
                   "--annotation", "io.kubernetes.cri.sandbox-id=" + kubelet.run_pod()]
    for options in ("rro", "ro"):
        ctr("run", "-d", "--runtime", "io.containerd.cleave-tenant.v2", *annotations,
            "--mount", f"type=bind,src={TOP},dst=/data,options=rbind:{options}", BUSYBOX, options, *SLEEP)
    assert ctr("tasks", "exec", "--exec-id", "x", "rro", "sh", "-c", WRITES) == "from the node\n"
    assert ctr("tasks", "exec", "--exec-id", "x", "ro", "sh", "-c", WRITES) == "sub/file\nsub/x\nfrom the guest\n"
    write(place("sub/later"), "")       # of the node the mount is what it was
    ctr("tasks", "rm", "-f", "rro", "ro")
    ctr("containers", "rm", "rro", "ro")


# ---- what is refused ---------------------------------------------------------------------------

def refusal(tenant, pod, source, **options):
    ctr = tenant.create(pod, "one", BUSYBOX, SLEEP, mounts=[{**at("/x", source), **options}])
    with pytest.raises(grpc.RpcError) as failure:
        tenant.start_container(ctr)
    tenant.remove_container(ctr)
    assert "mount '/x'" in failure.value.details(), failure.value.details()
    return failure.value.details()


def test_other_paths_of_the_node_are_refused_by_name(kubelet, tenant, bed, place):
    os.mkfifo(place("fifo"))
    os.mknod(place("device"), 0o020666, os.makedev(1, 3))
    os.symlink("/proc", place("kernel"))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"/proc/{bed.pid('tenant')}/root{TOP}/socket")
    theirs = "/var/lib/kubelet/pods/another-pod/volumes/kubernetes.io~secret/theirs"
    for path in (theirs, f"{kubelet.base}/containers"):
        os.makedirs(kubelet.here(path))
    pod = kubelet.run_pod()
    for source, words in (
            (TOP + "/socket", f"'{TOP}/socket' cannot be shared: a UNIX socket of this node has no peer in the guest"),
            (TOP + "/fifo", f"'{TOP}/fifo' cannot be shared: a FIFO of this node has no other end in the guest"),
            (TOP + "/device", f"'{TOP}/device' cannot be shared: a device of this node is none of the guest"),
            (TOP + "/kernel", "view of this node's kernel"),
            ("/dev/null", "'/dev/null' of this node is not shared: devices of this node are none of the guest"),
            ("/proc/sys", "'/proc/sys' of this node is not shared: it is a view of this node's kernel"),
            ("/sys/fs/cgroup", "'/sys/fs/cgroup' of this node is not shared: it is a view of this node's kernel"),
            ("/run/containerd/containerd.sock", "it is the container runtime's own state"),
            ("/var/lib/cleave", "it is cleave's own state"),
            (theirs, "it is another pod's"),
            (f"{kubelet.base}/containers", "it is kubelet's own state")):
        assert words in refusal(tenant, pod, source)
    assert "bidirectional propagation cannot leave the guest" in refusal(tenant, pod, TOP, propagation=BIDIRECTIONAL)


def test_an_operator_can_refuse_all(kubelet, tenant, bed, place):
    configure(bed, lambda text: "live_shares = false\n" + text)
    assert "tenant.conf has live_shares = false" in refusal(tenant, kubelet.run_pod(), TOP)
    assert servers(bed) == []


# ---- how it ends -------------------------------------------------------------------------------

def end(tenant, ctr):
    """containerd may have seen the exit, and let go of the task, before it has heard that its kill was done."""
    with contextlib.suppress(grpc.RpcError):
        tenant.stop_container(ctr, grace=0)
    tenant.wait_exit(ctr)
    tenant.remove_container(ctr)


def mounted_for(bed, name):
    """In the mount namespace of the servers."""
    with open(f"/proc/{servers(bed)[0]}/mountinfo", encoding="utf-8") as table:
        return [line for line in table if f" /{name} " in line]


def test_what_a_container_has_ends_with_it_and_the_server_with_the_pod(kubelet, tenant, bed, place):
    """Then what lies behind a volume can be taken down."""
    os.makedirs(place("sub/deep"))
    bed.run("tenant", "mount", "-n", "-t", "tmpfs", "none", TOP + "/sub")
    os.makedirs(place("sub/deep"))
    write(place("sub/deep/file"), "x")
    pod = kubelet.run_pod()
    tenant.run(pod, "none", BUSYBOX, SLEEP)
    assert servers(bed) == []           # nothing starts without a share
    one, two = (tenant.run(pod, name, BUSYBOX, SLEEP, mounts=[at("/data", TOP + "/sub")]) for name in ("one", "two"))
    for ctr in (one, two):
        assert mounted_for(bed, "s1") and not mounted_for(bed, "s2")        # one volume, seen by both
        assert sh(tenant, two, "cat /data/deep/file") == "x"
        end(tenant, ctr)
    eventually(lambda: not mounted_for(bed, "s1"), what="its end on the node")
    three = tenant.run(pod, "three", BUSYBOX, SLEEP,
                       mounts=[at("/data", TOP + "/sub"), {**at("/all", TOP), "propagation": TO_CONTAINER}])
    assert sh(tenant, three, "exec 3< /data/deep/file; cat /all/sub/deep/file") == "x"
    tenant.stop_pod(pod)
    eventually(lambda: servers(bed) == [], what="the end of cleave-share")
    bed.run("tenant", "umount", "-n", TOP + "/sub")


@pytest.mark.parametrize("which", [0, 1])
def test_the_death_of_the_server_is_an_error_and_not_the_end(kubelet, tenant, bed, place, which):
    """Of the keeper or of the server: containers get errors instead of waiting, and the pod lives."""
    write(place("file"), "x")
    pod = kubelet.run_pod()
    ctr = tenant.run(pod, "one", BUSYBOX, SLEEP, mounts=[at("/data", TOP)])
    assert sh(tenant, ctr, "cat /data/file") == "x"
    kill9([sorted(servers(bed))[which]])
    eventually(lambda: servers(bed) == [], what="the end of both")
    eventually(lambda: tenant.exec(ctr, "cat", "/data/file")[0] != 0, what="an error")
    assert logged(bed, "the pod's live share")
    tenant.run(pod, "two", BUSYBOX, SLEEP)
    three = tenant.create(pod, "three", BUSYBOX, SLEEP, mounts=[at("/data", TOP)])
    with pytest.raises(grpc.RpcError) as failure:
        tenant.start_container(three)
    assert "the pod's live share" in failure.value.details()
    assert sh(tenant, ctr, "echo alive") == "alive\n"


def test_the_death_of_the_shim_ends_the_server(kubelet, tenant, bed, place):
    pod = kubelet.run_pod()
    tenant.run(pod, "one", BUSYBOX, SLEEP, mounts=[at("/data", TOP)])
    assert len(servers(bed)) == 2
    kill9(find_processes(bed, "tenant", SHIM))
    eventually(lambda: servers(bed) == [], what="the end of cleave-share")
