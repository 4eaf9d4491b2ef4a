"""The S3 servers that these tests share, and stores in them that are all new."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from runner.objects.s3 import ClientBucket, connect
from runner.objects.s3_errors import Place
from runner.objects.s3_presigning import S3Presigner
from runner.objects.s3_store import PART, S3Store
from tests.testbed.stores import StoreServer, minio, versitygw
from tests.testbed.tools import TestbedError

BUCKET = "hookline"
_numbers = itertools.count(1)


@contextmanager
def available(server: AbstractContextManager[StoreServer]) -> Iterator[StoreServer]:
    """Run a server, or skip where its program cannot be had."""
    try:
        running = server.__enter__()
    except TestbedError as error:
        pytest.skip(str(error))
    try:
        yield running
    finally:
        server.__exit__(None, None, None)


@functools.cache
def _client(server: StoreServer) -> Any:
    return connect(server.settings(), server.endpoint)


def fresh(server: StoreServer, *, part: int = PART) -> S3Store:
    """Return a store below a prefix that nobody has used."""
    place = Place(BUCKET, f"tests/{next(_numbers)}/", server.endpoint)
    client = _client(server)
    presigner = S3Presigner(client, place.bucket, place.prefix)
    return S3Store(ClientBucket(client, place), presigner, part=part)


@pytest.fixture(scope="session")
def minio_server() -> Iterator[StoreServer]:
    """MinIO with one drive, which tests leave as it is."""
    with available(minio()) as server:
        server.make_bucket(BUCKET)
        yield server


@pytest.fixture(scope="session")
def versitygw_server() -> Iterator[StoreServer]:
    """Another S3 server, which tests leave as it is."""
    with available(versitygw(buckets=[BUCKET])) as server:
        yield server


@pytest.fixture(params=["minio", "versitygw"])
def server(request: pytest.FixtureRequest) -> StoreServer:
    """Each server in turn."""
    found: StoreServer = request.getfixturevalue(f"{request.param}_server")
    return found


@pytest.fixture
def own_minio() -> Iterator[StoreServer]:
    """A MinIO of this test's own, to be maltreated."""
    with available(minio()) as server:
        server.make_bucket(BUCKET)
        yield server
