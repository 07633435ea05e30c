# SPDX-License-Identifier: Apache-2.0
"""The image again, in another folder, at another time, under another umask, locale and time zone: the same bytes. Compiles what is
in the image; what was fetched is shared. Needs no bed."""
import os
import shutil
import subprocess

import pytest

from conftest import BUILD, HERE

ROOT = os.path.dirname(HERE)
FILES = ("bin/cleave-agent", "bin/cleave-exec", "bin/cleave-attest", "image/vmlinuz", "image/initrd.img", "image/cmdline",
         "image/cmdline.debug", "image/measurements.json")
# What a make above this one says to its children would name this folder's build.
NOT_HERE = ("BUILD", "MAKEFLAGS", "MAKELEVEL", "MFLAGS", "SOURCE_DATE_EPOCH", "VECTORS")


def content(path):
    with open(path, "rb") as file:
        return file.read()


@pytest.fixture
def elsewhere(tmp_path):
    """A copy of the tree with a longer path and nothing built in it."""
    tree = str(tmp_path / "a folder's name is not in the image".replace(" ", "_").replace("'", "")) + "/cleave"
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns("build", ".git", "__pycache__", ".*_cache"), symlinks=True)
    os.mkdir(tree + "/build")
    os.symlink(os.path.realpath(ROOT + "/build/cache"), tree + "/build/cache")
    return tree


def test_two_builds_in_different_folders_give_the_same_bytes(elsewhere):
    if not os.path.exists(BUILD + "/image/initrd.img"):
        pytest.fail("no guest image: make image")
    environment = {name: value for name, value in os.environ.items() if name not in NOT_HERE}
    environment.update(TZ="Pacific/Auckland", LANG="tr_TR.UTF-8", LC_ALL="C", USER="somebody", HOME=elsewhere)
    made = subprocess.run(["make", "-j2", "-C", elsewhere, "image"], umask=0o077, env=environment, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=600, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    if content(elsewhere + "/build/flags") != content(BUILD + "/flags").replace(ROOT.encode(), elsewhere.encode()):
        pytest.skip("this build has flags of its own")
    values = ("image/reference-values.json",) if os.path.exists(BUILD + "/image/reference-values.json") else ()
    differ = [name for name in FILES + values if content(f"{BUILD}/{name}") != content(f"{elsewhere}/build/{name}")]
    assert not differ
    assert b"a_folders_name" not in content(elsewhere + "/build/bin/cleave-agent")
