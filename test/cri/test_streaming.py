# SPDX-License-Identifier: Apache-2.0
"""Exec, attach and port-forward through containerd's streaming server, as kubectl uses them. Commands
print after they have read: containerd may lose the input of one that prints nothing."""
import hashlib
import struct

import grpc
import pytest

import cri as cri_program
from conftest import eventually
from streams import DATA, ERROR, STDOUT, Stream
from suite import BUSYBOX, SLEEP

ECHO = ["sh", "-c", 'echo ready; while read -r line; do echo "got $line"; done; echo "end of input" | tee /tmp/ended; sleep 1000']


@pytest.fixture
def connect(node):
    """connect(URL): a stream that is closed after the case."""
    made = []

    def run(url):
        made.append(Stream(node.bed, url))
        return made[-1]
    yield run
    for stream in made:
        stream.close()


# ---- exec -------------------------------------------------------------------------------------

@pytest.mark.vm
def test_exec_without_input_and_terminal(node, ctr, connect):
    command = ["sh", "-c", "echo out; echo err >&2; [ -t 0 ] || [ -t 1 ] || echo plain; exit 3"]
    stream = connect(node.exec_url(ctr, command, stdout=True, stderr=True))
    assert stream.ended() == (3, b"out\nplain\n", b"err\n")


def test_exec_with_input_and_without_terminal(node, ctr, connect):
    stream = connect(node.exec_url(ctr, ["sh", "-c", "read a; echo $a; read b; echo $b >&2"], stdin=True, stdout=True, stderr=True))
    stream.send(b"first\n")
    assert stream.until(STDOUT, b"first\n") == b"first\n"
    stream.send(b"second\n")
    assert stream.ended() == (0, b"first\n", b"second\n")


@pytest.mark.vm
def test_exec_with_input_and_terminal(node, ctr, connect):
    command = ["sh", "-c", "[ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo terminal $TERM; read a; echo got $a >&2; exit 5"]
    stream = connect(node.exec_url(ctr, command, stdin=True, stdout=True, tty=True))
    assert stream.until(STDOUT, b"\r\n") == b"terminal xterm\r\n"
    stream.send(b"hello\n")
    assert stream.ended() == (5, b"terminal xterm\r\nhello\r\ngot hello\r\n", b"")      # echoed by the terminal


@pytest.mark.vm
def test_a_terminals_size_is_seen_inside_and_so_is_its_change(node, ctr, connect):
    command = ["sh", "-c", "while read x; do stty size; done"]
    stream = connect(node.exec_url(ctr, command, stdin=True, stdout=True, tty=True))
    for width, height in ((81, 31), (132, 43)):
        stream.resize(width, height)
        stream.answer(b"\n", f"{height} {width}\r\n".encode())


def test_control_c_ends_what_runs_in_the_terminal(node, ctr, connect):
    stream = connect(node.exec_url(ctr, ["sh", "-c", "echo ready; sleep 1000"], stdin=True, stdout=True, tty=True))
    stream.until(STDOUT, b"ready")
    stream.send(b"\x03")
    assert stream.ended()[0] == 130


@pytest.mark.vm
def test_much_goes_through_an_exec_in_both_directions(node, ctr, connect):
    count = 1 << 20
    stream = connect(node.exec_url(ctr, ["sh", "-c", f"head -c {count} | md5sum; seq 50000"], stdin=True, stdout=True, stderr=True))
    for start in range(0, count, 1 << 15):
        stream.send(bytes([start >> 15 & 255]) * (1 << 15))
    code, out, _ = stream.ended(60)
    digest = hashlib.md5(b"".join(bytes([n & 255]) * (1 << 15) for n in range(count >> 15))).hexdigest()
    assert code == 0
    assert out == f"{digest}  -\n".encode() + b"".join(b"%d\n" % n for n in range(1, 50001))


def test_a_client_that_goes_is_the_end_of_input(node, ctr, connect):
    stream = connect(node.exec_url(ctr, ["sh", "-c", "echo ready; cat > /tmp/input; echo end >> /tmp/input"],
                                   stdin=True, stdout=True, stderr=True))
    stream.until(STDOUT, b"ready")
    stream.send(b"all of it\n")
    stream.close()
    eventually(lambda: node.exec(ctr, "cat", "/tmp/input")[1] == b"all of it\nend\n", what="the end of input")


def test_a_program_that_is_not_there(node, ctr, connect):
    stream = connect(node.exec_url(ctr, ["/none/such"], stdout=True, stderr=True))
    code, out, _ = stream.ended()
    assert code != 0 and out == b"" and b"/none/such" in stream.got[ERROR]


def test_exec_in_what_does_not_run_is_refused(node, pod):
    ctr = node.create(pod, "created", BUSYBOX, SLEEP)
    with pytest.raises(grpc.RpcError):
        node.exec_url(ctr, ["true"], stdout=True)


def test_a_terminal_has_no_stderr_of_its_own(node, ctr):
    with pytest.raises(grpc.RpcError):
        node.exec_url(ctr, ["true"], tty=True, stdout=True, stderr=True)


# ---- attach -----------------------------------------------------------------------------------

@pytest.mark.vm
def test_attach_is_both_ends_of_the_container(node, pod, connect):
    ctr = node.run(pod, "echo", BUSYBOX, ECHO, stdin=True)
    for round_ in range(3):        # detached and attached again: the input stays open
        stream = connect(node.attach_url(ctr, stdin=True, stdout=True, stderr=True))
        stream.send(b"hello %d\n" % round_)
        stream.until(STDOUT, b"got hello %d\n" % round_)
        stream.close()
    assert node.exec(ctr, "test", "-e", "/tmp/ended")[0] == 1
    assert [text for _, text in node.log(ctr)] == ["ready"] + [f"got hello {n}" for n in range(3)]


@pytest.mark.vm
def test_with_stdin_once_the_first_client_that_goes_ends_the_input(node, pod, connect):
    ctr = node.run(pod, "once", BUSYBOX, ECHO, stdin=True, stdin_once=True)
    stream = connect(node.attach_url(ctr, stdin=True, stdout=True, stderr=True))
    stream.send(b"hello\n")
    stream.until(STDOUT, b"got hello\n")
    stream.close()
    eventually(lambda: node.exec(ctr, "cat", "/tmp/ended")[1] == b"end of input\n", what="the end of input")


def test_two_clients_see_the_same_output(node, pod, connect):
    ctr = node.run(pod, "twice", BUSYBOX, ECHO, stdin=True)
    one, two = (connect(node.attach_url(ctr, stdin=True, stdout=True, stderr=True)) for _ in range(2))
    for client, word in ((one, b"first"), (two, b"second")):
        client.answer(word + b"\n", b"got " + word)        # each is attached now
    one.send(b"third\n")
    for client in (one, two):
        client.until(STDOUT, b"got third\n")


def test_attach_without_input_follows_what_comes(node, pod, connect):
    ctr = node.run(pod, "follow", BUSYBOX, ["sh", "-c", "echo before; while ! [ -e /tmp/go ]; do echo tick; sleep 0.1; done; exit 6"])
    eventually(lambda: node.log(ctr), what="its start")
    stream = connect(node.attach_url(ctr, stdout=True, stderr=True))
    assert b"before" not in stream.until(STDOUT, b"tick\n")
    node.out(ctr, "touch", "/tmp/go")
    stream.ended()
    assert node.wait_exit(ctr).exit_code == 6


def test_attach_to_a_terminal_sets_its_size(node, pod, connect):
    ctr = node.run(pod, "term", BUSYBOX, ["sh", "-c", "echo ready; while read x; do stty size; done"], stdin=True, tty=True)
    stream = connect(node.attach_url(ctr, stdin=True, stdout=True, tty=True))
    for width, height in ((100, 40), (61, 17)):
        stream.resize(width, height)
        stream.answer(b"\n", f"{height} {width}\r\n".encode())
    assert node.container_status(ctr).state == cri_program.RUNNING


# ---- port-forward -----------------------------------------------------------------------------

@pytest.mark.vm
@pytest.mark.parametrize("listen", ["127.0.0.1:8081", "8081"])
def test_a_forwarded_port_reaches_the_containers_server(node, pod, connect, listen):
    web = node.run(pod, "web", BUSYBOX, ["sh", "-c", f"echo page > /tmp/index.html; exec httpd -f -p {listen} -h /tmp"])
    answer = eventually(lambda: _get(connect(node.forward_url(pod, 8081))), what="the page")
    assert answer.startswith(b"HTTP/1.") and answer.endswith(b"page\n")
    node.stop_container(web, 0)


def _get(stream):
    """The answer without its first two bytes, which say the port; empty if nobody listens yet."""
    stream.send(b"GET /index.html HTTP/1.0\r\n\r\n", DATA)
    stream.ended()
    port, answer = stream.got[DATA][:2], stream.got[DATA][2:]
    assert struct.unpack("<H", port) == (8081,)
    return answer


def test_a_forwarded_port_that_nobody_listens_to_says_so(node, pod, connect):
    stream = connect(node.forward_url(pod, 8089))
    stream.ended()
    assert b"8089" in stream.got[1][2:] and stream.got[DATA][2:] == b""


@pytest.mark.vm
def test_forwarded_connections_carry_much_at_the_same_time(node, pod, connect):
    size = 3_000_000
    node.run(pod, "web", BUSYBOX, ["sh", "-c", f"seq 1000000 | head -c {size} > /tmp/index.html; exec httpd -f -p 8081 -h /tmp"])
    body = b"".join(b"%d\n" % n for n in range(1, 1000001))[:size]
    eventually(lambda: _get(connect(node.forward_url(pod, 8081))).endswith(body[-100:]), what="the first answer")
    streams = [connect(node.forward_url(pod, 8081)) for _ in range(4)]
    for stream in streams:
        stream.send(b"GET /index.html HTTP/1.0\r\n\r\n", DATA)
    for stream in streams:
        stream.ended(60)
        head, _, got = stream.got[DATA][2:].partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.") and got == body


def test_a_forwarded_connection_goes_both_ways_for_long(node, pod, connect):
    """A question is answered before the next is asked, as a database's client does."""
    node.run(pod, "echo", BUSYBOX, ["nc", "-l", "-p", "8082", "-e", "sh", "-c", 'while read -r line; do echo "got $line"; done'])
    stream = eventually(lambda: _asked(connect(node.forward_url(pod, 8082)), b"first"), what="the server")
    for number in range(50):
        stream.send(b"%d\n" % number, DATA)
        stream.until(DATA, b"got %d\n" % number)


def _asked(stream, word):
    """The stream, if somebody answers there."""
    stream.send(word + b"\n", DATA)
    while stream.open:
        if b"got " + word in stream.got.get(DATA, b""):
            return stream
        stream.read(1)
    return None


def test_nothing_is_forwarded_to_a_pod_that_has_stopped(node):
    pod = node.pod("stopped")
    node.stop_pod(pod)
    with pytest.raises(grpc.RpcError):
        node.forward_url(pod, 8081)
