# SPDX-License-Identifier: Apache-2.0
provision_COMMON := provision/program.c provision/record.c provision/minting.c

cleave-provision-cri_SRCS   := provision/cri.c provision/codec_cri.c $(provision_COMMON)
cleave-provision-cri_LIBS   := shim secure grpc io base proto
cleave-provision-cri_PKGS   := grpc_unsecure gpr libprotobuf-c json-c libevent_core libmd
cleave-provision-cri_LDLIBS := $(MBEDTLS)
$(eval $(call program,cleave-provision-cri))

cleave-provision-static_SRCS   := provision/static.c $(provision_COMMON)
cleave-provision-static_LIBS   := shim secure io base proto
cleave-provision-static_PKGS   := json-c libevent_core libmd
cleave-provision-static_LDLIBS := $(MBEDTLS)
$(eval $(call program,cleave-provision-static))
