"""The site that the demo, the drill and the tests start, where nothing is there yet."""

from __future__ import annotations

import stat
from pathlib import Path

from workers.scratch.servers import S3Server
from workers.scratch.site import LocalSite


def test_a_site_begins_in_a_directory_that_is_not_there(tmp_path: Path) -> None:
    """As the demo's does in a fresh checkout."""
    s3 = S3Server(tmp_path / "s3")
    site = LocalSite(tmp_path / "not" / "there", redis_url="redis://127.0.0.1:1/0", s3=s3)
    site.control()
    assert stat.S_IMODE(site.key_file.stat().st_mode) == 0o600
    assert site.key_file.read_text() == f"{site.secret_keys[0]}\n"
