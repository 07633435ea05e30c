# SPDX-License-Identifier: Apache-2.0
"""Real workloads in a pod: a database that is killed, a database whose channel is cut, a server beside containers that flood their logs.
What they must not lose is what somebody outside of the guest was told."""
import contextlib
import re
import subprocess
import threading
import time

import pytest

import ns
import postgres_image
import setup
from conftest import BUSYBOX, eventually
from cri import LONG
from pg_client import Connection, Refused, Writer
from streams import connect_inside
from test_tenant_network import address, black_hole
from test_volumes import at, kubelet, kubelet_of_machine       # noqa: F401

PORT = 5432
TABLES = "until pgbench -i -q 2>&1; do sleep 0.2; done"
BENCH = "while :; do pgbench -n -c 2 -T 600 -h {host} 2>&1; sleep 0.1; done"
CRASHED = "database system was not properly shut down; automatic recovery in progress"
READY = "database system is ready to accept connections"
REINITIALISED = "all server processes terminated; reinitializing"
# What pgbench's script keeps equal in each transaction, whatever it is killed in.
BALANCED = ("SELECT (SELECT sum(abalance) FROM pgbench_accounts) - sum(delta), (SELECT sum(bbalance) FROM pgbench_branches) - sum(delta),"
            " (SELECT sum(tbalance) FROM pgbench_tellers) - sum(delta), count(*) FROM pgbench_history")


# ---- a database --------------------------------------------------------------------------------

class Database:
    """A pod with PostgreSQL on an emptyDir, and what it has promised to clients on the node."""

    def __init__(self, bed, tenant, kubelet):
        tenant.pull(postgres_image.NAME)
        self.bed, self.tenant = bed, tenant
        self.mounts = [at(postgres_image.DATA, kubelet.empty("data"))]
        self.pod = kubelet.run_pod()
        self.host = address(tenant, self.pod)
        self.attempts, self.writers = 0, []
        self.start()
        self.query("CREATE TABLE promises (number bigint)")

    def start(self):
        self.ctr = self.run(f"postgres-{self.attempts}", None)
        self.attempts += 1
        self.wait_until_ready(1)

    def run(self, name, script):
        command = ["sh", "-c", script] if script else []
        ctr = self.tenant.create(self.pod, name, postgres_image.NAME, command, mounts=self.mounts)
        self.tenant.start_container(ctr, timeout=LONG)      # 75 MB of layers, by an emulated processor in the machine's case
        return ctr

    def restart(self):
        """As kubelet does it: a new container on the old volume."""
        assert self.tenant.wait_exit(self.ctr).exit_code == 137
        self.tenant.remove_container(self.ctr)
        self.start()

    def connect(self):
        """None: it does not serve, or not yet."""
        with contextlib.suppress(OSError, Refused):
            return Connection(connect_inside(self.bed, "tenant", (self.host, PORT)))
        return None

    def wait_until_ready(self, times):
        """So many times since its container was started."""
        eventually(lambda: self.said().count(READY) >= times, LONG, "the database")

    def query(self, text):
        connection = eventually(self.connect, 60, "the database")
        rows = connection.query(text)
        connection.close()
        return rows

    def make_tables(self):
        assert self.tenant.wait_exit(self.run("tables", TABLES), 60).exit_code == 0

    def bench_outside(self, seconds):
        """pgbench itself as a client on the node; says each second how many transactions there were."""
        root = postgres_image.ROOT
        return subprocess.Popen(self.bed.argv("tenant", [
            "env", f"LD_LIBRARY_PATH={root}/usr/lib/x86_64-linux-gnu", f"{root}/{postgres_image.BIN}/pgbench", "-n", "-c", "2",
            "-T", str(seconds), "-P", "1", "-h", self.host, "-U", "postgres", "postgres"]),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def said(self):
        return "\n".join(line for _, line in self.tenant.log(self.ctr))

    def write(self, count):
        self.writers = [Writer(self.connect, n << 32) for n in range(count)]
        for writer in self.writers:
            writer.start()

    def wait_for_promises(self, count):
        """So many more from each writer."""
        goals = [(writer, len(writer.acknowledged) + count) for writer in self.writers]
        eventually(lambda: all(len(writer.acknowledged) >= goal for writer, goal in goals), 60, f"{count} commits of each writer")

    def check_promises(self):
        """What was acknowledged before is there, once; what was neither acknowledged nor asked for is not."""
        promised = [n for writer in self.writers for n in writer.acknowledged[:]]
        found = [int(row[0]) for row in self.query("SELECT number FROM promises")]
        lost = set(promised) - set(found)
        assert not lost and len(found) == len(set(found)), f"lost: {sorted(lost)}"
        return len(promised), found

    def check_balance(self):
        """Of pgbench's tables; how many transactions they have seen."""
        *differences, count = [int(column or 0) for column in self.query(BALANCED)[0]]
        assert differences == [0, 0, 0], (differences, count)
        return count

    def finish(self):
        for writer in self.writers:
            writer.finish()


@pytest.fixture(scope="module")
def image(running_bed):
    made = postgres_image.image()
    assert ns.call(running_bed.pid("tenant"), ns.NEWNET, lambda: made.push(setup.REGISTRY_PORT, "postgres", "1"))


def served(*nodes):
    made = Database(*nodes)
    yield made
    made.finish()


@pytest.fixture
def database(image, bed, tenant, kubelet):     # noqa: F811
    yield from served(bed, tenant, kubelet)


@pytest.fixture
def database_of_machine(image, bed, tenant, kubelet_of_machine):    # noqa: F811
    yield from served(bed, tenant, kubelet_of_machine)


def kill_by_cri(database):
    database.tenant.stop_container(database.ctr, grace=0)
    database.restart()


def kill_by_task(database):
    database.bed.run("tenant", "ctr", "-n", "k8s.io", "tasks", "kill", "--all", "-s", "SIGKILL", database.ctr)
    database.restart()


def kill_inside(database):
    """Only a child: the server ends every other one and recovers within its container."""
    child = database.query("SELECT pid FROM pg_stat_activity WHERE query LIKE 'INSERT INTO promises%' LIMIT 1")[0][0]
    assert database.tenant.exec(database.ctr, "kill", "-9", child)[0] == 0
    database.wait_until_ready(2)
    assert REINITIALISED in database.said()


def test_no_commit_of_a_database_is_lost_when_it_is_killed(database):
    database.make_tables()
    for n, host in enumerate((postgres_image.DATA, "127.0.0.1")):
        database.run(f"load-{n}", BENCH.format(host=host))
    database.write(2)
    seen = 0
    for kill in (kill_by_cri, kill_inside, kill_by_task):
        database.wait_for_promises(100)
        eventually(lambda: database.check_balance() > seen + 20, 60, "pgbench's transactions")
        kill(database)
        promised, found = database.check_promises()
        assert CRASHED in database.said()
        seen = database.check_balance()
        print(f"{kill.__name__}: {promised} promised, {len(found)} found, {seen} of pgbench")
    database.wait_for_promises(20)
    database.finish()
    promised, found = database.check_promises()
    asked = {n for writer in database.writers for n in writer.open}
    assert set(found) - asked == {n for writer in database.writers for n in writer.acknowledged}
    # Each kill interrupts the statement that is on its way; a server that goes down may take and drop others behind it.
    assert all(len(writer.open) <= 9 and len(writer.acknowledged) > 300 for writer in database.writers)


def test_clients_of_a_database_outlive_a_cut_of_five_seconds(database):
    """A stub of the tenant node: the way to it is a link of its own."""
    database.make_tables()
    database.write(1)
    database.wait_for_promises(50)
    bench = database.bench_outside(12)
    assert any(line.startswith("progress: ") for line in bench.stdout)      # it is at work
    with black_hole(database.bed):
        time.sleep(5)
    database.wait_for_promises(50)
    said = bench.communicate(timeout=90)[0]
    database.finish()
    writer, = database.writers
    print(said, f"the longest commit: {writer.longest:.1f} s")
    assert bench.returncode == 0 and "number of failed transactions: 0 " in said and "ERROR" not in said
    assert "s, 0.0 tps" in said and writer.longest > 4                      # it is a cut
    assert writer.faults == [] and writer.open == []
    promised, found = database.check_promises()
    assert promised == len(found)
    processed = int(re.search(r"transactions actually processed: (\d+)", said)[1])
    assert database.check_balance() == processed > 0


def test_a_database_in_a_machine_loses_no_commit(database_of_machine):
    database = database_of_machine
    database.write(2)
    database.wait_for_promises(20)
    kill_by_cri(database)
    database.wait_for_promises(5)
    database.finish()
    promised, found = database.check_promises()
    assert CRASHED in database.said() and promised <= len(found) <= promised + 2


# ---- a server beside floods --------------------------------------------------------------------

WEB_PORT = 12080
FLOODS = 4
PAGE = b"line of a page\n" * 2000
SERVE = 'yes "line of a page" | head -n 2000 > /tmp/index.html; exec httpd -f -p 80 -h /tmp'
# Says each number once, and writes down in the volume how far it is.
FLOOD = ("i=0; until [ -e /said/enough ]; do seq $((i + 1)) $((i + 2000)); i=$((i + 2000)); echo $i >> /said/%d; done;"
         " echo end $i")


class Visitor(threading.Thread):
    """A client on the other node: one request after the other, each with a connection of its own."""

    def __init__(self, bed):
        super().__init__()
        self.bed, self.took, self.fault, self.stopping = bed, [], None, threading.Event()

    def run(self):
        try:
            while not self.stopping.is_set():
                began = time.monotonic()
                self.ask()
                self.took.append(time.monotonic() - began)
        except (OSError, AssertionError) as fault:
            self.fault = fault

    def ask(self):
        with connect_inside(self.bed, "host", (setup.ADDRESS["tenant"], WEB_PORT)) as server:
            server.settimeout(30)
            server.sendall(b"GET /index.html HTTP/1.0\r\n\r\n")
            answer = b"".join(iter(lambda: server.recv(1 << 16), b""))
        assert answer.startswith(b"HTTP/1.") and answer.partition(b"\r\n\r\n")[2] == PAGE, answer[:200]

    def wait_for(self, count):
        eventually(lambda: self.fault or len(self.took) >= count, 60, f"{count} answers")
        assert not self.fault

    def finish(self):
        self.stopping.set()
        self.join(40)
        assert not self.is_alive() and not self.fault


def quantiles(took):
    ordered = sorted(took)
    return f"p50 {1000 * ordered[len(took) // 2]:.0f} ms, p99 {1000 * ordered[len(took) * 99 // 100]:.0f} ms of {len(took)} requests"


@pytest.fixture
def visitor(bed):
    made = Visitor(bed)
    yield made
    made.finish()


def flood_lines(bed, tenant, ctr):
    """(how many lines say the next number, what stands behind them) in the container's log."""
    path = bed.path("tenant", tenant.container_status(ctr).log_path)
    with open(path, "rb") as log:
        texts = [line.rstrip(b"\n").split(b" ", 3)[3] for line in log]
    count = 0
    while count < len(texts) and texts[count] == b"%d" % (count + 1):
        count += 1
    return count, texts[count:]


def test_a_server_behind_a_host_port_answers_beside_floods(kubelet, tenant, bed, visitor):      # noqa: F811
    said = kubelet.empty("said")
    mounts = [at("/said", said)]
    kubelet.config.port_mappings.add(container_port=80, host_port=WEB_PORT)
    pod = kubelet.run_pod()
    server = tenant.run(pod, "server", BUSYBOX, ["sh", "-c", SERVE], mounts=mounts)
    eventually(lambda: tenant.exec(server, "wget", "-q", "-O", "/dev/null", "http://127.0.0.1/")[0] == 0, what="the server")
    visitor.start()
    visitor.wait_for(50)
    floods = [tenant.run(pod, f"flood-{n}", BUSYBOX, ["sh", "-c", FLOOD % n], mounts=mounts) for n in range(FLOODS)]
    eventually(lambda: tenant.exec(server, "sh", "-c", "cat /said/*")[1].count(b"\n") > FLOODS * 5, 30, "the floods")
    idle = len(visitor.took)
    visitor.wait_for(idle + 50)
    began = time.monotonic()
    tenant.stop_container(floods[0], grace=0)
    ended = time.monotonic() - began
    visitor.wait_for(idle + 150)
    assert tenant.exec(server, "touch", "/said/enough")[0] == 0
    took = visitor.took[idle:]
    visitor.finish()
    print(f"before: {quantiles(visitor.took[:50])}; beside floods: {quantiles(took)}; a flooding container's end: {ended:.2f} s")
    assert max(took) < 10 and ended < 10

    written = int(tenant.exec(server, "tail", "-n", "1", "/said/0")[1])
    count, rest = flood_lines(bed, tenant, floods[0])
    assert count >= written and len(rest) <= 1 and (b"%d" % (count + 1)).startswith(b"".join(rest))     # killed within a line
    print(f"killed: {written} written at least, {count} logged")
    for ctr in floods[1:]:
        assert tenant.wait_exit(ctr, 60).exit_code == 0
        count, rest = flood_lines(bed, tenant, ctr)
        assert rest == [b"end %d" % count] and count > 0
        print(f"ended: {count} written and logged")
