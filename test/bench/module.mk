# SPDX-License-Identifier: Apache-2.0
# make bench          every measure against containerd's own runc shim in the same run: about six minutes
# make bench QUICK=1  the same with small counts: proves the harness, says little
QUICK ?=
bench_PROGRAMS := bench-driver bench-steps bench-gcm bench-net bench-files bench-agent bench-handshake bench-parse bench-share-local

bench-driver_SRCS := test/bench/driver.c test/bench/target.c test/bench/samples.c
bench-driver_LIBS := ttrpc io base proto
bench-driver_PKGS := libprotobuf-c json-c libevent_core libmd

bench-steps_SRCS := test/bench/steps.c test/bench/samples.c
bench-steps_LIBS := base
bench-steps_PKGS := json-c libmd

bench-gcm_SRCS   := test/bench/gcm.c
bench-gcm_LIBS   := base
bench-gcm_PKGS   := json-c libmd
bench-gcm_LDLIBS := $(MBEDTLS)

bench-net_SRCS := test/bench/net.c test/bench/samples.c
bench-net_LIBS := base
bench-net_PKGS := json-c libmd

bench-files_SRCS := test/bench/files.c test/bench/samples.c
bench-files_LIBS := base
bench-files_PKGS := json-c libmd

bench-agent_SRCS := test/bench/agent.c test/bench/frames_end.c test/bench/samples.c test/agent/bed.c test/agent/blobs.c test/agent/pipe.c
bench-agent_LIBS := grpc secure evidence io base proto
bench-agent_PKGS := libprotobuf-c json-c libevent_core libmd grpc_unsecure gpr
bench-agent_LDLIBS := $(MBEDTLS)
bench-agent_CPPFLAGS := -Itest/agent

bench-handshake_SRCS := test/bench/handshake.c test/bench/relay.c test/bench/specimen.c test/bench/samples.c
bench-handshake_LIBS := secure evidence io base
bench-handshake_PKGS := json-c libevent_core libmd
bench-handshake_LDLIBS := $(MBEDTLS) -lpthread

bench-parse_SRCS := test/bench/parse.c test/bench/specimen.c test/bench/samples.c
bench-parse_LIBS := evidence base
bench-parse_PKGS := json-c libmd
bench-parse_LDLIBS := $(MBEDTLS)

bench-share-local_SRCS := test/bench/share_local.c test/bench/samples.c test/unit/share_fixture.c
bench-share-local_LIBS := base
bench-share-local_PKGS := json-c libmd check
bench-share-local_CPPFLAGS := -Itest/unit
$(BUILD)/test/bench-share-local: $(BUILD)/bin/cleave-share

define bench
$(BUILD)/test/$(1): $($(1)_SRCS:%.c=$(BUILD)/obj/%.o) $($(1)_LIBS:%=$(BUILD)/lib/lib%.a)
$(BUILD)/test/$(1): LDLIBS = $$(shell pkg-config --libs $($(1)_PKGS)) $($(1)_LDLIBS)
$($(1)_SRCS:%.c=$(BUILD)/obj/%.o): CPPFLAGS += -Itest/bench $($(1)_CPPFLAGS)
test-programs: $(BUILD)/test/$(1)
endef
$(foreach p,$(bench_PROGRAMS),$(eval $(call bench,$(p))))

bench: runnable
	@/usr/bin/python3 test/bench/bench.py --build $(BUILD) $(if $(QUICK),--quick)
.PHONY: bench
