# SPDX-License-Identifier: Apache-2.0
# test_<module>.c is one program. The defaults below suit most; a line `test_x_LIBS := ...` in
# libs.mk overrides them.
unit_NAMES := $(patsubst test/unit/%.c,%,$(call of_this_tls,$(wildcard test/unit/test_*.c)))
-include test/unit/libs.mk
define unit
$(1)_SRCS ?= test/unit/$(1).c
$(1)_LIBS ?= shim oci ttrpc io base proto
$(1)_PKGS ?= libprotobuf-c json-c libevent_core libmd
$$(eval $$(call test,$(1)))
endef
$(foreach t,$(unit_NAMES),$(eval $(call unit,$(t))))
