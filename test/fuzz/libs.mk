fuzz_ttrpc_LIBS := ttrpc io base proto
