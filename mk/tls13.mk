# SPDX-License-Identifier: Apache-2.0
# make tls13         all programs and their tests with Debian 13's mbedTLS, over TLS 1.3, in $(BUILD)/tls13
# make check-tls13   all unit and adversary tests of that build, then its shims and agent on the bed (TLS13_PYTEST)
# `make check` runs those of its tests that link the library.
TLS13_PYTEST ?= test/integration/test_stub_guest.py test/integration/test_pod.py test/integration/test_transport.py
tls13_BUILD  := $(if $(MBEDTLS_ROOT),$(BUILD),$(BUILD)/tls13)
tls13_MAKE    = $(MAKE) $(jobs) --no-print-directory BUILD=$(tls13_BUILD) MBEDTLS_ROOT=build/cache/tls13
# What links the library.
tls13_TESTS  := $(sort $(basename $(notdir $(wildcard test/*/test_*_tls13.c))) \
	$(patsubst %_tls12,%_tls13,$(foreach t,$(TESTS),$(if $(findstring mbedtls,$($(t)_LDLIBS)),$(t)))))

tls13: deps
	@$(tls13_MAKE) all unit
tls13-tests:
	@$(tls13_MAKE) $(tls13_TESTS:%=$(tls13_BUILD)/test/%)
check-tls13: tls13
	@$(tls13_MAKE) test-programs image
	@$(tls13_MAKE) run-unit PYTEST="$(TLS13_PYTEST)"
run-unit:
	@mk/run-tests --build $(BUILD) --pytest "$(PYTEST)" $(TESTS) $(agent_TESTS)
.PHONY: tls13 tls13-tests check-tls13 run-unit
