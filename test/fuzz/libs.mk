# SPDX-License-Identifier: Apache-2.0
fuzz_ttrpc_LIBS := ttrpc io base proto
fuzz_toml_LIBS   := base
fuzz_json_LIBS   := base
fuzz_base64_LIBS := base
fuzz_image_LIBS  := oci base
fuzz_guest_disk_LIBS := base
fuzz_pod_SRCS := host-shim/codec_pod.c host-shim/pod.c
fuzz_pod_LIBS := shim io base proto
fuzz_pod_CPPFLAGS := -Ihost-shim
fuzz_layer_SRCS  := guest-agent/layer_archive.c guest-agent/layer_tree.c guest-agent/layer_room.c
fuzz_layer_LIBS := io base
fuzz_layer_PKGS := libarchive libevent_core json-c libmd
fuzz_layer_CPPFLAGS := -Iguest-agent
