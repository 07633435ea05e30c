# SPDX-License-Identifier: Apache-2.0
"""What the runtime says about itself."""
from suite import HANDLER

import cri as cri_program


def test_the_version_names_the_runtime_and_its_api(node):
    version = node.version()
    assert version.version and version.runtime_version
    assert version.runtime_name == "containerd"
    assert version.runtime_api_version == "v1"


def test_both_conditions_are_true(node):
    conditions = {c.type: c for c in node.status().status.conditions}
    for name in ("RuntimeReady", "NetworkReady"):
        assert conditions[name].status, conditions[name].message


def test_the_columns_handler_is_listed(node):
    assert HANDLER[node.name] in [handler.name for handler in node.status().runtime_handlers]


def test_a_pod_says_which_handler_it_has(node, pod):
    assert node.pod_status(pod).status.runtime_handler == HANDLER[node.name]
    listed, = node.pods(id=pod)
    assert listed.runtime_handler == HANDLER[node.name]
    assert listed.state == cri_program.READY
