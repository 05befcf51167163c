"""Programs that start at once: forks of one process that has imported the libraries.

Where `warm` says, `python -m MODULE` and `dvc` hand their command line, folder, variables, files
and limit of a file's length to a server, which forks: the same libraries, and the code of the
folder it is called in. Only the seconds that imports take are saved. What a fork does has another
parent than its caller, so that tests of kills start their programs cold.
"""

from __future__ import annotations

import json
import os
import resource
import runpy
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path

import pytest

from tools import workspace
from tools.deps import ROOT
from tools.tiny.project import environment

# What the stages and dvc import, by themselves or in their functions; nothing of this project.
LIBRARIES = (
    "accelerate", "bm25s", "bs4", "datasets", "dvc.api", "dvc.cachemgr", "dvc.cli.parser",
    "dvc.commands.repro", "dvc.data_cloud", "dvc.repo.reproduce", "dvc_data.index",
    "dvc_render", "faiss", "flatten_dict", "fsspec.implementations.local", "jinja2", "networkx",
    "numpy", "pebble", "phonenumbers", "platformdirs", "py3langid", "pyarrow.acero",
    "pyarrow.compute", "pyarrow.parquet", "pydantic.fields", "pydantic.functional_validators",
    "pydantic.main", "pygit2", "rensa", "ruamel.yaml", "sentence_transformers", "sentencex",
    "stdnum.iban", "stdnum.luhn", "Stemmer", "torch", "tqdm",
    "transformers.models.bert.modeling_bert", "yaml",
)  # fmt: skip
CLIENT = """#!{python} -IS
import json, os, resource, socket, sys
command = {command} + sys.argv[1:]
if command[:1] != ["-m"]:
    os.execv({python!r}, [{python!r}, *command])
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    socket.send_fds(server, [b"x"], [0, 1, 2])
    request = {{"command": command, "folder": os.getcwd(), "variables": dict(os.environ),
               "longest_file": resource.getrlimit(resource.RLIMIT_FSIZE)}}
    server.sendall(json.dumps(request).encode())
    server.shutdown(socket.SHUT_WR)
    sys.exit(int(server.recv(16) or 137))
"""


@contextmanager
def warm(folder: Path) -> Iterator[str]:
    """Where the warm programs lie, and then the cold ones, as in PATH; the server ends with the block."""
    address = str(folder / "warm.sock")
    (folder / "bin").mkdir(parents=True)
    for name, command in (("python", []), ("dvc", ["-m", "dvc"])):
        shim = folder / "bin" / name
        shim.write_text(CLIENT.format(python=sys.executable, address=address, command=command))
        shim.chmod(0o755)
    cold = {**environment(), "OPENBLAS_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    command = [sys.executable, "-m", "tests.support.warm", address]
    with subprocess.Popen(command, cwd=ROOT, env=cold, stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout and server.stdout.readline() == b"ready\n"
            yield f"{folder / 'bin'}{os.pathsep}{workspace.PROGRAMS}"
        finally:
            server.kill()


@contextmanager
def put_first(programs: str) -> Iterator[None]:
    """Commands that tests start are looked for in `programs`, as `warm` gives them, while the block lasts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workspace, "PROGRAMS", programs)
        yield


def serve(address: str) -> None:
    """Import, then fork for every command: one child that runs it, and one that tells its end."""
    for library in LIBRARIES:
        import_module(library)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        print("ready", flush=True)
        while True:
            client, _ = listener.accept()
            with client:
                if os.fork() == 0:
                    listener.close()
                    answer(client)
                    os._exit(0)


def answer(client: socket.socket) -> None:
    """Run what `client` asks for in a child, and send it the exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _, files, _, _ = socket.recv_fds(client, 1, 3)
    request = json.loads(b"".join(iter(lambda: client.recv(65536), b"")))
    child = os.fork()
    if child == 0:
        client.close()
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        resource.setrlimit(resource.RLIMIT_FSIZE, request["longest_file"])
        os._exit(run(request["command"], request["folder"], request["variables"]))
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with suppress(OSError):
        client.sendall(str(code if code >= 0 else 128 - code).encode())


def run(command: list[str], folder: str, variables: dict[str, str]) -> int:
    """Do what `python -m MODULE ...` does in `folder`; the exit code."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    sys.path[0], sys.argv = folder, command[1:]
    for name in [
        name for name in sys.modules if name.split(".")[0] in ("tests", "argot", "stages", "tools")
    ]:
        del sys.modules[name]
    try:
        runpy.run_module(command[1], run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    return code


if __name__ == "__main__":
    serve(sys.argv[1])
