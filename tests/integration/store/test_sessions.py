"""What a session tells of the other side. How both speak stands in the random histories (session_rules.py)."""

from __future__ import annotations

from aitrain.store import Side, token
from tests.integration.store.one_host import OneHost
from workers.scratch.servers import RedisServer


def test_an_agent_that_never_spoke_is_not_one_that_spoke_just_now(redis: RedisServer) -> None:
    site, name = OneHost(redis.url, "sessions"), token()
    site.store.open_session(name, site.running(), {"what": "exec"})
    assert site.store.beat_session(name, Side.CLIENT, 0) is None
    site.store.take_session(name, "a1")
    assert site.store.beat_session(name, Side.CLIENT, 0) == 0
    site.now_ms += 5000
    assert site.store.beat_session(name, Side.CLIENT, 0) == 5000
    site.store.close()
