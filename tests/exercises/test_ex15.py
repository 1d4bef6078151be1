"""The checks of notebook 15: right answers pass in any dress, gaps are not attempted, mistakes get their hints."""

from fractions import Fraction

import numpy as np
import pytest

from coursekit.exercises import NOT_ATTEMPTED, attempt

TIMES = 30
TURN, FAILURES, SILHOUETTES, MAP = [2, 1.5, 7, 12.75], ["B", "D", "A", "C"], [0.25, 0.6, 3 / 13], ["N", "N", "Y", "N"]


def outcomes(exercise, answer, times=TIMES):
    return [attempt(exercise, answer) for _ in range(times)]


# --- right answers ----------------------------------------------------------------------------------------------------
def labels_of(x, centroids):
    return ((x[:, None] - centroids) ** 2).sum(axis=-1).argmin(axis=1)


def turn(x, centroids, center=np.mean, labels=labels_of, empty=lambda old, x: old):
    given, moved = labels(x, centroids), centroids.astype(float)
    for j in range(len(centroids)):
        inside = x[given == j]
        moved[j] = center(inside, axis=0) if len(inside) else empty(centroids[j], x)
    return given, moved


def turn_by_matrices(x, centroids):
    labels = np.linalg.norm(x[:, None] - centroids, axis=-1).argmin(axis=1)
    member = np.eye(len(centroids))[labels]
    counts = member.sum(axis=0)[:, None]
    moved = np.where(counts > 0, member.T @ x / np.maximum(counts, 1), centroids)
    return [labels.tolist(), moved.astype("float32")]


def turn_in_half_precision(x, centroids):
    labels, moved = turn(x, centroids)
    return labels.astype("int8"), moved.astype("float16")


def rebuild(x, m):
    mean = x.mean(axis=0)
    _, _, vt = np.linalg.svd(x - mean, full_matrices=False)
    return (x - mean) @ vt[:m].T @ vt[:m] + mean


def rebuild_with_scikit_learn(x, m):
    from sklearn.decomposition import PCA

    part = PCA(m).fit(x)
    return part.inverse_transform(part.transform(x)).tolist()


def worth(scores, dollars, is_fraud, checks, price):
    order = np.argsort(-scores)[:checks]
    return dollars[order][is_fraud[order]].sum() - price * len(order)


def worth_one_by_one(scores, dollars, is_fraud, checks, price):
    total = 0.0
    for i in sorted(range(len(scores)), key=lambda i: -scores[i])[:checks]:
        total += (dollars[i] if is_fraud[i] else 0) - price
    return np.array([total], dtype="float32")


def with_the_truth(wrong=0.0):
    """Labels looked up, so that no test has to cluster: a share of them is wrong."""
    from coursekit.datasets import load

    x, y, _, _, _ = load("digits")
    number = {row.astype(float).tobytes(): label for row, label in zip(x.reshape(-1, 64), y, strict=True)}

    def group(x):
        labels = np.array([number[row.tobytes()] for row in x])
        rng = np.random.default_rng(0)
        return np.where(rng.random(len(x)) < wrong, rng.integers(10, size=len(x)), (labels + 3) % 10)

    return group


@pytest.mark.parametrize(
    "exercise, answer",
    [
        ("15.1", TURN),
        ("15.1", (np.float32(2), Fraction(3, 2), 7, [12.75][0])),
        ("15.1", [2, 1.5, 7, 12.8]),
        ("15.2", turn),
        ("15.2", turn_in_half_precision),
        ("15.2", turn_by_matrices),
        ("15.2", lambda x, c: (turn(x, c)[0][:, None], turn(x, c)[1])),
        ("15.3", FAILURES),
        ("15.3", "b d a c"),
        ("15.4", SILHOUETTES),
        ("15.4", [0.25, 0.6, 0.23]),
        ("15.5", rebuild),
        ("15.5", rebuild_with_scikit_learn),
        ("15.5", lambda x, m: rebuild(x, m).astype("float32")),
        ("15.6", MAP),
        ("15.6", "nnyn"),
        ("15.6", ["no", "No", "yes", "NO"]),
        ("15.6", "N, N, Y, N"),
        ("15.7", worth),
        ("15.7", worth_one_by_one),
    ],
)
def test_what_is_right_passes_in_any_dress(exercise, answer):
    assert outcomes(exercise, answer) == [None] * TIMES


@pytest.mark.parametrize("dress", [np.asarray, list, lambda labels: labels[:, None], lambda labels: labels + 0.0])
def test_ten_good_groups_pass(dress):
    group = with_the_truth(0.05)
    assert outcomes("15.8", lambda x: dress(group(x)), 5) == [None] * 5


def test_one_unlucky_draw_is_not_the_end():
    draws, good, near = [], with_the_truth(0.05), with_the_truth(0.13)

    def group(x):
        draws.append(len(x))
        return (near if len(draws) < 3 else good)(x)

    assert attempt("15.8", group) is None and draws == [1000] * 3
    draws.clear()
    assert "is wanted" in attempt("15.8", lambda x: draws.append(len(x)) or np.arange(len(x)) % 10)
    assert draws == [1000]


def test_the_solution_of_15_8_passes():
    from sklearn.cluster import KMeans
    from sklearn.manifold import TSNE

    def group(x):
        plane = TSNE(perplexity=20, init="pca", max_iter=500, random_state=0).fit_transform(x)
        return KMeans(10, n_init=10, random_state=0).fit_predict(plane)

    assert attempt("15.8", group) is None


# --- gaps -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("exercise", ["15.2", "15.5", "15.7", "15.8"])
def test_a_function_with_a_gap_is_not_attempted(exercise):
    assert attempt(exercise, lambda *_: None) is attempt(exercise, lambda *_: ...) is NOT_ATTEMPTED


@pytest.mark.parametrize("exercise, places", [("15.1", 4), ("15.3", 4), ("15.4", 3), ("15.6", 4)])
def test_a_list_of_gaps_is_not_attempted(exercise, places):
    assert attempt(exercise, ...) is attempt(exercise, [...] * places) is NOT_ATTEMPTED


# --- mistakes ---------------------------------------------------------------------------------------------------------
def with_place(right, place, wrong):
    return [*right[:place], wrong, *right[place + 1 :]]


def farthest(x, centroids):
    return ((x[:, None] - centroids) ** 2).sum(axis=-1).argmax(axis=1)


def nan_for_the_empty(x, centroids):
    labels = labels_of(x, centroids)
    empty = np.full(x.shape[1], np.nan)
    return labels, np.array(
        [x[labels == j].mean(axis=0) if (labels == j).any() else empty for j in range(len(centroids))]
    )


def drops_the_empty(x, centroids):
    labels = labels_of(x, centroids)
    return labels, np.array([x[labels == j].mean(axis=0) for j in np.unique(labels)])


def moves_what_was_given(x, centroids):
    labels, moved = turn(x, centroids)
    centroids[:] = moved
    return labels, centroids


def turn_in_the_dtype_given(x, centroids):
    labels, moved = turn(x, centroids)
    return labels, moved.astype(centroids.dtype)


def labels_after_the_move(x, centroids):
    moved = turn(x, centroids)[1]
    return labels_of(x, moved), moved


def turns_to_the_end(x, centroids):
    for _ in range(20):
        labels, centroids = turn(x, centroids)
    return labels, centroids


def only_clusters_up_to_the_last_label(x, centroids):
    labels, moved = labels_of(x, centroids), centroids.astype(float)
    for place, j in enumerate(np.unique(labels)):
        moved[place] = x[labels == j].mean(axis=0)
    return labels, moved


def forgets_single_points(x, centroids):
    labels, moved = turn(x, centroids)
    alone = np.bincount(labels, minlength=len(centroids)) == 1
    return labels, np.where(alone[:, None], centroids, moved)


def centers_in_place(x, m):
    mean = x.mean(axis=0)
    x -= mean
    return rebuild(x, m) + mean


def svd_of(x, m, center=True, rows=True, last=False, back=True):
    mean = x.mean(axis=0)
    moved = x - mean if center else x
    _, _, vt = np.linalg.svd(moved, full_matrices=False)
    chosen = (vt[-m:] if last else vt[:m]) if rows else vt[:, :m].T
    return moved @ chosen.T @ chosen + (mean if back and center else 0)


def by_scores(change):
    def answer(scores, dollars, is_fraud, checks, price):
        top = np.argsort(-scores)[:checks]
        return change(top, dollars, is_fraud, checks, price)

    return answer


@pytest.mark.parametrize(
    "exercise, mistake, hint",
    [
        ("15.1", with_place(TURN, 0, 3), "second centroid"),
        ("15.1", with_place(TURN, 1, 2), "1 and 2 only"),
        ("15.1", with_place(TURN, 2, 9), "3 belongs to it, too"),
        ("15.1", with_place(TURN, 2, 8), "median"),
        ("15.1", with_place(TURN, 3, 26.5), "assign once more"),
        ("15.1", with_place(TURN, 3, 6.5), "squares"),
        ("15.1", with_place(TURN, 3, 5), "(d): not yet"),
        ("15.2", lambda x, c: turn(x, c, labels=farthest), "farthest"),
        ("15.2", lambda x, c: turn(x, c, center=np.sum), "sums"),
        ("15.2", lambda x, c: turn(x, c, empty=lambda old, x: old * 0), "became 0"),
        ("15.2", lambda x, c: turn(x, c, empty=lambda old, x: x.mean(axis=0)), "mean of all points"),
        ("15.2", nan_for_the_empty, "mean of nothing"),
        ("15.2", drops_the_empty, "keep the empty one"),
        ("15.2", lambda x, c: (labels_of(x, c), c), "haven't moved"),
        ("15.2", moves_what_was_given, "has changed"),
        ("15.2", lambda x, c: (*turn(x, c), x.sort(axis=0))[:2], "has changed"),
        ("15.2", turn_in_the_dtype_given, "make it one of floats"),
        ("15.2", labels_after_the_move, "from before the move"),
        ("15.2", turns_to_the_end, "after several turns"),
        ("15.2", only_clusters_up_to_the_last_label, "has no points and should stay"),
        ("15.2", forgets_single_points, "should move to"),
        ("15.2", lambda x, c: turn(x, c, empty=lambda old, x: x[0]), "has no points and should stay"),
        ("15.2", lambda x, c: (turn(x, c)[0] + 1, turn(x, c)[1]), "begin with 1"),
        ("15.2", lambda x, c: turn(x, c)[::-1], "labels come first"),
        ("15.2", lambda x, c: turn(x, c)[0], "two things"),
        ("15.2", lambda x, c: (turn(x, c)[0], turn(x, c)[1] + 0.1), "should move to"),
        ("15.3", with_place(FAILURES, 0, "A"), "income"),
        ("15.3", with_place(FAILURES, 1, "C"), "what differs"),
        ("15.3", with_place(FAILURES, 2, "D"), "straight lines"),
        ("15.3", with_place(FAILURES, 3, "D"), "a hundred starts agree"),
        ("15.3", with_place(FAILURES, 3, "E"), "A to D"),
        ("15.4", with_place(SILHOUETTES, 0, 0.5), "leaves the point itself out"),
        ("15.4", with_place(SILHOUETTES, 0, 1 / 3), "larger of a and b"),
        ("15.4", with_place(SILHOUETTES, 0, -0.25), "b − a"),
        ("15.4", with_place(SILHOUETTES, 1, 0.8), "leaves the point itself out"),
        ("15.4", with_place(SILHOUETTES, 1, 0.33), "nearest point"),
        ("15.4", with_place(SILHOUETTES, 2, 0.3), "larger of a and b"),
        ("15.4", with_place(SILHOUETTES, 2, 0.9), "not yet"),
        ("15.5", lambda x, m: svd_of(x, m, back=False), "mean is missing at the end"),
        ("15.5", lambda x, m: svd_of(x, m, center=False), "take the mean away"),
        ("15.5", lambda x, m: svd_of(x, m, last=True), "last components"),
        ("15.5", lambda x, m: svd_of(x, m, rows=False), "V transposed"),
        ("15.5", lambda x, m: x, "all components are used"),
        ("15.5", lambda x, m: (x - x.mean(axis=0)) @ np.eye(x.shape[1])[:, :m], "coordinates"),
        ("15.5", centers_in_place, "has changed"),
        ("15.5", lambda x, m: rebuild(x, m + 1), "m is"),
        ("15.5", lambda x, m: rebuild(x, 1), "the first component alone"),
        ("15.5", lambda x, m: rebuild(x / x.std(axis=0), m) * x.std(axis=0), "leave the spread"),
        ("15.5", lambda x, m: svd_of(x - x.mean(), m, center=False) + x.mean(), "each feature has its own"),
        ("15.5", lambda x, m: rebuild(x, m) + 0.1, "row"),
        ("15.6", with_place(MAP, 0, "Y"), "wide groups shrink"),
        ("15.6", with_place(MAP, 1, "Y"), "10 and 60"),
        ("15.6", with_place(MAP, 2, "N"), "trustworthiness"),
        ("15.6", with_place(MAP, 3, "yes"), "clumps"),
        ("15.6", with_place(MAP, 3, "maybe"), "Y or N"),
        ("15.6", "yn", "four letters"),
        ("15.7", by_scores(lambda top, d, f, k, p: d[top][f[top]].sum()), "subtract their price"),
        ("15.7", by_scores(lambda top, d, f, k, p: (d[top][f[top]] - p).sum()), "finds nothing"),
        ("15.7", by_scores(lambda top, d, f, k, p: d[top].sum() - p * len(top)), "honest payments"),
        ("15.7", by_scores(lambda top, d, f, k, p: d[top][f[top]].sum() - p * k), "that are there"),
        ("15.7", by_scores(lambda top, d, f, k, p: d[f].sum() - p * len(top)), "nobody checks"),
        ("15.7", by_scores(lambda top, d, f, k, p: d[top][f[top]].sum() - p), "not once"),
        ("15.7", lambda s, *more: worth(-s, *more), "lowest scores"),
        ("15.7", lambda s, *more: worth(np.abs(s), *more), "without its sign"),
        ("15.7", lambda s, d, *more: worth(d, d, *more), "largest amounts"),
        ("15.7", lambda *day: -worth(*day), "saved as positive"),
        ("15.7", lambda *day: max(0, worth(*day)), "the answer is negative"),
        ("15.7", lambda s, *more: (worth(s, *more), s.sort())[0], "has changed"),
        ("15.7", lambda s, d, *more: (worth(s, d, *more), d.fill(0))[0], "has changed"),
        ("15.7", lambda s, d, f, k, p: worth(s, d, f, k or len(s), p), "[-0:] takes all"),
        ("15.7", by_scores(lambda top, d, f, k, p: d[top][f[top]].sum() - p * (~f[top]).sum()), "finds a fraud"),
        ("15.7", lambda s, d, *more: d, "one number"),
        ("15.7", by_scores(lambda top, d, f, k, p: 1e6), "it should be"),
    ],
)
def test_each_mistake_gets_its_own_hint(exercise, mistake, hint):
    for said in outcomes(exercise, mistake):
        assert isinstance(said, str) and hint in said


@pytest.mark.parametrize(
    "mistake, hint",
    [
        (lambda x: np.arange(len(x)) % 10, "adjusted Rand index is"),
        (lambda x: with_the_truth(0.185)(x), "k-means on the pixels"),
        (lambda x: np.arange(len(x)), "ten clusters"),
        (lambda x: np.arange(10), "has the shape (10,)"),
        (lambda x: np.linspace(0, 9, len(x)), "whole numbers"),
        (lambda x: "ten", "no array of numbers"),
    ],
)
def test_groups_that_do_not_do_get_a_hint(mistake, hint):
    for said in outcomes("15.8", mistake, 3):
        assert isinstance(said, str) and hint in said
