# SPDX-License-Identifier: Apache-2.0
"""A client of containerd's streaming server, which listens on the node's loopback: exec, attach and
port-forward over websocket. The first byte of each message is its channel."""
import json
import socket
import threading
import time
import urllib.parse

import websocket

import ns

STDIN, STDOUT, STDERR, ERROR, RESIZE = range(5)
DATA = 0                                # of a port-forward, whose channel 1 is for errors
PROTOCOL = "v4.channel.k8s.io"          # what containerd 2.1 has: no message says "end of input"


def made_inside(path, make):
    """What make() makes, a socket, in the network namespace of that file: only the thread that makes it enters it."""
    made = []

    def run():
        try:
            with open(path, encoding="utf-8") as space:
                ns.checked(ns.libc.setns(space.fileno(), ns.NEWNET), "setns")
            made.append(make())
        except OSError as error:
            made.append(error)
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if isinstance(made[0], OSError):
        raise made[0]
    return made[0]


def connect_inside(bed, role, address):
    """A TCP connection of the node's network."""
    return made_inside(f"/proc/{bed.pid(role)}/ns/net", lambda: socket.create_connection(address, 10))


class Stream:
    """One connection. `got[channel]` is what has come; messages are read while one waits for something."""

    def __init__(self, bed, url):
        parts = urllib.parse.urlsplit(url)
        transport = connect_inside(bed, "tenant", (parts.hostname, parts.port))
        self.socket = websocket.create_connection(f"ws://{parts.netloc}{parts.path}?{parts.query}", socket=transport,
                                                  subprotocols=[PROTOCOL], timeout=20)
        self.got, self.open = {}, True

    def send(self, data, channel=STDIN):
        self.socket.send_binary(bytes([channel]) + data)

    def resize(self, width, height):
        self.send(json.dumps({"Width": width, "Height": height}).encode(), RESIZE)

    def read(self, seconds):
        """Takes the next message, if one comes in time."""
        self.socket.settimeout(seconds)
        try:
            opcode, message = self.socket.recv_data()
        except websocket.WebSocketTimeoutException:
            return
        except (websocket.WebSocketConnectionClosedException, ConnectionError):
            self.open = False
            return
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            self.open = False
        elif message:
            self.got[message[0]] = self.got.get(message[0], b"") + message[1:]

    def until(self, channel, part, seconds=20):
        """Waits until `part` has come on a channel; all that has come on it."""
        deadline = time.monotonic() + seconds
        while part not in self.got.get(channel, b""):
            assert self.open and time.monotonic() < deadline, f"no {part} on channel {channel}: {self.got}"
            self.read(1)
        return self.got[channel]

    def answer(self, line, wanted, seconds=20):
        """Says the line until the answer is the wanted one; for what takes effect some time later."""
        deadline = time.monotonic() + seconds
        while wanted not in self.got.get(STDOUT, b""):
            assert self.open and time.monotonic() < deadline, f"no {wanted}: {self.got}"
            self.send(line)
            self.read(0.2)

    def ended(self, seconds=20):
        """Waits for the server to close; (exit code, stdout, stderr)."""
        deadline = time.monotonic() + seconds
        while self.open:
            assert time.monotonic() < deadline, f"the stream stays open: {self.got}"
            self.read(1)
        self.socket.close()
        return self.code(), self.got.get(STDOUT, b""), self.got.get(STDERR, b"")

    def code(self):
        status = json.loads(self.got.get(ERROR, b"{}"))
        if status.get("status") == "Success":
            return 0
        causes = {c.get("reason"): c["message"] for c in status.get("details", {}).get("causes", [])}
        return int(causes["ExitCode"]) if "ExitCode" in causes else None

    def close(self):
        """What a client that goes does: nothing is said about the input, the connection ends."""
        self.socket.close()
