"""The reference experiment's network, data and training: what notebook 19 compresses at full size.

Two convolutions and two dense layers, 431,242 parameters, on true MNIST, as in C. Versloot (2020), "TensorFlow model
optimization: introducing weight clustering". A network's weights are kept as the list of arrays that Keras gives.
"""

import time

import numpy as np

VALIDATION = 12_000  # the last fifth of the training images
BATCH, EPOCHS, RATE = 250, 15, 1e-3
NAMES = ("conv 1", "conv 2", "dense 1", "dense 2")


def reference_network(api, dropout=0.25):
    """Two convolutions of 32 and 64 filters, dense layers of 256 and 10: 431,242 parameters, not compiled.

    api:  keras, or tf_keras for tensorflow-model-optimization.
    """
    kl = api.layers
    return api.Sequential(
        [
            api.Input((28, 28, 1)) if api.__name__ == "keras" else kl.InputLayer((28, 28, 1)),
            kl.Conv2D(32, 3, activation="relu"),
            kl.MaxPooling2D(),
            kl.Dropout(dropout),
            kl.Conv2D(64, 3, activation="relu"),
            kl.MaxPooling2D(),
            kl.Dropout(dropout),
            kl.Flatten(),
            kl.Dense(256, activation="relu"),
            kl.Dense(10),
        ]
    )


def mnist():
    """{"train", "validation", "test": (images (n, 28, 28, 1) from 0 to 1, digits (n,))}: 48,000, 12,000 and 10,000."""
    from coursekit import load

    data = load("mnist")
    x, x_test = (images[..., None].astype(np.float32) / 255 for images in (data.x_train, data.x_test))
    y, y_test = data.y_train.astype(np.int32), data.y_test.astype(np.int32)
    return {
        "train": (x[:-VALIDATION], y[:-VALIDATION]),
        "validation": (x[-VALIDATION:], y[-VALIDATION:]),
        "test": (x_test, y_test),
    }


def logits_of(model, x):
    """What a model says of x (n, 28, 28, 1): (n, 10)."""
    return np.concatenate([np.asarray(model.predict_on_batch(part)) for part in np.array_split(x, -(-len(x) // 1000))])


def wrong_ones(model, x, y):
    """Which images are misread: a list of their numbers."""
    return np.flatnonzero(logits_of(model, x).argmax(axis=1) != y).tolist()


def dense_network(seed, train, work):
    """The reference network trained by the reference recipe, and the stage's minutes; kept in the folder `work`."""
    import keras

    model = reference_network(keras)

    def make():
        keras.utils.set_random_seed(seed)
        fresh = reference_network(keras)
        fresh.compile(keras.optimizers.Adam(RATE), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        fresh.fit(*train, batch_size=BATCH, epochs=EPOCHS, verbose=0)
        return fresh.get_weights()

    weights, minutes = stage(work / f"dense-{seed}.npz", make)
    model.set_weights(weights)
    return model, minutes


# --- stages -----------------------------------------------------------------------------------------------------------
def stage(file, make):
    """The arrays that make() gives, and {"minutes", "cpu_minutes"} it took; found in `file` if it has been made before.

    The file takes its place when it is whole, so an interruption leaves either a finished stage or none.
    """
    if file.is_file():
        with np.load(file) as kept:
            taken = {"minutes": float(kept["minutes"]), "cpu_minutes": float(kept["cpu_minutes"])}
            return [kept[f"array_{i}"] for i in range(len(kept.files) - 2)], taken
    begin, cpu = time.perf_counter(), time.process_time()
    arrays = make()
    taken = {"minutes": (time.perf_counter() - begin) / 60, "cpu_minutes": (time.process_time() - cpu) / 60}
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_suffix(".part.npz")
    np.savez(unfinished, **{f"array_{i}": array for i, array in enumerate(arrays)}, **taken)
    unfinished.replace(file)
    return arrays, taken
