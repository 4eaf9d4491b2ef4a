from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from runner.settings import (
    OTHER_VARIABLES,
    Limits,
    Listen,
    Problem,
    SettingRow,
    Settings,
    SettingsError,
    explain,
    fields_of,
    load,
    reference,
    variable_of,
    without_password,
)

ROOT = Path(__file__).parents[2]
KEY = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I"


def write(folder: Path, text: str) -> Path:
    path = folder / "hookline.toml"
    path.write_text(text)
    return path


def problems(
    environ: Mapping[str, str], folder: Path, config: Path | None = None
) -> dict[str, Problem]:
    with pytest.raises(SettingsError) as caught:
        load(config, environ, folder)
    return {problem.name: problem for problem in caught.value.problems}


def rows(settings: Settings) -> dict[str, SettingRow]:
    return {row.name: row for row in explain(settings)}


def test_everything_has_a_default(tmp_path: Path) -> None:
    settings = load(environ={"HOME": "/home/ada"}, folder=tmp_path)
    assert settings.listen == Listen(host="127.0.0.1", port=8080)
    assert settings.url == "http://127.0.0.1:8080"
    assert settings.data == Path("/home/ada/.local/share/hookline")
    assert settings.database_url.get_secret_value() == (
        "sqlite:////home/ada/.local/share/hookline/hookline.db"
    )
    assert settings.object_store == "file:///home/ada/.local/share/hookline/objects"
    assert settings.object_folder == settings.data / "objects"
    assert settings.executor == "local"
    assert settings.local.allow_untrusted is False
    assert settings.local.concurrency >= 1
    assert settings.limits == Limits(
        hook_body=25 * 2**20,
        config_file=4 * 2**20,
        log=64 * 2**20,
        timeout=3600,
        max_timeout=86400,
        waiting=600,
    )
    assert (settings.secret_key, settings.secret_key_file) == (None, None)
    assert (settings.log_level, settings.log_format) == ("info", "console")
    assert settings.status_context == "hookline"
    assert {row.source for row in explain(settings)} == {"default"}


def test_data_follows_the_xdg_rules(tmp_path: Path) -> None:
    settings = load(environ={"HOME": "/home/ada", "XDG_DATA_HOME": "/srv"}, folder=tmp_path)
    assert settings.data == Path("/srv/hookline")
    assert load(environ={}, folder=tmp_path).data == Path.cwd() / "data"


def test_a_value_made_directly_needs_no_environment(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    assert settings.database_url.get_secret_value() == f"sqlite:///{tmp_path}/hookline.db"
    assert Settings().data.is_absolute()


def test_the_environment_wins_over_the_file_over_the_default(tmp_path: Path) -> None:
    path = write(tmp_path, "[listen]\nhost = '0.0.0.0'\nport = 81\n[limits]\nlog = '1 MiB'\n")
    settings = load(environ={"HOOKLINE_LISTEN__PORT": "82"}, folder=tmp_path)
    assert settings.listen == Listen(host="0.0.0.0", port=82)
    assert settings.url == "http://localhost:82"
    shown = rows(settings)
    assert shown["listen.port"].source == "environment HOOKLINE_LISTEN__PORT"
    assert shown["listen.host"].source == f"file {path} key listen.host"
    assert shown["listen.host"].value == "0.0.0.0"
    assert (shown["limits.log"].value, shown["limits.timeout"].value) == ("1 MiB", "1h")
    assert shown["url"].source == "default"


def test_an_empty_variable_is_not_set(tmp_path: Path) -> None:
    settings = load(environ={"HOOKLINE_LISTEN__PORT": "", "HOOKLINE_CONFIG": ""}, folder=tmp_path)
    assert settings.listen.port == 8080


def test_lists_sizes_and_switches_read_as_people_write_them(tmp_path: Path) -> None:
    environ = {
        "HOOKLINE_LOCAL__PASS_ENVIRONMENT": "PATH, HOME,",
        "HOOKLINE_LOCAL__ALLOW_UNTRUSTED": "yes",
        "HOOKLINE_LIMITS__WAITING": "1h30m",
        "HOOKLINE_LIMITS__HOOK_BODY": "1 MiB",
    }
    settings = load(environ=environ, folder=tmp_path)
    assert settings.local.pass_environment == ("PATH", "HOME")
    assert settings.local.allow_untrusted is True
    assert (settings.limits.waiting, settings.limits.hook_body) == (5400.0, 2**20)
    shown = rows(settings)
    assert shown["local.pass_environment"].value == "PATH,HOME"
    assert shown["local.allow_untrusted"].value == "true"
    write(tmp_path, "[local]\npass_environment = ['A']\n[limits]\nwaiting = 5\nlog = 9\n")
    settings = load(environ={}, folder=tmp_path)
    assert settings.local.pass_environment == ("A",)
    assert (settings.limits.waiting, settings.limits.log) == (5.0, 9)


def test_the_file_is_looked_for_in_order(tmp_path: Path) -> None:
    working, home, named = (tmp_path / name for name in ("working", "home", "named"))
    (home / ".config" / "hookline").mkdir(parents=True)
    working.mkdir()
    named.mkdir()
    environ = {"HOME": str(home)}
    write(home / ".config" / "hookline", "status_context = 'home'")
    assert load(None, environ, working).status_context == "home"
    xdg = {"XDG_CONFIG_HOME": str(home / ".config")}
    assert load(None, xdg, working).status_context == "home"
    write(working, "status_context = 'working'")
    assert load(None, environ, working).status_context == "working"
    environ["HOOKLINE_CONFIG"] = str(write(named, "status_context = 'named'"))
    assert load(None, environ, working).status_context == "named"
    asked = tmp_path / "asked.toml"
    asked.write_text("status_context = 'asked'")
    assert load(asked, environ, working).status_context == "asked"


def test_a_file_that_was_asked_for_must_be_there(tmp_path: Path) -> None:
    missing = tmp_path / "missing.toml"
    found = problems({}, tmp_path, missing)["config"]
    assert (found.source, str(missing) in found.message) == ("option --config", True)
    found = problems({"HOOKLINE_CONFIG": str(missing)}, tmp_path)["config"]
    assert found.source == "environment HOOKLINE_CONFIG"


def test_a_file_that_is_no_toml_is_told_with_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, "url = 'https://x'\nurl 5\n")
    found = problems({}, tmp_path)["config"]
    assert found.source == f"file {path}"
    assert "line 2" in found.message


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    write(tmp_path, "").write_bytes(b"\xff")
    assert "cannot be read" in problems({}, tmp_path)["config"].message


def test_unknown_keys_are_refused_with_the_nearest(tmp_path: Path) -> None:
    path = write(tmp_path, "lisen = 1\n[listen]\nprot = 5\n[nothing.like.it]\nx = 1\n")
    found = problems({"HOOKLINE_LOG_LEVLE": "info", "HOOKLINE_ZZZZZZZZZZ": "1"}, tmp_path)
    assert found["listen.prot"].source == f"file {path} key listen.prot"
    assert found["listen.prot"].cure == "did you mean `listen.port`?"
    assert found["HOOKLINE_LOG_LEVLE"].cure == "did you mean `HOOKLINE_LOG_LEVEL`?"
    assert found["HOOKLINE_ZZZZZZZZZZ"].cure == "unset it"
    assert found["nothing"].message == "there is no such setting"


def test_other_variables_of_ours_are_let_be(tmp_path: Path) -> None:
    environ = dict.fromkeys(OTHER_VARIABLES - {"HOOKLINE_CONFIG"}, "x") | {
        "PATH": "/bin",
        "HOOKLINE_TEST_REQUIRE": "all",
    }
    assert load(environ=environ, folder=tmp_path).status_context == "hookline"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("listen.port", "99999", "less than or equal to 65535"),
        ("listen.port", "many", "valid integer"),
        ("url", "ci.example.com", "is no address"),
        ("url", "ftp://ci.example.com", "is no address"),
        ("url", "https://ci.example.com/?a=b", "is no address"),
        ("database_url", "mysql://ada:hush@db/ci", "neither sqlite:/// nor postgresql://"),
        ("object_store", "gs://bucket", "neither a path nor a URL"),
        ("object_store", "s3://b", "names no bucket"),
        ("executor", "kubernetes", "needs an object_store that Pods can reach"),
        ("executor", "docker", "'local'"),
        ("local.concurrency", "0", "greater than or equal to 1"),
        ("local.allow_untrusted", "perhaps", "valid boolean"),
        ("limits.log", "4 MB", "is no size"),
        ("limits.log", "0", "greater than 0"),
        ("limits.timeout", "soon", "a number is expected"),
        ("limits.max_timeout", "10m", "is less than limits.timeout"),
        ("kubernetes.cpu", "0.1s", "is no number of processors"),
        ("log_level", "loud", "'debug', 'info'"),
        ("log_format", "xml", "'console' or 'json'"),
        ("status_context", "x" * 101, "at most 100 characters"),
    ],
)
def test_wrong_values_are_refused_by_name(
    name: str, value: str, message: str, tmp_path: Path
) -> None:
    found = problems({variable_of(name): value, "HOME": "/home/ada"}, tmp_path)
    assert list(found) == [name]
    assert found[name].source == f"environment {variable_of(name)}"
    assert message in found[name].message
    assert "hush" not in str(found[name])


def test_the_local_executor_needs_a_folder(tmp_path: Path) -> None:
    environ = {"HOOKLINE_OBJECT_STORE": "s3://bucket", "HOME": "/home/ada"}
    found = problems(environ, tmp_path)
    assert list(found) == ["executor"]
    assert "local needs an object_store in a folder" in found["executor"].message
    settings = load(environ=environ | {"HOOKLINE_EXECUTOR": "kubernetes"}, folder=tmp_path)
    assert settings.object_folder is None


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, "data = 5\nlimits = 3\n[listen]\nport = -1\n")
    found = problems({"HOOKLINE_X": "1", "HOOKLINE_LIMITS__LOG": "5"}, tmp_path)
    assert set(found) == {"HOOKLINE_X", "data", "limits", "listen.port"}
    assert str(found["listen.port"]) == (
        f"listen.port from file {path} key listen.port: it should be greater than or equal to 0; "
        "for example 8080"
    )


def test_a_wrong_member_of_a_list_is_told_as_the_list(tmp_path: Path) -> None:
    write(tmp_path, "[local]\npass_environment = ['A', 5]\n")
    found = problems({}, tmp_path)
    assert list(found) == ["local.pass_environment"]
    assert found["local.pass_environment"].cure.startswith("for example PATH,HOME,")


def test_two_keys_are_one_too_many(tmp_path: Path) -> None:
    environ = {"HOOKLINE_SECRET_KEY": KEY, "HOOKLINE_SECRET_KEY_FILE": "/run/key"}
    found = problems(environ, tmp_path)
    assert "together with secret_key" in found["secret_key_file"].message
    assert KEY not in str(found)


def test_secrets_are_never_shown(tmp_path: Path) -> None:
    environ = {
        "HOOKLINE_SECRET_KEY": KEY,
        "HOOKLINE_DATABASE_URL": "postgresql://ada:hush@db:5432/ci?password=hush",
    }
    settings = load(environ=environ, folder=tmp_path)
    shown = rows(settings)
    assert (shown["secret_key"].value, shown["secret_key"].secret) == ("(hidden)", True)
    assert shown["database_url"].value == "postgresql://ada:***@db:5432/ci"
    for text in (repr(settings), str(settings), str(explain(settings))):
        assert KEY not in text
        assert "hush" not in text
    assert not shown["url"].secret
    assert shown["secret_key_file"].value == "(not set)"


def test_a_wrong_secret_is_not_told(tmp_path: Path) -> None:
    write(tmp_path, "secret_key = ['hush']\n")
    found = problems({}, tmp_path)
    assert "hush" not in str(found)
    assert found["secret_key"].message == "it should be a valid string"


def test_a_direct_value_that_is_wrong_does_not_show_it() -> None:
    with pytest.raises(ValidationError) as caught:
        Settings(database_url=SecretStr("mysql://hush"))
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:////srv/x.db", "sqlite:////srv/x.db"),
        ("postgresql://db/ci", "postgresql://db/ci"),
        ("postgresql://ada@db/ci", "postgresql://ada@db/ci"),
        ("postgresql://ada:p%40ss@[::1]:5/ci?sslmode=x", "postgresql://ada:***@[::1]:5/ci"),
    ],
)
def test_a_database_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert without_password(url) == shown


def test_paths_are_made_absolute_once(tmp_path: Path) -> None:
    settings = Settings(data=Path("somewhere"), object_store="objects with space")
    assert settings.data == Path.cwd() / "somewhere"
    assert settings.object_folder == Path.cwd() / "objects with space"
    assert Settings(object_store="file:///a%20b").object_folder == Path("/a b")
    assert Settings(url="https://ci.example.com/x/").url == "https://ci.example.com/x"
    assert Settings(listen=Listen(host="::1", port=1)).url == "http://[::1]:1"


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().url = "http://elsewhere"


def test_every_setting_is_explained() -> None:
    assert [row.name for row in explain(Settings())] == [name for name, _ in fields_of()]
    for name, field in fields_of():
        assert field.description, name
        assert field.description.endswith("."), name


def test_the_documentation_holds_the_table_of_the_model() -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    assert reference() in page, f"put this into docs/settings.md:\n\n{reference()}"


def shown_defaults() -> dict[str, str]:
    """The defaults of the table by name, but for those told in words or by another setting."""
    cells = (line.strip("| ").split(" | ") for line in reference().splitlines()[2:])
    table = {cell[0].strip("`"): cell[2] for cell in cells}
    plain = [name for name, field in fields_of() if not field.json_schema_extra]
    return {name: table[name].strip("`") for name in plain if table[name] != "none"}


@pytest.mark.parametrize(("name", "shown"), shown_defaults().items())
def test_a_default_of_the_table_can_be_put_back_as_it_is_shown(
    name: str, shown: str, tmp_path: Path
) -> None:
    settings = load(environ={"HOME": "/home/ada", variable_of(name): shown}, folder=tmp_path)
    value: object = settings
    for part in name.split("."):
        value = getattr(value, part)
    assert value == dict(fields_of())[name].default
    assert rows(settings)[name].value == shown


def test_the_table_shows_defaults_as_people_write_them() -> None:
    shown = shown_defaults()
    assert {name: shown[name] for name in shown if name.startswith("kubernetes.m")} == {
        "kubernetes.memory": "512 MiB",
        "kubernetes.max_cpu": "8",
        "kubernetes.max_memory": "32 GiB",
        "kubernetes.max_disk": "100 GiB",
    }
    assert (shown["kubernetes.cpu"], shown["kubernetes.user"]) == ("0.1", "10001")
    assert (shown["retention.workspaces"], shown["retention.branches"]) == ("30d", "365d")
    assert "kubernetes.pull_secrets" not in shown


def test_what_is_shown_of_an_instance_makes_the_same_one(tmp_path: Path) -> None:
    first = load(environ={"HOME": "/home/ada"}, folder=tmp_path)
    told = {variable_of(row.name): row.value for row in explain(first) if row.value != "(not set)"}
    assert load(environ=told, folder=tmp_path).model_dump() == first.model_dump()


def test_processors_read_as_in_a_pipeline(tmp_path: Path) -> None:
    write(tmp_path, "[kubernetes]\ncpu = '250m'\nmax_cpu = 4\n")
    kubernetes = load(environ={"HOME": "/home/ada"}, folder=tmp_path).kubernetes
    assert (kubernetes.cpu, kubernetes.max_cpu) == (0.25, 4.0)


def test_reading_settings_does_not_load_the_database() -> None:
    program = "import sys, runner.settings; print('sqlalchemy' in sys.modules)"
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert told.stdout.strip() == "False"


def test_an_unknown_variable_alone_is_refused(tmp_path: Path) -> None:
    assert list(problems({"HOOKLINE_COLOUR": "red"}, tmp_path)) == ["HOOKLINE_COLOUR"]
