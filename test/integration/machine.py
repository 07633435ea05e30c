# SPDX-License-Identifier: Apache-2.0
"""A guest in QEMU without a host realm around it: the image, its two disks, a port."""
import contextlib
import json
import os
import shutil
import socket
import ssl
import struct
import subprocess
import tempfile
import time

MAC = bytes.fromhex("525400c1ea5e")
BLOCK = 4096
KERNEL_WORD = "cleave: boot failed: code "


def initdata_disk(content):
    data = b"CLEAVINI" + struct.pack(">II", 1, len(content)) + content
    return data + b"\0" * (-len(data) % BLOCK)


def route(family=0, prefix=0, destination="", gateway=""):
    kind = {4: socket.AF_INET, 6: socket.AF_INET6}.get(family)

    def address(text):
        return (socket.inet_pton(kind, text) if text else b"").ljust(16, b"\0")
    return struct.pack(">BBH", family, prefix, 0) + address(destination) + address(gateway)


def network_disk(mac=MAC, mtu=1500, address="10.0.2.15", prefix=24, gateway="10.0.2.2"):
    data = b"CLEAVNET" + struct.pack(">I", 1) + mac + struct.pack(">HBBBB", mtu, 1, 0, 0, 0)
    data += route(4, prefix, address, gateway) + route() + 16 * route()
    return data.ljust(BLOCK, b"\0")


def sample_initdata(evidence="sample", spki="00" * 32):
    return f'''version = "0.1.0"
algorithm = "sha256"

[data]
"cleave.sandbox-id" = "000102030405060708090a0b0c0d0e0f"
"cleave.mode" = "open"
"cleave.peers" = '[{{"role":"control","spki_sha256":"{spki}"}}]'
"cleave.epoch" = "1"
"cleave.limits" = '{{"vcpus":1,"memory":268435456,"guest_root":false,"evidence":"{evidence}"}}'
"cleave.network" = "none"
'''.encode()


def client_hello(version=None):
    """The first bytes of any TLS client. Its key is not in initdata: no more than an answer comes."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if version:
        context.minimum_version = context.maximum_version = version
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing).do_handshake()
    return outgoing.read()


class Machine:
    """disks: the bytes of each virtio disk, in order. debug: the command line that speaks on a serial
    console; serial: the port is there even so. scratch: bytes of each scratch disk."""

    def __init__(self, image, disks, debug=True, serial=False, memory=256, scratch=()):
        self.directory = tempfile.mkdtemp(prefix="cleave-vm-")
        self.log = os.path.join(self.directory, "serial")
        with open(os.path.join(image, "cmdline.debug" if debug else "cmdline")) as file:
            cmdline = file.read()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        mac = ":".join(f"{byte:02x}" for byte in MAC)
        command = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none",
                   "-accel", "tcg", "-machine", "q35", "-cpu", "max", "-smp", "1", "-no-reboot",
                   "-m", str(memory), "-kernel", os.path.join(image, "vmlinuz"),
                   "-initrd", os.path.join(image, "initrd.img"), "-append", cmdline,
                   "-netdev", f"user,id=n,hostfwd=tcp:127.0.0.1:{self.port}-:7433",
                   "-device", f"virtio-net-pci,netdev=n,romfile=,mac={mac}"]
        if debug or serial:
            command += ["-serial", f"file:{self.log}"]
        for number, content in enumerate(disks):
            path = os.path.join(self.directory, f"disk{number}")
            with open(path, "wb") as file:
                file.write(content)
            command += ["-drive", f"id=d{number},if=none,format=raw,readonly=on,file={path}",
                        "-device", f"virtio-blk-pci,drive=d{number}"]
        for number, size in enumerate(scratch):
            path = os.path.join(self.directory, f"scratch{number}")
            with open(path, "wb") as file:
                file.truncate(size)
            command += ["-drive", f"id=s{number},if=none,format=raw,cache=unsafe,file={path}",
                        "-device", f"virtio-blk-pci,drive=s{number},serial=cleave-scratch"]
        self.monitor = os.path.join(self.directory, "monitor")
        command += ["-qmp", f"unix:{self.monitor},server=on,wait=off"]
        self.started = time.monotonic()
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        shutil.rmtree(self.directory)

    def serial(self):
        try:
            with open(self.log, errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def connect(self, first_bytes, timeout=60):
        """The first answer to first_bytes. QEMU accepts before the guest does, so an answer counts,
        not a connection."""
        deadline = self.started + timeout
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError("the machine is off:\n" + self.serial()[-4000:])
            try:
                with socket.create_connection(("127.0.0.1", self.port), 0.5) as peer:
                    peer.settimeout(0.2)
                    peer.sendall(first_bytes)
                    answer = peer.recv(4096)
                    if answer:
                        return answer
            except OSError:
                pass
            time.sleep(0.02)
        raise TimeoutError("no answer from the guest:\n" + self.serial()[-4000:])

    def press_power_button(self):
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.settimeout(10)
            monitor.connect(self.monitor)
            lines = monitor.makefile("rw")
            lines.readline()    # the greeting
            for command in ("qmp_capabilities", "system_powerdown"):
                lines.write(f'{{"execute":"{command}"}}\n')
                lines.flush()
                while "return" not in json.loads(lines.readline()):
                    continue    # an event

    def wait_off(self, timeout=60):
        self.process.wait(max(0.1, self.started + timeout - time.monotonic()))
        return time.monotonic() - self.started

    def boot_code(self):
        """The one thing that a guest says when it gives up."""
        text = self.serial()
        at = text.find(KERNEL_WORD)
        return int(text[at + len(KERNEL_WORD):].split()[0]) if at >= 0 else None
