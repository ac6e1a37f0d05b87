"""The network of jobs on an engine: one of aitrain's own, in which they reach the world and not each other.

On the engine's own `bridge` containers reach each other, whosever they are. A network for each project would be no
better a wall, and an engine has addresses for some thirty networks only.
"""

from __future__ import annotations

import hashlib
from typing import Any

import docker
from docker.errors import APIError, NotFound

from aitrain.domain.errors import PlatformFault
from aitrain.domain.states import EndCause, InfoCode

CONFLICT = 409
# What the kernel allows for the name of a network interface.
INTERFACE_LENGTH = 15
BETWEEN_CONTAINERS = "com.docker.network.bridge.enable_icc"
INTERFACE = "com.docker.network.bridge.name"
MTU = "com.docker.network.driver.mtu"


def network_name(namespace: str) -> str:
    """The name of a site's network."""
    return f"{namespace}-jobs"


def interface_name(namespace: str) -> str:
    """The name of its interface on the host, by which a firewall knows it: at-aitrain."""
    name = f"at-{namespace}"
    return name if len(name) <= INTERFACE_LENGTH else f"at-{hashlib.sha256(namespace.encode()).hexdigest()[:12]}"


def ensure_network(client: docker.DockerClient, namespace: str) -> str:
    """Makes the site's network if it is not there; its name. Finds the first when it is called twice.

    Raises PlatformFault if another network has its name, in which jobs would reach each other.
    """
    api, name = client.api, network_name(namespace)
    try:
        found = api.inspect_network(name)
    except NotFound:
        options = {BETWEEN_CONTAINERS: "false", INTERFACE: interface_name(namespace), **_mtu(api)}
        try:
            api.create_network(name, driver="bridge", options=options, check_duplicate=True)
        except APIError as error:
            if error.status_code != CONFLICT:
                raise
        found = api.inspect_network(name)  # whoever made it
    if found["Driver"] != "bridge" or (found["Options"] or {}).get(BETWEEN_CONTAINERS) != "false":
        raise PlatformFault(
            EndCause.ENGINE_FAULT, InfoCode.JOB_ERROR,
            f"the engine has a network {name!r} in which containers reach each other: docker network rm {name}",
        )  # fmt: skip
    return name


def _mtu(api: Any) -> dict[str, str]:
    """What the engine's own bridge was told of the largest packet: where the host's network has a smaller one than
    usual, larger ones are lost.
    """
    try:
        mtu = (api.inspect_network("bridge")["Options"] or {}).get(MTU)
    except NotFound:  # an engine may have none
        return {}
    return {MTU: mtu} if mtu else {}
