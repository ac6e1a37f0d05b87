"""The lines of a real process whose Redis is away: JSON each, and without the password."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from tests.acceptance.conftest import eventually
from workers.scratch.site import LocalSite

PASSWORD = "s3cret-of-redis"


def test_a_redis_that_is_away_is_told_of_in_json_and_without_its_password(tmp_path: Path) -> None:
    s3 = SimpleNamespace(url="http://127.0.0.1:1", region="r", access_key_id="AKIDEXAMPLE", secret_access_key="of-s3")
    url = f"redis://control:{PASSWORD}@127.0.0.1:1/0"
    site = LocalSite(tmp_path, redis_url=url, s3=cast(Any, s3), logging={"format": "json"})
    with site.host("h1", {"cpu": 1}, "unix:///nonexistent.sock", role="agent") as agent:
        eventually(lambda: "the job store does not answer" in agent.log.read_text(), 60, "its complaint")
    text = agent.log.read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert {(line["role"], line["host"]) for line in lines} == {("agent", "h1")}
    assert PASSWORD not in text
    assert "of-s3" not in text
