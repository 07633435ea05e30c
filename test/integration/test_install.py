# SPDX-License-Identifier: Apache-2.0
"""`make install` puts down what a node needs, and what it puts down fits together."""
import os
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAMS = {"cleave", "cleave-host-helper", "cleave-share", "cleave-provision-cri", "cleave-provision-static", "kubectl-cleave",
            "containerd-shim-cleave-host-v2", "containerd-shim-cleave-tenant-v2"}


def make(*words):
    """SAN comes with MAKEFLAGS. BUILD is named as it was for the programs that are there: by another name of the same
    directory they would be other programs, and all be made again under the tests that run beside this one."""
    build = os.path.relpath(os.environ.get("BUILD", ROOT + "/build"), ROOT)
    subprocess.run(["make", "--no-print-directory", "BUILD=" + build, *words], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """The root of a node on which cleave was installed."""
    root = str(tmp_path_factory.mktemp("node"))
    make("install", "DESTDIR=" + root)
    yield root
    make("uninstall", "DESTDIR=" + root)
    left = [os.path.join(folder, name) for folder, _, names in os.walk(root) for name in names]
    assert left == []


def check(node, realm, *words):
    done = subprocess.run([node + "/usr/local/bin/cleave", "check", realm, "--root", node, *words],
                          capture_output=True, text=True, check=False)
    return {line.split(":")[0].split()[1]: line for line in done.stdout.splitlines() if line[:4] in ("ok  ", "warn", "FAIL")}


def test_the_programs_are_there_and_say_their_version(node):
    folder = node + "/usr/local/bin"
    assert set(os.listdir(folder)) == PROGRAMS
    for program, words in (("cleave", ["version"]), ("kubectl-cleave", ["version"]), ("cleave-provision-cri", ["--version"]),
                           ("containerd-shim-cleave-host-v2", ["-v"]), ("containerd-shim-cleave-tenant-v2", ["-v"])):
        done = subprocess.run([f"{folder}/{program}", *words], capture_output=True, text=True, check=True)
        assert "0.1.0" in done.stdout


def test_no_program_of_the_host_has_a_key(node):
    """The untrusted side links no TLS library and no gRPC; the resident shim no libvirt."""
    for program, forbidden in (("containerd-shim-cleave-host-v2", "mbed grpc virt"), ("cleave-host-helper", "mbed grpc")):
        linked = subprocess.run(["ldd", f"{node}/usr/local/bin/{program}"], capture_output=True, text=True, check=True).stdout
        assert [word for word in forbidden.split() if word in linked] == []


def test_the_defaults_find_what_was_installed(node):
    found = check(node, "host")
    for name in ("config", "helper", "kernel", "initrd", "cmdline"):
        assert found[name].startswith("ok"), found[name]


def test_the_examples_are_what_the_programs_read(node):
    deploy = node + "/usr/local/share/cleave/deploy"
    host = check(node, "host", "--config", deploy + "/host.conf", "--containerd-config", deploy + "/containerd-host.toml")
    tenant = check(node, "tenant", "--config", deploy + "/tenant.conf",
                   "--containerd-config", deploy + "/containerd-tenant.toml")
    other = check(node, "tenant", "--config", deploy + "/tenant.conf",
                  "--containerd-config", deploy + "/containerd-tenant-sandbox.toml")
    tenants = "config runtime sandboxer shim devices pod-annotations"
    for found, names in ((host, "config runtime sandboxer options shim"), (tenant, tenants), (other, tenants)):
        for name in names.split():
            assert found[name].startswith("ok"), found[name]
    assert set(os.listdir(deploy)) == set(os.listdir(ROOT + "/deploy"))
