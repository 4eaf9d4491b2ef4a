"""What may be the value of a secret: text that fits into a variable and can be masked."""

from __future__ import annotations

from runner.agent.forms import SHORTEST
from runner.agent.masking import maskable

LARGEST = 64 * 1024
"""Bytes of a value: Kubernetes keeps 1 MiB for all that a step gets, Linux 128 KiB for a variable."""


class SecretRefused(Exception):
    """A value that no secret can have; neither message nor cure holds any of it."""

    code = "secret-refused"

    def __init__(self, message: str, *, cure: str) -> None:
        self.message = message
        self.cure = cure
        super().__init__(f"{message} ({cure})")


def read_value(data: bytes) -> str:
    """Return the value that somebody typed, or that stands in a file; raises `SecretRefused`.

    What is one line loses its end, which belongs to the typing; a text of several lines, such as a
    key, keeps all of them as they are.
    """
    if len(data) > LARGEST + len("\r\n"):
        raise _too_large()
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        message = f"the value is no text: byte {error.start + 1} of it is not UTF-8"
        raise SecretRefused(message, cure="store what is not text in base64") from None
    line = text.removesuffix("\n").removesuffix("\r")
    return check_value(text if "\n" in line else line)


def check_value(text: str) -> str:
    """Return a value that a secret may have; raises `SecretRefused`."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        message = "the value holds half of a surrogate pair"
        raise SecretRefused(message, cure="send it as UTF-8") from None
    if "\0" in text:
        message = "the value holds a NUL character, which no variable can"
        raise SecretRefused(message, cure="store what is not text in base64")
    if size > LARGEST:
        raise _too_large()
    if not maskable(text):
        message = f"the value has no line of {SHORTEST} bytes or more, so logs cannot be kept clean"
        raise SecretRefused(message, cure="choose a longer one, or make it a variable in `env:`")
    return text


def _too_large() -> SecretRefused:
    message = f"the value has more than {LARGEST} bytes"
    return SecretRefused(message, cure="keep it elsewhere, encrypted, and store the key to it here")
