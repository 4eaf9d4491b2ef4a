"""A file is read as its author wrote it, or refused at the place where it is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import loader
from pipelines.documents import Limits
from pipelines.errors import ConfigError, Mistake, Position
from pipelines.schema import LONGEST_TEXT
from tests.pipelines.counting import steps

GOLDEN = Path(__file__).with_name("faulty_files.txt").read_text(encoding="utf-8")


def cases() -> list[tuple[str, list[str]]]:
    """Return the cases of the golden file: a text, and what is told of it."""
    found = []
    for block in GOLDEN.strip("\n").split("\n\n"):
        lines = [line for line in block.split("\n") if not line.startswith("# ")]
        told = [line.removeprefix(">>> ") for line in lines if line.startswith(">>> ")]
        if lines:
            found.append(("\n".join(line for line in lines if not line.startswith(">>> ")), told))
    return found


def told_of(content: bytes | str, **limits: int) -> list[str]:
    """Return what the author of a file is told; every place must lie within the file."""
    return [str(mistake) for mistake in mistakes_of(content, **limits)]


def mistakes_of(content: bytes | str, **limits: int) -> tuple[Mistake, ...]:
    with pytest.raises(ConfigError) as refused:
        loader.load(content, limits=Limits(**limits))
    for mistake in refused.value.mistakes:
        _is_sound(mistake, content)
    return refused.value.mistakes


def _is_sound(mistake: Mistake, content: bytes | str) -> None:
    """A mistake is one line, without control characters, at a place that is in the file."""
    text = content if isinstance(content, str) else content.decode("utf-8", "replace")
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    position = mistake.position
    assert position is not None
    assert 1 <= position.line <= len(lines)
    assert 1 <= position.column <= len(lines[position.line - 1]) + 1
    assert mistake.message
    assert mistake.code
    assert len(str(mistake)) < 1000
    assert loader._INVISIBLE.search(str(mistake) + mistake.text) is None
    assert "\n" not in str(mistake) + mistake.text


class TestFaultyFiles:
    """What the author of a faulty file is told."""

    @pytest.mark.parametrize(
        ("text", "told"), [pytest.param(*case, id=str(n)) for n, case in enumerate(cases())]
    )
    def test_word_for_word(self, text: str, told: list[str]) -> None:
        assert told
        assert told_of(text) == told

    @pytest.mark.parametrize(
        ("content", "told"),
        [
            ("", ".ci.yaml:1:1: `steps` is missing (add `steps:`)"),
            ("\n\n", ".ci.yaml:1:1: `steps` is missing (add `steps:`)"),
            (
                "steps:\n\ta: x",
                (
                    ".ci.yaml:2:1: this is not YAML: found character that cannot start any token "
                    "(indent with spaces, not tabs)"
                ),
            ),
            (
                'a: "\0"',
                ".ci.yaml:1:5: an invisible character, U+0000 (remove it, or write it as an escape)",
            ),
            (
                "a: x\u202ey",
                ".ci.yaml:1:5: an invisible character, U+202E (remove it, or write it as an escape)",
            ),
            (
                "a: b\n# \u200b",
                ".ci.yaml:2:3: an invisible character, U+200B (remove it, or write it as an escape)",
            ),
            (
                "a: \x85",
                ".ci.yaml:1:4: an invisible character, U+0085 (remove it, or write it as an escape)",
            ),
            (
                "a\u2028b: c",
                ".ci.yaml:1:2: an invisible character, U+2028 (remove it, or write it as an escape)",
            ),
            (
                "a: \ud800",
                ".ci.yaml:1:4: an invisible character, U+D800 (remove it, or write it as an escape)",
            ),
            (
                "a: b\n\ufeffc: d",
                ".ci.yaml:2:1: an invisible character, U+FEFF (remove it, or write it as an escape)",
            ),
            (b"a: b\nc: \xff", ".ci.yaml:2:4: the byte 0xff is not UTF-8 (save the file as UTF-8)"),
            (b"a: \xc3", ".ci.yaml:1:4: the byte 0xc3 is not UTF-8 (save the file as UTF-8)"),
            (
                b"\xef\xbb\xbfa: \xc3",
                ".ci.yaml:1:4: the byte 0xc3 is not UTF-8 (save the file as UTF-8)",
            ),
            (b"\xed\xa0\x80", ".ci.yaml:1:1: the byte 0xed is not UTF-8 (save the file as UTF-8)"),
            (
                "a: b".encode("utf-16"),
                ".ci.yaml:1:1: the byte 0xff is not UTF-8 (save the file as UTF-8)",
            ),
            (
                "a: b".encode("utf-16-le"),
                ".ci.yaml:1:2: an invisible character, U+0000 (remove it, or write it as an escape)",
            ),
        ],
        ids=range(16),
    )
    def test_characters(self, content: str | bytes, told: str) -> None:
        assert told_of(content) == [told]

    def test_there_are_enough_of_them(self) -> None:
        assert len(cases()) >= 60

    def test_each_mistake_shows_its_line(self) -> None:
        (mistake,) = mistakes_of("steps:\n  a: {run: x, needs: b} # say \u00e4\n")
        assert mistake.text == "  a: {run: x, needs: b} # say \u00e4"
        assert mistake.code == "unknown-need"

    def test_the_path_is_the_one_that_was_given(self) -> None:
        for text in ("", "a: [", "steps: {a: {}}"):
            with pytest.raises(ConfigError, match=r"^ci/main\.yaml:1:"):
                loader.load(text, path="ci/main.yaml")

    def test_mistakes_come_in_the_order_of_the_file(self) -> None:
        told = told_of("steps: {a: {run: x, needs: [b, c]}, d: {}}\nenv: {X: '${{'}")
        assert [line.split(": ")[0] for line in told] == [
            ".ci.yaml:1:29",
            ".ci.yaml:1:32",
            ".ci.yaml:1:37",
            ".ci.yaml:2:11",
        ]

    def test_common_variables_are_told_of_once(self) -> None:
        text = "env: {A: '${{ matrix.v }}', B: '${{ ('}\nsteps: {a: {run: x}, b: {run: x}}"
        assert [line.split(": ")[0] for line in told_of(text)] == [".ci.yaml:1:15", ".ci.yaml:1:33"]

    def test_at_most_a_hundred_mistakes_are_told(self) -> None:
        needs = ", ".join(f"x{n}" for n in range(150))
        told = told_of(f"steps: {{a: {{run: x, needs: [{needs}]}}}}")
        assert len(told) == 101
        assert told[-1].endswith("there are more mistakes than these 100 (correct these first)")

    def test_exactly_a_hundred_are_all(self) -> None:
        needs = ", ".join(f"x{n}" for n in range(100))
        assert len(told_of(f"steps: {{a: {{run: x, needs: [{needs}]}}}}")) == 100

    @pytest.mark.parametrize(
        ("text", "position"),
        [
            ("a: [", Position(1, 5)),
            ("steps:\r\n  a: {run: x}\r\nb: c\r\n", Position(3, 1)),
            ("steps:\r  a: {run: x}\rb: c\r", Position(3, 1)),
            ("\ufeffb: c\nsteps: {a: {run: x}}", Position(1, 1)),
            ("steps: {\u00e4\u00e4: *b}", Position(1, 13)),
            ("steps: {a: {run: x, when: '\U0001f600'}}", Position(1, 28)),
            ('steps: {a: {run: x, when: "\\x41 =", env: {}}}', Position(1, 30)),
        ],
        ids=range(7),
    )
    def test_places_are_counted_in_characters(self, text: str, position: Position) -> None:
        assert mistakes_of(text)[0].position == position


class TestAsWritten:
    """Plain words stay as they are written."""

    @pytest.mark.parametrize(
        "word",
        [
            *("3.10", "0755", "0123456", "0x1F", "0b1", "1_000", "1e3", ".5", "-1", "+1", "v1.0"),
            *("on", "off", "yes", "no", "y", "n", "true", "false", "True", ".inf", ".nan"),
            *("22:22", "190:20:30", "2001-01-01", "=", "a:b", "a=b", "nil", "none", "None", "~/x"),
        ],
    )
    @pytest.mark.parametrize("style", ["{}", "'{}'", '"{}"', "|-\n      {}", ">-\n      {}"])
    def test_in_every_style(self, word: str, style: str) -> None:
        written = style.format(word)
        config = loader.load(f"steps:\n  a:\n    run: x\n    env:\n     V: {written}\n")
        assert config.steps["a"].env == {"V": word}

    @pytest.mark.parametrize("word", ["~", "null", "Null", "NULL", ""])
    def test_what_means_nothing_does_so_only_without_quotes(self, word: str) -> None:
        assert loader.load(f"steps: {{a: {{run: '{word}'}}}}").steps["a"].run == word
        assert loader.load(f"steps: {{a: {{run: x, when: {word}}}}}").steps["a"].when is None

    def test_keys_too(self) -> None:
        config = loader.load("on: push\nsteps: {no: {run: x}, on: {run: x}, true: {run: x}}")
        assert list(config.steps) == ["no", "on", "true"]
        assert config.on.push is not None

    def test_a_script_keeps_its_lines(self) -> None:
        config = loader.load("steps:\n  a:\n    run: |\n      one\n        two\n\n      three\n")
        assert config.steps["a"].run == "one\n  two\n\nthree\n"

    @pytest.mark.parametrize("ending", ["\r\n", "\r"])
    def test_line_ends_of_other_systems_mean_the_same(self, ending: str) -> None:
        text = "steps:\n  a:\n    run: |\n      one\n      two\n"
        assert loader.load(text.replace("\n", ending)) == loader.load(text)

    def test_bytes_with_or_without_a_mark_and_text_are_the_same(self) -> None:
        text = "steps: {a: {run: 'echo ä'}}"
        assert (
            loader.load(text) == loader.load(text.encode()) == loader.load(text.encode("utf-8-sig"))
        )

    def test_aliases_stand_for_what_they_name(self) -> None:
        config = loader.load("""
env: &common {A: &one "1", B: *one}
steps:
  a: &step {run: x, env: *common}
  b: *step
  c: {run: x, env: {A: &one "2", B: *one}}
""")
        assert config.steps["a"] == config.steps["b"]
        assert config.steps["b"].env == {"A": "1", "B": "1"}
        assert config.steps["c"].env == {"A": "2", "B": "2"}

    def test_a_name_may_be_given_again_within_what_has_it(self) -> None:
        config = loader.load("steps: &x {a: &x {run: x}, b: *x}")
        assert config.steps["a"] == config.steps["b"]

    def test_the_whole_language_at_once(self) -> None:
        config = loader.load("""
on: {push: {branches: [main, "release/*"]}, tag: , pull_request: {}}
env: {A: a}
defaults: {image: "python:3.12", timeout: 30m, shell: bash, env: {B: b}}
fail_fast: true
workspace: {on_conflict: fail}
steps:
  test:
    matrix: {python: ["3.10", 3.11], exclude: {python: "3.10"}, include: [{python: "3.13", os: x}]}
    image: "python:${{ matrix.python }}"
    run: pytest
    env: {C: "${{ env.A }}"}
    outputs: passed
    artifacts: report.xml
    timeout: 90
    grace: 1m
    allow_failure: true
    retry: {limit: 3, on: [failure, 75], backoff: 1s}
  pack: {run: x, needs: test, when: 'event.branch == "main" and success()'}
finally:
  tell: {run: x, when: run.status != "success", env: {P: "${{ steps.pack.status }}"}}
""")
        assert list(config.steps) == ["test", "pack"]
        assert config.steps["test"].timeout == 90
        assert config.on.tag is not None
        assert config.defaults.shell == ["bash"]


BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 6)}]\n" for n in range(10)
)


class TestHostileFiles:
    """What would be too much is refused before it is built, counted rather than timed."""

    WORK = 100_000

    def _refused(self, content: str | bytes, told: str, **limits: int) -> None:
        work = steps(lambda: self._fails(content, **limits))
        assert work < self.WORK
        assert told in told_of(content, **limits)[0]

    @staticmethod
    def _fails(content: str | bytes, **limits: int) -> None:
        with pytest.raises(ConfigError):
            loader.load(content, limits=Limits(**limits))

    def test_a_billion_laughs(self) -> None:
        self._refused(BOMB, "more than 1000000 values, aliases counted in full", aliases=1000)
        self._refused(BOMB, "more than 20 aliases", aliases=20)

    def test_a_bomb_of_merge_keys(self) -> None:
        self._refused("a: &a {x: y}\nb: {<<: [*a, *a]}", "merge keys (`<<`) are not read")

    @pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
    def test_deep_nesting(self, opening: str) -> None:
        self._refused("a:\n " + opening * 20_000, ":2:")

    def test_as_deep_as_allowed_is_fine(self) -> None:
        assert "holds a list" in told_of("[" * 32 + "]" * 32)[0]
        assert "nested deeper than 32 levels" in told_of("[" * 33 + "]" * 33)[0]

    def test_a_huge_file(self) -> None:
        self._refused(
            b"a" * (4 * 1024 * 1024 + 1), "the file has 4194305 bytes, more than the 4194304"
        )
        self._refused("ä" * 11, "the file has 22 bytes, more than the 20 allowed", size=20)

    def test_a_file_at_its_limit_is_read(self) -> None:
        text = "steps: {a: {run: x}}"
        assert loader.load(text, limits=Limits(size=len(text))).steps["a"].run == "x"
        assert loader.load(text, limits=Limits(nodes=4, depth=3)).steps["a"].run == "x"
        assert "more than 3 values" in told_of(text, nodes=3)[0]
        assert "nested deeper than 2 levels" in told_of(text, depth=2)[0]

    def test_a_hundred_thousand_keys(self) -> None:
        text = "{" + ", ".join(f"k{n}: 1" for n in range(100_000)) + "}"
        told = told_of(text)
        assert len(told) == 101
        self._refused(text, "more than 1000 values", nodes=1000)

    def test_ten_thousand_steps_and_one(self) -> None:
        text = "steps: {" + ", ".join(f"s{n}: {{run: x}}" for n in range(10_001)) + "}"
        (told,) = told_of(text)
        assert told.startswith(
            ".ci.yaml:1:8: the file has 10001 steps, more than the 10000 allowed"
        )

    def test_a_huge_text_is_shown_in_part(self) -> None:
        name = "x" * 1_000_000
        (mistake,) = mistakes_of(f"steps: {{a: {{run: x, needs: [{name}]}}}}")
        assert mistake.message.startswith("there is no step `xxx")
        assert mistake.message.endswith("xxx…")
        assert len(mistake.text) == 200

    def test_a_text_as_long_as_a_program_takes_is_read(self) -> None:
        for script in ("x" * LONGEST_TEXT, "ä" * (LONGEST_TEXT // 2)):
            assert loader.load(f"steps: {{a: {{run: {script}}}}}").steps["a"].run == script

    def test_a_text_that_no_program_takes(self) -> None:
        cure = "(put it into a file of the repository, and run or read that)"
        for script in ("x" * (LONGEST_TEXT + 1), "ä" * (LONGEST_TEXT // 2 + 1)):
            (told,) = told_of(f"steps:\n  a:\n    run: {script}\n")
            most = "this text has 131072 bytes; no program can be given more than 131071"
            assert told == f".ci.yaml:3:10: {most} {cure}"
        (told,) = told_of("env: {LONG: " + "x" * 200_000 + "}\nsteps: {a: {run: x}}")
        assert told.startswith(".ci.yaml:1:13: this text has 200000 bytes;")

    def test_names_cannot_steer_a_terminal(self) -> None:
        (mistake,) = mistakes_of('steps: {a: {run: x}}\n"\\e[2J\\u202e\\n\\tb": 1')
        assert mistake.message == "unknown key `\ufffd[2J\ufffd b`"

    def test_many_duplicate_keys(self) -> None:
        self._refused("a: 1\n" * 100_000, "`a` stands here a second time, first in line 1")

    def test_many_anchors(self) -> None:
        text = "".join(f"k{n}: &k{n} x\n" for n in range(1000))
        assert len(told_of(text)) == 101

    def test_many_documents(self) -> None:
        self._refused("---\n" * 100_000, "a second document begins here")

    @pytest.mark.parametrize(
        "text", ["a: &x [*x]", "a: &x {b: *x}", "&x [*x]", "a: &x 1\nb: &x [*x]", "a: &x [&y [*x]]"]
    )
    def test_what_holds_itself(self, text: str) -> None:
        self._refused(text, "the alias `*x` has nothing before it to stand for")

    @pytest.mark.parametrize("tag", ["!!python/object/apply:os.system", "!!binary", "!x", "!<y>"])
    @pytest.mark.parametrize("value", ["[ls]", "{a: b}", "x", "'x'"])
    def test_tags(self, tag: str, value: str) -> None:
        self._refused(f"a: {tag} {value}", "is not read (remove it; put text in quotes)")
        self._refused(f"{tag} k: v", "is not read (remove it; put text in quotes)")

    def test_the_tag_that_says_nothing_is_fine(self) -> None:
        assert loader.load("steps: ! {a: {run: ! x}}").steps["a"].run == "x"


VALID = """\
on: {push: {branches: [main, "release/*"]}, tag: {}, pull_request: {paths: ["src/**"]}}
env: &env {A: "${{ event.branch }}", B: '3.10'}
defaults: {image: "python:3.12", timeout: 30m, shell: bash, env: *env}
fail_fast: true
steps:
  lint: {run: ruff check .}
  test:
    needs: lint
    matrix: {python: ["3.11", "3.12"], include: [{python: "3.13", os: x}]}
    image: "python:${{ matrix.python }}"
    run: |
      pytest
      echo "passed=1" >> "$CI_OUTPUT"
    outputs: [passed]
    artifacts: [report.xml]
    retry: {limit: 2, on: [error, 75]}
  deploy:
    needs: [test]
    when: event.branch == "main" and steps.test.status == "success"
    run: ./deploy
    env: {N: '${{ default(steps.test.outputs.passed, "") }}'}
finally:
  notify: {run: ./notify, when: run.status != "success"}
"""

PIECES = st.sampled_from(
    [
        *"{}[]:,&*!|>'\"%@#-?~=\\.$ \n\t0a",
        *("${{", "}}", "<<:", "---", "...", "*env", "&env", "!!str", "null", "true", "\\u202e"),
        *(
            "  ",
            "\n  ",
            ": ",
            "- ",
            "run: x",
            "needs: ",
            "steps.",
            "matrix.",
            "event.",
            "\r\n",
            "ä",
        ),
    ]
)


def _holds(content: str | bytes) -> None:
    """A file is read, or refused with mistakes that lie in it; there is no third way."""
    for mistake in _told(content):
        _is_sound(mistake, content)


def _told(content: str | bytes) -> tuple[Mistake, ...]:
    try:
        loader.load(content)
    except ConfigError as error:
        return error.mistakes or (Mistake("none", "", ""),)
    return ()


class TestAnything:
    """Whatever stands in a file, nothing but ConfigError comes of it."""

    def test_the_file_to_change_is_valid(self) -> None:
        assert len(loader.load(VALID).steps) == 3

    @given(st.text() | st.text("ab:{}[]&*!'\"#-?|>%@\n\t \\\x00\x85\u2028\ufeff"))
    @settings(deadline=None)
    def test_any_text(self, text: str) -> None:
        _holds(text)

    @given(st.binary() | st.text().map(lambda text: text.encode("utf-16", "replace")))
    @settings(deadline=None)
    def test_any_bytes(self, content: bytes) -> None:
        _holds(content)

    @given(
        st.lists(
            st.tuples(st.integers(0, len(VALID)), st.integers(0, 12), PIECES | st.text(max_size=3)),
            min_size=1,
            max_size=4,
        )
    )
    @settings(deadline=None, max_examples=300)
    def test_a_valid_file_with_changes(self, edits: list[tuple[int, int, str]]) -> None:
        text = VALID
        for place, length, piece in edits:
            text = text[:place] + piece + text[place + length :]
        _holds(text)

    @given(st.data())
    @settings(deadline=None, max_examples=200)
    def test_any_tree_of_known_words(self, data: st.DataObject) -> None:
        tree = {key: data.draw(TREES) for key in data.draw(st.sets(KEYS))}
        step = {key: data.draw(TREES) for key in data.draw(st.sets(KEYS))}
        tree["steps"] = {"a": {"run": "x"}, "b": step}
        _holds(json.dumps(tree, indent=data.draw(st.sampled_from([None, 1]))))


KEYS = st.sampled_from(
    [
        *("on", "env", "defaults", "steps", "finally", "fail_fast", "workspace", "on_conflict"),
        *("run", "image", "shell", "needs", "when", "matrix", "outputs", "artifacts", "timeout"),
        *("grace", "allow_failure", "retry", "limit", "backoff", "include", "exclude", "a", "b"),
        *("push", "tag", "pull_request", "branches", "paths", "tags"),
    ]
)
WORDS = st.sampled_from(
    [
        *(
            "a",
            "b",
            "x",
            "A",
            "2",
            "75",
            "90s",
            "3.10",
            "true",
            "warn",
            "error",
            "main",
            "**",
            "/x",
        ),
        *("{", "${{", "${{ matrix.a }}", "${{ steps.a.outputs.b }}", "event.branch", "always()"),
        'steps.a.status == "success"',
    ]
)
TREES: st.SearchStrategy[Any] = st.recursive(
    st.none() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | WORDS, inner, max_size=3),
    max_leaves=6,
)
