# SPDX-License-Identifier: Apache-2.0
# make check        everything: unit tests, corpora under ASan and UBSan, formal models, pytest on the test bed
# make check-unit   without the bed; needs no root
# PYTEST=           what pytest gets, e.g. PYTEST="test/integration -k exec"
PYTEST ?= test/integration test/cri
# A make without -j uses all cores all the same.
jobs := $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc))
replay_BUILD := $(if $(SAN),$(BUILD),$(BUILD)/san)

check: runnable
	@$(MAKE) $(jobs) --no-print-directory unit
	@$(MAKE) $(jobs) --no-print-directory SAN=address,undefined BUILD=$(replay_BUILD) replay-programs
	@mk/run-tests --build $(BUILD) --replay $(replay_BUILD) --model --pytest "$(PYTEST)" $(TESTS)
check-unit: unit
	@$(MAKE) $(jobs) --no-print-directory SAN=address,undefined BUILD=$(replay_BUILD) replay-programs
	@mk/run-tests --build $(BUILD) --replay $(replay_BUILD) $(TESTS)
replay-programs:
.PHONY: check check-unit
