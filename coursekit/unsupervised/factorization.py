"""Ratings factorized into tastes of people and styles of films, by alternating least squares. Born in notebook 15.

Y. Koren, R. Bell and C. Volinsky (2009), "Matrix factorization techniques for recommender systems".
"""

import numpy as np

from coursekit.unsupervised.points import points


def ridge(features, wanted, strength):
    """The weights w with the least ||features w - wanted||² + strength ||w||²: (f,)."""
    return np.linalg.solve(features.T @ features + strength * np.eye(features.shape[1]), features.T @ wanted)


def alternating_least_squares(person, film, values, people, styles, *, strength=2.0, rounds=10):
    """Tastes (people, f) and styles (films, f) whose products come near to known values.

    person, film, values: (m,), one entry for each rating: who, what, and the rating less what is taken away before,
    such as the film's mean. styles: (films, f), the start. In a round each person's taste is fitted with the styles
    held, then each film's style with the tastes held; `strength` pulls both to 0. Who has no rating gets a taste of 0.
    Raises ValueError for values that are NaN, or for a person or a film that isn't there.
    """
    styles, values = points(styles), np.asarray(values, dtype=float)
    person, film = np.asarray(person), np.asarray(film)
    if values.ndim != 1 or person.shape != values.shape or film.shape != values.shape or not len(values):
        raise ValueError(f"{person.shape}, {film.shape} and {values.shape}; give one person, film and value a rating")
    if not np.isfinite(values).all():
        raise ValueError("some ratings are NaN or infinite; leave them out, for a rating that isn't known has no row")
    if min(person.min(), film.min()) < 0 or person.max() >= people or film.max() >= len(styles):
        raise ValueError(f"a person or a film isn't there; count {people} people and {len(styles)} films from 0")
    by_person = [np.flatnonzero(person == i) for i in range(people)]
    by_film = [np.flatnonzero(film == j) for j in range(len(styles))]
    for _ in range(rounds):
        tastes = np.array([ridge(styles[film[rows]], values[rows], strength) for rows in by_person])
        styles = np.array([ridge(tastes[person[rows]], values[rows], strength) for rows in by_film])
    return tastes, styles
