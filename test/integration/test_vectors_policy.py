# SPDX-License-Identifier: Apache-2.0
"""Published evidence of real hardware, judged by reference values (`--policy FILE`) that are made from what it claims, and
by ones with one thing changed; see test_vectors.py."""
import json

import pytest

from test_vectors import GENOA, VECTORS, Snp
from test_vectors_azure import Azure
from test_vectors_tdx import PHALA, Tdx

pytestmark = pytest.mark.skipif(not VECTORS, reason="VECTORS names no directory of published evidence")

HEAD = {"format": "cleave-reference-values/1", "id": "published", "serial": 1, "not_after": "2027-01-01T00:00:00Z"}
ZERO = {"bootloader": 0, "tee": 0, "snp": 0, "microcode": 0}


def snp_section(claims):
    tcb = bytes.fromhex(claims["committed_tcb"])
    policy = int(claims["policy"], 16)
    return {"measurements": [claims["measurement"]], "products": ["Genoa"], "chips": [claims["chip_id"]], "crl": "if-given",
            "tcb_min": {"Genoa": {"bootloader": tcb[0], "tee": tcb[1], "snp": tcb[6], "microcode": tcb[7]}},
            "guest_policy": {"smt": bool(policy >> 16 & 1), "single_socket": bool(policy >> 20 & 1)}, "vmpl": claims["vmpl"]}


def tdx_section(claims):
    return {"mr_td": [claims["mr_td"]], "mr_seam": [claims["mr_seam"]], "collateral": "if-given",
            "rtmr": {str(index): [claims[f"rtmr{index}"]] for index in range(4)},
            "attributes": {"mask": 16 * "f", "value": claims["td_attributes"][2:].zfill(16)},
            "xfam": {"mask": 16 * "f", "value": claims["xfam"][2:].zfill(16)}, "svn_min": claims["tee_tcb_svn"]}


class Judged:
    """Evidence and one type's section of values."""

    def __init__(self, directory, kind, judge, section):
        self.directory, self.kind, self.run, self.section = directory, kind, judge, section

    def judge(self, change=None, **head):
        section = json.loads(json.dumps(self.section))
        if change:
            change(section)
        with open(self.directory / "values.json", "w", encoding="ascii") as opened:
            json.dump(HEAD | {self.kind: section} | head, opened)
        return self.run("--policy", "values.json")

    def refused(self, change=None, **head):
        answer = self.judge(change, **head)
        assert not answer["accepted"], answer
        return answer["check"], answer["field"]


def changed(*path):
    """That member of the section becomes the last word."""
    def change(section):
        for key in path[:-2]:
            section = section[key]
        section[path[-2]] = path[-1]
    return change


def test_vectors_policy_snp(tmp_path):
    sample = Snp(tmp_path, *GENOA)
    section = snp_section(sample.accepted())
    found = Judged(tmp_path, "snp", lambda *words: sample.judge(words=words)[1], section)
    answer = found.judge()
    assert answer["accepted"] and answer["claims"]["not_judged"] == ["host_data", "crl"], answer
    assert found.refused(changed("measurements", [96 * "0"])) == ("measurement", "measurement")
    assert found.refused(changed("chips", [128 * "0"])) == ("hardware", "chip_id")
    assert found.refused(changed("crl", "required")) == ("signature", "crl_missing")
    assert found.refused(lambda values: (values.pop("chips"), values.update(keys=["vlek"]))) \
        == ("policy", "signer_info.signing_key")
    assert found.refused(changed("vmpl", 3)) == ("attributes", "vmpl")
    assert found.refused(changed("report_version_min", 5)) == ("policy", "version")
    assert found.refused(changed("guest_svn_min", 4294967295)) == ("attributes", "guest_svn")
    assert found.refused(changed("guest_policy", "smt", not section["guest_policy"]["smt"])) == ("attributes", "policy.smt")
    assert found.refused(changed("guest_policy", "abi_min", "255.0")) == ("attributes", "policy.abi")
    for component in ZERO:
        assert found.refused(changed("tcb_min", "Genoa", component, 255))[0] == "tcb"
    assert found.refused(lambda values: values.update(products=["Milan"], tcb_min={"Milan": ZERO})) == ("hardware", "product")
    assert found.refused(revoked=section["measurements"]) == ("measurement", "measurement")
    assert found.refused(not_after="2025-05-31T00:00:00Z") == ("policy", "not_after")


def test_vectors_policy_tdx(tmp_path):
    sample = Tdx(tmp_path, *PHALA)
    claims = sample.accepted()
    section = tdx_section(claims)

    def judge(*words):
        sample.words = list(words)
        return sample.judge()[1]

    found = Judged(tmp_path, "tdx", judge, section)
    answer = found.judge(changed("collateral", "required"))
    assert answer["accepted"] and answer["claims"]["not_judged"] == ["mr_config_id"], answer
    for field in ("mr_td", "mr_seam"):
        assert found.refused(changed(field, [96 * "1"])) == ("measurement", field)
        assert found.refused(revoked=section[field]) == ("measurement", field)
    for index in range(4):
        assert found.refused(changed("rtmr", str(index), [96 * "1"])) == ("measurement", f"rtmr{index}")
        assert found.judge(changed("rtmr", str(index), [96 * "1", claims[f"rtmr{index}"]]))["accepted"]
        assert found.judge(changed("rtmr", str(index), "any"))["claims"]["not_judged"] == [f"rtmr{index}", "mr_config_id"]
        if int(claims[f"rtmr{index}"], 16):
            assert found.refused(lambda values, key=str(index): values["rtmr"].pop(key)) == ("measurement", f"rtmr{index}")
    assert found.refused(changed("attributes", "value", 15 * "0" + "0")) == ("attributes", "td_attributes")
    assert found.refused(changed("xfam", "value", 16 * "0")) == ("attributes", "xfam")
    assert found.refused(changed("svn_min", 32 * "f")) == ("tcb", "tee_tcb_svn")
    assert found.refused(changed("fmspc", [12 * "0"])) == ("hardware", "fmspc")
    assert found.judge(changed("fmspc", [12 * "0", claims["fmspc"]]))["accepted"]
    assert found.refused(changed("chips", [32 * "0"])) == ("hardware", "ppid")
    assert found.judge(changed("chips", [claims["ppid"]]))["accepted"]
    assert found.judge(changed("chips", [claims["platform_instance"]]))["accepted"]
    assert found.refused(changed("mr_owner", 96 * "1")) == ("measurement", "mr_owner")
    assert found.refused(changed("evaluation_min", 4294967295))[0] == "tcb"


@pytest.mark.parametrize("name", ["snp-evidence-genoa", "tdx-evidence-v1"])
def test_vectors_policy_azure(name, tmp_path):
    azure = Azure(tmp_path, f"{name}.json")
    claims = azure.judge()["claims"]
    azure.words = []
    section = {"snp": snp_section(claims)} if azure.kind == "snp" else {"tdx": tdx_section(claims)}
    section["pcrs"] = {"4": [claims["pcrs"]["4"]], "11": [64 * "1", claims["pcrs"]["11"]]}
    section["selection"] = "all"
    if azure.kind == "snp":
        section["snp"]["report_version_min"] = 2
    found = Judged(tmp_path, f"az-{azure.kind}-vtpm", azure.judge, section)
    assert found.judge()["accepted"], found.judge()
    assert found.refused(changed("pcrs", "4", [64 * "1"])) == ("measurement", "register-value")
    assert found.refused(changed("selection", [4, 11])) == ("measurement", "quote-pcrs")
    assert found.refused(revoked=[claims["pcrs"]["9"]]) == ("measurement", "register-value")
    field = ("snp", "measurements") if azure.kind == "snp" else ("tdx", "mr_td")
    assert found.refused(changed(*field, [96 * "1"]))[0] == "measurement"
    assert found.refused(revoked=section[field[0]][field[1]])[0] == "measurement"
