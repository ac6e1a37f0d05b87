"""The connection to the job store's Redis, on which every group of verbs stands."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from redis import Redis
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from aitrain.domain.checked import checked_redis_url
from aitrain.domain.errors import InvalidInput, SchemaMismatch, StoreUnavailable
from aitrain.domain.quota import OverQuota
from aitrain.domain.schema import SCHEMA
from aitrain.store.keys import Keys
from aitrain.store.scripts import Scripts, answering

# A command that got no answer is sent again at once and twice more: an outage is told within seconds, a blip is not.
RETRIES = 3
SOCKET_TIMEOUT_SECONDS = 5.0
CONNECT_TIMEOUT_SECONDS = 2.0


def fence(attempt: int) -> str:
    """A new fence for an attempt: its number for people, a random token for the comparison."""
    return f"{attempt}.{token()}"


def token() -> str:
    """A random name, of an operation or a fence."""
    return secrets.token_hex(8)


def redis_at(url: str, ca_file: Path | None = None, **options: Any) -> Redis:
    """A client of the job store's Redis, which does not connect yet.

    ca_file: a PEM file of the authorities to trust instead of the system's, for rediss://; options: redis-py's own. The
    server's certificate and its name are always checked.

    Raises InvalidInput, which does not repeat the URL, if it is none or has options that there are not,
    and for a ca_file that is none.
    """
    if ca_file is not None and not ca_file.is_file():
        raise InvalidInput.of("redis_ca_file", ca_file, "is not a file", "name the PEM file of the authority")
    if ca_file is not None and url.startswith("rediss:"):
        options["ssl_ca_certs"] = str(ca_file)
    checked_redis_url("redis_url", url)
    try:
        # What a stranger wrote that is no UTF-8 is read as something else, and not the end of whoever reads it.
        client = Redis.from_url(url, decode_responses=True, encoding_errors="replace", **options)
        pool = client.connection_pool
        pool.connection_class(**pool.connection_kwargs)  # looks at the options behind its "?"
    except (ValueError, TypeError, RedisError) as error:
        raise InvalidInput.of("redis_url", "", "is not a Redis URL", "write redis://host:6379/0") from error
    return client


def redis_asked_once(url: str, ca_file: Path | None, seconds: float) -> Redis:
    """A client for who only looks and would rather know soon: one try, at most `seconds` for each answer.

    url, ca_file, what is raised: see redis_at.
    """
    retry = Retry(NoBackoff(), 0)
    return redis_at(url, ca_file, retry=retry, socket_timeout=seconds, socket_connect_timeout=seconds)


class Connection:
    """Runs the scripts of one site."""

    def __init__(
        self,
        url: str,
        *,
        ca_file: Path | None = None,
        namespace: str = "aitrain",
        grace_ms: int = 10_000,
        half_life_ms: int = 86_400_000,
        over_quota: OverQuota = OverQuota.REFUSE,
        clock_ms: Callable[[], int] | None = None,
    ) -> None:
        """url: redis:// or rediss://; ca_file: as of redis_at; namespace: prefix of every key; grace_ms: how long the
        message of a state's step may be under way before it is sent again; half_life_ms: what a project used so long
        ago counts half in its fair share; over_quota: what becomes of a job over its project's quota, where the project
        does not say; clock_ms: for simulations, the time to use instead of the server's.

        Raises InvalidInput if the URL is not one of Redis. Does not connect yet.
        """
        self._redis = redis_at(
            url,
            ca_file,
            retry=Retry(ExponentialWithJitterBackoff(base=0.05, cap=0.5), RETRIES),
            socket_timeout=SOCKET_TIMEOUT_SECONDS,
            socket_connect_timeout=CONNECT_TIMEOUT_SECONDS,
            socket_keepalive=True,
        )
        self._key = Keys(namespace)
        site = {"half_life_ms": half_life_ms, "over_quota": over_quota}
        self._run = Scripts(self._redis, self._key.root, site, clock_ms)
        self._grace_ms, self._clock_ms = grace_ms, clock_ms
        self._schema_is_ours = False

    def close(self) -> None:
        """Closes its connections."""
        self._redis.close()

    def _now_ms(self) -> int:
        """The store's clock, Unix ms."""
        if self._clock_ms is not None:
            return self._clock_ms()
        seconds, micros = self._ask(self._redis.time)
        return int(seconds) * 1000 + int(micros) // 1000

    def _ask(self, command: Callable[[], Any]) -> Any:
        """Runs a command that only reads."""
        if not self._schema_is_ours:
            self.check_schema()
        with answering():
            return command()

    def _change(self, *commands: Sequence[str | int]) -> None:
        """Runs plain commands that write, in one act, as scripts write: not in a store of another schema."""
        self._run("command", {"commands": [[str(part) for part in command] for command in commands]})

    def check_schema(self) -> None:
        """Raises SchemaMismatch if the store is of another version than this process; one that is empty is stamped.

        Raises StoreUnavailable if the server does not answer.
        """
        with answering():
            stamp = self._redis.get(self._key("schema"))
        if stamp != str(SCHEMA):
            try:
                self._run.meet(str(stamp or ""))
            except SchemaMismatch:
                raise
            except StoreUnavailable:
                return  # whoever may not write finds nothing, and spoils nothing
        self._schema_is_ours = True
