# SPDX-License-Identifier: Apache-2.0
# Generated code never enters the tree.
proto_NAMES := $(patsubst proto/%.proto,%,$(wildcard proto/*.proto))
proto_SRCS  := $(proto_NAMES:%=gen/%.pb-c.c)
GENERATED   += $(proto_NAMES:%=$(BUILD)/gen/%.pb-c.h)
$(eval $(call archive,proto))
