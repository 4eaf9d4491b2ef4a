"""The page of a run in a real browser: it reads, it lives, and breaks none of its own rules."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Page, expect, sync_playwright

from pipelines.states import Outcome, RunStatus, State
from runner.database.attempts import Attempt
from runner.database.runs import Run
from runner.tokens import Scope
from tests.support.seeds import NOW, Instance, a_finally_step, a_step, open_instance

pytestmark = pytest.mark.browser

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@contextmanager
def served(instance: Instance, listening: socket.socket) -> Iterator[None]:
    """Serve an instance on a socket from a thread until the block ends."""
    config = uvicorn.Config(
        instance.app(), log_level="error", lifespan="off", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    try:
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        yield
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def site(tmp_path: Path, sqlite_template: Path) -> Iterator[Instance]:
    """Give an instance that is served on the loopback address under its own url."""
    shutil.copy(sqlite_template, tmp_path / "hookline.db")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        instance = open_instance(tmp_path, f"sqlite:///{tmp_path / 'hookline.db'}", url)
        with served(instance, listening):
            yield instance
        instance.database.close()


@pytest.fixture
def page() -> Iterator[Page]:
    """Give a page of a fresh browser; in the end nothing may have been complained about."""
    if BROWSER is None:
        pytest.skip("no Chromium on the PATH: install chromium")
    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=FLAGS)
        opened = browser.new_page()
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        opened.on(
            "console",
            lambda told: (
                complaints.append(told.text) if told.type in ("error", "warning") else None
            ),
        )
        yield opened
        browser.close()
    assert complaints == []


def log_in(site: Instance, page: Page, scope: Scope = Scope.WRITE) -> None:
    page.goto(f"{site.services.settings.url}/login")
    page.get_by_label("Token").fill(site.token(scope))
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Newest runs")).to_be_visible()


def a_running_run(site: Instance) -> Run:
    steps = [
        a_step("lint"),
        a_step("test (python=3.12)", State.RUNNING, needs=("lint",)),
        a_step("deploy", State.PENDING, needs=("test (python=3.12)",)),
        a_finally_step("tell", State.PENDING),
    ]
    run = site.run(site.repository(), RunStatus.RUNNING, steps=steps)
    site.log(run, "lint", "all fine")
    site.log(run, "test (python=3.12)", "\x1b[32mcollected\x1b[0m 3 items", "<b>not bold</b>")
    return run


def address(site: Instance, run: Run) -> str:
    return f"{site.services.settings.url}/runs/{run.id}"


def test_a_run_lives_on_its_page(site: Instance, page: Page) -> None:
    run = a_running_run(site)
    log_in(site, page)
    page.goto(address(site, run))
    node = page.locator("svg.graph a.node", has_text="test (python=3.12)")
    step = page.locator("details.step", has_text="test (python=3.12)").first
    expect(node).to_have_class("node running")
    expect(page.locator("svg.graph .wire")).to_have_count(2)
    expect(step.locator(".log")).to_contain_text("<b>not bold</b>")
    assert step.locator(".fg2").evaluate("e => getComputedStyle(e).color") != step.locator(
        ".text"
    ).last.evaluate("e => getComputedStyle(e).color")
    page.evaluate("window.sameDocument = true")
    page.locator("details.step", has_text="lint").first.locator("summary").click()

    site.log(run, "test (python=3.12)", "3 passed")
    expect(step.locator(".log")).to_contain_text("3 passed")

    ended = a_step("test (python=3.12)", State.FAILURE, needs=("lint",), position=1)
    site.put(run, ended)
    site.change(run, reason="test: exited with 1")
    expect(node).to_have_class("node failure")
    expect(step).to_contain_text("exited with 1")
    expect(page.locator("details.step", has_text="lint").first).to_have_attribute("open", "")

    site.change(run, status=RunStatus.FAILURE, ended_at=NOW + 9)
    expect(page.locator(".pill")).to_have_text("Failed")
    expect(page.get_by_role("button", name="Rerun failed")).to_be_visible()
    assert page.evaluate("window.sameDocument") is True


def test_steps_appear_once_there_is_a_plan(site: Instance, page: Page) -> None:
    run = site.run(site.repository(), RunStatus.QUEUED)
    log_in(site, page)
    page.goto(address(site, run))
    expect(page.get_by_text("being read and planned")).to_be_visible()
    site.put(run, a_step("build", State.RUNNING))
    site.change(run, status=RunStatus.RUNNING, started_at=NOW)
    expect(page.locator("details.step")).to_contain_text("build")
    site.attempt(
        run, Attempt(run_id="", step="build", number=1, outcome=Outcome.SUCCESS, ended_at=NOW + 4)
    )


def test_a_button_works_and_a_node_opens_its_step(site: Instance, page: Page) -> None:
    steps = [a_step("build"), a_step("test", State.FAILURE)]
    run = site.run(site.repository(), RunStatus.FAILURE, steps=steps)
    site.log(run, "build", "built")
    log_in(site, page)
    page.goto(address(site, run))
    page.locator("svg.graph a.node", has_text="build").click()
    expect(page.get_by_text("built", exact=True)).to_be_visible()
    page.get_by_role("button", name="Rerun failed").click()
    expect(page.get_by_text("asked for another round")).to_be_visible()
    assert site.bell.rung == 1


def test_the_pages_fit_a_phone(site: Instance, page: Page) -> None:
    run = a_running_run(site)
    page.set_viewport_size({"width": 360, "height": 700})
    log_in(site, page)
    for where in (f"{site.services.settings.url}/", address(site, run)):
        page.goto(where)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_it_reads_without_javascript(site: Instance) -> None:
    if BROWSER is None:
        pytest.skip("no Chromium on the PATH: install chromium")
    run = a_running_run(site)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=FLAGS)
        page = browser.new_context(java_script_enabled=False).new_page()
        log_in(site, page)
        page.goto(address(site, run))
        expect(page.locator("svg.graph a.node")).to_have_count(4)
        expect(page.locator(".log").first).to_be_attached()
        browser.close()
