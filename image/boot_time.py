#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Boots the production image in QEMU without KVM and says how long it takes (median and spread)."""
import os
import statistics
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "test", "integration"))
from machine import Machine, client_hello, initdata_disk, network_disk, sample_initdata  # noqa: E402


def answer(image, scratch=()):
    with Machine(image, [initdata_disk(sample_initdata()), network_disk()], debug=False, scratch=scratch) as machine:
        machine.connect(client_hello())
        return time.monotonic() - machine.started


def refusal(image):
    with Machine(image, [network_disk()], debug=False) as machine:
        return machine.wait_off()


def main():
    image, runs = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 5
    for what, measure in (("first TLS answer on port 7433", answer),
                          ("the same with a scratch disk", lambda image: answer(image, [10 << 30])),
                          ("power-off without initdata", refusal)):
        times = [measure(image) for _ in range(runs)]
        print(f"  QEMU to {what}: median {statistics.median(times):.2f} s "
              f"({min(times):.2f} to {max(times):.2f}, {runs} runs)", flush=True)


if __name__ == "__main__":
    main()
