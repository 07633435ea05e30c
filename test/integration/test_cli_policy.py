# SPDX-License-Identifier: Apache-2.0
"""`cleave evidence verify --policy FILE`: reference values, on evidence of a TPM that is made here. Needs no bed."""
import hashlib
import json
import subprocess
import time

import pytest

from test_cli_evidence import CLEAVE, NONCE, judge, made, put, quote_of, verify

TIME = "2026-11-28T00:00:00Z"
PCRS = {"4": "44" * 32, "9": "99" * 32}


def tpm_values(**more):
    return {"format": "cleave-reference-values/1", "id": "image", "serial": 3, "not_after": "2027-01-01T00:00:00Z",
            "tpm": {"trust_anchor": "host-vtpm", "attestation_keys": "any", "selection": "all",
                    "pcrs": {"4": [64 * "1", PCRS["4"]], "9": [PCRS["9"]], "12": ["0"]}}} | more


def tpm_section(**more):
    return {"tpm": tpm_values()["tpm"] | more}


def openssl(*words):
    return subprocess.run(["openssl", *words], check=True, capture_output=True, timeout=60).stdout


class Policy:
    def __init__(self, directory):
        self.directory = directory
        self.evidence = quote_of(directory, PCRS)
        self.key = hashlib.sha256(openssl("rsa", "-in", f"{directory}/key", "-pubout", "-outform", "DER")).hexdigest()

    def write(self, values):
        return put(self.directory / "values.json", (values if isinstance(values, str) else json.dumps(values)).encode())

    def words(self, values, *more, at=TIME):
        return ("--type", "tpm", "--evidence", self.evidence, "--report-data", NONCE, "--time", at,
                "--policy", self.write(values), *more)

    def judge(self, values, *more, **options):
        return judge(*self.words(values, *more, **options))

    def refused(self, values, *more, **options):
        answer = self.judge(values, *more, **options)
        assert not answer["accepted"]
        return answer["check"], answer["field"]

    def fails(self, values, *more):
        """No verdict: what stands on stderr."""
        code, out, err = verify(*self.words(values, *more))
        assert (code, out) == (2, "")
        return err


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    return Policy(tmp_path_factory.mktemp("policy"))


def test_evidence_is_accepted_by_values(policy):
    answer = policy.judge(tpm_values())
    assert answer["accepted"]
    assert answer["claims"]["policy"] == {"id": "image", "serial": 3}
    assert answer["claims"]["not_judged"] == ["eventlog", "reset-count"]
    assert policy.judge(tpm_values(**tpm_section(attestation_keys=[64 * "0", policy.key])))["accepted"]
    assert policy.judge(tpm_values(), "--set", "reset-count=2")["accepted"]


@pytest.mark.parametrize("values, expected", [
    (tpm_values(**tpm_section(attestation_keys=[64 * "0"])), ("signature", "key-unknown")),
    (tpm_values(**tpm_section(pcrs={"4": [64 * "1"]})), ("measurement", "register-value")),
    (tpm_values(**tpm_section(pcrs={"9": ["0"]})), ("measurement", "register-value")),
    (tpm_values(**tpm_section(selection=[4, 9, 12])), ("measurement", "quote-pcrs")),
    (tpm_values(revoked=[PCRS["9"]]), ("measurement", "register-value")),
    (tpm_values(not_after="2026-11-27T23:59:59Z"), ("policy", "not_after")),
])
def test_evidence_is_refused_by_values(policy, values, expected):
    assert policy.refused(values) == expected


def test_values_hold_up_to_their_end(policy):
    assert policy.judge(tpm_values(), at="2027-01-01T00:00:00Z")["accepted"]
    assert policy.refused(tpm_values(), at="2027-01-01T00:00:01Z") == ("policy", "not_after")


@pytest.mark.parametrize("kind", ["snp", "tdx", "az-snp-vtpm", "az-tdx-vtpm"])
def test_a_type_without_a_section_is_refused(policy, kind):
    answer = judge("--type", kind, "--evidence", policy.evidence, "--report-data", 128 * "0", "--time", TIME,
                   "--policy", policy.write(tpm_values()))
    assert (answer["check"], answer["field"]) == ("policy", "type") and f"no section for type {kind}" in answer["reason"]


@pytest.mark.parametrize("values, text", [
    ("", "values.json"),
    ("{", "reference values: "),
    ("[]", "an object is wanted"),
    (tpm_values(format="cleave-reference-values/2"), "format: \"cleave-reference-values/1\" is wanted"),
    (tpm_values(note=1), "there is no member 'note'"),
    (json.dumps(tpm_values()).replace('"serial": 3', '"serial": 3, "serial": 3'), "a key stands twice"),
    (tpm_values(serial=None), "serial is missing"),
    (tpm_values(serial=-1), "serial: a number"),
    (tpm_values(tpm={"attestation_keys": "any", "pcrs": {"4": ["0"]}}), "tpm: trust_anchor is missing: a TPM that the host"),
    (tpm_values(**tpm_section(pcrs={"24": ["0"]})), "tpm: pcrs: there is no PCR '24'"),
    (tpm_values(tdx={}), "tdx: mr_td is missing"),
    (tpm_values(snp={"guest_policy": {"debug": True}}), "snp: measurements is missing"),
])
def test_a_file_that_is_wrong_gives_no_verdict(policy, values, text):
    err = policy.fails(values)
    assert "--policy: " in err and "values.json" in err
    assert text in err


def sign(policy, name="signer"):
    path = f"{policy.directory}/{name}"
    openssl("ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", path)
    openssl("ec", "-in", path, "-pubout", "-out", path + ".pem")
    openssl("dgst", "-sha256", "-sign", path, "-out", f"{policy.directory}/values.json.sig", f"{policy.directory}/values.json")
    return "--policy-key", path + ".pem"


def test_a_signature_is_that_of_openssl(policy):
    policy.write(tpm_values())
    words = sign(policy)
    assert policy.judge(tpm_values(), *words)["accepted"]
    assert "by none of the keys" in policy.fails(tpm_values(serial=4), *words)
    sign(policy, "other")
    policy.write(tpm_values())
    assert "by none of the keys" in policy.fails(tpm_values(), *words)
    put(policy.directory / "values.json.sig", b"")
    assert "signature of 0 bytes" in policy.fails(tpm_values(), *words)
    (policy.directory / "values.json.sig").unlink()
    assert "values.json.sig" in policy.fails(tpm_values(), *words)
    # Without a key, whoever names the file answers for it.
    assert policy.judge(tpm_values())["accepted"]


def test_what_the_file_says_is_not_set(policy):
    assert "--set pcrs=4: with --policy the file says it" in policy.fails(tpm_values(), "--set", "pcrs=4")
    assert "--set key=vlek: with --policy the file says it" in policy.fails(tpm_values(), "--set", "key=vlek")


def test_values_mean_nothing_to_a_log(tmp_path):
    values = put(tmp_path / "values.json", json.dumps(tpm_values()).encode())
    code, _, err = verify("--type", "eventlog", "--evidence", made(tmp_path, "event_log/tpm_sha256"), "--time", TIME,
                          "--policy", values)
    assert code == 2 and "--policy means nothing to this type" in err


@pytest.mark.parametrize("words, text", [
    (["--policy", "vmpl=0"], "there is no file 'vmpl=0' (one key is set by --set vmpl=0)"),
    (["--policy", "/nowhere"], "/nowhere"),
    (["--policy-key", "/nowhere"], "--policy-key means nothing without --policy"),
])
def test_words_without_a_verdict(policy, words, text):
    code, out, err = verify("--type", "tpm", "--evidence", policy.evidence, "--report-data", NONCE, "--time", TIME, *words)
    assert (code, out) == (2, "") and text in err


def test_values_need_a_time(policy):
    code, out, err = verify("--type", "tpm", "--evidence", policy.evidence, "--report-data", NONCE, "--policy",
                            policy.write(tpm_values()))
    assert (code, out) == (2, "") and "--time is missing: reference values expire" in err


def check(policy, values, *words):
    done = subprocess.run([CLEAVE, "policy", "check", policy.write(values), *words], capture_output=True, text=True, timeout=60,
                          check=False)
    return done.returncode, done.stdout, done.stderr


def test_a_file_is_told_in_words(policy):
    later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 86400))
    values = tpm_values(not_after=later, epoch_min={"prod/db": 7}, revoked=[64 * "1", 96 * "2"], snp={
        "measurements": [96 * "1"], "products": ["Milan", "Genoa"], "guest_policy": {},
        "tcb_min": {"Milan": dict.fromkeys(("bootloader", "tee", "snp", "microcode"), 0),
                    "Genoa": dict.fromkeys(("bootloader", "tee", "snp", "microcode"), 9)}})
    code, out, err = check(policy, values)
    assert (code, err) == (0, "") and out.startswith(f"image, serial 3, until {later}, signature not looked at")
    for line in ("open: Milan with any firmware, however old", "open: any chip of these products", "open: any attestation key",
                 "Genoa: firmware not older than bootloader 9, tee 9, snp 9, microcode 9", "open: a TPM that the host runs",
                 "PCR 4: one of 2", "open: any value of PCR 0, 1, 2, 3, 5, 6, 7, 10, 11, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23\n",
                 "PCR 8: what the pod's initdata gives", "AMD's revocation list has to be there", "pod prod/db: epoch 7 or higher",
                 "revoked: 2 digests, wherever they appear\n"):
        assert line in out
    assert "tdx" not in out and "VLEK" not in out
    words = "--key", sign(policy)[1]
    code, out, _ = check(policy, values, *words)
    assert code == 0 and f"until {later}, signed" in out


def test_a_file_that_is_not_good_is_told(policy):
    code, out, err = check(policy, tpm_values(not_after="2026-01-01T00:00:00Z"))
    assert code == 1 and "has expired on 2026-01-01T00:00:00Z" in err and "until 2026-01-01" in out
    code, out, err = check(policy, tpm_values(note=1))
    assert (code, out) == (1, "") and "there is no member 'note'" in err
    key = sign(policy)[1]
    code, out, err = check(policy, tpm_values(), "--key", key)
    assert (code, out) == (1, "") and "by none of the keys" in err
