# SPDX-License-Identifier: Apache-2.0
"""`cleave measure` of SEV-SNP and TDX against the same calculation written here a second time, on firmware that is made here, and
against what other programs say of Debian's. Needs no bed and no such hardware."""
import hashlib
import json
import random
import struct
import subprocess
import uuid

import pytest

from conftest import BUILD

CLEAVE = BUILD + "/bin/cleave"
DEBIAN = "/usr/share/ovmf/OVMF.fd"
PAGE = 4096
FOUR_GIB = 1 << 32
CPUS = {"EPYC-v4": 0x00800f12, "EPYC-Rome": 0x00830f10, "EPYC-Milan-v2": 0x00a00f11, "EPYC-Genoa": 0x00a10f10, "0x00b00f00": 0x00b00f00}
FOOTER, RESET, HASHES, SEV, TDX, TDVF = (uuid.UUID(text).bytes_le for text in (
    "96b582de-1fb2-45f7-baea-a366c55a082d", "00f771de-1a7e-4fcb-890e-68c77e2fb44e", "7255371f-3a3b-4b04-927b-1da6efa8d454",
    "dc886566-984a-4798-a75e-5585a7bf67cc", "e47a6535-984a-4798-865e-4685a7bf8ec2", "e9eaf9f3-168e-44d5-a8eb-7f4d8738f6ae"))
MEMORY, SECRETS, CPUID, SVSM_CAA, KERNEL_HASHES = 1, 2, 3, 4, 16
BFV, CFV, TD_HOB, TEMP_MEM = range(4)


def sha256(data):
    return hashlib.sha256(data).digest()


def sha384(data):
    return hashlib.sha384(data).digest()


def utf16(text):
    return text.encode("utf-16le")


# ---- made here ----------------------------------------------------------------------------------------------------------------

class Firmware:
    """Pages of noise, with metadata that ask for random memory."""

    def __init__(self, seed):
        self.dice = random.Random(seed)
        self.pages = self.dice.choice((2, 3, 8))
        self.reset = 0x80b004 + self.dice.randrange(0, 1 << 31, 4)
        places = iter(sorted(self.dice.sample(range(0x700, 0x900), 14)))
        self.sev = [(next(places) * PAGE, PAGE, kind) for kind in self.shuffled(
            [MEMORY, MEMORY, SECRETS, CPUID, SVSM_CAA, KERNEL_HASHES])]
        self.hashes = next(start for start, _, kind in self.sev if kind == KERNEL_HASHES) + self.dice.randrange(0, 3000, 16)
        code = self.pages * PAGE - PAGE
        self.tdvf = self.shuffled([(PAGE, code, FOUR_GIB - code, code, BFV, 1), (0, PAGE, FOUR_GIB - code - PAGE, PAGE, CFV, 0)] + [
            (0, 0, next(places) * PAGE, PAGE, kind, 0) for kind in (TEMP_MEM, TD_HOB, TEMP_MEM, TEMP_MEM)])
        self.image = self.make()

    def shuffled(self, items):
        return self.dice.sample(items, len(items))

    def make(self):
        sev = struct.pack("<4sIII", b"ASEV", 16 + 12 * len(self.sev), 1, len(self.sev)) + b"".join(struct.pack("<III", *row) for row in self.sev)
        tdvf = struct.pack("<4sIII", b"TDVF", 16 + 32 * len(self.tdvf), 1, len(self.tdvf)) + b"".join(
            struct.pack("<IIQQII", *row) for row in self.tdvf)
        end = 500 + len(tdvf) + len(sev)
        entries = self.shuffled([(RESET, struct.pack("<I", self.reset)), (HASHES, struct.pack("<II", self.hashes, 1024)),
                                 (SEV, struct.pack("<I", end)), (TDX, struct.pack("<I", end - len(sev) - 16)),
                                 (self.dice.randbytes(16), self.dice.randbytes(5))])
        table = b"".join(data + struct.pack("<H", 18 + len(data)) + guid for guid, data in entries)
        table += struct.pack("<H", 18 + len(table)) + FOOTER + self.dice.randbytes(32)
        tail = sev + TDVF + tdvf
        tail += self.dice.randbytes(end - len(tail) - len(table)) + table
        return self.dice.randbytes(self.pages * PAGE - len(tail)) + tail


def make_kernel(version=b"6.12.0"):
    """A PE image that is a bzImage, too."""
    pe = bytearray(0x200) + b"K" * 100
    pe[:2], pe[0x40:0x44], pe[0x202:0x206] = b"MZ", b"PE\0\0", b"HdrS"
    struct.pack_into("<I", pe, 0x3c, 0x40)
    struct.pack_into("<HH", pe, 0x44, 0x8664, 1)
    struct.pack_into("<H", pe, 0x54, 240)
    struct.pack_into("<H", pe, 0x58, 0x20b)
    struct.pack_into("<I", pe, 0x58 + 60, 0x200)
    struct.pack_into("<I", pe, 0x58 + 108, 16)
    struct.pack_into("<II", pe, 0x58 + 256, len(pe) - 0x200, 0x200)
    struct.pack_into("<H", pe, 0x20e, 0x20)
    pe[0x220:0x220 + len(version) + 1] = version + b" "
    return bytes(pe)


@pytest.fixture
def image(tmp_path):
    folder = tmp_path / "image"
    folder.mkdir()
    (folder / "vmlinuz").write_bytes(make_kernel())
    (folder / "initrd.img").write_bytes(b"an initrd")
    (folder / "cmdline").write_text("console=hvc0 quiet\n")
    return folder


# ---- calculated a second time -------------------------------------------------------------------------------------------------

def vmsa(address, signature, features):
    page = bytearray(PAGE)
    segments = ((0, 0x93), (0xf000, 0x9b), (0, 0x93), (0, 0x93), (0, 0x93), (0, 0x93), (0, 0), (0, 0x82), (0, 0), (0, 0x8b))
    for number, (selector, attributes) in enumerate(segments):
        struct.pack_into("<HHIQ", page, 16 * number, selector, attributes, 0xffff, address & 0xffff0000 if number == 1 else 0)
    for at, value in ((0xd0, 0x1000), (0x148, 0x40), (0x158, 0x10), (0x160, 0x400), (0x168, 0xffff0ff0), (0x170, 2),
                      (0x178, address & 0xffff), (0x268, 0x7040600070406), (0x310, signature), (0x3b0, features), (0x3e8, 1)):
        struct.pack_into("<Q", page, at, value)
    struct.pack_into("<I", page, 0x408, 0x1f80)
    struct.pack_into("<H", page, 0x410, 0x37f)
    return bytes(page)


def hashes_page(offset, kernel, initrd, cmdline):
    table = b""
    for guid, data in (("97d02dd8-bd20-4c94-aa78-e7714d36ab2a", cmdline + b"\0"), ("44baf731-3a2f-4bd7-9af1-41e29169781d", initrd),
                       ("4de79437-abd2-427f-b835-d5b172d2045b", kernel)):
        table += uuid.UUID(guid).bytes_le + struct.pack("<H", 50) + sha256(data)
    table = uuid.UUID("9438d606-4f22-4cc9-b479-a793d411fd21").bytes_le + struct.pack("<H", 18 + len(table)) + table
    return (bytes(offset) + table).ljust(PAGE, b"\0")


def snp_measurement(firmware, files, vcpus, signature, features):
    digest = bytes(48)

    def add(kind, address, contents=None):
        nonlocal digest
        digest = sha384(digest + (sha384(contents) if contents else bytes(48)) + struct.pack("<HBBIQ", 0x70, kind, 0, 0, address))

    size = len(firmware.image)
    for at in range(0, size, PAGE):
        add(1, FOUR_GIB - size + at, firmware.image[at:at + PAGE])
    for start, _, kind in firmware.sev:
        if kind == KERNEL_HASHES and files:
            add(1, start, hashes_page(firmware.hashes % PAGE, *files))
        else:
            add({SECRETS: 5, CPUID: 6}.get(kind, 3), start)
    for number in range(vcpus):
        add(2, 0xfffffffff000, vmsa(firmware.reset if number else 0xfffffff0, signature, features))
    return digest.hex()


def mrtd(firmware):
    digest = hashlib.sha384()
    for data_at, _, address, size, _, attributes in firmware.tdvf:
        for at in range(0, size, 256):
            if at % PAGE == 0:
                digest.update(b"MEM.PAGE.ADD".ljust(16, b"\0") + struct.pack("<Q", address + at) + bytes(104))
            if attributes:
                digest.update(b"MR.EXTEND".ljust(16, b"\0") + struct.pack("<Q", address + at) + bytes(104))
                digest.update(firmware.image[data_at + at:data_at + at + 256])
    return digest.hexdigest()


def td_hob(firmware, memory):
    low = memory if memory < 0xb0000000 else 0x80000000
    rows, at = [], 0
    for _, _, address, size, kind, _ in sorted(firmware.tdvf, key=lambda row: row[2]):
        if kind in (TD_HOB, TEMP_MEM):
            rows += [(7, at, address - at), (0, address, size)]
            at = address + size
    rows += [(7, at, low - at), (7, FOUR_GIB, memory - low)]
    body = b"".join(struct.pack("<HHI16xIIQQ", 3, 48, 0, kind, 7, start, size) for kind, start, size in rows if size)
    base = next(row[2] for row in firmware.tdvf if row[4] == TD_HOB)
    return struct.pack("<HHIII32xQ", 1, 56, 0, 9, 0, base + 56 + len(body) + 8) + body


def extend_all(*digests):
    value = bytes(48)
    for digest in digests:
        value = sha384(value + digest)
    return value.hex()


def rtmrs(firmware, files, memory, acpi, separator):
    kernel, initrd, cmdline = files
    word = sha384(bytes(4))
    authenticode = sha384(kernel[:0x98] + kernel[0x9c:0xe8] + kernel[0xf0:])
    absent = [sha384(uuid.UUID(guid).bytes_le + struct.pack("<QQ", len(name), 0) + utf16(name)) for guid, name in (
        ("8be4df61-93ca-11d2-aa0d-00e098032b8c", "SecureBoot"), ("8be4df61-93ca-11d2-aa0d-00e098032b8c", "PK"),
        ("8be4df61-93ca-11d2-aa0d-00e098032b8c", "KEK"), ("d719b2cb-3d3a-4596-a3bc-dad00e67656f", "db"),
        ("d719b2cb-3d3a-4596-a3bc-dad00e67656f", "dbx"))]
    option = struct.pack("<IH", 0x109, 44) + utf16("UiApp\0") + b"\4\7\x14\0" + uuid.UUID("7cb8bdc9-f8eb-4f34-aaea-3ee4af6516a1").bytes_le \
        + b"\4\6\x14\0" + uuid.UUID("462caa21-7614-4503-836e-8ab6f4662331").bytes_le + b"\x7f\xff\4\0"
    machine = [sha384(td_hob(firmware, memory)), sha384(firmware.image[:PAGE]), *absent, word, *map(sha384, acpi), sha384(bytes(2)), sha384(option)]
    calling, leaving, left = (sha384(text) for text in (
        b"Calling EFI Application from Boot Option", b"Exit Boot Services Invocation", b"Exit Boot Services Returned with Success"))
    return {
        "rtmr0": extend_all(*machine, *([word] if separator == "rtmr0" else [])),
        "rtmr1": extend_all(authenticode, calling, *([word] if separator == "rtmr1" else []), leaving, left),
        "rtmr2": extend_all(sha384(utf16(cmdline.decode() + " initrd=initrd\0")), sha384(initrd)),
        "rtmr3": "00" * 48,
    }


# ---- both -----------------------------------------------------------------------------------------------------------------------

def run(folder, firmware, *words):
    done = subprocess.run([CLEAVE, "measure", "--image", str(folder), "--firmware", str(firmware), "--json", *words], capture_output=True,
                          text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


def measure(folder, firmware, kind, *words):
    code, out, err = run(folder, firmware, "--type", kind, *words)
    assert code == 0, err
    return json.loads(out)[kind]


def refusal(folder, firmware, *words):
    code, out, err = run(folder, firmware, *words)
    assert (code, out) == (2, "")
    return err


def put(path, data):
    path.write_bytes(data)
    return path


def files_of(folder):
    return (folder / "vmlinuz").read_bytes(), (folder / "initrd.img").read_bytes(), (folder / "cmdline").read_bytes().rstrip(b"\n")


@pytest.mark.parametrize("seed", range(6))
def test_the_snp_measurement_is_what_the_second_calculation_says(seed, image, tmp_path):
    made = Firmware(seed)
    firmware = put(tmp_path / "firmware", made.image)
    for cpu, signature in CPUS.items():
        vcpus, features = made.dice.randint(1, 5), made.dice.choice((1, 0x21, 0x8000000000000001))
        for switch, files in (("on", files_of(image)), ("off", None)):
            found = measure(image, firmware, "snp", "--cpu", cpu, "--vcpus", str(vcpus), "--sev-features", hex(features), "--kernel-hashes", switch)
            assert found == {"measurement": {"value": snp_measurement(made, files, vcpus, signature, features), "compared": "uncompared"}}


@pytest.mark.parametrize("seed", range(6))
def test_td_registers_are_what_the_second_calculation_says(seed, image, tmp_path):
    made = Firmware(seed)
    firmware, acpi = put(tmp_path / "firmware", made.image), tmp_path / "acpi"
    acpi.mkdir()
    tables = [made.dice.randbytes(size) for size in (4096, 20, 131072)]
    for name, data in zip(("table-loader", "rsdp", "tables"), tables):
        put(acpi / name, data)
    for memory in (16 << 20, 2 << 30, 0xb0000000 - PAGE, 0xb0000000, 10 << 30):
        for separator in ("rtmr0", "rtmr1"):
            found = measure(image, firmware, "tdx", "--memory", str(memory), "--acpi", str(acpi), "--separator", separator)
            assert {name: value["value"] for name, value in found.items()} == {
                "mr_td": mrtd(made), **rtmrs(made, files_of(image), memory, tables, separator)}
            assert {value["compared"] for value in found.values()} == {"uncompared"}


def test_what_nobody_can_know_is_left_out_by_name(image, tmp_path):
    firmware = put(tmp_path / "firmware", Firmware(0).image)
    found = measure(image, firmware, "tdx")
    assert "ACPI tables" in found["rtmr0"]["left_out"] and "value" not in found["rtmr0"]
    put(image / "vmlinuz", make_kernel(b"6.1.0"))
    found = measure(image, firmware, "tdx")
    assert "6.9" in found["rtmr2"]["left_out"] and "value" not in found["rtmr2"]
    assert "value" in found["rtmr1"]
    code, out, err = run(image, firmware)
    assert code == 0, err
    assert "--cpu is missing" in json.loads(out)["snp"]["left_out"]


def test_the_header_of_a_kernel_is_taken_as_it_is_unless_said_otherwise(image, tmp_path):
    kernel = bytearray(make_kernel().ljust(0x400, b"\0"))
    struct.pack_into("<HHBB", kernel, 0x206, 0x20f, 0, 0, 1)
    struct.pack_into("<HB", kernel, 0x20e, 0x90, 0)
    kernel[0x211], kernel[0x290:0x296] = 1, b"6.12.0"
    struct.pack_into("<I", kernel, 0x22c, 0x7fffffff)
    struct.pack_into("<II", kernel, 0x58 + 256, 0x200, 0x200)
    put(image / "vmlinuz", kernel)
    firmware = put(tmp_path / "firmware", Firmware(1).image)
    taken, said, patched = (measure(image, firmware, "tdx", *words)["rtmr1"] for words in (
        (), ("--kernel-header", "file"), ("--kernel-header", "patched")))
    assert taken == said != patched


# sev-snp-measure 0.0.13: --mode snp --vcpus 2 --vcpu-type EPYC-Milan --guest-features 0x1; gce-tcb-verifier 74582c0: tdx.MRTD of the
# default options. Both were given the very file.
def test_debians_firmware_gives_what_other_programs_say(image):
    with open(DEBIAN, "rb") as opened:
        if sha256(opened.read()).hex() != "7b456907dd0786d415999e801a1ac4637b8ed4d7cf5378cfc6edbe5e574dd773":
            pytest.skip("another ovmf than Debian's 2022.11-6+deb12u2")
    found = measure(image, DEBIAN, "snp", "--cpu", "EPYC-Milan", "--vcpus", "2", "--kernel-hashes", "off")["measurement"]
    assert found == {"value": "a175292a4a09fcfb760c5bd80c93ed667dbaafce6247d0f21fc06638658b3ebf2804d3019e2abed05cb6a9efe0a7464e", "compared": "the program sev-snp-measure 0.0.13 for Debian's ovmf 2022.11-6+deb12u2, OVMF.fd"}
    found = measure(image, DEBIAN, "tdx")["mr_td"]
    assert found == {
        "value": "4c7206f0f483c524f12c366c711e9049030a8d47c471ee5aa9c4999a08de4057fb887fed0744d5631a212967fb231c47",
        "compared": "the program gce-tcb-verifier, commit 74582c0, for Debian's ovmf 2022.11-6+deb12u2, OVMF.fd"}
    assert "does not check what it boots" in refusal(image, DEBIAN, "--type", "snp", "--cpu", "EPYC-Milan")


@pytest.mark.parametrize("words, says", [
    (("--type", "snp"), "--cpu is missing"),
    (("--type", "snp", "--cpu", "Skylake-Server"), "--cpu 'Skylake-Server' is no model"),
    (("--type", "snp", "--cpu", "0x1ffffffff"), "is no model"),
    (("--type", "snp", "--cpu", "EPYC", "--sev-features", "0x20"), "lack bit 0"),
    (("--type", "snp", "--cpu", "EPYC", "--sev-features", "all"), "--sev-features 'all' is no number"),
    (("--type", "snp", "--cpu", "EPYC", "--sev-features", "-1"), "--sev-features '-1' is no number"),
    (("--kernel-hashes", "yes"), "--kernel-hashes is on or off"),
    (("--separator", "rtmr2"), "--separator is rtmr1 or rtmr0"),
    (("--type", "tdx", "--acpi", "/nonexistent"), "/nonexistent/table-loader"),
])
def test_a_wrong_word_is_refused(words, says, image, tmp_path):
    assert says in refusal(image, put(tmp_path / "firmware", Firmware(2).image), *words)


def test_a_memory_that_is_too_small_is_refused(image, tmp_path):
    firmware = put(tmp_path / "firmware", Firmware(2).image)
    for name in ("table-loader", "rsdp", "tables"):
        put(tmp_path / name, b"x")
    assert "the firmware needs memory up to" in refusal(image, firmware, "--type", "tdx", "--memory", "1MiB", "--acpi", str(tmp_path))


@pytest.mark.parametrize("kind, at, says", [
    ("snp", b"ASEV", "no signature 'ASEV'"), ("tdx", b"TDVF", "no signature 'TDVF'"),
    ("snp", FOOTER, "no table of GUIDs"), ("tdx", TDVF, "no GUID before it"), ("snp", SEV, "no entry 'SEV metadata'"),
])
def test_a_damaged_firmware_is_refused(kind, at, says, image, tmp_path):
    firmware = put(tmp_path / "firmware", Firmware(3).image.replace(at, b"\0" * len(at)))
    assert says in refusal(image, firmware, "--type", kind, "--cpu", "EPYC")


def test_files_of_which_nothing_can_be_foretold_are_refused(image, tmp_path):
    assert "there is nothing to foretell of any type; tpm: the firmware has no" in refusal(image, put(tmp_path / "firmware", b""))
