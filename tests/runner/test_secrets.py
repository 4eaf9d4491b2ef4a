from __future__ import annotations

import base64
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from runner.secrets import (
    Keyring,
    KeyUnusable,
    SecretUnreadable,
    generate_key,
    hook_context,
    load_keyring,
    repository_context,
)
from runner.settings import Settings

OLD = b"o" * 32
NEW = b"n" * 32


@given(st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(codec="utf-8")))
def test_what_is_sealed_opens_in_its_place(text: str, context: str) -> None:
    keyring = Keyring([NEW])
    assert keyring.decrypt(keyring.encrypt(text, context), context) == text


def test_sealing_twice_differs_and_shows_nothing() -> None:
    keyring = Keyring([NEW])
    one, two = keyring.encrypt("hush-hush", "a"), keyring.encrypt("hush-hush", "a")
    assert one != two
    assert "hush" not in one
    assert base64.urlsafe_b64encode(b"hush-hush").decode() not in one


def test_a_secret_opens_nowhere_else() -> None:
    keyring = Keyring([NEW])
    sealed = keyring.encrypt("hush", hook_context("h1"))
    for context in (hook_context("h2"), repository_context("h1"), ""):
        with pytest.raises(SecretUnreadable, match="altered, or belongs to something else"):
            keyring.decrypt(sealed, context)


def test_an_altered_secret_does_not_open() -> None:
    keyring = Keyring([NEW])
    version, key, body = keyring.encrypt("hush", "a").split(".")
    raw = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
    for index in range(len(raw)):
        changed = bytes([*raw[:index], raw[index] ^ 1, *raw[index + 1 :]])
        sealed = f"{version}.{key}.{base64.urlsafe_b64encode(changed).decode()}"
        with pytest.raises(SecretUnreadable) as caught:
            keyring.decrypt(sealed, "a")
        assert "hush" not in str(caught.value)


@pytest.mark.parametrize("sealed", ["", "hush", "v1.x", "v1.abc.%%%", "a.b.c.d", "v1.0.A"])
def test_what_is_no_sealed_secret_is_told_without_it(sealed: str) -> None:
    with pytest.raises(SecretUnreadable) as caught:
        Keyring([NEW]).decrypt(sealed, "a")
    assert sealed == "" or sealed not in str(caught.value)


def test_a_secret_cut_short_does_not_open() -> None:
    keyring = Keyring([NEW])
    version, key, _ = keyring.encrypt("hush", "a").split(".")
    for body in ("", "AAAA"):
        with pytest.raises(SecretUnreadable):
            keyring.decrypt(f"{version}.{key}.{body}", "a")


def test_old_keys_open_and_the_new_one_seals() -> None:
    before = Keyring([OLD])
    after = Keyring([NEW, OLD])
    sealed = before.encrypt("hush", "a")
    assert after.decrypt(sealed, "a") == "hush"
    assert not after.is_current(sealed)
    again = after.encrypt("hush", "a")
    assert after.is_current(again)
    assert Keyring([NEW]).decrypt(again, "a") == "hush"


def test_a_key_that_is_not_given_is_named_by_its_id() -> None:
    sealed = Keyring([OLD]).encrypt("hush", "hook h1")
    with pytest.raises(SecretUnreadable, match=f"hook h1 .* {sealed.split('.')[1]}, which is not"):
        Keyring([NEW]).decrypt(sealed, "hook h1")
    with pytest.raises(SecretUnreadable):
        Keyring([OLD]).decrypt(sealed.replace("v1", "v2", 1), "hook h1")


@pytest.mark.parametrize("keys", [[], [b"short"], [NEW, b"x" * 31]])
def test_keys_of_another_length_are_refused(keys: list[bytes]) -> None:
    with pytest.raises(KeyUnusable, match="32 bytes"):
        Keyring(keys)


def as_text(key: bytes) -> str:
    return base64.b64encode(key).decode()


def test_a_key_comes_from_the_settings(tmp_path: Path) -> None:
    text = SecretStr(f"{as_text(NEW)},{as_text(OLD)}")
    keyring = load_keyring(Settings(data=tmp_path, secret_key=text))
    assert keyring.is_current(Keyring([NEW]).encrypt("x", "a"))
    assert keyring.decrypt(Keyring([OLD]).encrypt("x", "a"), "a") == "x"
    assert list(tmp_path.iterdir()) == []


def test_a_key_comes_from_a_file_that_is_named(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(f"{as_text(NEW)}\n{as_text(OLD)}\n")
    keyring = load_keyring(Settings(data=tmp_path / "data", secret_key_file=path))
    assert keyring.is_current(Keyring([NEW]).encrypt("x", "a"))
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("text", ["", "hush", "hush hush", f"{as_text(NEW)},hush", "ключ"])
def test_a_malformed_key_is_told_without_it(text: str, tmp_path: Path) -> None:
    with pytest.raises(KeyUnusable) as caught:
        load_keyring(Settings(data=tmp_path, secret_key=SecretStr(text)))
    assert "secret_key does not hold keys" in str(caught.value)
    assert "hush" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(KeyUnusable, match="cannot be used"):
        load_keyring(Settings(data=tmp_path, secret_key_file=tmp_path / "missing"))
    (tmp_path / "binary").write_bytes(b"\xff")
    with pytest.raises(KeyUnusable, match="cannot be used"):
        load_keyring(Settings(data=tmp_path, secret_key_file=tmp_path / "binary"))


def test_a_key_is_made_once_and_is_private(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data")
    sealed = load_keyring(settings).encrypt("hush", "a")
    path = tmp_path / "data" / "secret.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert load_keyring(settings).decrypt(sealed, "a") == "hush"
    assert [one.name for one in path.parent.iterdir()] == ["secret.key"]


def test_of_many_who_make_a_key_at_once_one_wins(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    count = 16
    start = Barrier(count)

    def make(_number: int) -> str:
        start.wait()
        return load_keyring(settings).encrypt("hush", "a")

    with ThreadPoolExecutor(count) as pool:
        sealed = list(pool.map(make, range(count)))
    keyring = load_keyring(settings)
    assert {keyring.decrypt(one, "a") for one in sealed} == {"hush"}
    assert [one.name for one in tmp_path.iterdir()] == ["secret.key"]


def test_generated_keys_fit() -> None:
    keys = {generate_key() for _ in range(10)}
    assert len(keys) == 10
    for key in keys:
        settings = Settings(data=Path("unused"), secret_key=SecretStr(key))
        assert load_keyring(settings).encrypt("x", "a")
