# SPDX-License-Identifier: Apache-2.0
"""The guest image in a real machine (QEMU without KVM), with nothing of either realm around it: it
serves, or it powers off and says a code."""
import json
import hashlib
import os
import struct
import time

import pytest

from machine import Machine, client_hello, initdata_disk, network_disk, sample_initdata

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
IMAGE = os.path.join(os.path.abspath(os.environ.get("BUILD", ROOT + "/build")), "image")

INITDATA = initdata_disk(sample_initdata())
NETWORK = network_disk()


@pytest.fixture(autouse=True)
def built():
    if not os.path.exists(IMAGE + "/initrd.img"):
        pytest.fail("no guest image: make image")


def changed(disk, at, content):
    return disk[:at] + content + disk[at + len(content):]


def test_the_production_image_answers_tls_on_7433():
    with Machine(IMAGE, [INITDATA, NETWORK], debug=False) as machine:
        answer = machine.connect(client_hello())
        assert answer[:1] == b"\x16" and answer[5:6] == b"\x02", answer[:16].hex()  # ServerHello


@pytest.mark.parametrize("debug", [False, True])
def test_the_power_button_turns_it_off(debug):
    with Machine(IMAGE, [INITDATA, NETWORK], debug=debug) as machine:
        machine.connect(client_hello())
        pressed = time.monotonic()
        machine.press_power_button()
        machine.wait_off()
        assert machine.process.returncode == 0 and time.monotonic() - pressed < 8
        assert machine.boot_code() is None


def test_the_order_of_disks_and_other_disks_do_not_matter():
    with Machine(IMAGE, [b"\0" * 8192, NETWORK, b"CLEAVXXX" * 512, INITDATA]) as machine:
        assert machine.connect(client_hello())[:1] == b"\x16"


def test_a_production_guest_says_nothing_on_its_serial_port():
    with Machine(IMAGE, [NETWORK], debug=False, serial=True) as machine:
        machine.wait_off()
        kernel = [line for line in machine.serial().splitlines() if line.strip()]
        assert kernel == []


REFUSED = {
    "initdata_absent": ([NETWORK], 20),
    "no_disk_at_all": ([], 20),
    "initdata_doubled": ([INITDATA, NETWORK, INITDATA], 21),
    "initdata_too_long": ([initdata_disk(b"#" * (16 * 1024 + 1)), NETWORK], 22),
    "initdata_length_beyond_memory":
        ([changed(INITDATA, 12, struct.pack(">I", 0xffffffff)), NETWORK], 22),
    "initdata_of_another_version": ([changed(INITDATA, 8, struct.pack(">I", 2)), NETWORK], 22),
    "initdata_with_bytes_behind_it": ([changed(INITDATA, 4095, b"x"), NETWORK], 22),
    "initdata_cut_short":
        ([initdata_disk(sample_initdata() + b"#" * 600)[:512], NETWORK], 22),
    "initdata_that_is_no_toml": ([initdata_disk(b"no initdata"), NETWORK], 40),
    "network_absent": ([INITDATA], 30),
    "network_doubled": ([INITDATA, NETWORK, NETWORK], 31),
    "network_with_a_loopback_address": ([INITDATA, network_disk(address="127.0.0.2")], 32),
    "network_with_bytes_behind_it": ([INITDATA, changed(NETWORK, 4095, b"x")], 32),
    "network_of_a_device_that_is_not_there":
        ([INITDATA, network_disk(mac=bytes.fromhex("525400000009"))], 33),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_guest_with_wrong_disks_powers_off(case):
    disks, code = REFUSED[case]
    with Machine(IMAGE, disks) as machine:
        machine.wait_off()
        assert machine.boot_code() == code, machine.serial()[-2000:]


def test_of_two_scratch_disks_neither_is_taken():
    with Machine(IMAGE, [INITDATA, NETWORK], scratch=[64 << 20, 64 << 20]) as machine:
        machine.wait_off()
        assert machine.boot_code() == 24, machine.serial()[-2000:]


def test_measurements_are_those_of_the_files():
    with open(IMAGE + "/measurements.json", encoding="utf-8") as file:
        measurements = json.load(file)
    for name, path in (("kernel", "vmlinuz"), ("initrd", "initrd.img"), ("cmdline", "cmdline")):
        with open(f"{IMAGE}/{path}", "rb") as file:
            content = file.read()
        for algorithm, value in measurements[name].items():
            assert hashlib.new(algorithm, content).hexdigest() == value
    assert "console=ttyS0" not in open(IMAGE + "/cmdline", encoding="utf-8").read()
