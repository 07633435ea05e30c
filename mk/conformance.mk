# SPDX-License-Identifier: Apache-2.0
# make conformance   critest against runc and cleave, docs/conformance.md
# CRITEST=, CRICTL=  the programs of cri-tools, else from PATH
# VM=1               real VMs instead of stub guests
# PENDING=1          also the specs that only wait, a minute each
# FOCUS=             only the specs that match a regular expression
CRITEST ?= critest
CRICTL  ?= crictl

# Whether the programs are there is asked first: what is run on them takes minutes to build.
conformance:
	@for program in "$(CRITEST)" "$(CRICTL)"; do command -v "$$program" >/dev/null || { \
		echo "conformance: there is no '$$program' here: install cri-tools (its releases carry critest and crictl)," \
			"or name the program: CRITEST=/path CRICTL=/path" >&2; exit 1; }; done
	@$(MAKE) --no-print-directory runnable
	@/usr/bin/python3 test/conformance/conformance.py --build $(BUILD) --guest $(if $(VM),vm,pair) $(if $(PENDING),--pending) \
		--critest "$(CRITEST)" --crictl "$(CRICTL)" $(if $(FOCUS),--focus $(call quoted,$(FOCUS)))
.PHONY: conformance
