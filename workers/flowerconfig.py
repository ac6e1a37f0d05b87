"""Flower's configuration, as Flower reads it: a file of Python whose names are its options. See workers/flower.py."""

import logging as _logging
import sys as _sys

from tornado.options import options as _options

from aitrain.domain.errors import AitrainError as _AitrainError
from aitrain.settings import load_settings as _load_settings
from workers.flower import check_doors as _check_doors
from workers.flower import configuration as _configuration
from workers.flowerdoor import use as _use

try:
    # Flower has read its command line by now, and its own variables (FLOWER_BASIC_AUTH, FLOWER_AUTH).
    _found = _configuration(_load_settings(), read_only=_options.read_only)
    _check_doors(
        _options.address, _found.get("basic_auth") or _options.basic_auth or _found.get("auth") or _options.auth
    )
except _AitrainError as _error:
    _logging.getLogger("flower").error("%s", _error)  # noqa: TRY400 - the message says it all
    _sys.exit(2)
_use()
globals().update(_found)
