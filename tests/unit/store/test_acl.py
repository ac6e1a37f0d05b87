"""Who may touch which key. What Redis makes of it is tested with a real one in tests/acceptance/test_shut_doors.py."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from importlib import resources

import pytest

from aitrain.store.acl import BROKER_KEYS, COMMANDS, Role, User, acl_file, acl_line, granted, key_grants, user_of
from aitrain.store.keys import Keys
from aitrain.store.legend import LEGEND
from tests.unit.store.lua_access import LUA, touched

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
    assert first == "user default off resetpass ~* &* +@all", "Redis loads its data as that user"
    assert admin.endswith("+@all")
    for line in lines:
        allowed = set(line.split())
        for word in FORBIDDEN if "user metrics" not in line else set(FORBIDDEN) - {"scan"}:
            if word == "scan" and line.startswith("user metrics "):
                continue  # of names alone: test_metering.py
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


PLACING = "begin_pass end_pass placement_view assign keep_host"
CLIENT = (
    f"{PLACING} submit stop start retry_push delete edit order_copy explain_view read_log open_session send_session "
    "beat_session host_rows flavor_units month_view cached_bytes put_data_store remove_data_store put_registry "
    "remove_registry"
)
SCRIPTS = {
    Role.PRODUCER: CLIENT,
    Role.OPERATOR: f"{CLIENT} cordon uncordon remove_host set_quota set_budget prune_month replace_data_store reseal",
    Role.HOST: (
        "join_host report_faults host_jobs host_is_alive heartbeat begin_step renew_leases release_lease hand_over "
        "postpone set_fields transition begin_copy renew_copies end_copy append_log read_log register_log_chunk "
        "end_log take_session send_session beat_session edit keep_cache tell_cached cached_bytes publish_host_key "
        "prove"
    ),
    Role.CONTROL: (
        f"{PLACING} transition answer_check answer_chunk dead_hosts due_logs expire_results forget_log forget_queues "
        "lost_hosts note_dropped put_receipt set_billing sweep_budgets sweep_deadlines sweep_drains sweep_holds "
        "tick_billing unsigned_ends deliver vouched forget_unsealed reseal prove stamp"
    ),
    Role.METRICS: "gauges host_gauges",
}
# Only a job that leaves the states in which it runs is billed, and gives back what was delivered to its host. What a
# client orders leads from one of them to another; a host that is removed has nothing that runs.
NEVER_BY_CLIENTS = {"billing", "ledger", "ledger_months", "ledger_projects", "spent", "delivered"}


@pytest.mark.parametrize("role", SCRIPTS)
def test_each_role_may_what_its_scripts_do(role: Role) -> None:
    """Also on the paths that are rarely taken: a shut door there would be met on a bad day only."""
    user = user_of(role, "pw", "x" if role is Role.HOST else "")
    missing = set()
    for script in SCRIPTS[role].split():
        for key, needed in touched(script).items():
            example = Keys("aitrain").root + re.sub(r"\{\w+\}", "x", LEGEND[key].pattern)
            covered = {right for pattern, given in key_grants(user, "aitrain") if fnmatchcase(example, pattern)
                       for right in given.replace("w", "wd")}  # fmt: skip
            never = NEVER_BY_CLIENTS if role in (Role.PRODUCER, Role.OPERATOR) else set()
            if needed - covered and key not in never:
                missing.add(f"{script}: {key} {sorted(needed - covered)}")

    assert missing == set()


def test_every_script_is_some_roles() -> None:
    """A new script is named above."""
    mine = {script for scripts in SCRIPTS.values() for script in scripts.split()}

    # Of control workers while they migrate a store; and what runs the commands that it is given.
    assert {file.stem for file in LUA.glob("*.lua")} - mine == {"vouch_for", "command"}
