"""`python -m coursekit.experiments.diffusion`: train the three networks that notebook 14 ships.

    python -m coursekit.experiments.diffusion diffusion      # data/digits_diffusion.npz
    python -m coursekit.experiments.diffusion flow           # data/digits_flow.npz
    python -m coursekit.experiments.diffusion text           # data/captions_diffusion.npz

The first two have the same network, number of steps and data, the first 3,000 training images of mnist5k. Each takes
ten minutes of processor time at most. On another machine they get other weights, as good as these. Born in notebook 14.
"""

import sys
import time

import numpy as np

from coursekit.datasets import captions, load
from coursekit.models import diffusion
from coursekit.models.transformer import Vocabulary
from coursekit.models.weights import save_weights
from coursekit.paths import data_dir

STEPS = {"diffusion": 6500, "flow": 6500, "text": 4000}
BATCH, RATE = 32, 3e-3
SCHEDULE = 200


def weights_file(kind):
    """Where the weights of "diffusion", "flow" or "text" are kept."""
    # The names stand here, and not at the top, so that a record depends on these files only (execution/dependencies).
    names = {"diffusion": "digits_diffusion.npz", "flow": "digits_flow.npz", "text": "captions_diffusion.npz"}
    return data_dir() / names[kind]


def vocabulary():
    """The words of the captions, and a word for no caption."""
    return Vocabulary([*captions.COLORS, *captions.SHAPES, *captions.PLACES, "-"], longest=3)


def network(kind):
    """The network of that kind, untrained."""
    return diffusion.text_unet(len(vocabulary())) if kind == "text" else diffusion.unet()


def train(kind, steps=None):
    """The trained network, and the loss of each step."""
    import keras

    keras.utils.set_random_seed(0)
    schedule = diffusion.cosine_schedule(SCHEDULE)
    if kind == "text":
        x, said = captions.pictures(3000, np.random.default_rng(0))
        words, nothing = vocabulary().encode(said), vocabulary().encode(["- - -"])[0]
        batches = diffusion.noisy_batches(2 * x - 1, words, schedule, BATCH, seed=0, no_label=nothing)
    else:
        data = load("mnist5k")
        x, y = data.x_train[:3000, ..., None].astype("float32") / 127.5 - 1, data.y_train[:3000]
        if kind == "diffusion":
            batches = diffusion.noisy_batches(x, y, schedule, BATCH, seed=0)
        else:
            batches = diffusion.straight_batches(x, y, BATCH, seed=0)
    model = network(kind)
    return model, diffusion.fit(model, batches, steps or STEPS[kind], RATE)


def shorter(weights):
    """The weights as float16 whose last bit is 0: with it the file would be larger than 300 kB."""
    return [(np.asarray(one).astype("float16").view("uint16") & 0xFFFE).view("float16") for one in weights]


def main(kinds):
    """Train, keep the weights in data/, and say what it took and how large they are."""
    for kind in kinds or STEPS:
        begin = time.process_time()
        model, losses = train(kind)
        minutes = (time.process_time() - begin) / 60
        save_weights(weights_file(kind), shorter(model.get_weights()) if kind == "text" else model.get_weights())
        size = weights_file(kind).stat().st_size
        print(f"{kind}: loss {np.mean(losses[-500:]):.4f}, {minutes:.1f} CPU minutes, {size:,} bytes", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
