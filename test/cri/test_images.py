# SPDX-License-Identifier: Apache-2.0
"""The image manager: pull, list, status, remove, by every kind of reference. It is containerd's own, on the
tenant's node; the cases show that cleave's columns leave it what it is, and that such images run."""
import grpc
import pytest

import images as image_maker
from cri import pb
from suite import SLEEP

STAGING = "gcr.io/k8s-staging-cri-tools/test-image-"
LISTED = [f"{STAGING}{number}:latest" for number in (1, 2, 3)]
TAGS = [f"{STAGING}tags:{number}" for number in (1, 2, 3)]


@pytest.fixture
def clean(node):
    """Images that a case pulls; gone before it and after it."""
    names = LISTED + TAGS + [STAGING + name for name in ("latest:latest", "tag:test", "tag:all", "user-uid:latest",
                                                         "user-username:latest")]

    def remove():
        for name in names:
            node.remove_image(name)
    remove()
    yield node
    remove()


def pulled(node, name):
    node.pull(name)
    return node.image_status(name)


@pytest.mark.parametrize("asked, named", [("latest", "latest:latest"), ("tag:test", "tag:test"), ("tag:all", "tag:all")])
def test_an_image_is_pulled_listed_and_removed(clean, asked, named):
    identity = clean.pull(STAGING + asked)
    assert identity.startswith("sha256:")
    status = clean.image_status(STAGING + named)
    assert status.id == identity and status.repo_tags == [STAGING + named] and status.size > 0
    assert [digest.split("@")[0] for digest in status.repo_digests] == [STAGING + named.split(":")[0]]
    assert [image.id for image in clean.images() if STAGING + named in image.repo_tags] == [identity]
    clean.remove_image(identity)
    assert clean.image_status(STAGING + named) is None
    assert identity not in [image.id for image in clean.images()]


def test_an_image_is_pulled_by_digest(clean):
    digest = pulled(clean, STAGING + "tag:test").repo_digests[0]
    clean.remove_image(STAGING + "tag:test")
    identity = clean.pull(digest)
    status = clean.image_status(digest)
    assert (status.id, list(status.repo_tags), list(status.repo_digests)) == (identity, [], [digest])
    clean.remove_image(digest)
    assert clean.image_status(digest) is None


def test_a_digest_that_the_registry_does_not_have_is_an_error(clean):
    with pytest.raises(grpc.RpcError) as failure:
        clean.pull(f"{STAGING}tag@sha256:{'0' * 64}")
    assert "not found" in failure.value.details()


def test_every_kind_of_reference_finds_the_image(clean):
    identity = clean.pull(STAGING + "latest")
    digest = clean.image_status(identity).repo_digests[0]
    for reference in (STAGING + "latest", STAGING + "latest:latest", digest, identity, identity[len("sha256:"):]):
        found = clean.image_status(reference)
        assert found is not None and found.id == identity, reference


def test_three_images_are_three_in_the_list(clean):
    for name in LISTED:
        clean.pull(name)
    listed = [image for image in clean.images() if set(image.repo_tags) & set(LISTED)]
    assert len(listed) == 3 and len({image.id for image in listed}) == 3


def test_three_names_of_one_content_are_one_image(clean):
    identities = {clean.pull(name) for name in TAGS}
    assert len(identities) == 1
    listed, = [image for image in clean.images() if set(image.repo_tags) & set(TAGS)]
    assert set(listed.repo_tags) == set(TAGS)
    clean.remove_image(TAGS[0])
    assert all(clean.image_status(name) is None for name in TAGS)      # containerd removes all names of the content


def test_the_user_of_an_image_is_told(clean):
    by_number, by_name = (pulled(clean, f"{STAGING}{name}:latest") for name in ("user-uid", "user-username"))
    assert (by_number.uid.value, by_number.username) == (1002, "")
    assert (by_name.HasField("uid"), by_name.username) == (False, "www-data")


def test_no_image_is_no_error_and_no_status(clean):
    clean.remove_image(STAGING + "none-such:1")
    assert clean.image_status(STAGING + "none-such:1") is None
    with pytest.raises(grpc.RpcError):
        clean.pull(STAGING + "none-such:1")


def test_a_pull_that_is_late_is_given_up(clean):
    request = pb.PullImageRequest(image={"image": STAGING + "latest"})
    with pytest.raises(grpc.RpcError) as failure:
        clean.call("PullImage", request, pb.PullImageResponse, "Image", timeout=0.001)
    assert failure.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert clean.pull(STAGING + "latest").startswith("sha256:")


@pytest.mark.vm
def test_what_was_pulled_by_digest_runs(clean):
    """Nobody's image so far: its blobs reach the guest first for this container."""
    text = f"for {clean.name}\n".encode()
    name = clean.push(f"fresh-{clean.name}:1", image_maker.busybox([("etc", None), ("etc/fresh", text)], Env=["COLOUR=blue"],
                                                                  WorkingDir="/tmp", Entrypoint=["sleep"], Cmd=["1000"]))
    digest = pulled(clean, name).repo_digests[0]
    pod = clean.pod("fresh")
    ctr = clean.run(pod, "one", digest)
    assert clean.out(ctr, "cat", "/etc/fresh").encode() == text
    assert clean.sh(ctr, "pwd; echo $COLOUR").split() == ["/tmp", "blue"]
    assert clean.out(ctr, "cat", "/proc/1/cmdline") == "sleep\0" "1000\0"
    assert clean.container_status(ctr).image_ref == digest
    # Command and arguments of the container replace those of the image, each by CRI's rule.
    other = clean.run(pod, "two", digest, args=["999"])
    assert clean.out(other, "cat", "/proc/1/cmdline") == "sleep\0" "999\0"


def test_an_image_in_use_may_go_and_its_container_stays(clean):
    name = STAGING + "1:latest"
    clean.pull(name)
    ctr = clean.run(clean.pod("keeps"), "one", name, SLEEP)
    clean.remove_image(name)
    assert clean.image_status(name) is None
    assert clean.out(ctr, "cat", "/content") == "1"
