# SPDX-License-Identifier: Apache-2.0
"""What cleave does not do, by case (module::function). runc passes every one of them."""

RECURSIVE = "containerd finds out for runc only whether it can; 2.1 itself ends on a request to another runtime"

# Skipped for cleave: what a machine of its own cannot share with the tenant's node.
IMPOSSIBLE = {
    "test_namespaces::test_the_nodes_network_is_shared_on_request": "hostNetwork: the pod's machine is another one",
    "test_namespaces::test_the_nodes_ipc_is_shared_on_request": "hostIPC: the pod's kernel is another one",
    "test_tasks::test_every_process_has_a_pid_of_the_node": "only a container and its execs have one",
    "test_mounts::test_mounts_go_both_ways_on_request": "a mount of the guest is none of the node",
    "test_mounts::test_recursive_readonly_wants_a_private_readonly_mount": RECURSIVE,
    "test_mounts::test_recursive_readonly_holds_below": RECURSIVE,
}

# Skipped for cleave: the feature is not there yet.
PENDING = {
}

# Expected to fail for cleave, and an error if it does not: a defect with a name.
KNOWN = {
}
