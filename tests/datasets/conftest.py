"""What the tests of coursekit.datasets share: caches of their own, a server of their own, processes of their own."""

import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest
import tiny_set

from coursekit.datasets import published, sources
from coursekit.paths import repository_root

_GIVEN = os.environ.get("COURSEKIT_DATA")  # before the fixture below hides it


@pytest.fixture(autouse=True)
def own_caches(tmp_path, monkeypatch):
    """No test reads or writes the caches of whoever runs it, and no proxy stands between a test and its server."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("COURSEKIT_DATA", raising=False)
    monkeypatch.delenv("COURSEKIT_SEED", raising=False)


@pytest.fixture
def tiny(monkeypatch):
    """The arrays of the test's own published data sets, "tiny" and "tiny_by_md5", which load() knows in this test."""
    registry = dict(published.PUBLISHED)
    tiny_set.register(registry)
    for name in ("tiny", "tiny_by_md5"):
        monkeypatch.setitem(published.PUBLISHED, name, registry[name])
    return tiny_set.make_arrays()


@pytest.fixture
def true_mnist():
    """A folder with the true mnist.npz; the test is skipped where there is none."""
    root = repository_root()
    candidates = [Path(_GIVEN).expanduser()] if _GIVEN else []
    if root:
        candidates += [root / folder for folder in (_GIVEN, "../shared/data") if folder]
    for folder in candidates:
        if (folder / "mnist.npz").is_file():
            return folder
    pytest.skip("the true MNIST is not on this machine: set COURSEKIT_DATA to a folder that holds mnist.npz")


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """installed({path: bytes}) makes these files the only ones of every package; installed(None) takes all away."""

    def installed(contents):
        found = None
        if contents is not None:
            found = ModuleSpec("a_package", loader=None, is_package=True)
            found.submodule_search_locations.append(str(tmp_path / "a_package"))
            for path, content in contents.items():
                target = tmp_path / "a_package" / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
        monkeypatch.setattr(sources, "find_spec", lambda module: found)

    return installed


class Server:
    """A local web server: `contents` maps a file's name to its bytes, or to a function of the request handler."""

    def __init__(self):
        self.contents, self.requests, self.everything = {}, [], None
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                name = self.path.lstrip("/")
                server.requests.append(name)
                content = server.contents.get(name, server.everything)
                if content is None:
                    self.send_error(404)
                elif callable(content):
                    content(self)
                else:
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(content)))
                    self.end_headers()
                    self.wfile.write(content)

            def log_message(self, *args):
                """Say nothing."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}/"
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()


@pytest.fixture
def server(monkeypatch):
    """A local web server that stands where data sets are downloaded from."""
    server = Server()
    monkeypatch.setattr(published, "BASE", server.url)
    yield server
    server.http.shutdown()
    server.http.server_close()


@pytest.fixture
def start(tmp_path):
    """start(code, url) begins a Python process that knows the tiny sets and downloads from `url`; it is a Popen."""
    started = []

    def start(code, url="http://127.0.0.1:9/"):
        prologue = (
            "import tiny_set, coursekit.datasets.published as published\n"
            f"tiny_set.register()\npublished.BASE = {url!r}\n"
            "from coursekit.datasets import load\n"
        )
        here = os.pathsep.join([str(Path(__file__).parent), str(Path(published.__file__).parents[2])])
        process = subprocess.Popen(
            [sys.executable, "-c", prologue + code],
            env={**os.environ, "PYTHONPATH": here},
            cwd=tmp_path,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
