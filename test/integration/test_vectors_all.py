# SPDX-License-Identifier: Apache-2.0
"""Each published sample has a case that gives its verdict, or a reason why none of our types is concerned: a sample that is
added to the directory is missed here until it has either."""
import os

import pytest

import test_vectors as snp
import test_vectors_azure as azure
import test_vectors_log as log
import test_vectors_tdx as tdx
from test_vectors import VECTORS, judge

pytestmark = pytest.mark.skipif(not VECTORS, reason="VECTORS names no directory of published evidence")

LOGS = ("arch-linux-workstation cos-101-amd-sev eventlogwithsp800155 glinux-alex rhel8-uefi ubuntu-2104-no-secure-boot "
        "ubuntu-2404-amd-sevsnp").split()

CASES = [
    (snp.test_snp_samples_are_authentic, "snp/trustee-test-report.bin snp/trustee-test-vcek.der snp/virtee-report_milan.hex "
     "snp/virtee-vcek_milan.der snp/derived-e2e-v3-report.bin snp/derived-e2e-v3-vcek.der snp/trustee-test-vlek-report.bin "
     "snp/trustee-test-vlek.der certs-amd/trustee-milan_ask_ark_asvk.pem certs-amd/trustee-genoa_ask_ark_asvk.pem"),
    (snp.test_snp_samples_that_are_refused, "snp/gosev-attestation.bin snp/gosev-vcek.der snp/neg-gosev-measurement-flip.bin "
     "snp/neg-gosev-sig-flip.bin snp/trustee-test-vcek-invalid-legacy.der snp/trustee-test-vcek-invalid-new.der "
     "snp/virtee-vcek_turin.der"),
    (snp.test_snp_intermediate_certificates_of_amd, "certs-amd/trustee-turin_ask_ark_asvk.pem"),
    (snp.test_snp_chains_as_amd_sends_them, "certs-amd/gosev-milan-ask-ark.pem certs-amd/gosev-milan-asvk-ark.pem"),
    (tdx.test_tdx_samples_are_authentic, "tdx/trustee-tdx_quote_5.dat tdx/trustee-tdx_quote_6.dat tdx/gotdx-prod_quote_SPR_E4.dat "
     "tdx/gotdx-quote_v5_sample.dat tdx/gotdx-cos-113-tdx-quote.dat tdx/phala-tdx_quote.bin tdx/phala-tdx_quote_outdated.bin"),
    (tdx.test_tdx_samples_that_are_refused, "tdx/trustee-tdx_quote_4.dat tdx/neg-quote4-mrtd-flip.bin "
     "tdx/neg-quote4-qereportdata-flip.bin tdx/coco-tdreport_1.bin tdx/gotdx-tdreport.bin sgx/phala-sgx_quote.bin"),
    (tdx.test_tdx_report_data_is_that_of_the_nonce, "tdx/gotdx-cos-113-nonce.dat"),
    (tdx.test_tdx_collateral_says_up_to_date, "tdx/phala-tdx_quote_collateral.json"),
    (tdx.test_tdx_collateral_of_an_outdated_platform, "tdx/phala-tdx_quote_outdated_collateral.json tdx/gotdx-tcbInfo_v5.json"),
    (tdx.test_tdx_collateral_of_other_platforms, "sgx/phala-sgx_quote_collateral.json"),
    (tdx.test_tdx_old_collateral_is_authentic_and_refused, "tdx/gotdx-tcbInfo.json tdx/gotdx-qeIdentity.json tdx/gotdx-rootcrl.der "
     "tdx/gotdx-pckcrl.der"),
    (tdx.test_tdx_a_root_replaces_intels, "tdx/intel-sgx-root-ca.pem"),
    (azure.test_azure_evidence_is_taken_as_one_chain, "azure/snp-evidence-v0.json azure/snp-evidence-v1.json "
     "azure/snp-evidence-v2.json azure/snp-evidence-genoa.json azure/tdx-evidence-v0.json azure/tdx-evidence-v1.json"),
    (azure.test_azure_hardware_reports_alone_are_authentic, "azure/derived-snp-v1-hcl.bin azure/derived-snp-v1-vcek.der "
     "azure/derived-snp-v2-hcl.bin azure/derived-snp-v2-vcek.der azure/derived-snp-genoa-hcl.bin azure/derived-snp-genoa-vcek.der"),
    (azure.test_azure_a_report_with_its_certificates_and_a_quote_that_is_not_its, "azure/snp-hcl-report.bin azure/snp-vcek.pem "
     "azure/snp-tpm-quote.msg azure/snp-tpm-quote.sig"),
    (azure.test_azure_quotes_in_other_containers_are_the_same, "azure/snp-quote.bin azure/tdx-quote.bin azure/snp-tpm-quote-v1.json "
     "azure/tdx-tpm-quote-v1.json"),
    (azure.test_azure_a_certificate_in_pem_is_the_one_of_the_evidence, "azure/snp-vcek-genoa.pem"),
    (azure.test_azure_tdx_report_and_quote_in_files_of_their_own, "azure/tdx-hcl-report.bin azure/tdx-td-quote.bin"),
    (log.test_logs_of_real_machines_replay, " ".join(f"tpm/gotpm-{name}.bin" for name in LOGS)),
    (log.test_a_log_of_sha1_digests_is_refused, "tpm/gotpm-debian-10.bin"),
    (log.test_logs_of_ovmf_replay_to_the_pcrs_of_their_tpm, " ".join(
        f"tpm/ovmf/{name}-eventlog.bin tpm/ovmf/{name}-pcrs-sha256.bin" for name in log.OVMF)),
    (log.test_published_ccels_replay_and_match_no_quote_of_another, " ".join(f"ccel/{name}" for name in log.CCELS)),
    (log.test_the_acpi_table_of_a_ccel_is_no_log, "ccel/gotdx-cos-113-ccel_table.dat"),
    (log.test_a_quote_of_swtpm_is_taken_for_its_nonce_and_its_pcrs_alone, "tpm/swtpm/q.msg tpm/swtpm/q.sig tpm/swtpm/q.pcrs "
     "tpm/swtpm/ak.pem"),
    (log.test_a_key_of_swtpm_is_enrolled_by_its_public_area, "tpm/swtpm/ak.pub"),
    (log.test_evidence_of_trustee_is_refused_until_its_key_is_enrolled, "tpm/trustee-tpm_evidence.json"),
]

NOT_OURS = [
    ("an attestation key is trusted because it is enrolled, not because of an endorsement key's certificate: no type takes one",
     "certs-tpm/gotpm-gcp_ek_ak_ca_intermediate_v3.crt certs-tpm/gotpm-gcp_ek_ak_ca_root.crt certs-tpm/gotpm-tpm_ek_intermediate_2.crt "
     "certs-tpm/gotpm-tpm_ek_root_1.cer tpm/swtpm/ek-rsa.der tpm/swtpm/ek-ecc.der tpm/swtpm/ek.pub tpm/swtpm/localca-issuer.pem "
     "tpm/swtpm/localca-root.pem"),
    ("a key is known by its SPKI, not by its TPM name; nothing activates a credential", "tpm/swtpm/ak.name tpm/swtpm/cred.out"),
    ("protobuf of another project: type tpm is JSON as Trustee's attester writes it",
     "tpm/gotpm-gce-cos-85-nonce9009.pb tpm/gotpm-gce-cos-85-no-nonce.pb"),
    ("certificates of RA-TLS: the channel has evidence beside the certificate, and there is no type for them",
     "ratls/ccc-gramine-cert.pem ratls/ccc-intel-sgxsdk-cert.pem ratls/ccc-rats-tls-cert.pem"),
    ("the protocol of a key broker", "trustee/kat-rcar.json"),
    ("CoRIM: reference values here have a format of their own", "trustee/unsigned-example-corim.cbor"),
]
# Refused below: no type of evidence here.
REFUSED = "trustee/cca-example-token.cbor trustee/e2e-snp-evidence.json"


def test_each_sample_has_a_case_or_a_reason():
    found = {os.path.relpath(os.path.join(folder, name), VECTORS) for folder, _, names in os.walk(VECTORS) for name in names}
    listed = [name for _, names in CASES + NOT_OURS for name in names.split()] + REFUSED.split()
    assert len(listed) == len(set(listed)), "a sample stands there twice"
    assert sorted(set(listed)) == sorted(found - {"MANIFEST.md"})
    assert all(test.__name__.startswith("test_") for test, _ in CASES)


@pytest.mark.parametrize("name", REFUSED.split())
def test_what_is_no_report_of_sev_snp(name, tmp_path):
    """The SNP evidence of a key broker is JSON, and its report is in `derived-e2e-v3-report.bin` as it was signed."""
    for copied in ("vcek.der", "ask.pem"):
        (tmp_path / copied).write_bytes(snp.file("snp/derived-e2e-v3-vcek.der" if copied == "vcek.der" else
                                                 "certs-amd/trustee-genoa_ask_ark_asvk.pem"))
    (tmp_path / "evidence").write_bytes(snp.file(name))
    code, answer = judge(tmp_path, "--type", "snp", "--evidence", "evidence", "--endorsements", ".", "--report-data", 64 * "00",
                         "--time", "2025-06-01T00:00:00Z")
    assert code == 1 and answer["check"] == "format"


def test_types_that_there_are_not(tmp_path):
    for kind in ("cca", "sgx", "se", "sev"):
        with pytest.raises(AssertionError, match="is not in this build"):
            judge(tmp_path, "--type", kind, "--evidence", f"{VECTORS}/trustee/cca-example-token.cbor", "--report-data", "00",
                  "--time", "now")
