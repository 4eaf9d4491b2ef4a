"""The client against an API server on a real socket."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.kube.client import REQUIRED, KubeClient, Permission, Watch, connect, whole_lines
from runner.kube.connection import Connection, Stream
from runner.kube.errors import (
    AlreadyExists,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    KubeError,
    NotFound,
    NotReady,
    PodSecurityRefused,
    QuotaExceeded,
    Throttled,
    Unreachable,
)
from tests.support import kube_faults
from tests.support.fake_kube import FakeKube
from tests.support.kube_faults import Answer, Broken, Crumbs, Expires, Fault, HangUp

SELECTOR = "hookline.dev/instance=here"


def pod(name: str = "p", **labels: str) -> dict[str, Any]:
    """Return a manifest of our instance."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"hookline.dev/instance": "here", **labels}},
        "spec": {"containers": [{"name": "agent"}, {"name": "step"}]},
    }


def secret(name: str = "p") -> dict[str, Any]:
    metadata = {"name": name, "labels": {"hookline.dev/instance": "here"}}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"a": "Yg=="}}


@pytest.fixture(name="kube")
def fake_kube() -> Iterator[FakeKube]:
    with FakeKube() as kube:
        yield kube


@pytest.fixture(name="client")
def of_the_fake(kube: FakeKube) -> Iterator[KubeClient]:
    client = kube.client()
    yield client
    client.close()


def test_the_life_of_a_pod(kube: FakeKube, client: KubeClient) -> None:
    made = client.create_pod(pod())
    assert made["metadata"]["uid"]
    assert client.get_pod("p") == made
    patched = client.patch_annotations("p", {"hookline.dev/go": "1"})
    assert patched["metadata"]["annotations"] == {"hookline.dev/go": "1"}
    assert client.patch_annotations("p", {"hookline.dev/go": None})["metadata"]["annotations"] == {}
    client.delete_pod("p", grace=1.5, uid=made["metadata"]["uid"])
    assert client.get_pod("p") is None
    client.delete_pod("p")
    assert kube.acts("delete pods")[0].body["gracePeriodSeconds"] == 2


def test_a_pod_that_is_there_is_not_made_again(kube: FakeKube, client: KubeClient) -> None:
    client.create_pod(pod())
    with pytest.raises(AlreadyExists):
        client.create_pod(pod())
    assert len(kube.acts("create pods")) == 2


def test_the_successor_of_a_pod_is_not_deleted(kube: FakeKube, client: KubeClient) -> None:
    client.create_pod(pod())
    client.delete_pod("p", uid="of another")
    assert "p" in kube.pods


def test_a_conflict_without_a_uid_is_told(kube: FakeKube, client: KubeClient) -> None:
    client.create_pod(pod())
    kube.fault(kube_faults.conflict(), on="delete pods")
    with pytest.raises(Conflict):
        client.delete_pod("p")


def test_what_is_not_there_cannot_be_patched(client: KubeClient) -> None:
    with pytest.raises(NotFound):
        client.patch_annotations("p", {"a": "b"})


def test_a_list_comes_in_parts(kube: FakeKube, client: KubeClient) -> None:
    kube.page = 2
    for number in range(5):
        client.create_pod(pod(f"p{number}"))
    client.create_pod({**pod("other"), "metadata": {"name": "other"}})
    found = client.list_pods(SELECTOR)
    assert [each["metadata"]["name"] for each in found.pods] == [f"p{n}" for n in range(5)]
    assert int(found.version) == kube.versions.now
    assert len(kube.acts("list pods")) == 3


def test_a_list_whose_parts_grew_too_old_is_told(kube: FakeKube, client: KubeClient) -> None:
    kube.page = 1
    client.create_pod(pod("p1"))
    client.create_pod(pod("p2"))
    kube.fault(None, on="list pods")
    kube.fault(kube_faults.gone(), on="list pods")
    with pytest.raises(Gone):
        client.list_pods(SELECTOR)


def test_all_pods_of_a_selector_are_deleted(kube: FakeKube, client: KubeClient) -> None:
    client.create_pod(pod("p1", run="r"))
    client.create_pod(pod("p2"))
    client.delete_pods("run=r", grace=0)
    assert list(kube.pods) == ["p2"]


@pytest.mark.parametrize("delete", [KubeClient.delete_pods, KubeClient.delete_secrets])
def test_nothing_is_deleted_without_a_selector(
    delete: Callable[[KubeClient, str], None], client: KubeClient
) -> None:
    with pytest.raises(ValueError, match="empty"):
        delete(client, " ")


def test_secrets_come_and_go_and_are_never_read(kube: FakeKube, client: KubeClient) -> None:
    client.create_secret(secret("p1"))
    client.create_secret(secret("p2"))
    with pytest.raises(AlreadyExists):
        client.create_secret(secret("p2"))
    client.delete_secret("p1")
    client.delete_secret("p1")
    assert list(kube.secrets) == ["p2"]
    client.delete_secrets(SELECTOR)
    assert kube.secrets == {}
    assert {request.act.split()[0] for request in kube.requests} == {
        "create",
        "delete",
        "deletecollection",
    }


def test_what_a_secret_holds_is_in_no_error(kube: FakeKube, client: KubeClient) -> None:
    kube.fault(kube_faults.invalid("secret is invalid"), on="create secrets")
    with pytest.raises(Invalid) as caught:
        client.create_secret(secret())
    assert "Yg==" not in str(caught.value)


@pytest.mark.parametrize(
    "fault",
    [
        kube_faults.throttled(),
        kube_faults.broken(500),
        kube_faults.broken(503),
        HangUp(),
        kube_faults.conflict(),
    ],
)
def test_what_passes_is_tried_again(kube: FakeKube, client: KubeClient, fault: Fault) -> None:
    kube.fault(fault, times=3, on="create pods")
    client.create_pod(pod())
    assert len(kube.acts("create pods")) == 4


def test_a_request_whose_answer_was_lost_may_have_been_carried_out(
    kube: FakeKube, client: KubeClient
) -> None:
    kube.fault(HangUp(done=True), on="create pods")
    with pytest.raises(AlreadyExists):
        client.create_pod(pod())
    assert list(kube.pods) == ["p"]


def test_after_some_tries_the_trouble_is_told(kube: FakeKube, client: KubeClient) -> None:
    kube.fault(kube_faults.throttled(None), times=20)
    with pytest.raises(Throttled, match="too many requests"):
        client.get_pod("p")
    assert len(kube.requests) == 5


def test_the_server_says_how_long_to_wait(kube: FakeKube) -> None:
    pauses: list[float] = []
    client = KubeClient(_connection(kube), "hookline-runs", jitter=lambda: 0.5, pause=pauses.append)
    kube.fault(kube_faults.throttled(2))
    kube.fault(kube_faults.throttled(None))
    client.get_pod("p")
    assert pauses == [2.125, 0.25]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (kube_faults.quota_exceeded(), QuotaExceeded),
        (kube_faults.pod_security(), PodSecurityRefused),
        (kube_faults.forbidden(), Forbidden),
        (kube_faults.invalid(), Invalid),
    ],
)
def test_a_refusal_is_told_at_once(
    kube: FakeKube, client: KubeClient, answer: Answer, kind: type[KubeError]
) -> None:
    kube.fault(answer, times=9)
    with pytest.raises(kind) as caught:
        client.create_pod(pod())
    assert answer.message in str(caught.value)
    assert len(kube.requests) == 1


def test_a_closed_client_tries_nothing_again(kube: FakeKube) -> None:
    client = kube.client()
    client.close()
    kube.fault(kube_faults.broken(), times=9)
    with pytest.raises(Unreachable):
        client.get_pod("p")
    assert len(kube.requests) == 1


def test_closing_cuts_a_pause_short(kube: FakeKube, tmp_path: Path) -> None:
    client = connect(kube.settings(tmp_path), environ={})
    kube.fault(kube_faults.throttled(600), times=9)
    raised: list[KubeError] = []

    def ask() -> None:
        try:
            client.get_pod("p")
        except KubeError as error:
            raised.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    kube.wait_for(lambda: len(kube.requests) == 1)
    client.close()
    thread.join(5)
    assert [type(error) for error in raised] == [Throttled]


def test_a_watch_tells_what_happens(kube: FakeKube, client: KubeClient) -> None:
    start = client.list_pods(SELECTOR).version
    client.create_pod(pod())
    kube.set_status("p", {"phase": "Running"})
    client.create_pod({**pod("other"), "metadata": {"name": "other"}})
    kube.fault(Crumbs(7), on="watch pods")
    kinds = []
    with client.watch_pods(SELECTOR, start, timeout=60) as watch:
        for event in watch:
            kinds.append(event["type"])
            if event["type"] == "BOOKMARK":
                client.delete_pod("p")
            if event["type"] == "DELETED":
                watch.abort()
    assert kinds == ["ADDED", "MODIFIED", "BOOKMARK", "DELETED"]
    assert int(event["object"]["metadata"]["resourceVersion"]) == kube.versions.now


def test_a_watch_ends_when_its_time_is_up(client: KubeClient, kube: FakeKube) -> None:
    with client.watch_pods(SELECTOR, "100", timeout=0.3) as watch:
        assert {event["type"] for event in watch} <= {"BOOKMARK"}
    assert kube.acts("watch pods")[0].query["timeoutSeconds"] == "1"


def test_a_version_that_is_too_old_is_told_both_ways(kube: FakeKube, client: KubeClient) -> None:
    kube.fault(Expires(), on="watch pods")
    with client.watch_pods(SELECTOR, "100", timeout=60) as watch, pytest.raises(Gone):
        list(watch)
    client.create_pod(pod())
    kube.forget()
    with pytest.raises(Gone):
        client.watch_pods(SELECTOR, "100", timeout=60)


@pytest.mark.parametrize("line", [b"<html>\n", b"[]\n", b"{}\n"])
def test_a_watch_that_tells_no_events_is_told(line: bytes) -> None:
    class Odd(Stream):
        def __init__(self) -> None:
            pass

        def __iter__(self) -> Iterator[bytes]:
            yield line

    with pytest.raises(Unreachable, match="no event"):
        list(Watch(Odd()))


def test_a_broken_watch_is_told(kube: FakeKube, client: KubeClient) -> None:
    kube.fault(Broken(), on="watch pods")
    with client.watch_pods(SELECTOR, "100", timeout=60) as watch, pytest.raises(Unreachable):
        list(watch)


def test_a_log_is_read_as_it_is(kube: FakeKube, client: KubeClient) -> None:
    client.create_pod(pod())
    with pytest.raises(NotReady, match="waiting to start"):
        client.pod_log("p", "agent")
    kube.feed("p", b"one\ntw")
    kube.feed("p", b"o\n")
    with client.pod_log("p", "agent", since=0.5, limit=1000) as stream:
        assert b"".join(stream) == b"one\ntwo\n"
    assert kube.acts("get pods/log")[-1].query == {
        "container": "agent",
        "sinceSeconds": "1",
        "limitBytes": "1000",
    }


def test_a_log_is_followed_to_its_end(kube: FakeKube, client: KubeClient) -> None:
    client.create_pod(pod())
    kube.run("p")
    kube.feed("p", b"one\n")
    heard = []
    with client.pod_log("p", "agent", follow=True) as stream:
        for piece in stream:
            heard.append(piece)
            kube.feed("p", b"two\n") if len(heard) == 1 else kube.end_log("p")
    assert b"".join(heard) == b"one\ntwo\n"


def test_a_log_without_its_pod(kube: FakeKube, client: KubeClient) -> None:
    with pytest.raises(NotFound):
        client.pod_log("p", "agent")
    kube.fault(kube_faults.invalid(), on="get pods/log")
    with pytest.raises(Invalid):
        client.pod_log("p", "agent")


def test_events_are_those_of_one_pod(kube: FakeKube, client: KubeClient) -> None:
    made = client.create_pod(pod())
    kube.add_event("p", "FailedScheduling", "0/1 nodes are available")
    kube.add_event("q", "FailedScheduling", "of another")
    assert [event["message"] for event in client.pod_events("p")] == ["0/1 nodes are available"]
    assert client.pod_events("p", made["metadata"]["uid"]) == client.pod_events("p")
    assert client.pod_events("p", "of an earlier one") == ()


def test_rights_that_lack_are_named(kube: FakeKube, client: KubeClient) -> None:
    assert client.missing() == ()
    kube.denied |= {"get pods/log", "patch pods"}
    lacking = client.missing()
    assert [str(permission) for permission in lacking] == ["patch pods", "get pods/log"]
    assert set(lacking) < set(REQUIRED)
    assert client.missing((Permission("list", "events"),)) == ()


def test_lines_are_put_together_from_pieces() -> None:
    assert list(whole_lines(iter([b"a", b"b\nc\n\nd", b"", b"\ne"]))) == [b"ab", b"c", b"", b"d"]


def _connection(kube: FakeKube) -> Connection:
    client = kube.client()
    return client._connection
