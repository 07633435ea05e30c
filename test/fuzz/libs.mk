# SPDX-License-Identifier: Apache-2.0
fuzz_ttrpc_LIBS := ttrpc io base proto
fuzz_initdata_LIBS := secure evidence io base
fuzz_hello_LIBS := secure evidence io base
fuzz_toml_LIBS   := base
fuzz_json_LIBS   := base
fuzz_base64_LIBS := base
fuzz_image_LIBS  := oci base
fuzz_layer_SRCS  := guest-agent/layer_archive.c guest-agent/layer_tree.c guest-agent/layer_room.c
fuzz_layer_LIBS := io base
fuzz_layer_PKGS := libarchive libevent_core json-c libmd
fuzz_layer_CPPFLAGS := -Iguest-agent
fuzz_confine_SRCS := guest-agent/confine.c guest-agent/mounts.c
fuzz_confine_LIBS := io base
fuzz_confine_CPPFLAGS := -Iguest-agent
