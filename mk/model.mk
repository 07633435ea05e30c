# SPDX-License-Identifier: Apache-2.0
# make model   the formal models, docs/model.md: SPIN, Verifpal (built once where there is cargo:
#              minutes), and ProVerif where it is on PATH
# make check runs the same with the tools that are there and builds none.
verifpal_VERSION := 1.6.7
verifpal_ROOT    := build/cache/verifpal

# Verifpal's manifest asks for a newer rustc than it needs.
model:
	@[ -x $(verifpal_ROOT)/bin/verifpal ] || ! command -v cargo >/dev/null || \
		cargo install verifpal --version $(verifpal_VERSION) --ignore-rust-version --locked \
			--root $(verifpal_ROOT)
	@test/model/run --build $(BUILD)
.PHONY: model
