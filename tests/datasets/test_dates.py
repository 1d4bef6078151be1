"""Dates in words and their ISO dates: every day reads right, whatever the locale."""

import datetime

import numpy as np
import pytest

from coursekit.datasets import dates


@pytest.fixture
def rng():
    return np.random.default_rng(4)


@pytest.mark.parametrize(
    "way, text",
    list(enumerate(["3 March 2021", "March 3, 2021", "3 Mar 2021", "Mar 3, 2021", "3rd March 2021", "2021, March 3"])),
)
def test_the_six_ways(way, text):
    assert dates.in_words((2021, 3, 3), way) == text and dates.iso((2021, 3, 3)) == "2021-03-03"


def test_endings():
    said = [dates.in_words((2000, 1, day), 4).split()[0] for day in (1, 2, 3, 4, 11, 12, 13, 21, 22, 23, 30, 31)]
    assert said == ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd", "23rd", "30th", "31st"]


def test_days_are_days_and_differ(rng):
    days = dates.days(36_525, rng)
    assert len(set(days)) == 36_525 == (datetime.date(2050, 1, 1) - datetime.date(1950, 1, 1)).days
    assert all(datetime.date(*day).isoformat() == dates.iso(day) for day in days[:2000])
    with pytest.raises(ValueError, match="36525 days"):
        dates.days(36_526, rng)


def test_written_dates_have_known_characters_and_fit(rng):
    texts, answers = dates.written(dates.days(3000, rng), rng)
    assert set("".join(texts)) <= set(dates.CHARACTERS) and max(map(len, texts)) <= 20 and len(texts) == len(answers)
    assert len({text[0].isdigit() for text in texts}) == 2


def test_the_parts_of_a_text(rng):
    kinds = dates.parts(["3rd March 2021", "2021, March 30", "Mar 3, 2021"], 16)
    assert kinds.shape == (3, 16)
    shown = ["".join(one[:1] or "." for one in row) for row in kinds]
    assert shown == ["ddd.mmmmm.yyyy..", "yyyy..mmmmm.dd..", "mmm.d..yyyy....."]


def test_dates_in_numbers_can_leave_dates_out(rng):
    every, answers = dates.in_numbers(500, np.random.default_rng(3))
    out = set(answers[:100])
    texts, left = dates.in_numbers(500, np.random.default_rng(3), without=out)
    assert not out & set(left) and len(texts) == len(left) < 500
    assert texts == [text for text, answer in zip(every, answers, strict=True) if answer not in out]


def test_dates_in_numbers_are_one_of_three_readings_in_the_asked_shares(rng):
    texts, answers = dates.in_numbers(6000, rng)
    counts = np.zeros(3)
    for text, answer in zip(texts, answers, strict=True):
        a, b, c = text.split("/")
        readings = [f"20{a}-{b}-{c}", f"20{c}-{b}-{a}", f"20{c}-{a}-{b}"]
        assert answer in readings
        if len({a, b, c}) == 3:
            counts[readings.index(answer)] += 1
    assert np.allclose(counts / counts.sum(), [0.4, 0.3, 0.3], atol=0.03)
