"""What git may be given: every shape that could mean something else is refused before git runs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.git_errors import HostilePath, HostileRef, HostileUrl
from runner.git_names import (
    Remote,
    check_commit,
    check_notes_ref,
    check_path,
    check_ref,
    check_url,
    decode_path,
    own_ref,
)

SHA = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize("commit", [SHA, "a" * 64])
def test_whole_commit_ids_are_taken(commit: str) -> None:
    assert check_commit(commit) == commit


@pytest.mark.parametrize(
    "commit",
    [
        "",
        "HEAD",
        "main",
        SHA[:12],
        SHA.upper(),
        SHA + "\n",
        SHA + "0",
        f"-{SHA[1:]}",
        f"{SHA}^{{tree}}",
        f"{SHA}:path",
        "--upload-pack=touch x",
        "-nVALUE",
        "0" * 40,
        "0" * 64,
        "٣" * 40,
    ],
)
def test_anything_else_is_no_commit(commit: str) -> None:
    with pytest.raises(HostileRef, match="is no commit id"):
        check_commit(commit)


@pytest.mark.parametrize(
    "ref",
    [
        "refs/heads/main",
        "refs/heads/release/1.0",
        "refs/heads/-x",
        "refs/heads/--upload-pack=x",
        'refs/heads/zzz";echo${IFS}"hello";#',
        "refs/heads/$(id)",
        "refs/heads/ünïcode",
        "refs/heads/@",
        "refs/tags/v1.0",
        "refs/pull/7/head",
        "refs/merge-requests/7/head",
        "refs/pull-requests/7/from",
    ],
)
def test_refs_of_forges_are_taken(ref: str) -> None:
    assert check_ref(ref) == ref


@pytest.mark.parametrize(
    "ref",
    [
        "",
        "main",
        "HEAD",
        "-x",
        "--upload-pack=touch x",
        "--output=x",
        "--template=/tmp/hooks",
        "-uVALUE",
        "+refs/heads/main",
        "^refs/heads/main",
        "refs/heads/",
        "refs/heads/a..b",
        "refs/heads/../../config",
        "refs/heads/.hidden",
        "refs/heads/a/.b",
        "refs/heads/a.lock",
        "refs/heads/a.lock/b",
        "refs/heads/a/",
        "refs/heads/a.",
        "refs/heads/a//b",
        "refs/heads/a b",
        "refs/heads/a:b",
        "refs/heads/main:refs/heads/other",
        "refs/heads/*",
        "refs/heads/a?",
        "refs/heads/a[",
        "refs/heads/a\\b",
        "refs/heads/a~1",
        "refs/heads/a^",
        "refs/heads/a@{1}",
        "refs/heads/a\n",
        "refs/heads/a\nb",
        "refs/heads/a\0b",
        "refs/heads/a\x7f",
        "refs/heads/\ud800",
        "refs/heads/" + "a" * 1000,
        "refs/notes/hookline",
        "refs/replace/" + SHA,
        "refs/hookline/x",
    ],
)
def test_anything_else_is_no_ref(ref: str) -> None:
    with pytest.raises(HostileRef, match="is no name of a ref"):
        check_ref(ref)


def test_notes_have_a_place_of_their_own() -> None:
    assert check_notes_ref("refs/notes/hookline") == "refs/notes/hookline"
    for ref in ("refs/heads/main", "--ref=x", "refs/notes/", "refs/notes/a b"):
        with pytest.raises(HostileRef):
            check_notes_ref(ref)


def test_refs_that_look_alike_are_kept_apart() -> None:
    refs = ["refs/heads/a", "refs/heads/A", "refs/heads/a/b", "refs/heads/a-b", "refs/tags/a"]
    assert len({own_ref(ref).lower() for ref in refs}) == len(refs)


@given(st.text(max_size=60))
def test_every_ref_that_passes_has_a_harmless_place(name: str) -> None:
    try:
        ref = check_ref(f"refs/heads/{name}")
    except HostileRef:
        return
    place = own_ref(ref)
    assert place.isascii()
    assert place.startswith("refs/hookline/heads")
    assert not set(place) & set(" ~^:?*[\\\n")


@pytest.mark.parametrize("path", [".ci.yaml", "a/b/c", "-x", "a b", "ä", "a\nb", "..a", ".github"])
def test_paths_inside_a_tree_are_taken(path: str) -> None:
    assert check_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/etc/passwd",
        "..",
        "../x",
        "a/../b",
        "a/..",
        "./a",
        "a//b",
        "a/",
        ".git/config",
        "a/.GIT/hooks/x",
        "a\0b",
        "\ud800",
        "a" * 5000,
    ],
)
def test_anything_else_is_no_path(path: str) -> None:
    with pytest.raises(HostilePath, match="is no path inside a repository"):
        check_path(path)


def test_a_name_that_is_not_utf8_is_refused_by_name() -> None:
    assert decode_path("ä".encode()) == "ä"
    with pytest.raises(HostilePath, match=r"caf\\xe9"):
        decode_path(b"caf\xe9")


@pytest.mark.parametrize(
    ("url", "remote"),
    [
        (
            "https://forge.example/team/web.git",
            Remote("https://forge.example/team/web.git", "https", "https://forge.example/"),
        ),
        (
            "https://forge.example:8443/~ada/web",
            Remote("https://forge.example:8443/~ada/web", "https", "https://forge.example:8443/"),
        ),
        (
            "https://[2001:db8::1]/web",
            Remote("https://[2001:db8::1]/web", "https", "https://[2001:db8::1]/"),
        ),
        (
            "ssh://git@forge.example:22/team/web.git",
            Remote("ssh://git@forge.example:22/team/web.git", "ssh"),
        ),
        ("ssh://forge.example/web", Remote("ssh://forge.example/web", "ssh")),
        ("/srv/git/web.git", Remote("/srv/git/web.git", "file")),
        ("/srv/git/$HOME dir/", Remote("/srv/git/$HOME dir", "file")),
        ("file:///srv/git%20x/web.git", Remote("/srv/git x/web.git", "file")),
    ],
)
def test_addresses_that_can_be_used(url: str, remote: Remote) -> None:
    assert check_url(url) == remote


@pytest.mark.parametrize(
    "url",
    [
        "",
        "-x",
        "--upload-pack=touch x",
        "ext::sh -c touch% x",
        "EXT::sh -c id",
        "fd::17",
        "transport::address",
        "git://forge.example/web.git",
        "http://forge.example/web.git",
        "ftp://forge.example/web.git",
        "HTTPS://forge.example/web.git",
        "web.git",
        "../web.git",
        "~/web.git",
        "forge.example:web.git",
        "git@forge.example:web.git",
        "https://forge.example/$HOME",
        "https://forge.example/${AWS_SECRET_ACCESS_KEY}",
        "https://$USER.example/web.git",
        "https://forge.example/web.git\n",
        "https://forge.example/web\n[core]",
        "https://forge.example/a\tb",
        "https://forge.example/a b",
        "https://user@forge.example/web.git",
        "https://user:pass@forge.example/web.git",
        "https://:pass@forge.example/web.git",
        "ssh://git:pass@forge.example/web.git",
        "ssh://-oProxyCommand=id/web.git",
        "ssh://-oProxyCommand=id@forge.example/web.git",
        "ssh://git@-oProxyCommand=id/web.git",
        "https://good.example\\@evil.example/web.git",
        "https:///web.git",
        "https://forge.example",
        "https://forge.example/",
        "https://forge.example/a/../b",
        "https://forge.example/./a",
        "https://forge.example//a//b",
        "https://forge.example/web.git?x=1",
        "https://forge.example/web.git#x",
        "https://forge.example:0/web.git",
        "https://forge.example:99999/web.git",
        "https://forge.example:x/web.git",
        "https://[::1/web.git",
        "https://fоrge.example/web.git",  # noqa: RUF001  the second letter is Cyrillic
        "https://forge.example/\ud800",
        "https://forge.example/" + "a" * 3000,
        "/",
        "//host/share",
        "/srv/../etc",
        "/srv/./git",
        "file://host/srv/web.git",
        "file:///",
        "file:///srv/%2e%2e/etc",
        "file:///srv/a%0ab",
        "file:relative",
    ],
)
def test_addresses_that_cannot(url: str) -> None:
    with pytest.raises(HostileUrl, match="is no address of a repository"):
        check_url(url)


def test_plain_http_has_to_be_asked_for() -> None:
    assert check_url("http://127.0.0.1:8000/web.git", allow_http=True).origin == (
        "http://127.0.0.1:8000/"
    )


@pytest.mark.parametrize("password", ["hunter2", "hunt/er2", "hunt@er2"])
def test_a_password_in_an_address_is_not_repeated(password: str) -> None:
    with pytest.raises(HostileUrl) as caught:
        check_url(f"https://ada:{password}@forge.example/web.git")
    assert "hunt" not in str(caught.value)
