"""An object as an HTML form, which is how a POST policy wants it.

RFC 7578; fields and their order as
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTForms.html has them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

Bytes: TypeAlias = bytes | memoryview


@dataclass(frozen=True)
class Form:
    """A form ready to be sent: its parts one after the other, and what they are."""

    parts: tuple[Bytes, ...]
    content_type: str

    @property
    def length(self) -> int:
        """How many bytes its parts are."""
        return sum(len(part) for part in self.parts)


def make_form(fields: Mapping[str, str], file: Bytes) -> Form:
    """Return the form with these fields in their order, and a file as the last one."""
    boundary = os.urandom(24).hex()
    head = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    head += (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="file"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    tail = f"\r\n--{boundary}--\r\n"
    return Form((head.encode(), file, tail.encode()), f"multipart/form-data; boundary={boundary}")
