# SPDX-License-Identifier: Apache-2.0
"""Volumes as kubelet lays them out on the tenant node, seen from containers in the guest."""
import hashlib
import os
import pathlib
import shutil
import struct
import subprocess
import threading

import grpc
import pytest

import images
import ns
import setup
from conftest import BUSYBOX, configure, eventually, find_processes

SLEEP = ["sleep", "1000"]
ROOT = "/var/lib/kubelet"
VOLUMES = f"{images.REGISTRY}/volumes:1"
ODD = f"{images.REGISTRY}/odd:1"


class Kubelet:
    """The part of a kubelet that prepares volumes for one pod."""

    def __init__(self, bed, tenant):
        self.bed, self.tenant = bed, tenant
        self.config = tenant.cri.pod_config("web")
        self.base = f"{ROOT}/pods/{self.config.metadata.uid}"
        self.mounts, self.versions = [], 0
        os.makedirs(bed.path("tenant", self.base))

    def here(self, path):
        return self.bed.path("tenant", path)

    def run_pod(self):
        return self.tenant.run_pod(config=self.config)

    def empty(self, name, mode=0o777, uid=0, gid=0, memory=None):
        path = f"{self.base}/volumes/kubernetes.io~empty-dir/{name}"
        os.makedirs(self.here(path))
        if memory:
            self.mount("-t", "tmpfs", "-o", f"size={memory}", "tmpfs", path)
        os.chown(self.here(path), uid, gid)
        os.chmod(self.here(path), mode)
        return path

    def mount(self, *words):
        self.bed.run("tenant", "mount", *words)
        self.mounts.append(words[-1])

    def copied(self, name, files, plugin="configmap", **looks):
        path = f"{self.base}/volumes/kubernetes.io~{plugin}/{name}"
        os.makedirs(self.here(path), exist_ok=True)
        self.write(path, files, **looks)
        return path

    def write(self, path, files, mode=0o644, uid=0, gid=0):
        """kubelet's atomic writer: a new directory, then `..data` is renamed."""
        here = self.here(path)
        self.versions += 1
        version = f"..2026_01_01_00_00_00.{self.versions}"
        before = os.readlink(here + "/..data") if os.path.islink(here + "/..data") else None
        os.makedirs(f"{here}/{version}")
        os.chmod(f"{here}/{version}", 0o755)
        for name, content in files.items():
            os.makedirs(os.path.dirname(f"{here}/{version}/{name}"), exist_ok=True)
            with open(f"{here}/{version}/{name}", "wb") as file:
                file.write(content)
                os.fchown(file.fileno(), uid, gid)
                os.fchmod(file.fileno(), mode)
        os.symlink(version, here + "/..data_tmp")
        os.rename(here + "/..data_tmp", here + "/..data")
        tops = {name.split("/")[0] for name in files}
        for name in tops:
            if not os.path.islink(f"{here}/{name}"):
                os.symlink(f"..data/{name}", f"{here}/{name}")
        for name in os.listdir(here):
            if not name.startswith("..") and name not in tops:
                os.unlink(f"{here}/{name}")
        if before:
            shutil.rmtree(f"{here}/{before}")

    def subpath(self, volume, path, container="one", index=0):
        """What kubelet mounts for a subPath: a bind mount of the real thing."""
        name = os.path.basename(volume)
        target = f"{self.base}/volume-subpaths/{name}/{container}/{index}"
        real = self._real(volume, path)
        os.makedirs(self.here(os.path.dirname(target)), exist_ok=True)
        if os.path.isdir(self.here(real)):
            os.makedirs(self.here(target))
        else:
            with open(self.here(target), "w", encoding="utf-8"):
                pass
        self.mount("--bind", real, target)
        return target

    def _real(self, volume, path):
        return self.bed.run("tenant", "readlink", "-f", f"{volume}/{path}").stdout.strip()

    def clean(self):
        for path in reversed(self.mounts):
            self.bed.run("tenant", "umount", path)
        shutil.rmtree(self.here("/run/mount"), ignore_errors=True)      # mount(8)'s own notes
        shutil.rmtree(self.here(ROOT))


def live(bed, tenant):
    made = Kubelet(bed, tenant)
    yield made
    tenant.remove_everything()
    made.clean()


@pytest.fixture
def kubelet(stub, bed, tenant):
    yield from live(bed, tenant)


@pytest.fixture
def kubelet_of_machine(vm, bed, tenant):
    yield from live(bed, tenant)


def at(path, where, readonly=False):
    return {"container_path": path, "host_path": where, "readonly": readonly}


def sh(tenant, ctr, script):
    code, out, err = tenant.exec(ctr, "sh", "-c", script)
    assert code == 0, (script, out, err)
    return out.decode()


# ---- emptyDir ---------------------------------------------------------------------------------

def test_containers_of_a_pod_share_an_empty_directory(kubelet, tenant):
    shared = kubelet.empty("cache", mode=0o2770, gid=2000)
    pod = kubelet.run_pod()
    one = tenant.run(pod, "one", BUSYBOX, SLEEP, mounts=[at("/cache", shared)])
    two = tenant.run(pod, "two", BUSYBOX, SLEEP, mounts=[at("/here", shared), at("/too", shared, True)])
    assert sh(tenant, one, "stat -c '%a %u %g' /cache; ls -A /cache") == "2770 0 2000\n"
    sh(tenant, one, "mkdir /cache/d; echo from one > /cache/d/x")
    assert sh(tenant, two, "cat /here/d/x /too/d/x; stat -c %g /here/d") == "from one\nfrom one\n2000\n"
    assert tenant.exec(two, "touch", "/too/y")[0] != 0      # this mount is read-only
    # Nothing of it is on the node; it outlives the container and ends with the pod.
    assert os.listdir(kubelet.here(shared)) == []
    tenant.stop_container(one, grace=0)
    tenant.remove_container(one)
    again = tenant.run(pod, "again", BUSYBOX, SLEEP, mounts=[at("/cache", shared)])
    assert sh(tenant, again, "cat /cache/d/x") == "from one\n"
    assert sh(tenant, two, "cat /here/d/x") == "from one\n"


def test_a_limit_of_the_medium_memory_holds_in_the_guest(kubelet, tenant):
    limited = kubelet.empty("small", memory="2m", mode=0o1777)
    pod = kubelet.run_pod()
    ctr = tenant.run(pod, "one", BUSYBOX, SLEEP, mounts=[at("/small", limited)])
    assert tenant.exec(ctr, "sh", "-c", "head -c 1500000 /dev/zero > /small/a")[0] == 0
    assert b"No space" in tenant.exec(ctr, "dd", "if=/dev/zero", "of=/small/b", "bs=1500000", "count=1")[2]
    assert sh(tenant, ctr, "stat -c %a /small") == "1777\n"


def test_a_sub_path_of_an_empty_directory(kubelet, tenant):
    shared = kubelet.empty("data", mode=0o2775, gid=2000)
    os.makedirs(kubelet.here(shared) + "/logs/with space")
    sub = kubelet.subpath(shared, "logs/with space")
    pod = kubelet.run_pod()
    one = tenant.run(pod, "one", BUSYBOX, SLEEP, mounts=[at("/logs", sub)])
    whole = tenant.run(pod, "two", BUSYBOX, SLEEP, mounts=[at("/data", shared)])
    sh(tenant, one, "echo line > /logs/a")
    assert sh(tenant, whole, "cat '/data/logs/with space/a'; stat -c '%a %g' /data/logs") == "line\n2775 2000\n"


def test_a_sub_path_cannot_be_turned_into_a_way_out(kubelet, tenant):
    """A container puts a link where a second one will have a sub path."""
    shared = kubelet.empty("data")
    os.makedirs(kubelet.here(shared) + "/sub")
    sub = kubelet.subpath(shared, "sub", container="two")
    pod = kubelet.run_pod()
    one = tenant.run(pod, "one", BUSYBOX, SLEEP, mounts=[at("/data", shared)])
    for target in ("/", "../..", "/proc/self/root"):
        sh(tenant, one, f"rm -f /data/sub; ln -s {target} /data/sub")
        ctr = tenant.create(pod, "two", BUSYBOX, SLEEP, mounts=[at("/sub", sub)])
        with pytest.raises(grpc.RpcError) as failure:
            tenant.start_container(ctr)
        assert "leads out of it" in failure.value.details()
        tenant.remove_container(ctr)
    # A link that stays inside is as good as what it points to.
    sh(tenant, one, "rm /data/sub; mkdir /data/real; ln -s real /data/sub")
    two = tenant.run(pod, "two", BUSYBOX, SLEEP, mounts=[at("/sub", sub)])
    sh(tenant, two, "echo x > /sub/y")
    assert sh(tenant, one, "cat /data/real/y") == "x\n"


# ---- VOLUME of an image -----------------------------------------------------------------------

@pytest.fixture
def declared(bed):
    """An image with a VOLUME that has content and one that is not there."""
    made = images.busybox([("data", None), ("data/seed", b"from the image\n"), ("data/sub", None)],
                          Volumes={"/data": {}, "/fresh/one": {}})
    ns.call(bed.pid("tenant"), ns.NEWNET, lambda: made.push(setup.REGISTRY_PORT, "volumes", "1"))


@pytest.mark.parametrize("readonly", [False, True])
def test_a_volume_of_the_image_is_seeded_from_it(kubelet, tenant, declared, readonly):
    tenant.pull(VOLUMES)
    pod = kubelet.run_pod()
    linux = {"security_context": {"readonly_rootfs": readonly}}
    one = tenant.run(pod, "one", VOLUMES, SLEEP, linux=linux)
    two = tenant.run(pod, "two", VOLUMES, SLEEP, linux=linux)
    assert sh(tenant, one, "cat /data/seed; ls -A /fresh/one; stat -c %a /data") == "from the image\n755\n"
    sh(tenant, one, "echo changed > /data/seed; echo y > /fresh/one/y")
    assert tenant.exec(one, "touch", "/elsewhere")[0] == (1 if readonly else 0)
    assert sh(tenant, two, "cat /data/seed; ls -A /fresh/one") == "from the image\n"     # each has its own
    tenant.stop_container(one, grace=0)
    tenant.remove_container(one)
    assert sh(tenant, two, "cat /data/seed") == "from the image\n"


@pytest.fixture
def odd(bed):
    """/etc is a link, a VOLUME lies behind one, and another one has a member."""
    made = images.busybox([("config", None), ("config/own", b"mine\n"), ("etc", pathlib.PurePath("/config")),
                           ("data", None), ("data/seed", b"from the image\n"), ("real", None),
                           ("real/kept", b"behind\n"), ("alias", pathlib.PurePath("/real"))],
                          Volumes={"/data": {}, "/alias": {}, "/data/db": {}})
    ns.call(bed.pid("tenant"), ns.NEWNET, lambda: made.push(setup.REGISTRY_PORT, "odd", "1"))


@pytest.mark.parametrize("readonly", [False, True])
def test_an_image_whose_directories_are_links(kubelet, tenant, odd, readonly):
    tenant.pull(ODD)
    pod = kubelet.run_pod()
    ctr = tenant.run(pod, "one", ODD, SLEEP, linux={"security_context": {"readonly_rootfs": readonly}})
    assert sh(tenant, ctr, "cat /etc/own /config/own /etc/hostname; readlink /etc") == "mine\nmine\nweb\n/config\n"
    assert "localhost" in sh(tenant, ctr, "cat /config/hosts; ls /etc/resolv.conf")
    assert sh(tenant, ctr, "cat /alias/kept; echo x > /alias/new; cat /real/new") == "behind\nx\n"
    assert sh(tenant, ctr, "echo y > /data/db/y; ls /data") == "db\nseed\n"


def test_a_volume_of_kubelets_covers_the_images(kubelet, tenant, odd):
    """The pod's wins at the same place and is seen around the image's below it."""
    tenant.pull(ODD)
    shared, conf = kubelet.empty("cache"), kubelet.copied("conf", {"key": b"v"})
    pod = kubelet.run_pod()
    one = tenant.run(pod, "one", ODD, SLEEP, mounts=[at("/data", shared)])
    assert sh(tenant, one, "ls -A /data /data/db; echo x > /data/of-pod; echo y > /data/db/of-image") == "/data:\ndb\n\n/data/db:\n"
    two = tenant.run(pod, "two", ODD, SLEEP, mounts=[at("/data/db", conf, True), at("/data", shared)])
    assert sh(tenant, two, "cat /data/of-pod /data/db/key") == "x\nv"


def test_mounts_lie_in_each_other_in_any_order(kubelet, tenant):
    outer, inner, conf = kubelet.empty("outer"), kubelet.empty("inner"), kubelet.copied("conf", {"key": b"v"})
    pod = kubelet.run_pod()
    ctr = tenant.run(pod, "one", BUSYBOX, SLEEP, linux={"security_context": {"readonly_rootfs": True}}, mounts=[
        at("/data/sub/conf", conf, True), at("/data/sub", inner), at("/data", outer), at("/etc", outer)])
    sh(tenant, ctr, "echo o > /data/o; echo i > /data/sub/i")
    assert sh(tenant, ctr, "cat /data/sub/conf/key; cat /etc/o /etc/hostname") == "vo\nweb\n"
    whole = tenant.run(pod, "two", BUSYBOX, SLEEP, mounts=[at("/o", outer), at("/i", inner)])
    assert sh(tenant, whole, "cat /o/o /i/i; ls /o/sub") == "o\ni\n"


def test_a_volume_on_dev(kubelet, tenant):
    shared = kubelet.empty("cache")
    pod = kubelet.run_pod()
    ctr = tenant.run(pod, "one", BUSYBOX, SLEEP, mounts=[at("/dev/data", shared)])
    assert sh(tenant, ctr, "echo x > /dev/data/x; cat /dev/data/x; test -c /dev/null; test -d /dev/shm") == "x\n"


# ---- configMap and its kin --------------------------------------------------------------------

def test_a_config_map_is_there_as_kubelet_laid_it_out(kubelet, tenant):
    where = kubelet.copied("conf", {"key": b"value\n", "dir/nested": b"deep\n"})
    pod = kubelet.run_pod()
    ctr = tenant.run(pod, "one", BUSYBOX, SLEEP, mounts=[at("/conf", where, True), at("/again", where)])
    assert sh(tenant, ctr, "cat /conf/key /conf/dir/nested; readlink /conf/key") == "value\ndeep\n..data/key\n"
    assert sh(tenant, ctr, "ls /conf; readlink /conf/..data").split()[:2] == ["dir", "key"]
    for path in ("/conf/new", "/again/new", "/conf/key"):     # read-only, whatever the mount says
        assert b"Read-only" in tenant.exec(ctr, "sh", "-c", f"echo x > {path}")[2]


def test_a_secret_keeps_its_mode_and_owner(kubelet, tenant):
    where = kubelet.copied("secret", {"token": b"hunter2"}, plugin="secret", mode=0o400, uid=1000, gid=2000)
    pod = kubelet.run_pod()
    ctr = tenant.run(pod, "one", BUSYBOX, SLEEP, mounts=[at("/s", where, True)],
                     linux={"security_context": {"run_as_user": {"value": 1000}}})
    assert sh(tenant, ctr, "stat -L -c '%a %u %g' /s/token; cat /s/token") == "400 1000 2000\nhunter2"
    other = tenant.run(pod, "two", BUSYBOX, SLEEP, mounts=[at("/s", where, True)],
                       linux={"security_context": {"run_as_user": {"value": 1001}}})
    assert tenant.exec(other, "cat", "/s/token")[0] != 0


def test_no_byte_of_a_secret_is_in_a_log(kubelet, tenant, bed):
    word = b"correct-horse-battery-staple"
    where = kubelet.copied("secret", {"token": word}, plugin="secret")
    pod = kubelet.run_pod()
    ctr = tenant.run(pod, "one", BUSYBOX, SLEEP, mounts=[at("/s", where, True)])
    kubelet.write(where, {"token": word + b"-2"})
    eventually(lambda: tenant.exec(ctr, "cat", "/s/token")[1] == word + b"-2")
    with open(bed.log("tenant", "containerd"), "rb") as log:
        assert word not in log.read()
    found = subprocess.run(["grep", "-rlF", word.decode(), bed.path("tenant", "/run/cleave"),
                            bed.path("tenant", "/run/containerd"), bed.path("tenant", "/var/lib/cleave")],
                           capture_output=True, text=True, check=False)
    assert found.stdout == ""


READER = """
n=0
while [ ! -e /tmp/stop ]; do
  d=$(readlink /conf/..data) || continue
  cd /conf/$d 2>/dev/null || continue
  a=$(cat a 2>/dev/null) && b=$(cat b 2>/dev/null) || { cd /; continue; }
  cd /
  [ "$a" = "$b" ] || echo torn "$a" "$b"
  n=$((n+1))
done
echo read
"""


def watch(pid, path):
    """inotify on what a process of the container has at `path`: for renames into it."""
    fd = ns.checked(ns.libc.inotify_init1(os.O_NONBLOCK), "inotify_init1")
    ns.checked(ns.libc.inotify_add_watch(fd, f"/proc/{pid}/root{path}".encode(), 0x80), "inotify_add_watch")
    return fd


def names(fd):
    data, found = os.read(fd, 1 << 16), []
    while data:
        length = struct.unpack_from("iIII", data)[3]
        found.append(data[16:16 + length].rstrip(b"\0").decode())
        data = data[16 + length:]
    return found


def test_a_change_reaches_readers_whole_and_wakes_watchers(kubelet, tenant, bed):
    where = kubelet.copied("conf", {"a": b"0", "b": b"0", "old": b"x"})
    pod = kubelet.run_pod()
    ctr = tenant.run(pod, "one", BUSYBOX, SLEEP, mounts=[at("/conf", where, True)])
    watcher = watch(find_processes(bed, "tenant", "^sleep 1000 *$")[-1], "/conf")
    results = []
    reader = threading.Thread(target=lambda: results.append(tenant.exec(ctr, "sh", "-c", READER, timeout=60)))
    reader.start()
    for value in range(1, 15):
        kubelet.write(where, {"a": b"%d" % value, "b": b"%d" % value, "new": b"y"})
        eventually(lambda: tenant.exec(ctr, "cat", "/conf/b")[1] == b"%d" % value, what=f"version {value}")
        assert names(watcher) == ["..data"]
    os.close(watcher)
    sh(tenant, ctr, "touch /tmp/stop")
    reader.join()
    assert results == [(0, b"read\n", b"")]
    # As kubelet does: new members appear, old ones go, and so do former versions.
    assert sh(tenant, ctr, "ls /conf") == "a\nb\nnew\n"
    assert sh(tenant, ctr, "ls -A /conf | grep -c '^[.][.]2'") == "1\n"


def test_a_change_that_is_cut_off_arrives_whole(relay, kubelet, tenant):
    def content(value):
        return {f"part{n}": bytes([value]) * (900 << 10) for n in range(4)}

    where = kubelet.copied("conf", content(0))
    pod = kubelet.run_pod()
    ctr = tenant.run(pod, "one", BUSYBOX, SLEEP, mounts=[at("/conf", where, True)])
    for value in (1, 2, 3):
        kubelet.write(where, content(value))
        eventually(relay.cut, what="a connection to cut")
        wanted = (hashlib.md5(bytes([value]) * (900 << 10) * 4).hexdigest() + "  -\n").encode()
        eventually(lambda w=wanted: tenant.exec(ctr, "sh", "-c", "cat /conf/part* | md5sum")[1] == w,
                   what=f"content {value}")


def test_what_is_named_by_sub_path_is_copied_once(kubelet, tenant):
    where = kubelet.copied("conf", {"key": b"first", "dir/x": b"nested"}, mode=0o640, gid=2000)
    file = kubelet.subpath(where, "key", index=0)
    directory = kubelet.subpath(where, "dir", index=1)
    pod = kubelet.run_pod()
    mounts = [at("/etc/app.conf", file, True), at("/etc/app.d", directory, True), at("/conf", where, True)]
    ctr = tenant.run(pod, "one", BUSYBOX, SLEEP, mounts=mounts)
    assert sh(tenant, ctr, "cat /etc/app.conf /etc/app.d/x; stat -c '%a %g' /etc/app.conf") == "firstnested640 2000\n"
    kubelet.write(where, {"key": b"second", "dir/x": b"nested"})
    eventually(lambda: tenant.exec(ctr, "cat", "/conf/key")[1] == b"second")
    assert sh(tenant, ctr, "cat /etc/app.conf") == "first"      # as on any node
    assert tenant.exec(ctr, "sh", "-c", "echo x > /etc/app.conf")[0] != 0


def test_a_thousand_files_and_a_large_one(kubelet, tenant):
    files = {f"key-{n:04}": b"%d\n" % n for n in range(1000)}
    many = kubelet.copied("many", files, plugin="projected")
    large = kubelet.copied("large", {f"part{n}": bytes([n]) * (900 << 10) for n in range(4)})
    pod = kubelet.run_pod()
    ctr = tenant.run(pod, "one", BUSYBOX, SLEEP, mounts=[at("/many", many, True), at("/large", large, True)])
    assert sh(tenant, ctr, "ls /many | wc -l; cat /many/key-0999; cat /large/* | wc -c") == f"1000\n999\n{4 * (900 << 10)}\n"
    kubelet.write(many, {**files, "key-0999": b"changed\n"})
    eventually(lambda: tenant.exec(ctr, "cat", "/many/key-0999")[1] == b"changed\n")


@pytest.mark.parametrize("files, words", [
    ({"big": bytes((1 << 20) + 1)}, "'big' is larger than 1024 KiB"),
    ({f"part{n}": bytes(1 << 20) for n in range(5)}, "more than 4 MiB"),
    ({f"{n}": b"" for n in range(4097)}, "more than 4096 files")])
def test_too_much_is_a_clear_error(kubelet, tenant, files, words):
    where = kubelet.copied("conf", files)
    pod = kubelet.run_pod()
    ctr = tenant.create(pod, "one", BUSYBOX, SLEEP, mounts=[at("/conf", where, True)])
    with pytest.raises(grpc.RpcError) as failure:
        tenant.start_container(ctr)
    assert words in failure.value.details() and where in failure.value.details()
    # A change that is too much leaves the guest what it has; the next good one arrives.
    kubelet.write(where, {"key": b"good"})
    good = tenant.run(pod, "two", BUSYBOX, SLEEP, mounts=[at("/conf", where, True)])
    kubelet.write(where, files)
    kubelet.write(where, {"key": b"better"})
    eventually(lambda: tenant.exec(good, "cat", "/conf/key")[1] == b"better")


def test_a_link_that_leads_out_is_refused(kubelet, tenant):
    where = kubelet.copied("conf", {"key": b"x"})
    os.symlink("/etc/shadow", kubelet.here(where) + "/..data/link")
    pod = kubelet.run_pod()
    ctr = tenant.create(pod, "one", BUSYBOX, SLEEP, mounts=[at("/conf", where, True)])
    with pytest.raises(grpc.RpcError) as failure:
        tenant.start_container(ctr)
    assert "leads out of it" in failure.value.details()


def test_volumes_in_a_machine(kubelet_of_machine, tenant, declared):
    """All three kinds in a real guest."""
    kubelet = kubelet_of_machine
    tenant.pull(VOLUMES)
    shared = kubelet.empty("cache", mode=0o2770, gid=2000)
    os.makedirs(kubelet.here(shared) + "/sub")
    sub = kubelet.subpath(shared, "sub", container="two")
    conf = kubelet.copied("conf", {"key": b"first"}, mode=0o440, gid=2000)
    pod = kubelet.run_pod()
    one = tenant.run(pod, "one", VOLUMES, SLEEP, mounts=[at("/cache", shared), at("/conf", conf, True)])
    two = tenant.run(pod, "two", BUSYBOX, SLEEP, mounts=[at("/sub", sub)])
    sh(tenant, two, "echo shared > /sub/x")
    assert sh(tenant, one, "cat /cache/sub/x; stat -c '%a %g' /cache") == "shared\n2770 2000\n"
    assert sh(tenant, one, "cat /data/seed; stat -L -c '%a %g' /conf/key") == "from the image\n440 2000\n"
    kubelet.write(conf, {"key": b"second"})
    eventually(lambda: tenant.exec(one, "cat", "/conf/key")[1] == b"second", what="the refresh")
    tenant.stop_container(one, grace=0)
    tenant.remove_container(one)
    assert sh(tenant, two, "cat /sub/x") == "shared\n"


# ---- the rest ---------------------------------------------------------------------------------

def test_a_device_of_the_node_is_refused_by_name(kubelet, tenant):
    pod = kubelet.run_pod()
    ctr = tenant.create(pod, "one", BUSYBOX, SLEEP,
                        devices=[{"container_path": "/dev/ours", "host_path": "/dev/zero", "permissions": "rwm"}])
    with pytest.raises(grpc.RpcError) as failure:
        tenant.start_container(ctr)
    for words in ("'linux.devices' ('/dev/ours') is refused", "of this node"):
        assert words in failure.value.details()


def test_another_root_of_kubelet(kubelet, tenant, bed):
    """What lies elsewhere is no volume of kubelet's, but a directory like any other: shared live."""
    configure(bed, lambda text: 'kubelet_root = "/var/lib/other"\n' + text)
    where = kubelet.empty("cache")
    pod = kubelet.run_pod()
    ctr = tenant.run(pod, "one", BUSYBOX, SLEEP, mounts=[at("/x", where)])
    sh(tenant, ctr, "touch /x/mark")
    assert os.listdir(kubelet.here(where)) == ["mark"]


def test_volumes_and_the_special_files_go_together(kubelet, tenant, bed):
    shared, conf = kubelet.empty("cache"), kubelet.copied("conf", {"key": b"v"})
    log = f"{kubelet.base}/containers/one/log"
    os.makedirs(os.path.dirname(kubelet.here(log)))
    with open(kubelet.here(log), "w", encoding="utf-8"):
        pass
    pod = kubelet.run_pod()
    ctr = tenant.run(pod, "one", BUSYBOX,
                     ["sh", "-c", "cat /conf/key /etc/hostname > /cache/x; cat /cache/x > /dev/termination-log; exit 3"],
                     mounts=[at("/cache", shared), at("/conf", conf, True), at("/dev/termination-log", log)],
                     annotations={"io.kubernetes.container.terminationMessagePath": "/dev/termination-log"})
    assert tenant.wait_exit(ctr).exit_code == 3
    with open(kubelet.here(log), encoding="utf-8") as message:
        assert message.read() == "vweb\n"
