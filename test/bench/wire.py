# SPDX-License-Identifier: Apache-2.0
"""What goes over the wire between the nodes, from tcpdump's own format."""
import contextlib
import struct
import subprocess
import time

ETHERNET, TCP = 14, 6


class Capture:
    def __init__(self):
        self.packets = []           # (bytes on the wire, TCP payload, sent by the tenant?)

    @property
    def bytes(self):
        return sum(size for size, _, _ in self.packets)

    def flights(self):
        """How often the tenant begins to send after it has heard from the guest: round trips at most."""
        directions = [from_tenant for _, payload, from_tenant in self.packets if payload]
        return sum(1 for before, after in zip([False] + directions, directions) if after and not before)


@contextlib.contextmanager
def captured(fleet, tenant_address):
    """Fills a Capture with what the wire carries meanwhile."""
    capture = Capture()
    argv = ["nsenter", f"--net=/proc/{fleet.bed.pid('tenant')}/ns/net", "tcpdump", "-i", "wire", "-U", "--immediate-mode", "-s", "96", "-w", "-", "tcp"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as tcpdump:
        while b"listening on" not in (line := tcpdump.stderr.readline()):
            if not line:
                raise RuntimeError("tcpdump does not run on the tenant node")
        yield capture
        time.sleep(0.3)             # what the kernel still holds
        tcpdump.terminate()
        _parse(tcpdump.stdout.read(), tenant_address, capture)


def _parse(data, tenant_address, capture):
    ours = bytes(map(int, tenant_address.split(".")))
    at = 24
    while at + 16 <= len(data):
        kept, size = struct.unpack_from("<II", data, at + 8)
        packet = data[at + 16 + ETHERNET:at + 16 + kept]
        at += 16 + kept
        if len(packet) < 40 or packet[0] >> 4 != 4 or packet[9] != TCP:
            continue
        header = (packet[0] & 15) * 4
        total, = struct.unpack_from(">H", packet, 2)
        capture.packets.append((size, total - header - (packet[header + 12] >> 4) * 4, packet[12:16] == ours))
