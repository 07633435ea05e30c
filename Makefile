# SPDX-License-Identifier: Apache-2.0
# One make, one graph. Each directory adds a module.mk that only states facts.
# Variables: SAN=address,undefined  CC=clang  PREFIX=  DESTDIR=  V=1
VERSION := 0.1.0

SAN    ?=
BUILD  ?= build$(if $(SAN),/san)
PREFIX ?= /usr/local
CFLAGS ?= -O2 -g

override CPPFLAGS += -D_GNU_SOURCE -DCLEAVE_VERSION='"$(VERSION)"' -DCLEAVE_PREFIX='"$(PREFIX)"' \
	-I$(BUILD)/gen -Icommon
override CFLAGS += -std=gnu17 -Wall -Wextra -Wstrict-prototypes -Wmissing-prototypes -Wvla \
	-Wshadow -Wwrite-strings -Wno-unused-parameter -fno-common -MMD -MP
# Where the tree lies is in nothing that is made of it, not even by way of debug information and build ids.
override CFLAGS += -ffile-prefix-map=$(abspath $(BUILD))/=build/ -ffile-prefix-map=$(BUILD)/=build/ \
	-ffile-prefix-map=$(CURDIR)=.
ifeq ($(SAN),)
override CFLAGS  += -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE -ffunction-sections -fdata-sections
override LDFLAGS += -pie -Wl,-z,relro,-z,now -Wl,--as-needed -Wl,--gc-sections
else
override CFLAGS  += -fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=undefined
override LDFLAGS += -fsanitize=$(SAN)
endif

all:
include mk/define.mk
include $(sort $(wildcard */module.mk */*/module.mk))
include mk/rules.mk $(filter-out mk/define.mk mk/rules.mk,$(wildcard mk/*.mk))
