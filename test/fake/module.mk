# SPDX-License-Identifier: Apache-2.0
# Stand-ins that tests use; `make test-programs` builds them all. NAME_SRCS, NAME_LIBS, NAME_PKGS.
fake_PROGRAMS := stub-guest provision-stub helper-stub shim-echo guest-spec

stub-guest_SRCS := test/fake/stub_guest.c test/fake/stub_root.c test/fake/stub_cgroup.c
stub-guest_LIBS := io base
stub-guest_PKGS := libevent_core json-c libmd

provision-stub_SRCS   := test/fake/provision_stub.c provision/program.c provision/record.c provision/minting.c
provision-stub_LIBS   := shim secure io base proto
provision-stub_PKGS   := json-c libevent_core libmd
provision-stub_LDLIBS := $(MBEDTLS)
$(BUILD)/obj/test/fake/provision_stub.o: CPPFLAGS += -Iprovision

helper-stub_SRCS := test/fake/helper_stub.c host-shim/watch.c host-shim/record.c host-shim/machine.c \
	$(addprefix host-shim/helper/,request.c disks.c)
helper-stub_LIBS := shim io base proto
helper-stub_PKGS := json-c libevent_core libmd libprotobuf-c
$(BUILD)/obj/test/fake/helper_stub.o: CPPFLAGS += -Ihost-shim -Ihost-shim/helper

shim-echo_SRCS := test/fake/shim_echo.c
shim-echo_LIBS := shim ttrpc io base proto
shim-echo_PKGS := json-c libevent_core libmd libprotobuf-c

guest-spec_SRCS := test/fake/guest_spec.c $(addprefix tenant-shim/,spec_rules.c spec_table.c mounts.c \
	namespaces.c volume_source.c share_mount.c share_rules.c mountinfo.c)
guest-spec_LIBS := oci io base
guest-spec_PKGS := json-c libevent_core libmd
$(BUILD)/obj/test/fake/guest_spec.o: CPPFLAGS += -Itenant-shim

# Agents of other releases: source files in place of others are all that is different.
define other_agent
$(1)_SRCS := $$(filter-out $(3:%=guest-agent/%.c),$(wildcard guest-agent/*.c)) $(2:%=test/fake/%.c)
$(2:%=$(BUILD)/obj/test/fake/%.o): CPPFLAGS += -Iguest-agent
$(BUILD)/test/$(1): $$($(1)_SRCS:%.c=$(BUILD)/obj/%.o) $$(cleave-agent_LIBS:%=$(BUILD)/lib/lib%.a)
$(BUILD)/test/$(1): LDLIBS = $(cleave-agent_LDLIBS)
test-programs: $(BUILD)/test/$(1)
endef
$(eval $(call other_agent,agent-next,api_next,api_spoken))
$(eval $(call other_agent,agent-newer,api_newer,api_spoken))
$(eval $(call other_agent,agent-older,no_pod_network no_share no_sealing,pod_network share share_device share_opening service_seal))

define fake
$(BUILD)/test/$(1): $($(1)_SRCS:%.c=$(BUILD)/obj/%.o) $($(1)_LIBS:%=$(BUILD)/lib/lib%.a)
$(BUILD)/test/$(1): LDLIBS = $$(shell pkg-config --libs $($(1)_PKGS)) $($(1)_LDLIBS)
test-programs: $(BUILD)/test/$(1)
endef
$(foreach p,$(fake_PROGRAMS),$(eval $(call fake,$(p))))
.PHONY: test-programs
