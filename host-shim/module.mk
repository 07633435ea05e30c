# SPDX-License-Identifier: Apache-2.0
# No `secure`, no `evidence`: the untrusted side has no key by construction.
host-shim_SRCS := $(wildcard host-shim/*.c)
host-shim_BIN  := containerd-shim-cleave-host-v2
host-shim_LIBS := shim ttrpc io base proto
host-shim_PKGS := libprotobuf-c json-c libevent_core libmd
$(eval $(call program,host-shim))
