"""Downloading: what happens when it works, and when the network, the server or the disk does not."""

import os
import socket
import sys
import threading
import time

import numpy as np
import pytest
import tiny_set

from coursekit.datasets import load, sources
from coursekit.errors import DataRefused, DataUnavailable

LONG = 60  # seconds; far more than giving up takes, far less than hanging would


def kept():
    """What lies in our cache, hidden files too."""
    folder = sources.cache_folder()
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def unavailable(name="tiny"):
    """The message with which load() gives up: one paragraph that names the stand-in, nothing kept, nobody waiting."""
    began = time.monotonic()
    with pytest.raises(DataUnavailable) as failure:
        load(name)
    message = str(failure.value)
    assert time.monotonic() - began < LONG
    assert "\n" not in message and len(message) < 500
    assert 'load("digits28")' in message and "COURSEKIT_DATA" in message
    assert kept() == []
    return message


# ---- it works --------------------------------------------------------------------------------------------------------


def test_downloaded_verified_kept_and_not_asked_for_again(tiny, server, capfd):
    server.contents["tiny.npz"] = tiny_set.npz(tiny)
    for _ in range(2):
        data = load("tiny")
        assert data.card.tier == "downloaded"
        for name, array in tiny.items():
            np.testing.assert_array_equal(getattr(data, name), array)
    assert server.requests == ["tiny.npz"] and kept() == ["tiny.npz"]
    assert capfd.readouterr().err == ""


def test_four_files_by_their_md5(tiny, server):
    server.contents = tiny_set.idx_files(tiny)
    for _ in range(2):
        np.testing.assert_array_equal(load("tiny_by_md5").x_test, tiny["x_test"])
    assert sorted(server.requests) == sorted(server.contents)
    assert kept() == sorted(os.path.join("tiny-by-md5", name) for name in server.contents)


def test_true_mnist_is_downloaded(true_mnist, server):
    server.contents["mnist.npz"] = (true_mnist / "mnist.npz").read_bytes()
    assert load("mnist").card.tier == "downloaded" and kept() == ["mnist.npz"]


def test_two_processes_at_once(tiny, server, start):
    """Both ask before either has an answer; both get the data, and the cache holds one whole file."""
    both_asked, content = threading.Barrier(2, timeout=LONG), tiny_set.npz(tiny)

    def answer_when_both_asked(request):
        both_asked.wait()
        request.send_response(200)
        request.end_headers()
        for i in range(0, len(content), 100):
            request.wfile.write(content[i : i + 100])

    server.contents["tiny.npz"] = answer_when_both_asked
    processes = [start("print(load('tiny').x_train.sum())", server.url) for _ in range(2)]
    for process in processes:
        out, err = process.communicate(timeout=LONG)
        assert out.split()[-1] == str(tiny["x_train"].sum()) and err == ""
    assert len(server.requests) == 2 and kept() == ["tiny.npz"]
    assert load("tiny").card.tier == "downloaded" and len(server.requests) == 2


# ---- the network or the server fails ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_blocked_sockets(start, name):
    """No network at all, and the real address: one clear sentence in seconds."""
    code = f"""
import socket
def blocked(*args): raise OSError("no network in this test")
socket.socket.connect = blocked
published.BASE = {__import__("coursekit.datasets.published").datasets.published.BASE!r}
from coursekit.errors import DataUnavailable
try:
    load({name!r})
except DataUnavailable as error:
    print("SAID", error)
"""
    out, err = start(code).communicate(timeout=LONG)
    said = out.split("SAID ")[-1]
    assert f"{name} can't be had here" in said and 'load("digits28")' in said and "COURSEKIT_DATA" in said
    assert err == "" and kept() == []


def test_nobody_listens(tiny, monkeypatch):
    from coursekit.datasets import published

    with socket.socket() as free:  # bound, not listening: connecting is refused
        free.bind(("127.0.0.1", 0))
        monkeypatch.setattr(published, "BASE", f"http://127.0.0.1:{free.getsockname()[1]}/")
        assert "127.0.0.1 cannot be reached" in unavailable()


def test_patience_is_a_few_seconds():
    assert 2 <= sources.PATIENCE <= 10


def test_a_server_that_accepts_and_never_answers(tiny, monkeypatch):
    from coursekit.datasets import published

    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(published, "BASE", f"http://127.0.0.1:{silent.getsockname()[1]}/")
        assert f"sent nothing for {sources.PATIENCE} seconds" in unavailable()


@pytest.mark.parametrize("bar", ["on", "off"])
def test_a_server_that_falls_silent(tiny, server, monkeypatch, bar):
    """Our own watch notices, even if requests had no timeout, and whether or not a progress bar counts along."""
    import pooch

    monkeypatch.setenv("COURSEKIT_PROGRESS", bar)
    monkeypatch.setattr(sources, "PATIENCE", 1)
    patient = pooch.HTTPDownloader
    monkeypatch.setattr(pooch, "HTTPDownloader", lambda timeout, **others: patient(timeout=2 * LONG, **others))
    over = threading.Event()

    def fall_silent(request):
        request.send_response(200)
        request.end_headers()
        request.wfile.write(bytes(5000))  # more than one piece, so that some of it arrives
        over.wait(2 * LONG)

    server.contents["tiny.npz"] = fall_silent
    try:
        assert "sent nothing for 1 seconds" in unavailable()
    finally:
        over.set()


def test_a_name_that_is_looked_up_for_ever(tiny, monkeypatch):
    """No timeout of requests applies to looking up a name, which takes minutes on some broken networks."""
    monkeypatch.setattr(sources, "PATIENCE", 1)
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: over.wait(2 * LONG))
    try:
        assert "sent nothing for 1 seconds" in unavailable()
    finally:
        over.set()


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_certificates_that_are_not_there(tiny, monkeypatch, variable):
    from coursekit.datasets import published

    monkeypatch.setattr(published, "BASE", "https://127.0.0.1:9/")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, "/no/such.pem")
    assert f"{variable} is '/no/such.pem', where nothing is; correct it, or unset it" in unavailable()


def test_a_proxy_that_is_not_there(tiny, monkeypatch):
    from coursekit.datasets import published

    monkeypatch.setattr(published, "BASE", "https://127.0.0.1:9/")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert "through the proxy that HTTPS_PROXY or HTTP_PROXY names" in unavailable()


def test_not_found_and_no_second_try(tiny, server):
    assert "answered with error 404" in unavailable("tiny_by_md5")
    assert len(server.requests) == 1


def test_broken_off_in_the_middle(tiny, server):
    def break_off(request):
        request.send_response(200)
        request.send_header("Content-Length", "100000")
        request.end_headers()
        request.wfile.write(tiny_set.npz(tiny)[:200])

    server.contents["tiny.npz"] = break_off
    assert "broke off in the middle" in unavailable()


def test_more_than_the_data_set_has(tiny, server):
    def endless(request):
        request.send_response(200)
        request.end_headers()
        try:
            for _ in range(2**14):
                request.wfile.write(bytes(2**14))
        except OSError:
            pass  # the other side has had enough

    server.contents["tiny.npz"] = endless
    assert "sent more than the data set has" in unavailable()


@pytest.mark.parametrize("name", ["tiny", "tiny_by_md5"])
def test_a_login_page_instead_of_the_file(tiny, server, name):
    server.everything = b"<!DOCTYPE html><title>Welcome to the hotel</title>"
    with pytest.raises(DataRefused) as failure:
        load(name)
    message = str(failure.value)
    assert "a web page" in message and "log in" in message and 'load("digits28")' in message and "\n" not in message
    assert kept() == [] and len(server.requests) == 1


def test_a_pickle_from_the_network(tiny, server, tmp_path):
    server.everything = tiny_set.trap_pickle(tmp_path / "marker")
    with pytest.raises(DataRefused, match="pickle"):
        load("tiny")
    assert kept() == [] and not (tmp_path / "marker").exists()


def test_an_altered_file_from_the_network(tiny, server):
    server.contents["tiny.npz"] = tiny_set.npz(tiny | {"y_test": tiny["y_test"] + 1})
    with pytest.raises(DataRefused, match="the values of y_test are not the published ones"):
        load("tiny")
    assert kept() == []


# ---- the disk fails --------------------------------------------------------------------------------------------------


def served_all_the_same(tiny, capsys):
    data = load("tiny")
    np.testing.assert_array_equal(data.x_train, tiny["x_train"])
    note = [line for line in capsys.readouterr().out.replace("\r", "\n").splitlines() if line.startswith("note: ")]
    assert len(note) == 1 and "can't be kept in" in note[0] and "will download it again" in note[0]


def test_cache_folder_that_cannot_be_made(tiny, server, tmp_path, monkeypatch, capsys):
    """Its parent is a file, which stops root as well."""
    server.contents["tiny.npz"] = tiny_set.npz(tiny)
    (tmp_path / "file").write_bytes(b"mine")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    served_all_the_same(tiny, capsys)
    assert (tmp_path / "file").read_bytes() == b"mine"


def test_cache_folder_that_is_read_only(tiny, server, capsys):
    if not hasattr(os, "geteuid") or os.geteuid() == 0:
        pytest.skip("root may write to a read-only folder; test_cache_folder_that_cannot_be_made stands in")
    server.contents["tiny.npz"] = tiny_set.npz(tiny)
    sources.cache_folder().mkdir(parents=True)
    sources.cache_folder().chmod(0o500)
    try:
        served_all_the_same(tiny, capsys)
        assert kept() == []
    finally:
        sources.cache_folder().chmod(0o700)


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs Linux's /proc, where nobody can make a file")
def test_cache_folder_where_nobody_can_write(tiny, server, monkeypatch, capsys):
    server.contents["tiny.npz"] = tiny_set.npz(tiny)
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/self")
    served_all_the_same(tiny, capsys)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of a file to set")
def test_full_disk(tiny, server, start):
    """A limit of 100 bytes on every file a process writes: the operating system cuts it off in the middle, as a full
    disk does."""
    server.contents["tiny.npz"] = tiny_set.npz(tiny)
    code = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
print(load("tiny").x_train.sum())
"""
    out, err = start(code, server.url).communicate(timeout=LONG)
    assert out.split()[-1] == str(tiny["x_train"].sum()) and err == ""
    assert "note: tiny is loaded, but can't be kept in" in out
    assert kept() == []
