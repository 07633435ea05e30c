# SPDX-License-Identifier: Apache-2.0
"""A boot that is measured, for real: QEMU, OVMF and swtpm through libvirt. The TPM is the host's own program, so this shows that the
mechanism works, not that a host could not cheat."""
import hashlib
import json
import os
import re
import shutil
import struct
import subprocess

import grpc
import pytest

import cri as cri_program
import setup as bed_setup
from conftest import BUILD, BUSYBOX, configure, eventually

RENEWAL = 15 + 10   # a renewal and an appraisal, in seconds
SLEEP = ["sleep", "1000"]
FIRMWARES = (0, 1, 2, 3, 4, 5, 6, 7, 9)
INITDATA, NO_ACTION = 8, 3


def events(log):
    """(pcr, type, sha256, data) of a TCG2 log whose only bank is SHA-256."""
    _, _, length = struct.unpack_from("<II20xI", log)
    at = 32 + length
    while at < len(log):
        pcr, kind, count = struct.unpack_from("<III", log, at)
        assert count == 1 and struct.unpack_from("<H", log, at + 12)[0] == 0x0b
        [size] = struct.unpack_from("<I", log, at + 46)
        yield pcr, kind, log[at + 14:at + 46], log[at + 50:at + 50 + size]
        at += 50 + size


def replay(log, pcr):
    value = bytes(32)
    for index, kind, digest, _ in events(log):
        if index == pcr and kind != NO_ACTION:
            value = hashlib.sha256(value + digest).digest()
    return value.hex()


def image(name):
    with open(f"{BUILD}/image/{name}", "rb") as file:
        return file.read()


# ---- judged by the tenant ---------------------------------------------------------------------

class Owner:
    """Of the reference values that `make image` wrote: signs them for the tenant's node."""

    def __init__(self, bed, directory):
        self.bed, self.key, self.values = bed, str(directory / "key.pem"), str(directory / "values.json")
        self.id = "test-" + os.urandom(8).hex()     # the node remembers the serials of each
        keys = str(directory / "keys.pem")
        self.openssl("ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", self.key)
        self.openssl("ec", "-in", self.key, "-pubout", "-out", keys)
        shutil.copy(keys, bed.path("tenant", "/etc/cleave/reference-keys.pem"))

    @staticmethod
    def openssl(*words):
        subprocess.run(["openssl", *words], check=True, capture_output=True)

    def publish(self, **changes):
        values = {**json.loads(image("reference-values.json")), "id": self.id, **changes}
        with open(self.values, "w", encoding="utf-8") as file:
            json.dump(values, file)
        self.openssl("dgst", "-sha256", "-sign", self.key, "-out", self.values + ".sig", self.values)
        for end in (".sig", ""):
            shutil.copy(self.values + end, self.bed.path("tenant", "/etc/cleave/reference-values.json" + end))
        return values


@pytest.fixture
def judged(bed, vm, tmp_path):
    """A tenant that takes nothing but a quote of the TPM, by the values of the image; their owner."""
    bed.use_guest("vm", boot=bed_setup.MEASURED)
    configure(bed, lambda text: text.replace('evidence = "sample"\n', 'evidence = "tpm"\n', 1)
              .replace('allow_insecure_evidence = ["sample"]\n', ""))
    before = {role: set(os.listdir(bed.path(role, "/etc/cleave"))) for role in ("host", "tenant")}
    owner = Owner(bed, tmp_path)
    owner.publish()
    yield owner
    for role, names in before.items():
        for name in set(os.listdir(bed.path(role, "/etc/cleave"))) - names:
            os.unlink(bed.path(role, f"/etc/cleave/{name}"))


def boot_another(bed, key, content):
    """host.conf names a file with this content."""
    with open(bed.path("host", f"/etc/cleave/{key}"), "wb") as file:
        file.write(content)
    conf = bed.path("host", "/etc/cleave/host.conf")
    with open(conf, encoding="utf-8") as file:
        text = re.sub(rf"(?m)^{key} = .*$", f'{key} = "/etc/cleave/{key}"', file.read())
    with open(conf, "w", encoding="utf-8") as file:
        file.write(text)


def with_one_letter(content, text):
    """The first letter of the text that is there becomes a small one, or a capital."""
    at = content.index(text)
    return content[:at] + bytes([content[at] ^ 0x20]) + content[at + 1:]


def another_kernel(bed):
    """Of the code that only a BIOS would start: the kernel is none the worse for it."""
    boot_another(bed, "kernel", with_one_letter(image("vmlinuz"), b"Undefined video mode number"))


def another_initrd(bed):
    """Of the same size, which QEMU writes into the kernel's header: else it would be another kernel, too. LZ4 has literal
    text where it is new."""
    boot_another(bed, "initrd", with_one_letter(image("initrd.img"), b"Copyright"))


def another_cmdline(bed):
    boot_another(bed, "cmdline", image("cmdline").replace(b"loglevel=0", b"loglevel=1"))


# The host's own helper, which gives the guest another epoch than the tenant has minted.
TAMPERING_HELPER = """#!/usr/bin/python3
import base64, json, os, subprocess, sys
question = sys.stdin.read()
if sys.argv[1] == "create":
    asked = json.loads(question)
    told = base64.b64decode(asked["initdata"])
    at = told.index(b'"cleave.epoch" = "') + 18
    asked["initdata"] = base64.b64encode(told[:at] + (b"2" if told[at:at + 1] == b"1" else b"1") + told[at + 1:]).decode()
    question = json.dumps(asked)
done = subprocess.run(["{helper}", *sys.argv[1:]], input=question, text=True)
sys.exit(done.returncode)
"""


def other_initdata(bed):
    helper = f"{bed.state['build']}/bin/cleave-host-helper"
    boot_another(bed, "helper", TAMPERING_HELPER.replace("{helper}", helper).replace(
        "asked = json.loads(question)", 'asked = json.loads(question)\n    asked.pop("parent")').encode())
    os.chmod(bed.path("host", "/etc/cleave/helper"), 0o755)


def look_inside(tenant, ctr):
    """The registers, and the log that explains them, as a privileged container sees them."""
    code, out, err = tenant.exec(ctr, "sh", "-c", "cd /sys/class/tpm/tpm0/pcr-sha256 && for p in $(seq 0 23); do cat $p; done")
    assert code == 0, err
    code, log, err = tenant.exec(ctr, "sh", "-c", "mkdir -p /tmp/s && mount -t securityfs none /tmp/s && cat /tmp/s/tpm0/binary_bios_measurements")
    assert code == 0, err
    return out.decode().lower().split(), log


def status(bed):
    return bed.run("tenant", f"{bed.state['build']}/bin/cleave", "status", check=False).stdout


def test_the_image_that_was_measured_is_accepted_until_it_is_revoked(bed, nodes, judged):
    tenant, linux = nodes["tenant"], {"security_context": {"privileged": True}}
    configure(bed, lambda text: "guest_root = true\n" + text)
    pod = tenant.run_pod("measured", linux=linux)
    assert "tpm" in status(bed) and "host-vtpm" in status(bed), status(bed)
    ctr = tenant.run(pod, "one", BUSYBOX, SLEEP, linux=linux)
    pcrs, log = look_inside(tenant, ctr)
    assert {pcr: pcrs[pcr] for pcr in FIRMWARES} == {pcr: replay(log, pcr) for pcr in FIRMWARES}
    assert all(int(pcrs[pcr], 16) for pcr in (*FIRMWARES, INITDATA))
    loads = {data[8:].rstrip(b"\0"): digest for pcr, _, digest, data in events(log) if pcr == 9}
    line = image("cmdline").decode() + " initrd=initrd\0"
    assert loads == {b"LOADED_IMAGE::LoadOptions": hashlib.sha256(line.encode("utf-16-le")).digest(),
                     b"Linux initrd": hashlib.sha256(image("initrd.img")).digest()}
    judged.publish(serial=2)                    # judged again, and still good
    eventually(lambda: f"{judged.id}, serial 2" in status(bed), RENEWAL, what="the new verdict")
    assert tenant.exec(ctr, "echo", "here")[1] == b"here\n"
    judged.publish(serial=3, revoked=[pcrs[4]])
    eventually(lambda: tenant.container_status(ctr).state == cri_program.EXITED, RENEWAL, what="the end of the container")
    assert tenant.container_status(ctr).exit_code == 255
    eventually(lambda: nodes["host"].pods() == [], 20, what="the end of the host's half")
    with pytest.raises(grpc.RpcError) as refusal:
        tenant.run_pod("again")
    assert "revoked" in refusal.value.details()
    tenant.stop_pod(pod)
    tenant.remove_pod(pod)


@pytest.mark.parametrize("change, words", [
    (another_kernel, ["PCR 4"]),
    (another_cmdline, ["PCR 9", "the command line is another"]),
    (another_initrd, ["PCR 9", "the initrd is another"]),
    (other_initdata, ["the guest carries other initdata than ours"]),
], ids=["kernel", "command line", "initrd", "initdata"])
def test_one_byte_of_what_boots_is_another(bed, nodes, judged, change, words):
    change(bed)
    with pytest.raises(grpc.RpcError) as refusal:
        nodes["tenant"].run_pod("tampered")
    assert all(word in refusal.value.details() for word in words), refusal.value.details()
    eventually(lambda: nodes["host"].pods() == [], what="the end of the host's half")


def check_host(bed):
    """{row: (grade, fact)} of `cleave check host` on the host node."""
    done = bed.run("host", f"{bed.state['build']}/bin/cleave", "check", "host", check=False)
    rows = re.findall(r"(?m)^(ok|warn|FAIL) +([a-z-]+): (.+)$", done.stdout)
    assert rows, done.stdout + done.stderr
    return {name: (grade, fact) for grade, name, fact in rows}


def test_a_host_is_told_what_its_libvirt_can_make(bed, vm):
    bed.use_guest("vm", boot=bed_setup.MEASURED)
    found = check_host(bed)
    assert found["domain"][0] == "ok" and found["tpm"][0] == "warn" and "host-vtpm" in found["tpm"][1]
    conf = bed.path("host", "/etc/cleave/host.conf")
    with open(conf, encoding="utf-8") as file:
        text = file.read()
    for launch in ("sev-snp", "tdx"):
        with open(conf, "w", encoding="utf-8") as file:
            file.write(text.replace('tpm = "swtpm"', f'launch_security = "{launch}"'))
        grade, fact = check_host(bed)["domain"]
        assert grade == "FAIL" and f'launch_security = "{launch}"' in fact
    with open(conf, "w", encoding="utf-8") as file:
        file.write(text.replace(bed_setup.MEASURED[1], "/usr/share/OVMF/OVMF_CODE_4M.fd"))
    grade, fact = check_host(bed)["firmware"]
    assert grade == "FAIL" and "64 KiB" in fact
