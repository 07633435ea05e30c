# SPDX-License-Identifier: Apache-2.0
# The host, or whoever sits between, is the attacker. One program per place where it attacks.
adversary_NAMES := $(patsubst test/adversary/%.c,%,$(call of_this_tls,$(wildcard test/adversary/test_*.c)))
define adversary
$(1)_SRCS   := test/adversary/$(1).c $(addprefix test/adversary/,pair.c raw.c other.c)
$(1)_LIBS   := secure evidence io base
$(1)_PKGS   := json-c libevent_core libmd libssl libcrypto
$(1)_LDLIBS := $(MBEDTLS) -lpthread
$$(eval $$(call test,$(1)))
endef
$(foreach t,$(filter-out test_grpc_gate test_share_link,$(adversary_NAMES)),$(eval $(call adversary,$(t))))

test_grpc_gate_SRCS   := test/adversary/test_grpc_gate.c test/adversary/pair.c test/adversary/raw.c
test_grpc_gate_LIBS   := secure evidence grpc io base proto
test_grpc_gate_PKGS   := json-c libevent_core libmd libprotobuf-c grpc_unsecure gpr
test_grpc_gate_LDLIBS := $(MBEDTLS) -lpthread
$(eval $(call test,test_grpc_gate))

# The agent's end and the real server.
test_share_link_SRCS   := test/adversary/test_share_link.c test/adversary/pair.c test/unit/share_fixture.c \
	$(addprefix guest-agent/,share.c share_device.c share_name.c share_opening.c)
test_share_link_LIBS   := secure evidence io base
test_share_link_PKGS   := json-c libevent_core libmd
test_share_link_LDLIBS := $(MBEDTLS) -lpthread
$(BUILD)/test/test_share_link: $(BUILD)/bin/cleave-share
$(eval $(call test,test_share_link))
$(BUILD)/obj/test/adversary/test_share_link.o: CPPFLAGS += -Iguest-agent

# suite.h
$(adversary_NAMES:%=$(BUILD)/obj/test/adversary/%.o): CPPFLAGS += -Itest/unit
