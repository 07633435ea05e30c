# SPDX-License-Identifier: Apache-2.0
"""The scratch disk of a machine as its host has it: a sparse file that only QEMU still has open."""
import contextlib
import os

BLOCK = 4096


def disk_of(qemu):
    """The nameless file of this process."""
    for name in os.listdir(f"/proc/{qemu}/fd"):
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/{qemu}/fd/{name}").endswith(".scratch (deleted)"):
                return f"/proc/{qemu}/fd/{name}"
    raise AssertionError("QEMU has no scratch disk open, or it still has a name")


def blocks(path):
    """{offset: block} of what is not zero in a sparse file."""
    found = {}
    with open(path, "rb") as file:
        end, at_ = os.fstat(file.fileno()).st_size, 0
        while at_ < end:
            try:
                start = os.lseek(file.fileno(), at_, os.SEEK_DATA)
            except OSError:                                    # ENXIO: nothing but a hole is left
                break
            at_ = os.lseek(file.fileno(), start, os.SEEK_HOLE)
            data = os.pread(file.fileno(), at_ - start, start)
            for place in range(0, len(data), BLOCK):
                block = data[place:place + BLOCK]
                if block.strip(b"\0"):
                    found[start + place] = block
    return found
