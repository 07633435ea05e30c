# SPDX-License-Identifier: Apache-2.0
"""A client of PostgreSQL that knows what it was promised: version 3 of the protocol, as much of it as one statement after the other
needs, and writers that keep which commits were acknowledged."""
import struct
import threading
import time

PROTOCOL = 3 << 16


class Refused(Exception):
    """What the server says instead of an answer."""


class Connection:
    """Over a connected socket, which it owns. OSError: the connection has ended, and nobody knows about the last statement."""

    def __init__(self, sock, seconds=60):
        self.socket = sock
        sock.settimeout(seconds)
        self.stream = sock.makefile("rb")
        words = b"user\0postgres\0database\0postgres\0\0"
        sock.sendall(struct.pack("!II", 8 + len(words), PROTOCOL) + words)
        self._answer()

    def query(self, text):
        """The rows of one statement, each a list of texts."""
        self.socket.sendall(b"Q" + struct.pack("!I", 5 + len(text)) + text.encode() + b"\0")
        return self._answer()

    def _exactly(self, count):
        data = self.stream.read(count)
        if len(data) < count:
            raise ConnectionError("the server has closed the connection")
        return data

    def _answer(self):
        """Everything up to ReadyForQuery."""
        rows, fault = [], None
        while True:
            kind, length = struct.unpack("!cI", self._exactly(5))
            body = self._exactly(length - 4)
            if kind == b"Z":
                break
            if kind == b"D":
                rows.append(list(self._columns(body)))
            elif kind == b"E":
                fault = b" ".join(field[1:] for field in body.split(b"\0") if field[:1] in (b"C", b"M")).decode()
                if self._is_fatal(body):
                    break
        if fault:
            raise Refused(fault)
        return rows

    @staticmethod
    def _is_fatal(body):
        return any(field in (b"VFATAL", b"VPANIC") for field in body.split(b"\0"))

    @staticmethod
    def _columns(body):
        at = 2
        for _ in range(struct.unpack_from("!H", body)[0]):
            length = struct.unpack_from("!i", body, at)[0]
            at += 4
            yield body[at:at + length].decode() if length >= 0 else None
            at += max(length, 0)

    def close(self):
        self.stream.close()
        self.socket.close()


class Writer(threading.Thread):
    """Commits one number after the other, each once. `acknowledged`: the server said so; `open`: it was asked and nothing came back.
    `connect` returns a Connection or None, which is tried again."""

    def __init__(self, connect, first):
        super().__init__()
        self.connect, self.next = connect, first
        self.acknowledged, self.open, self.faults = [], [], []
        self.longest = 0.0
        self.stopping = threading.Event()

    def run(self):
        while not self.stopping.is_set():
            connection = self.connect()
            if not connection:
                self.stopping.wait(0.5)       # each try is a process there, which recovers meanwhile
                continue
            try:
                while not self.stopping.is_set():
                    self._commit(connection)
            except (OSError, Refused) as fault:
                self.faults.append(fault)
            finally:
                connection.close()

    def _commit(self, connection):
        number, began = self.next, time.monotonic()
        self.next += 1
        self.open.append(number)
        connection.query(f"INSERT INTO promises VALUES ({number})")
        self.acknowledged.append(self.open.pop())
        self.longest = max(self.longest, time.monotonic() - began)

    def finish(self):
        self.stopping.set()
        self.join(90)
        assert not self.is_alive()
