# SPDX-License-Identifier: Apache-2.0
# Packages of Debian 12, and the containerd that the test bed runs (unpacked under build/cache).
deps:
	mk/deps
.PHONY: deps
