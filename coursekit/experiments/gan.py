"""`python -m coursekit.experiments.gan`: train the generator of digits that the course ships, and keep its weights.

It is trained on the 4,000 training images of mnist5k with their labels, moved by up to a pixel. Takes some minutes on
two cores. On another machine it gives other weights, as good as these. Born in notebook 13.
"""

import sys

import numpy as np

from coursekit.datasets import load
from coursekit.models import gan, ruler
from coursekit.models.weights import save_weights

STEPS, SEED = 5000, 0


def train(steps=STEPS, seed=SEED, report=500):
    """The trained generator, with the moving average of its weights; every `report` steps the ruler's numbers."""
    import keras

    keras.utils.set_random_seed(seed)
    data = load("mnist5k")
    images, real = data.x_train[..., None] / np.float32(255), data.x_test / np.float32(255)
    generator = gan.digit_generator(32, gan.CLASSES)
    discriminator = gan.digit_discriminator(32, gan.CLASSES, noise=0.1)
    probe, wanted = gan.digit_generator(32, gan.CLASSES), np.arange(1000) % 10
    noise = np.random.default_rng(seed + 1).normal(size=(1000, gan.LATENT))

    def watch(step, weights):
        if step % report == 0:
            probe.set_weights(weights)
            made = gan.make_digits(probe, noise, wanted)
            obeyed = (ruler.features_and_probabilities(made)[1].argmax(axis=1) == wanted).mean()
            print(step, ruler.judge(made, real), f"{obeyed:.3f} are the digit asked for", flush=True)
            if len(sys.argv) > 1:
                np.savez(sys.argv[1], made=made, **{f"w{i:02d}": one for i, one in enumerate(weights)})

    gan.train_digits(
        generator, discriminator, images, data.y_train, steps=steps, rates=(1e-3, 5e-4), seed=seed, average=0.998,
        shift=1, watch=watch,
    )  # fmt: skip
    return generator


def main():
    """Train, keep the weights in data/, and say how large they are."""
    generator = train()
    save_weights(gan.shipped_file(), generator.get_weights())
    print(f"{gan.shipped_file().name}: {gan.shipped_file().stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
