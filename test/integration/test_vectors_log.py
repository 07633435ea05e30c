# SPDX-License-Identifier: Apache-2.0
"""Published event logs and TPM quotes, judged by `cleave evidence verify`. The samples are not part of the tree:
VECTORS names their directory (MANIFEST.md there says where each is from), and without it the cases are skipped.
Needs no bed."""
import base64
import hashlib
import json
import os
import struct
import subprocess

import pytest

from conftest import BUILD

CLEAVE = BUILD + "/bin/cleave"
VECTORS = os.environ.get("VECTORS", "")
IMA = 10
OVMF = ("direct", "direct2", "uki", "ukidirect", "ukiappend")
NONCE = hashlib.sha256(b"nonce").hexdigest()

pytestmark = pytest.mark.skipif(not VECTORS, reason="VECTORS names no directory of published evidence")


def content(name):
    with open(f"{VECTORS}/{name}", "rb") as opened:
        return opened.read()


def judge(*words):
    done = subprocess.run([CLEAVE, "evidence", "verify", "--json", *words], capture_output=True, text=True, timeout=60,
                          check=False)
    assert done.returncode in (0, 1), done.stderr
    answer = json.loads(done.stdout)
    assert answer["accepted"] is (done.returncode == 0)
    return answer


def judge_log(kind, name, *words):
    return judge("--type", kind, "--evidence", f"{VECTORS}/{name}", *words)


def put(path, data):
    with open(path, "wb") as opened:
        opened.write(data)
    return str(path)


@pytest.mark.parametrize("name, first", [
    ("arch-linux-workstation", "758b773d"), ("cos-101-amd-sev", "0f35c214"), ("eventlogwithsp800155", "d0c70a93"),
    ("glinux-alex", "0e5ea849"), ("rhel8-uefi", "24af52a4"), ("ubuntu-2104-no-secure-boot", "24af52a4"),
    ("ubuntu-2404-amd-sevsnp", "50597a27"),
])
def test_logs_of_real_machines_replay(name, first):
    answer = judge_log("eventlog", f"tpm/gotpm-{name}.bin")
    assert answer["accepted"] and answer["claims"]["pcrs"]["0"].startswith(first)


def test_a_log_of_sha1_digests_is_refused():
    assert judge_log("eventlog", "tpm/gotpm-debian-10.bin")["field"] == "log-legacy"


def pcrs_of(name):
    data = content(f"tpm/ovmf/{name}-pcrs-sha256.bin")
    return {str(index): data[32 * index:32 * index + 32].hex() for index in range(16)}


def reference(directory, pcrs):
    put(f"{directory}/pcrs.json", json.dumps({"sha256": pcrs}).encode())
    return "--endorsements", str(directory)


@pytest.mark.parametrize("name", OVMF)
def test_logs_of_ovmf_replay_to_the_pcrs_of_their_tpm(name, tmp_path):
    pcrs = pcrs_of(name)
    del pcrs[str(IMA)]
    assert judge_log("eventlog", f"tpm/ovmf/{name}-eventlog.bin", *reference(tmp_path, pcrs))["accepted"]
    for index in ("0", "9", "12"):
        wrong = pcrs | {index: "11" * 32}
        answer = judge_log("eventlog", f"tpm/ovmf/{name}-eventlog.bin", *reference(tmp_path, wrong))
        assert answer["field"] == "register-value" and f"PCR {index} " in answer["reason"]
    del pcrs["9"]
    answer = judge_log("eventlog", f"tpm/ovmf/{name}-eventlog.bin", *reference(tmp_path, pcrs))
    assert answer["field"] == "register-touched"


def test_another_command_line_is_another_pcr_9_alone(tmp_path):
    pcrs = pcrs_of("direct")
    del pcrs[str(IMA)]
    answer = judge_log("eventlog", "tpm/ovmf/direct2-eventlog.bin", *reference(tmp_path, pcrs))
    assert answer["field"] == "register-value" and "PCR 9 " in answer["reason"]


@pytest.mark.parametrize("listed", [True, False])
def test_a_command_line_appended_to_a_uki_is_refused(listed, tmp_path):
    """PCR 4 and PCR 11 are those of the UKI; what gives it away is PCR 12, which must be zero."""
    pcrs = pcrs_of("ukidirect")
    pcrs = {index: pcrs[index] for index in pcrs if index not in (str(IMA), "9") and (listed or index != "12")}
    pcrs["9"] = pcrs_of("ukiappend")["9"]
    answer = judge_log("eventlog", "tpm/ovmf/ukiappend-eventlog.bin", *reference(tmp_path, pcrs))
    assert answer["field"] == ("register-value" if listed else "register-touched") and "PCR 12 " in answer["reason"]


def rtmrs_of_quote(name):
    """Of a TDX quote of version 4: RTMR0 is 328 bytes behind the start of the body."""
    quote = content(f"tdx/{name}")
    return [quote[48 + 328 + 48 * index:48 + 328 + 48 * index + 48].hex() for index in range(4)]


COS = rtmrs_of_quote("gotdx-cos-113-tdx-quote.dat") if VECTORS else []
CCELS = {
    "gotdx-cos-113-ccel_data.dat": 43, "trustee-CCEL_data": 5, "trustee-CCEL_data_gcp": 21, "trustee-CCEL_data_grub": 37,
    "trustee-CCEL_data_grub_gke": 35, "trustee-CCEL_data_ovmf": 20, "trustee-CCEL_AAEL_alibabacloud": 87,
}


def test_a_ccel_replays_to_the_rtmrs_of_its_quote():
    words = [f"--set=rtmr{index}={COS[index]}" for index in range(4)]
    assert judge_log("ccel", "ccel/gotdx-cos-113-ccel_data.dat", *words)["accepted"]
    for index in range(3):
        wrong = words[:index] + [f"--set=rtmr{index}={COS[3]}"] + words[index + 1:]
        answer = judge_log("ccel", "ccel/gotdx-cos-113-ccel_data.dat", *wrong)
        assert answer["field"] == "register-value" and f"RTMR {index} " in answer["reason"]


def test_a_ccel_is_judged_with_the_quote_that_it_explains(tmp_path):
    words = "--endorsements", str(tmp_path), "--report-data", content("tdx/gotdx-cos-113-nonce.dat").hex(), "--time", "2025-06-20T00:00:00Z"
    put(tmp_path / "quote.bin", content("tdx/gotdx-cos-113-tdx-quote.dat"))
    answer = judge_log("ccel", "ccel/gotdx-cos-113-ccel_data.dat", *words)
    assert answer["accepted"] and answer["claims"]["not_judged"] == []
    assert [answer["claims"]["rtmrs"].get(str(index), "00" * 48) for index in range(4)] == COS
    assert judge_log("ccel", "ccel/gotdx-cos-113-ccel_data.dat", *words[:3], "11" * 64, *words[4:])["check"] == "report-data"
    assert judge_log("ccel", "ccel/trustee-CCEL_data_gcp", *words)["field"] == "register-value"
    put(tmp_path / "quote.bin", content("tdx/trustee-tdx_quote_4.dat"))
    assert judge_log("ccel", "ccel/gotdx-cos-113-ccel_data.dat", *words)["field"] == "debug"


def test_a_ccel_is_judged_by_reference_values_of_its_quote(tmp_path):
    quote = content("tdx/gotdx-cos-113-tdx-quote.dat")
    put(tmp_path / "quote.bin", quote)
    words = "--report-data", 64 * "00", "--time", "2025-06-20T00:00:00Z", "--policy", str(tmp_path / "values.json")
    for rtmr, field in ((COS[1], None), (COS[2], "rtmr1")):
        values = {"format": "cleave-reference-values/1", "id": "td", "serial": 1, "not_after": "2027-01-01T00:00:00Z", "revoked": [],
                  "tdx": {"mr_td": [quote[48 + 136:48 + 184].hex()], "rtmr": {"0": "any", "1": [rtmr], "2": "any"},
                          "collateral": "if-given"}}
        put(tmp_path / "values.json", json.dumps(values).encode())
        answer = judge_log("ccel", "ccel/gotdx-cos-113-ccel_data.dat", "--endorsements", str(tmp_path), *words)
        assert answer.get("field") == field, answer
    with pytest.raises(AssertionError, match="--policy means nothing to this type without --endorsements"):
        judge_log("ccel", "ccel/gotdx-cos-113-ccel_data.dat", *words[2:])


def test_the_acpi_table_of_a_ccel_is_no_log():
    assert judge_log("ccel", "ccel/gotdx-cos-113-ccel_table.dat")["check"] == "format"


@pytest.mark.parametrize("name", CCELS)
def test_published_ccels_replay_and_match_no_quote_of_another(name):
    answer = judge_log("ccel", f"ccel/{name}")
    assert answer["accepted"] and answer["claims"]["events"] == CCELS[name]
    for quote in ("gotdx-cos-113-tdx-quote.dat", "trustee-tdx_quote_4.dat", "trustee-tdx_quote_6.dat",
                  "gotdx-prod_quote_SPR_E4.dat", "phala-tdx_quote.bin"):
        if name.startswith("gotdx-cos-113") and quote.startswith("gotdx-cos-113"):
            continue
        words = [f"--set=rtmr{index}={value}" for index, value in enumerate(rtmrs_of_quote(quote))]
        assert judge_log("ccel", f"ccel/{name}", *words)["field"] in ("register-value", "register-touched")


def test_the_memory_of_a_ccel_cut_at_its_end_is_the_same_log(tmp_path):
    whole = content("ccel/gotdx-cos-113-ccel_data.dat")
    end = whole.index(b"\xff" * 64)
    words = [f"--set=rtmr{index}={COS[index]}" for index in range(4)]
    assert judge("--type", "ccel", "--evidence", put(tmp_path / "ccel", whole[:end]), *words)["accepted"]
    hidden = put(tmp_path / "ccel", whole[:-1] + b"\0")
    assert judge("--type", "ccel", "--evidence", hidden, *words)["field"] == "log-tail"


class Swtpm:
    """The quote of a swtpm: PCRs 0-9, 11, 12, 15. Its values stand in a dump of tpm2-tools: a count of lists, and each
    list is a count and eight digests of 2 + 64 bytes."""
    PCRS = [*range(10), 11, 12, 15]

    def __init__(self, directory):
        self.directory = directory
        self.message, self.signature = content("tpm/swtpm/q.msg"), content("tpm/swtpm/q.sig")
        self.values, self.dump = ["00" * 32] * 24, content("tpm/swtpm/q.pcrs")
        digests, at = [], 4 + 16 * 8
        lists, = struct.unpack_from("<I", self.dump, at)
        for number in range(lists):
            start = at + 4 + number * (4 + 8 * 66)
            for item in range(*struct.unpack_from("<I", self.dump, start)):
                digests.append(self.dump[start + 4 + item * 66 + 2:][:32].hex())
        for index, value in zip(self.PCRS, digests, strict=True):
            self.values[index] = value
        pem = content("tpm/swtpm/ak.pem").decode()
        self.key = "".join(line for line in pem.splitlines() if not line.startswith("-"))
        put(directory / "ak.pem", pem.encode())

    def judge(self, *words, nonce=NONCE, pcrs=None):
        text = json.dumps({"tpm_quote": {"signature": base64.b64encode(self.signature).decode(),
                                         "message": base64.b64encode(self.message).decode(), "pcrs": self.values},
                           "ak_public": self.key})
        selection = ",".join(str(index) for index in (self.PCRS if pcrs is None else pcrs))
        return judge("--type", "tpm", "--evidence", put(self.directory / "evidence.json", text.encode()), "--report-data",
                     nonce, "--endorsements", str(self.directory), f"--set=pcrs={selection}", *words)


def test_a_quote_of_swtpm_is_taken_for_its_nonce_and_its_pcrs_alone(tmp_path):
    quote = Swtpm(tmp_path)
    answer = quote.judge("--set=reset-count=2")
    assert answer["accepted"], answer
    initdata = bytes(32)                        # extended twice, whatever the manifest says
    for _ in range(2):
        initdata = hashlib.sha256(initdata + hashlib.sha256(b"initdata").digest()).digest()
    initdata = initdata.hex()
    assert answer["claims"]["pcrs"]["8"] == initdata
    assert quote.judge("--set=reset-count=3")["field"] == "quote-reset"
    assert quote.judge(nonce="00" * 32)["field"] == "quote-nonce"
    assert quote.judge(nonce=NONCE[:-2])["field"] == "quote-nonce"
    assert quote.judge(pcrs=range(24))["field"] == "quote-pcrs"
    assert quote.judge(pcrs=range(10))["field"] == "quote-pcrs"
    reference(tmp_path, {"8": initdata})
    assert quote.judge()["accepted"]
    reference(tmp_path, {"8": initdata, "10": "00" * 32})
    assert quote.judge()["field"] == "quote-pcrs"
    reference(tmp_path, {"8": "00" * 32})
    assert quote.judge()["field"] == "register-value"


def test_a_changed_quote_of_swtpm_is_refused(tmp_path):
    quote = Swtpm(tmp_path)
    quote.values[4] = "11" * 32
    assert quote.judge()["field"] == "quote-digest"
    quote = Swtpm(tmp_path)
    quote.message = quote.message[:60] + b"\0" + quote.message[61:]
    assert quote.judge()["field"] == "signature"
    quote = Swtpm(tmp_path)
    quote.signature = b"\0\x16" + quote.signature[2:]
    assert quote.judge()["field"] == "signature-scheme"


def test_a_key_of_swtpm_is_enrolled_by_its_public_area(tmp_path):
    quote = Swtpm(tmp_path)
    os.unlink(tmp_path / "ak.pem")
    public = content("tpm/swtpm/ak.pub")
    put(tmp_path / "ak.pub", public)
    assert quote.judge()["accepted"]
    put(tmp_path / "ak.pub", public[:6] + b"\0\x04" + public[8:])   # not restricted
    done = subprocess.run([CLEAVE, "evidence", "verify", "--type", "tpm", "--evidence", str(tmp_path / "evidence.json"),
                           "--report-data", NONCE, "--endorsements", str(tmp_path)], capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == 2 and "restricted must be set" in done.stderr


def test_a_log_that_does_not_explain_the_quote_is_refused(tmp_path):
    quote = Swtpm(tmp_path)
    put(tmp_path / "eventlog.bin", content("tpm/ovmf/direct-eventlog.bin"))
    assert quote.judge()["field"] == "register-value"
    put(tmp_path / "eventlog.bin", content("tpm/gotpm-debian-10.bin"))
    assert quote.judge()["field"] == "log-legacy"


def test_evidence_of_trustee_is_refused_until_its_key_is_enrolled(tmp_path):
    evidence = json.loads(content("tpm/trustee-tpm_evidence.json"))
    message = base64.b64decode(evidence["tpm_quote"]["message"])
    nonce = message[44:44 + 64]
    assert message[42:44] == b"\0\x40"
    words = ("--type", "tpm", "--evidence", f"{VECTORS}/tpm/trustee-tpm_evidence.json", "--endorsements", str(tmp_path),
             "--report-data")
    put(tmp_path / "ak.pem", content("tpm/swtpm/ak.pem"))
    assert judge(*words, nonce.hex())["field"] == "key-unknown"
    key = base64.encodebytes(base64.b64decode(evidence["ak_public"])).decode()
    put(tmp_path / "ak.pem", f"-----BEGIN PUBLIC KEY-----\n{key}-----END PUBLIC KEY-----\n".encode())
    assert judge(*words, nonce.hex())["accepted"]
    assert judge(*words, nonce[:32].hex())["field"] == "quote-nonce"
    put(tmp_path / "pcr_selection.txt", b"sha256:0,1,2\n")
    assert judge(*words, nonce.hex())["field"] == "quote-pcrs"
