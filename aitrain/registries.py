"""The registries of projects: added at run time, tried before they are kept, their passwords kept sealed."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import SecretStr

from aitrain.broker import CHECK_REGISTRY, Broker
from aitrain.checking import Checking
from aitrain.domain.errors import InvalidInput, RegistryNotFound
from aitrain.domain.imagename import server_name
from aitrain.domain.registry import NewRegistry, RegistryEntry
from aitrain.domain.sealing import SecretKind, purpose
from aitrain.sealing import login_text, site_sealer
from aitrain.settings import Settings
from aitrain.store import RegistryCheck, Store, token


@dataclass(frozen=True)
class RegistryRemoval:
    """The answer to a removal. done False: these jobs (the first few) have images of it and have not ended."""

    done: bool
    jobs: Sequence[str] = ()


class Registries:
    """What a client does with the registries of projects.

    Every method raises StoreUnavailable if the job store does not answer within seconds.
    """

    def __init__(self, settings: Settings, store: Store, broker: Broker) -> None:
        self._settings, self._store = settings, store
        self._checking = Checking(store, broker, settings.timing.check_seconds)

    def add(
        self,
        project: str,
        server: str,
        user: str,
        password: str | SecretStr,
        ca: str | None = None,
        check: bool = True,
    ) -> RegistryEntry:
        """Adds a registry to a project, in the place of one of the same server: images that are pulled from now on are
        pulled with it.

        Its fields: see NewRegistry. check: have a control worker log in first. Raises InvalidInput if a field is wrong,
        the registry does not answer or does not take the password, its certificate is not trusted, it is the site's
        shared one, or no key of the site is known to seal the password with; CheckUnavailable and BrokerUnavailable if
        it could not be tried. Then nothing was kept.
        """
        asked = NewRegistry.of(project=project, server=server, user=user, password=password, ca=ca)
        if asked.ca is not None:
            _check_certificates(asked.ca)
        if self._settings.shared_registry.paths.has(asked.server):
            raise InvalidInput.of(
                "server", asked.server, "is the site's shared registry, whose password the hosts have",
                f"name images as {asked.server}/{asked.project}/..., without adding anything",
            )  # fmt: skip
        sealer = site_sealer(self._settings, self._store)
        kept = purpose(SecretKind.REGISTRY, asked.project, asked.server)
        sealed = sealer.seal(kept, login_text(asked.user, asked.password.get_secret_value()))
        if check:
            wanted = RegistryCheck(asked.project, asked.server, asked.ca or "", sealed)
            self._checking.ask(wanted, CHECK_REGISTRY, registry=asked.server)
        entry = RegistryEntry(
            project=asked.project, server=asked.server, user=asked.user, revision=token(), ca=asked.ca, checked=check,
            added_ms=0,
        )  # fmt: skip
        return self._store.put_registry(entry, sealed)

    def list(self, project: str) -> list[RegistryEntry]:
        """A project's own registries, by server. The site's shared one stands in its settings."""
        return self._store.registries(project)

    def show(self, project: str, server: str) -> RegistryEntry:
        """One registry of a project. Raises RegistryNotFound."""
        entry = self._store.registry(project, server_name(server))
        if entry is None:
            raise RegistryNotFound(project, server)
        return entry

    def remove(self, project: str, server: str, force: bool = False) -> RegistryRemoval:
        """Removes a registry, unless jobs that have not ended have images of it.

        force: remove it all the same; a job that then needs its password ends with JOB_IMAGE_PULL. Raises
        RegistryNotFound.
        """
        kept = self.show(project, server).server
        jobs = self._store.remove_registry(project, kept, force=force)
        return RegistryRemoval(not jobs, jobs)


def _check_certificates(pem: str) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem)
    except (ssl.SSLError, ValueError):
        remedy = "give the authority's certificate as it was issued: -----BEGIN CERTIFICATE----- ..."
        raise InvalidInput.of("ca", "", "cannot be read as certificates in PEM", remedy) from None
