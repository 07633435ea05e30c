# SPDX-License-Identifier: Apache-2.0
cleave_SRCS   := cli/main.c cli/status.c cli/version.c cli/checks.c cli/check_containerd.c cli/check_host.c \
	cli/check_machine.c cli/check_tenant.c cli/check_uplink.c cli/containerd_conf.c cli/node.c cli/toml_scan.c \
	cli/evidence.c cli/verify_time.c cli/verify_snp.c cli/verify_tdx.c cli/verify_finding.c cli/verify_log.c \
	cli/verify_ccel.c \
	cli/verify_tpm.c cli/verify_claim.c cli/verify_policy.c cli/policy.c cli/verify_quote.c cli/verify_azure.c \
	cli/measure.c cli/measure_tpm.c cli/measure_snp.c cli/measure_tdx.c \
	cli/check_reference.c cli/reference_file.c \
	$(addprefix cli/split/,account.c document.c scalar.c layer_file.c layout.c compose.c compose_execs.c compose_mounts.c compose_process.c \
	compose_resources.c compose_security.c compose_user.c defaults.c describe.c environment.c paths.c quantity.c split.c \
	volumes.c) \
	$(addprefix cli/split/,diff.c difference.c explain.c halves.c host_half.c join.c owners.c owners_table.c pod_size.c \
	sealed_file.c seccomp_profile.c verify.c)
cleave_LIBS   := shim sealed measure evidence oci io base
cleave_PKGS   := json-c libevent_core libmd liblzma yaml-0.1 zlib
cleave_LDLIBS := $(MBEDTLS)
$(eval $(call program,cleave))
