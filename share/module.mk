# SPDX-License-Identifier: Apache-2.0
share_SRCS         := $(filter-out share/main.c,$(wildcard share/*.c))
$(eval $(call archive,share))
cleave-share_SRCS   := share/main.c
cleave-share_LIBS   := share base
cleave-share_PKGS   := json-c libmd
cleave-share_LDLIBS := -pthread
$(eval $(call program,cleave-share))
