"""Bringing the agent into a server that nobody prepared: `sys.remote_exec` of Python 3.14 and later."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

import loopviz
from loopviz.agent.door import peer_uid
from loopviz.errors import InputError

__all__ = ["inject"]

_SAY = 1.0
"""How long to wait before it is said that the server is waited for (s)."""
_PATIENCE = 30.0
"""How long to wait for it (s)."""
_SCOPE = Path("/proc/sys/kernel/yama/ptrace_scope")

_SCRIPT = """\
def _enter():
    import threading

    def arrive():
        import importlib.util, marshal, os, socket, struct, sys
        path, folder, version = {path!r}, {folder!r}, {version!r}
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(path)
        except OSError:
            connection.close()
            for left in (path, os.path.join(os.path.dirname(path), "script.py"), os.path.dirname(path)):
                try:
                    (os.rmdir if os.path.isdir(left) else os.unlink)(left)
                except OSError:
                    pass
            return
        try:
            if hasattr(socket, "SO_PEERCRED"):
                peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
                _, uid, _ = struct.unpack("3i", peer)
                if uid != os.getuid():
                    connection.close()
                    return
            brought, cached = "loopviz" not in sys.modules, list(sys.path_importer_cache)
            if brought:
                spec = importlib.util.spec_from_file_location(
                    "loopviz", os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
                )
                module = importlib.util.module_from_spec(spec)
                sys.modules["loopviz"] = module
                spec.loader.exec_module(module)
            found = sys.modules["loopviz"].__version__
            if found != version:
                raise ImportError(f"it has loopviz {{found}} loaded, and this one is {{version}}")
            from loopviz.agent.injected import enter
            enter(connection, brought=brought, cached=cached)
        except BaseException as error:
            words = f"loopviz cannot be loaded there: {{type(error).__name__}}: {{error}}."
            frame = marshal.dumps(("failed", words, ""), 4)
            try:
                connection.sendall(len(frame).to_bytes(4, "big") + frame)
                connection.close()
            except OSError:
                pass

    threading.Thread(target=arrive, name="loopviz arrival", daemon=True).start()

_enter()
del _enter
"""
_CALL = "import sys; sys.remote_exec(int(sys.argv[1]), sys.argv[2])"


def inject(process: psutil.Process, waiting: Callable[[str], None]) -> socket.socket:
    """Bring the agent into a process; the connection to it. Raises `InputError`.

    `waiting` is called with a sentence when it takes long, and with an empty text when that is over.
    """
    pid = process.pid
    folder = Path(tempfile.mkdtemp(prefix="loopviz-"))
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection = None
    try:
        path, script = folder / "s", folder / "script.py"
        listener.bind(os.fspath(path))
        path.chmod(stat.S_IRUSR | stat.S_IWUSR)
        listener.listen(1)
        package = str(Path(loopviz.__file__).resolve().parent)
        text = _SCRIPT.format(path=str(path), folder=package, version=loopviz.__version__)
        script.write_text(text, encoding="utf-8")
        script.chmod(stat.S_IRUSR | stat.S_IWUSR)
        _execute(process, script)
        connection = _await(listener, process, waiting)
        return connection
    finally:
        waiting("")
        listener.close()
        if connection is None and psutil.pid_exists(pid):
            _leave(folder)
        else:
            _remove(folder)


def _execute(process: psutil.Process, script: Path) -> None:
    """Have the script executed there, by the same interpreter, since versions must agree."""
    pid = process.pid
    executable = f"/proc/{pid}/exe" if Path(f"/proc/{pid}/exe").exists() else process.exe()
    executable = os.fspath(Path(executable).resolve())
    command = [executable, "-I", "-S", "-c", _CALL, str(pid), str(script)]
    try:
        done = subprocess.run(  # noqa: S603 - the interpreter of a process of this user
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InputError(f"{executable} cannot be executed: {error}.\n{_WATCH}") from None
    if done.returncode:
        said = done.stderr.strip().rpartition("\n")[2][:300]
        raise InputError(_why(pid, said))


_WATCH = "Call loopviz.watch() in the application, and start it again."


def _why(pid: int, said: str) -> str:
    if "PermissionError" in said or "Operation not permitted" in said:
        scope = _SCOPE.read_text().strip() if _SCOPE.exists() else "0"
        if scope != "0":
            return (
                f"The system does not permit to attach to {pid}: kernel.yama.ptrace_scope is {scope}.\n"
                f"Set it to 0 (sysctl kernel.yama.ptrace_scope=0). Or: {_WATCH}"
            )
        return (
            f"The system does not permit to attach to {pid}, as in a container without SYS_PTRACE.\n{_WATCH}"
        )
    if "not enabled" in said or "disabled" in said:
        return f"{pid} was started with remote debugging disabled (-X disable-remote-debug).\n{_WATCH}"
    return f"The agent cannot be brought into {pid}: {said}.\n{_WATCH}"


def _await(listener: socket.socket, process: psutil.Process, waiting: Callable[[str], None]) -> socket.socket:
    began = time.monotonic()
    listener.settimeout(0.1)
    while True:
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            waited = time.monotonic() - began
            if not process.is_running():
                raise InputError(f"{process.pid} has ended.\n'loopviz attach' lists the servers.") from None
            if waited > _PATIENCE:
                raise InputError(
                    f"The main thread of {process.pid} has executed no Python code for {waited:.0f} s.\n"
                    f"It waits, or C code has it: send it a request, and try again. Or: {_WATCH}"
                ) from None
            if waited > _SAY:
                waiting(f"{process.pid} executes no Python code in its main thread: waiting, {waited:.0f} s")
            continue
        if peer_uid(connection) in {None, os.getuid()}:
            connection.settimeout(None)
            return connection
        connection.close()


def _remove(folder: Path) -> None:
    with suppress(OSError):
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()


def _leave(folder: Path) -> None:
    """The script may be executed later: it removes itself when nobody listens any more."""
    with suppress(OSError):
        (folder / "s").touch()
