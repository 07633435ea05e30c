# SPDX-License-Identifier: Apache-2.0
# The three things a module.mk can declare.
#
#   $(eval $(call archive,NAME))   NAME_SRCS                    -> $(BUILD)/lib/libNAME.a
#   $(eval $(call program,NAME))   NAME_SRCS NAME_LIBS NAME_PKGS [NAME_LDLIBS NAME_BIN]
#   $(eval $(call test,NAME))      as program; `make check-unit` runs it
#
# NAME_LIBS are our archives, highest stratum first; NAME_PKGS are pkg-config names. Packages are
# looked up when the program is linked, so that `make deps` works on a machine that lacks them.
PROGRAMS :=
TESTS :=
GENERATED :=

define archive
$(BUILD)/lib/lib$(1).a: $(filter-out gen/%,$($(1)_SRCS:%.c=$(BUILD)/obj/%.o)) \
	$(patsubst gen/%.c,$(BUILD)/obj/gen/%.o,$(filter gen/%,$($(1)_SRCS)))
endef

define program
$(1)_OUT := $(BUILD)/bin/$(or $($(1)_BIN),$(1))
PROGRAMS += $(BUILD)/bin/$(or $($(1)_BIN),$(1))
$(BUILD)/bin/$(or $($(1)_BIN),$(1)): $($(1)_SRCS:%.c=$(BUILD)/obj/%.o) $($(1)_LIBS:%=$(BUILD)/lib/lib%.a)
$(BUILD)/bin/$(or $($(1)_BIN),$(1)): LDLIBS = $(if $($(1)_PKGS),$$(shell pkg-config --libs $($(1)_PKGS))) $($(1)_LDLIBS)
$($(1)_SRCS:%.c=$(BUILD)/obj/%.o): CPPFLAGS += $(foreach d,$(sort $(dir $($(1)_SRCS))),-I$(d:/=))
endef

# Tests are not part of `all`.
define test
$(1)_DIR := test
$(BUILD)/test/$(1): $($(1)_SRCS:%.c=$(BUILD)/obj/%.o) $($(1)_LIBS:%=$(BUILD)/lib/lib%.a)
$(BUILD)/test/$(1): LDLIBS = $$(shell pkg-config --libs check $($(1)_PKGS)) $($(1)_LDLIBS)
$($(1)_SRCS:%.c=$(BUILD)/obj/%.o): CPPFLAGS += $(foreach d,$(sort $(dir $($(1)_SRCS))),-I$(d:/=)) $($(1)_CPPFLAGS)
TESTS += $(1)
endef

MBEDTLS := -lmbedtls -lmbedx509 -lmbedcrypto
