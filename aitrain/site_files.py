"""The files of a site whose doors are shut: a private authority, users of Redis, keys, and settings for each role.

    tls/ca.pem, ca.key          the authority; its key signs certificates, and is needed for nothing else
    tls/NAME.pem, NAME.key      of each server
    redis/redis.conf, users.acl the server's configuration, and its users
    keys/secrets.key            opens what is kept secret; of control workers
    keys/receipts.pem           signs receipts; of control workers
    ROLE.toml                   settings, with the role's own user and password: producer, operator, control, flower,
                                metrics, host-NAME; admin: for emergencies

The settings are the record of the passwords: users.acl is made of them, and may be made again at any time.
"""

from __future__ import annotations

import ipaddress
import os
import re
import secrets
import stat
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from aitrain.certificates import Pair, new_authority, server_certificate
from aitrain.domain.errors import InvalidInput
from aitrain.domain.flavor import SLUG, SLUG_REMEDY
from aitrain.signing import write_new_key
from aitrain.site_texts import CLIENT, CONTROL, HEAD, HOST, REDIS_CONF
from aitrain.store.acl import Role, User, acl_file, user_of
from aitrain.vault import add_key

DEFAULT_PORT = 6379
# Of its files in tls/.
AUTHORITY = "ca"
PASSWORD_BYTES = 32
ROLES = (Role.PRODUCER, Role.OPERATOR, Role.CONTROL, Role.FLOWER, Role.METRICS, Role.ADMIN)
USERS = Path("redis", "users.acl")
HOST_FILE = re.compile(r"host-(.+)\.toml")
ADDRESS = re.compile(r"(?P<name>[^:\[\]/@]+|\[[0-9A-Fa-f:]+\])(:(?P<port>\d{1,5}))?")
LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
HOST_NAME = re.compile(rf"{LABEL}(\.{LABEL})*")


@dataclass(frozen=True)
class Layout:
    """What a site is made of. redis: HOST[:PORT]; place: where the files will lie on the machines that use them;
    servers: names of further servers that get a certificate.
    """

    redis: str
    hosts: Sequence[str]
    namespace: str
    place: Path
    servers: Sequence[str] = ()


def init(directory: Path, layout: Layout) -> list[Path]:
    """Makes all files of a new site; their paths. Raises InvalidInput, also if there is something already."""
    name, address = _address(layout.redis)
    for server in (name, *layout.servers):
        _check_server(server)
    for host in layout.hosts:
        _check_slug("host", host)
        if layout.hosts.count(host) > 1:
            raise InvalidInput.of("host", host, "is named twice", "name each host once")
    _check_slug("namespace", layout.namespace)
    with _writing(directory):
        if directory.exists() and any(directory.iterdir()):
            remedy = "name a new directory; `aitrain site add-host` adds hosts to a site that there is"
            raise InvalidInput.of("DIR", directory, "is there, and not empty", remedy)
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        authority = new_authority(f"aitrain {layout.namespace}")
        _put_pair(directory / "tls" / AUTHORITY, authority)
        for server in dict.fromkeys([name, *layout.servers]):
            _put_pair(directory / "tls" / server, server_certificate(authority, [server]))
        conf = REDIS_CONF.format(place=layout.place, port=address.rpartition(":")[2], server=name)
        _put(directory / "redis" / "redis.conf", conf)
        (directory / "keys").mkdir(mode=0o700)
        write_new_key(directory / "keys" / "receipts.pem")
        public_key = add_key(directory / "keys" / "secrets.key").sealer.public_key
        for role in ROLES:
            _put_role(directory, user_of(role, _password()), address, layout, public_key)
        for host in layout.hosts:
            _put_role(directory, user_of(Role.HOST, _password(), host), address, layout)
    update(directory)
    return sorted(path for path in directory.rglob("*") if path.is_file())


def add_host(directory: Path, host: str) -> Path:
    """Adds a host: its settings, and its user in users.acl; the path of the settings. Raises InvalidInput."""
    _check_slug("host", host)
    _all_users(directory)
    control = _settings(directory / f"{Role.CONTROL}.toml")
    place = Path(str(control.get("redis_ca_file", ""))).parent.parent
    layout = Layout("", [host], str(control.get("namespace", "aitrain")), place)
    parts = urlsplit(str(control["redis_url"]))
    address = f"{_bracketed(parts.hostname)}:{parts.port}"
    with _writing(directory):
        _put_role(directory, user_of(Role.HOST, _password(), host), address, layout)
    update(directory)
    return directory / f"host-{host}.toml"


def add_server(directory: Path, server: str) -> Path:
    """Makes a certificate for a further server, or for one whose certificate was moved away; its path.

    Raises InvalidInput.
    """
    _check_server(server)
    tls = directory / "tls"
    try:
        authority = Pair((tls / "ca.pem").read_bytes(), (tls / "ca.key").read_bytes())
    except OSError as error:
        raise InvalidInput.of(
            "DIR", directory, f"has no authority ({error})", "name one of `aitrain site init`"
        ) from error
    with _writing(directory):
        _put_pair(tls / server, server_certificate(authority, [server]))
    return tls / f"{server}.pem"


def update(directory: Path) -> Path:
    """Makes users.acl of the settings that there are, by the rules of this version; its path.

    Raises InvalidInput, also if a user of users.acl has no settings there: his password stands nowhere else.
    """
    namespace = str(_settings(directory / f"{Role.CONTROL}.toml").get("namespace", "aitrain"))
    path, users = directory / USERS, _all_users(directory)
    with _writing(path):
        part = path.with_suffix(".part")
        part.unlink(missing_ok=True)
        _put(part, acl_file(users, namespace))
        if path.exists():  # somebody gave it to the user that Redis runs as
            held = path.stat()
            os.chown(part, held.st_uid, held.st_gid)
            part.chmod(stat.S_IMODE(held.st_mode))
        part.replace(path)
    return path


def _all_users(directory: Path) -> list[User]:
    """The users of the settings. Raises InvalidInput if users.acl has one more: he would be locked out unseen."""
    users, path = list(_users(directory)), directory / USERS
    with _writing(path):
        lines = path.read_text().splitlines() if path.exists() else []
    held = {line.split()[1] for line in lines if line.startswith("user ")} - {"default"}
    if gone := sorted(held - {user.name for user in users}):
        raise InvalidInput.of(
            "DIR", directory, f"has no {', '.join(f'{name}.toml' for name in gone)}, and {path} has a user of theirs",
            "put a copy back, since it has the password; of a user who is to go, remove the line in users.acl",
        )  # fmt: skip
    return users


def _users(directory: Path) -> Iterator[User]:
    for path in sorted(directory.glob("*.toml")):
        host = HOST_FILE.fullmatch(path.name)
        role = Role.HOST if host else next((role for role in ROLES if path.name == f"{role}.toml"), None)
        if role is not None:
            url = urlsplit(str(_settings(path).get("redis_url", "")))
            user = user_of(role, unquote(url.password or ""), host.group(1) if host else "")
            if url.username != user.name or not url.password:
                remedy = f"write it as rediss://{user.name}:PASSWORD@HOST:PORT/0"
                raise InvalidInput.of(f"redis_url of {path}", "", f"does not name the user {user.name}", remedy)
            yield user


def _put_role(directory: Path, user: User, address: str, layout: Layout, public_key: str = "") -> None:
    who = f"host {user.host}" if user.host else f"role {user.role}"
    more = {Role.HOST: HOST, Role.CONTROL: CONTROL, Role.PRODUCER: CLIENT, Role.OPERATOR: CLIENT}.get(user.role, "")
    text = (HEAD + more).format(
        who=who, user=user.name, password=user.password, address=address, place=layout.place,
        namespace=layout.namespace, host=user.host, public_key=public_key,
    )  # fmt: skip
    _put(directory / f"{user.name}.toml", text)


def _put_pair(path: Path, pair: Pair) -> None:
    _put(path.with_name(path.name + ".pem"), pair.certificate.decode())
    _put(path.with_name(path.name + ".key"), pair.key.decode())


def _put(path: Path, text: str) -> None:
    """A new file that only its owner may read, in directories that only he may enter."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Tells what the file system refuses as InvalidInput."""
    try:
        yield
    except FileExistsError as error:
        remedy = "nothing is overwritten: move it away, or choose another name"
        raise InvalidInput.of("DIR", error.filename, "is there already", remedy) from error
    except OSError as error:
        remedy = "name a directory that you may write to"
        raise InvalidInput.of("DIR", path, f"cannot be written ({error.strerror})", remedy) from error


def _settings(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text())
    except (OSError, ValueError) as error:
        remedy = "name the directory of `aitrain site init`"
        raise InvalidInput.of("DIR", path, f"cannot be read ({error})", remedy) from error


def _address(text: str) -> tuple[str, str]:
    """Name, and name:port, of HOST[:PORT]."""
    match = ADDRESS.fullmatch(text)
    port = int((match and match["port"]) or DEFAULT_PORT)
    if match is None or not 0 < port < 65_536:
        raise InvalidInput.of("redis", text, "is no HOST[:PORT]", "write redis.example:6379")
    return match["name"].strip("[]"), f"{match['name']}:{port}"


def _bracketed(host: str | None) -> str:
    return f"[{host}]" if host and ":" in host else host or ""


def _check_slug(field: str, name: str) -> None:
    if not SLUG.fullmatch(name):
        raise InvalidInput.of(field, name, f"is no name of a {field}", SLUG_REMEDY)


def _check_server(name: str) -> None:
    """Its name becomes part of paths."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        if not HOST_NAME.fullmatch(name):
            remedy = "give a host name or an address, as it stands in URLs"
            raise InvalidInput.of("server", name, "is no name of a server", remedy) from None
    if name == AUTHORITY:
        raise InvalidInput.of("server", name, "would take the place of the authority's files", "give its full name")


def _password() -> str:
    return secrets.token_urlsafe(PASSWORD_BYTES)
