# SPDX-License-Identifier: Apache-2.0
"""What the runtime says about itself, and what the suite says about its own cases."""
import os
import re

import cri as cri_program
import tables
from suite import HANDLER


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


def test_every_row_of_the_tables_is_a_case():
    here = os.path.dirname(os.path.abspath(__file__))
    cases = set()
    for name in filter(re.compile(r"test_\w+\.py").fullmatch, os.listdir(here)):
        with open(f"{here}/{name}", encoding="utf-8") as module:
            cases |= {f"{name[:-3]}::{case}" for case in re.findall(r"^def (test_\w+)", module.read(), re.M)}
    for table in (tables.IMPOSSIBLE, tables.PENDING, tables.KNOWN):
        assert set(table) <= cases, set(table) - cases
