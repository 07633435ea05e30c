# SPDX-License-Identifier: Apache-2.0
"""What one call costs a shim in instructions, allocations and system calls: exact on a noisy machine."""
import bisect
import json
import subprocess


def of_calls(shim, operation, count, profile=None):
    """Medians of `count` calls, each of which is one turn of the shim's loop."""
    argv = [shim.fleet.build + "/test/bench-steps", str(shim.pid), str(count)] + ([profile] if profile else [])
    shim.drive(operation, 50)
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as steps:
        if steps.stdout.readline() != "ready\n":
            raise RuntimeError("bench-steps cannot attach to the shim")
        shim.drive(operation, count + 3)
        result = json.loads(steps.stdout.readline())
    if result["turns"] != count:
        raise RuntimeError(f"{result['turns']} turns for {count} calls")
    return result


def of_turns(build, pid, count):
    """The same of a program that does nothing but such turns."""
    with subprocess.Popen([build + "/test/bench-steps", str(pid), str(count)], stdout=subprocess.PIPE, text=True) as steps:
        if steps.stdout.readline() != "ready\n":
            raise RuntimeError(f"bench-steps cannot attach to {pid}")
        result = json.loads(steps.stdout.readline())
    if result["turns"] != count:
        raise RuntimeError(f"{result['turns']} turns, not {count}")
    return result


def _symbols(path):
    """(addresses, names) of an object's functions, sorted."""
    found = {}
    for options in (["-D"], []):
        text = subprocess.run(["nm", "--defined-only", *options, path], capture_output=True, text=True, check=False).stdout
        for line in text.splitlines():
            fields = line.split()
            if len(fields) == 3 and fields[1] in "tTwWiI":
                found[int(fields[0], 16)] = fields[2].split("@")[0]
    addresses = sorted(found)
    return addresses, [found[a] for a in addresses]


def functions(profile, count):
    """{function: instructions per call} of a profile, the dearest first."""
    tables, sums = {}, {}
    with open(profile, encoding="utf-8") as file:
        for line in file:
            path, offset, hits = line.rsplit(" ", 2)
            if path not in tables:
                tables[path] = _symbols(path)
            addresses, names = tables[path]
            at = bisect.bisect_right(addresses, int(offset, 16)) - 1
            name = names[at] if at >= 0 else path
            sums[name] = sums.get(name, 0) + int(hits) / count
    return dict(sorted(sums.items(), key=lambda item: -item[1]))
