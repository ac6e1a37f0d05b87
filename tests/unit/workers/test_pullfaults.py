"""What engines and registries say when an image cannot be had, and what it means for a job."""

import pytest

from aitrain.domain.errors import PlatformFault, UserFault
from workers.runtime import ImageAccess, Right
from workers.runtime.pullfaults import pull_fault
from workers.runtime.refusals import Refusal, refusal_of

IMAGE = "registry.example:5000/team/trainer:1"
NOBODY, SITE = ImageAccess("red"), ImageAccess("red", Right.SITE, "puller", "hunter2-site")
PROJECT = ImageAccess("red", Right.PROJECT, "reader", "hunter2-red")
R = Refusal


@pytest.mark.parametrize(
    ("reason", "refusal"),
    [
        ("manifest for registry.example:5000/team/trainer:1 not found: manifest unknown: manifest unknown", R.UNKNOWN),
        ("no matching manifest for linux/arm64 in the manifest list entries", R.UNKNOWN),
        ("failed to resolve reference: registry.example:5000/team/trainer:1: not found", R.UNKNOWN),
        ('Head "https://registry.example:5000/v2/team/trainer/manifests/1": no basic auth credentials', R.PASSWORD),
        ("unauthorized: authentication required", R.PASSWORD),
        ('Get "https://registry-1.docker.io/v2/": unauthorized: incorrect username or password', R.PASSWORD),
        ("failed to authorize: failed to fetch oauth token: unexpected status: 401 Unauthorized", R.PASSWORD),
        ("pull access denied for x, repository does not exist or may require 'docker login': denied: requested access "
         "to the resource is denied", R.NO_RIGHT),
        ("pull access denied, repository does not exist or may require authorization: server message: "
         "insufficient_scope: authorization failed", R.NO_RIGHT),
        ("unauthorized: unauthorized to access repository: team/trainer, action: pull", R.NO_RIGHT),
        ("unauthorized: access to the requested resource is not authorized", R.NO_RIGHT),
        ("denied: denied", R.NO_RIGHT),
        ("unexpected status code: 403 Forbidden", R.NO_RIGHT),
        ('Get "https://registry.example:5000/v2/": x509: certificate signed by unknown authority', R.AUTHORITY),
        ('failed to do request: Head "https://r/v2/": tls: failed to verify certificate: x509: certificate has expired',
         R.AUTHORITY),
        ('Get "https://r/v2/": http: server gave HTTP response to HTTPS client', R.PLAIN),
        ("dial tcp: lookup nowhere.example: no such host", R.AWAY),
        ("Get https://x/v2/: net/http: request canceled (Client.Timeout exceeded)", R.AWAY),
        ("toomanyrequests: You have reached your unauthenticated pull rate limit", R.AWAY),
        ("received unexpected HTTP status: 503 Service Unavailable", R.AWAY),
        ("something that nobody has said before", R.AWAY),
        ("write /var/lib/docker/tmp/x: no space left on device", R.ROOM),
        ("invalid reference format", R.NAME),
        ("invalid repository name (a63f), cannot specify 64-byte hexadecimal strings", R.NAME),
    ],
)  # fmt: skip
def test_refusals_are_told_apart(reason: str, refusal: Refusal) -> None:
    assert refusal_of(reason, IMAGE, with_user=True) is refusal
    without = R.NO_USER if refusal is R.PASSWORD else refusal
    assert refusal_of(reason, IMAGE) is without


@pytest.mark.parametrize("image", ["denied.example/unauthorized/not-found:forbidden", "denied:1", "x"])
def test_a_name_says_nothing_of_the_reason(image: str) -> None:
    for reason in (f"error with {image}: EOF", f'Get "https://{image}/v2/403/manifest-unknown": EOF'):
        assert refusal_of(reason, image) is Refusal.AWAY
    assert refusal_of(f"unexpected status from HEAD request to https://{image}: 401 Unauthorized", image) is R.NO_USER


@pytest.mark.parametrize(
    ("reason", "access", "fault", "code", "remedy"),
    [
        ("unauthorized", NOBODY, UserFault, "JOB_IMAGE_PULL", "aitrain registry add red registry.example:5000"),
        ("unauthorized", PROJECT, UserFault, "JOB_IMAGE_PULL", "does not take user 'reader' of project 'red'"),
        ("unauthorized", SITE, PlatformFault, "JOB_REGISTRY_UNAVAILABLE", "correct shared_registry on the host"),
        ("denied", NOBODY, UserFault, "JOB_IMAGE_PULL", "lets nobody have it without a user"),
        ("denied", PROJECT, UserFault, "JOB_IMAGE_PULL", "give the project's user the right"),
        ("denied", SITE, PlatformFault, "JOB_REGISTRY_UNAVAILABLE", "give the site's user the right"),
        ("x509: bad", NOBODY, UserFault, "JOB_IMAGE_PULL", "--ca-file"),
        ("x509: bad", SITE, PlatformFault, "JOB_REGISTRY_UNAVAILABLE", "shared_registry.ca_file"),
        ("manifest unknown", SITE, UserFault, "JOB_IMAGE_PULL", "check its name and tag"),
        ("EOF", PROJECT, PlatformFault, "JOB_REGISTRY_UNAVAILABLE", "can be reached from the host"),
        ("invalid reference format", NOBODY, UserFault, "JOB_INVALID_IMAGE_NAME", "is not an image reference"),
        ("no space left on device", PROJECT, PlatformFault, "JOB_IMAGE_PULL", "has no room"),
    ],
)
def test_whose_fault_it_is(reason: str, access: ImageAccess, fault: type[Exception], code: str, remedy: str) -> None:
    told = pull_fault(IMAGE, reason, access)
    assert (type(told), told.code) == (fault, code)
    assert remedy in str(told)
    assert reason in str(told)


def test_a_registry_cannot_make_a_job_tell_the_password() -> None:
    echoed = "denied: you sent Basic cmVhZGVyOmh1bnRlcjItcmVk, that is hunter2-red " + "x" * 5000
    told = str(pull_fault(IMAGE, echoed, PROJECT))
    assert "cmVhZGVyOmh1bnRlcjItcmVk" not in told
    assert "hunter2" not in told
    assert "hunter2" not in repr(PROJECT)
    assert len(told) < 1200
