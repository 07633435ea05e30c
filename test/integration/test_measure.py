# SPDX-License-Identifier: Apache-2.0
"""`cleave measure` against the truth: QEMU with OVMF and a software TPM boots the image's kernel with an initrd that says its PCRs,
and what was calculated beforehand is what it says. Needs no bed."""
import hashlib
import json
import os
import re
import struct
import subprocess
import sys
import time

import pytest

from conftest import BUILD, HERE

sys.path.insert(0, os.path.join(HERE, "..", "image"))
import build as image_build     # noqa: E402

CLEAVE = BUILD + "/bin/cleave"
VECTORS = os.environ.get("VECTORS", "")
KERNEL = BUILD + "/image/vmlinuz"
FIRMWARE = "/usr/share/ovmf/OVMF.fd"
BUSYBOX = "/bin/busybox"        # busybox-static
INITDATA = b'version = "0.1.0"\nalgorithm = "sha256"\n'
# TPM2_PCR_Extend, PCR 8, empty password, one SHA-256 digest.
EXTEND = bytes.fromhex("8002 00000041 00000182 00000008 00000009 40000009000000 0000 00000001 000b") + hashlib.sha256(INITDATA).digest()
INIT = """#!/bin/busybox sh
/bin/busybox mount -t devtmpfs d /dev
/bin/busybox mount -t sysfs s /sys
exec >/dev/ttyS0 2>&1 3<>/dev/tpm0
/bin/busybox printf '%s' >&3
/bin/busybox head -c 10 <&3 >/dev/null
for n in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
    echo "PCR $n $(/bin/busybox cat /sys/class/tpm/tpm0/pcr-sha256/$n)"
done
echo END
/bin/busybox poweroff -f
""" % "".join(f"\\x{byte:02x}" for byte in EXTEND)
CALCULATED = {"0", "2", "3", "4", "5", "6", "7", "8", "9", "11", "12", "13", "14", "15"}


def measure(*words):
    done = subprocess.run([CLEAVE, "measure", "--json", *words], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def pcrs_of(*words):
    """{"4": (value, compared)}"""
    values = measure("--type", "tpm", *words)["tpm"]
    return {name[3:]: (value["value"], value["compared"]) for name, value in values.items() if "value" in value}


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    if not os.path.exists(KERNEL):
        pytest.fail("no guest image: make image")
    folder = tmp_path_factory.mktemp("image")
    tree = folder / "tree"
    for name in ("bin", "dev", "sys"):
        (tree / name).mkdir(parents=True)
    (tree / "bin/busybox").write_bytes(open(BUSYBOX, "rb").read())
    (tree / "init").write_text(INIT)
    for name in ("bin/busybox", "init"):
        (tree / name).chmod(0o755)
    (folder / "vmlinuz").symlink_to(KERNEL)
    (folder / "initrd.img").write_bytes(image_build.cpio(str(tree)))
    (folder / "cmdline").write_text("console=ttyS0 quiet panic=-1\n")
    (folder / "initdata").write_bytes(INITDATA)
    return folder


def wait_for(path, process):
    while not os.path.exists(path):
        assert process.poll() is None
        time.sleep(0.02)


def devices(folder):
    """As libvirt makes them for a pod: two disks, the first of which the firmware would boot, and a network card without a ROM."""
    words = ["-netdev", "user,id=n,restrict=on", "-device", "pcie-root-port,id=p,chassis=1",
             "-device", "virtio-net-pci,netdev=n,romfile=,bus=p"]
    for number in (0, 1):
        (folder / f"disk{number}").write_bytes(b"\0" * 4096)
        words += ["-drive", f"id=d{number},if=none,format=raw,readonly=on,file={folder}/disk{number}",
                  "-device", f"virtio-blk-pci,drive=d{number}" + (",bootindex=1" if number == 0 else "")]
    return words


def boot(image, folder, cmdline, memory, vcpus, extra=()):
    """What a guest in that machine says of its PCRs."""
    (folder / "tpm").mkdir()
    tpm = subprocess.Popen(["swtpm", "socket", "--tpm2", "--terminate", "--tpmstate", f"dir={folder}/tpm",
                            "--ctrl", f"type=unixio,path={folder}/socket"], stdin=subprocess.DEVNULL)
    try:
        wait_for(f"{folder}/socket", tpm)
        subprocess.run(["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-machine", "q35", "-accel", "tcg",
                        "-cpu", "max", "-smp", str(vcpus), "-m", str(memory), "-no-reboot", "-bios", FIRMWARE, "-kernel", KERNEL,
                        "-initrd", f"{image}/initrd.img", "-append", cmdline, "-serial", f"file:{folder}/serial",
                        "-chardev", f"socket,id=c,path={folder}/socket", "-tpmdev", "emulator,id=t,chardev=c",
                        "-device", "tpm-crb,tpmdev=t", *extra], stdin=subprocess.DEVNULL, timeout=240, check=True)
    finally:
        if tpm.poll() is None:
            tpm.kill()
        tpm.wait()
    said = (folder / "serial").read_text(errors="replace")
    assert "END" in said, said[-4000:]
    return {number: value.lower() for number, value in re.findall(r"PCR (\d+) ([0-9A-F]{64})", said)}


def extended(*digests):
    value = bytes(32)
    for digest in digests:
        value = hashlib.sha256(value + digest).digest()
    return value.hex()


def sha256(data):
    return hashlib.sha256(data).digest()


@pytest.fixture
def firmware():
    if not os.path.exists(FIRMWARE):
        pytest.skip("no OVMF here: the package ovmf")
    return FIRMWARE


@pytest.mark.parametrize("memory, vcpus, cmdline, like_a_pod", [
    (512, 1, "console=ttyS0 quiet panic=-1", True),
    (3072, 2, 'console=ttyS0 loglevel=3 panic=-1 word="a b"', False),
], ids=["a_pod", "a_larger_machine"])
def test_a_real_boot_has_the_pcrs_that_were_calculated(image, firmware, tmp_path, memory, vcpus, cmdline, like_a_pod):
    expected = pcrs_of("--image", str(image), "--firmware", firmware, "--memory", f"{memory}MiB", "--vcpus", str(vcpus),
                       "--cmdline", cmdline, "--initdata", f"{image}/initdata")
    assert set(expected) == CALCULATED
    said = boot(image, tmp_path, cmdline, memory, vcpus, devices(tmp_path) if like_a_pod else ())
    assert len(said) == 16
    assert {number: said[number] for number in expected} == {number: value for number, (value, _) in expected.items()}


def test_the_kernel_as_its_file_is_has_the_digest_that_its_signature_names(image, firmware):
    kernel = open(KERNEL, "rb").read()
    header = int.from_bytes(kernel[0x3c:0x40], "little")
    at, size = struct.unpack_from("<II", kernel, header + 24 + 112 + 4 * 8)     # the certificate table
    assert size > 0, "this kernel is not signed"
    named = re.search(bytes.fromhex("3031300d06096086480165030402010500 0420") + b"(.{32})",
                      kernel[at:at + size], re.S)[1]
    pcrs = pcrs_of("--image", str(image), "--firmware", firmware, "--kernel-header", "file")
    assert pcrs["4"] == (extended(named, sha256(b"Calling EFI Application from Boot Option"), sha256(bytes(4))), "uncompared")


def test_memory_and_vcpus_are_measured_where_qemu_and_the_firmware_write_them_down(image, firmware):
    def of(memory, vcpus=1):
        pcrs = pcrs_of("--image", str(image), "--firmware", firmware, "--memory", memory, "--vcpus", str(vcpus))
        return {number: value for number, (value, _) in pcrs.items()}

    def differ(a, b):
        return {number for number in a if a[number] != b[number]}

    small = of("512MiB")
    assert "4" in differ(small, of("513MiB")) <= {"0", "4"}
    assert differ(small, of("512MiB", 2)) <= {"0"}
    assert of("2816MiB") == of("16GiB")         # memory below 4 GiB ends at the same place


@pytest.mark.parametrize("memory, vcpus, volume", [
    ("256MiB", 1, "f163cd8fcee98919f1aacec92a7b734a1fcac8d015b60a6ac8c6db4e9dd9b0ce"),
    ("512MiB", 2, "b509c9e33e8cfae99b3396a99878a42163e842c530a4d9b4f3e4e83f520661d5"),
    ("3GiB", 1, "1f4a59fa6be049f3a7a72e04835bb7747a9958a1339e3acf5689552ac33a40a8"),
    ("2815MiB", 1, "c73cef6d381455caf6425437c8d77c5ca58886c0b61ea183d51e209de43a49f7"), ("2049MiB", 1, "43d70045a9799014f4655d6d091438c119e85b2e798f89e4b39531accda775f3"), ("30GiB", 1, "1f4a59fa6be049f3a7a72e04835bb7747a9958a1339e3acf5689552ac33a40a8"), ("31GiB", 1, "560f22fbb3418defe167882d26d8bd56830a388e0c80f53f953194b6a8529c9b"),
])
def test_what_the_firmware_writes_is_what_was_seen_in_memory(image, firmware, memory, vcpus, volume):
    """SHA-256 of PEI's volume as it lay in memory of such a machine, read out through QEMU's monitor."""
    pcr, compared = pcrs_of("--image", str(image), "--firmware", firmware, "--memory", memory, "--vcpus", str(vcpus))["0"]
    if "2022.11-6+deb12u2" not in compared:
        pytest.skip("this is another build of OVMF")
    assert pcr == extended(sha256(bytes(2)), bytes.fromhex(volume),
                           bytes.fromhex("614b0bfb88626b36415706a5143619938a38542e732587e2fa05c481f2843d4d"), sha256(bytes(4)))


def test_the_images_reference_values_are_what_is_calculated_and_can_be_signed(firmware, tmp_path):
    path = BUILD + "/image/reference-values.json"
    values = json.load(open(path, encoding="utf-8"))
    pcrs = values["tpm"]["pcrs"]
    assert values["tpm"]["trust_anchor"] == "host-vtpm"
    assert set(pcrs) == CALCULATED - {"8"}      # which is the pod's
    for memory, vcpus in (("512MiB", "1"), ("4GiB", "2")):
        machine = pcrs_of("--image", BUILD + "/image", "--firmware", firmware, "--memory", memory, "--vcpus", vcpus)
        assert all((machine[name][0] if machine[name][0].strip("0") else "0") in pcrs[name] for name in pcrs)

    etc = tmp_path / "etc/cleave"
    (etc / "endorsements").mkdir(parents=True)
    key, signed = str(tmp_path / "key.pem"), str(etc / "reference-values.json")
    (etc / "reference-values.json").write_bytes(open(path, "rb").read())
    for words in (["ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", key],
                  ["ec", "-in", key, "-pubout", "-out", str(etc / "reference-keys.pem")],
                  ["dgst", "-sha256", "-sign", key, "-out", signed + ".sig", signed]):
        subprocess.run(["openssl", *words], check=True, capture_output=True)
    (etc / "tenant.conf").write_text('evidence = "tpm"\n')
    said = subprocess.run([CLEAVE, "check", "tenant", "--root", str(tmp_path)], capture_output=True, text=True, check=False).stdout
    assert f"reference-values: 'cleave-image', serial 1, until {values['not_after'][:10]}" in said, said


def test_without_a_firmware_the_image_has_no_reference_values_and_says_so(tmp_path):
    (tmp_path / "reference-values.json").write_text("older ones")
    done = subprocess.run(["/usr/bin/python3", image_build.__file__, "values", "build/cache/image", CLEAVE, str(tmp_path), "id=a", "serial=1",
                           "firmware=/nonexistent", "memory=1GiB", "vcpus=1"], capture_output=True, text=True, check=True)
    assert "no reference-values.json" in done.stdout and "/nonexistent" in done.stdout
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(not VECTORS, reason="VECTORS names no directory of published evidence")
def test_a_published_log_of_the_same_firmware_has_the_same_pcrs(image):
    other = "/usr/share/OVMF/OVMF_CODE_4M.fd"
    pcrs = open(f"{VECTORS}/tpm/ovmf/direct-pcrs-sha256.bin", "rb").read()
    if not os.path.exists(other):
        pytest.skip("no OVMF here: the package ovmf")
    found = pcrs_of("--image", str(image), "--firmware", other, "--memory", "1GiB")
    if found["0"][1] == "uncompared":
        pytest.skip("the log is of an older ovmf than the one that is installed")
    for number in (0, 2, 3, 5, 6, 7, 8, 11, 12, 13, 14, 15):
        assert found[str(number)][0] == pcrs[32 * number:][:32].hex(), number


@pytest.mark.parametrize("words, sentence", [
    (("--cmdline", "quiet vga=1"), "vga="),
    (("--cmdline", "gr\u00fc\u00df"), "not ASCII"),
    (("--memory", "8MiB"), "16 MiB"),
    (("--memory", "16MiB"), "initrd is larger"),
    (("--vcpus", "0"), "--vcpus"),
    (("--firmware", BUSYBOX), "no packed volume"),
    (("--type", "sgx"), "no type 'sgx'"),
    (("--initdata", "/nonexistent"), "/nonexistent"),
], ids=lambda value: value[0][2:] if isinstance(value, tuple) else "")
def test_what_cannot_be_measured_is_refused_with_a_sentence(image, firmware, tmp_path, words, sentence):
    (tmp_path / "vmlinuz").symlink_to(KERNEL)
    (tmp_path / "initrd.img").write_bytes(b"\0" * (20 << 20))
    (tmp_path / "cmdline").write_text("quiet")
    done = subprocess.run([CLEAVE, "measure", "--image", str(tmp_path), "--firmware", firmware, "--type", "tpm", *words],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2 and sentence in done.stderr and not done.stdout, done
