# SPDX-License-Identifier: Apache-2.0
"""Published evidence of confidential VMs on Azure, judged by `cleave evidence verify`; see test_vectors.py. What is wrong in
exactly one place and properly signed otherwise is made in test/unit/test_azure_evidence.c and test_azure_tdx.c."""
import base64
import json
import struct

import pytest

from test_vectors import VECTORS, file, judge
from test_vectors_tdx import ANY_ATTRIBUTES

pytestmark = pytest.mark.skipif(not VECTORS, reason="VECTORS names no directory of published evidence")

IN_2025 = "2025-06-01T00:00:00Z"
HARDWARE, SNP_SIZE, VARIABLE = 0x20, 1184, 0x4d4


def content(name):
    return file(f"azure/{name}")


def certificates(pem):
    """DER of each in a PEM."""
    return [base64.b64decode(part.split("-----END")[0]) for part in pem.decode().split("-----BEGIN CERTIFICATE-----")[1:]]


def url(data):
    return base64.urlsafe_b64encode(data).decode()


def unurl(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def version_1(evidence):
    """Version 0 has byte arrays and PEM, and for SEV-SNP other names."""
    quote = {key: [bytes(pcr).hex() for pcr in value] if key == "pcrs" else bytes(value).hex()
             for key, value in evidence.get("quote", evidence.get("tpm_quote")).items()}
    made = {"version": 1, "tpm_quote": quote, "hcl_report": url(bytes(evidence.get("report", evidence.get("hcl_report"))))}
    if "vcek" in evidence:
        return made | {"vcek": url(certificates(evidence["vcek"].encode())[0])}
    return made | {"td_quote": url(bytes(evidence["td_quote"]))}


class Azure:
    """One piece of evidence, and what endorses it, in a directory."""

    def __init__(self, directory, name):
        self.directory, self.raw = directory, content(name)
        self.evidence = json.loads(self.raw)
        self.kind = "tdx" if "td_quote" in self.evidence else "snp"
        if "version" not in self.evidence:
            self.evidence = version_1(self.evidence)
        message = bytes.fromhex(self.evidence["tpm_quote"]["message"])
        size, = struct.unpack_from(">H", message, 42)
        self.nonce = message[44:44 + size].hex()
        self.words = ["--set", "version-min=2"] if self.kind == "snp" else ["--set", ANY_ATTRIBUTES]
        if self.kind == "snp":
            self.put("ask.pem", file(f"certs-amd/trustee-{'genoa' if 'genoa' in name else 'milan'}_ask_ark_asvk.pem"))

    def put(self, name, data):
        with open(self.directory / name, "wb") as opened:
            opened.write(data)

    @property
    def hcl(self):
        return unurl(self.evidence["hcl_report"])

    @hcl.setter
    def hcl(self, report):
        self.evidence["hcl_report"] = url(report)

    @property
    def quote(self):
        return unurl(self.evidence["td_quote"])

    @quote.setter
    def quote(self, quote):
        self.evidence["td_quote"] = url(quote)

    def judge(self, *words, nonce=None, raw=None, kind=None):
        self.put("evidence.json", raw or json.dumps(self.evidence).encode())
        directory = [] if self.kind == "tdx" and not (self.directory / "pcrs.json").exists() else ["--endorsements", "."]
        return judge(self.directory, "--type", f"az-{kind or self.kind}-vtpm", "--evidence", "evidence.json", *directory,
                     "--report-data", nonce or self.nonce, "--time", IN_2025, *self.words, *words)[1]

    def reference(self, pcrs):
        self.put("pcrs.json", json.dumps({"sha256": pcrs}).encode())


@pytest.mark.parametrize("name", ["snp-evidence-v0", "snp-evidence-v1", "snp-evidence-v2", "snp-evidence-genoa", "tdx-evidence-v0",
                                  "tdx-evidence-v1"])
def test_azure_evidence_is_taken_as_one_chain(name, tmp_path):
    azure = Azure(tmp_path, f"{name}.json")
    answer = azure.judge()
    assert answer["accepted"], answer
    assert ("user-data" in answer["claims"]["not_judged"]) == (name != "snp-evidence-v2")
    assert azure.judge(nonce="00" * 32)["field"] == "quote-nonce"
    assert azure.judge("--set", "pcrs=0,1")["field"] == "quote-pcrs"
    measurement = "measurement" if azure.kind == "snp" else "mr-td"
    assert azure.judge("--set", measurement + "=" + "00" * 48)["check"] == "measurement"
    azure.reference({"4": answer["claims"]["pcrs"]["4"]})
    assert azure.judge()["accepted"]
    azure.reference({"4": "00" * 32})
    assert azure.judge()["field"] == "register-value"


@pytest.mark.parametrize("name", ["snp-evidence-v0", "snp-evidence-genoa", "tdx-evidence-v0"])
def test_azure_evidence_of_version_0_is_refused(name, tmp_path):
    azure = Azure(tmp_path, f"{name}.json")
    answer = azure.judge(raw=azure.raw)
    assert answer["field"] == "evidence" and "version 0 is not taken" in answer["reason"]


@pytest.mark.parametrize("name", ["snp-evidence-v2", "tdx-evidence-v1"])
def test_azure_evidence_is_of_the_type_that_is_asked_for(name, tmp_path):
    azure = Azure(tmp_path, f"{name}.json")
    azure.put("ask.pem", b"")
    azure.reference({"4": "00" * 32})
    azure.words = []
    assert azure.judge(kind="tdx" if azure.kind == "snp" else "snp")["field"] == "evidence"


def test_azure_broken_links_of_sev_snp(tmp_path):
    azure = Azure(tmp_path, "snp-evidence-v1.json")
    report = azure.hcl
    azure.hcl = report.replace(b'"secure-boot":true', b'"secure-boot":null')
    assert azure.judge()["check"] == "report-data"          # the JSON is not what hardware vouches for
    azure.hcl = report[:0x20 + 0x90] + bytes([report[0x20 + 0x90] ^ 1]) + report[0x20 + 0x91:]
    assert azure.judge()["check"] == "signature"            # the measurement is not what was signed
    azure.hcl = content("snp-hcl-report.bin")               # a genuine report of another machine
    assert azure.judge()["check"] == "signature"
    azure = Azure(tmp_path, "snp-evidence-v1.json")
    signature = azure.evidence["tpm_quote"]["signature"]
    azure.evidence["tpm_quote"]["signature"] = content("snp-tpm-quote.sig").hex()
    assert azure.judge()["field"] == "signature"
    azure.evidence["tpm_quote"]["signature"] = signature
    azure.evidence["version"] = 2                           # where user-data is the nonce
    assert azure.judge()["field"] == "quote-nonce"
    azure.evidence["version"] = 3
    assert azure.judge()["field"] == "evidence"
    azure = Azure(tmp_path, "snp-evidence-v1.json")
    azure.hcl = content("tdx-hcl-report.bin")
    assert azure.judge()["field"] == "hcl-header"


def test_azure_broken_links_of_tdx(tmp_path):
    azure = Azure(tmp_path, "tdx-evidence-v1.json")
    report, quote = azure.hcl, azure.quote
    azure.hcl = report.replace(b'"secure-boot":true', b'"secure-boot":null')
    assert azure.judge()["check"] == "report-data"          # the JSON is not what hardware vouches for
    azure.hcl = report
    for at in (48 + 136, 48 + 520):                         # mr_td and report_data of the quote alone
        azure.quote = quote[:at] + bytes([quote[at] ^ 1]) + quote[at + 1:]
        assert azure.judge()["field"] == "td-report"
    azure.quote = quote[:28] + bytes([quote[28] ^ 1]) + quote[29:]
    assert azure.judge()["field"] == "quote_signature"
    azure.quote = file("tdx/trustee-tdx_quote_6.dat")       # a genuine quote of another domain
    assert azure.judge()["field"] == "td-report"
    azure.quote = file("sgx/phala-sgx_quote.bin")
    assert "an SGX quote" in azure.judge()["reason"]
    azure.quote = quote
    for at, why in ((0x20, "type"), (0x20 + 32, "tee_tcb_info_hash"), (0x20 + 128, "report_data"), (0x20 + 528, "tee_info_hash")):
        azure.hcl = report[:at] + bytes([report[at] ^ 1]) + report[at + 1:]
        answer = azure.judge()
        assert answer["field"] == "td-report" and why in answer["reason"]
    azure.hcl = content("snp-hcl-report.bin")
    assert azure.judge()["field"] == "hcl-header"
    azure.hcl = report
    azure.evidence["tpm_quote"]["pcrs"][4] = "11" * 32
    assert azure.judge()["field"] == "quote-digest"
    azure.evidence["tpm_quote"] = json.loads(content("snp-tpm-quote-v1.json"))   # another vTPM's
    assert azure.judge()["field"] == "signature"
    azure = Azure(tmp_path, "tdx-evidence-v1.json")
    azure.evidence["version"] = 2                           # where user-data is the nonce
    assert azure.judge()["field"] == "quote-nonce"


def test_azure_tdx_has_sept_ve_disable_off(tmp_path):
    """The strict default refuses it; all the signatures hold."""
    azure = Azure(tmp_path, "tdx-evidence-v1.json")
    azure.words = []
    answer = azure.judge()
    assert (answer["check"], answer["field"]) == ("attributes", "td_attributes")
    assert azure.judge("--set", "attributes=ffffffffefffffff:" + 16 * "0")["accepted"]
    assert azure.judge("--set", ANY_ATTRIBUTES, "--set", "collateral=required")["field"] == "collateral_missing"


def test_azure_tdx_by_reference_values(tmp_path):
    azure = Azure(tmp_path, "tdx-evidence-v1.json")
    azure.words = ["--policy", "values.json"]
    mr_td, pcr = azure.quote[48 + 136:48 + 184].hex(), azure.evidence["tpm_quote"]["pcrs"][4]

    def judge_by(field=None, revoked=(), pcrs=(pcr,), **tdx):
        section = {"mr_td": [mr_td], "rtmr": {"0": "any", "1": "any", "2": "any"}, "collateral": "if-given",
                   "attributes": {"mask": "ffffffffefffffff", "value": 16 * "0"}} | tdx
        values = {"format": "cleave-reference-values/1", "id": "azure", "serial": 1, "not_after": "2027-01-01T00:00:00Z",
                  "revoked": list(revoked), "az-tdx-vtpm": {"tdx": section, "pcrs": {"4": list(pcrs)}, "selection": "all"}}
        azure.put("values.json", json.dumps(values).encode())
        answer = azure.judge()
        assert (answer["accepted"], answer.get("field")) == (field is None, field)

    judge_by()
    judge_by("mr_td", mr_td=[48 * "11"])
    judge_by("mr_td", revoked=[mr_td])
    judge_by("register-value", pcrs=[32 * "11"])
    judge_by("register-value", revoked=[pcr])
    judge_by("collateral_missing", collateral="required")
    judge_by("td_attributes", attributes={"mask": 16 * "f", "value": "0000000010000000"})


def test_azure_tdx_report_and_quote_in_files_of_their_own(tmp_path):
    azure = Azure(tmp_path, "tdx-evidence-v1.json")
    azure.hcl, azure.quote = content("tdx-hcl-report.bin"), content("tdx-td-quote.bin")
    azure.evidence["tpm_quote"] = json.loads(content("tdx-tpm-quote-v1.json"))
    assert azure.judge()["accepted"]


def bincode_quote(name):
    """{signature, message, pcrs} as they stand in a dump of Rust's: u64 counts, little-endian."""
    data = content(name)
    size, = struct.unpack_from("<Q", data)
    signature, data = data[8:8 + size], data[8 + size:]
    size, = struct.unpack_from("<Q", data)
    message, data = data[8:8 + size], data[8 + size:]
    count, = struct.unpack_from("<Q", data)
    assert len(data) == 8 + 32 * count
    return {"signature": signature.hex(), "message": message.hex(), "pcrs": [data[8 + 32 * i:][:32].hex() for i in range(count)]}


@pytest.mark.parametrize("kind", ["snp", "tdx"])
def test_azure_quotes_in_other_containers_are_the_same(kind, tmp_path):
    quote = bincode_quote(f"{kind}-quote.bin")
    assert quote == json.loads(content(f"{kind}-tpm-quote-v1.json"))
    azure = Azure(tmp_path, f"{kind}-evidence-v1.json")
    azure.evidence["tpm_quote"] = quote
    # That of SEV-SNP is of no VM of which the evidence is here.
    assert azure.judge().get("field") == (None if kind == "tdx" else "signature")


@pytest.mark.parametrize("name, product", [("v1", "milan"), ("v2", "milan"), ("genoa", "genoa")])
def test_azure_hardware_reports_alone_are_authentic(name, product, tmp_path):
    azure = Azure(tmp_path, f"snp-evidence-{name}.json")
    report, leaf = content(f"derived-snp-{name}-hcl.bin"), content(f"derived-snp-{name}-vcek.der")
    assert azure.hcl == report and unurl(azure.evidence["vcek"]) == leaf
    judge_report(tmp_path, report, leaf, file(f"certs-amd/trustee-{product}_ask_ark_asvk.pem"))


def judge_report(directory, hcl, leaf, issuers):
    """Of an HCL report: the hardware's, for the JSON behind it."""
    report = hcl[HARDWARE:HARDWARE + SNP_SIZE]
    for name, data in (("report.bin", report), ("vcek.der", leaf), ("ask.pem", issuers)):
        with open(directory / name, "wb") as opened:
            opened.write(data)
    code, answer = judge(directory, "--type", "snp", "--evidence", "report.bin", "--endorsements", ".", "--report-data",
                         report[0x50:0x90].hex(), "--time", IN_2025, "--set", "version-min=2")
    assert code == 0, answer


def test_azure_a_report_with_its_certificates_and_a_quote_that_is_not_its(tmp_path):
    report, pem = content("snp-hcl-report.bin"), content("snp-vcek.pem")
    judge_report(tmp_path, report, certificates(pem)[0], pem)
    azure = Azure(tmp_path, "snp-evidence-v1.json")
    azure.put("ask.pem", pem)
    azure.hcl, azure.evidence["vcek"] = report, url(certificates(pem)[0])
    answer = azure.judge()                                  # hardware and JSON are good, and another key signed
    assert answer["field"] == "signature" and "not that of the attestation key" in answer["reason"]
    azure.evidence["tpm_quote"] |= {"message": content("snp-tpm-quote.msg").hex(), "signature": content("snp-tpm-quote.sig").hex()}
    assert azure.judge(nonce=b"challenge".hex())["field"] == "signature"


def test_azure_a_certificate_in_pem_is_the_one_of_the_evidence(tmp_path):
    azure = Azure(tmp_path, "snp-evidence-genoa.json")
    leaf, = certificates(content("snp-vcek-genoa.pem"))
    azure.evidence["vcek"] = url(leaf)
    assert azure.judge()["accepted"]
    azure.put("ask.pem", file("certs-amd/trustee-milan_ask_ark_asvk.pem"))
    assert azure.judge()["field"] == "ASK"
