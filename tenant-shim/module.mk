# SPDX-License-Identifier: Apache-2.0
tenant-shim_SRCS   := $(wildcard tenant-shim/*.c)
tenant-shim_BIN    := containerd-shim-cleave-tenant-v2
tenant-shim_LIBS   := shim sealed oci secure evidence grpc ttrpc io base proto
tenant-shim_PKGS   := libprotobuf-c json-c libevent_core libmd grpc_unsecure gpr zlib
tenant-shim_LDLIBS := $(MBEDTLS)
$(eval $(call program,tenant-shim))
