# %% [markdown]
# Notebook 04 ended with networks that knew their training examples by heart and did worse on new ones. **What can be
# done about it?** There are many remedies: fewer parameters, more data, a price on large weights, switching off units
# at random, stopping early, asking several models. People hand them on as recipes. This page takes them one at a time,
# asks each what it does, and measures when it helps. Some of the answers are "here it doesn't".

# %%
import time
import warnings

import keras
import numpy as np
from keras import ops
from sklearn import ensemble, linear_model, pipeline, preprocessing, tree

from coursekit import regularization

Polynomial = np.polynomial.Polynomial

# %% [markdown]
# ## 1. The bank that lends on a wild curve
#
# A bank has lent small sums to eleven market traders and knows what cash flow each had afterwards (both in thousands;
# we made the points up). A twelfth trader asks for 3,250. What cash flow should the bank expect?
#
# One clerk fits a polynomial of degree 3, another one of degree 10. Eleven points and eleven coefficients: the second
# curve can pass through every point.

# %%
# NBVAL_CHECK_OUTPUT
lent = np.array([1.1, 1.3, 1.8, 1.9, 2.0, 2.5, 3.5, 4.2, 4.3, 4.6, 4.7])  # (11,)
cash = np.array([1.95, 4.04, 4.83, 4.5, 5.25, 5.0, 4.75, 2.65, 0.8, 1.54, 1.91])
cubic, wild = (Polynomial.fit(lent, cash, degree) for degree in (3, 10))
grid = np.linspace(1.1, 4.7, 400)
curves = {"degree 3": cubic(grid), "degree 10": wild(grid)}
ck.plots.points_and_curves(lent, cash, grid, curves, "lent (thousands)", "cash flow", marked=3.25)

missed = {"3": np.abs(cubic(lent) - cash).max(), "10": np.abs(wild(lent) - cash).max()}
claim(
    "degree 10 passes through every point, and between 5 and 4.75 it says below minus 5",
    missed["10"] < 1e-6 and wild(3.25) < -5 and min(wild(2.5), wild(3.5)) > 4.7,
    f"{wild(2.5):.2f} at 2.5, {wild(3.25):.2f} at 3.25, {wild(3.5):.2f} at 3.5",
)
claim(
    "degree 3 misses points, and says something between its neighbours there",
    missed["3"] > 0.5 and 4 < cubic(3.25) < 5.5,
    f"{cubic(3.25):.2f} at 3.25, misses a point by up to {missed['3']:.2f}",
)

# %% [markdown]
# The second clerk's curve has no mistakes on the data and means nothing between them. The bank would refuse a good
# customer because of a bend that no trader ever caused. This is **overfitting** in one picture: the curve has learned
# the accidents of eleven points. The opposite, **underfitting**, is a straight line through the same points: too stiff
# to follow what is there. What we want is **generalisation**: to be right where we have not looked.
#
# But we built these points so that the curve goes wild. Is it always so? We know the rule behind them (a half wave,
# plus chance), so we can open two thousand more such banks and see.


# %%
def rule(x):
    """What the cash flow would be without chance."""
    return 5 * np.sin(np.pi * x / 5)


def errors_of_banks(degree, banks=2000, noise=0.5):
    """Error at 3.25 of a polynomial fitted to eleven fresh points, one for each bank."""
    y = rule(lent) + noise * rng.normal(size=(banks, 11))  # other traders, same sums
    return np.array([abs(Polynomial.fit(lent, one, degree)(3.25) - rule(3.25)) for one in y])


typical = {degree: np.median(errors_of_banks(degree)) for degree in (1, 3, 10)}
claim(
    "in most banks degree 10 is off at 3.25 by more than five times as much as degree 3",
    typical[10] > 5 * typical[3],
    f"median error {typical[3]:.2f} for degree 3, {typical[10]:.2f} for degree 10",
)

# %% [markdown]
# ## 2. Bias and variance
#
# Doing it again with fresh data is the key to all that follows. Imagine many worlds, each with its own draw of the
# training data. In each we fit a model. At one point $x$, the predictions $\hat f(x)$ form a cloud, and there are two
# ways to be wrong: the cloud as a whole lies beside the truth $f(x)$ (**bias**), or it is wide (**variance**). A new
# target $y$ adds its own noise $\sigma^2$, which no model can know. The three add up to the expected squared error:
#
# $$\mathrm{E}\big[(y-\hat f)^2\big] = \underbrace{\big(\mathrm{E}[\hat f]-f\big)^2}_{\text{bias}^2}
# + \underbrace{\mathrm{E}\big[(\hat f-\mathrm{E}[\hat f])^2\big]}_{\text{variance}} + \underbrace{\sigma^2}_{\text{noise}} .$$
#
# The mixed terms vanish because the new noise has mean zero and knows nothing of $\hat f$. Let us see it: twenty
# points, fitted in many worlds.

# %%
x = np.linspace(0, 5, 20)  # the same sums in every world
between = np.linspace(0.05, 4.95, 99)  # where we ask
sigma = 0.8


def predictions(degree, worlds=500, at=between):
    """(worlds, len(at)): each row from a polynomial fitted to its own draw of twenty targets."""
    y = rule(x) + sigma * rng.normal(size=(worlds, 20))
    basis, basis_at = (np.polynomial.chebyshev.chebvander(z / 2.5 - 1, degree) for z in (x, at))
    return (basis_at @ np.linalg.lstsq(basis, y.T, rcond=None)[0]).T


fits = {f"degree {degree}": predictions(degree) for degree in (1, 3, 12)}
ck.plots.refits(between, rule(between), fits)

# %% [markdown]
# On the left all lines agree with each other and are wrong together. On the right each world has its own story, and
# only their mean is right. Now the sum, for every degree: bias and variance from one set of worlds, and the error
# *measured* in other worlds, on fresh targets.

# %%
degrees = np.arange(13)
parts = {"bias²": [], "variance": [], "sum with noise": [], "measured": []}
for degree in degrees:
    fitted = predictions(degree)
    parts["bias²"].append(np.mean((fitted.mean(axis=0) - rule(between)) ** 2))
    parts["variance"].append(fitted.var(axis=0).mean())
    parts["sum with noise"].append(parts["bias²"][-1] + parts["variance"][-1] + sigma**2)
    fresh = rule(between) + sigma * rng.normal(size=(500, 99))
    parts["measured"].append(np.mean((predictions(degree) - fresh) ** 2))
ck.plots.curves(degrees, parts, "degree", "squared error", y_scale="log")
off = np.abs(np.array(parts["measured"]) / parts["sum with noise"] - 1).max()
claim(
    "bias², variance and noise add up to the error that is measured, at every degree",
    off < 0.05,
    f"to within {off:.1%}",
)
best = int(np.argmin(parts["measured"]))
claim(
    "the error is least in between, where neither part is least",
    2 <= best <= 5 and parts["measured"][12] > 1.2 * parts["measured"][best] < parts["measured"][0],
    f"degree {best}",
)

# %% [markdown]
# For least squares theory even says how large the variance is: each coefficient costs $\sigma^2/n$, so at the data
# points the mean variance is $\sigma^2 (d+1)/n$ for degree $d$. A model with twice the parameters has twice the
# variance. That is the price of size, and what every remedy on this page tries to lower, by paying with a little bias.

# %%
theory = sigma**2 * (degrees + 1) / len(x)
at_data = np.array([predictions(degree, at=x).var(axis=0).mean() for degree in degrees])
claim(
    "at the data points the variance is the noise times the share of parameters to points",
    np.abs(at_data / theory - 1).max() < 0.15,
    f"ratio to theory between {(at_data / theory).min():.2f} and {(at_data / theory).max():.2f}",
)

# %% [markdown] tags=["exercise"]
# ### Exercise 5.1: take the error apart
#
# `fitted` has one row for each world and one column for each point. Return the squared bias and the variance, each as
# a mean over the points.


# %% tags=["exercise"]
# NBVAL_CHECK_OUTPUT
def bias_and_variance(fitted, truth):
    """fitted: (worlds, m), truth: (m,). Returns two numbers: (bias², variance)."""
    ...  # your code


check("5.1", bias_and_variance)


# %% tags=["solution"]
# NBVAL_CHECK_OUTPUT
def bias_and_variance(fitted, truth):
    """fitted: (worlds, m), truth: (m,). Returns two numbers: (bias², variance)."""
    mean = fitted.mean(axis=0)  # (m,): over the worlds
    return np.mean((mean - truth) ** 2), np.mean((fitted - mean) ** 2)


check("5.1", bias_and_variance)

# %% [markdown]
# ## 3. What makes it worse, one cause at a time
#
# The gap between training and test error is what one sees in practice, where there is only one world. Four things
# widen it. In each panel only one of them changes: the degree of the polynomial, the number of samples, the noise, and
# how many samples show a certain yes-or-no feature (a **rare feature**: an illness, say).


# %%
def gap(n=20, degree=6, noise=0.8, repeats=400):
    """Mean training and test error of polynomials fitted to n points of the bank's rule."""
    x_train, x_test = np.linspace(0, 5, n), np.linspace(0.05, 4.95, 99)
    basis, basis_test = (
        np.polynomial.chebyshev.chebvander(z / 2.5 - 1, degree) for z in (x_train, x_test)
    )
    y = rule(x_train)[:, None] + noise * rng.normal(size=(n, repeats))
    w = np.linalg.lstsq(basis, y, rcond=None)[0]  # (degree + 1, repeats)
    y_test = rule(x_test)[:, None] + noise * rng.normal(size=(99, repeats))
    return np.mean((basis @ w - y) ** 2), np.mean((basis_test @ w - y_test) ** 2)


def gap_of_rare(shown, n=60, repeats=400):
    """Training and test error on the samples that show a feature; `shown` of n samples do."""
    rare = (np.arange(n) < shown).astype(float)
    x = np.stack([np.ones(n), rng.normal(size=n), rare], axis=1)  # (n, 3)
    y = (x @ [1, 1, 0.5])[:, None] + rng.normal(size=(n, repeats))
    w = np.linalg.lstsq(x, y, rcond=None)[0]  # (3, repeats)
    new = np.stack([np.ones(200), rng.normal(size=200), np.ones(200)], axis=1)
    y_new = (new @ [1, 1, 0.5])[:, None] + rng.normal(size=(200, repeats))
    return np.mean((x @ w - y)[:shown] ** 2), np.mean((new @ w - y_new) ** 2)


# %%
varied = {
    "model too large": ("degree", np.arange(3, 13), lambda d: gap(degree=d)),
    "few samples": ("samples", np.array([80, 60, 40, 20, 14, 10]), lambda n: gap(n=n)),
    "noise": ("deviation of the noise", np.linspace(0.2, 1.4, 7), lambda s: gap(noise=s)),
    "rare feature": ("samples that show it", np.array([30, 20, 10, 5, 3, 2, 1]), gap_of_rare),
}
panels = {}
for title, (label, values, measure) in varied.items():
    train, test = np.array([measure(value) for value in values]).T
    panels[title] = label, values, train, test
ck.plots.panels(panels)
widened = {title: (test - train)[[0, -1]] for title, (_, _, train, test) in panels.items()}
claim(
    "each of the four causes, taken alone, widens the gap to more than twice what it was",
    all(last > 2 * first > 0 for first, last in widened.values()),
    "; ".join(f"{title} {a:.2f} to {b:.2f}" for title, (a, b) in widened.items()),
)

# %% [markdown]
# (Read the second and the fourth panel from right to left.) The rare feature is the one that is easily overlooked:
# however many samples there are in all, its weight is learned from those few that show it. With a single one the
# weight simply takes up that sample's noise: training error zero, test error twice the noise. Words in texts, products
# in shops and diagnoses are nearly all rare.
#
# The second panel turned round is a **learning curve**: error over the number of samples. It tells the two illnesses
# apart. If training and test error have met and are both too high, that is bias, and more data will not help. If there
# is a gap, that is variance, and more data will.

# %%
samples = np.array([14, 20, 30, 50, 100, 200, 400])
test_error = {f"degree {d}": [gap(n, d)[1] for n in samples] for d in (1, 3, 10)}
ck.plots.curves(samples, test_error, "samples", "test error")
line, cubic_error, large = (np.array(one) for one in test_error.values())
claim(
    "more data cure the variance of degree 10, and leave the bias of degree 1 as it is",
    large[0] > 1.5 * large[-1] and abs(large[-1] / sigma**2 - 1) < 0.1 and line[-1] > 3 * sigma**2,
    f"noise {sigma**2:.2f}; with {samples[-1]} samples {large[-1]:.2f} and {line[-1]:.2f}",
)

# %% [markdown]
# ## 4. Smaller models, and many of them
#
# The first remedy is **a smaller model**. A **decision tree** asks one yes-or-no question after another ("body mass
# index below 28?") until it arrives at a *leaf*, and predicts the mean of the training targets there. Left alone it
# grows until each leaf holds one patient. **Pruning** cuts back branches that lower the training error by too little
# for their size.
#
# To judge such choices we need new examples, and the test set is not for choosing. **Cross-validation** makes the most
# of what there is: cut the training data into $k$ parts (each a **fold**), train on all but one, validate on that one,
# and let each part take its turn.


# %%
def k_folds(n, k, rng):
    """k pairs (training indices, validation indices); each of the n samples is validated once."""
    parts = np.array_split(rng.permutation(n), k)
    return [(np.concatenate(parts[:i] + parts[i + 1 :]), parts[i]) for i in range(k)]


def cross_validate(make, x, y, folds):
    """Validation error of each fold. make() gives a fresh model, which scales anew."""
    errors = []
    for train, validation in folds:
        model = make().fit(x[train], y[train])
        errors.append(np.mean((model.predict(x[validation]) - y[validation]) ** 2))
    return np.array(errors)


x_train, y_train, x_test, y_test, card = load("diabetes")
folds = k_folds(len(x_train), 10, rng)
print(f"10 folds of {len(x_train)} patients, validated on {[len(v) for _, v in folds]}")

# %%
leaves, cut = [], np.array([0, 1, 3, 10, 20, 40, 80, 160, 320, 640, 1280])
panel = []
for alpha in cut:
    grown = lambda: tree.DecisionTreeRegressor(ccp_alpha=alpha, random_state=0)
    whole = grown().fit(x_train, y_train)
    leaves.append(whole.get_n_leaves())
    validated = cross_validate(grown, x_train, y_train, folds).mean()
    panel.append((np.mean((whole.predict(x_train) - y_train) ** 2), validated))
leaves, panel = np.array(leaves), np.array(panel)
both = {"training": panel[:, 0], "validation": panel[:, 1]}
ck.plots.curves(leaves, both, "leaves", "squared error", x_scale="log")
pruned = int(panel[:, 1].argmin())
claim(
    "a pruned tree with few leaves beats the fully grown one by a third",
    panel[pruned, 1] < panel[0, 1] * 2 / 3 and leaves[pruned] < 30,
    f"{panel[pruned, 1]:.0f} with {leaves[pruned]} leaves, {panel[0, 1]:.0f} with {leaves[0]}",
)

# %% [markdown]
# The second remedy looks like the opposite: **many models**. **Bagging** trains large trees on random redraws of the
# data and averages them. Each has low bias and high variance, and averaging lowers variance. **Boosting** adds many
# *small* trees, each fitted to what is left over by those before it: each has high bias and low variance, and adding
# lowers bias. **Stacking** lets a linear model learn how to weigh the predictions of different models. And the
# baseline: **ridge**, the linear regression of notebook 04 with a small price on its weights, of which more in a
# moment.

# %%
n_trees = scale(quick=40, full=200)
forest = lambda: ensemble.BaggingRegressor(n_estimators=n_trees, random_state=0)
boosted = lambda: ensemble.GradientBoostingRegressor(
    n_estimators=n_trees, max_depth=2, learning_rate=4 / n_trees, random_state=0
)
linear = lambda: pipeline.make_pipeline(preprocessing.StandardScaler(), linear_model.Ridge(10))
makers = {
    "full tree": lambda: tree.DecisionTreeRegressor(random_state=0),
    "pruned tree": lambda: tree.DecisionTreeRegressor(ccp_alpha=cut[pruned], random_state=0),
    "bagging": forest,
    "boosting": boosted,
    "stacking": lambda: ensemble.StackingRegressor(
        [("linear", linear()), ("boosting", boosted())], linear_model.LinearRegression(), cv=5
    ),
    "ridge": linear,
}
by_method = {}
for name, make in ck.progress(makers.items(), "models", unit="model"):
    by_method[name] = cross_validate(make, x_train, y_train, folds)
ck.plots.methods({"diabetes, ten folds": by_method}, "squared error")

# %%
mean = {name: errors.mean() for name, errors in by_method.items()}
claim(
    "many full-grown trees averaged are better than one, by a third or more",
    mean["bagging"] < mean["full tree"] * 2 / 3,
    f"{mean['full tree']:.0f} alone, {mean['bagging']:.0f} averaged",
)
claim(
    "bagging and boosting beat the pruned tree; none of the three beats ridge by a tenth",
    max(mean["bagging"], mean["boosting"]) < mean["pruned tree"]
    and min(mean["bagging"], mean["boosting"], mean["stacking"]) > 0.9 * mean["ridge"],
    ", ".join(f"{name} {value:.0f}" for name, value in mean.items()),
)

# %% [markdown]
# The dots are folds. They scatter widely because each holds only some 35 patients, and they are not independent: any
# two share most of their training data. So the bars tell you the order of magnitude of chance, not more. On 353
# patients and ten features a linear model is hard to beat, as in notebook 04.

# %% [markdown]
# ## 5. A price on weights
#
# The third remedy leaves the model as large as it is and makes large weights expensive. Minimise
#
# $$\text{loss}(w) + \lambda R(w) .$$
#
# $R$ is the **penalty**, and its **strength** $\lambda \ge 0$ says how expensive. Two penalties matter most:
#
# - **L1**: $R(w) = \lVert w\rVert_1 = \sum_j |w_j|$, the *taxicab norm*: the way from 0 to $w$ if one can only drive
#   along the streets of a grid. A linear model with it is the **lasso** (Tibshirani, 1996).
# - **L2**: $R(w) = \lVert w\rVert_2^2 = \sum_j w_j^2$. A linear model with it is **ridge regression** (Hoerl and
#   Kennard, 1970); in networks the L2 penalty is often called *weight decay*.
#
# The **bias** $b$ of the model (the same word as in section 2 for another thing) is not penalised: it only says where
# zero is.


# %%
# NBVAL_CHECK_OUTPUT
def norm_1(w):
    return np.abs(w).sum()


print("‖[2, 4]‖₁ =", norm_1([2, 4]), "  ‖[-1, -2.5]‖₁ =", norm_1([-1, -2.5]))
kernel = np.array([[2.0, 4.0], [-1.0, -2.5]], dtype="float32")
theirs = {
    "L1": keras.regularizers.L1(0.1)(kernel),
    "L2": keras.regularizers.L2(0.1)(kernel),
}
ours = {"L1": 0.1 * norm_1(kernel), "L2": 0.1 * (kernel**2).sum()}
claim(
    "Keras's L1(λ) and L2(λ) are λ times these sums",
    all(abs(float(theirs[name]) - ours[name]) < 1e-5 for name in ours),
    ", ".join(f"{name} {value:.3f}" for name, value in ours.items()),
)

# %% [markdown]
# What do they do? First **the penalty alone**, without a loss, on one weight. The derivative of $|w|$ is $+1$ or $-1$
# (and undefined at 0): each step of gradient descent takes away *the same amount*, $\eta\lambda$, and arrives. The
# derivative of $w^2$ is $2w$: each step takes away *the same share*. With $2\eta\lambda = \frac12$ the weight goes $1,
# \frac12, \frac14, \ldots$ and never arrives.

# %%
# NBVAL_CHECK_OUTPUT
constant, halving = [1.0], [1.0]
for _ in range(50):
    constant.append(max(constant[-1] - 0.1, 0.0))  # ηλ = 0.1; a step ends at zero, not beyond
    halving.append(halving[-1] - 0.25 * 2 * halving[-1])  # ηλ = 0.25
steps = np.arange(13)
both = {"L1: constant steps": constant[:13], "L2: halving steps": halving[:13]}
ck.plots.curves(steps, both, "step", "weight")
arrived = next(i for i, w in enumerate(constant) if w < 1e-12)
claim(
    "constant steps are at zero after ten; after fifty halvings the weight is small and not zero",
    arrived <= 11 and 0 < halving[-1] < 1e-14,
    f"arrived after {arrived}; {halving[-1]:.0e} left",
)

# %% [markdown]
# **Now with a loss.** Let the loss be $(w-a)^2$, so that without a penalty the best weight is $a$. With L2, set the
# derivative $2(w-a)+2\lambda w$ to zero: $w = a/(1+\lambda)$. The weight shrinks by the same factor, whatever it is.
# With L1, the pull of the loss at $w=0$ is $2|a|$, and the penalty pulls back with $\lambda$. If $|a| \le \lambda/2$
# the penalty wins and **zero is the minimum**; otherwise $w = a \mp \lambda/2$. This function has a name, **soft
# threshold**:
#
# $$S(a, t) = \mathrm{sign}(a)\,\max(|a| - t,\ 0) .$$


# %%
# NBVAL_CHECK_OUTPUT
def soft_threshold(a, t):
    """Move each entry of a towards zero by t; what is no further away than t becomes exactly 0."""
    return np.sign(a) * np.maximum(np.abs(a) - t, 0.0)


a = np.linspace(-2, 2, 41)
lam = 1.0
w = np.linspace(-2.5, 2.5, 50_001)  # brute force: try them all
loss = (w - a[:, None]) ** 2  # (41, 50001)
prices = {"L1": np.abs(w), "L2": w**2}
searched = {name: w[(loss + lam * price).argmin(axis=1)] for name, price in prices.items()}
formula = {"L1": soft_threshold(a, lam / 2), "L2": a / (1 + lam)}
ck.plots.curves(a, {"none": a, **formula}, "best weight without penalty", "with penalty, λ = 1")
claim(
    "the two formulas give what trying 50,001 weights finds",
    all(np.abs(formula[name] - searched[name]).max() < 2e-4 for name in formula),
    f"{int((formula['L1'] == 0).sum())} of {len(a)} weights are zero with L1, "
    f"{int((formula['L2'] == 0).sum())} with L2",
)

# %% [markdown]
# (The one zero of L2 is the weight that was zero before.) With **two weights** there is a famous picture. Spending a
# fixed budget on weights means to stay inside a diamond ($|w_0| + |w_1|$ at most so much) or inside a circle. Blow up
# the loss's contour until it touches. A diamond has corners, the corners lie on the axes, and a corner is easily hit
# first.


# %%
def minimum(centre, curvature, l1=0.0, l2=0.0, steps=120):
    """Weights of least (w - centre)ᵀ curvature (w - centre) + penalty; see section 6."""
    w, rate = np.zeros(2), 0.2
    for _ in range(steps):
        w = soft_threshold(w - rate * 2 * curvature @ (w - centre), rate * l1) / (1 + 2 * rate * l2)
    return w


centre, curvature = np.array([1.6, 0.7]), np.array([[1.0, 0.4], [0.4, 1.0]])
corner, round_one = minimum(centre, curvature, l1=2.0), minimum(centre, curvature, l2=1.0)
ck.plots.penalties_and_loss(centre, curvature, corner, round_one)
others = rng.normal(size=(200, 2))
zeros = {
    "L1": sum((minimum(one, curvature, l1=1.0) == 0).any() for one in others),
    "L2": sum((minimum(one, curvature, l2=0.5) == 0).any() for one in others),
}
claim(
    "with random centres, L1 ends on an axis in most cases and L2 in none",
    zeros["L1"] > 100 and zeros["L2"] == 0,
    f"{zeros['L1']} and {zeros['L2']} of 200",
)

# %% [markdown] tags=["exercise"]
# ### Exercise 5.2: norms and steps, on paper
#
# 1. $\lVert[3,-4]\rVert_1$
# 2. $\lVert[3,-4]\rVert_2^2$
# 3. The penalty alone, L1 with $\lambda = 2$, learning rate 0.1, start $w = 1$: after how many steps is $w$ exactly 0?
# 4. The penalty alone, L2 with $\lambda = 2$, learning rate 0.1, start $w = 1$: what is $w$ after two steps?
# 5. Loss $(w-3)^2 + 4|w|$: where is its minimum?

# %% tags=["exercise"]
# NBVAL_CHECK_OUTPUT
answer = [..., ..., ..., ..., ...]

check("5.2", answer)

# %% tags=["solution"]
# NBVAL_CHECK_OUTPUT
answer = [7, 25, 5, 0.36, 1]  # 0.6 of the weight is left by each L2 step: 1 - 2 · 0.1 · 2

check("5.2", answer)

# %% [markdown]
# ## 6. From scratch, for a linear model
#
# From here on the loss is the mean squared error of a linear model, and both penalties may be present, each with its
# own strength, as in Keras's `regularizers.L1L2(l1, l2)`:
#
# $$L(w, b) = \frac1n \lVert y - Xw - b\rVert^2 + \lambda_1 \lVert w\rVert_1 + \lambda_2 \lVert w\rVert_2^2 .$$
#
# Features must be standardised first: the penalty compares weights with each other, and the weight of a length in
# metres is a thousand times the weight of the same length in millimetres. Mean and deviation come from the training
# part. The bias needs no work: subtract the means of $X$ and $y$, fit without bias, and $b = \bar y - \bar x \cdot w$.
#
# **Ridge** has a smooth penalty; setting the gradient to zero gives a linear system, as for the closed form in
# notebook 03: $(X^\top X/n + \lambda_2 I)\,w = X^\top y/n$.
#
# **Lasso** has a kink, and there a gradient step is in trouble. The way out is to take the two parts in turn. First a
# gradient step on the loss alone. Then the **proximal step**: the point that makes "penalty plus squared distance from
# where we are" least. That is the problem of section 5 again, so for L1 the answer is the soft threshold, and for both
# penalties together
#
# $$w \leftarrow \frac{S(w - \eta\nabla\text{loss},\ \eta\lambda_1)}{1 + 2\eta\lambda_2} .$$
#
# This is **proximal gradient descent** (also ISTA, iterative soft thresholding). A learning rate of one over the
# largest curvature is safe, as in notebook 03.


# %%
def ridge(x, y, l2):
    """Weights (p,) for centred x (n, p) and y (n,)."""
    return np.linalg.solve(x.T @ x / len(x) + l2 * np.eye(x.shape[1]), x.T @ y / len(x))


def elastic_net(x, y, l1=0.0, l2=0.0, steps=20_000):
    """Weights (p,) for centred x (n, p) and y (n,), by proximal gradient descent."""
    gram, target = x.T @ x / len(x), x.T @ y / len(x)
    rate = 1 / (2 * np.linalg.eigvalsh(gram)[-1])
    w = np.zeros(x.shape[1])
    for _ in range(steps):
        before = w
        w = soft_threshold(w - rate * 2 * (gram @ w - target), rate * l1) / (1 + 2 * rate * l2)
        if np.abs(w - before).max() <= 1e-9 * np.abs(w).max():
            break
    return w


# %% [markdown]
# scikit-learn solves the same problems by other algorithms, with the objective scaled otherwise, differently in each
# class:
#
# | class | minimises | so for our λ₁, λ₂ |
# |---|---|---|
# | `Ridge` | $\lVert y - Xw\rVert^2 + \alpha\lVert w\rVert_2^2$ | $\alpha = n\lambda_2$ |
# | `Lasso` | $\frac1{2n}\lVert y - Xw\rVert^2 + \alpha\lVert w\rVert_1$ | $\alpha = \lambda_1/2$ |
# | `ElasticNet` | $\frac1{2n}\lVert y - Xw\rVert^2 + \alpha r\lVert w\rVert_1 + \frac{\alpha(1-r)}2 \lVert w\rVert_2^2$ | $\alpha r = \lambda_1/2$, $\alpha(1-r) = \lambda_2$ |
#
# ($r$ is `l1_ratio`.) This is not a detail: a strength copied from one library to another is another strength.

# %%
mean, deviation = x_train.mean(axis=0), x_train.std(axis=0)
x, y = (x_train - mean) / deviation, y_train - y_train.mean()  # (353, 10), (353,)
n = len(x)
exact = {"tol": 1e-10, "max_iter": 100_000}
largest = {}
for l1, l2 in [(0, 0.03), (0, 1), (2, 0), (20, 0), (2, 0.1), (20, 1)]:
    if l1 == 0:
        name, theirs = "Ridge", linear_model.Ridge(alpha=n * l2)
    elif l2 == 0:
        name, theirs = "Lasso", linear_model.Lasso(alpha=l1 / 2, **exact)
    else:
        alpha = l1 / 2 + l2
        name, theirs = (
            "ElasticNet",
            linear_model.ElasticNet(alpha=alpha, l1_ratio=l1 / 2 / alpha, **exact),
        )
    difference = elastic_net(x, y, l1, l2) - theirs.fit(x, y).coef_
    largest[name] = max(largest.get(name, 0), np.abs(difference).max())
claim(
    "our coefficients are those of scikit-learn's Ridge, Lasso and ElasticNet to 1e-4",
    len(largest) == 3 and max(largest.values()) < 1e-4,
    ", ".join(f"{name} {value:.0e}" for name, value in largest.items()),
)

# %%
pairs = [
    (regularization.elastic_net(x, y_train, 20, 0.1)[0], elastic_net(x, y, 20, 0.1)),
    (regularization.ridge(x, y_train, 0.1)[0], ridge(x, y, 0.1)),
    (elastic_net(x, y, 0, 1), ridge(x, y, 1)),  # and our two solvers where both can do it
]
largest = max(np.abs(a - b).max() for a, b in pairs)
claim(
    "coursekit.regularization, which later notebooks use, gives the same",
    largest < 1e-4,
    f"largest difference {largest:.0e}",
)

# %% [markdown]
# Now the trade that $\lambda$ makes. As it grows, the loss on the training data can only rise and the size of the
# weights can only fall. **The two parts, drawn apart**, and beside them what we care about, the error on validation
# data:

# %%
strengths = regularization.smallest_that_zeroes(x, y) * np.logspace(0, -4, 25)
half = rng.permutation(n)
fit_on, validate_on = half[:100], half[100:]
x_fit, y_fit = x[fit_on], y[fit_on]
loss, size, validated = [], [], []
for l1 in strengths:
    w, b = regularization.elastic_net(x_fit, y_fit, l1)
    loss.append(np.mean((x_fit @ w + b - y_fit) ** 2))
    size.append(np.abs(w).sum())
    validated.append(np.mean((x[validate_on] @ w + b - y[validate_on]) ** 2))
both = {"training loss": loss, "validation error": validated}
ck.plots.curves(strengths, both, "λ", "squared error", x_scale="log")
ck.plots.curves(strengths, {"R(w)": size}, "λ", "size of the weights", x_scale="log")
best = int(np.argmin(validated))
claim(
    "with λ the training loss rises and R(w) falls, all the way",
    all(np.diff(loss[::-1]) > -1e-6) and all(np.diff(size[::-1]) < 1e-6),
    f"from {loss[-1]:.0f} to {loss[0]:.0f}, and from {size[-1]:.0f} to {size[0]:.0f}",
)

# %% [markdown] tags=["exercise"]
# ### Exercise 5.3: ridge, from raw data to test error
#
# Put it all together: standardise the features, fit ridge regression with a bias, and return the mean squared error on
# the test set. The objective is the one above, with $\lambda_1 = 0$. Nothing may be learned from the test set, and the
# bias is not penalised. NumPy is enough.


# %% tags=["exercise"]
# NBVAL_CHECK_OUTPUT
def ridge_test_error(x_train, y_train, x_test, y_test, l2):
    """x: (n, p) and (m, p), raw features; y: (n,) and (m,). Returns the test error, one number."""
    ...  # your code


check("5.3", ridge_test_error)


# %% tags=["solution"]
# NBVAL_CHECK_OUTPUT
def ridge_test_error(x_train, y_train, x_test, y_test, l2):
    """x: (n, p) and (m, p), raw features; y: (n,) and (m,). Returns the test error, one number."""
    mean, deviation = x_train.mean(axis=0), x_train.std(axis=0)
    x, x_new = (x_train - mean) / deviation, (x_test - mean) / deviation
    b = y_train.mean()  # x has mean zero, so this is the best bias
    w = np.linalg.solve(x.T @ x / len(x) + l2 * np.eye(x.shape[1]), x.T @ (y_train - b) / len(x))
    return np.mean((x_new @ w + b - y_test) ** 2)


check("5.3", ridge_test_error)

# %% [markdown] tags=["exercise"]
# ### Exercise 5.4: one proximal step
#
# Write the step for both penalties. `gradient` is that of the loss alone, at `w`.


# %% tags=["exercise"]
# NBVAL_CHECK_OUTPUT
def proximal_step(w, gradient, learning_rate, l1, l2):
    """w, gradient: (p,). Returns the new weights (p,)."""
    ...  # your code


check("5.4", proximal_step)


# %% tags=["solution"]
# NBVAL_CHECK_OUTPUT
def proximal_step(w, gradient, learning_rate, l1, l2):
    """w, gradient: (p,). Returns the new weights (p,)."""
    moved = w - learning_rate * gradient
    shrunk = np.sign(moved) * np.maximum(np.abs(moved) - learning_rate * l1, 0)
    return shrunk / (1 + 2 * learning_rate * l2)


check("5.4", proximal_step)

# %% [markdown]
# ## 7. Who reaches exactly zero
#
# "L1 makes weights zero." In Keras one writes `kernel_regularizer=keras.regularizers.L1(0.2)`, trains, and looks for
# zeros. Let us do that: twenty features, five of which matter. Automatic differentiation knows one slope of $|w|$ at
# each point, so Keras takes a **subgradient step** each time: it adds $\lambda_1\,\mathrm{sign}(w)$ to the gradient,
# whatever the distance to zero. (A *subgradient* is any slope that a line through the kink may have without crossing
# the curve.)

# %%
n, p, l1 = 200, 20, 0.2
true = np.r_[[2.0, -1.5, 1, -1, 0.8], np.zeros(p - 5)]
x = rng.normal(size=(n, p))
x = ((x - x.mean(axis=0)) / x.std(axis=0)).astype("float32")
y = (x @ true + rng.normal(size=n)).astype("float32")
y -= y.mean()
copies, labels = np.tile(x, (100, 1)), np.tile(y, 100)  # one epoch is now 100 full-batch steps


def linear_weights(optimizer, penalty=None, callbacks=()):
    """The weights (p,) that Keras finds for a linear model in 400 full-batch steps."""
    keras.utils.set_random_seed(int(rng.integers(1000)))
    layer = keras.layers.Dense(1, use_bias=False, kernel_regularizer=penalty)
    model = keras.Sequential([keras.Input((p,)), layer])
    model.compile(optimizer, "mse")
    model.fit(
        copies, labels, batch_size=n, shuffle=False, epochs=4, verbose=0, callbacks=list(callbacks)
    )
    return ops.convert_to_numpy(layer.kernel)[:, 0]


# %%
exactly = x.astype(float), y.astype(float)  # scikit-learn in float64
proximal = regularization.soft_threshold_callback(l1)
sgd, adam = (lambda: keras.optimizers.SGD(0.1)), (lambda: keras.optimizers.Adam(0.02))
found = {
    "SGD, L1": linear_weights(sgd(), keras.regularizers.L1(l1)),
    "Adam, L1": linear_weights(adam(), keras.regularizers.L1(l1)),
    "SGD, L2": linear_weights(sgd(), keras.regularizers.L2(l1)),
    "SGD + callback": linear_weights(sgd(), callbacks=[proximal]),
    "Lasso": linear_model.Lasso(alpha=l1 / 2, fit_intercept=False, tol=1e-10).fit(*exactly).coef_,
}
ck.plots.weights_at(found, [f"x{j}" for j in range(p)], limit=2.2)
zeros = {name: int((w == 0).sum()) for name, w in found.items()}
claim(
    "subgradient steps and L2 give not one exact zero",
    zeros["SGD, L1"] == zeros["Adam, L1"] == zeros["SGD, L2"] == 0,
    ", ".join(f"{name} {count}" for name, count in zeros.items()),
)
difference = np.abs(found["SGD + callback"] - found["Lasso"]).max()
claim(
    "the proximal step finds the lasso's zeros, the very same, and its weights",
    zeros["Lasso"] >= 8
    and np.array_equal(found["SGD + callback"] == 0, found["Lasso"] == 0)
    and difference < 1e-4,
    f"{zeros['Lasso']} zeros, largest difference {difference:.0e}",
)

# %% [markdown]
# The bars of the first three panels that look like zeros are none (an exact zero is a hollow circle). Why not? Near
# zero the L1 step is always as large as $\eta\lambda_1$. It jumps over zero, creeps back, jumps again: it **hovers**.
# A smaller learning rate hovers closer; it never sits. So in Keras you have three ways to real zeros:
#
# 1. **A threshold at the end**: set to zero what is smaller than a few step lengths $\eta\lambda_1$. Simple; check the
#    loss afterwards.
# 2. **A callback** that soft-thresholds after each batch, as `regularization.soft_threshold_callback` does:
#    `layer.kernel.assign(soft_threshold(kernel, η λ₁))`, with no L1 in the loss. It is the proximal step if the
#    optimizer is plain SGD. (Adam scales each weight's step, and would need a threshold scaled the same way.)
# 3. **A constraint**: `kernel_constraint` takes any function of the kernel and applies it after each step, on every
#    backend.
#
# Let us watch one weight that the lasso sets to zero, and try the first way.

# %%
gram, target = x.T @ x / n, x.T @ y / n
j = int(np.flatnonzero(found["Lasso"] == 0)[0])
walks = {"η = 0.1": 0.1, "η = 0.02": 0.02}
seen = {}
for name, rate in walks.items():
    w, seen[name] = rng.normal(size=p), []
    for _ in range(1200):
        w = w - rate * (2 * (gram @ w - target) + l1 * np.sign(w))
        seen[name].append(w[j])
last = np.arange(1180, 1200)
at_the_end = {name: np.array(walk)[last] for name, walk in seen.items()}
ck.plots.curves(last, at_the_end, "step", f"weight {j}")
hover = {name: np.abs(walk[-200:]).max() for name, walk in seen.items()}
claim(
    "the weight hovers about zero within three step lengths, and never rests there",
    all(0 < hover[name] < 3 * rate * l1 for name, rate in walks.items())
    and not any(np.any(np.array(walk[-200:]) == 0) for walk in seen.values()),
    ", ".join(f"{name}: up to {value:.4f}" for name, value in hover.items()),
)
cut_off = np.where(np.abs(found["SGD, L1"]) < 3 * 0.1 * l1, 0, found["SGD, L1"])
claim(
    "setting to zero what is within three step lengths keeps all weights that matter",
    np.all(cut_off[:5] != 0) and (cut_off == 0).sum() >= zeros["Lasso"] - 1,
    f"{(cut_off == 0).sum()} zeros",
)

# %% [markdown]
# ## 8. Weight paths, and what zeros are good for
#
# One $\lambda$ is a snapshot. Solving for many gives each weight a **path**. Take the ten measures of the diabetes
# patients, and ten *decoys*: the same columns, each shuffled, so that they say nothing about anybody. The decoys are
# grey.

# %%
decoys = np.stack([rng.permutation(column) for column in x_train.T], axis=1)  # (353, 10)
wide = np.concatenate([x_train, decoys], axis=1)  # (353, 20)
x = (wide - wide.mean(axis=0)) / wide.std(axis=0)
y = y_train - y_train.mean()
names = [*card.features, *(f"decoy {name}" for name in card.features)]
top = regularization.smallest_that_zeroes(x, y)
lambdas = {"lasso": top * np.logspace(0, -3, 30), "ridge": np.logspace(3, -2, 30)}
paths = {
    "lasso": regularization.weight_path(x, y, lambdas["lasso"]),
    "ridge": regularization.weight_path(x, y, lambdas["ridge"], mix=1),
}  # each (30, 20)
drawn = {name: (lambdas[name], path) for name, path in paths.items()}
ck.plots.weight_paths(drawn, highlight=range(10))
n_kept = {name: (path != 0).sum(axis=1) for name, path in paths.items()}
claim(
    "lasso's weights leave zero one after another; ridge's are never zero, however strong",
    n_kept["lasso"][0] <= 1 and n_kept["lasso"][-1] >= 17 and n_kept["ridge"].min() == 20,
    f"lasso {n_kept['lasso'][0]} to {n_kept['lasso'][-1]}, ridge {n_kept['ridge'].min()} of 20",
)

# %% [markdown]
# The same with a handle on $\lambda$. First a still picture, then the slider. Which features are the last to stay?


# %%
def draw_weights(log10_lambda):
    """Weights of lasso and ridge at λ = 10 ** log10_lambda."""
    lam = 10.0**log10_lambda
    both = {
        "lasso": regularization.elastic_net(x, y, l1=lam)[0],
        "ridge": regularization.ridge(x, y, l2=lam / 20)[0],  # strengths that shrink about alike
    }
    ck.plots.weights_at(both, names, limit=40, title=f"λ = {lam:.3g}")


draw_weights(1.0)

# %%
ck.plots.slider(draw_weights, low=-1.0, high=2.0, step=0.1)

# %% [markdown]
# **What sparsity lets one read.** Choose $\lambda$ by cross-validation and read off which features are kept. The
# $\lambda$ of least validation error tends to keep too many: prediction forgives a small weight on a decoy. A common
# cure is the *one-standard-error rule*: the largest $\lambda$ whose error is within one standard error of the least.


# %%
def choose_by_folds(x, y, strengths, mix, folds):
    """Indices of two strengths: of least validation error, and by the one-standard-error rule."""
    errors = []
    for train, validation in folds:
        path = regularization.weight_path(x[train], y[train], strengths, mix)
        residuals = (x[validation] - x[train].mean(axis=0)) @ path.T + y[train].mean()
        errors.append(np.mean((residuals - y[validation][:, None]) ** 2, axis=0))
    mean, error = np.mean(errors, axis=0), np.std(errors, axis=0, ddof=1) / np.sqrt(len(folds))
    least = int(mean.argmin())
    return least, int(np.flatnonzero(mean <= mean[least] + error[least])[0])  # strongest first


least, sparse = choose_by_folds(x, y, lambdas["lasso"], 0.0, folds[:5])
of_ridge, _ = choose_by_folds(x, y, lambdas["ridge"], 1.0, folds[:5])
kept = np.flatnonzero(paths["lasso"][sparse])
print("kept by the lasso:", ", ".join(names[j] for j in kept))
n_decoys, n_at_least = int((kept >= 10).sum()), int((paths["lasso"][least] != 0).sum())
claim(
    "the lasso's list is short and nearly free of decoys; ridge's has all twenty features",
    3 <= len(kept) <= 10 and n_decoys <= 1 and (paths["ridge"][of_ridge] != 0).all(),
    f"{len(kept)} kept, {n_decoys} decoys among them ({n_at_least} at the least error)",
)

# %% [markdown]
# A weight of the lasso that is zero says "not needed, given the others", which one can read and act on: don't measure
# it. But beware of reading more into it. The kept weights are shrunk, and among features that say the same thing the
# choice is arbitrary, as we'll see in a moment.
#
# **What it saves when predicting.** A matrix with zeros in it is as large as before, and a processor multiplies by
# zero as fast as by anything else. Only *leaving out* saves: 4,000 features, of which 40 are kept.


# %%
def seconds(function, repeats=20):
    """Least time of `repeats` calls: what else the machine does can only add to it."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


many = rng.normal(size=(1000, 4000)).astype("float32")
dense = rng.normal(size=(4000, 16)).astype("float32")
with_zeros = dense * (np.arange(4000) < 40)[:, None]
few, few_weights = np.ascontiguousarray(many[:, :40]), with_zeros[:40]
took = {
    "dense": seconds(lambda: many @ dense),
    "zeros left in": seconds(lambda: many @ with_zeros),
    "zeros left out": seconds(lambda: few @ few_weights),
}
for name, value in took.items():
    print(f"{name:15} {value * 1e3:7.3f} ms")
claim(
    "zeros that are left in save next to nothing; left out, they save most of the time",
    took["zeros left in"] > 0.4 * took["dense"] and took["zeros left out"] < 0.2 * took["dense"],
)

# %% [markdown]
# So features that go together (a whole column, a whole unit) are worth dropping; zeros sprinkled over a layer's matrix
# save memory on disk, and time only with special formats or hardware. Notebook 18 comes back to this.

# %% [markdown]
# ## 9. Elastic net
#
# The lasso has two weaknesses. **It keeps at most $n$ features**, however many matter (with a bias $n - 1$, because
# the bias uses up one equation). With 20 samples and 60 features that all matter:

# %%
n, p = 20, 60
x = rng.normal(size=(n, p))
x = (x - x.mean(axis=0)) / x.std(axis=0)
y = x @ rng.normal(size=p) + rng.normal(size=n)
y -= y.mean()
strengths = regularization.smallest_that_zeroes(x, y) * np.logspace(0, -2, 7)
most = {
    name: int((regularization.weight_path(x, y, strengths, mix) != 0).sum(axis=1).max())
    for name, mix in {"lasso": 0.0, "elastic net": 0.3}.items()
}
claim(
    "along the whole path lasso keeps at most n features; elastic net keeps more",
    most["lasso"] <= n < most["elastic net"],
    f"n = {n}, lasso at most {most['lasso']}, elastic net {most['elastic net']} of {p}",
)

# %% [markdown]
# **And it picks one of a group.** Five features that are near copies of each other all carry the signal. For L1 it
# makes no difference whether one of them gets the weight 5 or each gets 1: the sum is the same, and chance decides.
# For L2 it does: $5^2 = 25$ against $5\cdot 1^2 = 5$. So the **elastic net** (Zou and Hastie, 2005) takes both
# penalties:
#
# $$\lambda\,\big[(1-\alpha)\,\lVert w\rVert_1 + \alpha\,\lVert w\rVert_2^2\big] .$$
#
# With $\alpha = 0$ it is the lasso, with $\alpha = 1$ ridge. **Attention**: scikit-learn's `l1_ratio` runs the other
# way. The form with two strengths, $\lambda_1 = \lambda(1-\alpha)$ and $\lambda_2 = \lambda\alpha$, is the safest to
# write down.


# %%
def fast_path(x, y, strengths, mix):
    """scikit-learn's solver on our objective, for centred x and y: (len(strengths), p)."""
    share = (1 - mix) / 2 / ((1 - mix) / 2 + mix)  # its l1_ratio, the same all along the path
    alphas = np.asarray(strengths) * ((1 - mix) / 2 + mix)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where the last digit is not reached
        return linear_model.enet_path(x, y, l1_ratio=share, alphas=alphas, tol=1e-5, max_iter=2000)[
            1
        ].T


def standardised(x):
    return (x - x.mean(axis=0)) / x.std(axis=0)


in_group = {"lasso": [], "elastic net": [], "ridge": []}
for _ in range(scale(quick=30, full=100)):
    x = rng.normal(size=(50, 20))
    x[:, :5] = rng.normal(size=(50, 1)) + 0.05 * rng.normal(size=(50, 5))  # the group
    y = x[:, :5].sum(axis=1) + 2 * rng.normal(size=50)
    x, y = standardised(x), y - y.mean()
    in_group["lasso"].append(fast_path(x, y, [1.0], 0.0)[0, :5])
    in_group["elastic net"].append(fast_path(x, y, [1.3], 0.23)[0, :5])
    in_group["ridge"].append(ridge(x, y, 0.3)[:5])

# %%
ck.plots.weights_at(
    {name: weights[0] for name, weights in in_group.items()},
    [f"copy {j}" for j in range(5)],
    limit=5,
    title="One draw; each true weight is 1",
)
kept = {name: np.mean([(w != 0).sum() for w in weights]) for name, weights in in_group.items()}
spread = {name: np.std(weights, axis=0).mean() for name, weights in in_group.items()}
claim(
    "lasso drops members of the group, elastic net keeps nearly always all five",
    kept["lasso"] < 4 and kept["elastic net"] > 4.8,
    ", ".join(f"{name} keeps {count:.1f}" for name, count in kept.items()),
)
claim(
    "from draw to draw lasso's weights vary more than five times as much",
    spread["lasso"] > 5 * spread["elastic net"],
    ", ".join(f"{name} ±{value:.2f}" for name, value in spread.items()),
)

# %% [markdown]
# **Double shrinkage**: two penalties shrink twice. For one standardised feature whose best weight is $a$, section 6
# gives $w = S(a, \lambda_1/2)/(1+\lambda_2)$: the lasso's answer, once more divided by $1 + \lambda_2$. Zou and Hastie
# therefore call this solution *naïve* and multiply it by $1 + \lambda_2$ again. For a single feature this gives back
# the lasso exactly. For correlated ones the second division also holds back a group that pulls together, so it is not
# clear that undoing it is right.

# %%
# NBVAL_CHECK_OUTPUT
a, l1, l2 = np.linspace(-3, 3, 25), 1.0, 1.0
shrunk = {
    "none": a,
    "lasso": soft_threshold(a, l1 / 2),
    "naïve": soft_threshold(a, l1 / 2) / (1 + l2),
}
shrunk["corrected"] = (1 + l2) * shrunk["naïve"]
ck.plots.curves(a, shrunk, "best weight without penalty", "weight")
one = np.array([[-1.0], [1.0]] * 4)  # one standardised feature (8, 1)
fitted = [
    float(find(one, 1.7 * one[:, 0], l1, l2)[0][0])
    for find in (regularization.elastic_net, regularization.corrected_elastic_net)
]
claim(
    "a fit to data of slope 1.7 gives what the formulas say: shrunk twice, and once",
    abs(fitted[0] - (1.7 - 0.5) / 2) < 1e-6 and abs(fitted[1] - (1.7 - 0.5)) < 1e-6,
    f"naïve {fitted[0]:.3f}, corrected {fitted[1]:.3f}",
)

# %% [markdown]
# They report that the naïve form does well only when it is very close to ridge or to the lasso. Is it so? We rebuild
# their four simulated examples: (1) three of eight weights matter, (2) all eight matter a little, (3) two of four
# blocks of ten correlated features matter, (4) three groups of five near copies matter, and 25 features don't. For
# each $\alpha$, validation data choose $\lambda$; then we measure the error that is left, relative to that of ridge.
# The targets are standardised, too: $\lambda_1$ grows with their unit and $\lambda_2$ does not, so the meaning of
# $\alpha$ hangs on it.


# %%
def zou_hastie(example, n):
    """x (n, p), y (n,) and the targets without noise (n,), as in their section 5."""
    if example <= 2:
        w = np.array([3, 1.5, 0, 0, 2, 0, 0, 0]) if example == 1 else np.full(8, 0.85)
        between = 0.5 ** np.abs(np.arange(8)[:, None] - np.arange(8))
        x, noise = rng.normal(size=(n, 8)) @ np.linalg.cholesky(between).T, 3
    elif example == 3:
        w, noise = np.repeat([0.0, 2, 0, 2], 10), 15
        x = rng.normal(size=(n, 40)) + rng.normal(size=(n, 1))
    else:
        w, noise = np.r_[np.full(15, 3.0), np.zeros(25)], 15
        x = rng.normal(size=(n, 40))
        x[:, :15] = np.repeat(rng.normal(size=(n, 3)), 5, axis=1) + 0.1 * rng.normal(size=(n, 15))
    return x, x @ w + noise * rng.normal(size=n), x @ w


# %%
def path_of(x, y, mix, size=20):
    """(strengths (size,), weights (size, p)) for our objective, from strong to weak."""
    if mix == 1:
        strengths = np.logspace(2, -3, size)
        return strengths, np.array([ridge(x, y, lam) for lam in strengths])
    top = 2 * np.abs(x.T @ y / len(x)).max() / (1 - mix)
    strengths = top * np.logspace(0, -3.5, size)
    return strengths, fast_path(x, y, strengths, mix)


# %%
def errors_left(example, n):
    """(2, len(mixes)): error of the naïve and the corrected form at the best λ of each mix."""
    x, y, _ = zou_hastie(example, n)
    x_val, y_val, _ = zou_hastie(example, n)
    x_new, _, truth = zou_hastie(example, 400)
    mean, deviation, b, unit = x.mean(axis=0), x.std(axis=0), y.mean(), y.std()
    x, x_val, x_new = ((z - mean) / deviation for z in (x, x_val, x_new))
    y, y_val, truth = ((z - b) / unit for z in (y, y_val, truth))
    left = np.zeros((2, len(mixes)))
    for k, mix in enumerate(mixes):
        strengths, naive = path_of(x, y, mix)
        for form, path in enumerate((naive, (1 + strengths * mix)[:, None] * naive)):
            best = np.mean((x_val @ path.T - y_val[:, None]) ** 2, axis=0).argmin()
            left[form, k] = np.mean((x_new @ path[best] - truth) ** 2)
    return left * unit**2


# %%
mixes, repeats = np.array([0, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 1]), scale(quick=25, full=100)
relative = []
for example, n in ck.progress([(1, 20), (2, 20), (3, 100), (4, 50)], "examples", unit="example"):
    average = np.mean([errors_left(example, n) for _ in range(repeats)], axis=0)  # (2, 8)
    relative.append(average / average[0, -1])  # to naïve at α = 1: ridge
relative = np.array(relative)  # (4, 2, 8)
by_example = {f"example {e + 1}": ("α", mixes, *relative[e]) for e in range(4)}
ck.plots.panels(by_example, "error / ridge's", names=("naïve", "corrected"), y_scale="log")

# %%
naive, corrected = relative[:, 0], relative[:, 1]  # (4, 8) each
ends = naive[:, [0, -1]]  # lasso and ridge
inside = naive[:, 2:6]  # α from 0.1 to 0.75
claim(
    "inside, the naïve form is hardly ever better than its better end, nor worse than its worse",
    (inside.max(axis=1) < 1.1 * ends.max(axis=1)).all()
    and (inside.min(axis=1) > 0.85 * ends.min(axis=1)).all(),
    "best inside against better end: "
    + ", ".join(f"{a:.2f} and {b:.2f}" for a, b in zip(inside.min(axis=1), ends.min(axis=1))),
)
half = list(mixes).index(0.5)
claim(
    "for groups of near copies, the correction pays at α = ½",
    corrected[3, half] < 0.9 * naive[3, half],
    f"example 4: {naive[3, half]:.2f} naïve, {corrected[3, half]:.2f} corrected",
)
claim(
    "near ridge it does harm where features are correlated",
    (corrected[2:, -1] > 1.5 * naive[2:, -1]).all(),
    f"α = 1: {corrected[2, -1]:.1f} and {corrected[3, -1]:.1f} times ridge's error in 3 and 4",
)

# %% [markdown]
# So they are right in this sense: in the middle the naïve form gains next to nothing over the better of its two ends.
# But it does no harm there either. With $\lambda$ chosen afresh for each $\alpha$ it slides smoothly from the lasso's
# error to ridge's. The factor $1+\lambda_2$ is a gain in the situation it was made for. With a strong $\lambda_2$ it
# takes back the very shrinkage that correlated features need. Today's libraries, scikit-learn and glmnet among them,
# compute the naïve form.

# %% [markdown] tags=["exercise"]
# ### Exercise 5.5: translate a strength
#
# A paper gives $\lambda$ and $\alpha$ of the form $\text{MSE} + \lambda[(1-\alpha)\lVert w\rVert_1 + \alpha\lVert
# w\rVert_2^2]$. Which `alpha` and `l1_ratio` must scikit-learn's `ElasticNet` get, to find the same weights? Its
# objective stands in the table of section 6.


# %% tags=["exercise"]
# NBVAL_CHECK_OUTPUT
def to_scikit_learn(lam, mix):
    """lam > 0, mix from 0 to 1 (the paper's α). Returns two numbers: (alpha, l1_ratio)."""
    ...  # your code


check("5.5", to_scikit_learn)


# %% tags=["solution"]
# NBVAL_CHECK_OUTPUT
def to_scikit_learn(lam, mix):
    """lam > 0, mix from 0 to 1 (the paper's α). Returns two numbers: (alpha, l1_ratio)."""
    on_l1 = lam * (1 - mix) / 2  # half the mean squared error, so half the penalty
    on_l2 = lam * mix  # times w² / 2 in scikit-learn: the halves cancel
    return on_l1 + on_l2, on_l1 / (on_l1 + on_l2)


check("5.5", to_scikit_learn)

# %% [markdown]
# ## 10. Which penalty for which data?
#
# A rule is in circulation: *sparse or correlated data, take L2; dense and uncorrelated, take L1; unsure, elastic net;
# already sparse and normalised, nothing.* It looks only at the inputs: at their **density**, the share of entries that
# are not zero, and at their mean pairwise correlation. We suspect that something else matters more, which one can't
# see in the inputs: whether *few* features carry the signal or *many*. So we vary all three and let each method have
# the best $\lambda$ that validation data can find.

# %%
p = 40


def inputs(n, dense, correlated):
    """(n, 40): in eight groups of five if correlated, nine of ten entries 0 if not dense."""
    x = rng.normal(size=(n, p))
    if correlated:
        x = np.sqrt(0.1) * x + np.sqrt(0.9) * np.repeat(rng.normal(size=(n, 8)), 5, axis=1)
    return x if dense else x * (rng.random((n, p)) < 0.1)


def sets(n, kind, sizes=(60, 60, 1000)):
    """Three sets (x, y, y without noise), standardised by the first; signal in 3 or 40 features."""
    dense, correlated, few = kind
    w = np.zeros(p)
    w[rng.permutation(p)[: 3 if few else p]] = 1.0
    raw = [inputs(size, dense, correlated) for size in sizes]
    mean, deviation = raw[0].mean(axis=0), raw[0].std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1)
    noise, unit = 0.7 * np.std(raw[2] @ w), np.std(raw[2] @ w)
    y = [(x @ w + noise * rng.normal(size=len(x))) / unit for x in raw]
    centre = y[0].mean()
    return [((x - mean) / deviation, t - centre, x @ w / unit - centre) for x, t in zip(raw, y)]


# %%
kinds = [(dense, corr, few) for dense in (1, 0) for corr in (0, 1) for few in (1, 0)]
for dense, corr, _ in kinds[::2]:
    x = inputs(2000, dense, corr)
    pairwise = np.abs(np.corrcoef(x.T))[np.triu_indices(p, 1)]
    words = f"{'dense' if dense else 'sparse'}, {'correlated' if corr else 'uncorrelated'}"
    print(f"{words:21} density {np.mean(x != 0):.2f}, largest correlation {pairwise.max():.2f}")

# %%
mix_of = {"L1": 0.0, "L2": 1.0, "elastic net": 0.5}
names = ["none", *mix_of]
repeats, rooms = scale(quick=12, full=60), (5, 10, 20, 60)  # rooms: validation samples

# %%
error = np.zeros((len(kinds), repeats, len(names)))
chosen = np.zeros((len(kinds), repeats, len(rooms), len(names)))  # the last: the method chosen, too
cost = dict.fromkeys(names, 0.0)
everything = [(k, i) for k in range(len(kinds)) for i in range(repeats)]
for k, i in ck.progress(everything, "data sets", unit="set"):
    (x, y, _), (x_val, y_val, _), (x_new, _, truth) = sets(60, kinds[k])
    found = {}
    for name in names:
        start = time.perf_counter()
        if name == "none":
            found[name] = np.linalg.lstsq(x, y)[0][None]
        else:
            found[name] = path_of(x, y, mix_of[name])[1]
        cost[name] += time.perf_counter() - start
    squares = [(x_val @ w.T - y_val[:, None]) ** 2 for w in found.values()]  # each (60, λs)
    final = [np.mean((x_new @ w.T - truth[:, None]) ** 2, axis=0) for w in found.values()]
    for r, room in enumerate(rooms):
        val = [square[:room].mean(axis=0) for square in squares]
        picked = [left[v.argmin()] for left, v in zip(final, val)]
        by_val = 1 + int(np.argmin([v.min() for v in val[1:]]))
        chosen[k, i, r] = [*picked[1:], picked[by_val]]
    error[k, i] = picked

# %%
title = lambda kind: ", ".join(
    words[bool(flag)]
    for words, flag in zip([("sparse", "dense"), ("uncorr.", "corr."), ("many", "few")], kind)
)
mean = error.mean(axis=1)  # (8, 4)
print("error left, as a share of the signal; ± is the standard error of the best")
for kind, row, all_of in zip(kinds, mean, error):
    k = int(row.argmin())
    numbers = "  ".join(f"{name} {value:5.2f}" for name, value in zip(names, row))
    spread = all_of[:, k].std(ddof=1) / repeats**0.5
    print(f"{title(kind):21} {numbers}   best: {names[k]} ± {spread:.2f}")

# %%
few = np.array([kind[2] for kind in kinds], dtype=bool)
l1_error, l2_error, net_error = mean[:, 1:].T
ratio = l1_error[few] / l2_error[few], l2_error[~few] / l1_error[~few]
claim(
    "where few features carry the signal L1 beats L2, on all four kinds of inputs",
    (l1_error[few] < l2_error[few]).all(),
    f"its error is {ratio[0].min():.2f} to {ratio[0].max():.2f} of L2's",
)
claim(
    "where many do, L2 beats L1 in at least three of the four",
    (l2_error[~few] < l1_error[~few]).sum() >= 3,
    f"its error is {ratio[1].min():.2f} to {ratio[1].max():.2f} of L1's",
)
ahead = net_error < np.maximum(l1_error, l2_error)
claim(
    "elastic net beats the worse of L1 and L2 nearly everywhere, and no penalty is worst",
    ahead.sum() >= 6 and (mean[:, 0] > mean[:, 1:].max(axis=1)).all(),
    f"in {ahead.sum()} of {len(kinds)} kinds",
)

# %% [markdown]
# So the rule fails its test. Sparse or correlated inputs did not favour L2, and dense uncorrelated ones did not favour
# L1: on each of the four kinds of inputs the winner changed with the *signal*. "Already sparse and normalised:
# nothing" was the worst advice of all. Its one good part is "unsure: elastic net", which came second nearly
# everywhere.
#
# Whether few or many features carry the signal is something you know (or not) about your subject. If you don't,
# validation can choose: first the method, then $\lambda$. That needs **room for validation**: with few validation
# samples the choice is a lottery. We let 5, 10, 20 or 60 samples choose, and compare with the best that any of the
# three methods could do at 60.

# %%
reference = chosen[:, :, -1, :3].mean(axis=1).min(axis=1)  # (8,): best single method at 60
excess = (chosen.mean(axis=1) / reference[:, None, None]).mean(axis=0)  # (4 rooms, 4)
by_room = dict(zip(["always L1", "always L2", "always elastic net", "method chosen"], excess.T))
ck.plots.curves(rooms, by_room, "validation samples", "error / best")
claim(
    "with 60 validation samples, choosing the method too is better than L2 always",
    by_room["method chosen"][-1] < by_room["always L2"][-1],
    ", ".join(f"{name} {values[-1]:.2f}" for name, values in by_room.items()),
)
claim(
    "with 5, whatever is chosen is chosen badly: every way is worse than at 60",
    all(values[0] > 1.1 * values[-1] for values in by_room.values()),
    ", ".join(f"{name} {values[0]:.2f}" for name, values in by_room.items()),
)
fits = len(kinds) * repeats
for name, total in cost.items():
    print(f"{name:12} {total / fits * 1e3:6.2f} ms for {1 if name == 'none' else 20} fits")

# %% [markdown]
# The last lines say what each method costs in time. Ridge has a closed form. L1 needs iterations, and a mix needs a
# second thing to search: with five mixes, five times as many fits. For linear models that is nothing; for networks,
# each fit of which takes minutes or days, the number of hyperparameters is what you pay for.

# %% [markdown] tags=["exercise"]
# ### Exercise 5.6: which one?
#
# Choose `"none"`, `"L1"`, `"L2"` or `"elastic net"`. We ask for the one that fits what is *known* about the task best.
#
# 1. Two hundred sensors, nearly uncorrelated. The maker says that a fault shows in two or three of them. Eighty
#    recordings.
# 2. The light of a star in 500 neighbouring wavelengths. Its temperature changes all of them a little. Sixty stars;
#    nobody asks which wavelengths matter.
# 3. Genes that are switched on in groups. The doctor wants to read off the whole groups that matter. Seventy patients.
# 4. A linear model of six measured quantities, fitted to two million clean samples.

# %% tags=["exercise"]
# NBVAL_CHECK_OUTPUT
answer = [..., ..., ..., ...]

check("5.6", answer)

# %% tags=["solution"]
# NBVAL_CHECK_OUTPUT
answer = ["L1", "L2", "elastic net", "none"]

check("5.6", answer)

# %% [markdown]
# ## 11. In Keras: what helps a network?
#
# **The penalty as an argument.** A classic recipe for MNIST: 512 ReLU units and 10 softmax, L2 with strength 0.001 on
# the kernels, RMSprop, batches of 128, 10 epochs. Keras adds the penalty to the loss it reports, so a penalised loss
# must not be compared with an unpenalised one: compare accuracies, or the cross-entropy alone.

# %%
everything = load(scale(quick="digits28", full="mnist"))
images = [everything.x_train, everything.x_test]
x_train, x_test = (z.reshape(-1, 784).astype("float32") / 255 for z in images)
y_train, y_test = everything.y_train, everything.y_test


def mlp(hidden, penalty=None, dropout=0.0):
    layers = [keras.Input((784,)), keras.layers.Dense(hidden, "relu", kernel_regularizer=penalty)]
    if dropout:
        layers.append(keras.layers.Dropout(dropout))
    layers.append(keras.layers.Dense(10, "softmax", kernel_regularizer=penalty))
    model = keras.Sequential(layers)
    model.compile("adam", loss="sparse_categorical_crossentropy")
    return model


def probabilities(model, x):
    """The model's answers (n, 10) in one call, as NumPy; units are all on (training=False)."""
    return ops.convert_to_numpy(model(x, training=False))


# %%
recipe, size, entropy = {}, {}, "sparse_categorical_crossentropy"
for name, penalty in {"none": None, "L2 0.001": keras.regularizers.L2(0.001)}.items():
    model = mlp(512, penalty)
    model.compile("rmsprop", loss=entropy, metrics=["accuracy", entropy])  # without the penalty
    history = model.fit(
        x_train, y_train, epochs=10, batch_size=128, verbose=0, validation_data=(x_test, y_test)
    ).history
    recipe[name] = history
    size[name] = float(np.square(ops.convert_to_numpy(model.layers[0].kernel)).sum())

# %%
epochs = np.arange(1, 11)
by_epoch = {name: history[f"val_{entropy}"] for name, history in recipe.items()}
ck.plots.curves(epochs, by_epoch, "epoch", "test cross-entropy")
accuracy = {name: history["val_accuracy"][-1] for name, history in recipe.items()}
claim(
    "with the recipe's L2 the first layer's weights are smaller by far",
    size["L2 0.001"] < 0.7 * size["none"],
    f"sum of w²: {size['none']:.0f} and {size['L2 0.001']:.0f}; "
    f"accuracy {accuracy['none']:.4f} and {accuracy['L2 0.001']:.4f}",
    recipe_none=accuracy["none"],
    recipe_l2=accuracy["L2 0.001"],
)

# %% [markdown]
# **Dropout** (Srivastava and others, 2014) switches off each unit with probability $p$, anew for every example and
# step, and multiplies the others by $1/(1-p)$, so that the next layer's sum keeps its mean. No unit can rely on a
# certain other one. When predicting, all units work. Three lines:


# %%
def dropout(h, p, rng):
    """h: any shape. Training only; when predicting, leave h as it is."""
    return h * (rng.random(h.shape) >= p) / (1 - p)


h = rng.uniform(1, 2, size=(2000, 50)).astype("float32")
ours = dropout(h, 0.4, rng)
theirs = ops.convert_to_numpy(keras.layers.Dropout(0.4)(h, training=True))
same = ops.convert_to_numpy(keras.layers.Dropout(0.4)(h, training=False))
claim(
    "ours and Keras's switch off four tenths and keep the mean; predicting changes nothing",
    all(abs((z == 0).mean() - 0.4) < 0.02 for z in (ours, theirs))
    and all(abs(z.mean() / h.mean() - 1) < 0.02 for z in (ours, theirs))
    and np.allclose(theirs[theirs != 0], h[theirs != 0] / 0.6)
    and np.array_equal(same, h),
    f"{(ours == 0).mean():.3f} and {(theirs == 0).mean():.3f} are off",
)

# %% [markdown]
# Three remedies more. **Early stopping** watches the loss on validation data after every epoch and stops when it has
# not fallen for a while (`patience`), then goes back to the best weights. Its validation data are missing from the
# training. **Data augmentation** makes new examples out of old ones by changes that leave the label right; for digits,
# shifting by a pixel or two (notebook 07 has more). An **ensemble** averages the predicted probabilities of several
# networks that were trained alike from different starts: bagging without the redraws.
#
# Now the comparison. The task is made for regularization: **200 digits** to learn from. And twice: once with their
# true labels, and once with three labels in ten replaced by a digit drawn at random, as happens when labels are bought
# cheaply. Every network is the same (128 ReLU units), and makes the same number of steps, but for early stopping,
# which ends sooner. We test on all images that were not drawn, with true labels.

# %%
x_all, y_all = np.concatenate([x_train, x_test]), np.concatenate([y_train, y_test]).astype(int)
n_sample, passes, copies = 200, scale(quick=40, full=80), 10


def draw(wrong):
    """200 images, their labels (a share `wrong` replaced), and the other images and labels."""
    order = rng.permutation(len(x_all))
    mine, others = order[:n_sample], order[n_sample:]
    labels = y_all[mine].copy()
    replaced = rng.random(n_sample) < wrong
    labels[replaced] = rng.integers(0, 10, replaced.sum())
    return x_all[mine], labels, x_all[others], y_all[others]


def shifted(x):
    """Each image (n, 784) moved by up to two pixels in each direction."""
    moves = rng.integers(-2, 3, size=(len(x), 2))
    moved = [np.roll(z, move, axis=(0, 1)) for z, move in zip(x.reshape(-1, 28, 28), moves)]
    return np.stack(moved).reshape(-1, 784)


# %%
def train(model, x, y, change=lambda x: x):
    """Fit to ten copies of the sample an epoch: fewer, longer epochs are faster in Keras."""
    many = np.concatenate([change(x) for _ in range(copies)])
    model.fit(many, np.tile(y, copies), epochs=passes // copies, batch_size=32, verbose=0)
    return lambda new: probabilities(model, new)


# %% [markdown]
# The strengths are chosen first, on another sample of the same kind and its own validation images: two candidates for
# each method. (We allow ourselves 1,000 more images for that, so that chance decides little. In earnest they would have to come out of the 200, by cross-validation.)

# %%
candidates = {
    "L2": {f"{s:g}": {"penalty": keras.regularizers.L2(s)} for s in (0.001, 0.01)},
    "L1": {f"{s:g}": {"penalty": keras.regularizers.L1(s)} for s in (0.0001, 0.001)},
    "dropout": {f"{s:g}": {"dropout": s} for s in (0.25, 0.5)},
}
settings = {}
for wrong in ck.progress((0.0, 0.3), "choosing strengths", unit="task"):
    x, y, rest, labels = draw(wrong)
    settings[wrong] = {}
    for method, options in candidates.items():
        score = {}
        for name, option in options.items():
            guessed = train(mlp(128, **option), x, y)(rest[:1000]).argmax(axis=1)
            score[name] = np.mean(guessed == labels[:1000])
        settings[wrong][method] = max(score, key=score.get)
    print(f"{wrong:.0%} of the labels replaced:", settings[wrong])


# %%
def stopped(x, y):
    """Early stopping: a fifth of the sample is for validation."""
    cut, model = len(x) * 4 // 5, mlp(128)
    stop = keras.callbacks.EarlyStopping(patience=2, restore_best_weights=True)
    model.fit(
        *(np.tile(x[:cut], (2, 1)), np.tile(y[:cut], 2)),
        epochs=passes // 2, batch_size=32, verbose=0,
        validation_data=(x[cut:], y[cut:]), callbacks=[stop],
    )  # fmt: skip
    return lambda new: probabilities(model, new)


def methods_for(x, y, strength):
    """{name: function that trains such a network and returns its function of new images}."""
    l1, l2 = float(strength["L1"]), float(strength["L2"])
    penalties = {
        "none": None,
        "L1": keras.regularizers.L1(l1),
        "L2": keras.regularizers.L2(l2),
        "L1 and L2": keras.regularizers.L1L2(l1 / 2, l2 / 2),
    }
    made = {name: lambda p=p: train(mlp(128, p), x, y) for name, p in penalties.items()}
    made["dropout"] = lambda: train(mlp(128, dropout=float(strength["dropout"])), x, y)
    made["augmentation"] = lambda: train(mlp(128), x, y, change=shifted)
    return made | {"early stopping": lambda: stopped(x, y)}


# %%
def all_methods(wrong):
    """Test accuracy of each method on one new sample, and its time: {name: (accuracy, seconds)}."""
    x, y, x_new, y_new = draw(wrong)
    methods, scores = methods_for(x, y, settings[wrong]), {}
    for name, fitted in methods.items():
        start = time.perf_counter()
        p = fitted()(x_new)
        scores[name] = np.mean(p.argmax(axis=1) == y_new), time.perf_counter() - start
        if name == "none":
            members = [p]
    start = time.perf_counter()
    members += [methods["none"]()(x_new) for _ in range(2)]
    together = np.mean(members, axis=0).argmax(axis=1)
    took = scores["none"][1] + time.perf_counter() - start
    return scores | {"ensemble of 3": (np.mean(together == y_new), took)}


# %%
repeats = scale(quick=2, full=10)
runs = {wrong: [] for wrong in (0.0, 0.3)}
with ck.progress(2 * repeats, "comparing methods", unit="sample") as bar:
    for wrong in [*runs] * repeats:
        runs[wrong].append(all_methods(wrong))
        bar.update()
label_of = {0.0: "true labels", 0.3: "three in ten replaced"}
results = {
    label_of[wrong]: {name: [one[name][0] for one in of] for name in of[0]}
    for wrong, of in runs.items()
}
ck.plots.methods(results, "test accuracy")

# %%
mean = {task: {name: float(np.mean(v)) for name, v in of.items()} for task, of in results.items()}
clean, noisy = mean.values()
gain = {task: {name: value - of["none"] for name, value in of.items()} for task, of in mean.items()}
for name in clean:
    took = np.mean([one[name][1] for of in runs.values() for one in of])
    points = [f"{100 * of[name]:+5.1f}" for of in gain.values()]
    print(f"{name:15} points: {points[0]} (true labels), {points[1]} (replaced), {took:4.1f} s")

# %%
penalised = ["L1", "L2", "L1 and L2", "dropout"]
key = lambda name: name.lower().replace(" ", "_")
of_noisy, of_clean = (
    np.mean([gain[task][name] for name in penalised])
    for task in ("three in ten replaced", "true labels")
)
claim(
    "penalties and dropout gain where labels are wrong, and more than where they are right",
    of_noisy > 0.005 and of_noisy > of_clean + 0.01,
    f"on average {100 * of_noisy:+.1f} points, and {100 * of_clean:+.1f} with true labels",
    **{f"noisy_{key(name)}": value for name, value in noisy.items()},
)
most = max(penalised, key=gain["true labels"].get)
claim(
    "with true labels none of the four gains more than a point and a half",
    gain["true labels"][most] < 0.015,
    f"the best, {most}, {100 * gain['true labels'][most]:+.1f}",
    **{f"clean_{key(name)}": value for name, value in clean.items()},
)

# %% [markdown]
# Why does it help in one case and not in the other? Section 3 has the answer: noise in the targets is what variance is
# made of, and a network with more weights than examples learns wrong labels by heart if nobody hinders it. With true
# labels there is no such noise. What is missing there is *examples*, and a penalty can't invent them.
#
# With two or three repeats the order among methods that lie close together is chance: the grey dots say so. A run at
# `full` makes ten repeats on MNIST; its record:

# %%
for name in clean:
    of_task = [ck.recorded("05", f"{task}_{key(name)}") for task in ("clean", "noisy")]
    shown = [f"{one.mean:.3f}" if one else "no record yet" for one in of_task]
    print(f"{name:15} true labels: {shown[0]}, replaced: {shown[1]}")

# %% [markdown]
# ## 12. A guide to deciding
#
# | question | the rule in circulation | what this page found |
# |---|---|---|
# | inputs sparse or correlated? | L2 | says little about the penalty; the signal decides (section 10) |
# | inputs dense and uncorrelated? | L1 | L1 only where few features carry the signal |
# | few features carry the signal? | – | L1; many, or smeared over correlated ones: L2 |
# | groups to be kept whole, or unsure? | elastic net | elastic net: seldom best, never worst; one thing more to choose |
# | already sparse and normalised? | nothing | the worst choice, if there are not many more samples than weights |
# | a network, few and clean examples? | – | first a baseline; then expect little from penalties |
# | a network, wrong labels? | – | L1, L2 or dropout: all helped, and it mattered little which |
#
# And an order of work: **measure the gap first.** No gap, no regularization: a larger model. A gap: more data if you
# can have them, then a strength chosen on validation data; the method too, if there is room for it (section 10). Judge
# by several repeats, never by one. A method that does not help on your data is a result. Write it down and leave it
# out.

# %% [markdown] tags=["exercise"]
# ### Exercise 5.7 (open): few samples, many features
#
# Write a function that gets 80 samples with 60 features and returns a linear model: weights and a bias. Use anything
# from this page. The check makes data sets of its own: a handful of the features matter, some of those that don't are
# correlated with those that do, and scales differ from feature to feature. On fresh data your mean squared error must
# be at most 1.15 times that of scikit-learn's `LassoCV`, and on average at most 25 of the 60 weights may differ from
# zero.


# %% tags=["exercise"]
# NBVAL_CHECK_OUTPUT
def sparse_model(x, y):
    """x: (80, 60), raw features; y: (80,). Returns (weights (60,), bias): for raw features, too."""
    ...  # your code


check("5.7", sparse_model)


# %% tags=["solution"]
# NBVAL_CHECK_OUTPUT
def sparse_model(x, y):
    """x: (80, 60), raw features; y: (80,). Returns (weights (60,), bias): for raw features, too."""
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    z = (x - mean) / deviation
    model = linear_model.LassoCV(cv=10).fit(z, y)
    errors = model.mse_path_.mean(axis=1)  # (alphas,), from strong to weak
    alpha = model.alphas_[np.flatnonzero(errors <= 1.03 * errors.min())[0]]  # strongest good one
    kept = linear_model.Lasso(alpha).fit(z, y).coef_ != 0
    again = linear_model.RidgeCV(np.logspace(-3, 2, 11)).fit(z[:, kept], y)  # without the shrinkage
    weights = np.zeros(x.shape[1])
    weights[kept] = again.coef_ / deviation[kept]
    return weights, again.intercept_ - mean @ weights


check("5.7", sparse_model)

# %% [markdown]
# ## Summary
#
# - The expected error is bias² + variance + noise. A larger model, fewer samples, more noise and rare features widen
#   the gap between training and test error.
# - A penalty shrinks weights. L2 takes a share and never reaches zero; L1 takes a constant amount and does, if the
#   step is proximal. Keras's L1 takes subgradient steps and leaves no exact zero.
# - The lasso keeps at most $n$ features and picks among copies; elastic net keeps groups. Libraries scale and name the
#   strengths differently.
# - What matters for the choice is whether few or many features carry the signal. Sparsity of the inputs is a poor
#   guide.
# - In networks, penalties and dropout help against noise in the labels. On clean data ours gained next to nothing.

# %% [markdown]
# ## Sources
#
# - S. Geman, E. Bienenstock and R. Doursat (1992), "Neural networks and the bias/variance dilemma", *Neural
#   Computation* 4 (1), 1–58, [doi:10.1162/neco.1992.4.1.1](https://doi.org/10.1162/neco.1992.4.1.1).
# - A. E. Hoerl and R. W. Kennard (1970), "Ridge regression: biased estimation for nonorthogonal problems",
#   *Technometrics* 12 (1), 55–67,
#   [doi:10.1080/00401706.1970.10488634](https://doi.org/10.1080/00401706.1970.10488634).
# - R. Tibshirani (1996), "Regression shrinkage and selection via the lasso", *Journal of the Royal Statistical Society
#   B* 58 (1), 267–288, [doi:10.1111/j.2517-6161.1996.tb02080.x](https://doi.org/10.1111/j.2517-6161.1996.tb02080.x).
# - I. Daubechies, M. Defrise and C. De Mol (2004), "An iterative thresholding algorithm for linear inverse problems
#   with a sparsity constraint", *Communications on Pure and Applied Mathematics* 57 (11), 1413–1457,
#   [doi:10.1002/cpa.20042](https://doi.org/10.1002/cpa.20042).
# - H. Zou and T. Hastie (2005), "Regularization and variable selection via the elastic net", *Journal of the Royal
#   Statistical Society B* 67 (2), 301–320,
#   [doi:10.1111/j.1467-9868.2005.00503.x](https://doi.org/10.1111/j.1467-9868.2005.00503.x).
# - T. Hastie, R. Tibshirani and J. Friedman (2009), [*The Elements of Statistical
#   Learning*](https://hastie.su.domains/ElemStatLearn/), second edition, Springer: trees, bagging, boosting,
#   cross-validation and the one-standard-error rule.
# - L. Breiman (1996), "Bagging predictors", *Machine Learning* 24, 123–140,
#   [doi:10.1007/BF00058655](https://doi.org/10.1007/BF00058655).
# - J. H. Friedman (2001), "Greedy function approximation: a gradient boosting machine", *Annals of Statistics* 29 (5),
#   1189–1232, [doi:10.1214/aos/1013203451](https://doi.org/10.1214/aos/1013203451).
# - D. H. Wolpert (1992), "Stacked generalization", *Neural Networks* 5 (2), 241–259,
#   [doi:10.1016/S0893-6080(05)80023-1](https://doi.org/10.1016/S0893-6080%2805%2980023-1).
# - N. Srivastava, G. Hinton, A. Krizhevsky, I. Sutskever and R. Salakhutdinov (2014), "Dropout: a simple way to
#   prevent neural networks from overfitting", *Journal of Machine Learning Research* 15, 1929–1958,
#   [jmlr.org/papers/v15/srivastava14a](https://jmlr.org/papers/v15/srivastava14a.html).
# - scikit-learn's user guide on [linear models](https://scikit-learn.org/stable/modules/linear_model.html), for the
#   objectives; Keras's on [layer weight regularizers](https://keras.io/api/layers/regularizers/).
# - Diabetes data: B. Efron, T. Hastie, I. Johnstone and R. Tibshirani (2004), "Least angle regression", *Annals of
#   Statistics* 32 (2), 407–499, [doi:10.1214/009053604000000067](https://doi.org/10.1214/009053604000000067).

# %% [markdown]
# ## What comes next
#
# All networks so far were chains of layers, and all methods were arguments of layers that Keras ships. Notebook 06,
# *Keras models*, builds graphs with several inputs and outputs, and layers, losses and callbacks of your own.
