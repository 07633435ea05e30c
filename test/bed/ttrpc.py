# SPDX-License-Identifier: Apache-2.0
"""A ttrpc client of a few lines, for whoever wants to talk to a shim past containerd."""
import json
import os
import socket
import struct

REQUEST, RESPONSE = 1, 2
PERMISSION_DENIED = 7


def _varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number, value):
    """One protobuf field: an int as a varint, text and bytes with their length before them."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    raw = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(raw)) + raw


def fields(data):
    """{number: last value} of a message whose fields are varints, texts and messages."""
    found, at = {}, 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        tag = varint()
        if tag & 7 == 0:
            found[tag >> 3] = varint()
        elif tag & 7 == 2:
            length = varint()
            found[tag >> 3] = data[at:at + length]
            at += length
        else:
            raise ValueError(f"wire type {tag & 7}")
    return found


class Client:
    """Calls on one connection; `call` gives (status code, message, payload)."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(10)
        self.socket.connect(path)
        self.stream = -1

    def call(self, service, method, payload=b""):
        self.send(service, method, payload)
        return self.receive()

    def send(self, service, method, payload=b""):
        """The first half of a call that takes its time."""
        self.stream += 2
        body = field(1, service) + field(2, method) + field(3, payload)
        self.socket.sendall(struct.pack(">IIBB", len(body), self.stream, REQUEST, 0) + body)

    def receive(self):
        length, stream, kind, _ = struct.unpack(">IIBB", self._read(10))
        answer = fields(self._read(length))
        if (stream, kind) != (self.stream, RESPONSE):
            raise ValueError(f"frame of type {kind} on stream {stream}")
        status = fields(answer.get(1, b""))
        return status.get(1, 0), status.get(2, b"").decode(), answer.get(2, b"")

    def _read(self, size):
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                raise EOFError("the shim closed the connection")
            data += more
        return data

    def close(self):
        self.socket.close()


def of_sandbox(bed, role, sandbox):
    """A client of the shim that serves a sandbox on this node, in either mode."""
    bundles = [bed.path(role, f"/run/containerd/io.containerd.{plugin}/k8s.io/{sandbox}/bootstrap.json")
               for plugin in ("sandbox.controller.v1.shim", "runtime.v2.task")]
    with open(next(filter(os.path.exists, bundles)), encoding="utf-8") as file:
        address = json.load(file)["address"]
    return Client(bed.path(role, address.removeprefix("unix://")))
