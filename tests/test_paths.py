"""Files are written whole or not at all."""

import errno
import os

import pytest

from coursekit.errors import CoursekitError, FileNotWritten
from coursekit.paths import write_whole


def full_disk(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_text_and_bytes_are_written_and_folders_made(tmp_path):
    write_whole(tmp_path / "new" / "folder" / "text", "Größe")
    assert (tmp_path / "new" / "folder" / "text").read_bytes() == "Größe\n".encode()
    write_whole(str(tmp_path / "bytes"), b"\x00no newline")
    assert (tmp_path / "bytes").read_bytes() == b"\x00no newline"
    assert os.listdir(tmp_path / "new" / "folder") == ["text"]


def test_the_old_files_permissions_are_kept_and_new_ones_can_be_read_by_all(tmp_path):
    path = tmp_path / "script"
    write_whole(path, "old")
    assert path.stat().st_mode & 0o777 == 0o644
    path.chmod(0o750)
    write_whole(path, "new")
    assert path.stat().st_mode & 0o777 == 0o750


def test_what_is_there_already_is_not_written_again(tmp_path, monkeypatch):
    write_whole(tmp_path / "file", "the same")
    monkeypatch.setattr(os, "replace", full_disk)
    write_whole(tmp_path / "file", "the same")


@pytest.mark.parametrize("step", ["fsync", "replace", "chmod"])
def test_a_full_disk_is_said_and_leaves_the_old_file(tmp_path, monkeypatch, step):
    write_whole(tmp_path / "file", "old")
    monkeypatch.setattr(os, step, full_disk)
    with pytest.raises(FileNotWritten, match=r"file could not be written \(No space .*\); the old one is as it was"):
        write_whole(tmp_path / "file", "new")
    with pytest.raises(FileNotWritten, match="nothing was left") as raised:
        write_whole(tmp_path / "other", "new")
    assert raised.value.strerror == "No space left on device"
    assert (tmp_path / "file").read_text() == "old\n" and os.listdir(tmp_path) == ["file"]


def test_an_interruption_leaves_the_old_file_too(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    write_whole(tmp_path / "file", "old")
    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "file", "new")
    assert (tmp_path / "file").read_text() == "old\n" and os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("where", ["taken/file", "folder", "no/such/folder"])
def test_a_place_that_cannot_be_written_is_named(tmp_path, where):
    (tmp_path / "taken").write_text("a file")
    (tmp_path / "folder").mkdir()
    with pytest.raises(FileNotWritten, match=f"{where} could not be written") as raised:
        write_whole(tmp_path / where, "new", make_folders=False)
    assert isinstance(raised.value, OSError) and isinstance(raised.value, CoursekitError)
    assert sorted(os.listdir(tmp_path)) == ["folder", "taken"]


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs Linux's /proc, where nobody can make a file")
def test_a_disk_that_takes_no_files_is_named():
    with pytest.raises(FileNotWritten, match="/proc/self/file could not be written"):
        write_whole("/proc/self/file", "new")
