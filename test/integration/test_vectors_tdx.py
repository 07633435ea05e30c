# SPDX-License-Identifier: Apache-2.0
"""Published TDX quotes and collateral, judged by `cleave evidence verify`; see test_vectors.py. What is wrong in exactly one
place and properly signed otherwise is made in test/unit/test_tdx.c."""
import json
import os
import struct

import pytest

from test_vectors import VECTORS, file, judge

pytestmark = pytest.mark.skipif(not VECTORS, reason="VECTORS names no directory of published evidence")

ANY_ATTRIBUTES = "attributes=" + 16 * "0" + ":" + 16 * "0"
IN_2025, IN_2026 = "2025-06-20T00:00:00Z", "2026-02-20T00:00:00Z"
FORMAT, QUOTE_SIGNATURE = ("format", "format"), ("signature", "quote_signature")


def collateral_of(name):
    """The files of a collateral, out of the one JSON in which it was published."""
    parts = json.loads(file(name))
    return {
        "tcb_info.json": f'{{"tcbInfo":{parts["tcb_info"]},"signature":"{parts["tcb_info_signature"]}"}}'.encode(),
        "qe_identity.json": f'{{"enclaveIdentity":{parts["qe_identity"]},"signature":"{parts["qe_identity_signature"]}"}}'.encode(),
        "tcb_signing.pem": parts["tcb_info_issuer_chain"].encode(),
        "pck_crl.der": bytes.fromhex(parts["pck_crl"]),
        "root_crl.der": bytes.fromhex(parts["root_ca_crl"]),
    }


class Tdx:
    """One quote, with collateral or without."""

    def __init__(self, directory, quote, collateral=None):
        self.directory, self.quote, self.words = str(directory), bytearray(file(quote)), []
        self.body = 54 if self.quote[0] == 5 else 48
        self.report_data = bytes(self.quote[self.body + 520:self.body + 584]).ljust(64, b"\0")
        self.collateral = collateral_of(collateral) if collateral else {}

    def put(self, name, content):
        with open(f"{self.directory}/{name}", "wb") as opened:
            opened.write(content)

    def judge(self, *policies, time=IN_2025):
        self.put("quote", self.quote)
        words = list(self.words)
        if self.collateral:
            os.makedirs(f"{self.directory}/dir", exist_ok=True)
            words += ["--endorsements", "dir"]
        for name, content in self.collateral.items():
            self.put(f"dir/{name}", content)
        return judge(self.directory, "--type", "tdx", "--evidence", "quote", "--report-data", self.report_data.hex(), "--time", time,
                     *words, *(f"--set={policy}" for policy in policies))

    def refused(self, *policies, **more):
        code, answer = self.judge(*policies, **more)
        assert code == 1 and answer["accepted"] is False, answer
        return answer["check"], answer["field"]

    def accepted(self, *policies, **more):
        code, answer = self.judge(*policies, **more)
        assert code == 0 and answer["accepted"] is True, answer
        return answer["claims"]


CLEAN = "tdx/trustee-tdx_quote_6.dat"
PHALA = ("tdx/phala-tdx_quote.bin", "tdx/phala-tdx_quote_collateral.json")
OUTDATED = ("tdx/phala-tdx_quote_outdated.bin", "tdx/phala-tdx_quote_outdated_collateral.json")


@pytest.mark.parametrize("name, time, policies, body, trailing", [
    ("trustee-tdx_quote_5.dat", IN_2025, [], "TDX 1.5", 0),
    ("trustee-tdx_quote_6.dat", IN_2025, [], "TDX 1.0", 70),
    ("gotdx-prod_quote_SPR_E4.dat", IN_2025, [ANY_ATTRIBUTES], "TDX 1.0", 39),
    ("gotdx-quote_v5_sample.dat", IN_2026, [], "TDX 1.5", 0),
    ("gotdx-cos-113-tdx-quote.dat", IN_2025, [], "TDX 1.0", 3065),
    ("phala-tdx_quote.bin", IN_2025, [], "TDX 1.0", 70),
    ("phala-tdx_quote_outdated.bin", IN_2026, [], "TDX 1.5", 0),
    ("../azure/tdx-td-quote.bin", IN_2025, [ANY_ATTRIBUTES], "TDX 1.0", 70),
])
def test_tdx_samples_are_authentic(tmp_path, name, time, policies, body, trailing):
    claims = Tdx(tmp_path, f"tdx/{name}").accepted(*policies, time=time)
    assert (claims["body"], claims["trailing_bytes"], claims["tcb_status"]) == (body, trailing, "Unchecked")
    assert claims["not_judged"][0] == "mr_td" and claims["not_judged"][-1] == "collateral"


def test_tdx_report_data_is_that_of_the_nonce(tmp_path):
    sample = Tdx(tmp_path, "tdx/gotdx-cos-113-tdx-quote.dat")
    sample.report_data = file("tdx/gotdx-cos-113-nonce.dat")
    sample.accepted()
    sample.report_data = bytes(63) + b"\1"
    assert sample.refused() == ("report-data", "report_data")


@pytest.mark.parametrize("name, policies, expected", [
    # Attributes are looked at after the signatures: these are authentic all the same.
    ("tdx/trustee-tdx_quote_4.dat", [], ("attributes", "debug")),
    ("tdx/trustee-tdx_quote_4.dat", [ANY_ATTRIBUTES], ("attributes", "debug")),
    ("tdx/gotdx-prod_quote_SPR_E4.dat", [], ("attributes", "td_attributes")),
    ("azure/tdx-td-quote.bin", [], ("attributes", "td_attributes")),
    ("tdx/neg-quote4-mrtd-flip.bin", [], QUOTE_SIGNATURE),
    ("tdx/neg-quote4-qereportdata-flip.bin", [], ("signature", "qe_signature")),
    ("tdx/coco-tdreport_1.bin", [], FORMAT),
    ("tdx/gotdx-tdreport.bin", [], FORMAT),
    ("sgx/phala-sgx_quote.bin", [], FORMAT),
    ("tdx/trustee-tdx_quote_5.dat", ["collateral=required"], ("tcb", "collateral_missing")),
])
def test_tdx_samples_that_are_refused(tmp_path, name, policies, expected):
    assert Tdx(tmp_path, name).refused(*policies) == expected


def test_tdx_a_quote_of_sgx_is_refused_by_name(tmp_path):
    _, answer = Tdx(tmp_path, "sgx/phala-sgx_quote.bin").judge()
    assert "an SGX quote (version 3)" in answer["reason"]


def test_tdx_collateral_says_up_to_date(tmp_path):
    sample = Tdx(tmp_path, *PHALA)
    claims = sample.accepted("collateral=required", "evaluation-min=17")
    assert claims["tcb_status"] == "UpToDate" and "collateral" not in claims["not_judged"]
    assert sample.refused("evaluation-min=18") == ("tcb", "tcb_info_rollback")
    # Time is an argument: a day after nextUpdate, and before issueDate.
    assert sample.refused(time="2025-07-20T10:20:00Z")[1] in ("root_crl", "pck_crl", "tcb_info_time")
    assert sample.refused(time="2025-06-18T00:00:00Z")[1] in ("root_crl", "pck_crl", "tcb_info_time")


def test_tdx_collateral_of_an_outdated_platform(tmp_path):
    sample = Tdx(tmp_path, *OUTDATED)
    assert sample.refused(time=IN_2026) == ("tcb", "tcb_level")
    # Another publication of the same day for the same platforms: its signature holds, too.
    sample.collateral["tcb_info.json"] = file("tdx/gotdx-tcbInfo_v5.json")
    assert sample.refused(time=IN_2026) == ("tcb", "tcb_level")


def test_tdx_collateral_of_other_platforms(tmp_path):
    assert Tdx(tmp_path, PHALA[0], OUTDATED[1]).refused(time=IN_2026) == ("tcb", "fmspc")
    assert Tdx(tmp_path, PHALA[0], "sgx/phala-sgx_quote_collateral.json").refused() == ("signature", "pck_crl")
    sample = Tdx(tmp_path, *PHALA)
    sample.collateral["tcb_info.json"] = collateral_of("sgx/phala-sgx_quote_collateral.json")["tcb_info.json"]
    assert sample.refused() == ("format", "tcb_info_format")
    sample = Tdx(tmp_path, *PHALA)
    sample.collateral["qe_identity.json"] = collateral_of("sgx/phala-sgx_quote_collateral.json")["qe_identity.json"]
    assert sample.refused() == ("format", "qe_identity_format")


@pytest.mark.parametrize("name, old, expected", [
    ("tcb_info.json", "gotdx-tcbInfo.json", ("tcb", "tcb_info_time")),
    ("qe_identity.json", "gotdx-qeIdentity.json", ("tcb", "qe_identity_time")),
    ("root_crl.der", "gotdx-rootcrl.der", ("signature", "root_crl")),
    ("pck_crl.der", "gotdx-pckcrl.der", ("signature", "pck_crl")),
])
def test_tdx_old_collateral_is_authentic_and_refused(tmp_path, name, old, expected):
    sample = Tdx(tmp_path, *PHALA)
    sample.collateral[name] = file(f"tdx/{old}")
    _, answer = sample.judge()
    assert (answer["check"], answer["field"]) == expected and "not of this time" in answer["reason"]


def test_tdx_a_list_of_the_ca_is_none_of_the_root(tmp_path):
    sample = Tdx(tmp_path, *PHALA)
    sample.collateral["root_crl.der"] = file("tdx/gotdx-pckcrl.der")
    assert sample.refused() == ("signature", "root_crl")


@pytest.mark.parametrize("name, old, new, expected", [
    ("tcb_info.json", b'"tcbType":0', b'"tcbType": 0', ("signature", "tcb_info_signature")),
    ("tcb_info.json", b'"isvsvn":3', b'"isvsvn":2', ("signature", "tcb_info_signature")),
    ("qe_identity.json", b'"isvsvn":4', b'"isvsvn":3', ("signature", "qe_identity_signature")),
    ("qe_identity.json", b'"signature":"', b'"signature":"0', ("format", "qe_identity_format")),
])
def test_tdx_collateral_in_other_words(tmp_path, name, old, new, expected):
    sample = Tdx(tmp_path, *PHALA)
    assert old in sample.collateral[name]
    sample.collateral[name] = sample.collateral[name].replace(old, new)
    assert sample.refused() == expected


@pytest.mark.parametrize("offset, expected", [
    (8, QUOTE_SIGNATURE), (28, QUOTE_SIGNATURE), (48, QUOTE_SIGNATURE), (168, QUOTE_SIGNATURE), (232, QUOTE_SIGNATURE),
    (376, QUOTE_SIGNATURE), (631, QUOTE_SIGNATURE), (636, QUOTE_SIGNATURE), (699, QUOTE_SIGNATURE),
    (700, ("signature", "qe_binding")), (770, ("signature", "qe_signature")), (1100, ("signature", "qe_signature")),
    (1160, ("signature", "qe_signature")), (1230, ("signature", "qe_binding")),
])
def test_tdx_one_bit_of_a_clean_sample(tmp_path, offset, expected):
    sample = Tdx(tmp_path, CLEAN)
    sample.quote[offset] ^= 1
    assert sample.refused() == expected


@pytest.mark.parametrize("length", [0, 1, 47, 48, 631, 632, 635, 636, 700, 764, 769, 770, 1154, 1218, 1220, 1252, 1258, 4935])
def test_tdx_a_clean_sample_that_is_cut(tmp_path, length):
    sample = Tdx(tmp_path, CLEAN)
    del sample.quote[length:]
    assert sample.refused() == FORMAT


@pytest.mark.parametrize("offset", [632, 766, 1254])
def test_tdx_lengths_that_are_larger_than_what_is_there(tmp_path, offset):
    sample = Tdx(tmp_path, CLEAN)
    struct.pack_into("<I", sample.quote, offset, 0xffffffff)
    assert sample.refused() == FORMAT


def test_tdx_policy_of_a_clean_sample(tmp_path):
    sample = Tdx(tmp_path, CLEAN)
    claims = sample.accepted()
    exact = {"mr-td": "mr_td", "mr-seam": "mr_seam", "mr-config-id": "mr_config_id", "mr-owner": "mr_owner",
             "mr-owner-config": "mr_owner_config", **{f"rtmr{i}": f"rtmr{i}" for i in range(4)}}
    right = [f"{key}={claims[claim]}" for key, claim in exact.items()]
    svn = bytes.fromhex(claims["tee_tcb_svn"])
    assert sample.accepted(*right, f"svn-min={svn.hex()}", "attributes=ffffffffffffffff:0000000010000000")["not_judged"] == ["collateral"]
    for key, claim in exact.items():
        check = "hardware-initdata" if key == "mr-config-id" else "measurement"
        assert sample.refused(f"{key}={48 * 'a5'}") == (check, claim)
    assert sample.refused(f"svn-min={bytes([svn[0] + 1, *svn[1:]]).hex()}") == ("tcb", "tee_tcb_svn")
    assert sample.refused("attributes=ffffffffffffffff:0000000050000000") == ("attributes", "td_attributes")
    assert sample.refused(f"mr-service-td={48 * '00'}") == ("measurement", "mr_service_td")


def test_tdx_certificates_have_their_time(tmp_path):
    sample = Tdx(tmp_path, CLEAN)
    assert sample.refused(time="2032-04-09T00:00:00Z") == ("signature", "PCK")
    assert sample.refused(time="2025-04-08T09:58:51Z") == ("signature", "PCK")
    sample.accepted(time="2025-04-08T09:58:52Z")


def test_tdx_a_root_replaces_intels(tmp_path):
    sample = Tdx(tmp_path, CLEAN)
    sample.put("root.pem", file("tdx/intel-sgx-root-ca.pem"))
    sample.put("other.pem", file("certs-amd/trustee-milan_ask_ark_asvk.pem"))
    sample.words = ["--root", "root.pem"]
    sample.accepted()
    sample.words = ["--root", "other.pem"]
    assert sample.refused() == ("signature", "Intel-root")
