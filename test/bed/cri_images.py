# SPDX-License-Identifier: Apache-2.0
"""Stand-ins for the images that CRI conformance tests name, made of what this machine has.

They lie in the tenant's registry, which serves the three registry names by containerd's mirror
configuration. The programs are Debian's own: the busybox whose shell runs `ls` from PATH (that of
busybox-static runs its builtin, so that masking /bin/ls would mask nothing), ipcs, and as the
setuid program a copy of dash, which can keep its effective user."""
import os
import subprocess

import images

REGISTRIES = ("registry.k8s.io", "gcr.io", "k8s.gcr.io")
E2E, STAGING = "e2e-test-images", "k8s-staging-cri-tools"
HOSTNET_PORT = 12003
SH_BOX = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../build/cache/busybox/bin/busybox")
FOLDERS = ("bin", "dev", "etc", "lib", "lib64", "lib/x86_64-linux-gnu", "proc", "root", "sys", "tmp", "usr", "usr/sbin",
           "var", "var/log", "var/run", "www")
PASSWD = b"""root:x:0:0:root:/root:/bin/sh
www-data:x:33:33:www-data:/www:/bin/false
nobody:x:65534:65534:nobody:/:/bin/false
default-user:x:1000:1000::/tmp:/bin/sh
"""
GROUP = b"""root:x:0:
www-data:x:33:
nogroup:x:65534:
users:x:100:
default-user:x:1000:
group-defined-in-image:x:50000:default-user
"""

# pgrep [-f] PATTERN: not in busybox as Debian builds it, and procps' own needs ten libraries.
PGREP = rb"""#!/bin/sh
of=comm
[ "$1" = -f ] && { of=cmdline; shift; }
for process in /proc/[0-9]*; do
    pid=${process#/proc/}
    [ "$pid" = $$ ] && continue
    { tr '\0' ' ' <"$process/$of"; } 2>/dev/null | grep -q -e "$1" && echo "$pid" && found=yes
done
[ -n "$found" ]
"""

# A web server as a process of the name that it is looked for by; $1 is what its command line says.
SERVER = b"""#!/bin/sh
trap 'kill $!; exit 0' TERM QUIT INT
echo $$ >/var/run/%(name)s.pid
echo "%(name)s: $1, port %(port)d"
busybox httpd -f -p %(port)d -h /www &
wait
"""

# Run by the setuid shell itself: a program that it starts might drop what it has.
EFFECTIVE = b"""while read -r key real effective rest; do
    [ "$key" = Uid: ] && echo "Effective uid: $effective"
done </proc/self/status
"""


def _base():
    applets = subprocess.run([SH_BOX, "--list"], capture_output=True, text=True, check=True).stdout.split()
    entries = [(folder, None) for folder in FOLDERS]
    entries += images.with_libraries({"bin/busybox": SH_BOX, "bin/ipcs": "/usr/bin/ipcs"})
    entries += [("bin/" + a, "bin/busybox") for a in applets if a not in ("busybox", "pgrep", "ipcs")]
    entries += [("bin/pgrep", (PGREP, 0o755)), ("etc/passwd", PASSWD), ("etc/group", GROUP)]
    return images.layer(entries)


def _server(base, name, says, port=80):
    script = SERVER % {b"name": name.encode(), b"port": port}
    extra = images.layer([("usr", None), ("usr/sbin", None), ("usr/sbin/" + name, (script, 0o755)),
                          ("www", None), ("www/index.html", f"It works: {name}\n".encode())])
    return images.Image([base, extra], {"Entrypoint": ["/usr/sbin/" + name, says], "ExposedPorts": {f"{port}/tcp": {}}})


def _setuid(base):
    extra = images.layer([("bin", None), ("bin/nnp", (images.read("/bin/dash"), 0o4755)), ("effective-uid", EFFECTIVE)])
    return images.Image([base, extra], {"Entrypoint": ["/bin/nnp", "-p", "/effective-uid"]})


def _content(base, text):
    """An image that is no other one."""
    return images.Image([base, images.layer([("content", text.encode())])], {"Cmd": ["sh"]})


def all_images():
    """{name in the registry: Image}."""
    base = _base()
    busybox = {user: images.Image([base], {"Cmd": ["sh"], **({"User": user} if user else {})})
               for user in ("", "1000", "1002", "www-data", "1003:users", "www-data:100")}
    found = {
        f"{E2E}/busybox:1.29-2": busybox[""],
        f"{E2E}/nginx:1.14-2": _server(base, "nginx", "master process"),
        f"{E2E}/httpd:2.4.39-4": _server(base, "httpd", "-DFOREGROUND"),
        f"{E2E}/nonewprivs:1.3": _setuid(base),
        f"{STAGING}/hostnet-nginx-amd64:latest": _server(base, "nginx", "master process", HOSTNET_PORT),
        f"{STAGING}/test-image-predefined-group:latest": busybox["1000"],
        f"{STAGING}/test-image-user-uid:latest": busybox["1002"],
        f"{STAGING}/test-image-user-username:latest": busybox["www-data"],
        f"{STAGING}/test-image-user-uid-group:latest": busybox["1003:users"],
        f"{STAGING}/test-image-user-username-group:latest": busybox["www-data:100"],
    }
    for tag in ("1", "2", "3"):
        found[f"{STAGING}/test-image-{tag}:latest"] = _content(base, tag)
        found[f"{STAGING}/test-image-tags:{tag}"] = _content(base, "one image of three tags")
    for name in ("latest:latest", "tag:test", "tag:all"):
        found[f"{STAGING}/test-image-{name}"] = _content(base, name)
    pause = images.Image([base], {"Cmd": ["/bin/busybox", "sleep", "2147483647"]})
    return {**found, "pause:3.9": pause, "pause:3.10": pause}
