# SPDX-License-Identifier: Apache-2.0
# make check        everything: unit tests, those of TLS 1.3 (mk/tls13.mk), corpora under ASan and UBSan,
#                   formal models, pytest on the test bed
# make check-unit   without the bed; needs no root
# PYTEST=           what pytest gets, e.g. PYTEST="test/integration -k exec"
PYTEST ?= test/integration test/cri
# A make without -j uses all cores all the same.
jobs := $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc))
replay_BUILD := $(if $(SAN),$(BUILD),$(BUILD)/san)

check: runnable
	@$(MAKE) $(jobs) --no-print-directory unit tls13-tests
	@$(MAKE) $(jobs) --no-print-directory SAN=address,undefined BUILD=$(replay_BUILD) replay-programs
	@mk/run-tests --build $(BUILD) --replay $(replay_BUILD) --model --pytest "$(PYTEST)" $(TESTS) \
		$(tls13_TESTS:%=$(tls13_BUILD)/test/%)
check-unit: unit
	@$(MAKE) $(jobs) --no-print-directory SAN=address,undefined BUILD=$(replay_BUILD) replay-programs
	@mk/run-tests --build $(BUILD) --replay $(replay_BUILD) $(TESTS)
replay-programs:
.PHONY: check check-unit
