# SPDX-License-Identifier: Apache-2.0
"""Manifests of sealed pods (docs/sealed-pods.md) for tests. A container's specification here is what the tenant shim makes of
containerd's for a container that asks for nothing."""
import base64
import gzip
import hashlib
import json

import images

CAPABILITIES = ["CAP_" + name for name in (
    "CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP", "NET_BIND_SERVICE",
    "SYS_CHROOT", "KILL", "AUDIT_WRITE")]
ANNOTATION = "cleave.dev/manifest"


def mount(destination, kind, *options, source=None):
    return {"destination": destination, "type": kind, "source": source or kind, "options": list(options)}


def bind(destination, name, *options):
    return mount(destination, "bind", "rbind", "rprivate", *(options or ("rw",)), source="cleave:" + name)


def spec(args, env=(), **process):
    return {
        "ociVersion": "1.0.2",
        "process": {"user": {"uid": 0, "gid": 0, "additionalGids": [0]}, "args": list(args), "env": [images.PATH, *env], "cwd": "/",
                    "capabilities": {which: CAPABILITIES for which in ("bounding", "effective", "permitted")}, **process},
        "root": {"path": "rootfs"},
        "mounts": [
            mount("/proc", "proc", "nosuid", "noexec", "nodev"),
            mount("/dev", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
            mount("/dev/pts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"),
            mount("/dev/mqueue", "mqueue", "nosuid", "noexec", "nodev"),
            mount("/sys", "sysfs", "nosuid", "noexec", "nodev", "ro"),
            mount("/sys/fs/cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime", "ro"),
            bind("/etc/hosts", "hosts"), bind("/etc/hostname", "hostname"), bind("/etc/resolv.conf", "resolv.conf"),
            bind("/dev/shm", "shm")],
        "linux": {
            "resources": {"devices": [{"allow": False, "access": "rwm"}]},
            "namespaces": [{"type": "pid"}, *({"type": of_pod, "path": "cleave:pod"} for of_pod in ("ipc", "uts", "network")),
                           {"type": "mount"}, {"type": "cgroup"}]},
    }


def slot(name, args, image=None, env=(), **changed):
    """`image` is an images.Image; busybox:1 if not given."""
    config = (image or images.busybox()).config
    return {"name": name, "kind": "app", "config": images.digest(config), "layers": json.loads(config)["rootfs"]["diff_ids"],
            "spec": spec(args, env), "mounts": [], "environment": [], "exec": [], "stdin": False, **changed}


def volume_at(destination, volume, path="", read_only=False):
    return {"destination": destination, "volume": volume, "path": path, "read_only": read_only}


def manifest(config, *slots, **changed):
    """Of the pod that a PodSandboxConfig describes."""
    named = config.metadata
    return {"version": 1, "salt": "5a" * 32, "restart_policy": "Always", "service_environment": False, "debug": False, "volumes": {},
            "pod": {"name": named.name, "namespace": named.namespace, "uid": named.uid, "hostname": config.hostname, "sysctls": {}},
            "containers": list(slots), **changed}


def document(described):
    return json.dumps(described, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(described):
    return hashlib.sha384(document(described)).hexdigest()


def package(described):
    return base64.b64encode(gzip.compress(document(described), mtime=0)).decode()


def seal(config, *slots, **changed):
    """Makes the pod a sealed one; its manifest."""
    described = manifest(config, *slots, **changed)
    config.annotations[ANNOTATION] = package(described)
    return described
