"""What a command line may say: every mistake is one sentence and exit status 2, before anything is begun."""

import io
import os
import subprocess
import sys

import pytest

from coursekit import __version__
from coursekit.authoring import arguments, cli
from coursekit.errors import CoursekitError

NOWHERE = pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs Linux's /proc, where nobody makes files")


def refused(call, capsys):
    """The one sentence with which a call is refused."""
    assert cli.main(call) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("coursekit: ") and err.count("\n") == 1 and "Traceback" not in err
    return err


@pytest.mark.parametrize(
    "call, says",
    [
        (["run", "--jobs", "-1"], "--jobs takes a number from 1 on, not -1"),
        (["run", "--jobs", "0"], "--jobs takes a number from 1 on, not 0"),
        (["run", "--jobs", "two"], "--jobs takes a number from 1 on, not two"),
        (["release", "x", "--jobs", "0"], "--jobs takes a number from 1 on"),
        (["bench", "--rounds", "0"], "--rounds takes a number from 1 on"),
        (["run", "00", "--seeds", "4-0"], "--seeds 4-0 counts backwards and names none; write 0-4"),
        (["run", "00", "--seeds", "0-"], "--seeds takes numbers"),
        (["run", "00", "--seeds", str(2**32)], "below 2**32"),
        (["run", "00", "--seeds", "0-99999"], "more than 1000 seeds"),
        (["experiment", "pipeline", "--seeds", "3-1"], "write 1-3"),
        (["run", "--stale", "--minutes", "nan"], "--minutes takes a number of minutes"),
        (["run", "--stale", "--minutes", "-3"], "--minutes takes a number of minutes"),
        (["run", "--shard", "5/4"], "--shard takes a share such as 2/4"),
        (["run", "--shard", "0/4"], "--shard takes a share such as 2/4"),
        (["run", "--shard", "2"], "--shard takes a share such as 2/4"),
        (["run", "--profile", "huge"], "`coursekit run --help` explains it"),
        (["run", "--no-such-option"], "`coursekit --help` explains it"),
        (["no-such-command"], "invalid choice: 'no-such-command'"),
        (["help", "no-such-command"], "there is no command no-such-command; there are run, rot, refresh"),
        ([], "`coursekit --help` explains it"),
    ],
)
def test_a_mistake_is_one_sentence(call, says, capsys):
    assert says in refused(call, capsys)


@NOWHERE
@pytest.mark.parametrize(
    "call",
    [["run", "00", "--results"], ["run", "00", "--executed"], ["release", "--no-run"], ["site"]],
    ids=lambda call: call[0] + call[-1],
)
def test_a_folder_that_cannot_be_written_is_named_before_anything_is_begun(call, capsys):
    assert "/proc/x can't be written" in refused([*call, "/proc/x"], capsys)


def test_a_file_where_a_folder_should_be_and_the_reverse(tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    assert "a file of this name is in the way" in refused(["run", "00", "--results", str(tmp_path / "file")], capsys)
    assert "is a folder; name a file" in refused(["run", "00", "--summary", str(tmp_path)], capsys)
    assert (tmp_path / "file").read_text() == "mine"


def test_seeds_are_counted_once_and_in_order():
    assert arguments.seeds(["3", "0-2,1"]) == [0, 1, 2, 3]


def test_shares_cover_everything_once_and_weigh_about_the_same():
    minutes = {f"{number:02d}": 0.2 + number % 5 for number in range(20)}
    shares = [arguments.share_of(list(minutes), (part, 4), minutes.get) for part in (1, 2, 3, 4)]
    assert sorted(name for share in shares for name in share) == sorted(minutes) and all(
        share == sorted(share) for share in shares
    )
    loads = [sum(minutes[name] for name in share) for share in shares]
    assert max(loads) - min(loads) < 3
    assert arguments.share_of(["a"], (2, 2)) == [] and arguments.share_of(["a"], (1, 1)) == ["a"]


def test_version_and_help(capsys):
    for call, says in ((["--version"], f"coursekit {__version__}"), (["--help"], "COMMAND"), (["-h"], "COMMAND")):
        with pytest.raises(SystemExit) as ended:
            cli.main(call)
        assert ended.value.code == 0 and says in capsys.readouterr().out
    assert cli.main(["help"]) == 0 and "COMMAND" in capsys.readouterr().out
    for command in ("run", "site", "help"):
        assert cli.main(["help", command]) == 0 and f"usage: coursekit {command}" in capsys.readouterr().out


# --- terminals that lack a sign ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("encoding", ["cp1252", "cp437", "ascii"])
def test_every_sign_is_printed_somehow(encoding, monkeypatch):
    """`PYTHONIOENCODING=cp1252 coursekit …`: what the encoding lacks is printed in a plain form."""
    from coursekit.authoring import doctor

    def fails():
        yield "x² ≥ 3 → 語"

    monkeypatch.setattr(doctor, "CHECKS", [("well", lambda: []), ("ill", fails)])
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    assert cli.main(["doctor"]) == 1
    out.seek(0)
    said = out.read()
    assert "+ well" in said and "x ill" in said and "->" in said and "?" in said


@pytest.mark.parametrize("command", ["help", "run", "refresh", "lint", "index", "release", "site", "doctor", "bench"])
def test_every_command_explains_itself_in_ascii(command, monkeypatch):
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", out)
    assert cli.main(["help", command]) == 0


def test_a_message_with_any_sign_is_printed_in_ascii(monkeypatch):
    err = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stderr", err)
    assert cli.main(["run", "übung ✓"]) == 2
    err.seek(0)
    assert "?bung +" in err.read()


def test_a_reader_that_has_had_enough_is_no_traceback():
    code = "from coursekit.authoring import cli, doctor; doctor.CHECKS.clear(); raise SystemExit(cli.main(['doctor']))"
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert done.returncode == 1 and done.stderr == ""


def test_what_is_checked_says_why():
    with pytest.raises(CoursekitError, match="from 1 on"):
        arguments.count("--jobs")("١")  # a digit, and not one of ours
