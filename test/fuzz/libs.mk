fuzz_ttrpc_LIBS := ttrpc io base proto
fuzz_toml_LIBS   := base
fuzz_json_LIBS   := base
fuzz_base64_LIBS := base
fuzz_image_LIBS  := oci base
