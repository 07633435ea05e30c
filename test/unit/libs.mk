# SPDX-License-Identifier: Apache-2.0
test_pod_SRCS           := test/unit/test_pod.c host-shim/pod.c
test_refusal_SRCS       := test/unit/test_refusal.c host-shim/refusal.c
test_sandbox_state_SRCS := test/unit/test_sandbox_state.c host-shim/sandbox_state.c
test_domain_xml_SRCS    := test/unit/test_domain_xml.c host-shim/helper/domain_xml.c
