# SPDX-License-Identifier: Apache-2.0
# make model   the formal models, docs/model.md: SPIN, Verifpal (built once: minutes), and ProVerif
#              where it is on PATH
# make check runs the same with the tools that are there and builds none.
verifpal_VERSION := 1.6.7
verifpal_ROOT    := $(CURDIR)/build/cache/verifpal
verifpal         := $(verifpal_ROOT)/bin/verifpal

# Its manifest asks for a newer rustc than it needs.
$(verifpal):
	cargo install verifpal --version $(verifpal_VERSION) --ignore-rust-version --locked --root $(verifpal_ROOT)
model: $(verifpal)
	@test/model/run --build $(BUILD)
.PHONY: model
