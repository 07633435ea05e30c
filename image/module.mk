# SPDX-License-Identifier: Apache-2.0
# make image            -> $(BUILD)/image/{vmlinuz,initrd.img,cmdline,measurements.json,reference-values.json,tree/}
#   IMAGE_FIRMWARE=                what the machines start, for the reference values
#   IMAGE_MEMORY=, IMAGE_VCPUS=    sizes of machine that they are for
#   IMAGE_ID=, IMAGE_SERIAL=       their head: docs/reference-values.md
# make image-boot-time  boots it in QEMU without KVM and says how long that takes
# The packages are shared by all build directories; remove build/cache/image to take newer ones.
IMAGE_CACHE := build/cache/image
IMAGE_BUILD := /usr/bin/python3 image/build.py

IMAGE_FIRMWARE ?= /usr/share/ovmf/OVMF.fd
IMAGE_MEMORY   ?= 256MiB 512MiB 1GiB 2GiB 4GiB
IMAGE_VCPUS    ?= 1 2 4
IMAGE_ID       ?= cleave-image
IMAGE_SERIAL   ?= 1
image_values = id="$(IMAGE_ID)" serial="$(IMAGE_SERIAL)" firmware="$(IMAGE_FIRMWARE)" memory="$(IMAGE_MEMORY)" vcpus="$(IMAGE_VCPUS)"

image: $(BUILD)/image/initrd.img $(BUILD)/image/values.stamp
# The tree alone is what a stub guest needs.
image-tree: $(BUILD)/image/tree.stamp

$(IMAGE_CACHE)/manifest: image/packages
	@mkdir -p build/cache
	$(quiet)$(RM) -r $(IMAGE_CACHE)
	$(quiet)$(IMAGE_BUILD) fetch $(IMAGE_CACHE)
	@touch $@
$(BUILD)/image/tree.stamp: $(IMAGE_CACHE)/manifest $(BUILD)/bin/cleave-agent \
	$(BUILD)/bin/cleave-exec $(BUILD)/bin/cleave-attest image/build.py \
	image/modules image/modules.guest-root image/modules.scratch
	@mkdir -p $(BUILD)/image
	$(quiet)$(IMAGE_BUILD) tree $(IMAGE_CACHE) $(BUILD)/bin/cleave-agent $(BUILD)/bin/cleave-exec \
		$(BUILD)/bin/cleave-attest $(BUILD)/image/tree
	@touch $@
$(BUILD)/image/initrd.img: $(BUILD)/image/tree.stamp image/cmdline image/cmdline.debug
	$(quiet)$(IMAGE_BUILD) pack $(IMAGE_CACHE) $(BUILD)/image/tree $(BUILD)/image
# Other settings, or a firmware that came or went, make other values.
$(BUILD)/image/values.stamp: $(BUILD)/image/initrd.img $(BUILD)/bin/cleave image/build.py $(wildcard $(IMAGE_FIRMWARE)) \
	$(BUILD)/image.settings
	$(quiet)$(IMAGE_BUILD) values $(IMAGE_CACHE) $(BUILD)/bin/cleave $(BUILD)/image $(image_values)
	@touch $@
$(shell mkdir -p $(BUILD); printf '%s\n' $(call quoted,$(image_values) $(wildcard $(IMAGE_FIRMWARE))) >$(BUILD)/image.settings.new; \
	cmp -s $(BUILD)/image.settings.new $(BUILD)/image.settings || cp $(BUILD)/image.settings.new $(BUILD)/image.settings)
$(BUILD)/image.settings: ;
image-boot-time: image
	/usr/bin/python3 image/boot_time.py $(BUILD)/image
.PHONY: image image-tree image-boot-time
