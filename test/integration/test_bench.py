# SPDX-License-Identifier: Apache-2.0
"""`make bench` in its short form: the harness works, and what is exact does not get worse. Times are never
judged here."""
import json
import os
import subprocess

import pytest

import bed as bed_program
from conftest import BUILD, is_sanitised

LISTED = {"P1", "P2", "P3", "P4", "P5", "P7", "P8", "P9", "P10", "P12", "P18", "P21", "P22", "P28", "P29", "P31", "P32", "P33", "P34", "P35", "P36"}


def test_the_bench_runs_and_its_exact_counts_hold():
    if is_sanitised():
        pytest.skip("what a sanitised build counts is the sanitiser's")
    done = subprocess.run(["/usr/bin/python3", bed_program.ROOT + "/test/bench/bench.py", "--build", BUILD, "--quick"],
                          capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    with open(BUILD + "/bench/results.json", encoding="utf-8") as file:
        rows = json.load(file)["rows"]
    assert {row["key"] for row in rows} == LISTED
    exact = {f"{row['key']} {row['what']}": row for row in rows if row.get("exact")}
    assert len(exact) >= 20
    missed = [f"{name}: {row['value']}, goal {row['goal']}" for name, row in exact.items() if not row["met"]]
    assert not missed, "\n".join(missed)
    wire = next(row["value"] for row in rows if row["what"] == "bytes on the wire per exec")
    assert 1000 < wire < 20000, f"an exec takes {wire} bytes on the wire"
    with open(BUILD + "/bench/bench.svg", encoding="utf-8") as file:
        assert file.read().rstrip().endswith("</svg>")
    assert os.path.getsize(BUILD + "/bench/bench.svg") > 2000
