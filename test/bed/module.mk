# SPDX-License-Identifier: Apache-2.0
BED ?= bed
bed: deps all
	/usr/bin/python3 test/bed/bed.py -n $(BED) up --build $(BUILD)
bed-down:
	/usr/bin/python3 test/bed/bed.py -n $(BED) down
.PHONY: bed bed-down
