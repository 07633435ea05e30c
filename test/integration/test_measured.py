# SPDX-License-Identifier: Apache-2.0
"""A boot that is measured, for real: QEMU, OVMF and swtpm through libvirt. The TPM is the host's own program, so this shows that the
mechanism works, not that a host could not cheat."""
import hashlib
import re
import struct

import pytest

import setup as bed_setup
from conftest import BUILD, BUSYBOX

SLEEP = ["sleep", "1000"]
FIRMWARES = (0, 1, 2, 3, 4, 5, 6, 7, 9)
NO_ACTION, INITRD, OPTIONS = 3, b"Linux initrd", b"LOADED_IMAGE::LoadOptions"


@pytest.fixture
def measured(bed, vm):
    bed.use_guest("vm", boot=bed_setup.MEASURED, guest_root=True)


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


def test_firmware_and_kernel_measure_what_they_load(nodes, measured):
    """Seen from inside: the registers, and the log that explains them."""
    tenant = nodes["tenant"]
    linux = {"security_context": {"privileged": True}}
    pod = tenant.run_pod("measured", linux=linux)
    ctr = tenant.run(pod, "one", BUSYBOX, SLEEP, linux=linux)
    code, out, err = tenant.exec(ctr, "sh", "-c", "cd /sys/class/tpm/tpm0/pcr-sha256 && for p in $(seq 0 23); do cat $p; done")
    assert code == 0, err
    pcrs = out.decode().lower().split()
    code, log, err = tenant.exec(ctr, "sh", "-c", "mkdir -p /tmp/s && mount -t securityfs none /tmp/s && cat /tmp/s/tpm0/binary_bios_measurements")
    assert code == 0, err
    found = {data: digest for pcr, kind, digest, data in events(log) if pcr == 9}
    assert {pcr: pcrs[pcr] for pcr in FIRMWARES} == {pcr: replay(log, pcr) for pcr in FIRMWARES}
    assert all(int(pcrs[pcr], 16) for pcr in FIRMWARES)
    [initrd] = [digest for data, digest in found.items() if INITRD in data]
    [options] = [digest for data, digest in found.items() if OPTIONS in data]
    assert initrd == hashlib.sha256(image("initrd.img")).digest()
    line = image("cmdline").decode() + " initrd=initrd\0"
    assert options == hashlib.sha256(line.encode("utf-16-le")).digest()
    tenant.stop_pod(pod)
    tenant.remove_pod(pod)


def check_host(bed):
    """{row: (grade, fact)} of `cleave check host` on the host node."""
    done = bed.run("host", f"{bed.state['build']}/bin/cleave", "check", "host", check=False)
    rows = re.findall(r"(?m)^(ok|warn|FAIL) +([a-z-]+): (.+)$", done.stdout)
    assert rows, done.stdout + done.stderr
    return {name: (grade, fact) for grade, name, fact in rows}


def test_a_host_is_told_what_its_libvirt_can_make(bed, measured):
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
