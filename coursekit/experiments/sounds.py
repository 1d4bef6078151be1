"""From spelling to sounds: the transformer of notebook 10 on the CMU Pronouncing Dictionary. For a GPU.

One word in ten is kept for testing. An answer counts as right if it is one of the word's pronunciations; the phoneme
error rate is counted to the nearest of them. Born in notebook 10.
"""

import numpy as np

from coursekit.datasets.pronunciations import LETTERS, PHONEMES

LONGEST = 24  # letters and phonemes; the few longer words are left out


def spelling_to_sounds(found, rng, *, epochs=30, width=256, blocks=3, batch_size=512, peak=1e-3):
    """Train on nine words in ten; returns (word error rate, phoneme error rate, words tested).

    found: {word: [pronunciations, phonemes separated by spaces]}; rng: a NumPy generator, for the split and the start.
    Raises ValueError where there are fewer than twenty words.
    """
    import keras

    from coursekit.console import progress
    from coursekit.models.transformer import Transformer, Vocabulary, write

    words = [word for word, said in found.items() if max(len(word), *(len(one.split()) for one in said)) <= LONGEST]
    if len(words) < 20:
        raise ValueError(f"there are {len(words)} words of up to {LONGEST} letters: too few to train on and to test")
    words = [words[i] for i in rng.permutation(len(words))]
    test, train = words[: len(words) // 10], words[len(words) // 10 :]
    letters, phonemes = Vocabulary(LETTERS, LONGEST), Vocabulary(PHONEMES, LONGEST)
    pairs = [(word, said) for word in train for said in found[word]]
    x, y = letters.encode([word for word, _ in pairs]), phonemes.framed([said for _, said in pairs])
    keras.utils.set_random_seed(int(rng.integers(2**31)))
    model = Transformer(
        len(letters),
        len(phonemes),
        width=width,
        heads=4,
        hidden=4 * width,
        blocks=blocks,
        longest=LONGEST + 1,
        dropout=0.1,
    )
    steps = epochs * -(-len(x) // batch_size)
    warm = min(1000, steps // 10)
    rate = keras.optimizers.schedules.CosineDecay(0.0, steps - warm, warmup_target=peak, warmup_steps=max(1, warm))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=0)
    compiled = keras.backend.backend() == "jax"
    model.compile(keras.optimizers.Adam(rate, beta_2=0.98), loss, jit_compile=compiled)
    with progress(epochs, "spelling to sounds") as bar:
        model.fit((x, y[:, :-1]), y[:, 1:], batch_size, epochs, verbose=0, callbacks=[bar.callback()])
    given = letters.encode(test)
    parts = [write(model, given[i : i + 1000], LONGEST + 1) for i in range(0, len(given), 1000)]
    return *error_rates(phonemes.decode(np.concatenate(parts)), [found[word] for word in test]), len(test)


def error_rates(guesses, pronunciations):
    """Word and phoneme error rate of guesses, each beside the list of what would be right.

    Phonemes are separated by spaces. Wrong phonemes are counted to the nearest pronunciation, as a share of its
    phonemes.
    """
    from coursekit.models.transformer import edit_distance

    wrong = errors = total = 0
    for guess, said in zip(guesses, pronunciations, strict=True):
        distances = [(edit_distance(guess.split(), one.split()), len(one.split())) for one in said]
        error, length = min(distances)
        wrong, errors, total = wrong + (error > 0), errors + error, total + length
    return wrong / len(guesses), errors / total
