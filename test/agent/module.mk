# SPDX-License-Identifier: Apache-2.0
# The real agent as a stub guest, spoken to over the real channel. Needs root and the image's tree:
# a part of `make check`, not of `make check-unit`.
agent_TESTS := agent_life agent_sealed agent_sealed_hostile agent_exec agent_exec_end agent_attest agent_network
agent_SRCS  := $(addprefix test/agent/,bed.c blobs.c exec_bed.c lease_peer.c pipe.c) test/fake/swtpm.c
agent_LIBS  := grpc secure evidence io base proto
agent_PKGS  := libprotobuf-c json-c libevent_core libmd grpc_unsecure gpr check
agent_OBJS  := $(patsubst %.c,$(BUILD)/obj/%.o,$(agent_SRCS) $(agent_TESTS:%=test/agent/%.c))
agent_BINS  := $(agent_TESTS:%=$(BUILD)/test/%)

# What runs in the container: it has no libraries there.
$(BUILD)/test/exec_probe: $(BUILD)/obj/test/agent/exec_probe.o
$(BUILD)/test/exec_probe: override LDFLAGS := -static -no-pie
$(BUILD)/obj/test/agent/exec_probe.o: override CFLAGS := $(filter-out -fsanitize=%,$(CFLAGS))

$(agent_BINS): $(BUILD)/test/%: $(BUILD)/obj/test/agent/%.o $(agent_SRCS:%.c=$(BUILD)/obj/%.o) \
	$(agent_LIBS:%=$(BUILD)/lib/lib%.a) | $(BUILD)/test/exec_probe
$(agent_BINS): LDLIBS = $(shell pkg-config --libs $(agent_PKGS)) $(MBEDTLS)
$(agent_OBJS): CPPFLAGS += -Itest/agent -Itest/fake \
	-DATTEST_PROGRAM='"$(abspath $(BUILD)/bin/cleave-attest)"'

test-programs: $(agent_BINS) $(BUILD)/test/exec_probe
check: TESTS += $(agent_TESTS)
check-agent: $(agent_BINS) $(BUILD)/test/stub-guest image-tree
	@for test in $(agent_BINS); do $$test || exit 1; done
.PHONY: check-agent
