# SPDX-License-Identifier: Apache-2.0
"""Published evidence of real hardware, judged by `cleave evidence verify`. The samples are not part of the tree:
VECTORS names their directory (MANIFEST.md there says where each is from), and without it the cases are skipped.
Needs no bed."""
import base64
import json
import os
import shutil
import subprocess

import pytest

from conftest import BUILD

CLEAVE = BUILD + "/bin/cleave"
VECTORS = os.environ.get("VECTORS", "")
FLAG_DEBUG, FLAG_SIGNATURE = ("attributes", "policy.debug"), ("signature", "signature")
V2, VLEK, TIME = "version-min=2", "key=vlek", "2025-06-01T00:00:00Z"

pytestmark = pytest.mark.skipif(not VECTORS, reason="VECTORS names no directory of published evidence")


def file(name):
    with open(f"{VECTORS}/{name}", "rb") as opened:
        content = opened.read()
    return bytes.fromhex(content.decode().strip()) if name.endswith(".hex") else content


def judge(directory, *words):
    """(exit code, the answer)"""
    done = subprocess.run([CLEAVE, "evidence", "verify", "--json", *words], capture_output=True, text=True, timeout=60,
                          cwd=directory, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, json.loads(done.stdout)


class Snp:
    """One report with its certificates in a directory of its own."""

    def __init__(self, directory, report, leaf, product):
        self.directory, self.report = str(directory), bytearray(file(f"snp/{report}"))
        self.product, self.leaf = product, leaf
        self.report_data = bytes(self.report[0x50:0x90])
        os.mkdir(f"{directory}/dir")
        name = "vlek.der" if "vlek" in leaf else "vcek.der"
        self.put(f"dir/{name}", file(f"snp/{leaf}"))
        self.put("dir/ask.pem", file(f"certs-amd/trustee-{product}_ask_ark_asvk.pem"))

    def put(self, name, content):
        with open(f"{self.directory}/{name}", "wb") as opened:
            opened.write(content)

    def judge(self, *policies, time=TIME, words=()):
        self.put("report.bin", self.report)
        return judge(self.directory, "--type", "snp", "--evidence", "report.bin", "--endorsements", "dir", "--report-data",
                     self.report_data.hex(), "--time", time, *words, *(f"--set={policy}" for policy in policies))

    def refused(self, *policies, **more):
        code, answer = self.judge(*policies, **more)
        assert code == 1 and answer["accepted"] is False, answer
        return answer["check"], answer["field"]

    def accepted(self, *policies, **more):
        code, answer = self.judge(*policies, **more)
        assert code == 0 and answer["accepted"] is True, answer
        return answer["claims"]


GOSEV = ("gosev-attestation.bin", "gosev-vcek.der", "milan")
TRUSTEE = ("trustee-test-report.bin", "trustee-test-vcek.der", "milan")
VIRTEE = ("virtee-report_milan.hex", "virtee-vcek_milan.der", "milan")
GENOA = ("derived-e2e-v3-report.bin", "derived-e2e-v3-vcek.der", "genoa")
WITH_VLEK = ("trustee-test-vlek-report.bin", "trustee-test-vlek.der", "milan")


@pytest.mark.parametrize("sample, policies", [
    pytest.param(TRUSTEE, [V2], id="trustee-test-report"),
    pytest.param(VIRTEE, [V2], id="virtee-report_milan"),
    pytest.param(GENOA, [], id="derived-e2e-v3-report"),
    pytest.param(WITH_VLEK, [VLEK, "vmpl=1"], id="trustee-test-vlek-report"),
])
def test_snp_samples_are_authentic(tmp_path, sample, policies):
    claims = Snp(tmp_path, *sample).accepted(*policies)
    assert claims["not_judged"] == ["measurement", "host_data", "tcb-min", "crl"]


@pytest.mark.parametrize("sample, policies, expected", [
    # Attributes are looked at after the signatures: these are authentic all the same.
    pytest.param(GOSEV, [V2], FLAG_DEBUG, id="gosev-attestation"),
    pytest.param(WITH_VLEK, [], ("attributes", "vmpl"), id="trustee-test-vlek-report-vmpl"),
    pytest.param(WITH_VLEK, ["key=vcek", "vmpl=1"], ("policy", "signer_info.signing_key"),
                 id="trustee-test-vlek-report-vcek-only"),
    pytest.param(GOSEV, [], ("policy", "version"), id="gosev-attestation-version"),
    pytest.param(TRUSTEE, [], ("policy", "version"), id="trustee-test-report-version"),
    pytest.param(VIRTEE, [], ("policy", "version"), id="virtee-report_milan-version"),
    pytest.param(("neg-gosev-measurement-flip.bin", *GOSEV[1:]), [], FLAG_SIGNATURE, id="neg-gosev-measurement-flip"),
    pytest.param(("neg-gosev-sig-flip.bin", *GOSEV[1:]), [], FLAG_SIGNATURE, id="neg-gosev-sig-flip"),
    pytest.param((GOSEV[0], VIRTEE[1], "milan"), [], FLAG_SIGNATURE, id="gosev-attestation-of-another-chip"),
    pytest.param((TRUSTEE[0], "trustee-test-vcek-invalid-legacy.der", "milan"), [V2], ("signature", "VCEK"),
                 id="trustee-test-vcek-invalid-legacy"),
    pytest.param((TRUSTEE[0], "trustee-test-vcek-invalid-new.der", "milan"), [V2], ("signature", "VCEK"),
                 id="trustee-test-vcek-invalid-new"),
    # Its chain holds, so that what fails is the signature of the Genoa report.
    pytest.param((GENOA[0], "virtee-vcek_turin.der", "turin"), [], FLAG_SIGNATURE, id="virtee-vcek_turin"),
    pytest.param((GENOA[0], GENOA[1], "milan"), [], ("signature", "ASK"), id="derived-e2e-v3-report-of-another-product"),
])
def test_snp_samples_that_are_refused(tmp_path, sample, policies, expected):
    assert Snp(tmp_path, *sample).refused(*policies) == expected


@pytest.mark.parametrize("offset", [0x10, 0x50, 0x90, 0xc0, 0x180, 0x1a0, 0x29f, 0x2a0, 0x2e8])
def test_snp_one_bit_of_a_clean_sample(tmp_path, offset):
    sample = Snp(tmp_path, *GENOA)
    sample.report[offset] ^= 1
    if offset == 0x29f:
        assert sample.refused() == ("format", "reserved.208")
    else:
        assert sample.refused() == FLAG_SIGNATURE


@pytest.mark.parametrize("policy, expected", [
    ("tcb-min=snp=24", ("tcb", "reported_tcb")),
    ("tcb-min=microcode=26", ("tcb", "reported_tcb")),
    ("product=Milan", ("hardware", "product")),
    ("chip-id=" + 64 * "00", ("hardware", "chip_id")),
    ("measurement=" + 48 * "00", ("measurement", "measurement")),
    ("host-data=" + 32 * "11", ("hardware-initdata", "host_data")),
    ("smt=no", ("attributes", "policy.smt")),
    ("abi-min=1.51", ("attributes", "policy.abi")),
    ("guest-svn-min=1", ("attributes", "guest_svn")),
    ("version-min=4", ("policy", "version")),
])
def test_snp_policy_of_a_clean_sample(tmp_path, policy, expected):
    assert Snp(tmp_path, *GENOA).refused(policy) == expected


def test_snp_policy_that_fits_a_clean_sample(tmp_path):
    sample = Snp(tmp_path, *GENOA)
    report = sample.report
    claims = sample.accepted("tcb-min=snp=23", "tcb-min=microcode=25", "product=Genoa", "chip-id=" + report[0x1a0:0x1e0].hex(),
                             "measurement=" + report[0x90:0xc0].hex(), "host-data=" + report[0xc0:0xe0].hex())
    assert claims["not_judged"] == ["crl"] and claims["product"] == "Genoa"
    sample.report_data = bytes(64)
    assert sample.refused() == ("report-data", "report_data")


def test_snp_certificates_have_their_time(tmp_path):
    sample = Snp(tmp_path, *WITH_VLEK)
    assert sample.refused(VLEK, "vmpl=1", time="2025-12-11T00:00:00Z") == ("signature", "VLEK")
    assert sample.refused(VLEK, "vmpl=1", time="2024-12-10T22:14:20Z") == ("signature", "VLEK")
    sample.accepted(VLEK, "vmpl=1", time="2024-12-11T00:14:21+02:00")


@pytest.mark.parametrize("index", [0, 2], ids=["ask", "asvk"])
@pytest.mark.parametrize("product", ["milan", "genoa", "turin"])
def test_snp_intermediate_certificates_of_amd(tmp_path, product, index):
    """The links hold up to the root; what is wrong is that a CA does not sign reports."""
    sample = Snp(tmp_path, GENOA[0], GENOA[1], product)
    text = file(f"certs-amd/trustee-{product}_ask_ark_asvk.pem").decode()
    pem = text.split("-----BEGIN CERTIFICATE-----")[1 + index].split("-----END")[0]
    sample.put("dir/vcek.der", base64.b64decode(pem))
    code, answer = sample.judge()
    assert (code, answer["check"], answer["field"]) == (1, "signature", "VCEK") and "is a CA" in answer["reason"]


@pytest.mark.parametrize("chain", ["gosev-milan-ask-ark.pem", "gosev-milan-asvk-ark.pem"])
def test_snp_chains_as_amd_sends_them(tmp_path, chain):
    with_vlek = "asvk" in chain
    sample = Snp(tmp_path, *(WITH_VLEK if with_vlek else VIRTEE))
    shutil.copy(f"{VECTORS}/certs-amd/{chain}", tmp_path / "dir/ask.pem")
    sample.accepted(*([VLEK, "vmpl=1"] if with_vlek else [V2]))


@pytest.mark.parametrize("which, policies", [(GENOA, []), (VIRTEE, [V2]), (WITH_VLEK, [VLEK, "vmpl=1"])],
                         ids=["ASK of Genoa", "ASK of Milan", "ASVK of Milan"])
def test_snp_issuer_without_its_root(tmp_path, which, policies):
    """The roots are built in. A VLEK has the file of a VCEK, too."""
    sample = Snp(tmp_path, *which)
    parts = file(f"certs-amd/trustee-{which[2]}_ask_ark_asvk.pem").decode().split("-----BEGIN")
    sample.put("dir/ask.pem", ("-----BEGIN" + parts[3 if which is WITH_VLEK else 1]).encode())
    if which is WITH_VLEK:
        os.rename(tmp_path / "dir/vlek.der", tmp_path / "dir/vcek.der")
    assert sample.accepted(*policies)["key"] == ("vlek" if which is WITH_VLEK else "vcek")


def test_snp_a_root_replaces_those_of_amd(tmp_path):
    sample = Snp(tmp_path, *GENOA)
    shutil.copy(f"{VECTORS}/certs-amd/trustee-genoa_ask_ark_asvk.pem", tmp_path / "same.pem")
    sample.accepted(words=["--root", "same.pem"])
    shutil.copy(f"{VECTORS}/certs-amd/trustee-milan_ask_ark_asvk.pem", tmp_path / "other.pem")
    assert sample.refused(words=["--root", "other.pem"]) == ("signature", "ARK")
