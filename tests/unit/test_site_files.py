"""The files of a site: what stands in them, who may read them, and that nothing is overwritten."""

from __future__ import annotations

import socket
import ssl
import threading
import tomllib
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import pytest
from redis import ConnectionPool

from aitrain.certificates import Pair, new_authority, server_certificate
from aitrain.domain.errors import InvalidInput
from aitrain.settings import load_settings
from aitrain.signing import Signer
from aitrain.site_files import Layout, add_host, add_server, init, update
from aitrain.vault import Sealer, Vault


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The files of a site of two hosts."""
    directory = tmp_path / "site"
    init(directory, Layout("redis.example:6380", ["gpu-01", "gpu-02"], "aitrain", directory, ["s3.example"]))
    return directory


def test_only_their_owner_may_read_them(site: Path) -> None:
    """Files and directories alike."""
    for path in (site, *site.rglob("*")):
        assert path.stat().st_mode & 0o077 == 0, path


def test_each_role_has_settings_that_can_be_loaded(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a user and a password of its own."""
    passwords = set()
    roles = ["admin", "control", "flower", "metrics", "operator", "producer", "host-gpu-01", "host-gpu-02"]
    for role in roles:
        monkeypatch.setenv("AITRAIN_CONFIG", str(site / f"{role}.toml"))
        settings = load_settings()
        user, _, password = settings.redis_url.removeprefix("rediss://").partition("@")[0].partition(":")
        assert user == role
        assert settings.redis_url.endswith("@redis.example:6380/0")
        assert settings.redis_ca_file == site / "tls" / "ca.pem"
        passwords.add(password)
    assert len(passwords) == len(roles)
    assert all(len(password) > 40 for password in passwords)
    acl = (site / "redis" / "users.acl").read_text()
    assert not [password for password in passwords if password in acl]
    assert Signer.of(site / "keys" / "receipts.pem")
    opens = Vault.of(site / "keys" / "secrets.key")
    for role in ("producer", "operator"):
        seals = tomllib.loads((site / f"{role}.toml").read_text())["secrets"]["public_key"]
        assert opens.open("x", Sealer(seals).seal("x", "a secret")) == "a secret"


def test_a_host_asks_control_workers_for_placement(site: Path) -> None:
    """Its user could not do it."""
    host = tomllib.loads((site / "host-gpu-01.toml").read_text())["host"]

    assert host["name"] == "gpu-01"
    assert host["places_jobs"] is False


def test_the_files_may_lie_elsewhere_on_their_machines(tmp_path: Path) -> None:
    """Paths in the files are those of there."""
    init(tmp_path / "s", Layout("10.0.0.1", [], "aitrain", Path("/etc/aitrain")))

    assert tomllib.loads((tmp_path / "s" / "control.toml").read_text())["redis_ca_file"] == "/etc/aitrain/tls/ca.pem"
    conf = (tmp_path / "s" / "redis" / "redis.conf").read_text()
    assert "tls-cert-file /etc/aitrain/tls/10.0.0.1.pem" in conf
    assert "tls-port 6379" in conf


def test_nothing_is_overwritten(site: Path) -> None:
    """Neither a site, nor a host, nor a certificate."""
    before = {path: path.read_text() for path in site.rglob("*") if path.is_file()}

    for again in (
        lambda: init(site, Layout("x", [], "aitrain", site)),
        lambda: add_host(site, "gpu-01"),
        lambda: add_server(site, "s3.example"),
    ):
        with pytest.raises(InvalidInput, match="is there"):
            again()
    assert {path: path.read_text() for path in site.rglob("*") if path.is_file()} == before


def test_a_host_is_added(site: Path) -> None:
    """Its settings are like the others', and its user is one more."""
    users = (site / "redis" / "users.acl").read_text().splitlines()

    path = add_host(site, "gpu-03")

    first, third = (tomllib.loads(file.read_text()) for file in (site / "host-gpu-01.toml", path))
    assert third | {"redis_url": "", "host": {}} == first | {"redis_url": "", "host": {}}
    more = set((site / "redis" / "users.acl").read_text().splitlines()) - set(users)
    assert [line.split()[:3] for line in more] == [["user", "host-gpu-03", "on"]]


def test_a_changed_password_is_taken_up(site: Path) -> None:
    """The settings are the record of the passwords."""
    path = site / "producer.toml"
    before = (site / "redis" / "users.acl").read_text()
    path.write_text(path.read_text().replace("producer:", "producer:new"))

    update(site)

    after = (site / "redis" / "users.acl").read_text()
    changed = [line.split()[1] for line in after.splitlines() if line not in before.splitlines()]
    assert changed == ["producer"]


def test_a_password_is_taken_as_clients_read_it(site: Path) -> None:
    """What may not stand in a URL is written there in another way."""
    path = site / "producer.toml"
    settings = tomllib.loads(path.read_text())
    before = settings["redis_url"].partition("producer:")[2].partition("@")[0]
    path.write_text(path.read_text().replace(before, "p%40ss%2Fw"))

    update(site)

    url = tomllib.loads(path.read_text())["redis_url"]
    password = ConnectionPool.from_url(url).connection_kwargs["password"]
    assert f"user producer on #{sha256(password.encode()).hexdigest()} " in (site / "redis" / "users.acl").read_text()


@pytest.mark.parametrize("away", ["admin", "host-gpu-02"])
def test_a_user_whose_settings_were_moved_away_is_not_forgotten(site: Path, away: str) -> None:
    """Whoever moves the files to their machines, and then adds a host, would lock the others out."""
    (site / f"{away}.toml").rename(site.parent / "elsewhere.toml")
    acl = site / "redis" / "users.acl"
    before = acl.read_text()

    for act in (lambda: update(site), lambda: add_host(site, "gpu-03")):
        with pytest.raises(InvalidInput, match=rf"has no {away}\.toml"):
            act()
    assert acl.read_text() == before
    assert not (site / "host-gpu-03.toml").exists()

    acl.write_text("".join(line for line in before.splitlines(True) if not line.startswith(f"user {away} ")))
    add_host(site, "gpu-03")
    assert f"user {away} " not in acl.read_text()


def test_settings_without_the_roles_user_are_refused(site: Path) -> None:
    """Somebody put another's URL there: its user would vanish from users.acl."""
    (site / "producer.toml").write_text((site / "operator.toml").read_text())

    with pytest.raises(InvalidInput, match=r"producer.toml: does not name the user producer"):
        update(site)


@pytest.mark.parametrize(
    ("redis", "hosts", "says"),
    [
        ("redis://x", [], "HOST"),
        ("x:0", [], "HOST"),
        ("x", ["Gpu_1"], "host: 'Gpu_1'"),
        ("-.-", [], "server"),
        ("../x", [], "HOST"),
        ("x", ["gpu-01", "gpu-01"], "host: 'gpu-01' is named twice"),
        ("ca", [], "the authority's files"),
    ],
)
def test_wrong_input_makes_no_files(tmp_path: Path, redis: str, hosts: list[str], says: str) -> None:
    """It is named, with its value."""
    with pytest.raises(InvalidInput, match=says):
        init(tmp_path / "s", Layout(redis, hosts, "aitrain", tmp_path))
    assert not (tmp_path / "s").exists()


def test_a_directory_of_none_is_told(tmp_path: Path) -> None:
    """Not of `aitrain site init`."""
    for use in (lambda: add_host(tmp_path, "gpu-01"), lambda: add_server(tmp_path, "x"), lambda: update(tmp_path)):
        with pytest.raises(InvalidInput, match="site init"):
            use()


def _greets(server: Pair, authority: Pair, name: str, directory: Path) -> None:
    """A handshake over a real socket; raises ssl.SSLError."""
    paths = {what: directory / what for what in ("ca.pem", "s.pem", "s.key")}
    for path, text in zip(paths.values(), (authority.certificate, server.certificate, server.key), strict=True):
        path.write_bytes(text)
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(paths["s.pem"], paths["s.key"])
    ours = ssl.create_default_context(cafile=str(paths["ca.pem"]))
    # What newer Pythons check by default.
    ours.verify_flags |= ssl.VERIFY_X509_STRICT
    left, right = socket.socketpair()

    def serve() -> None:
        with left, suppress(ssl.SSLError, OSError):
            theirs.wrap_socket(left, server_side=True).close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        with right:
            ours.wrap_socket(right, server_hostname=name).close()
    finally:
        thread.join(5)


def test_certificates_hold_for_their_names_only(tmp_path: Path) -> None:
    """Of hosts and addresses, and of their own authority."""
    authority, other = new_authority("a"), new_authority("a")
    server = server_certificate(authority, ["redis.example", "10.0.0.1"])

    for name in ("redis.example", "10.0.0.1"):
        _greets(server, authority, name, tmp_path)
    for trusted, name in ((authority, "evil.example"), (authority, "10.0.0.2"), (other, "redis.example")):
        with pytest.raises(ssl.SSLCertVerificationError):
            _greets(server, trusted, name, tmp_path)


def test_what_is_no_authority_is_told() -> None:
    """Before anything is made of it."""
    with pytest.raises(InvalidInput, match=r"ca\.key"):
        server_certificate(Pair(b"x", b"y"), ["redis.example"])
    assert "PRIVATE" not in repr(new_authority("a"))
