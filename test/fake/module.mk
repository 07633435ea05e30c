# SPDX-License-Identifier: Apache-2.0
# Stand-ins that tests use; `make test-programs` builds them all. NAME_SRCS, NAME_LIBS, NAME_PKGS.
fake_PROGRAMS := stub-guest

stub-guest_SRCS := test/fake/stub_guest.c test/fake/stub_root.c test/fake/stub_cgroup.c
stub-guest_LIBS := io base
stub-guest_PKGS := libevent_core json-c libmd

define fake
$(BUILD)/test/$(1): $($(1)_SRCS:%.c=$(BUILD)/obj/%.o) $($(1)_LIBS:%=$(BUILD)/lib/lib%.a)
$(BUILD)/test/$(1): LDLIBS = $$(shell pkg-config --libs $($(1)_PKGS)) $($(1)_LDLIBS)
test-programs: $(BUILD)/test/$(1)
endef
$(foreach p,$(fake_PROGRAMS),$(eval $(call fake,$(p))))
.PHONY: test-programs
