# SPDX-License-Identifier: Apache-2.0
"""`cleave evidence verify` on event logs and TPM evidence that were made for the fuzz corpus. Needs no bed."""
import base64
import hashlib
import json
import os
import struct
import subprocess

import pytest

from conftest import BUILD

CLEAVE = BUILD + "/bin/cleave"
CORPUS = os.path.dirname(os.path.abspath(__file__)) + "/../fuzz/corpus"
NONCE = b"n".hex()


def verify(*words):
    done = subprocess.run([CLEAVE, "evidence", "verify", *words], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


def put(path, data):
    with open(path, "wb") as opened:
        opened.write(data)
    return str(path)


def made(directory, name):
    """The first byte of a corpus file is the fuzz target's own."""
    with open(f"{CORPUS}/{name}", "rb") as opened:
        return put(directory / "evidence", opened.read()[1:])


def judge(*words):
    code, out, err = verify("--json", *words)
    assert code in (0, 1), err
    return json.loads(out)


def test_a_log_is_judged_by_reference_values(tmp_path):
    log = "--type", "eventlog", "--evidence", made(tmp_path, "event_log/tpm_sha256")
    answer = judge(*log)
    assert answer["accepted"] and answer["claims"]["locality"] == 3
    assert answer["claims"]["not_judged"] == ["registers"]
    pcrs = answer["claims"]["pcrs"]
    assert sorted(pcrs) == ["0", "1", "4", "7"]
    directory = "--endorsements", str(tmp_path)
    put(tmp_path / "pcrs.json", json.dumps({"sha256": pcrs | {"12": "00" * 32}}).encode())
    answer = judge(*log, *directory)
    assert answer["accepted"] and answer["claims"]["not_judged"] == []
    put(tmp_path / "pcrs.json", json.dumps({"sha256": pcrs | {"12": "11" * 32}}).encode())
    assert judge(*log, *directory)["field"] == "register-value"
    del pcrs["7"]
    put(tmp_path / "pcrs.json", json.dumps({"sha256": pcrs}).encode())
    assert judge(*log, *directory)["field"] == "register-touched"
    code, out, err = verify(*log, *directory, "--set", "bank=sha384")
    assert (code, out) == (2, "") and "none for sha384" in err
    assert len(judge(*log, "--set", "bank=sha384")["claims"]["pcrs"]["0"]) == 96


@pytest.mark.parametrize("name, kind, field", [
    ("ccel_ff", "ccel", None), ("ccel_zero", "ccel", None), ("ccel_tail", "ccel", "log-tail"), ("mrtd", "ccel", "log-register"),
    ("legacy", "eventlog", "log-legacy"), ("twice", "eventlog", "log-second-start"), ("tpm_sha384", "eventlog", "log-bank"),
])
def test_a_log_is_refused_by_name(name, kind, field, tmp_path):
    answer = judge("--type", kind, "--evidence", made(tmp_path, f"event_log/{name}"))
    assert answer.get("field") == field
    assert ("rtmrs" in answer["claims"]) == (field is None)


def enrolled(directory):
    evidence = made(directory, "tpm_quote/evidence")
    with open(evidence, encoding="ascii") as opened:
        key = base64.encodebytes(base64.b64decode(json.load(opened)["ak_public"])).decode()
    put(directory / "ak.pem", f"-----BEGIN PUBLIC KEY-----\n{key}-----END PUBLIC KEY-----\n".encode())
    return "--type", "tpm", "--evidence", evidence, "--endorsements", str(directory)


def test_tpm_evidence_is_judged(tmp_path):
    words = *enrolled(tmp_path), "--report-data", NONCE
    answer = judge(*words, "--set", "reset-count=7")
    assert answer["accepted"] and len(answer["claims"]["pcrs"]) == 24
    assert answer["claims"]["not_judged"] == ["pcrs", "eventlog"]
    assert judge(*words[:-1], "00")["field"] == "quote-nonce"
    assert judge(*words, "--set", "pcrs=0,1")["field"] == "quote-pcrs"
    for selection in (b"0,1", b"sha256:0,1\n", b"sha256:0,1\r\n", b"sha256: 0, 1\n"):
        put(tmp_path / "pcr_selection.txt", selection)
        assert judge(*words)["field"] == "quote-pcrs"
    every = ",".join(map(str, range(24)))
    assert judge(*words, "--set", f"pcrs={every}")["accepted"]
    put(tmp_path / "pcr_selection.txt", f"sha256:{every}\n".encode())
    assert judge(*words, "--time", "2026-11-28T19:45:00Z")["accepted"]
    put(tmp_path / "pcr_selection.txt", b"sha384:0\n")
    code, _, err = verify(*words)
    assert code == 2 and "pcr_selection.txt: there is no PCR 'sha384:0'" in err
    os.unlink(tmp_path / "pcr_selection.txt")
    assert judge(*words, "--set", "reset-count=8")["field"] == "quote-reset"
    put(tmp_path / "pcrs.json", json.dumps({"sha256": {"9": "11" * 32}}).encode())
    assert judge(*words)["field"] == "register-value"
    put(tmp_path / "ak.pem", open(f"{CORPUS}/tpm_quote/key_pem", "rb").read()[1:])
    assert judge(*words)["field"] == "key-unknown"


def test_without_an_enrolled_key_no_quote_is_good(tmp_path):
    evidence = made(tmp_path, "tpm_quote/evidence")
    os.mkdir(tmp_path / "empty")
    for words in ([], ["--endorsements", str(tmp_path / "empty")]):
        answer = judge("--type", "tpm", "--evidence", evidence, "--report-data", NONCE, *words)
        assert (answer["check"], answer["field"]) == ("signature", "key-unknown")


def test_a_log_has_no_report_data_to_judge(tmp_path):
    log = made(tmp_path, "event_log/tpm_sha256")
    assert judge("--type", "eventlog", "--evidence", log, "--report-data", "")["accepted"]


def sized(data):
    return struct.pack(">H", len(data)) + data


def quote_of(directory, pcrs):
    """Evidence of all PCRs, by a key of this run, which is enrolled."""
    values = [bytes.fromhex(pcrs.get(str(index), 64 * "0")) for index in range(24)]
    message = b"\xffTCG\x80\x18" + sized(b"\0\x0b" + bytes(32)) + sized(b"n") + struct.pack(">QIIBQ", 1, 2, 3, 1, 4) \
        + struct.pack(">IHB", 1, 0x0b, 3) + 3 * b"\xff" + sized(hashlib.sha256(b"".join(values)).digest())

    def openssl(*words):
        return subprocess.run(["openssl", *words], check=True, capture_output=True, timeout=60).stdout

    openssl("genrsa", "-out", f"{directory}/key", "2048")
    put(directory / "ak.pem", openssl("rsa", "-in", f"{directory}/key", "-pubout"))
    signature = openssl("dgst", "-sha256", "-sign", f"{directory}/key", put(directory / "message", message))
    evidence = {"tpm_quote": {"message": base64.b64encode(message).decode(), "pcrs": [value.hex() for value in values],
                              "signature": base64.b64encode(struct.pack(">HH", 0x14, 0x0b) + sized(signature)).decode()},
                "ak_public": base64.b64encode(openssl("rsa", "-in", f"{directory}/key", "-pubout", "-outform", "DER")).decode()}
    return put(directory / "quoted", json.dumps(evidence).encode())


def test_a_log_must_explain_what_is_quoted(tmp_path):
    log = made(tmp_path, "event_log/tpm_sha256")
    pcrs = judge("--type", "eventlog", "--evidence", log)["claims"]["pcrs"]
    os.rename(log, tmp_path / "eventlog.bin")

    def with_pcrs(more):
        return judge("--type", "tpm", "--evidence", quote_of(tmp_path, pcrs | more), "--endorsements", str(tmp_path),
                     "--report-data", NONCE)

    answer = with_pcrs({"10": "11" * 32, "17": "ff" * 32})
    assert answer["accepted"] and answer["claims"]["not_judged"] == ["pcrs", "reset-count"]
    for index in ("0", "7", "12", "16"):
        answer = with_pcrs({index: "11" * 32})
        assert answer["field"] == "register-value" and f"PCR {index} " in answer["reason"]


@pytest.mark.parametrize("words, text", [
    (["--report-data", NONCE], "--report-data means nothing to this type"),
    (["--time", "yesterday"], "yesterday"),
    (["--root", "/proc/version"], "--root means nothing to this type"),
    (["--endorsements", "/nowhere"], "--endorsements: there is no '/nowhere'"),
    (["--endorsements", "/proc/self"], "/proc/self/pcrs.json"),
    (["--set", "bank=sha1"], "--set bank=sha1"),
    (["--set", "rtmr0=00"], "--set rtmr0=00"),
])
def test_a_log_without_a_verdict_exits_2(words, text, tmp_path):
    code, out, err = verify("--type", "eventlog", "--evidence", made(tmp_path, "event_log/tpm_sha256"), *words)
    assert (code, out) == (2, "") and text in err


@pytest.mark.parametrize("words, text", [
    (["--set", "rtmr0=00"], "--set rtmr0"),
    (["--set", "rtmr4=" + 48 * "00"], "--set rtmr4"),
    (["--set", "bank=sha256"], "--set bank=sha256"),
    (["--report-data", NONCE], "--report-data means nothing to this type without --endorsements"),
    (["--endorsements", "/nowhere"], "--report-data is missing"),
    (["--endorsements", "/nowhere", "--report-data", 64 * "00"], "--time is missing"),
    (["--endorsements", "/proc/self", "--report-data", 64 * "00", "--time", "now"], "/proc/self/quote.bin"),
    (["--root", "/proc/version"], "--root means nothing to this type without --endorsements"),
])
def test_a_ccel_without_a_verdict_exits_2(words, text, tmp_path):
    code, out, err = verify("--type", "ccel", "--evidence", made(tmp_path, "event_log/ccel_ff"), *words)
    assert (code, out) == (2, "") and text in err


@pytest.mark.parametrize("words, text", [
    ([], "--report-data is missing"),
    (["--report-data", NONCE, "--time", "yesterday"], "yesterday"),
    (["--report-data", NONCE, "--endorsements", "/nowhere"], "there is no '/nowhere'"),
    (["--report-data", ""], "--report-data has 1 to 64 bytes"),
    (["--report-data", NONCE, "--set", "pcrs=24"], "there is no PCR '24'"),
    (["--report-data", NONCE, "--set", "pcrs="], "there is no PCR ''"),
    (["--report-data", NONCE, "--set", "reset-count=x"], "--set reset-count=x"),
    (["--report-data", NONCE, "--set", "debug=yes"], "type tpm has no such key"),
])
def test_tpm_evidence_without_a_verdict_exits_2(words, text, tmp_path):
    code, out, err = verify(*enrolled(tmp_path), *words)
    assert (code, out) == (2, "") and text in err
