# SPDX-License-Identifier: Apache-2.0
# Dynamic where libtss2 is concerned: Debian has no static one. Without its ESYS, which would bring
# all of OpenSSL into the image.
cleave-attest_SRCS := $(wildcard guest-agent/attest/*.c)
cleave-attest_LIBS := evidence io base
cleave-attest_LDLIBS = -Wl,-Bstatic -static-libgcc $(MBEDTLS) -ljson-c -levent_core -lmd -Wl,-Bdynamic \
	$$(shell pkg-config --libs tss2-sys tss2-mu tss2-tcti-device tss2-tcti-swtpm)
$(eval $(call program,cleave-attest))
