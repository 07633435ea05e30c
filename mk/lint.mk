# SPDX-License-Identifier: Apache-2.0
# make lint        format, fence, sizes, shellcheck and clang-tidy
# make lint-quick  without clang-tidy: seconds
lint: $(GENERATED)
	@mk/lint $(BUILD) tidy
lint-quick:
	@mk/lint $(BUILD)
.PHONY: lint lint-quick
