# SPDX-License-Identifier: Apache-2.0
test_pod_SRCS           := test/unit/test_pod.c host-shim/pod.c
test_refusal_SRCS       := test/unit/test_refusal.c host-shim/refusal.c
test_sandbox_state_SRCS := test/unit/test_sandbox_state.c host-shim/sandbox_state.c
test_domain_xml_SRCS    := test/unit/test_domain_xml.c host-shim/helper/domain_xml.c
layer_SRCS := guest-agent/layer_archive.c guest-agent/layer_tree.c guest-agent/layer_room.c
test_layer_tree_SRCS := test/unit/test_layer_tree.c $(layer_SRCS)
test_layer_tree_LIBS := io base
test_layer_tree_PKGS := libarchive libevent_core json-c libmd
test_layer_store_SRCS := test/unit/test_layer_store.c guest-agent/layer_store.c \
	guest-agent/layer_queue.c $(layer_SRCS)
test_layer_store_LIBS := io base
test_layer_store_PKGS := libarchive zlib libzstd libevent_core json-c libmd
test_disks_SRCS := test/unit/test_disks.c guest-agent/disks.c
test_disks_LIBS := io base
test_mounts_SRCS := test/unit/test_mounts.c guest-agent/mounts.c
test_mounts_LIBS := io base
test_rootfs_SRCS := test/unit/test_rootfs.c guest-agent/rootfs.c guest-agent/layer_store.c \
	guest-agent/layer_queue.c $(layer_SRCS)
test_rootfs_LIBS := io base
test_rootfs_PKGS := libarchive libevent_core json-c libmd
test_spec_rules_SRCS := test/unit/test_spec_rules.c \
	$(addprefix tenant-shim/,spec_rules.c mounts.c namespaces.c)
test_window_SRCS := test/unit/test_window.c tenant-shim/window.c
test_tenant_parts_SRCS := test/unit/test_tenant_parts.c \
	$(addprefix tenant-shim/,pod_config.c provision.c pids.c codec_stats.c)
test_tenant_tasks_SRCS := test/unit/test_tenant_tasks.c \
	$(addprefix tenant-shim/,task.c tasks.c leftovers.c pids.c)
test_link_SRCS := test/unit/test_link.c tenant-shim/link.c tenant-shim/codec_message.c
