# SPDX-License-Identifier: Apache-2.0
"""What `make conformance` makes of two reports of critest; the run itself is no part of `make check`."""
import os
import re
import subprocess
import sys

import pytest

import bed as bed_program

PROGRAM = bed_program.ROOT + "/test/conformance/conformance.py"
sys.path.insert(0, os.path.dirname(PROGRAM))
import conformance      # noqa: E402

SPEC = "Streaming runtime should support attach"


def column(runtime, state, message=""):
    failure = {"Failure": {"Message": message}} if message else {}
    return conformance.Column(runtime, 1.0, [{
        "ContainerHierarchyTexts": ["[k8s.io] Streaming"], "LeafNodeText": "runtime should support attach [Conformance]",
        "LeafNodeType": "It", "State": state, "RunTime": 1e9, **failure}])


@pytest.mark.parametrize("runc, cleave, listed, said", [
    ("passed", "passed", False, None), ("passed", "failed", True, None), ("failed", "failed", False, None),
    ("passed", "failed", False, "does not list"), ("passed", "timedout", False, "does not list"),
    ("passed", "skipped", False, "does not list"), ("passed", "passed", True, "stale")])
def test_a_spec_that_runc_passes_passes_or_is_listed(runc, cleave, listed, said):
    columns = {"runc": column("runc", runc), "cleave": column("cleave", cleave, "the reason")}
    problems, rows = conformance.judge(columns, {SPEC: ("Pending", "volumes")} if listed else {})
    assert [row["spec"] for row in rows] == [SPEC]
    assert len(problems) == (1 if said else 0) and (not said or said in problems[0])


def test_a_spec_that_cleave_did_not_run_is_a_problem():
    columns = {"runc": column("runc", "passed"), "cleave": conformance.Column("cleave", 1.0, [])}
    assert len(conformance.judge(columns, {})[0]) == 1


def test_what_the_filter_left_out_is_no_spec():
    assert not column("runc", "skipped").specs
    assert column("runc", "skipped", "AppArmor is disabled on this host").state(SPEC) == "skipped"


def test_what_only_waits_is_left_out_of_cleaves_column_by_name():
    lists = {"A b (c)": ("Pending", "d; not run"), "E": ("Pending", "d"), "F": ("Cannot pass", "not run")}
    pattern = conformance.left_out(lists)
    assert re.search(pattern, "[k8s.io] A [Conformance] b (c) [Conformance]")
    assert not re.search(pattern, "[k8s.io] E") and not re.search(pattern, "[k8s.io] F")
    assert conformance.left_out({"E": ("Pending", "d")}) == ""


def test_the_document_lists_the_four_that_cannot_pass():
    never = [spec for spec, (section, _) in conformance.listed().items() if section == "Cannot pass"]
    assert len(never) == 4
    for part in ("HostIpc is true", "HostNetwork is true", "portforward in host network", "'rshared'"):
        assert any(part in spec for spec in never), part


def test_without_critest_one_sentence_says_what_to_do(tmp_path):
    done = subprocess.run([PROGRAM, "--critest", str(tmp_path / "critest")], capture_output=True, text=True, check=False)
    assert done.returncode != 0 and "install cri-tools" in done.stderr and done.stderr.count("\n") == 1
