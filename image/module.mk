# SPDX-License-Identifier: Apache-2.0
# make image            -> $(BUILD)/image/{vmlinuz,initrd.img,cmdline,measurements.json,tree/}
# make image-boot-time  boots it in QEMU without KVM and says how long that takes
# The packages are shared by all build directories; remove build/cache/image to take newer ones.
IMAGE_CACHE := build/cache/image
IMAGE_BUILD := /usr/bin/python3 image/build.py

image: $(BUILD)/image/initrd.img
# The tree alone is what a stub guest needs.
image-tree: $(BUILD)/image/tree.stamp

$(IMAGE_CACHE)/manifest: image/packages
	@mkdir -p build/cache
	$(quiet)$(RM) -r $(IMAGE_CACHE)
	$(quiet)$(IMAGE_BUILD) fetch $(IMAGE_CACHE)
	@touch $@
$(BUILD)/image/tree.stamp: $(IMAGE_CACHE)/manifest $(BUILD)/bin/cleave-agent \
	$(BUILD)/bin/cleave-exec $(BUILD)/bin/cleave-attest image/build.py \
	image/modules image/modules.guest-root
	@mkdir -p $(BUILD)/image
	$(quiet)$(IMAGE_BUILD) tree $(IMAGE_CACHE) $(BUILD)/bin/cleave-agent $(BUILD)/bin/cleave-exec \
		$(BUILD)/bin/cleave-attest $(BUILD)/image/tree
	@touch $@
$(BUILD)/image/initrd.img: $(BUILD)/image/tree.stamp image/cmdline image/cmdline.debug
	$(quiet)$(IMAGE_BUILD) pack $(IMAGE_CACHE) $(BUILD)/image/tree $(BUILD)/image
image-boot-time: image
	/usr/bin/python3 image/boot_time.py $(BUILD)/image
.PHONY: image image-tree image-boot-time
