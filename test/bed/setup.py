# SPDX-License-Identifier: Apache-2.0
"""What a node of the bed is configured with: wire, CNI, containerd, libvirt, registry, cleave."""
import json
import os
import shutil
import socket
import subprocess
import sys

import cri_images
import images
import ns

REGISTRY_PORT = 5000
PAUSE = f"{images.REGISTRY}/pause:1"
ANCHOR = f"{images.REGISTRY}/anchor:1"          # the host's only image; no workload uses it
# The two nodes share no link with this machine, so every bed can use the same addresses.
ADDRESS = {"host": "10.90.0.1", "tenant": "10.90.0.2"}
PODS = {"host": "10.91.0", "tenant": "10.92.0"}
PORTMAP = {"type": "portmap", "capabilities": {"portMappings": True}, "snat": True}
OTHER = {"host": "tenant", "tenant": "host"}
HOST_API = "/run/host-node"                     # the host's CRI socket, as the tenant node sees it

# name: command line, socket that answers once it serves
DAEMONS = {
    "containerd": (["{bin}/containerd", "--config", "/etc/containerd/config.toml"],
                   "/run/containerd/containerd.sock"),
    "libvirtd": (["/usr/sbin/libvirtd", "-f", "/etc/libvirt/libvirtd.conf"], "/run/libvirt/libvirt-sock"),
    "registry": (["{bin}/docker-registry", "serve", "/etc/containerd/registry.yml"], REGISTRY_PORT),
}

CONTAINERD = """version = 3
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
  address = "/run/containerd/containerd.sock"
[debug]
  level = "{level}"
[plugins.'io.containerd.cri.v1.images']
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = "{pause}"
  [plugins.'io.containerd.cri.v1.images'.registry]
    config_path = "/etc/containerd/certs.d"
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dir = "{cni}"
    conf_dir = "/etc/cni/net.d"
  [plugins.'io.containerd.cri.v1.runtime'.containerd]
    default_runtime_name = "runc"
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
        BinaryName = "/usr/sbin/runc"
{runtime}"""

# containerd 1.7: another layout of the same, and a store of its own (a database has no way back).
CONTAINERD_1_7 = """version = 2
root = "/var/lib/containerd/1.7"
state = "/run/containerd"
[grpc]
  address = "/run/containerd/containerd.sock"
[debug]
  level = "{level}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "/etc/containerd/certs.d"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{cni}"
    conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    default_runtime_name = "cleave-tenant"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.cleave-tenant]
      runtime_type = "{build}/bin/containerd-shim-cleave-tenant-v2"
      privileged_without_host_devices = true
      privileged_without_host_devices_all_devices_allowed = true
      pod_annotations = ["cleave.dev/*"]
      container_annotations = ["io.kubernetes.container.terminationMessagePath"]
"""

RUNTIME = {
    # No options table: with one, StartContainer fails on containerd 2.0 to 2.3.0.
    "host": """    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.cleave-host]
      runtime_type = "{build}/bin/containerd-shim-cleave-host-v2"
      sandboxer = "shim"
""",
    "tenant": """    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.cleave-tenant]
      runtime_type = "{build}/bin/containerd-shim-cleave-tenant-v2"
      privileged_without_host_devices = true
      privileged_without_host_devices_all_devices_allowed = true
      pod_annotations = ["cleave.dev/*"]
      container_annotations = ["io.kubernetes.container.terminationMessagePath"]
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.cleave-tenant-sandbox]
      runtime_type = "{build}/bin/containerd-shim-cleave-tenant-v2"
      sandboxer = "shim"
      privileged_without_host_devices = true
      privileged_without_host_devices_all_devices_allowed = true
      container_annotations = ["io.kubernetes.container.terminationMessagePath"]
""",
}

LIBVIRT_QEMU = """user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
namespaces = []
stdio_handler = "file"
"""

# What a node has that only installed the packages, but for what this machine may not be able to do.
LIBVIRT_QEMU_STOCK = """user = "libvirt-qemu"
group = "libvirt-qemu"
dynamic_ownership = 1
security_driver = "none"
namespaces = []
stdio_handler = "file"
"""

LIBVIRTD = 'auth_unix_ro = "none"\nauth_unix_rw = "none"\nlisten_tls = 0\nlisten_tcp = 0\n'

REGISTRY = f"""version: 0.1
log: {{level: warn}}
storage: {{filesystem: {{rootdirectory: /var/lib/registry}}}}
http: {{addr: "127.0.0.1:{REGISTRY_PORT}"}}
"""

HOST_CONF = """[machine]
helper = "{helper}"
console = {console}
boot_timeout = 120
default_memory = "{memory}"
scratch = "{scratch}"
scratch_directory = "{scratch_directory}"
tpm = "{tpm}"
[image]
firmware = "{firmware}"
kernel = "{build}/image/vmlinuz"
initrd = "{build}/image/initrd.img"
cmdline = "{build}/image/cmdline"
[stub]
guest = "{build}/test/stub-guest"
agent = "{build}/bin/cleave-agent"
root = "{build}/image/tree"
"""

# A boot that is measured: (machine.tpm, image.firmware).
UNMEASURED = ("none", "")
MEASURED = ("swtpm", "/usr/share/ovmf/OVMF.fd")

TENANT_CONF = """provisioner = "{provisioner}"
evidence = "sample"
allow_insecure_evidence = ["sample"]
default_memory = "{memory}"
{granted}[cri]
endpoint = "{api}/containerd.sock"
runtime_handler = "cleave-host"
[static]
directory = "/etc/cleave/static"
[stub]
guest = "{build}/test/stub-guest"
agent = "{build}/{agent}"
root = "{build}/image/tree"
{extra}"""

# What a pod's machine is: `stub` = only the tenant half, a stub guest started by a test provisioner;
# `pair` = both halves, the host's helper starts a stub guest; `vm` = both halves and QEMU.
HELPER = {"stub": "test/helper-stub", "pair": "test/helper-stub", "vm": "bin/cleave-host-helper"}
PROVISIONER = {"stub": "test/provision-stub", "pair": "bin/cleave-provision-cri", "vm": "bin/cleave-provision-cri"}


def wire(bed):
    """A veth between the nodes; each reaches the other's pods by a route. The host's CRI socket is
    mounted into the tenant node, as a forwarded socket would be between machines."""
    peer = bed.pid("tenant")
    bed.run("host", "ip", "link", "add", "wire", "type", "veth", "peer", "name", "wire0")
    ns.call(bed.pid("host"), ns.NEWNET, lambda: _ip("link", "set", "wire0", "netns", str(peer)))
    bed.run("tenant", "ip", "link", "set", "wire0", "name", "wire")
    for role in ("host", "tenant"):
        bed.run(role, "ip", "address", "add", f"{ADDRESS[role]}/30", "dev", "wire")
        bed.run(role, "ip", "link", "set", "wire", "up")
    for role, other in OTHER.items():
        bed.run(role, "ip", "route", "add", f"{PODS[other]}.0/24", "via", ADDRESS[other])
    _share_directory(bed, "/run/containerd", HOST_API)


def _ip(*words):
    os.execvp("ip", ["ip", *words])


def _share_directory(bed, source, target):
    """Mounts a directory of the host node into the tenant node (open_tree there, move_mount here), in a program of its own: only
    what has no threads may enter a mount namespace, and a fork of whoever speaks gRPC may have some."""
    share = f"import setup; setup.share_directory({bed.pid('host')}, {bed.pid('tenant')}, {source!r}, {target!r})"
    subprocess.run([sys.executable, "-c", share], cwd=os.path.dirname(os.path.abspath(__file__)), check=True)


def share_directory(host, tenant, source, target):
    there, here = os.pidfd_open(host), os.pidfd_open(tenant)
    ns.checked(ns.libc.setns(there, ns.NEWNS), "setns")
    fd = ns.checked(ns.libc.syscall(428, -100, source.encode(), 1), "open_tree")
    ns.checked(ns.libc.setns(here, ns.NEWNS), "setns")
    os.makedirs(target)
    ns.checked(ns.libc.syscall(429, fd, b"", -100, target.encode(), 4), "move_mount")
    ns.mount(None, target, flags=ns.MS_PRIVATE)


def _write(bed, role, path, text):
    target = bed.path(role, path)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(target, "w", encoding="utf-8") as out:
        out.write(text)


def configure_containerd(bed, role):
    import bed as program
    build = bed.state["build"]
    template = CONTAINERD_1_7 if bed.containerd(role) == "1.7" else CONTAINERD
    _write(bed, role, "/etc/containerd/config.toml", template.format(
        level="debug" if bed.state["debug"] else "info", pause=PAUSE, cni=program.CACHE + "/node/usr/lib/cni",
        build=build, runtime=RUNTIME[role].format(build=build)))


def configure(bed, role):
    import bed as program
    configure_containerd(bed, role)
    extras = role == "tenant" and bed.state["conformance"]
    for registry in (images.REGISTRY, *(cri_images.REGISTRIES if extras else ())):
        _write(bed, role, f"/etc/containerd/certs.d/{registry}/hosts.toml",
               f'server = "http://127.0.0.1:{REGISTRY_PORT}"\n[host."http://127.0.0.1:{REGISTRY_PORT}"]\n'
               '  capabilities = ["pull", "resolve"]\n')
    bridge = {"type": "bridge", "bridge": "pods", "isGateway": True, "ipMasq": False,
              "ipam": {"type": "host-local", "dataDir": "/run/cni-addresses",
                       "ranges": [[{"subnet": f"{PODS[role]}.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}}
    _write(bed, role, "/etc/cni/net.d/10-bed.conflist", json.dumps({
        "cniVersion": "1.0.0", "name": "bed", "plugins": [bridge] + ([PORTMAP] if extras else [])}))
    _write(bed, role, "/etc/crictl.yaml", "runtime-endpoint: unix:///run/containerd/containerd.sock\ntimeout: 240\n")
    if role == "host":
        _write(bed, role, "/etc/libvirt/qemu.conf", LIBVIRT_QEMU)
        _write(bed, role, "/etc/libvirt/libvirtd.conf", LIBVIRTD)
        cache = program.CACHE + "/libvirt"
        if os.path.isdir(cache):
            shutil.copytree(cache, bed.path(role, "/var/cache/libvirt"), dirs_exist_ok=True)
    else:
        _write(bed, role, "/etc/containerd/registry.yml", REGISTRY)
    write_cleave(bed, bed.state["guest"])


def write_cleave(bed, guest, memory="512MiB", console="false", extra="", guest_root=None, agent="bin/cleave-agent",
                 boot=UNMEASURED, scratch="1GiB", scratch_directory="/var/lib/cleave/h/scratch"):
    """Writes both cleave configurations; shims and programs read them at their next start. A node's files are in
    memory, its machines' scratch disks too."""
    build = bed.state["build"]
    if guest_root is None:
        guest_root = bed.state["guest_root"]
    _write(bed, "host", "/etc/cleave/host.conf", HOST_CONF.format(
        helper=f"{build}/{HELPER[guest]}", build=build, memory=memory, console=console, tpm=boot[0],
        firmware=boot[1], scratch=scratch, scratch_directory=scratch_directory))
    _write(bed, "tenant", "/etc/cleave/tenant.conf", TENANT_CONF.format(
        build=build, provisioner=f"{build}/{PROVISIONER[guest]}", api=HOST_API, memory=memory, extra=extra, agent=agent,
        granted="guest_root = true\n" if guest_root else ""))


def use_qemu_conf(bed, text):
    """Another qemu.conf; libvirtd reads it when it starts."""
    _write(bed, "host", "/etc/libvirt/qemu.conf", text)
    bed.stop("host", "libvirtd")
    bed.start("host", "libvirtd")


def serving(bed, role, where):
    """Does something listen on a unix path or a TCP port of the node?"""
    if isinstance(where, int):
        with open(f"/proc/{bed.pid(role)}/net/tcp", encoding="utf-8") as table:
            return any(f[1].endswith(f":{where:04X}") and f[3] == "0A" for f in map(str.split, table))
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(bed.path(role, where))
        except OSError:
            return False
    return True


def load_images(bed):
    standard = images.standard()
    served = {**standard, **(cri_images.all_images() if bed.state["conformance"] else {})}

    def push():
        for name, image in served.items():
            image.push(REGISTRY_PORT, *name.split(":"))

    if not ns.call(bed.pid("tenant"), ns.NEWNET, push):
        raise RuntimeError("the test images could not be pushed")
    archive = standard["pause:1"].archive([PAUSE, ANCHOR])
    with open(bed.path("host", "/run/anchor.tar"), "wb") as out:
        out.write(archive)
    bed.run("host", "ctr", "-n", "k8s.io", "images", "import", "/run/anchor.tar")
    bed.run("host", "rm", "/run/anchor.tar")


def keep_libvirt_cache(bed):
    """What libvirtd found out about QEMU takes seconds; the next bed starts with it."""
    import bed as program
    source = bed.path("host", "/var/cache/libvirt")
    if os.path.isdir(source + "/qemu/capabilities"):
        shutil.copytree(source, program.CACHE + "/libvirt", dirs_exist_ok=True)
