"""Who may touch which key. What Redis makes of it is tested with a real one in tests/acceptance/test_shut_doors.py."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from importlib import resources

import pytest

from aitrain.store.acl import BROKER_KEYS, COMMANDS, Role, User, acl_file, acl_line, granted, key_grants, user_of
from aitrain.store.keys import LEGEND, Keys

USERS = [user_of(role, "pw", "gpu-01" if role is Role.HOST else "") for role in Role if role is not Role.ADMIN]

FORBIDDEN = (
    "config flushall flushdb keys acl debug shutdown replicaof module scan script function monitor client|kill migrate "
    "restore dump"
).split()


@pytest.mark.parametrize("name", sorted(LEGEND))
def test_every_key_says_who_may(name: str) -> None:
    """The words can be read, and somebody writes the key."""
    words = granted(LEGEND[name].roles)

    assert any("w" in rights for rights in words.values())
    assert "own" not in words or "{host}" in LEGEND[name].pattern


@pytest.mark.parametrize("words", ["producer", "producer:", "producer:wr", "nobody:r", "admin:rw", "own:r own:w"])
def test_words_that_are_no_grant_are_refused(words: str) -> None:
    """A typing error must not leave a key open, or shut."""
    with pytest.raises(ValueError, match="is no grant"):
        granted(words)


@pytest.mark.parametrize("user", USERS, ids=str)
def test_no_pattern_covers_more_than_its_key(user: User) -> None:
    """A star also stands for a colon: what a role is not given must not be covered by what it is given."""
    grants = list(key_grants(user, "aitrain"))

    for key in LEGEND.values():
        words = granted(key.roles)
        rights = words.get(user.role, "") + (words.get("producer", "") if user.role is Role.OPERATOR else "")
        example = Keys("aitrain").root + re.sub(r"\{\w+\}", "x", key.pattern)  # of a host that is not this one
        covered = {right for pattern, given in grants if fnmatchcase(example, pattern) for right in given}
        assert covered == set(rights), f"{user.role} and {key.pattern}"


def test_a_host_has_only_what_is_its_own() -> None:
    """Its own queues, questions and hash."""
    (host,) = [user for user in USERS if user.role is Role.HOST]
    patterns = dict(key_grants(host, "aitrain"))

    assert patterns["aitrain:gpu.*.gpu-01"] == "rw"
    assert patterns["{aitrain}:host:gpu-01"] == "rw"
    assert patterns["aitrain:control"] == "w"
    assert not [one for one in patterns if fnmatchcase("aitrain:gpu.v100s.gpu-02", one)]
    assert not [one for one in patterns if fnmatchcase("{aitrain}:asks:gpu-02", one)]


def test_what_may_only_be_deleted_may_be_neither_read_nor_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has a selector of its own."""
    key = LEGEND["asks"]
    monkeypatch.setitem(LEGEND, "asks", type(key)(key.pattern, key.holds, "producer:w own:d"))

    line = acl_line(user_of(Role.HOST, "pw", "gpu-01"), "aitrain")

    assert "(+del +unlink %W~{aitrain}:asks:gpu-01)" in line
    assert "asks" not in line.partition("(")[0]


def test_scripts_use_no_command_that_a_role_lacks() -> None:
    """The commands of every script are among those of the roles that run scripts."""
    lua = resources.files("aitrain.store") / "lua"
    texts = [file.read_text() for folder in (lua, lua / "shared") for file in folder.iterdir() if file.is_file()]
    used = {name.lower() for text in texts for name in re.findall(r"redis\.call\('(\w+)'", text)}

    for role in (Role.PRODUCER, Role.OPERATOR, Role.CONTROL, Role.HOST):
        assert {f"+{name}" for name in used} <= set(COMMANDS[role].split())


def test_no_role_may_what_only_an_administrator_does() -> None:
    """Nor does anybody get in without a name."""
    text = acl_file([*USERS, user_of(Role.ADMIN, "pw")], "aitrain")

    first, *lines, admin = text.splitlines()
    assert first == "user default off resetchannels -@all"
    assert admin.endswith("+@all")
    for line in lines:
        allowed = set(line.split())
        for word in FORBIDDEN:
            assert f"+{word}" not in allowed
        assert "+@all" not in allowed


def test_passwords_stand_as_hashes() -> None:
    """In the file, and not in what is printed of a user."""
    user = user_of(Role.PRODUCER, "a-secret")

    assert "a-secret" not in acl_line(user, "aitrain")
    assert "a-secret" not in repr(user)


@pytest.mark.parametrize("pattern", sorted(BROKER_KEYS))
def test_the_brokers_keys_say_who_may(pattern: str) -> None:
    """As those of the legend."""
    assert granted(BROKER_KEYS[pattern])
