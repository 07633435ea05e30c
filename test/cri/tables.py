# SPDX-License-Identifier: Apache-2.0
"""What cleave does not do, by case (module::function). runc passes every one of them."""

RECURSIVE = "containerd finds out for runc only whether it can; 2.1 itself ends on a request to another runtime"
NO_VOLUMES = "only the volumes that a kubelet makes are brought into the guest yet: no other path of the node"

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
    "test_mounts::test_a_directory_is_seen_and_written_on_both_sides": NO_VOLUMES,
    "test_mounts::test_two_containers_share_a_directory": NO_VOLUMES,
    "test_mounts::test_a_directory_behind_a_symbolic_link_is_that_directory": NO_VOLUMES,
    "test_mounts::test_a_readonly_directory_is_not_written": NO_VOLUMES,
    "test_mounts::test_a_mount_below_a_readonly_directory_is_written": NO_VOLUMES,
    "test_mounts::test_one_file_is_mounted": NO_VOLUMES,
    "test_mounts::test_what_is_not_there_is_made": NO_VOLUMES,
    "test_mounts::test_private_mounts_stay_where_they_are_made": NO_VOLUMES,
    "test_mounts::test_an_image_is_mounted_and_not_written": NO_VOLUMES,
    "test_mounts::test_mounts_come_from_the_node_on_request_and_not_back": NO_VOLUMES,
}

# Expected to fail for cleave, and an error if it does not: a defect with a name.
KNOWN = {
}
