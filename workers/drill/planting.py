"""Plants a defect: in a copy of the packages, which the site's processes run instead of the installed ones.

So the product holds no hook for it. A text that is not found exactly once stops the drill: a defect that was not
planted must not pass for one that was not caught.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import aitrain
import workers
from aitrain.domain.errors import InvalidInput
from workers.drill.defects import DEFECTS, Change


def plant(name: str, directory: Path) -> dict[str, str]:
    """Makes the copy, with one defect in it; the variables with which a process runs it.

    Raises InvalidInput if there is no such defect, or if the text that it changes is not there any more.
    """
    if name not in DEFECTS:
        raise InvalidInput.of("plant", name, "is not a defect that can be planted", f"use one of: {', '.join(DEFECTS)}")
    for package in (aitrain, workers):
        source = Path(str(package.__file__)).parent
        shutil.copytree(source, directory / source.name, ignore=shutil.ignore_patterns("__pycache__"))
    for change in DEFECTS[name].changes:
        file = directory / change.file
        file.write_text(changed(file.read_text(), change))
    # Without the second, `python -m` would prefer the directory that it is started in.
    variables = {"PYTHONPATH": str(directory), "PYTHONSAFEPATH": "1"}
    _check(directory, variables)
    return variables


def changed(text: str, change: Change) -> str:
    """A file's text with a change made. Raises InvalidInput if what it changes is not there exactly once."""
    if text.count(change.text) != 1:
        raise InvalidInput.of(
            "plant", change.file, f"has the text of the defect {text.count(change.text)} times", "adapt the defect"
        )
    return text.replace(change.text, change.instead)


def _check(directory: Path, variables: dict[str, str]) -> None:
    """That a process with these variables does run the copy."""
    ask = "import aitrain, workers; print(aitrain.__file__, workers.__file__)"
    told = subprocess.run(
        [sys.executable, "-c", ask], env={**os.environ, **variables}, check=True, capture_output=True, text=True
    )
    if not all(path.startswith(str(directory)) for path in told.stdout.split()):
        raise InvalidInput.of("plant", told.stdout.strip(), "is run instead of the copy", "unset PYTHONPATH")
