"""Checks of the exercises of notebook 00, which show what an exercise is."""

from coursekit.arrays import as_array
from coursekit.exercises import NOT_ATTEMPTED, exercise


@exercise("0.1")
def check_test_size(answer):
    """The number of images in the test set of the data that the session's profile loads."""
    from coursekit import load, scale

    data = load(scale(quick="digits28", full="mnist"))
    if as_array(answer).shape != () or isinstance(answer, str | bool):
        return "the answer is one number; of a shape such as (360, 28, 28), the first entry counts the images"
    if answer == len(data.x_train):
        return "that is the training set; count the test set"
    if answer == len(data.x_train) + len(data.x_test):
        return "that is both sets together; count the test set alone"
    if answer != len(data.x_test):
        return f"the test set does not have {answer} images; len(x_test) counts along the first axis"
    return None


@exercise("0.2")
def check_accuracy(accuracy_of):
    """Share of equal labels, on random labels of random length."""
    import numpy as np

    rng = np.random.default_rng()
    for _ in range(5):
        n = 2 * int(rng.integers(3, 25)) + 1  # odd: never as many right as wrong
        actual = rng.integers(0, 4, n)
        predicted = actual.copy()
        changed = rng.permutation(n)[: rng.integers(1, n - 1)]  # at least two stay right
        predicted[changed] = (actual[changed] + rng.integers(1, 4, len(changed))) % 4  # any other label
        got = accuracy_of(predicted.copy(), actual.copy())
        if got is None or got is ...:
            return NOT_ATTEMPTED
        got, right = as_array(got), n - len(changed)
        if got.shape != ():
            return f"the accuracy is one number; yours has the shape {got.shape}: take the mean of the comparison"
        if got == right:
            return "that is how many are right; the accuracy is their share, from 0 to 1"
        if np.isclose(got, len(changed) / n):
            return "that is the share of errors; count the labels that are equal"
        if np.isclose(got, 100 * right / n):
            return "that is in percent; the accuracy runs from 0 to 1"
        if not np.isclose(got, right / n):
            return f"{right} right labels of {n} are an accuracy of {right / n:.3f}, and yours is {float(got):.3f}"
    return None
