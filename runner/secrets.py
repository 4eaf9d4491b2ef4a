"""Secrets at rest: sealed with the instance's key, and bound to what they belong to.

SecretError
├── KeyUnusable       the instance key cannot be read, made or used
└── SecretUnreadable  a sealed secret that does not open: other key, other place, or altered
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import secrets
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from runner.settings_model import Settings

KEY_BYTES = 32
_NONCE_BYTES = 12  # NIST SP 800-38D, 8.2: 96 bits for random nonces
_VERSION = "v1"
_KEY_FILE = "secret.key"


class SecretError(Exception):
    """The root of what this module raises; no message ever holds a secret."""

    code = "secret"


class KeyUnusable(SecretError):
    """The instance key cannot be read, made or used; the message says which and why."""

    code = "secret-key"


class SecretUnreadable(SecretError):
    """A sealed secret that does not open."""

    code = "secret-unreadable"


class Keyring:
    """Seals with its first key and opens with any of them."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        """Take keys of 32 bytes, newest first; raise `KeyUnusable` for none or another length."""
        if not keys or any(len(key) != KEY_BYTES for key in keys):
            message = f"a keyring needs keys of {KEY_BYTES} bytes each, and at least one"
            raise KeyUnusable(message)
        self._ciphers = {_key_id(key): AESGCM(key) for key in keys}
        self._current = _key_id(keys[0])

    def encrypt(self, text: str, context: str) -> str:
        """Return `text` sealed for `context` (what it belongs to, which `decrypt` must name)."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        about = _about(self._current, context)
        sealed = self._ciphers[self._current].encrypt(nonce, text.encode(), about)
        return f"{_VERSION}.{self._current}.{_to_text(nonce + sealed)}"

    def decrypt(self, sealed: str, context: str) -> str:
        """Return what was sealed for `context`; raise `SecretUnreadable` if it does not open."""
        version, key_id, body = self._parts(sealed)
        cipher = self._ciphers.get(key_id) if version == _VERSION else None
        if cipher is None:
            message = f"the secret of {context} was sealed with key {key_id}, which is not given"
            raise SecretUnreadable(message)
        nonce, text = body[:_NONCE_BYTES], body[_NONCE_BYTES:]
        try:
            return cipher.decrypt(nonce, text, _about(key_id, context)).decode()
        except (InvalidTag, ValueError):
            message = f"the secret of {context} was altered, or belongs to something else"
            raise SecretUnreadable(message) from None

    def is_current(self, sealed: str) -> bool:
        """Return whether a secret is sealed with the newest key, so needs no sealing anew."""
        return sealed.startswith(f"{_VERSION}.{self._current}.")

    @staticmethod
    def _parts(sealed: str) -> tuple[str, str, bytes]:
        try:
            version, key_id, body = sealed.split(".")
            return version, key_id, _from_text(body)
        except ValueError:
            message = "this is no sealed secret: it does not read VERSION.KEY.BODY"
            raise SecretUnreadable(message) from None


def hook_context(hook_id: str) -> str:
    """Return the context in which a hook's signing secrets are sealed."""
    return f"hook {hook_id}"


def repository_context(name: str) -> str:
    """Return the context in which a repository's access token is sealed."""
    return f"repository {name}"


def secret_context(repository: str, name: str) -> str:
    """Return the context in which a secret of a repository is sealed; no other is written so."""
    return f"repository {repository}, {name}"


def generate_key() -> str:
    """Return a new instance key as text."""
    return _to_text(secrets.token_bytes(KEY_BYTES))


def load_keyring(settings: Settings) -> Keyring:
    """Return the keyring of an instance; make a key in `data` if none was configured.

    Raises `KeyUnusable` if the key is malformed or its file cannot be read or written.
    """
    if settings.secret_key is not None:
        return Keyring(_parse_keys(settings.secret_key.get_secret_value(), "secret_key"))
    try:
        path = settings.secret_key_file or _made_key_file(settings.data)
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        message = f"the key file cannot be used: {error}"
        raise KeyUnusable(message) from error
    return Keyring(_parse_keys(text, str(path)))


def _parse_keys(text: str, source: str) -> list[bytes]:
    """Return the keys in `text`, between commas or line ends."""
    words = [word for word in re.split(r"[,\s]+", text) if word]
    try:
        keys = [_from_text(word) for word in words]
    except ValueError:
        keys = []
    if not keys or any(len(key) != KEY_BYTES for key in keys):
        message = f"{source} does not hold keys of {KEY_BYTES} random bytes in base64"
        raise KeyUnusable(message)
    return keys


def _made_key_file(data: Path) -> Path:
    """Return the key file in `data`, made if missing; of two who make it at once, one wins.

    The file is written under a name of its own and then linked, so that nobody reads half a key.
    """
    path = data / _KEY_FILE
    if path.exists():
        return path
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = data / f".{_KEY_FILE}.{secrets.token_hex(8)}"
    try:
        _write_private(draft, generate_key() + "\n")
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink(missing_ok=True)
    return path


def _write_private(path: Path, text: str) -> None:
    """Write a new file that only its owner can read, and see it on the disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _key_id(key: bytes) -> str:
    return hashlib.sha256(b"hookline key id\0" + key).hexdigest()[:8]


def _about(key_id: str, context: str) -> bytes:
    return f"{_VERSION}\0{key_id}\0{context}".encode()


def _to_text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _from_text(text: str) -> bytes:
    """Return the bytes of base64 in either alphabet, padded or not; raise `ValueError`."""
    plain = text.rstrip("=").translate(str.maketrans("+/", "-_"))
    if not re.fullmatch(r"[A-Za-z0-9_-]*", plain):
        message = "is no base64"
        raise binascii.Error(message)
    return base64.urlsafe_b64decode(plain + "=" * (-len(plain) % 4))
