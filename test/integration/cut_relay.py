#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A relay between the tenant shim and the one stub guest of its node: cut_relay.py FROM CUT. FROM is
the path of a socket, and the way leads to the guest; or ADDRESS:PORT, which the guest dials, and the way
leads to the port of that address that stands in the file CUT.port. A number that is sent to CUT breaks
everything that is being relayed, if it has so many ends; how many is answered, or 0. "hold" breaks all and
keeps new connections from coming through, until "free". "after N" breaks the first connection that carries more than N bytes in
one direction; "waits" answers whether that is still to come."""
import os
import re
import socket
import subprocess
import sys
import threading

live = set()
held = threading.Event()
budget = []     # of one direction of one connection; empty: none


def guest():
    text = subprocess.run(["ip", "-o", "-4", "address"], capture_output=True, text=True, check=True).stdout
    a, b = re.search(r" stub\S+ +inet (\d+\.\d+\.\d+)\.(\d+)/30", text).groups()
    return f"{a}.{int(b) + 1}", 7433


def shim():
    with open(sys.argv[2] + ".port", encoding="ascii") as file:
        return sys.argv[1].split(":")[0], int(file.read())


def pump(a, b):
    carried = 0
    try:
        while data := a.recv(65536):
            carried += len(data)
            if budget and carried > budget[0]:
                budget.clear()
                break
            b.sendall(data)
    except OSError:
        pass
    for end in (a, b):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def relay(client):
    if held.is_set():
        client.close()
        return
    try:
        server = socket.create_connection(shim() if ":" in sys.argv[1] else guest(), 2)
    except (OSError, AttributeError):
        client.close()
        return
    server.settimeout(None)
    live.update((client, server))
    threads = [threading.Thread(target=pump, args=pair) for pair in ((client, server), (server, client))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    live.difference_update((client, server))
    client.close()
    server.close()


def listen(path, serve):
    if ":" in path:
        sock = socket.create_server((path.split(":")[0], int(path.split(":")[1])))
    else:
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(path)
        sock.listen(16)
    while True:
        peer = sock.accept()[0]
        threading.Thread(target=serve, args=(peer,), daemon=True).start()


def cut(peer):
    word = peer.recv(16)
    if word == b"free":
        held.clear()
        peer.close()
        return
    if word.startswith(b"after ") or word == b"waits":
        budget[:] = [int(word[6:])] if word != b"waits" else budget
        peer.sendall(b"%d" % len(budget))
        peer.close()
        return
    if word == b"hold":
        held.set()
    ends = list(live)
    if word != b"hold" and len(ends) < int(word):
        ends = []
    for end in ends:
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
    peer.sendall(b"%d" % len(ends))
    peer.close()


if __name__ == "__main__":
    threading.Thread(target=listen, args=(sys.argv[2], cut), daemon=True).start()
    listen(sys.argv[1], relay)
    os._exit(0)
