# SPDX-License-Identifier: Apache-2.0
# fuzz_<parser>.c holds LLVMFuzzerTestOneInput and nothing else. `make check` replays the corpus of
# each under ASan and UBSan; `make fuzz-<parser>` (clang, libFuzzer) looks for new inputs.
# Lines `fuzz_x_LIBS := ...`, `_SRCS`, `_PKGS` in libs.mk override the defaults.
fuzz_NAMES := $(patsubst test/fuzz/%.c,%,$(wildcard test/fuzz/fuzz_*.c))
fuzz_SECONDS ?= 60
-include test/fuzz/libs.mk
define fuzz
$(1)_LIBS ?= shim oci ttrpc evidence secure io base proto
$(1)_PKGS ?= libprotobuf-c json-c libevent_core libmd
$(BUILD)/test/$(1): test/fuzz/replay.c
$(BUILD)/test/$(1): $(BUILD)/obj/test/fuzz/replay.o $(BUILD)/obj/test/fuzz/$(1).o \
	$($(1)_SRCS:%.c=$(BUILD)/obj/%.o) $$($(1)_LIBS:%=$(BUILD)/lib/lib%.a)
$(BUILD)/test/$(1): LDLIBS = $$(shell pkg-config --libs $$($(1)_PKGS)) $(MBEDTLS)
$(BUILD)/obj/test/fuzz/$(1).o: CPPFLAGS += $$($(1)_CPPFLAGS)
replay-programs: $(BUILD)/test/$(1)
$(1:fuzz_%=fuzz-%): $(1:fuzz_%=libfuzzer-%)
libfuzzer-$(1:fuzz_%=%):
	$(MAKE) CC=clang SAN=fuzzer-no-link,address,undefined BUILD=$(BUILD)/fuzz $(BUILD)/fuzz/test/libfuzzer_$(1:fuzz_%=%)
	mkdir -p $(BUILD)/fuzz/corpus/$(1:fuzz_%=%)
	$(BUILD)/fuzz/test/libfuzzer_$(1:fuzz_%=%) -max_total_time=$(fuzz_SECONDS) \
		$(BUILD)/fuzz/corpus/$(1:fuzz_%=%) test/fuzz/corpus/$(1:fuzz_%=%)
$(BUILD)/test/libfuzzer_$(1:fuzz_%=%): $(BUILD)/obj/test/fuzz/$(1).o \
	$($(1)_SRCS:%.c=$(BUILD)/obj/%.o) $$($(1)_LIBS:%=$(BUILD)/lib/lib%.a)
$(BUILD)/test/libfuzzer_$(1:fuzz_%=%): LDLIBS = -fsanitize=fuzzer $$(shell pkg-config --libs $$($(1)_PKGS)) $(MBEDTLS)
endef
$(foreach f,$(fuzz_NAMES),$(eval $(call fuzz,$(f))))
.PHONY: replay-programs
