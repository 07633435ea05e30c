# SPDX-License-Identifier: Apache-2.0
# The three things a module.mk can declare.
#
#   $(eval $(call archive,NAME))   NAME_SRCS                    -> $(BUILD)/lib/libNAME.a
#   $(eval $(call program,NAME))   NAME_SRCS NAME_LIBS NAME_PKGS [NAME_LDLIBS NAME_BIN]
#   $(eval $(call test,NAME))      as program; `make check-unit` runs it
#
# NAME_LIBS are our archives, highest stratum first; NAME_PKGS are pkg-config names. Packages are
# looked up when the program is linked, so that `make deps` works on a machine that lacks them.
quoted = '$(subst ','\'',$(1))'
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

# MBEDTLS_ROOT is another mbedTLS than the system's, unpacked: `make tls13`, mk/tls13.mk. Its archives
# are named by path, because its shared libraries would not be found when a program runs.
MBEDTLS_ROOT ?=
ifeq ($(MBEDTLS_ROOT),)
MBEDTLS := -lmbedtls -lmbedx509 -lmbedcrypto
else
override CPPFLAGS += -isystem $(MBEDTLS_ROOT)/usr/include
MBEDTLS := $(foreach l,tls x509 crypto,$(wildcard $(MBEDTLS_ROOT)/usr/lib/*/libmbed$(l).a))
endif
# One version of TLS per build: 1.3 with mbedTLS 3.6, 1.2 with 2.28. What differs is in *_tls12.c and *_tls13.c.
TLS := $(if $(filter 3,$(shell printf '\043include <mbedtls/version.h>\nMBEDTLS_VERSION_MAJOR\n' \
	| $(CC) $(CPPFLAGS) -E -P - 2>/dev/null | tail -n 1)),tls13,tls12)
# 3.x renames the fields of its structures; of some there is no other way to know.
ifeq ($(TLS),tls13)
override CPPFLAGS += -DMBEDTLS_ALLOW_PRIVATE_ACCESS
endif
of_this_tls = $(filter-out %_$(if $(filter tls12,$(TLS)),tls13,tls12).c,$(1))
