# SPDX-License-Identifier: Apache-2.0
# The real agent as a stub guest, spoken to over the real channel. Needs root and the image's tree:
# a part of `make check`, not of `make check-unit`.
agent_life_SRCS := test/agent/agent_life.c test/agent/bed.c test/agent/blobs.c test/agent/pipe.c
agent_life_LIBS := grpc secure evidence io base proto
agent_life_PKGS := libprotobuf-c json-c libevent_core libmd grpc_unsecure gpr check

$(BUILD)/test/agent_life: $(agent_life_SRCS:%.c=$(BUILD)/obj/%.o) $(agent_life_LIBS:%=$(BUILD)/lib/lib%.a)
$(BUILD)/test/agent_life: LDLIBS = $(shell pkg-config --libs $(agent_life_PKGS)) $(MBEDTLS)
$(agent_life_SRCS:%.c=$(BUILD)/obj/%.o): CPPFLAGS += -Itest/agent

test-programs: $(BUILD)/test/agent_life
check: TESTS += agent_life
check-agent: $(BUILD)/test/agent_life $(BUILD)/test/stub-guest image-tree
	$(BUILD)/test/agent_life
.PHONY: check-agent
