"""Whoever watches a run is woken by its news, and by no other's."""

from __future__ import annotations

import asyncio
import threading

from runner.feed import Feed


def test_news_wakes_those_who_watch_that_run() -> None:
    async def watch() -> tuple[bool, bool, bool]:
        feed = Feed()
        with feed.watch("a") as news, feed.watch("b") as other:
            threading.Thread(target=feed.publish, args=("a",)).start()
            return await news.wait(5), await news.wait(0.01), await other.wait(0.01)

    assert asyncio.run(watch()) == (True, False, False)


def test_news_for_nobody_and_after_the_end_is_fine() -> None:
    feed = Feed()
    feed.publish("nobody")

    async def watch() -> object:
        with feed.watch("a") as news:
            return news

    ended = asyncio.run(watch())
    ended.tell()  # type: ignore[attr-defined]
    feed.publish("a")
    assert feed._watchers == {}
