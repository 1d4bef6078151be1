"""Dates as people write them, each beside its ISO date; made by this module, no locale is asked. Born in notebook 10.

texts, answers = written([(2021, 3, 3)], rng)  # ["3 March 2021"], or another way to write it; ["2021-03-03"]
"""

import calendar
import re

import numpy as np

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
WAYS = (
    "{day} {month} {year}",
    "{month} {day}, {year}",
    "{day} {short} {year}",
    "{short} {day}, {year}",
    "{day}{ending} {month} {year}",
    "{year}, {month} {day}",
)  # how a date in words is written
YEARS = range(1950, 2050)
CHARACTERS = "".join(sorted(set("0123456789 ,/stndrdth" + "".join(MONTHS))))  # all that occur in a written date


def days(n, rng):
    """`n` different days of the years 1950 to 2049, drawn at random: a list of (year, month, day)."""
    every = [
        (year, month, day)
        for year in YEARS
        for month in range(1, 13)
        for day in range(1, calendar.monthrange(year, month)[1] + 1)
    ]
    if not 0 <= n <= len(every):
        raise ValueError(f"there are {len(every)} days in these years, so {n} different ones can't be drawn")
    return [every[i] for i in rng.permutation(len(every))[:n]]


def in_words(day, way):
    """A day (year, month, day) written in one of the ways 0 to 5."""
    year, month, number = day
    name = MONTHS[month - 1]
    ending = "th" if number in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return WAYS[way].format(day=number, ending=ending, month=name, short=name[:3], year=year)


def iso(day):
    """A day (year, month, day) as its ISO date, such as "2021-03-03"."""
    return "{:04d}-{:02d}-{:02d}".format(*day)


def written(chosen, rng):
    """The days in `chosen` in words, each in one of the six ways, drawn at random, and their ISO dates: two lists."""
    ways = rng.integers(len(WAYS), size=len(chosen))
    return [in_words(day, way) for day, way in zip(chosen, ways, strict=True)], [iso(day) for day in chosen]


def in_numbers(n, rng, year_first=0.4, day_first=0.3, without=()):
    """`n` dates of three numbers such as "03/04/05", which can be read in three ways, and their ISO dates: two lists.

    All three numbers lie between 1 and 12. A share `year_first` of the writers puts the year first (year, month, day),
    a share `day_first` the day (day, month, year), and all others the month (month, day, year). Years are 2001 to 2012.
    Dates in `without`, such as "2012-05-02", are left out; then there are fewer than n.
    """
    numbers = rng.integers(1, 13, size=(n, 3))  # (n, 3): year, month, day
    orders = np.array([(0, 1, 2), (2, 1, 0), (1, 2, 0)])
    chosen = rng.choice(3, size=n, p=[year_first, day_first, 1 - year_first - day_first])
    texts = ["/".join(f"{row[i]:02d}" for i in orders[way]) for row, way in zip(numbers, chosen, strict=True)]
    answers = [iso((2000 + year, month, day)) for year, month, day in numbers]
    kept = [i for i, answer in enumerate(answers) if answer not in without]
    return [texts[i] for i in kept], [answers[i] for i in kept]


def parts(texts, longest):
    """Which part of its date each character belongs to: (n, longest) of "year", "month", "day", or "" for signs."""
    kinds = np.full((len(texts), longest), "", dtype="U5")
    for row, text in zip(kinds, texts, strict=True):
        for found in re.finditer(r"[0-9]{4}|[0-9]{1,2}(st|nd|rd|th)?|[A-Z][a-z]+", text):
            word = found.group()
            row[found.start() : found.end()] = (
                "month" if word[0].isalpha() else "year" if len(word) == 4 and word.isdigit() else "day"
            )
    return kinds
