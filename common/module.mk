# SPDX-License-Identifier: Apache-2.0
# One archive per stratum; the linker then enforces who may use what.
strata := base io ttrpc grpc oci shim secure evidence measure sealed
$(foreach s,$(strata),$(eval $(s)_SRCS := $(call of_this_tls,$(wildcard common/$(s)/*.c))))
$(foreach s,$(strata),$(eval $(call archive,$(s))))
