"""The program ``polytene`` for shell scripts of tests: each call is a fork of one process.

What a call does is what the program does (``polytene.__main__.main`` with its arguments, folder,
environment and streams); it only does not import everything anew.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SERVER = """
import json, os, signal, socket, sys
import polytene.genome.cli
from polytene.__main__ import main
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen(64)
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
print("ready", flush=True)
while True:
    call, _ = server.accept()
    if os.fork():
        call.close()
        continue
    server.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    text, streams, _, _ = socket.recv_fds(call, 1 << 20, 3)
    size, _, text = text.partition(b" ")
    while len(text) < int(size):
        text += call.recv(1 << 20)
    argv, folder, environment = json.loads(text)
    for i, stream in enumerate(streams):
        os.dup2(stream, i)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["polytene", *argv]
    try:
        main()
        code = 0
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else int(left.code is not None)
    sys.stdout.flush()
    sys.stderr.flush()
    call.sendall(b"%d" % code)
    os._exit(0)
"""

CLIENT = """#!{python} -IS
import json, os, socket, sys
text = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
call = socket.socket(socket.AF_UNIX)
call.connect({path!r})
text = b"%d " % len(text) + text
sent = socket.send_fds(call, [text], [0, 1, 2])
call.sendall(text[sent:])
sys.exit(int(call.recv(16) or 1))
"""


@contextmanager
def quick_program(folder: Path) -> Iterator[None]:
    """Put a program ``polytene`` into a folder, which works for as long as this lasts."""
    path = str(folder / "s")
    argv = [sys.executable, "-c", SERVER, path]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout.readline() == b"ready\n"
            program = folder / "polytene"
            program.write_text(CLIENT.format(python=sys.executable, path=path))
            program.chmod(0o755)
            yield
        finally:
            server.kill()
            (folder / "s").unlink()
