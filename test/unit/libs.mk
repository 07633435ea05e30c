# SPDX-License-Identifier: Apache-2.0
test_pod_SRCS           := test/unit/test_pod.c host-shim/pod.c
test_codec_pod_SRCS     := test/unit/test_codec_pod.c host-shim/codec_pod.c host-shim/pod.c
test_request_SRCS       := test/unit/test_request.c host-shim/helper/request.c host-shim/machine.c \
	host-shim/watch.c
test_sandbox_SRCS       := test/unit/test_sandbox.c \
	$(addprefix host-shim/,sandbox.c machine.c pod.c watch.c)
test_sandbox_LDLIBS     := -Wl,--wrap=watch_kill
test_domain_logs_SRCS   := test/unit/test_domain_logs.c \
	$(addprefix host-shim/,domain_logs.c record.c machine.c watch.c)
test_refusal_SRCS       := test/unit/test_refusal.c host-shim/refusal.c
test_domain_xml_SRCS    := test/unit/test_domain_xml.c host-shim/helper/domain_xml.c
test_host_scratch_SRCS  := test/unit/test_host_scratch.c host-shim/helper/scratch.c \
	$(addprefix host-shim/,record.c machine.c watch.c)
test_capabilities_SRCS  := test/unit/test_capabilities.c host-shim/helper/capabilities.c
test_uuid_SRCS          := test/unit/test_uuid.c host-shim/helper/uuid.c
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
test_scratch_crypt_SRCS := test/unit/test_scratch_crypt.c guest-agent/scratch_crypt.c
test_scratch_crypt_LIBS := base
test_scratch_crypt_PKGS := json-c libmd
test_scratch_crypt_LDLIBS := -Wl,--wrap=syscall,--wrap=ioctl
test_scratch_crypt_CPPFLAGS := -Iguest-agent
test_mounts_SRCS := test/unit/test_mounts.c guest-agent/mounts.c $(volume_SRCS)
test_mounts_LIBS := io base
test_volumes_SRCS := test/unit/test_volumes.c $(volume_SRCS)
test_volumes_LIBS := io base
test_volume_node_SRCS := test/unit/test_volume_node.c \
	$(addprefix tenant-shim/,volume_source.c share_rules.c volume_tree.c mountinfo.c)
test_tenant_volumes_SRCS := test/unit/test_tenant_volumes.c \
	$(addprefix tenant-shim/,volumes.c volume_tree.c)
test_shares_SRCS := test/unit/test_shares.c \
	$(addprefix tenant-shim/,shares.c share_server.c program.c)
test_shares_LIBS := io base
test_shares_PKGS := libevent_core json-c libmd
test_shares_CPPFLAGS := -DSHARE_DIRECTORY='"$(abspath $(BUILD)/bin)"'
$(BUILD)/test/test_shares: $(BUILD)/bin/cleave-share
test_rootfs_SRCS := test/unit/test_rootfs.c guest-agent/rootfs.c guest-agent/layer_store.c \
	guest-agent/layer_queue.c $(layer_SRCS)
test_rootfs_LIBS := io base
test_rootfs_PKGS := libarchive libevent_core json-c libmd
test_spec_rules_SRCS := test/unit/test_spec_rules.c \
	$(addprefix tenant-shim/,spec_rules.c spec_table.c mounts.c \
	namespaces.c volume_source.c share_mount.c share_rules.c mountinfo.c)
test_spec_table_SRCS := test/unit/test_spec_table.c \
	$(addprefix tenant-shim/,spec_rules.c spec_table.c mounts.c \
	namespaces.c volume_source.c share_mount.c share_rules.c mountinfo.c)
test_window_SRCS := test/unit/test_window.c tenant-shim/window.c
test_tenant_parts_SRCS := test/unit/test_tenant_parts.c \
	$(addprefix tenant-shim/,pod_config.c pod_manifest.c codec_pod_config.c provision.c program.c pids.c \
	codec_stats.c)
test_tenant_parts_LIBS := shim sealed oci ttrpc io base proto
test_tenant_parts_PKGS := libprotobuf-c json-c libevent_core libmd zlib
test_pod_manifest_SRCS := test/unit/test_pod_manifest.c tenant-shim/pod_manifest.c
test_pod_manifest_LIBS := sealed oci base
test_pod_manifest_PKGS := json-c libmd zlib
test_sealing_SRCS := test/unit/test_sealing.c tenant-shim/sealing.c
test_sealing_LIBS := base
test_sealing_PKGS := libmd
test_cli_toml_scan_SRCS   := test/unit/test_cli_toml_scan.c cli/toml_scan.c
test_owners_SRCS := test/unit/test_owners.c cli/split/owners.c cli/split/owners_table.c
test_owners_LIBS := base
test_owners_PKGS := json-c libmd
halves_SRCS := $(addprefix cli/split/,halves.c host_half.c pod_size.c quantity.c difference.c owners.c owners_table.c)
test_difference_SRCS := test/unit/test_difference.c cli/split/difference.c
test_difference_LIBS := base
test_difference_PKGS := json-c libmd
test_host_half_SRCS := test/unit/test_host_half.c $(halves_SRCS)
test_host_half_LIBS := base
test_host_half_PKGS := json-c libmd
test_halves_SRCS := test/unit/test_halves.c $(halves_SRCS)
test_halves_LIBS := base
test_halves_PKGS := json-c libmd
test_containerd_conf_SRCS := test/unit/test_containerd_conf.c cli/containerd_conf.c cli/toml_scan.c
test_cli_check_SRCS := test/unit/test_cli_check.c $(filter-out cli/main.c cli/version.c,$(cleave_SRCS))
test_cli_check_LIBS   := $(cleave_LIBS)
test_cli_check_PKGS   := $(cleave_PKGS)
test_cli_check_LDLIBS := $(MBEDTLS)
test_cli_check_reference_SRCS := test/unit/test_cli_check_reference.c \
	$(filter-out cli/main.c cli/version.c,$(cleave_SRCS))
test_cli_check_reference_LIBS   := $(cleave_LIBS)
test_cli_check_reference_PKGS   := $(cleave_PKGS)
test_cli_check_reference_LDLIBS := $(MBEDTLS)
test_guest_disk_LIBS := base
test_dial_out_LIBS := base
test_date_LIBS := base
secure_LIBS := secure evidence io base
secure_PKGS := json-c libevent_core libmd
define secure_test
$(1)_LIBS   := $$(secure_LIBS)
$(1)_PKGS   := $$(secure_PKGS)
$(1)_LDLIBS := $$(MBEDTLS)
endef
$(foreach t,test_initdata test_lease_record test_mint test_reference_store test_statement test_exporter_$(TLS) test_event_log test_tpm_key test_tpm_quote test_hcl_report test_azure_evidence test_judge_tpm,$(eval $(call secure_test,$(t))))
test_reference_store_LDLIBS += -Wl,--wrap=rename
test_confine_SRCS := test/unit/test_confine.c guest-agent/confine.c
test_confine_LIBS := base
test_reaper_SRCS := test/unit/test_reaper.c guest-agent/reaper.c
test_reaper_LIBS := io base
test_exec_block_SRCS := test/unit/test_exec_block.c $(addprefix guest-agent/,exec_block.c confine.c) \
	$(addprefix guest-agent/exec/,plan.c note.c)
test_exec_block_LIBS := io base
test_idempotency_SRCS := test/unit/test_idempotency.c guest-agent/idempotency.c
test_idempotency_LIBS := base
test_phase_SRCS := test/unit/test_phase.c guest-agent/phase.c
test_phase_LIBS := base
test_lease_LIBS := base
test_lease_SRCS := test/unit/test_lease.c guest-agent/lease.c
test_gate_SRCS := test/unit/test_gate.c guest-agent/gate.c guest-agent/phase.c
test_gate_LIBS := secure evidence io base proto
test_gate_LDLIBS := $(MBEDTLS)
test_sealed_SRCS := test/unit/test_sealed.c $(addprefix guest-agent/,sealed.c sealed_slots.c \
	sealed_volumes.c share_name.c)
test_sealed_LIBS := sealed oci base
test_sealed_slots_SRCS := test/unit/test_sealed_slots.c guest-agent/sealed_slots.c
test_sealed_slots_LIBS := sealed oci base
test_sealed_compose_SRCS := test/unit/test_sealed_compose.c $(addprefix guest-agent/,sealed_compose.c \
	sealed_volumes.c sealed_exec.c dropped.c share_name.c)
test_sealed_compose_LIBS := sealed oci base
test_events_SRCS := test/unit/test_events.c guest-agent/events.c
test_events_LIBS := base
test_container_state_SRCS := test/unit/test_container_state.c guest-agent/container_state.c
test_container_state_LIBS := base
test_cgroup_SRCS := test/unit/test_cgroup.c $(addprefix guest-agent/,cgroup.c cgroup_v1.c cgroup_v2.c)
test_cgroup_LIBS := base
test_flow_SRCS := test/unit/test_flow.c guest-agent/flow.c
test_flow_LIBS := base
test_mux_SRCS := test/unit/test_mux.c guest-agent/mux.c guest-agent/flow.c
test_mux_LIBS := base
test_tenant_tasks_SRCS := test/unit/test_tenant_tasks.c \
	$(addprefix tenant-shim/,task.c task_share.c tasks.c leftovers.c pids.c)
test_codec_task_SRCS := test/unit/test_codec_task.c tenant-shim/codec_task.c tenant-shim/codec_stats.c
test_link_SRCS := test/unit/test_link.c tenant-shim/link.c tenant-shim/codec_message.c
test_secret_message_SRCS := test/unit/test_secret_message.c tenant-shim/codec_message.c
test_secret_message_LIBS := grpc io base proto
test_secret_message_PKGS := json-c libevent_core libmd libprotobuf-c grpc_unsecure gpr
test_tree_SRCS := test/unit/test_tree.c $(addprefix tenant-shim/,tar.c tree_walk.c) $(layer_SRCS)
test_tree_LIBS := io base
test_tree_PKGS := libarchive libevent_core json-c libmd
test_tree_read_SRCS := test/unit/test_tree_read.c \
	$(addprefix tenant-shim/,tree.c tree_main.c tree_walk.c tar.c codec_rootfs.c)
test_tenant_rootfs_SRCS := test/unit/test_tenant_rootfs.c tenant-shim/rootfs.c
test_fate_SRCS := test/unit/test_fate.c tenant-shim/fate.c
test_renewal_SRCS := test/unit/test_renewal.c tenant-shim/codec_renewal.c common/secure/lease_record.c
test_renewal_LIBS := base proto
test_appraiser_SRCS := test/unit/test_appraiser.c tenant-shim/appraiser.c common/evidence/evidence.c \
	common/evidence/sample.c
test_appraiser_LIBS := base
test_appraiser_PKGS := libmd
test_appraiser_LDLIBS := $(MBEDTLS)
define evidence_test
$(1)_LIBS   := evidence base
$(1)_PKGS   := json-c libmd
$(1)_LDLIBS := $$(MBEDTLS)
endef
$(foreach t,test_chain test_snp test_sgx_pck test_reference_values test_reference_signature,$(eval $(call evidence_test,$(t))))
define tdx_test
$(1)_SRCS := test/unit/$(1).c test/unit/tdx_fixture.c
$(call evidence_test,$(1))
endef
$(foreach t,test_judge test_tdx test_tdx_quote test_tdx_collateral test_azure_tdx,$(eval $(call tdx_test,$(t))))
# A configfs by FUSE, a TPM by swtpm.
test_attest_lessen_SRCS := test/unit/test_attest_lessen.c guest-agent/attest/lessen.c
test_attest_lessen_LIBS := base
test_attest_tsm_SRCS := test/unit/test_attest_tsm.c test/unit/tdx_fixture.c test/fake/configfs_tsm.c \
	$(addprefix guest-agent/attest/,tsm.c td_device.c event_log_file.c)
test_attest_tsm_LIBS := evidence base
test_attest_tsm_PKGS := json-c libmd fuse3
test_attest_tsm_LDLIBS := $(MBEDTLS) -lpthread
test_attest_tpm_SRCS := test/unit/test_attest_tpm.c test/fake/swtpm.c \
	$(addprefix guest-agent/attest/,tpm.c tpm_attest.c)
test_attest_tpm_LIBS := evidence base
test_attest_tpm_PKGS := json-c libmd tss2-sys tss2-mu tss2-tcti-device tss2-tcti-swtpm
test_attest_tpm_LDLIBS := $(MBEDTLS) -Wl,--wrap=tpm_quote_all
test_attester_SRCS := test/unit/test_attester.c test/fake/swtpm.c test/fake/configfs_tsm.c \
	guest-agent/attester.c guest-agent/attester_queue.c
test_attester_LIBS := secure evidence io base
test_attester_PKGS := json-c libevent_core libmd fuse3
test_attester_LDLIBS := $(MBEDTLS) -lpthread
test_attester_CPPFLAGS := -DATTEST_PROGRAM='"$(abspath $(BUILD)/bin/cleave-attest)"'
$(BUILD)/test/test_attester: $(BUILD)/bin/cleave-attest
define launch_test
$(1)_LIBS   := measure evidence base
$(1)_PKGS   := json-c libmd
$(1)_LDLIBS := $$(MBEDTLS)
endef
$(foreach t,test_ovmf test_snp_launch test_td_launch,$(eval $(call launch_test,$(t))))
test_pcr_LIBS   := measure evidence base
test_pcr_PKGS   := liblzma json-c libmd
test_pcr_LDLIBS := $(MBEDTLS)
define share_test
$(1)_LIBS     := share base
$(1)_PKGS     := json-c libmd
$(1)_LDLIBS   := -lpthread
$(1)_CPPFLAGS := -Ishare -DSHARE_PROGRAM='"$(abspath $(BUILD)/bin/cleave-share)"'
$(BUILD)/test/$(1): $(BUILD)/bin/cleave-share
endef
$(foreach t,test_share_export test_share_message test_share_nodes test_share_server test_share_mount test_share_hostile \
	test_share_node test_share_exercise test_share_keeper test_share_trial,$(eval $(call share_test,$(t))))
$(BUILD)/obj/test/unit/test_share_message.o: CPPFLAGS += -DSHARE_CORPORA='"$(abspath test/fuzz/corpus)"'
test_share_mount_SRCS := $(addprefix test/unit/,test_share_mount.c share_fixture.c share_matrix.c share_edges.c \
	share_differences.c share_record.c)
$(BUILD)/obj/test/unit/test_share_mount.o: CPPFLAGS += -DSHARE_DOCUMENT='"$(abspath docs/volumes.md)"'
test_share_node_SRCS := $(addprefix test/unit/,test_share_node.c share_fixture.c share_record.c)
test_share_exercise_SRCS := $(addprefix test/unit/,test_share_exercise.c share_fixture.c)
test_share_keeper_SRCS := $(addprefix test/unit/,test_share_keeper.c share_fixture.c share_record.c)
test_share_hostile_SRCS := $(addprefix test/unit/,test_share_hostile.c share_fixture.c share_peer.c)
test_share_server_SRCS := $(addprefix test/unit/,test_share_server.c share_peer.c)
test_split_document_SRCS := test/unit/test_split_document.c \
	$(addprefix cli/split/,document.c scalar.c)
test_split_document_LIBS := base
test_split_document_PKGS := yaml-0.1 json-c libmd
test_image_process_LIBS := oci base
test_split_layout_SRCS := test/unit/test_split_layout.c $(addprefix cli/split/,account.c layer_file.c layout.c)
test_split_layout_LIBS := oci base
test_split_layout_PKGS := zlib json-c libmd
test_split_compose_SRCS := test/unit/test_split_compose.c $(addprefix cli/split/,compose.c \
	compose_execs.c compose_mounts.c compose_process.c compose_resources.c compose_security.c \
	account.c compose_user.c defaults.c document.c environment.c layer_file.c layout.c paths.c quantity.c scalar.c volumes.c)
test_split_compose_LIBS := sealed oci base
test_split_compose_PKGS := yaml-0.1 zlib json-c libmd
test_nesting_SRCS := test/unit/test_nesting.c $(addprefix guest-agent/,nesting.c beneath.c)
test_nesting_LIBS := base
test_manifest_LIBS := sealed base
test_manifest_PKGS := json-c libmd
test_package_LIBS := sealed base
test_package_PKGS := zlib json-c libmd
test_split_layer_SRCS := test/unit/test_split_layer.c cli/split/layer_file.c cli/split/account.c
test_split_layer_LIBS := oci base
test_split_layer_PKGS := zlib json-c libmd
