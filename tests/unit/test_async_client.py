"""What the client for asyncio adds to the other one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from aitrain import AsyncClient, LogUnavailable
from aitrain.settings import load_settings


def test_what_comes_before_an_error_is_given_before_it() -> None:
    def items() -> Iterator[int]:
        yield from range(250)
        raise LogUnavailable("the rest cannot be read")

    given = []

    async def go() -> None:
        async with AsyncClient(load_settings()) as client:
            async for item in client._each(items()):
                given.append(item)  # noqa: PERF401  what came before the error is to be seen

    with pytest.raises(LogUnavailable):
        asyncio.run(go())
    assert given == list(range(250))
