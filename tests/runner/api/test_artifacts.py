from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from pipelines.states import State
from runner.database.runs import Run
from runner.database.words import Visibility
from runner.executors.base import Artifact
from runner.workspace.snapshots import snapshot_key
from tests.support.seeds import Instance, a_step

FILES = {
    "report.html": b"<script>alert(1)</script>",
    "dist/log": b"a file in a folder, called log",
    "artifacts/x/artifacts/y": b"like the address around it",
    'odd "name"\r\n;ü%2F.txt': b"odd",
    "empty": b"",
}
STEP = "pack (to=dist/artifacts/x)"


@pytest.fixture
def run(instance: Instance) -> Run:
    digest, files = instance.snapshot({**FILES, "hidden.txt": b"no artifact"})
    shown = tuple(one for one in files if one.path != "hidden.txt")
    step = a_step(STEP, snapshot=digest, artifacts=shown)
    lost = a_step("lost", artifacts=shown, snapshot="0" * 64)
    none = a_step("none", State.FAILURE, artifacts=shown)
    extra = Artifact(path="gone.txt", size=1, digest="")
    wrong = replace(step, name="wrong", artifacts=(extra,))
    repository = instance.repository(visibility=Visibility.PUBLIC)
    return instance.run(repository, steps=[step, lost, none, wrong, a_step("idle", State.PENDING)])


def place(run: Run, path: str, step: str = STEP) -> str:
    own = "/".join(quote(part, safe="") for part in path.split("/"))
    return f"/api/v1/runs/{run.id}/steps/{quote(step, safe='')}/artifacts/{own}"


@pytest.mark.parametrize("path", FILES, ids=range(len(FILES)))
def test_an_artifact_is_saved_and_never_shown(client: TestClient, run: Run, path: str) -> None:
    answer = client.get(place(run, path))
    assert (answer.status_code, answer.content) == (200, FILES[path])
    headers = answer.headers
    assert headers["content-type"] == "application/octet-stream"
    assert headers["content-disposition"].startswith("attachment; filename=")
    assert headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in headers["content-security-policy"]
    assert headers["content-length"] == str(len(FILES[path]))


def test_its_name_breaks_out_of_no_header(client: TestClient, run: Run) -> None:
    told = client.get(place(run, 'odd "name"\r\n;ü%2F.txt')).headers["content-disposition"]
    plain = 'filename="odd _name______2F.txt"'
    encoded = "filename*=UTF-8''odd%20%22name%22%0D%0A%3B%C3%BC%252F.txt"
    assert told == f"attachment; {plain}; {encoded}"


@pytest.mark.parametrize("path", ["hidden.txt", "report.htm", "", "dist", "dist/../report.html"])
def test_only_what_the_step_declared_is_served(client: TestClient, run: Run, path: str) -> None:
    answer = client.get(place(run, path).replace("dist/../", "dist/%2E%2E/"))
    assert answer.status_code == 404


def test_an_attempt_that_is_not_there(client: TestClient, run: Run) -> None:
    assert client.get(place(run, "report.html") + "?attempt=2").status_code == 404
    assert client.get(place(run, "x", "idle")).json()["error"]["cure"] == "its artifacts: none"
    assert client.get(place(run, "x", "nobody")).status_code == 404


@pytest.mark.parametrize(
    ("step", "path"), [("lost", "empty"), ("none", "empty"), ("wrong", "gone.txt")]
)
def test_what_is_gone_is_said_to_be_gone(
    client: TestClient, run: Run, step: str, path: str
) -> None:
    answer = client.get(place(run, path, step))
    assert (answer.status_code, answer.json()["error"]["code"]) == (410, "gone")


def test_a_pack_that_was_swept(instance: Instance, client: TestClient, run: Run) -> None:
    objects = instance.services.objects
    objects.delete([one.key for one in objects.list() if one.key.startswith("packs/")])
    assert client.get(place(run, "report.html")).status_code == 410
    assert snapshot_key("0" * 64)
