# SPDX-License-Identifier: Apache-2.0
"""Test images without a network: OCI images made of busybox-static, pushed to a local registry.

    REGISTRY/busybox:1   one layer, applets as hard links to one file
    REGISTRY/layers:1    three layers: a file added, replaced, removed (whiteout, opaque directory)
    REGISTRY/pause:1     what containerd's podsandbox mode wants as a pause image
"""
import functools
import gzip
import hashlib
import io
import json
import os
import pathlib
import re
import subprocess
import tarfile
import urllib.request

REGISTRY = "registry.cleave.test"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
PATH = "PATH=/bin:/sbin:/usr/bin:/usr/sbin"


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def layer(entries):
    """A tar from (path, content) pairs: bytes = file, str = hard link, None = directory; an
    executable's content comes as a tuple (bytes, mode), a symbolic link's target as a PurePath."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path, content in entries:
            info = tarfile.TarInfo(path)
            info.mode = 0o755
            data = None
            if content is None:
                info.type = tarfile.DIRTYPE
                info.mode = 0o1777 if path == "tmp" else 0o755
            elif isinstance(content, pathlib.PurePath):
                info.type, info.linkname = tarfile.SYMTYPE, str(content)
            elif isinstance(content, str):
                info.type, info.linkname = tarfile.LNKTYPE, content
            else:
                data, info.mode = content if isinstance(content, tuple) else (content, 0o644)
                info.size = len(data)
            tar.addfile(info, io.BytesIO(data) if data is not None else None)
    return out.getvalue()


@functools.cache
def _packed(tar):
    return gzip.compress(tar, 1, mtime=0)


class Image:
    """One image as its blobs; `config` is the OCI image configuration's `config` object."""

    def __init__(self, layers, config):
        packed = [_packed(tar) for tar in layers]
        self.config = json.dumps({
            "architecture": "amd64", "os": "linux", "config": {"Env": [PATH], **config},
            "rootfs": {"type": "layers", "diff_ids": [digest(tar) for tar in layers]},
        }).encode()
        self.manifest = json.dumps({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "digest": digest(self.config), "size": len(self.config)},
            "layers": [{"mediaType": LAYER, "digest": digest(p), "size": len(p)} for p in packed],
        }).encode()
        self.blobs = [self.config] + packed

    def push(self, port, name, tag):
        base = f"http://127.0.0.1:{port}/v2/{name}"
        for blob in self.blobs:
            start = _request("POST", base + "/blobs/uploads/", b"")
            where = start.headers["Location"]
            where += ("&" if "?" in where else "?") + "digest=" + digest(blob)
            _request("PUT", where, blob, "application/octet-stream")
        _request("PUT", f"{base}/manifests/{tag}", self.manifest, MANIFEST)

    def archive(self, names):
        """The bytes of an OCI archive for `ctr images import`."""
        index = {"schemaVersion": 2, "manifests": [
            {"mediaType": MANIFEST, "digest": digest(self.manifest), "size": len(self.manifest),
             "annotations": {"io.containerd.image.name": name}} for name in names]}
        files = [("oci-layout", b'{"imageLayoutVersion":"1.0.0"}'), ("index.json", json.dumps(index).encode())]
        files += [("blobs/sha256/" + digest(b)[7:], b) for b in self.blobs + [self.manifest]]
        return layer(files)


def _request(method, url, data, content_type=None):
    headers = {"Content-Type": content_type} if content_type else {}
    request = urllib.request.Request(url, data=data, method=method, headers=headers)
    return urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10)


def read(path):
    with open(path, "rb") as source:
        return source.read()


def with_libraries(programs, root=""):
    """(path in the image, (content, mode)) of programs, given as {path in the image: path here}, and of every library that they
    load: one below `root`, where packages are unpacked, is preferred to this machine's, and has the same path in the image."""
    found = {}
    search = {"LD_LIBRARY_PATH": f"{root}/usr/lib/x86_64-linux-gnu"} if root else {}
    for target, path in programs.items():
        found[target] = (read(path), 0o755)
        listing = subprocess.run(["ldd", path], capture_output=True, text=True, check=True, env={**os.environ, **search}).stdout
        if "not found" in listing:
            raise RuntimeError(f"{path} needs what this machine does not have, add its packages to mk/deps:\n{listing}")
        for library in re.findall(r"(/\S+) \(0x", listing):
            found[library.removeprefix(root).lstrip("/")] = (read(os.path.realpath(library)), 0o755)
    return sorted(found.items())


def busybox_layer():
    binary = read("/bin/busybox")
    applets = subprocess.run(["/bin/busybox", "--list"], capture_output=True, text=True, check=True)
    entries = [(d, None) for d in ("bin", "etc", "tmp", "dev", "proc", "sys", "root", "var", "var/log")]
    entries.append(("bin/busybox", (binary, 0o755)))
    entries += [("bin/" + a, "bin/busybox") for a in applets.stdout.split() if a != "busybox"]
    entries.append(("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/tmp:/bin/sh\n"))
    entries.append(("etc/group", b"root:x:0:\nuser:x:1000:\nextra:x:50000:user\n"))
    return layer(entries)


def busybox(extra=(), **config):
    """A busybox image, with one more layer of `extra` entries if any."""
    return Image([busybox_layer()] + ([layer(extra)] if extra else []), {"Cmd": ["sh"], **config})


def standard():
    base = busybox_layer()
    changed = layer([("data", None), ("data/kept", b"first\n"), ("data/replaced", b"first\n"),
                     ("data/removed", b"first\n"), ("opaque", None), ("opaque/old", b"old\n")])
    last = layer([("data", None), ("data/replaced", b"second\n"), ("data/.wh.removed", b""),
                  ("opaque", None), ("opaque/.wh..wh..opq", b""), ("opaque/new", b"new\n")])
    return {
        "busybox:1": Image([base], {"Cmd": ["sh"]}),
        "layers:1": Image([base, changed, last], {"Cmd": ["sh"], "WorkingDir": "/data"}),
        # Not by the name `sleep`: tests look for workloads that are called so.
        "pause:1": Image([base], {"Cmd": ["/bin/busybox", "sleep", "2147483647"]}),
    }
