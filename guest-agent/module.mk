# SPDX-License-Identifier: Apache-2.0
# Linked statically but for the C library, which crun needs too: in the image the shared gRPC,
# abseil, libarchive (with ICU behind it) and libstdc++ would be several times the size of what is
# used of them.
cleave-agent_SRCS := $(wildcard guest-agent/*.c)
cleave-agent_LIBS := grpc secure evidence sealed oci io base proto
cleave-agent_LDLIBS = -Wl,-Bstatic -static-libgcc \
	$$(shell pkg-config --static --libs-only-l grpc_unsecure | sed 's/-Wl,--push-state.*--pop-state//') \
	-laddress_sorting -lupb -lcares -lre2 \
	-larchive -lz -lzstd -llzma -llz4 -lbz2 -lnettle -lacl $(MBEDTLS) \
	-lprotobuf-c -ljson-c -levent_core -lmd -lstdc++ -Wl,-Bdynamic -lm
$(eval $(call program,cleave-agent))
# For tests of rooms that use it.
volume_SRCS := $(addprefix guest-agent/,volumes.c volume_content.c beneath.c share_name.c)
