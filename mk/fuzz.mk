# SPDX-License-Identifier: Apache-2.0
# make fuzz          every target under libFuzzer (clang), FUZZ_SECONDS each, starting from its corpus
# make check-corpus  the corpora alone, replayed under ASan and UBSan
FUZZ_SECONDS ?= 20
fuzz_PROGRAMS := $(fuzz_NAMES:fuzz_%=$(BUILD)/fuzz/test/libfuzzer_%)

fuzz:
	@$(MAKE) $(jobs) --no-print-directory CC=clang SAN=fuzzer-no-link,address,undefined \
		BUILD=$(BUILD)/fuzz $(fuzz_PROGRAMS)
	@mk/run-fuzz $(BUILD)/fuzz $(FUZZ_SECONDS) $(fuzz_NAMES:fuzz_%=%)
check-corpus:
	@$(MAKE) $(jobs) --no-print-directory SAN=address,undefined BUILD=$(replay_BUILD) replay-programs
	@mk/run-tests --build $(BUILD) --replay $(replay_BUILD)
.PHONY: fuzz check-corpus
