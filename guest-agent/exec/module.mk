# SPDX-License-Identifier: Apache-2.0
# Static, and without sanitizers in any build: it loads nothing, least of all inside of a container.
cleave-exec_SRCS := $(wildcard guest-agent/exec/*.c)
$(eval $(call program,cleave-exec))
$(BUILD)/bin/cleave-exec: override LDFLAGS := -static -no-pie -Wl,--gc-sections -Wl,-z,relro,-z,noexecstack
$(cleave-exec_SRCS:%.c=$(BUILD)/obj/%.o): override CFLAGS := $(filter-out -fsanitize=%,$(CFLAGS)) \
	-fPIE -fstack-protector-strong -ffunction-sections -fdata-sections
