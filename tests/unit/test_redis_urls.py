"""URLs of Redis that would be taken, and must not be."""

from __future__ import annotations

import pytest

from aitrain.broker import Broker
from aitrain.domain.errors import InvalidInput
from aitrain.settings import load_settings
from aitrain.store import Store


@pytest.mark.parametrize("option", ["ssl_cert_reqs=none", "ssl_check_hostname=false", "ssl_cert_reqs="])
def test_a_url_does_not_have_the_certificate_unchecked(option: str) -> None:
    """As many a page about Redis and TLS tells people to write it."""
    url = f"rediss://user:hunter2@redis.example:6379/0?{option}"
    says = rf"has {option.partition('=')[0]}, with which any server.*redis_ca_file"
    with pytest.raises(InvalidInput, match=f"redis_url: {says}") as caught:
        Store(url)
    assert "hunter2" not in str(caught.value)
    with pytest.raises(InvalidInput, match=f"broker_url: {says}"):
        Broker(load_settings(broker_url=url))
