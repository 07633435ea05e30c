# SPDX-License-Identifier: Apache-2.0
ifeq ($(V),)
say = @printf '  %-5s %s\n' $(1) $(patsubst $(BUILD)/%,%,$@)
quiet = @
endif

# Other flags, or another PREFIX, make other objects. Written while make reads this, because .SECONDARY
# below lets files that are made by rules be missing.
$(shell mkdir -p $(BUILD); printf '%s\n' $(call quoted,$(CC) $(CPPFLAGS) $(CFLAGS)) >$(BUILD)/flags.new; \
	cmp -s $(BUILD)/flags.new $(BUILD)/flags || cp $(BUILD)/flags.new $(BUILD)/flags)
$(BUILD)/flags: ; # make may have listed the directory before

$(BUILD)/obj/%.o: %.c $(BUILD)/flags | $(GENERATED)
	$(call say,CC)
	@mkdir -p $(@D)
	$(quiet)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<
$(BUILD)/obj/gen/%.o: $(BUILD)/gen/%.c $(BUILD)/flags | $(GENERATED)
	@mkdir -p $(@D)
	$(quiet)$(CC) $(CPPFLAGS) $(CFLAGS) -w -c -o $@ $<
$(BUILD)/lib/%.a:
	@mkdir -p $(@D)
	@$(RM) $@
	$(quiet)$(AR) rcs $@ $(filter %.o,$^)
$(BUILD)/bin/% $(BUILD)/test/%:
	$(call say,LD)
	@mkdir -p $(@D)
	$(quiet)$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LDLIBS)
$(BUILD)/gen/%.pb-c.c $(BUILD)/gen/%.pb-c.h &: proto/%.proto
	@mkdir -p $(@D)
	$(quiet)protoc-c -Iproto --c_out=$(BUILD)/gen $<

all: $(PROGRAMS)
unit: $(TESTS:%=$(BUILD)/test/%)
clean:
	$(RM) -r $(BUILD)

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
.SECONDARY:
.DELETE_ON_ERROR:
.PHONY: all unit clean
