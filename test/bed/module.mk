# SPDX-License-Identifier: Apache-2.0
# What runs on the bed is built first, by a make of its own: a fresh machine has no compiler before
# `deps` has ended.
BED ?= bed
runnable: deps
	@$(MAKE) $(jobs) --no-print-directory all test-programs image
bed: runnable
	/usr/bin/python3 test/bed/bed.py -n $(BED) up --build $(BUILD)
bed-down:
	/usr/bin/python3 test/bed/bed.py -n $(BED) down
demo: runnable
	@/usr/bin/python3 test/bed/demo.py --build $(BUILD)
.PHONY: runnable bed bed-down demo
