"""Tables as text, and bars that are shown late."""

from coursekit.console import late_progress, table


def test_words_stand_to_the_left_and_numbers_to_the_right():
    assert table(["", "bytes", "zeros"], [["conv", "1,200", "0.5"], ["dense layer", "7", "0.25"]]).splitlines() == [
        "             bytes  zeros",
        "conv         1,200    0.5",
        "dense layer      7   0.25",
    ]


def test_more_columns_to_the_left_no_titles_and_last_columns_that_are_missing():
    assert table(None, [["P", "tfmot", "1"], ["P→C"]], left=2).splitlines() == ["P    tfmot  1", "P→C"]


def test_a_cell_is_shown_as_it_is_however_long(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    name = "[bold]conv[/bold]/" + 300 * "kernel" + " :smile: [1, 2]"
    assert table(["name", "n"], [[name, "3"]]).splitlines()[1] == f"{name}  3"


def test_no_rows_give_the_titles_alone():
    assert table(["a", "b"], []) == "a  b" and table(None, []) == ""


def count_to_three(**words):
    with late_progress(3, "counting", **words) as bar:
        for _ in range(3):
            bar.update()


def test_a_late_bar_is_not_seen_where_little_time_has_passed(capsys, monkeypatch):
    monkeypatch.delenv("COURSEKIT_PROGRESS", raising=False)
    count_to_three(seconds=3600)
    assert "counting" not in capsys.readouterr().out
    count_to_three(seconds=0)
    assert "counting" in capsys.readouterr().out


def test_a_late_bar_can_be_turned_off(capsys, monkeypatch):
    monkeypatch.setenv("COURSEKIT_PROGRESS", "off")
    count_to_three(seconds=0)
    assert capsys.readouterr().out == ""
