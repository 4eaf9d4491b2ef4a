"""What a git command may see of the machine, variable by variable."""

from __future__ import annotations

import pytest

from runner.git_environment import Identity, credential, hardened, options, users
from runner.git_names import check_url

FORGE = check_url("https://forge.example:8443/team/web.git")


def test_the_way_out_of_the_network_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {
        "PATH": "/bin",
        "GIT_SSL_CAINFO": "/etc/ca.pem",
        "SSL_CERT_FILE": "/etc/ca.pem",
        "https_proxy": "http://proxy.example:3128",
        "HTTPS_PROXY": "http://proxy.example:3128",
        "NO_PROXY": "internal.example",
    }
    for name, value in kept.items():
        monkeypatch.setenv(name, value)
    assert kept.items() <= hardened().items()


@pytest.mark.parametrize(
    "name",
    ["HOOKLINE_SECRET", "AWS_SECRET_ACCESS_KEY", "GIT_DIR", "GIT_CONFIG_COUNT", "GIT_TRACE_CURL"],
)
def test_all_else_is_not(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "1")
    assert name not in hardened()


def test_no_configuration_but_its_own_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/root")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/root/.gitconfig")
    variables = hardened()
    assert variables["HOME"] == "/nonexistent"
    assert (variables["GIT_CONFIG_GLOBAL"], variables["GIT_CONFIG_NOSYSTEM"]) == ("/dev/null", "1")


def test_one_protocol_or_none_is_spoken() -> None:
    assert hardened()["GIT_ALLOW_PROTOCOL"] == ""
    assert hardened("ssh")["GIT_ALLOW_PROTOCOL"] == "ssh"


def test_commits_are_made_by_somebody() -> None:
    assert hardened()["GIT_AUTHOR_NAME"] == "Hookline"
    assert hardened(identity=Identity("CI", "ci@x"))["GIT_COMMITTER_EMAIL"] == "ci@x"


def test_a_user_keeps_everything_but_the_hook_that_is_running(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/home/ada/gitconfig")
    monkeypatch.setenv("GIT_INDEX_FILE", ".git/index")
    variables = users()
    assert variables["HOME"] == "/home/ada"
    assert variables["GIT_CONFIG_GLOBAL"] == "/home/ada/gitconfig"
    assert "GIT_INDEX_FILE" not in variables


def test_a_token_is_for_one_server_only() -> None:
    variables, secrets = credential(FORGE, "ada", "t0ken")
    assert variables == {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "http.https://forge.example:8443/.extraHeader",
        "GIT_CONFIG_VALUE_0": "Authorization: Basic YWRhOnQwa2Vu",
    }
    assert secrets == ("YWRhOnQwa2Vu", "t0ken")
    assert credential(FORGE, None, "t0ken")[0]["GIT_CONFIG_VALUE_0"] == (
        "Authorization: Bearer t0ken"
    )
    assert credential(FORGE, "ada", None) == ({}, ())


def test_settings_come_before_the_verb() -> None:
    assert options(("a=b", "c=d")) == ("-c", "a=b", "-c", "c=d")
