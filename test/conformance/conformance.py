#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""critest against runc and cleave on one node of the test bed, both columns in one run.

Prints one table and writes it to BUILD/conformance/conformance.json. A spec that passes with runc
has to pass with cleave, or to be listed in docs/conformance.md with its reason; a listed one that
passes is a stale list. Either makes the run fail."""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, ROOT + "/test/bed")
import bed as bed_program   # noqa: E402
import node                 # noqa: E402

DOCUMENT = ROOT + "/docs/conformance.md"
ENDPOINT = "unix:///run/containerd/containerd.sock"
HANDLER = {"runc": "runc", "cleave": "cleave-tenant"}
LISTS = ("Cannot pass", "Skipped", "Pending")
LEFT_OUT = "not run"        # ends the reason of a pending spec that would only wait, a minute each
ROW = re.compile(r"^\| `([^`]+)` \| (.+?) \|$")
INSTALL = "install cri-tools (its releases carry critest and crictl), or name the program: CRITEST=/path CRICTL=/path"


class Fault(Exception):
    """A sentence for the user; the run could not take place."""


def find(program):
    found = shutil.which(program)
    if not found:
        raise Fault(f"there is no '{program}' here: {INSTALL}")
    return os.path.abspath(found)


def version_of(program):
    """The version it prints, of whichever sentence it is a part."""
    said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=60, check=False)
    found = re.search(r"version:? +(\S+)", said.stdout)
    if not found:
        raise Fault(f"'{program}' does not tell its version: {(said.stderr or said.stdout).strip()[:200]}")
    return found[1]


def listed():
    """{spec: (list, reason)} from the document's tables, which are the only such lists."""
    found, section = {}, None
    with open(DOCUMENT, encoding="utf-8") as text:
        for line in text:
            if line.startswith("## "):
                section = line[3:].strip()
            row = ROW.match(line)
            if row and section in LISTS:
                found[row[1]] = (section, row[2])
    if not found:
        raise Fault(f"{DOCUMENT} lists no spec under " + " or ".join(f"'## {name}'" for name in LISTS))
    return found


def left_out(lists):
    """critest's filter for the pending specs that only wait, a minute each. Its names have words that spec_name() drops."""
    waiting = [spec for spec, (section, reason) in lists.items() if section == "Pending" and reason.endswith(LEFT_OUT)]
    return "|".join(".*".join(map(re.escape, spec.split())) + r"( \[Conformance\])?$" for spec in waiting)


def spec_name(report):
    """As the document and the table write it: without what is the same in every name."""
    words = " ".join(report["ContainerHierarchyTexts"] + [report["LeafNodeText"]])
    return words.removeprefix("[k8s.io] ").replace(" [Conformance]", "")


def unwanted(report):
    """Left out by critest's filter (its benchmarks) or ours; a spec that skips itself says why."""
    return report["State"] == "skipped" and not report.get("Failure", {}).get("Message")


class Column:
    """What one runtime did: {spec: (state, seconds, message)}."""

    def __init__(self, runtime, seconds, reports):
        self.runtime, self.seconds, self.specs = runtime, seconds, {}
        for report in reports:
            if report["LeafNodeType"] == "It" and not unwanted(report):
                state = report["State"] if report["State"] in ("passed", "skipped") else "failed"
                message = report.get("Failure", {}).get("Message", "") if state == "failed" else ""
                self.specs[spec_name(report)] = (state, report["RunTime"] / 1e9, message)

    def state(self, spec):
        return self.specs[spec][0] if spec in self.specs else "absent"

    def count(self, state):
        return sum(1 for found, _, _ in self.specs.values() if found == state)

    def line(self):
        return (f"{self.runtime}: {self.count('passed')} passed, {self.count('failed')} failed, "
                f"{self.count('skipped')} skipped in {self.seconds:.0f} s")


def run_column(bed, runtime, tools, args, out):
    """critest inside the tenant node: it reads logs there, makes mounts and dials 127.0.0.1."""
    skip = "" if runtime == "runc" or args.pending else left_out(listed())
    report = f"/run/critest-{runtime}.json"
    argv = ["env", f"TMPDIR={node.VOLUMES}", tools["critest"], "--runtime-endpoint", ENDPOINT, "--image-endpoint", ENDPOINT,
            "--runtime-handler", HANDLER[runtime], "--ginkgo.json-report", report, "--ginkgo.no-color", "--ginkgo.v"]
    argv += ["--ginkgo.focus", args.focus] if args.focus else []
    argv += ["--ginkgo.skip", skip] if skip else []
    print(f"conformance: {runtime} ({HANDLER[runtime]})", flush=True)
    started = time.monotonic()
    with open(f"{out}/{runtime}.log", "w", encoding="utf-8") as log:
        subprocess.run(bed.argv("tenant", argv), stdout=log, stderr=subprocess.STDOUT, cwd="/", check=False)
    seconds = time.monotonic() - started
    try:
        with open(bed.path("tenant", report), encoding="utf-8") as text:
            suites = json.load(text)
    except (OSError, ValueError) as error:
        raise Fault(f"critest left no report for {runtime} ({error}), see {out}/{runtime}.log") from error
    return Column(runtime, seconds, [r for suite in suites for r in suite["SpecReports"] or ()])


def left_behind(bed, crictl, seconds=20):
    """Nodes' pods that do not go; removed, so that the next column starts with none. A host half ends
    a moment after its tenant half is gone."""
    base = [crictl, "--runtime-endpoint", ENDPOINT, "--timeout", "240s"]
    found, deadline = [], time.monotonic() + seconds
    for role in bed_program.ROLES:
        while (pods := bed.run(role, *base, "pods", "-q").stdout.split()) and time.monotonic() < deadline:
            time.sleep(0.5)
        if pods:
            bed.run(role, *base, "rmp", "-f", *pods, check=False)
            found.append(f"{len(pods)} on the {role} node")
    return found


def judge(columns, lists):
    """(problems, rows of the table). A spec counts only where runc passes it."""
    runc, cleave = columns["runc"], columns["cleave"]
    problems, rows = [], []
    for spec in sorted({*runc.specs, *cleave.specs}):
        states = (runc.state(spec), cleave.state(spec))
        entry = lists.get(spec)
        rows.append({"spec": spec, "runc": states[0], "cleave": states[1], "listed": entry[0] if entry else None,
                     "seconds": {c.runtime: round(c.specs[spec][1], 2) for c in (runc, cleave) if spec in c.specs},
                     "message": cleave.specs[spec][2] if spec in cleave.specs else ""})
        if states[1] == "passed" and entry:
            problems.append(f"stale: '{spec}' passes with cleave, but docs/conformance.md lists it under '{entry[0]}'")
        if states[0] == "passed" and states[1] not in ("passed", "skipped") and not entry:
            problems.append(f"'{spec}' passes with runc, not with cleave, and docs/conformance.md does not list it")
        if states == ("passed", "skipped") and not entry:
            problems.append(f"'{spec}' passes with runc, is skipped with cleave, and docs/conformance.md does not list it")
    return problems, rows


def show(rows):
    width = max(len(row["spec"]) for row in rows)
    print(f"{'spec':{width}}  runc     cleave")
    for row in rows:
        print(f"{row['spec']:{width}}  {row['runc']:8} {row['cleave'] if row['cleave'] != 'absent' else LEFT_OUT}" + (f" ({row['listed'].lower()})" if row["listed"] else ""))


def measure(bed, tools, args, out):
    columns, problems = {}, []
    for runtime in HANDLER:
        columns[runtime] = run_column(bed, runtime, tools, args, out)
        pods = left_behind(bed, tools["crictl"])
        if pods:
            problems.append(f"the {runtime} column left pods behind: " + ", ".join(pods))
        print(f"conformance: {columns[runtime].line()}", flush=True)
    return columns, problems


def run(args):
    lists = listed()
    tools = {name: find(getattr(args, name)) for name in ("critest", "crictl")}
    versions = {name: version_of(path) for name, path in tools.items()}
    print("conformance: " + ", ".join(f"{name} {versions[name]} ({path})" for name, path in tools.items()), flush=True)
    out = os.path.join(os.path.abspath(args.build), "conformance")
    os.makedirs(out, exist_ok=True)
    bed = bed_program.Bed(args.bed)
    try:
        bed.up(args.build, args.guest, conformance=True, guest_root=True)     # some specs make privileged containers
        versions["containerd"] = bed.run("tenant", "containerd", "--version").stdout.split()[2]
        columns, problems = measure(bed, tools, args, out)
    finally:
        bed.down()
    faults, rows = judge(columns, lists)
    problems += faults
    with open(out + "/conformance.json", "w", encoding="utf-8") as text:
        json.dump({"versions": versions, "guest": args.guest, "focus": args.focus, "problems": problems, "specs": rows,
                   "columns": {c.runtime: {"handler": HANDLER[c.runtime], "seconds": round(c.seconds, 1),
                                           **{s: c.count(s) for s in ("passed", "failed", "skipped")}}
                               for c in columns.values()}}, text, indent=1)
    show(rows)
    for line in problems:
        print("conformance: " + line)
    for column in columns.values():
        print(column.line())
    print(f"conformance: {len(problems)} problems; {out}/conformance.json has the table, {out}/{{runc,cleave}}.log what critest said")
    return 1 if problems or not columns["runc"].count("passed") else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=ROOT + "/build")
    parser.add_argument("--bed", default="conformance", help="the bed's name; one of this name is replaced")
    parser.add_argument("--guest", choices=("pair", "vm"), default="pair", help="stub guests or real VMs (default: %(default)s)")
    parser.add_argument("--critest", default="critest")
    parser.add_argument("--crictl", default="crictl")
    parser.add_argument("--pending", action="store_true", help=f"with cleave, too, the specs that are listed as '{LEFT_OUT}'")
    parser.add_argument("--focus", default="", help="only the specs that match this regular expression")
    return run(parser.parse_args())


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Fault, RuntimeError, OSError, subprocess.SubprocessError) as error:
        sys.exit(f"conformance: {error}")
