# SPDX-License-Identifier: Apache-2.0
"""The provisioner programs by their JSON; the host's runtime is runc here, so that no guest boots."""
import base64
import json
import os
import subprocess
import time

import pytest

from conftest import BUILD, eventually, find_processes, kill9

CRI = BUILD + "/bin/cleave-provision-cri"
STATIC = BUILD + "/bin/cleave-provision-static"
CREATE = {"version": 1, "cri_sandbox_id": "pod1", "name": "web", "namespace": "prod", "vcpus": 2,
          "memory": 512 << 20, "network": "none", "evidence": "sample"}
ID = {"version": 1, "cri_sandbox_id": "pod1"}
INVALID, NOT_FOUND, OUT_OF_RANGE = 3, 5, 11


@pytest.fixture
def provision(bed, nodes):
    """provision(program, verb, request) -> (exit code, answer)."""
    bed.use_guest("pair")
    conf = bed.path("tenant", "/etc/cleave/tenant.conf")
    with open(conf, encoding="utf-8") as file:
        text = file.read()
    with open(conf, "w", encoding="utf-8") as file:
        file.write(text.replace('runtime_handler = "cleave-host"', 'runtime_handler = "runc"'))

    def run(program, verb, request):
        body = request if isinstance(request, str) else json.dumps(request)
        done = subprocess.run(bed.argv("tenant", [program, verb]), input=body, capture_output=True, text=True, timeout=60)
        return done.returncode, json.loads(done.stdout)

    yield run
    run(CRI, "delete", ID)
    # runc's shim outlives a sandbox that was cancelled at the wrong moment (containerd 2.1); that
    # is not what these tests look for.
    kill9(find_processes(bed, "host", "containerd-shim-runc-v2"))
    for name in os.listdir(bed.path("host", "/run/containerd/s")):
        os.unlink(bed.path("host", f"/run/containerd/s/{name}"))


def test_create_makes_the_host_half_once(provision, host, bed):
    code, answer = provision(CRI, "create", CREATE)
    assert code == 0, answer
    pod, = host.pods()
    assert pod.metadata.name == "pod-" + answer["sandbox_id"]
    assert pod.metadata.namespace == "cleave"
    assert answer["host_id"] == pod.id
    assert answer["endpoints"] == [{"transport": "direct", "port": 7433, "address": host.pod_status(pod.id).status.network.ip}]
    assert provision(CRI, "create", CREATE) == (0, answer)
    assert len(host.pods()) == 1
    assert provision(CRI, "status", ID)[1]["state"] == "running"


def test_the_host_half_carries_initdata_and_nothing_of_the_workload(provision, host, bed):
    _, answer = provision(CRI, "create", CREATE)
    pod, = host.pods()
    with open(bed.path("tenant", answer["initdata_path"]), "rb") as file:
        initdata = file.read()
    assert dict(pod.annotations) == {"cleave.dev/id": answer["sandbox_id"],
                                     "cleave.dev/initdata": base64.b64encode(initdata).decode()}
    assert dict(pod.labels) == {}
    assert b"web" not in initdata and b"prod" not in initdata
    mode = os.stat(bed.path("tenant", answer["key_path"])).st_mode & 0o777
    assert mode == 0o600


def test_delete_removes_everything_and_again_nothing(provision, host, bed):
    _, answer = provision(CRI, "create", CREATE)
    assert provision(CRI, "delete", ID) == (0, {})
    assert host.pods() == []
    assert not os.path.exists(bed.path("tenant", answer["key_path"]))
    assert provision(CRI, "delete", ID) == (0, {})
    code, error = provision(CRI, "status", ID)
    assert (code, error["code"]) == (1, NOT_FOUND)


def test_a_create_that_the_host_refuses_leaves_nothing(provision, host, bed):
    conf = bed.path("tenant", "/etc/cleave/tenant.conf")
    with open(conf, encoding="utf-8") as file:
        text = file.read()
    with open(conf, "w", encoding="utf-8") as file:
        file.write(text.replace('runtime_handler = "runc"', 'runtime_handler = "none-such"'))
    code, error = provision(CRI, "create", CREATE)
    assert code == 1 and "none-such" in error["message"]
    assert os.listdir(bed.path("tenant", "/run/cleave/t/provision")) == []


@pytest.mark.parametrize("moment", [0.0, 0.02, 0.05, 0.1, 0.15, 0.2])
def test_a_create_killed_at_any_moment_is_undone_by_delete(provision, host, bed, moment):
    create = subprocess.Popen(bed.argv("tenant", [CRI, "create"]), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    create.stdin.write(json.dumps(CREATE).encode())
    create.stdin.close()
    eventually(lambda: find_processes(bed, "tenant", "^" + CRI) or create.poll() is not None)
    time.sleep(moment)
    kill9(find_processes(bed, "tenant", "^" + CRI))
    create.wait()
    assert provision(CRI, "delete", ID)[0] == 0
    eventually(lambda: host.pods() == [], what="the host's pod to go")
    trees = os.listdir(bed.path("tenant", "/run/cleave/t"))
    assert trees == ["provision"] and os.listdir(bed.path("tenant", "/run/cleave/t/provision")) == []


@pytest.mark.parametrize("request_text, part", [
    ("", "stdin"), ("{}", "version"), ('{"version":2,"cri_sandbox_id":"a"}', "version"),
    ('{"version":1,"cri_sandbox_id":"../a"}', "identifier"), ('{"version":1,"cri_sandbox_id":"a","x":1}', "x"),
    (json.dumps({**CREATE, "vcpus": 0}), "vcpus"), (json.dumps({**CREATE, "network": "bridge"}), "network"),
    (json.dumps({**CREATE, "name": "a/b"}), "name"), ("x" * 70000, "larger")])
def test_a_bad_request_is_refused_by_name(provision, host, request_text, part):
    code, error = provision(CRI, "create", request_text)
    assert code == 1 and error["code"] in (INVALID, OUT_OF_RANGE), error
    assert part in error["message"]
    assert host.pods() == []


def test_static_finds_a_host_half_by_its_endpoint(provision, bed):
    _, made = provision(CRI, "create", {**CREATE, "cri_sandbox_id": "maker"})
    place = bed.path("tenant", "/etc/cleave/static/192.0.2.7:7433")
    bed.run("tenant", "mkdir", "-p", "/etc/cleave/static/192.0.2.7:7433")
    for path, name in ((made["initdata_path"], "initdata.toml"), (made["key_path"], "key.pem")):
        bed.run("tenant", "cp", path, f"/etc/cleave/static/192.0.2.7:7433/{name}")
    code, answer = provision(STATIC, "create", {**CREATE, "endpoint": "192.0.2.7:7433"})
    assert code == 0, answer
    assert answer["sandbox_id"] == made["sandbox_id"]
    assert answer["endpoints"] == [{"transport": "direct", "address": "192.0.2.7", "port": 7433}]
    assert provision(STATIC, "delete", ID) == (0, {})
    assert os.path.exists(place + "/key.pem")
    bed.run("tenant", "rm", "-r", "/etc/cleave/static")
    assert provision(CRI, "delete", {**ID, "cri_sandbox_id": "maker"}) == (0, {})


@pytest.mark.parametrize("endpoint", [None, "../../etc", "host:1", "192.0.2.7", "192.0.2.7:0", "192.0.2.7:70000", "192.0.2.7/../x:1"])
def test_static_takes_an_address_and_a_port_only(provision, endpoint):
    code, error = provision(STATIC, "create", {**CREATE, **({"endpoint": endpoint} if endpoint else {})})
    assert (code, error["code"]) == (1, INVALID), error
