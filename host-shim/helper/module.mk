# SPDX-License-Identifier: Apache-2.0
# The only program that links libvirt. From the shim it takes what both must agree on.
host-helper_SRCS  := $(wildcard host-shim/helper/*.c) host-shim/watch.c host-shim/record.c \
	host-shim/machine.c
host-helper_BIN   := cleave-host-helper
host-helper_LIBS  := shim io base proto
host-helper_PKGS  := libvirt json-c libevent_core libmd libprotobuf-c
$(eval $(call program,host-helper))
