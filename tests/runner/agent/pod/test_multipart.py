from __future__ import annotations

from email.parser import BytesParser
from email.policy import HTTP

from runner.agent.pod.multipart import make_form


def test_a_form_has_its_fields_in_order_and_the_file_last() -> None:
    form = make_form({"key": "a/b", "policy": "ü"}, memoryview(b"\r\n--x\0"))
    raw = b"".join(form.parts)
    assert len(raw) == form.length
    head = f"Content-Type: {form.content_type}\r\n\r\n".encode()
    parts = list(BytesParser(policy=HTTP).parsebytes(head + raw).iter_parts())
    names = [part["Content-Disposition"].params["name"] for part in parts]
    assert names == ["key", "policy", "file"]
    contents = [part.get_payload(decode=True) for part in parts]
    assert contents == [b"a/b", "ü".encode(), b"\r\n--x\0"]
    assert parts[2]["Content-Type"] == "application/octet-stream"


def test_no_two_forms_have_the_same_border() -> None:
    assert make_form({}, b"").content_type != make_form({}, b"").content_type
