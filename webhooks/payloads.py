"""Bytes of a verified body into JSON, and values out of it; nothing hostile gets past as a crash.

`json.loads` takes NaN, UTF-16 and any depth, and raises four kinds of errors: here there is one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import NoReturn, TypeAlias
from urllib.parse import parse_qsl

from webhooks.errors import PayloadError
from webhooks.texts import shown

JSON_TYPE = "application/json"
FORM_TYPE = "application/x-www-form-urlencoded"

JsonObject: TypeAlias = dict[str, object]

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_LARGEST = 2**31 - 1


def media_type(headers: Mapping[str, str]) -> str:
    """Return the content type without its parameters, in lower case; empty if there is none."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def document(headers: Mapping[str, str], body: bytes) -> JsonObject:
    """Return the JSON object in a body, also from the `payload` field of a form."""
    return decode(form_payload(body) if media_type(headers) == FORM_TYPE else body)


def decode(body: bytes) -> JsonObject:
    """Return the JSON object that `body` spells in UTF-8; PayloadError if it is anything else."""
    try:
        found = json.loads(body.decode("utf-8"), parse_constant=_no_constant)
    except RecursionError:
        _refuse("the body is nested too deeply")
    except ValueError as error:
        _refuse(f"the body is not JSON in UTF-8: {shown(str(error))}")
    if not isinstance(found, dict):
        _refuse(f"the body is JSON but no object: {shown(found)}")
    return found


def form_payload(body: bytes) -> bytes:
    """Return the bytes of the one `payload` field of a form-encoded body."""
    try:
        fields = parse_qsl(body.decode("ascii"), errors="strict", max_num_fields=16)
    except ValueError as error:
        _refuse(f"the body is no form: {shown(str(error))}")
    found = [value for name, value in fields if name == "payload"]
    if len(found) != 1:
        _refuse(f"the form holds {len(found)} fields named payload, not one")
    return found[0].encode()


def within(tree: object, *path: str) -> object:
    """Return the value at a path of names, None where something on the way is missing."""
    for name in path:
        if not isinstance(tree, dict):
            return None
        tree = tree.get(name)
    return tree


def text(tree: object, *path: str) -> str:
    """Return the text at a path as it was sent, empty if there is none."""
    found = within(tree, *path)
    return found if isinstance(found, str) else ""


def commit(tree: object, *path: str) -> str:
    """Return the commit id at a path, in full; PayloadError if it is none."""
    found = within(tree, *path)
    if not isinstance(found, str) or not _COMMIT.fullmatch(found):
        _refuse(f"{'.'.join(path)} is no commit id of 40 or 64 hex digits: {shown(found)}")
    return found


def number(tree: object, *path: str) -> int:
    """Return the positive whole number at a path; PayloadError if it is none."""
    found = within(tree, *path)
    if not isinstance(found, int) or isinstance(found, bool) or not 0 < found <= _LARGEST:
        _refuse(f"{'.'.join(path)} is no number from 1 to {_LARGEST}")
    return found


def is_zero(commit_id: str) -> bool:
    """Whether a commit id is the one of zeros that stands for nothing, in either length."""
    return set(commit_id) == {"0"}


def _no_constant(word: str) -> NoReturn:
    problem = f"{word} is no JSON"
    raise ValueError(problem)


def _refuse(message: str) -> NoReturn:
    raise PayloadError(message)
