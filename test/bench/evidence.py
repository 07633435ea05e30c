# SPDX-License-Identifier: Apache-2.0
"""What hardware evidence costs: a handshake with each kind, and parsers and policies without signatures."""
import contextlib
import json
import os
import shutil
import subprocess
import tempfile

import steps
from report import Row

HERE = os.path.dirname(os.path.abspath(__file__))
MADE = HERE + "/specimen"
# Of published evidence: file of a specimen -> file below VECTORS. Intel's collateral comes in one JSON.
SNP = {"report.bin": "snp/derived-e2e-v3-report.bin", "vcek.der": "snp/derived-e2e-v3-vcek.der",
       "ask.pem": "certs-amd/trustee-genoa_ask_ark_asvk.pem"}
TDX = "tdx/phala-tdx_quote.bin", "tdx/phala-tdx_quote_collateral.json"
TIMES = {"snp": 1748736000, "tdx": 1750377600}      # when those certificates and lists were valid


def _collateral(vectors):
    with open(f"{vectors}/{TDX[1]}", encoding="utf-8") as file:
        parts = json.load(file)
    return {"tcb_info.json": f'{{"tcbInfo":{parts["tcb_info"]},"signature":"{parts["tcb_info_signature"]}"}}'.encode(),
            "qe_identity.json": f'{{"enclaveIdentity":{parts["qe_identity"]},"signature":"{parts["qe_identity_signature"]}"}}'.encode(),
            "tcb_signing.pem": parts["tcb_info_issuer_chain"].encode(), "pck_crl.der": bytes.fromhex(parts["pck_crl"]),
            "root_crl.der": bytes.fromhex(parts["root_ca_crl"])}


@contextlib.contextmanager
def specimen():
    """(directory, what it is): real evidence where VECTORS has it, else what is self-made, signed under a test root."""
    vectors = os.environ.get("VECTORS", "")
    if not vectors:
        yield MADE, "self-made"
        return
    with tempfile.TemporaryDirectory() as directory:
        for kind, time in TIMES.items():
            os.mkdir(f"{directory}/{kind}")
            with open(f"{directory}/{kind}/time", "w", encoding="utf-8") as file:
                file.write(f"{time}\n")
        for name, source in SNP.items():
            shutil.copy(f"{vectors}/{source}", f"{directory}/snp/{name}")
        shutil.copy(f"{vectors}/{TDX[0]}", f"{directory}/tdx/quote.bin")
        for name, content in _collateral(vectors).items():
            with open(f"{directory}/tdx/{name}", "wb") as file:
                file.write(content)
        yield directory, "of real hardware"


def handshakes(build, blocks, count):
    """P12: rows of one program that alternates between them. CPU time of both ends together."""
    with specimen() as (directory, what):
        done = subprocess.run([build + "/test/bench-handshake", directory, str(blocks), str(count)], check=True,
                              capture_output=True, text=True, timeout=600)
    result = json.loads(done.stdout)
    found = {kind: [block[kind] for block in result["blocks"]] for kind in result["blocks"][0]}

    def less(kind):
        """Without the signature of the sample, which no hardware's evidence comes with."""
        return [whole - sample for whole, sample in zip(found[kind], found["evidence"])]

    def row(text, ours, goal=None):
        return Row.ratio("P12", f"handshake {text}, over plain mutual TLS", ours, found["plain"], 1e-6, "ms", goal=goal)

    answers = result["answers"]
    return [row("with a sample, signed and verified", found["sample"]),
            row("without the evidence", less("sample"), 1.15),
            row(f"with an SNP report ({what})", less("snp"), 2.0),
            row(f"with a TDX quote and collateral ({what})", less("tdx"), 1.75),
            row(f"with a TDX quote alone ({what})", less("quote")),
            Row("P12", "round trips of a handshake, more than plain mutual TLS", answers["sample"] - answers["plain"], "", goal=1,
                ours=str(answers["sample"]), reference=str(answers["plain"]), exact=True)]


def parsers(build, turns):
    """P29: instructions and allocations of a turn, exact (the ceilings are ours), and its CPU time."""
    kinds = (
        ("snp", "SNP report ({}), parse and policy", {"allocations": 0, "instructions": 8000}),
        ("tdx", "TDX quote ({}), parse and policy", {"allocations": 0, "instructions": 4000}),
        ("evidence", "TDX quote ({}) and 64 KiB of event log, parse and policy", {"allocations": 0, "instructions": 120000, "us": 25}),
        ("replay", "64 KiB of event log, hashed with SHA-384", {}),
    )
    with specimen() as (directory, what):
        return [row for name, text, goals in kinds for row in _parser([build, directory, name], turns, text.format(what), goals)]


def _parser(where, turns, text, goals):
    build, directory, name = where
    with subprocess.Popen([build + "/test/bench-parse", directory, name, str(20 * turns)], stdout=subprocess.PIPE, text=True) as process:
        try:
            timed = json.loads(process.stdout.readline())
            counted = steps.of_turns(build, process.pid, turns) if "instructions" in goals else {}
        finally:
            process.kill()
    rows = [Row("P29", f"{text}: {what}", counted[what], "", goal=goals[what], exact=True) for what in counted if what in goals]
    return rows + [Row("P29", f"{text}: CPU time", round(timed["p50_ns"] / 1000, 2), "us", goal=goals.get("us"))]
