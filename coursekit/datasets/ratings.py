"""Ratings of films by people whose taste is known, because this module made both. Born in notebook 15.

    seen, hidden, truth = ratings(rng)

A person likes a film by 3.3 + quality of the film + generosity of the person + taste · style, with two numbers for
taste and two for style. A rating is that plus noise. Popular films are rated more often.
"""

import numpy as np

NOISE = 0.5  # standard deviation of a rating about what a person truly likes


def ratings(rng, people=400, films=120, each=24, styles=2):
    """seen and hidden: arrays (m, 3) with person, film and rating; truth: (people, films), what each truly likes.

    Each person rates `each` films, no film twice; every fourth of these ratings is hidden. Raises ValueError where
    `each` is more than half of the films, or below 4.
    """
    if not 4 <= each <= films / 2:
        raise ValueError(f"each person rates {each} of {films} films; give 4 to {films // 2}")
    taste, style = rng.normal(size=(people, styles)), rng.normal(0, 0.5, size=(films, styles))
    quality, generosity = rng.normal(0, 0.4, size=films), rng.normal(0, 0.3, size=(people, 1))
    truth = 3.3 + quality + generosity + taste @ style.T
    chance = np.exp(0.8 * rng.normal(size=films) + quality)
    chance /= chance.sum()
    rows = []
    for person in range(people):
        rated = rng.choice(films, size=each, replace=False, p=chance)
        values = truth[person, rated] + rng.normal(0, NOISE, size=each)
        rows.append(np.column_stack([np.full(each, person), rated, values]))
    rows = np.concatenate(rows)
    hidden = np.arange(len(rows)) % 4 == 3
    return rows[~hidden], rows[hidden], truth
