# SPDX-License-Identifier: Apache-2.0
"""`cleave` as a user meets it, about nodes that are a few files below a directory. Needs no bed."""
import json
import os
import platform
import re
import shutil
import socket
import subprocess
import tempfile

import pytest

from conftest import BUILD, HERE

CLEAVE = BUILD + "/bin/cleave"
PATH = "/usr/bin:/bin"
CONTAINERD = {
    "host": """version = 3
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.cleave-host]
  runtime_type = "io.containerd.cleave-host.v2"
  sandboxer = "shim"
""",
    "tenant": """version = 3
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.cleave-tenant]
  runtime_type = "io.containerd.cleave-tenant.v2"
  privileged_without_host_devices = true
  pod_annotations = ["cleave.dev/*"]
  container_annotations = ["io.kubernetes.container.terminationMessagePath"]
""",
}


def cleave(*words):
    done = subprocess.run([CLEAVE, *words], capture_output=True, text=True, timeout=60, env={"PATH": PATH}, check=False)
    return done.returncode, done.stdout, done.stderr


class Node:
    """A node below a directory; everything on it is as it should be until a test breaks something."""

    def __init__(self, root, realm):
        self.root, self.realm, self.sockets = str(root), realm, []
        self.program("/usr/bin/containerd", "echo containerd github.com/containerd/containerd/v2 2.1.9 x")
        self.program(f"/usr/bin/containerd-shim-cleave-{realm}-v2")
        self.write("/etc/containerd/config.toml", CONTAINERD[realm])

    def path(self, path):
        os.makedirs(os.path.dirname(self.root + path), exist_ok=True)
        return self.root + path

    def write(self, path, text):
        with open(self.path(path), "w", encoding="utf-8") as file:
            file.write(text)

    def program(self, path, line="true"):
        self.write(path, f"#!/bin/sh\n{line}\n")
        os.chmod(self.path(path), 0o755)

    def device(self, path):
        os.symlink("/dev/null", self.path(path))

    def remove(self, path):
        os.unlink(self.root + path)

    def listen(self, path):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.path(path))
        listener.listen()
        self.sockets.append(listener)

    def close(self):
        for listener in self.sockets:
            listener.close()

    def check(self, *options):
        """(exit code, {name: (grade, fact, advice)}, last line)"""
        code, out, err = cleave("check", self.realm, "--root", self.root, *options)
        assert err == ""
        *lines, last = out.splitlines()
        found, name = {}, None
        for line in lines:
            if line.startswith("      -> "):
                found[name] = (*found[name][:2], line[9:])
                continue
            grade, name, fact = re.fullmatch(r"(ok  |warn|FAIL)  ([a-z-]+): (.+)", line).groups()
            found[name] = (grade.strip(), fact, "")
        found.pop("user", None)                 # says something to anybody but root
        return code, found, last

    def fails(self, name, word):
        """Just this check FAILs, says the word and what to do, and the exit code is 1."""
        code, found, _ = self.check()
        assert [check for check, (grade, _, _) in found.items() if grade == "FAIL"] == [name]
        assert word in found[name][1]
        assert found[name][2] and code == 1
        return found


@pytest.fixture
def place():
    """A directory with a name short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="cleave-") as folder:
        yield folder


def make_redirectable(node):
    node.device("/dev/net/tun")
    for module in ("act_mirred", "cls_u32", "sch_ingress"):
        os.makedirs(node.path(f"/sys/module/{module}/x"))


@pytest.fixture
def host(place):
    node = Node(place + "/host", "host")
    node.write("/etc/cleave/host.conf", """[machine]
helper = "/usr/bin/cleave-host-helper"
accel = "kvm"
launch_security = "sev-snp"
[image]
kernel = "/image/vmlinuz"
initrd = "/image/initrd.img"
cmdline = "/image/cmdline"
firmware = "/image/OVMF.fd"
""")
    node.program("/usr/bin/cleave-host-helper")
    for name in ("vmlinuz", "initrd.img", "cmdline", "OVMF.fd"):
        node.write("/image/" + name, "x" * (65536 if name == "OVMF.fd" else 1))
    kernel = os.stat(node.path("/image/vmlinuz"))
    node.write("/var/lib/cleave/h/accel.json", json.dumps({
        "version": 1, "kind": "accel", "kvm": True,
        "about": f"{platform.release()} /image/vmlinuz {kernel.st_size} {int(kernel.st_mtime)} /image/OVMF.fd"}))
    for path in ("/dev/kvm", "/dev/sev"):
        node.device(path)
    node.write("/sys/module/kvm_amd/parameters/sev_snp", "Y\n")
    make_redirectable(node)
    node.write("/proc/meminfo", "MemTotal:       33554432 kB\n")
    node.listen("/run/libvirt/libvirt-sock")
    yield node
    node.close()


@pytest.fixture
def tenant(place):
    node = Node(place + "/tenant", "tenant")
    node.write("/etc/cleave/tenant.conf",
               'evidence = "sample"\nallow_insecure_evidence = ["sample"]\n[cri]\nendpoint = "/run/host.sock"\n')
    node.program("/usr/bin/cleave-provision-cri")
    node.program("/usr/bin/cleave-share")
    node.listen("/run/host.sock")
    make_redirectable(node)
    yield node
    node.close()


def test_a_host_where_all_is_right(host):
    code, found, last = host.check()
    assert {grade for grade, _, _ in found.values()} == {"ok"}, found
    assert code == 0 and "0 FAIL" in last and "left out" not in last


def test_a_tenant_where_all_is_right_but_evidence_proves_nothing(tenant):
    code, found, _ = tenant.check()
    assert {name: grade for name, (grade, _, _) in found.items() if grade != "ok"} == {"evidence": "warn"}
    assert code == 0 and "INSECURE" in found["evidence"][1]


def test_a_wrong_configuration_is_shown_with_its_line(host, tenant):
    host.write("/etc/cleave/host.conf", "[machine]\n\nhelpr = 'x'\n")
    found = host.fails("config", "line 3: machine.helpr: unknown key")
    assert "helper" not in found                # what needs it is left out, not guessed
    tenant.write("/etc/cleave/tenant.conf", "evidence = 1\n")
    assert "kernel" not in tenant.fails("config", "line 1: evidence: expected a string")


@pytest.mark.parametrize("path, name, word", [
    ("/usr/bin/cleave-host-helper", "helper", "cleave-host-helper"),
    ("/image/initrd.img", "initrd", "/image/initrd.img"),
    ("/image/cmdline", "cmdline", "/image/cmdline"),
    ("/image/OVMF.fd", "firmware", "/image/OVMF.fd"),
    ("/dev/kvm", "kvm", "/dev/kvm"),
    ("/dev/sev", "launch-security", "/dev/sev"),
    ("/dev/net/tun", "tun", "/dev/net/tun"),
    ("/run/libvirt/libvirt-sock", "libvirt", "qemu:///system"),
    ("/etc/containerd/config.toml", "containerd-config", "config.toml"),
    ("/usr/bin/containerd-shim-cleave-host-v2", "shim", "containerd-shim-cleave-host-v2"),
])
def test_what_a_host_lacks_is_named(host, path, name, word):
    host.remove(path)
    host.fails(name, word)


@pytest.mark.parametrize("path, name, word", [
    ("/usr/bin/cleave-provision-cri", "provisioner", "cleave-provision-cri"),
    ("/usr/bin/cleave-share", "shares", "cleave-share"),
    ("/run/host.sock", "host-api", "/run/host.sock"),
    ("/etc/containerd/config.toml", "containerd-config", "config.toml"),
    ("/usr/bin/containerd-shim-cleave-tenant-v2", "shim", "containerd-shim-cleave-tenant-v2"),
])
def test_what_a_tenant_lacks_is_named(tenant, path, name, word):
    tenant.remove(path)
    tenant.fails(name, word)


@pytest.mark.parametrize("old, new, name, word", [
    ("cleave-host.v2", "runc.v2", "runtime", "cleave-host"),
    ("io.containerd.cri.v1.runtime", "io.containerd.grpc.v1.cri", "runtime", "ignores"),
    ('sandboxer = "shim"', "", "sandboxer", "podsandbox"),
    ('"shim"', '"shim"\n options = {}', "options", "options table"),
])
def test_traps_in_the_hosts_containerd_are_named(host, old, new, name, word):
    host.write("/etc/containerd/config.toml", CONTAINERD["host"].replace(old, new))
    host.fails(name, word)


@pytest.mark.parametrize("old, new, name, word", [
    ("cleave-tenant.v2", "runc.v2", "runtime", "cleave-tenant"),
    ("  privileged", '  sandboxer = "shim"\n  options = {}\n  privileged', "sandboxer", "options table"),
])
def test_traps_in_the_tenants_containerd_are_named(tenant, old, new, name, word):
    tenant.write("/etc/containerd/config.toml", CONTAINERD["tenant"].replace(old, new))
    tenant.fails(name, word)


def test_a_tenant_whose_pods_cannot_be_joined_is_told_so_unless_they_need_not(tenant):
    os.unlink(tenant.path("/dev/net/tun"))
    tenant.fails("tun", "guests would have no network")
    with open(tenant.path("/etc/cleave/tenant.conf"), encoding="utf-8") as file:
        tenant.write("/etc/cleave/tenant.conf", 'network = "none"\n' + file.read())
    assert "tun" not in tenant.check()[1]


def test_evidence_that_this_build_cannot_verify_fails(tenant):
    tenant.write("/etc/cleave/tenant.conf", 'evidence = "cca"\n[cri]\nendpoint = "/run/host.sock"\n')
    tenant.fails("evidence", "cca")
    tenant.write("/etc/cleave/tenant.conf", 'evidence = "sample"\n[cri]\nendpoint = "/run/host.sock"\n')
    tenant.fails("evidence", "not allowed")


def test_an_old_containerd_fails_and_one_that_hangs_does_not(host):
    host.program("/usr/bin/containerd", "echo containerd github.com/containerd/containerd 1.7.20 x")
    host.fails("containerd", "1.7")
    host.program("/usr/bin/containerd", "exec sleep 100")
    code, found, _ = host.check()
    assert code == 0 and found["containerd"][0] == "warn"


def test_files_can_be_named_one_by_one(host, place):
    for path in ("/etc/cleave/host.conf", "/etc/containerd/config.toml"):
        os.rename(host.path(path), f"{place}/{os.path.basename(path)}")
    assert host.check()[0] == 1
    code, found, _ = host.check("--config", f"{place}/host.conf", "--containerd-config", f"{place}/config.toml")
    assert code == 0
    assert found["config"][1] == f"{place}/host.conf"


def test_nothing_is_changed(host):
    def state():
        return sorted((folder, tuple(folders), tuple(files)) for folder, folders, files in os.walk(host.root))
    before = state()
    host.check()
    assert state() == before


def test_this_machine_can_be_looked_at():
    for realm in ("host", "tenant"):
        code, out, err = cleave("check", realm)
        assert code == (1 if "\nFAIL" in "\n" + out else 0) and err == ""
        assert re.search(rf"^{realm}: \d+ ok, \d+ warn, \d+ FAIL", out, re.M)


@pytest.mark.parametrize("words", [
    [], ["run"], ["check"], ["check", "guest"], ["check", "host", "tenant"], ["check", "host", "--config"],
    ["check", "host", "--colour"], ["status", "a", "b"], ["status", "--colour"], ["version", "--colour"], ["version", "host"],
    ["policy"], ["policy", "check"], ["policy", "make", "x"], ["policy", "check", "x", "y"], ["policy", "check", "x", "--key"],
    ["evidence"], ["evidence", "make"], ["evidence", "verify"], ["evidence", "verify", "--type", "snp"],
    ["evidence", "verify", "--colour"], ["evidence", "verify", "--type"], ["evidence", "verify", "more"],
])
def test_wrong_command_lines_exit_2(words):
    code, out, err = cleave(*words)
    assert (code, out) == (2, "") and "cleave" in err


def test_an_unknown_verb_gets_a_hint():
    assert "cleave --help" in cleave("run")[2]


@pytest.mark.parametrize("words", [["--help"], ["help"], ["check", "--help"], ["version", "--help"], ["status", "--help"], ["evidence", "--help"],
                                   ["policy", "--help"], ["policy", "check", "--help"],
                                   ["evidence", "verify", "--help"], ["split", "--help"], ["join", "--help"], ["verify", "--help"],
                                   ["diff", "--help"], ["explain", "--help"]])
def test_help_is_no_error(words):
    code, out, err = cleave(*words)
    assert (code, err) == (0, "") and out.startswith("Usage: cleave")


def test_the_version_says_what_evidence_is_worth():
    code, out, _ = cleave("version")
    assert code == 0 and out.startswith("cleave ")
    assert re.search("^evidence: sample .*INSECURE", out, re.M)
    assert cleave("--version")[1] == out
    parsed = json.loads(cleave("version", "--json")[1])
    assert parsed["version"] == out.split()[1]
    assert {"name": "sample", "insecure": True, "anchor": "none"} in parsed["evidence"]
    assert {"name": "tpm", "insecure": False, "anchor": "host-vtpm"} in parsed["evidence"]
    assert re.search("^evidence: tpm .*no protection from the host", out, re.M)


def test_the_version_names_the_library_and_the_advisories_that_apply_to_it():
    """The same ones as the documentation, where each has its section "They apply"."""
    out, library = cleave("version")[1], json.loads(cleave("version", "--json")[1])["library"]
    assert f"\nmbedTLS {library['version']}: TLS {library['tls']} only\n" in out
    assert library["tls"] == ("1.2" if library["version"].startswith("2.28.") else "1.3")
    assert re.findall("^advisory: (CVE-[0-9-]+) ", out, re.M) == library["advisories"]
    with open(os.path.dirname(HERE) + "/docs/mbedtls.md", encoding="utf-8") as file:
        section = re.search(rf"^## .*TLS {library['tls']}: they apply\n(.*?)(^## |\Z)", file.read(), re.M | re.S)[1]
    assert sorted(re.findall(r"^\| (CVE-[0-9-]+)", section, re.M)) == library["advisories"]


RECORD = {"kind": "appraisal", "version": 1, "namespace": "default", "name": "web", "cri_sandbox": "cd" * 32, "sandbox": "ab" * 16,
          "type": "tpm", "anchor": "host-vtpm", "measurement": "01" * 32, "chip": "02" * 32,
          "reference_values": "guest-image, serial 3", "manifest_digest": "", "tls_version": 0x0304, "epoch": 7, "appraisal": 2, "appraised_at": 1}


def record(directory, entry, **changes):
    """One appraisal as the tenant shim writes it; a member that is None is left out."""
    path = directory / entry
    path.mkdir()
    members = {key: value for key, value in {**RECORD, **changes}.items() if value is not None}
    (path / "appraisal.json").write_text(json.dumps(members))


def test_status_shows_the_last_appraisals(tmp_path):
    record(tmp_path, "a")
    record(tmp_path, "b", name="db", namespace="prod", type="sample", anchor="none", chip="", reference_values="",
           cri_sandbox="ef" * 32, sandbox="12" * 16, manifest_digest="5e" * 48)
    (tmp_path / "c").mkdir()                    # not appraised yet
    where = "--directory", str(tmp_path)
    code, out, err = cleave("status", *where)
    assert (code, err) == (0, "")
    for word in ("default/web\n", "evidence      tpm (host-vtpm: ", "no protection from the host", "chip          0202", "TLS           1.3\n",
                 "epoch         7\n", "judged by     guest-image, serial 3", " s ago, number 2 of its connection", "prod/db\n",
                 "evidence      sample (INSECURE: proves nothing)", "chip          -\n", "pod           open\n",
                 f"pod           sealed, manifest {'5e' * 48}\n"):
        assert word in out, word
    for pod in ("web", "default/web", "cdcd", "abababab"):
        out = cleave("status", *where, pod)[1]
        assert "default/web" in out and "prod/db" not in out, pod
    lines = cleave("status", "--json", *where)[1].splitlines()
    assert [json.loads(line)["name"] for line in lines] == ["web", "db"]
    assert json.loads(lines[0]).items() <= RECORD.items()


def test_status_says_what_it_cannot_show(tmp_path):
    where = "--directory", str(tmp_path)
    assert cleave("status", *where) == (0, "", "")
    assert cleave("status", "--directory", str(tmp_path / "no pod yet")) == (0, "", "")
    code, out, err = cleave("status", "--directory", __file__)
    assert (code, out) == (1, "") and f"cannot look into '{__file__}'" in err
    for pod in ("web", "c"):
        code, out, err = cleave("status", *where, pod)
        assert (code, out) == (1, "") and f"no pod '{pod}'" in err
    record(tmp_path, "old", name="old", manifest_digest=None)
    assert "pod           open\n" in cleave("status", *where, "old")[1]     # of a release without sealed pods
    shutil.rmtree(tmp_path / "old")
    record(tmp_path, "a", epoch=None)
    code, out, err = cleave("status", *where)
    assert (code, out) == (1, "") and "epoch" in err and str(tmp_path) in err
    record(tmp_path, "b", version=2, name="db")
    assert "version" in cleave("status", *where)[2]


def evidence(directory, **options):
    """What `cleave evidence verify` says to 1184 zero bytes; an option that is None is left out."""
    with open(f"{directory}/report", "wb") as file:
        file.write(bytes(1184))
    for name in ("vcek.der", "ask.pem"):
        with open(f"{directory}/{name}", "wb") as file:
            file.write(b"nothing")
    words = {"type": "snp", "evidence": f"{directory}/report", "endorsements": str(directory), "report-data": 64 * "00",
             "time": "2025-06-01T00:00:00Z", **{name.replace("_", "-"): value for name, value in options.items()}}
    return cleave("evidence", "verify", *[f"--{name}={value}" for name, value in words.items() if value is not None])


def test_evidence_that_is_none_is_rejected_by_field(tmp_path):
    code, out, err = evidence(tmp_path)
    assert (code, err) == (1, "") and out.startswith("REJECTED snp\n  check: format\n  field: version\n  reason: version 0 ")
    code, out, err = evidence(tmp_path, type="tdx", endorsements=None)
    assert (code, err) == (1, "") and out.startswith("REJECTED tdx\n  check: format\n  field: format\n  reason: version is 0")


@pytest.mark.parametrize("options, text", [
    ({"type": "cca"}, "a verifier of type 'cca' is not in this build"),
    ({"type": None}, "--type is missing"),
    ({"time": None}, "--time is missing"),
    ({"evidence": "/nowhere"}, "/nowhere"),
    ({"endorsements": None}, "--endorsements is missing"),
    ({"endorsements": "/nowhere"}, "/nowhere"),
    ({"report_data": 63 * "00"}, "--report-data has 64 bytes"),
    ({"report_data": 65 * "00"}, "--report-data has 1 to 64 bytes"),
    ({"report_data": 64 * "0g"}, "--report-data"),
    ({"root": "/dev/null"}, "is empty"),
    ({"type": "tdx", "endorsements": "/nowhere"}, "/nowhere"),
    ({"type": "tdx", "report_data": 48 * "00"}, "--report-data has 64 bytes"),
    *[({"type": "tdx", "endorsements": None, "policy": policy}, "--set " + policy) for policy in (
        "debug=yes", "attributes=00", "attributes=" + 16 * "0" + ":" + 15 * "0" + "1", "attributes=" + 16 * "g" + ":" + 16 * "0",
        "xfam=", "collateral=no", "evaluation-min=-1", "evaluation-min=4294967296", "tcb-status=Revoked", "tcb-status=Unchecked",
        "tcb-status=uptodate", "svn-min=00", "mr-td=00", "mr-seam=", "rtmr4=" + 48 * "00", "rtmr0=00", "mr-config-id=" + 47 * "00")],
    *[({"time": time}, "is not a time") for time in (
        "", "2025-06-01", "2025-06-01T00:00:00", "2025-06-31T00:00:00Z", "2025-02-29T00:00:00Z", "2025-06-01T24:00:00Z",
        "2025-06-01T00:00:00Zz", "2025-06-01T00:00:00+1:00", "2025-06-01T00:00:00+24:00", "2025-13-01T00:00:00Z", "later")],
    *[({"policy": policy}, "--set " + policy) for policy in (
        "debug=yes", "vmpl=4", "vmpl=", "key=ark", "product=Rome", "chip-id=00", "measurement=00", "tcb-min=snp=256",
        "tcb-min=other=1", "abi-min=1", "abi-min=1.256", "smt=yes", "version-min=6", "host-data=" + 33 * "00")],
])
def test_evidence_without_a_verdict_exits_2(tmp_path, options, text):
    code, out, err = evidence(tmp_path, **options)
    assert (code, out) == (2, "") and text in err and "--help" in err
