"""Checks of the exercises of notebook 00, which show what an exercise is."""

from coursekit.exercises import NOT_ATTEMPTED, exercise
from coursekit.exercises.answers import missing, numbers


@exercise("0.1")
def check_test_size(answer):
    """The number of images in the test set of the data that the session's profile loads."""
    from coursekit import load, scale

    data = load(scale(quick="digits28", full="mnist"))
    number = numbers(answer)
    if number is None or number.size != 1:
        return "the answer is one number; of a shape such as (360, 28, 28), the first entry counts the images"
    number = float(number.reshape(()))
    if number == len(data.x_train):
        return "that is the training set; count the test set"
    if number == len(data.x_train) + len(data.x_test):
        return "that is both sets together; count the test set alone"
    if number != len(data.x_test):
        return f"the test set does not have {number:.6g} images; len(x_test) counts along the first axis"
    return None


@exercise("0.2")
def check_accuracy(accuracy_of):
    """Share of equal labels, on random labels of random length; then with all right, and with none."""
    import numpy as np

    rng = np.random.default_rng()
    for case in range(7):
        n = 2 * int(rng.integers(3, 25)) + 1  # odd: never as many right as wrong
        actual = rng.integers(-1, 3, n)
        predicted = actual.copy()
        wrong = {5: 0, 6: n}.get(case, int(rng.integers(1, n - 1)))  # at first, at least two stay right
        changed = rng.permutation(n)[:wrong]
        predicted[changed] = (actual[changed] + 1 + rng.integers(1, 4, wrong)) % 4 - 1  # any other label
        got = accuracy_of(predicted.copy(), actual.copy())
        if missing(got):
            return NOT_ATTEMPTED
        got, right = numbers(got), n - wrong
        if got is None or got.size != 1:
            what = "truth values or text" if got is None else f"the shape {got.shape}"
            return f"the accuracy is one number; yours has {what}: take the mean of the comparison"
        got = got.reshape(())
        if np.isclose(got, right / n, rtol=0, atol=6e-4):
            continue
        if got == right:
            return "that is how many are right; the accuracy is their share, from 0 to 1"
        if np.isclose(got, len(changed) / n):
            return "that is the share of errors; count the labels that are equal"
        if np.isclose(got, 100 * right / n):
            return "that is in percent; the accuracy runs from 0 to 1"
        return f"{right} right labels of {n} are an accuracy of {right / n:.3f}, and yours is {float(got):.3f}"
    return None
