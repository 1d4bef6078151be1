"""What shows as text: quiet() silences compiled code, progress() is the one progress bar, table() the one table.

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


def late_progress(steps, label="", *, unit="step", seconds=3):
    """A bar like that of `progress(steps)`, which is not shown before so many seconds have passed.

    For what usually takes a moment:  with late_progress(len(tensors), "compressing") as bar: bar.update()
    """
    from tqdm import tqdm

    off = os.environ.get("COURSEKIT_PROGRESS", "").lower() == "off"
    shown = {"file": sys.stdout, "leave": False, "disable": off, "ncols": 80, "delay": seconds}
    return tqdm(total=steps, desc=label or None, unit=unit, **shown)


def table(heads, rows, *, left=1):
    """Rows as text in columns, for print(): as wide as what stands in them, two spaces apart.

    heads:  a title for each column, or None for a table without titles
    rows:   lists of strings, one a column; the last columns may be missing
    left:   how many columns, from the first on, stand to the left; the others, numbers mostly, stand to the right
    """
    import io

    from rich import console, text
    from rich.table import Table

    rows = [list(row) for row in rows]
    count = len(heads) if heads else max(map(len, rows), default=0)
    drawn = Table(box=None, show_header=heads is not None, show_edge=False, pad_edge=False, padding=(0, 1))
    for i in range(count):
        head = text.Text(heads[i] if heads else "")
        drawn.add_column(head, justify="left" if i < left else "right", no_wrap=True)
    for row in rows:
        drawn.add_row(*map(text.Text, row))
    plain = {"color_system": None, "force_jupyter": False, "force_terminal": False}
    page = console.Console(file=io.StringIO(), width=10_000, **plain)
    page.print(drawn)
    return "\n".join(line.rstrip() for line in page.file.getvalue().splitlines())
