# SPDX-License-Identifier: Apache-2.0
"""The provisioner programs by their JSON; the host's runtime is runc here, so that no guest boots."""
import base64
import contextlib
import json
import os
import re
import subprocess
import time
from concurrent import futures

import grpc
import pytest

from cri import pb
from conftest import BUILD, eventually, find_processes, kill9

CRI = BUILD + "/bin/cleave-provision-cri"
STATIC = BUILD + "/bin/cleave-provision-static"
CREATE = {"version": 1, "cri_sandbox_id": "pod1", "name": "web", "namespace": "prod", "vcpus": 2,
          "memory": 512 << 20, "network": "none", "evidence": "sample"}
ID = {"version": 1, "cri_sandbox_id": "pod1"}
INVALID, DEADLINE, NOT_FOUND, PRECONDITION, OUT_OF_RANGE, UNAVAILABLE = 3, 4, 5, 9, 11, 14


DIAL_OUT = {"dial_out": {"address": "10.90.0.2", "port": 30000}}


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


@pytest.mark.parametrize("conf, asked, granted", [
    (True, True, True), (True, False, False), (False, True, False), (True, None, False)])
def test_guest_root_takes_both_the_configuration_and_the_request(provision, host, bed, conf, asked, granted):
    configure(bed, "provisioner =", f"guest_root = {str(conf).lower()}\nprovisioner =")
    code, answer = provision(CRI, "create", CREATE if asked is None else {**CREATE, "guest_root": asked})
    assert code == 0, answer
    with open(bed.path("tenant", answer["initdata_path"]), encoding="utf-8") as initdata:
        assert f'"guest_root":{str(granted).lower()}' in initdata.read()


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
    assert dict(pod.labels) == {"cleave.dev/id": answer["sandbox_id"]}
    assert b"web" not in initdata and b"prod" not in initdata
    mode = os.stat(bed.path("tenant", answer["key_path"])).st_mode & 0o777
    assert mode == 0o600


def test_a_place_to_dial_is_an_annotation_of_the_host_half(provision, host):
    code, answer = provision(CRI, "create", {**CREATE, **DIAL_OUT})
    assert code == 0, answer
    assert answer["endpoints"] == [{"transport": "dial-out", "address": "10.90.0.2", "port": 30000}]
    pod, = host.pods()
    assert pod.annotations["cleave.dev/dial-out"] == "10.90.0.2:30000"
    assert provision(CRI, "create", {**CREATE, **DIAL_OUT}) == (0, answer)
    code, error = provision(CRI, "create", CREATE)      # that half does not listen
    assert code == 1 and "told to dial '10.90.0.2:30000'" in error["message"], error
    assert [pod.id for pod in host.pods()] == [answer["host_id"]]


@pytest.mark.parametrize("dial_out, part", [
    ({"address": "127.0.0.1", "port": 1}, "loopback"), ({"address": "10.0.0.1", "port": 0}, "port"),
    ({"address": "host.example", "port": 1}, "no numeric address"), ({"address": "10.0.0.1"}, "port"),
    ({"address": "10.0.0.1", "port": 1, "x": 1}, "x"), ("10.0.0.1:1", "dial_out"), ([], "dial_out")])
def test_a_place_to_dial_that_is_none_is_refused_by_name(provision, host, dial_out, part):
    code, error = provision(CRI, "create", {**CREATE, "dial_out": dial_out})
    assert code == 1 and error["code"] in (INVALID, OUT_OF_RANGE) and part in error["message"], error
    assert host.pods() == []


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


@pytest.mark.parametrize("verb", ["status", "delete"])
@pytest.mark.parametrize("extra", ["endpoint", "force"])
def test_the_other_verbs_take_the_id_and_nothing_else(provision, verb, extra):
    code, error = provision(CRI, verb, {**ID, extra: "x"})
    assert (code, error["code"]) == (1, INVALID) and extra in error["message"], error


@pytest.mark.parametrize("program", [CRI, STATIC])
def test_help_says_that_sample_is_insecure(program):
    done = subprocess.run([program, "--help"], capture_output=True, text=True, check=True)
    assert '"sample" is insecure' in done.stdout


def configure(bed, old, new):
    conf = bed.path("tenant", "/etc/cleave/tenant.conf")
    with open(conf, encoding="utf-8") as file:
        text = file.read()
    assert old in text
    with open(conf, "w", encoding="utf-8") as file:
        file.write(text.replace(old, new))


def test_peers_of_the_configuration_stand_in_initdata(provision, bed):
    peer = "observe:" + "ab" * 32
    configure(bed, "provisioner =", f'peers = ["{peer}"]\nprovisioner =')
    code, answer = provision(CRI, "create", CREATE)
    assert code == 0, answer
    with open(bed.path("tenant", answer["initdata_path"]), encoding="utf-8") as file:
        assert '{"role":"observe","spki_sha256":"' + "ab" * 32 + '"}' in file.read()


def test_a_wrong_peer_of_the_configuration_is_named(provision, bed):
    configure(bed, "provisioner =", 'peers = ["root:abab"]\nprovisioner =')
    code, error = provision(CRI, "create", CREATE)
    assert (code, error["code"]) == (1, INVALID) and "root:abab" in error["message"], error


class FakeHost:
    """A host's CRI that fails as it is told: {method: status}. A Run that fails makes its pod all the
    same if `late` says so, at that moment or (seconds) after it."""

    def __init__(self, address):
        self.pods, self.fail, self.late, self.calls, self.lists = {}, {}, None, [], []
        self.pool = futures.ThreadPoolExecutor(max_workers=4)
        self.server = grpc.server(self.pool)
        methods = {"RunPodSandbox": (pb.RunPodSandboxRequest, self.run), "ListPodSandbox": (pb.ListPodSandboxRequest, self.list),
                   "PodSandboxStatus": (pb.PodSandboxId, self.status), "StopPodSandbox": (pb.PodSandboxId, self.stop),
                   "RemovePodSandbox": (pb.PodSandboxId, self.remove)}
        handlers = {name: grpc.unary_unary_rpc_method_handler(self.guarded(name, handler), request_deserializer=request.FromString,
                                                              response_serializer=lambda m: m.SerializeToString())
                    for name, (request, handler) in methods.items()}
        self.server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("runtime.v1.RuntimeService", handlers),))
        assert self.server.add_insecure_port(address)
        self.server.start()

    def guarded(self, name, handler):
        def call(request, context):
            self.calls.append(name)
            if name in self.fail and name != "RunPodSandbox":
                context.abort(self.fail[name], "as told")
            return handler(request, context)
        return call

    def run(self, request, context):
        def make():
            self.pods["host1"] = pb.PodSandbox(id="host1", metadata=request.config.metadata, labels=request.config.labels)
        if "RunPodSandbox" in self.fail:
            if self.late is not None:
                self.pool.submit(lambda: (time.sleep(self.late), make()))
            context.abort(self.fail["RunPodSandbox"], "as told")
        make()
        return pb.RunPodSandboxResponse(pod_sandbox_id="host1")

    def list(self, request, context):
        wanted = dict(request.filter.label_selector)
        self.lists.append(wanted)
        return pb.ListPodSandboxResponse(items=[p for p in list(self.pods.values()) if wanted.items() <= dict(p.labels).items()])

    def status(self, request, context):
        if request.pod_sandbox_id not in self.pods:
            context.abort(grpc.StatusCode.NOT_FOUND, "no such pod")
        return pb.PodSandboxStatusResponse(status={"id": request.pod_sandbox_id, "network": {"ip": "192.0.2.9"}})

    def stop(self, request, context):
        return pb.Empty()

    def remove(self, request, context):
        self.pods.pop(request.pod_sandbox_id, None)
        return pb.Empty()


SEALED = {"manifest_digest": "5e" * 48}


def mode_of(bed, answer):
    with open(bed.path("tenant", answer["initdata_path"]), encoding="utf-8") as file:
        text = file.read()
    return re.search(r'"cleave.mode" = "(.*)"', text)[1], "".join(re.findall(r'"cleave.manifest-digest" = "(.*)"', text))


def test_a_sealed_pod_gets_a_sealed_half_and_keeps_it(provision, host, bed):
    code, answer = provision(CRI, "create", {**CREATE, **SEALED})
    assert code == 0, answer
    assert mode_of(bed, answer) == ("sealed", "5e" * 48)
    assert provision(CRI, "create", {**CREATE, **SEALED}) == (0, answer)
    for other, words in (({}, "sealed with manifest 5e5e"), ({"manifest_digest": "5e" * 47 + "5f"}, "and the pod with 5e5e")):
        code, error = provision(CRI, "create", {**CREATE, **other})
        assert (code, error["code"]) == (1, PRECONDITION) and words in error["message"], error
    assert provision(CRI, "create", {**CREATE, **SEALED}) == (0, answer)
    assert [pod.id for pod in host.pods()] == [answer["host_id"]]


def test_a_manifests_digest_that_is_none_is_refused_by_name(provision, host):
    for digest in ("", "5e" * 47, "5e" * 49, "xx" * 48, 5, {}):
        code, error = provision(CRI, "create", {**CREATE, "manifest_digest": digest})
        assert (code, error["code"]) == (1, INVALID) and "manifest_digest" in error["message"], error
    assert host.pods() == []


@pytest.fixture
def fake(provision, bed):
    fake = FakeHost("unix:" + bed.path("tenant", "/run/fake-cri.sock"))
    conf = bed.path("tenant", "/etc/cleave/tenant.conf")
    with open(conf, encoding="utf-8") as file:
        text = file.read()
    lines = [line for line in text.splitlines() if not line.startswith("endpoint")]
    lines.insert(lines.index("[cri]") + 1, 'endpoint = "/run/fake-cri.sock"')
    with open(conf, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    yield fake
    fake.fail.clear()
    provision(CRI, "delete", ID)
    fake.server.stop(None).wait()
    with contextlib.suppress(FileNotFoundError):
        os.unlink(bed.path("tenant", "/run/fake-cri.sock"))


def records(bed):
    return os.listdir(bed.path("tenant", "/run/cleave/t/provision"))


@pytest.mark.parametrize("code", [grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED])
@pytest.mark.parametrize("late", [0, 0.5])
def test_a_create_whose_outcome_is_open_is_kept_for_delete(provision, fake, bed, code, late):
    fake.fail, fake.late = {"RunPodSandbox": code}, late
    result, error = provision(CRI, "create", CREATE)
    assert result == 1 and error["code"] == code.value[0], error
    assert "pod1" in records(bed)
    assert provision(CRI, "delete", ID) == (0, {})
    assert fake.pods == {} and records(bed) == []


def test_a_create_whose_outcome_is_open_goes_on_when_repeated(provision, fake, bed):
    fake.fail, fake.late = {"RunPodSandbox": grpc.StatusCode.UNAVAILABLE}, 0
    assert provision(CRI, "create", CREATE)[0] == 1
    eventually(lambda: fake.pods)
    code, answer = provision(CRI, "create", CREATE)
    assert code == 0 and answer["host_id"] == "host1"
    assert fake.calls.count("RunPodSandbox") == 1


def test_a_create_that_was_refused_is_undone(provision, fake, bed):
    fake.fail = {"RunPodSandbox": grpc.StatusCode.UNKNOWN}
    assert provision(CRI, "create", CREATE)[0] == 1
    assert records(bed) == []


@pytest.mark.parametrize("method, code", [("PodSandboxStatus", grpc.StatusCode.UNAVAILABLE), ("PodSandboxStatus", grpc.StatusCode.UNKNOWN)])
def test_a_repeated_create_that_fails_leaves_a_running_half_alone(provision, fake, bed, method, code):
    _, answer = provision(CRI, "create", CREATE)
    fake.fail = {method: code}
    assert provision(CRI, "create", CREATE)[0] == 1
    assert "host1" in fake.pods and os.path.exists(bed.path("tenant", answer["key_path"]))
    fake.fail = {}
    assert provision(CRI, "create", CREATE) == (0, answer)


def test_an_address_that_cannot_be_asked_for_now_undoes_nothing(provision, fake, bed):
    fake.fail = {"PodSandboxStatus": grpc.StatusCode.UNAVAILABLE}
    assert provision(CRI, "create", CREATE)[0] == 1
    assert "host1" in fake.pods and "pod1" in records(bed)
    fake.fail = {}
    assert provision(CRI, "create", CREATE)[0] == 0
    assert fake.calls.count("RunPodSandbox") == 1


def test_the_host_is_never_asked_for_all_of_its_pods(provision, fake):
    _, answer = provision(CRI, "create", CREATE)
    provision(CRI, "status", ID)
    provision(CRI, "create", CREATE)
    provision(CRI, "delete", ID)
    assert fake.lists == [{"cleave.dev/id": answer["sandbox_id"]}]


def test_a_half_that_died_is_made_again(provision, fake):
    _, answer = provision(CRI, "create", CREATE)
    fake.pods.clear()
    assert provision(CRI, "status", ID)[1]["state"] == "absent"
    code, again = provision(CRI, "create", CREATE)
    assert code == 0 and again["sandbox_id"] == answer["sandbox_id"]
    assert fake.calls.count("RunPodSandbox") == 2


def test_a_host_that_is_not_there_leaves_nothing_behind(provision, fake, bed):
    fake.server.stop(None).wait()
    assert provision(CRI, "create", CREATE)[0] == 1
    assert records(bed) == []


def test_static_cannot_tell_a_guest_where_to_dial(provision):
    code, error = provision(STATIC, "create", {**CREATE, "endpoint": "192.0.2.7:7433", **DIAL_OUT})
    assert (code, error["code"]) == (1, INVALID) and "a provisioner that makes the guest" in error["message"], error


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
    code, error = provision(STATIC, "create", {**CREATE, **SEALED, "endpoint": "192.0.2.7:7433"})
    assert (code, error["code"]) == (1, PRECONDITION) and "half at 192.0.2.7:7433: the initdata says open" in error["message"], error
    assert provision(STATIC, "delete", ID) == (0, {})
    assert os.path.exists(place + "/key.pem")
    other = {**ID, "cri_sandbox_id": "sealed"}
    _, made = provision(CRI, "create", {**CREATE, **SEALED, **other})
    bed.run("tenant", "cp", made["initdata_path"], "/etc/cleave/static/192.0.2.7:7433/initdata.toml")
    code, error = provision(STATIC, "create", {**CREATE, "endpoint": "192.0.2.7:7433"})
    assert (code, error["code"]) == (1, PRECONDITION) and "the pod is open" in error["message"], error
    assert provision(STATIC, "create", {**CREATE, **SEALED, "endpoint": "192.0.2.7:7433"})[0] == 0
    assert provision(STATIC, "delete", ID) == (0, {})
    assert provision(CRI, "delete", other) == (0, {})
    bed.run("tenant", "rm", "-r", "/etc/cleave/static")
    assert provision(CRI, "delete", {**ID, "cri_sandbox_id": "maker"}) == (0, {})


@pytest.mark.parametrize("program", [CRI, STATIC])
def test_the_lock_of_a_create_that_was_killed_at_once_goes_with_delete(provision, bed, program):
    bed.run("tenant", "mkdir", "-p", "/run/cleave/t/provision")
    bed.run("tenant", "touch", "/run/cleave/t/provision/pod1.lock")
    assert provision(program, "delete", ID) == (0, {})
    assert not os.path.exists(bed.path("tenant", "/run/cleave/t/provision/pod1.lock"))


def test_static_mints_what_a_host_half_is_made_of(provision, bed):
    described = {key: value for key, value in CREATE.items() if key not in ("cri_sandbox_id", "endpoint")}
    code, minted = provision(STATIC, "mint", {**described, **SEALED})
    assert code == 0, minted
    assert minted["annotations"]["cleave.dev/id"] == minted["sandbox_id"]
    with open(bed.path("tenant", minted["initdata_path"]), "rb") as file:
        initdata = file.read()
    assert base64.b64decode(minted["annotations"]["cleave.dev/initdata"]) == initdata
    assert f'"cleave.manifest-digest" = "{SEALED["manifest_digest"]}"' in initdata.decode()
    other = provision(STATIC, "mint", described)[1]
    assert other["sandbox_id"] != minted["sandbox_id"] and os.path.exists(bed.path("tenant", minted["key_path"]))
    code, error = provision(STATIC, "mint", {**described, "endpoint": "192.0.2.7:7433"})
    assert (code, error["code"]) == (1, INVALID) and "endpoint" in error["message"], error
    bed.run("tenant", "rm", "-r", "/etc/cleave/static")


@pytest.mark.parametrize("endpoint", [None, "../../etc", "host:1", "192.0.2.7", "192.0.2.7:0", "192.0.2.7:70000", "192.0.2.7/../x:1"])
def test_static_takes_an_address_and_a_port_only(provision, endpoint):
    code, error = provision(STATIC, "create", {**CREATE, **({"endpoint": endpoint} if endpoint else {})})
    assert (code, error["code"]) == (1, INVALID), error
