#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the guest image from Debian packages and the agent: no root, no chroot, no mounts.

    build.py fetch CACHE                     download and unpack the packages (once)
    build.py tree CACHE AGENT EXEC ATTEST TREE  the initrd's tree
    build.py pack CACHE TREE OUT             kernel, initrd, command lines, measurements
    build.py values CACHE CLEAVE OUT KEY=VALUE...
                                             reference values: id=, serial=, firmware=, memory=, vcpus=
                                             (the last two: lists with spaces)

The same packages and the same agent give the same bytes: names are sorted, times are zero, owners
are root. Nothing is taken from the machine that builds, except the agent itself (and, with a note,
libraries that a sanitizer build of the agent needs).
"""
import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
LIBRARY_DIRS = ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu", "lib64", "usr/lib64"]
HOST_LIBRARY_DIRS = ["/usr/lib/x86_64-linux-gnu", "/lib/x86_64-linux-gnu", "/lib64"]
EXEC_KIB_MAX = 768
VALUES_MAX = 256                # of a PCR, in a file of reference values
DIRECTORIES = ["dev", "etc/cleave", "newroot", "proc", "run", "sys", "tmp", "usr/bin",
               "usr/lib/x86_64-linux-gnu", "usr/lib64", "usr/sbin"]
LINKS = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64",
         "init": "usr/bin/cleave-agent"}


def say(text):
    print("  IMG   " + text, flush=True)


def output(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def lines(name):
    with open(os.path.join(HERE, name)) as file:
        return [line.strip() for line in file if line.strip() and not line.startswith("#")]


# ---- packages ------------------------------------------------------------------------------------

def concrete(package):
    """linux-image-cloud-amd64 is empty: the package it depends on has the kernel."""
    if package != "linux-image-cloud-amd64":
        return package
    found = re.search(r"Depends: (linux-image-[0-9]\S*)", output("apt-cache", "depends", package))
    if not found:
        sys.exit("image: apt does not know linux-image-cloud-amd64: run apt-get update")
    return found.group(1)


def fetch(cache):
    """All or nothing: a half-made cache is never taken for a whole one."""
    if os.path.exists(os.path.join(cache, "manifest")):
        return
    scratch = f"{cache}.{os.getpid()}"
    shutil.rmtree(scratch, ignore_errors=True)
    os.makedirs(os.path.join(scratch, "deb"))
    packages = [concrete(package) for package in lines("packages")]
    say("fetch " + " ".join(packages))
    subprocess.run(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download"] + packages,
                   cwd=os.path.join(scratch, "deb"), check=True, stdout=subprocess.DEVNULL)
    manifest = []
    for name in sorted(os.listdir(os.path.join(scratch, "deb"))):
        path = os.path.join(scratch, "deb", name)
        subprocess.run(["dpkg-deb", "-x", path, os.path.join(scratch, "root")], check=True)
        manifest.append(f"{digest(path, 'sha256')} {name}\n")
    with open(os.path.join(scratch, "manifest"), "w") as file:
        file.writelines(manifest)
    try:
        os.rename(scratch, cache)
    except OSError:  # another build was first
        shutil.rmtree(scratch)


# ---- tree ----------------------------------------------------------------------------------------

def needed(path):
    return re.findall(r"\(NEEDED\)\s+Shared library: \[(.+?)\]", output("readelf", "-dW", path))


def find_library(cache, name):
    for directory in LIBRARY_DIRS:
        path = os.path.join(cache, "root", directory, name)
        if os.path.exists(path):
            return path
    for directory in HOST_LIBRARY_DIRS:
        if os.path.exists(os.path.join(directory, name)):
            say(f"note: {name} comes from this machine, not from a package")
            return os.path.join(directory, name)
    sys.exit(f"image: library {name} not found: add its package to image/packages")


def copy_program(cache, tree, source, name):
    """The program, and what it is linked with, each library under the name it is asked for by."""
    target = os.path.join(tree, "usr/bin", name)
    shutil.copy(source, target)
    os.chmod(target, 0o755)
    subprocess.run(["strip", target], check=True)
    todo, done = needed(source), set()
    while todo:
        library = todo.pop()
        if library in done:
            continue
        done.add(library)
        path = os.path.realpath(find_library(cache, library))
        where = "usr/lib64" if library.startswith("ld-linux") else "usr/lib/x86_64-linux-gnu"
        shutil.copy(path, os.path.join(tree, where, library))
        todo += needed(path)


def module_order(root, wanted):
    """The modules that a file here lists, after all that they depend on."""
    dependencies = {}
    base = os.path.join(root, os.listdir(root)[0])
    paths = {}
    for directory, _, names in sorted(os.walk(os.path.join(base, "kernel"))):
        for name in names:
            if name.endswith(".ko"):
                paths[name[:-3].replace("-", "_")] = os.path.join(directory, name)
    for name, path in paths.items():
        dependencies[name] = path

    def depends(name):
        text = output("modinfo", "-F", "depends", dependencies[name]).strip()
        return [part.replace("-", "_") for part in text.split(",") if part]

    order = []

    def add(name):
        if name in order:
            return
        if name not in dependencies:
            return  # built in
        for below in depends(name):
            add(below)
        order.append(name)

    for name in lines(wanted):
        if name not in dependencies:
            sys.exit(f"image: the kernel has no module {name}")
        add(name)
    return [(name, dependencies[name]) for name in order]


def make_tree(cache, agent, helper, attest, tree):
    scratch = tree + ".part"
    shutil.rmtree(scratch, ignore_errors=True)
    for directory in DIRECTORIES:
        os.makedirs(os.path.join(scratch, directory))
    for name, target in LINKS.items():
        os.symlink(target, os.path.join(scratch, name))
    copy_program(cache, scratch, agent, "cleave-agent")
    if needed(helper):
        sys.exit("image: cleave-exec must be static: inside of a container it may load nothing")
    copy_program(cache, scratch, helper, "cleave-exec")
    sizes = [os.path.getsize(os.path.join(scratch, "usr/bin", name)) / 1024
             for name in ("cleave-agent", "cleave-exec")]
    say(f"cleave-agent {sizes[0]:.0f} KiB, cleave-exec {sizes[1]:.0f} KiB")
    if sizes[1] > EXEC_KIB_MAX:
        sys.exit(f"image: cleave-exec is larger than {EXEC_KIB_MAX} KiB")
    copy_program(cache, scratch, attest, "cleave-attest")
    copy_program(cache, scratch, os.path.join(cache, "root/usr/bin/crun"), "crun")
    copy_program(cache, scratch, os.path.join(cache, "root/sbin/mke2fs"), "mke2fs")
    os.makedirs(os.path.join(scratch, "usr/lib/modules"))
    for wanted in ("modules", "modules.guest-root", "modules.scratch"):
        with open(os.path.join(scratch, "etc/cleave", wanted), "w") as file:
            for name, path in module_order(os.path.join(cache, "root/lib/modules"), wanted):
                shutil.copy(path, os.path.join(scratch, "usr/lib/modules", name + ".ko"))
                file.write(f"/usr/lib/modules/{name}.ko\n")
    shutil.rmtree(tree, ignore_errors=True)
    os.rename(scratch, tree)


# ---- initrd --------------------------------------------------------------------------------------

def cpio_record(number, name, mode, content):
    links = 2 if stat.S_ISDIR(mode) else 1
    fields = [number, mode, 0, 0, links, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0]
    header = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
    return header + b"\0" * (-len(header) % 4) + content + b"\0" * (-len(content) % 4)


def cpio(tree):
    """The `newc` format. Modes depend on the kind of file only, never on a umask."""
    names = []
    for directory, directories, files in os.walk(tree):
        for name in directories + files:
            names.append(os.path.relpath(os.path.join(directory, name), tree))
    parts = []
    for number, name in enumerate(sorted(names), 1):
        path = os.path.join(tree, name)
        mode = os.lstat(path).st_mode
        if stat.S_ISLNK(mode):
            parts.append(cpio_record(number, name, stat.S_IFLNK | 0o777,
                                     os.readlink(path).encode()))
        elif stat.S_ISDIR(mode):
            parts.append(cpio_record(number, name, stat.S_IFDIR | 0o755, b""))
        else:
            with open(path, "rb") as file:
                permissions = 0o755 if mode & 0o100 else 0o644
                parts.append(cpio_record(number, name, stat.S_IFREG | permissions, file.read()))
    parts.append(cpio_record(0, "TRAILER!!!", 0, b""))
    data = b"".join(parts)
    return data + b"\0" * (-len(data) % 512)


def digest(path, algorithm):
    with open(path, "rb") as file:
        return hashlib.new(algorithm, file.read()).hexdigest()


def pack(cache, tree, out):
    boot = os.path.join(cache, "root/boot")
    kernel = next(name for name in os.listdir(boot) if name.startswith("vmlinuz-"))
    shutil.copy(os.path.join(boot, kernel), os.path.join(out, "vmlinuz"))
    raw = cpio(tree)
    # The kernel reads only lz4's legacy frame.
    packed = subprocess.run(["lz4", "-l", "-12", "-c", "-q"], input=raw, stdout=subprocess.PIPE,
                            check=True).stdout
    with open(os.path.join(out, "initrd.img.part"), "wb") as file:
        file.write(packed)
    measured = {"kernel": "vmlinuz", "initrd": "initrd.img.part", "cmdline": "cmdline"}
    for name in ("cmdline", "cmdline.debug"):
        with open(os.path.join(out, name), "w") as file:
            file.write(" ".join(lines(name)))
    with open(os.path.join(cache, "manifest")) as file:
        packages = {name: value for value, name in map(str.split, file)}
    result = {name: {algorithm: digest(os.path.join(out, path), algorithm)
                     for algorithm in ("sha256", "sha384")} for name, path in measured.items()}
    result["kernel_release"] = kernel[len("vmlinuz-"):]
    result["packages"] = packages
    with open(os.path.join(out, "measurements.json"), "w") as file:
        json.dump(result, file, indent=2, sort_keys=True)
        file.write("\n")
    os.rename(os.path.join(out, "initrd.img.part"), os.path.join(out, "initrd.img"))
    say(f"kernel {kernel} {os.path.getsize(os.path.join(out, 'vmlinuz')) / 2**20:.1f} MiB, "
        f"initrd {len(packed) / 2**20:.1f} MiB (tree {len(raw) / 2**20:.1f} MiB)")


# ---- reference values ----------------------------------------------------------------------------

def measure(cleave, image, *options):
    """{PCR: (value, what it was compared with)}"""
    values = json.loads(output(cleave, "measure", "--type", "tpm", "--json", "--image", image, *options))["tpm"]
    return {name[3:]: (value["value"], value["compared"]) for name, value in values.items() if "value" in value}


def merge(machines):
    """What any of the machines may have, by PCR. PCR 8 is the initdata's: no constant of the image."""
    pcrs = {}
    for values in machines:
        for name, (value, _) in values.items():
            if name != "8":
                pcrs.setdefault(name, set()).add(value if value.strip("0") else "0")
    return {name: sorted(values) for name, values in pcrs.items()}


def loads(out):
    """What the kernel's stub measures, each for itself: so that a refusal can say which of both is another."""
    with open(os.path.join(out, "cmdline")) as file:
        line = (file.readline().rstrip("\n") + " initrd=initrd\0").encode("utf-16-le")
    return {"cmdline": [hashlib.sha256(line).hexdigest()], "initrd": [digest(os.path.join(out, "initrd.img"), "sha256")]}


def expiry(cache):
    """A year after the kernel's package was made: of the packages alone, so that builds agree on it, and soon
    enough that nobody boots an old kernel for ever."""
    with open(os.path.join(cache, "manifest")) as file:
        kernel = next(line.split()[1] for line in file if " linux-image-" in line)
    with open(os.path.join(cache, "deb", kernel), "rb") as file:
        made = int(file.read(36)[24:])          # of the archive's first member
    return time.strftime("%Y-%m-%dT00:00:00Z", time.gmtime(made + 365 * 86400))


def reference_values(cache, cleave, out, *settings):
    setting = dict(text.split("=", 1) for text in settings)
    path = os.path.join(out, "reference-values.json")
    firmware = setting["firmware"]
    if not os.path.exists(firmware):
        if os.path.exists(path):
            os.unlink(path)
        say(f"note: no reference-values.json, because there is no firmware {firmware} (the package ovmf; or IMAGE_FIRMWARE=FILE)")
        return
    machines = [measure(cleave, out, "--firmware", firmware, "--memory", memory, "--vcpus", vcpus)
                for memory in setting["memory"].split() for vcpus in setting["vcpus"].split()]
    # A newer QEMU offers the kernel as it is, and a newer OVMF takes that.
    as_file = measure(cleave, out, "--firmware", firmware, "--kernel-header", "file")["4"]
    pcrs = merge(machines + [{"4": as_file}] if as_file[1] != "uncompared" else machines)
    if max(map(len, pcrs.values())) > VALUES_MAX:
        sys.exit(f"image: more than {VALUES_MAX} values of a PCR: name fewer sizes in IMAGE_MEMORY and IMAGE_VCPUS")
    values = {"format": "cleave-reference-values/1", "id": setting["id"], "serial": int(setting["serial"]),
              "not_after": expiry(cache),
              "tpm": {"trust_anchor": "host-vtpm", "attestation_keys": "any", "pcrs": pcrs, "loads": loads(out)}}
    with open(path, "w") as file:
        json.dump(values, file, indent=2, sort_keys=True)
        file.write("\n")
    say(f"reference-values.json: PCRs for {setting['memory']}; {setting['vcpus']} vCPUs; until {values['not_after']}, to be signed. "
        "trust_anchor host-vtpm: NO protection from the host")
    uncompared = sorted({int(name) for machine in machines for name, (_, by) in machine.items() if by == "uncompared"})
    if uncompared:
        say("note: never compared with a real boot: PCR " + ", ".join(map(str, uncompared)))
    say("note: snp and tdx are left out of it: their firmware is another, and which chips are good is not the image's to say")


def main():
    verb, arguments = sys.argv[1], [path if "=" in path else os.path.abspath(path) for path in sys.argv[2:]]
    {"fetch": fetch, "tree": make_tree, "pack": pack, "values": reference_values}[verb](*arguments)


if __name__ == "__main__":
    main()
