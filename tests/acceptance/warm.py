"""`aitrain` from a process in which its libraries are loaded: each call is a fork of it.

The pages have more than a hundred commands, and most of a command's time is Python's start. What a call runs is the
real program, with its own arguments, directory, environment and files; that it also starts by itself, other tests show.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workers.scratch.servers import bound_to_parent

# What is loaded beforehand looks at no environment and at no terminal when it is imported.
LOADED = ("typer", "rich.table", "rich.live", "yaml", "celery", "aitrain.client", "boto3", "csv", "getpass")
CALL = """\
#!{python} -IS
import json, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect({path!r})
socket.send_fds(server, [b"."], [0, 1, 2])
server.sendall(json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode())
server.shutdown(socket.SHUT_WR)
os._exit(int(server.recv(3) or b"255"))
"""


@contextmanager
def warm_aitrain(folder: Path) -> Iterator[Path]:
    """A folder for the PATH with an `aitrain` that is warm."""
    path = folder / "socket"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(16)
        command = [sys.executable, "-m", "tests.acceptance.warm", str(listener.fileno())]
        root = Path(__file__).parents[2]
        with subprocess.Popen(
            bound_to_parent(command), pass_fds=[listener.fileno()], cwd=root, stdin=subprocess.DEVNULL
        ) as process:
            program = folder / "aitrain"
            program.write_text(CALL.format(python=sys.executable, path=str(path)))
            program.chmod(0o755)
            yield folder
            process.kill()


def serve(listener: socket.socket) -> None:
    """Answers calls until it is killed."""
    for name in LOADED:
        importlib.import_module(name)
    gc.freeze()
    while True:
        connection, _ = listener.accept()
        # Twice, so that whatever becomes of the command, also another program, somebody is there to tell its status.
        if (child := os.fork()) == 0:
            if os.fork() > 0:
                os._exit(0)
            _answer(connection)
        os.waitpid(child, 0)
        connection.close()


def _answer(connection: socket.socket) -> None:
    _, files, _, _ = socket.recv_fds(connection, 1, 3)
    with connection.makefile("rb") as stream:
        arguments, directory, environment = json.loads(stream.read())
    if (child := os.fork()) == 0:
        connection.close()
        _run(files, arguments, directory, environment)
    for number in files:
        os.close(number)
    connection.sendall(str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 255).encode())
    os._exit(0)


def _run(files: list[int], arguments: list[str], directory: str, environment: dict[str, str]) -> None:
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["aitrain", *arguments]
    sys.stdin, sys.stdout, sys.stderr = (open(number, mode, closefd=False) for number, mode in enumerate("rww"))  # noqa: SIM115
    from aitrain.cli import main

    status: object = 0
    try:
        main()
    except SystemExit as end:
        status = end.code
    if isinstance(status, str):
        print(status, file=sys.stderr)
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status if isinstance(status, int) else 0)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
