"""The MinIO for trying it out makes its bucket as the chart says: a folder of its drive is one."""

from __future__ import annotations

from tests.runner.objects.conftest import available
from tests.testbed.stores import minio


def test_a_folder_of_the_drive_is_a_bucket() -> None:
    with available(minio()) as server:
        server.stop()
        (server.drives[0] / "hookline").mkdir()
        server.start()
        client = server.client()
        assert [bucket["Name"] for bucket in client.list_buckets()["Buckets"]] == ["hookline"]
        client.put_object(Bucket="hookline", Key="a/b", Body=b"x")
        assert client.get_object(Bucket="hookline", Key="a/b")["Body"].read() == b"x"
