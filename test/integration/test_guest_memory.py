# SPDX-License-Identifier: Apache-2.0
"""Containers that take all the memory of a machine, which has no disk: they end, the guest does not."""
import grpc

from conftest import BUSYBOX

SLEEP = ["sleep", "1000"]


def test_full_disks_do_not_end_the_guest(bed, tenant, vm):
    bed.use_guest("vm", scratch="0")
    pod = tenant.run_pod("web")
    ctrs = [tenant.run(pod, name, BUSYBOX, SLEEP) for name in ("one", "two")]
    for ctr in ctrs:
        try:
            code, _, error = tenant.exec(ctr, "sh", "-c", "cat /dev/zero > /full", timeout=120)
            assert (code == 1 and b"No space" in error) or code == 137, (code, error)
        except grpc.RpcError as error:      # its init was killed for memory, and so the container has ended
            assert "not running" in error.details() or "stopped" in error.details(), error
    for ctr in ctrs:
        tenant.stop_container(ctr, 0)
        tenant.remove_container(ctr)
    three = tenant.run(pod, "three", BUSYBOX, SLEEP)
    assert tenant.exec(three, "echo", "here")[1] == b"here\n"
    tenant.stop_pod(pod)
    tenant.remove_pod(pod)
