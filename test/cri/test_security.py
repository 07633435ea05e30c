# SPDX-License-Identifier: Apache-2.0
"""Users, groups, capabilities, privileges, and paths that a container may not read or write."""
import grpc
import pytest

from conftest import eventually
from suite import BUSYBOX, SLEEP

GUEST_ROOT = True       # ALL and SYS_ADMIN reach the guest's agent: the tenant allows them by name
STAGING = "gcr.io/k8s-staging-cri-tools/test-image-"
NET_RAW, NET_ADMIN, SYS_ADMIN, CHOWN, SYS_TIME = 13, 12, 21, 0, 25
MERGE, STRICT = 0, 1


def status(node, ctr, field):
    """A field of a process that the container's first one would start."""
    return node.sh(ctr, f"grep ^{field}: /proc/self/status").split()[1:]


def held(node, ctr, kind="CapEff"):
    mask = int(status(node, ctr, kind)[0], 16)
    return {number for number in range(64) if mask >> number & 1}


def capable(node, pod, name, **changes):
    return node.secure(pod, name, capabilities=changes)


# ---- users and groups -------------------------------------------------------------------------

@pytest.mark.vm
def test_a_user_by_number(node, pod):
    ctr = node.secure(pod, "one", run_as_user={"value": 1234})
    assert status(node, ctr, "Uid") == ["1234"] * 4
    assert node.out(ctr, "stat", "-c", "%u", "/proc/1").strip() == "1234"
    assert node.container_status(ctr).user.linux.uid == 1234


def test_a_user_by_name_comes_from_the_image(node, pod):
    ctr = node.secure(pod, "one", run_as_username="user")
    assert (status(node, ctr, "Uid")[0], status(node, ctr, "Gid")[0]) == ("1000", "1000")


def test_a_user_that_the_image_does_not_know_is_an_error(node, pod):
    with pytest.raises(grpc.RpcError) as failure:
        node.secure(pod, "one", run_as_username="stranger")
    assert "stranger" in failure.value.details() or "no users found" in failure.value.details()


def test_a_group_by_number(node, pod):
    ctr = node.secure(pod, "one", run_as_user={"value": 1234}, run_as_group={"value": 4321})
    assert (status(node, ctr, "Uid")[0], status(node, ctr, "Gid")) == ("1234", ["4321"] * 4)
    assert node.sh(ctr, "touch /tmp/mine; stat -c %u:%g /tmp/mine").strip() == "1234:4321"


def test_a_group_without_a_user_is_an_error(node, pod):
    with pytest.raises(grpc.RpcError):
        node.secure(pod, "one", run_as_group={"value": 4321})


def test_supplemental_groups_are_added(node, pod):
    ctr = node.secure(pod, "one", run_as_user={"value": 1234}, supplemental_groups=[2000, 3000])
    assert {"2000", "3000"} <= set(status(node, ctr, "Groups"))
    assert {"2000", "3000"} <= set(node.out(ctr, "id", "-G").split())


def test_groups_of_the_image_are_merged_with_supplemental_ones(node, pod):
    image = node.reference(STAGING + "predefined-group:latest")
    ctr = node.secure(pod, "one", image, supplemental_groups=[2000], supplemental_groups_policy=MERGE)
    assert set(status(node, ctr, "Groups")) == {"1000", "2000", "50000"}
    assert set(node.container_status(ctr).user.linux.supplemental_groups) == {1000, 2000, 50000}


def test_strict_supplemental_groups_leave_those_of_the_image_out(node, pod):
    image = node.reference(STAGING + "predefined-group:latest")
    ctr = node.secure(pod, "one", image, supplemental_groups=[2000], supplemental_groups_policy=STRICT)
    assert set(status(node, ctr, "Groups")) - {"1000"} == {"2000"}


@pytest.mark.parametrize("image, uid, gid", [
    ("user-uid", "1002", "0"), ("user-username", "33", "33"), ("user-uid-group", "1003", "100"), ("user-username-group", "33", "100")])
def test_the_user_of_the_image_is_used(node, pod, image, uid, gid):
    ctr = node.run(pod, "one", node.reference(f"{STAGING}{image}:latest"), SLEEP)
    assert (status(node, ctr, "Uid")[0], status(node, ctr, "Gid")[0]) == (uid, gid)


# ---- capabilities -----------------------------------------------------------------------------

def test_an_ordinary_container_has_a_known_set(node, ctr):
    assert held(node, ctr) == held(node, ctr, "CapBnd") == {0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31}
    assert held(node, ctr, "CapAmb") == set()


@pytest.mark.vm
def test_a_capability_is_added(node, pod):
    plain, strong = capable(node, pod, "plain"), capable(node, pod, "strong", add_capabilities=["NET_ADMIN"])
    assert held(node, strong) - held(node, plain) == {NET_ADMIN}
    assert node.exec(plain, "ip", "link", "set", "lo", "mtu", "60000")[0] != 0
    assert node.exec(strong, "ip", "link", "set", "lo", "mtu", "60000")[0] == 0


def test_a_capability_is_dropped(node, pod):
    plain, weak = capable(node, pod, "plain"), capable(node, pod, "weak", drop_capabilities=["CHOWN"])
    assert held(node, plain) - held(node, weak) == {CHOWN}
    for ctr, code in ((plain, 0), (weak, 1)):
        assert node.exec(ctr, "sh", "-c", "touch /tmp/a && chown 1000 /tmp/a")[0] == code


@pytest.mark.vm
def test_all_capabilities_are_added(node, pod):
    ctr = capable(node, pod, "all", add_capabilities=["ALL"])
    assert held(node, ctr) == held(node, ctr, "CapBnd") >= {CHOWN, NET_ADMIN, SYS_ADMIN, SYS_TIME}
    assert node.exec(ctr, "sh", "-c", "mount -t tmpfs none /tmp")[0] == 0


def test_all_capabilities_are_dropped(node, pod):
    ctr = capable(node, pod, "none", drop_capabilities=["ALL"])
    assert held(node, ctr) == held(node, ctr, "CapPrm") == held(node, ctr, "CapBnd") == set()
    assert node.exec(ctr, "ip", "link", "set", "lo", "down")[0] != 0


def test_one_capability_is_left_of_all(node, pod):
    ctr = capable(node, pod, "one", drop_capabilities=["ALL"], add_capabilities=["NET_RAW"])
    assert held(node, ctr) == {NET_RAW}


def test_a_user_other_than_root_has_none(node, pod):
    ctr = node.secure(pod, "one", run_as_user={"value": 1000})
    assert held(node, ctr) == set() and held(node, ctr, "CapBnd") != set()


# ---- privileges -------------------------------------------------------------------------------

@pytest.mark.vm
def test_a_privileged_container_may_mount_and_is_not_masked(node):
    pod = node.pod("strong", security={"privileged": True})
    ctr = node.secure(pod, "one", privileged=True)
    assert SYS_ADMIN in held(node, ctr)
    assert node.exec(ctr, "sh", "-c", "mkdir /m && mount -t tmpfs none /m && touch /m/x && umount /m")[0] == 0
    mounts = node.out(ctr, "cat", "/proc/mounts")
    assert " /proc/kcore " not in mounts and " /proc/sys " not in mounts
    assert "rw" in next(line.split()[3].split(",") for line in mounts.splitlines() if line.split()[1] == "/sys")
    plain = node.secure(pod, "two")
    assert SYS_ADMIN not in held(node, plain) and node.exec(plain, "mount", "-t", "tmpfs", "none", "/tmp")[0] != 0


def test_a_privileged_container_needs_a_privileged_pod(node, pod):
    with pytest.raises(grpc.RpcError):
        node.secure(pod, "one", privileged=True)


def test_an_ordinary_container_may_not_mount(node, ctr):
    assert node.exec(ctr, "mount", "-t", "tmpfs", "none", "/tmp")[0] != 0
    assert node.exec(ctr, "hostname", "other")[0] != 0
    assert node.exec(ctr, "sh", "-c", "mknod /tmp/sda b 8 0 && cat /tmp/sda")[0] != 0


@pytest.mark.vm
def test_no_new_privileges_are_gained_when_forbidden(node, pod):
    """A program that belongs to root and says so, run by somebody else."""
    image = node.reference("registry.k8s.io/e2e-test-images/nonewprivs:1.3")
    for forbidden, uid in ((False, "0"), (True, "1234")):
        ctr = node.run(pod, f"nnp{forbidden}", image, linux={"security_context": {
            "run_as_user": {"value": 1234}, "no_new_privs": forbidden}})
        node.wait_exit(ctr)
        assert eventually(lambda: node.log(ctr), what="what it says") == [("stdout", f"Effective uid: {uid}")]


def test_the_kernel_knows_what_is_forbidden(node, pod):
    for forbidden in (False, True):
        ctr = node.secure(pod, f"nnp{forbidden}", no_new_privs=forbidden)
        assert status(node, ctr, "NoNewPrivs") == [str(int(forbidden))]


# ---- files ------------------------------------------------------------------------------------

@pytest.mark.vm
def test_a_readonly_root_is_not_written(node, pod):
    ctr = node.secure(pod, "one", readonly_rootfs=True)
    for path in ("/x", "/etc/x", "/tmp/x", "/bin/sh"):
        code, _, error = node.exec(ctr, "sh", "-c", f"echo x > {path}")
        assert code != 0 and b"ead-only" in error, path
    node.sh(ctr, "echo x > /dev/shm/x && rm /dev/shm/x")


def test_an_ordinary_root_is_written(node, pod):
    ctr = node.secure(pod, "one", readonly_rootfs=False)
    assert node.sh(ctr, "echo x > /x && echo y > /etc/y && cat /x /etc/y") == "x\ny\n"


@pytest.mark.vm
def test_masked_paths_are_empty(node, pod):
    ctr = node.secure(pod, "one", masked_paths=["/etc/passwd", "/var/log", "/proc/version", "/none/such"])
    assert node.sh(ctr, "cat /etc/passwd /proc/version; ls -A /var/log") == ""
    assert node.exec(ctr, "touch", "/var/log/x")[0] != 0
    assert node.exec(ctr, "cat", "/etc/group")[1] != b""


def test_a_masked_program_does_not_run(node, pod):
    image = node.reference("registry.k8s.io/e2e-test-images/busybox:1.29-2")
    plain, masked = node.secure(pod, "plain", image), node.secure(pod, "masked", image, masked_paths=["/bin/ls"])
    assert node.exec(plain, "ls", "/")[0] == 0
    assert node.exec(masked, "sh", "-c", "ls /")[0] != 0


@pytest.mark.vm
def test_readonly_paths_are_read_and_not_written(node, pod):
    ctr = node.secure(pod, "one", readonly_paths=["/tmp", "/etc/passwd", "/proc/sys", "/none/such"])
    assert "root" in node.out(ctr, "cat", "/etc/passwd")
    for path in ("/tmp/x", "/etc/passwd", "/proc/sys/kernel/domainname"):
        code, _, error = node.exec(ctr, "sh", "-c", f"echo x > {path}")
        assert code != 0 and b"ead-only" in error, path
    node.sh(ctr, "echo x > /var/log/x")


def test_nothing_is_masked_if_nothing_is_said(node, pod, ctr):
    """CRI's meaning of an empty list: the paths are a kubelet's to name."""
    assert node.sh(ctr, "head -c 5 /proc/version") == "Linux"
    assert node.out(ctr, "cat", "/proc/mounts").count(" /proc/") == 0
