"""What shows while something runs: quiet() silences compiled code, progress() is the one progress bar.

COURSEKIT_PROGRESS=off shows no progress bars (for notebooks that nobody watches). Born in notebook 00.
"""

import contextlib
import os
import sys
import tempfile


@contextlib.contextmanager
def quiet():
    """Silence what compiled code writes straight to file descriptor 2 (TensorFlow, LiteRT, XLA).

    Python's own sys.stderr goes on working where it does not end in that descriptor, as in a notebook. If the block
    raises, what was held back is shown, for it may say why.
    """
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held_back:
        saved = os.dup(2)
        os.dup2(held_back.fileno(), 2)
        try:
            yield
        except BaseException:
            held_back.seek(0)
            print(held_back.read().decode(errors="replace"), file=sys.stderr, end="")
            raise
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)


def progress(steps, label="", *, unit="epoch"):
    """One progress bar on stdout that clears itself when it is done.

    steps: an iterable, to loop over:      for epoch in ck.progress(range(epochs), "training"): ...
           or a number of steps, to count: with ck.progress(epochs, "training") as bar: bar.update()
    The bar's `callback()` counts the epochs of a Keras fit. COURSEKIT_PROGRESS=off shows no bar.
    """
    from tqdm import tqdm

    class Bar(tqdm):
        def callback(self):
            """A Keras callback that moves this bar on by one at the end of every epoch."""
            import keras

            return keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: self.update())

    how_many = {"total": steps} if isinstance(steps, int) else {"iterable": steps}
    off = os.environ.get("COURSEKIT_PROGRESS", "").lower() == "off"
    return Bar(**how_many, desc=label or None, unit=unit, file=sys.stdout, leave=False, disable=off, ncols=80)
