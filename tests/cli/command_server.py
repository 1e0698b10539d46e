"""Runs commands in processes that have all imports behind them: `command_server.py SOCKET`.

Each request, on the socket of that number, is a line of JSON with the `arguments`, the `folder` and
the `environment` of one `archdsl`, and comes with two open files, for what it prints and for what
it says. The answers are its process, a fork of this one, and then how that ended and how many
seconds of the processor it took. Modules of ours
and of others are imported once, where every command for itself would take seconds.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import socket
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import matplotlib.pyplot
import optuna
import timm
import torch

import archdsl
from archdsl.cli.main import app_main

LEFT_OUT = ("archdsl.__main__", "archdsl.runners.ray", "archdsl.store.migrations")
"""A program; an extra that takes seconds; modules that Alembic alone can import."""
HEAVY = (matplotlib.pyplot, optuna, timm, torch)


def import_everything() -> None:
    for found in pkgutil.walk_packages(archdsl.__path__, "archdsl."):
        if not found.name.startswith(LEFT_OUT):
            importlib.import_module(found.name)


def serve(requests: socket.socket) -> None:
    """Answer requests until there are none; in the processes of the commands, return as well."""
    while True:
        message, files, _, _ = socket.recv_fds(requests, 1 << 20, 2)
        if not message:
            sys.exit()
        pid = os.fork()
        if not pid:
            requests.close()
            become(json.loads(message), files)
            return
        for file in files:
            os.close(file)
        requests.sendall(f"{pid}\n".encode())
        _, status, used = os.wait4(pid, 0)
        seconds = used.ru_utime + used.ru_stime
        requests.sendall(f"{os.waitstatus_to_exitcode(status)} {seconds}\n".encode())


def become(request: dict[str, object], files: list[int]) -> None:
    """Make this process what `python -c` would have made for a command."""
    for number, file in enumerate(files, start=1):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(request["environment"])  # type: ignore[call-overload]
    os.chdir(str(request["folder"]))
    tempfile.tempdir = None
    sys.path[0] = ""
    sys.argv = ["-c", *request["arguments"]]  # type: ignore[misc]


def status_of(command: Callable[[], None]) -> int:
    """The exit status that the interpreter would have."""
    try:
        command()
    except SystemExit as error:
        if error.code is None or isinstance(error.code, int):
            return error.code or 0
        print(error.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def end(status: int) -> NoReturn:
    """As the interpreter ends, but that it takes no modules apart, which takes a second."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    import_everything()
    gc.freeze()  # so that forks share this memory
    assert len(list(Path("/proc/self/task").iterdir())) == 1, "threads cannot be forked"
    serve(socket.socket(fileno=int(sys.argv[1])))
    end(status_of(app_main))
