"""docs/compression.md: its Python, its commands and its refusals are run, in one fresh process, and say what it shows.

    python tests/compression/test_page.py FOLDER

runs all of it in the folder and writes what came out into found.json.
"""

import contextlib
import io
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "compression.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"(?ms)^```(\w+)\n(.*?)^```$", PAGE)
NUMBER = re.compile(r"\d[\d,.]*(?:×\d+)?")
FIXED = {"64×64", "64×10", "4,810", "4,096", "640", "19,240", "16,384", "2,560", "256"}  # whatever is learned


pytestmark = pytest.mark.slow  # half a minute of processor time


# --- in the fresh process ---------------------------------------------------------------------------------------------
def refusals():
    """[(what is asked for, the sentence)] of each refusal that the page quotes."""
    import keras
    import numpy as np
    from keras import layers, ops

    from coursekit import compression as cc
    from coursekit.errors import CoursekitError

    class Scale(layers.Layer):
        def build(self, shape):
            self.scale = self.add_weight(shape=(shape[-1], 6), name="scale")

        def call(self, x):
            return x @ self.scale

    def net(*some, shape=(6,)):
        return keras.Sequential([keras.Input(shape, name="in"), *some], name="net")

    def dense(width=3, name="out"):
        return layers.Dense(width, name=name)

    def filled(value):
        model = net(dense())
        model.layers[0].kernel.assign(np.full((6, 3), value))
        return model

    def looked_up():
        table = layers.StringLookup(name="words", vocabulary=["a", "b"])
        words = keras.Input((1,), dtype="string")
        return keras.Model(words, dense()(ops.cast(table(words), "float32")))

    def with_state():
        inputs = keras.Input(batch_shape=(2, 5, 3))
        model = keras.Model(inputs, layers.LSTM(4, stateful=True, name="lstm")(inputs))
        model(np.ones((2, 5, 3)))
        return model

    class Graph(keras.Model):
        def __init__(self):
            inputs = keras.Input((6,))
            super().__init__(inputs, dense()(inputs), name="graph")

        def encode(self, x):
            return x

    def quantized():
        model = net(dense())
        model.quantize("int4")
        return model

    def cut(file):
        Path("cut.ckw").write_bytes(Path(file).read_bytes()[:-1])
        return "cut.ckw"

    asked = {
        "unknown weights": lambda: cc.cluster_weights(net(Scale(name="scaled")), 3),
        "not built": lambda: cc.prune_low_magnitude(keras.Sequential([], name="net")),
        "nothing to do": lambda: cc.cluster_weights(net(layers.ReLU()), 3),
        "few weights": lambda: cc.cluster_weights(net(dense(1)), 16),
        "pruned at the moment": lambda: cc.cluster_weights(cc.prune_low_magnitude(net(dense())), 3),
        "no such name": lambda: cc.cluster_weights(net(dense()), 3, layers="last"),
        "NaN": lambda: cc.cluster_weights(filled(np.nan), 3),
        "blocks": lambda: cc.prune_low_magnitude(
            net(layers.Conv2D(3, 3, name="conv"), shape=(8, 8, 6)), block_size=(2, 2)
        ),
        "a share": lambda: cc.prune_low_magnitude(net(dense()), cc.ConstantSparsity(0.6, 0), sparsity_m_by_n=(2, 4)),
        "one cluster": lambda: cc.cluster_weights(net(dense()), 1),
        "a wrapped model": lambda: cc.save_compressed(cc.cluster_weights(net(dense()), 3), "x.ckw"),
        "a table": lambda: cc.save_compressed(looked_up(), "x.ckw"),
        "a state": lambda: cc.save_compressed(with_state(), "x.ckw"),
        "float16": lambda: cc.save_compressed(filled(1e6), "x.ckw", codebook="float16"),
        "methods": lambda: cc.cluster_weights(Graph(), 3),
        "quantized": lambda: cc.save_compressed(quantized(), "x.ckw"),
        "a batch": lambda: cc.save_compressed(net(dense()), "x.ckw", check=np.ones((2, 5))),
        "code": lambda: cc.save_compressed(net(layers.Lambda(lambda x: x), dense()), "x.ckw"),
        "a limit": lambda: cc.load_compressed("digits.ckw", max_parameters=1000),
        "a cut file": lambda: cc.load_compressed(cut("digits.ckw")),
        "an argument": lambda: cc.prune_low_magnitude(net(dense()), pruning_policy=None),
    }
    said = []
    for what, ask in asked.items():
        try:
            ask()
        except (CoursekitError, TypeError) as error:
            said.append((what, f"{type(error).__name__}: {error}"))
        else:
            said.append((what, "was not refused"))
    return said


def run(folder):
    """Run the page's blocks in their order, in the folder: {"shown": [[shown, found], ...], "refusals": ...}."""
    os.chdir(folder)
    from coursekit.authoring.cli import main

    names, pairs, found = {"__name__": "page"}, [], ""
    for kind, text in BLOCKS:
        with contextlib.redirect_stdout(io.StringIO()) as out:
            if kind == "python":
                exec(compile(text, "docs/compression.md", "exec"), names)
            elif kind == "console":
                command, _, shown = text.partition("\n")
                assert main(shlex.split(command.removeprefix("$ coursekit "))) == 0
        if kind == "console":
            pairs.append((shown, out.getvalue()))
        elif kind == "text":
            pairs.append((text, found))
        found = out.getvalue()
    Path("found.json").write_text(json.dumps({"shown": pairs, "refusals": refusals()}), encoding="utf-8")


# --- in the test ------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What came out when the page was run in a new process."""
    folder = tmp_path_factory.mktemp("page")
    more = {"PYTHONPATH": str(ROOT), "COURSEKIT_PROGRESS": "off", "KERAS_BACKEND": "tensorflow"}
    env = os.environ | more | {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    done = subprocess.run([sys.executable, __file__, str(folder)], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads((folder / "found.json").read_text(encoding="utf-8"))


def without_numbers(text):
    """The text in one line, with # for each number that training decides."""
    return " ".join(NUMBER.sub(lambda match: match[0] if match[0] in FIXED else "#", text).split())


def numbers(text):
    """The numbers of a text, shapes left out."""
    return [float(one.rstrip(".,").replace(",", "")) for one in NUMBER.findall(text) if "×" not in one]


def test_the_page_shows_what_its_code_and_its_commands_print(found):
    assert len(found["shown"]) == sum(kind != "python" for kind, _ in BLOCKS) >= 4
    for shown, printed in found["shown"]:
        assert without_numbers(shown) == without_numbers(printed)
        for here, there in zip(numbers(shown), numbers(printed), strict=True):
            assert abs(here - there) <= max(0.25 * here, 100)  # bytes above a hundred, within a quarter


def test_the_page_quotes_the_refusals_word_for_word(found):
    page = " ".join(PAGE.replace("`", "").split())
    for what, said in found["refusals"]:
        kind, _, sentence = said.partition(": ")
        assert kind in ("CompressionError", "CompressedFileError", "TypeError"), (what, said)
        assert kind == "TypeError" or sentence in page, (what, said)


def test_no_line_of_the_page_is_too_long():
    assert [line for line in PAGE.splitlines() if len(line) > 120 and not line.startswith("|")] == []


if __name__ == "__main__":
    run(sys.argv[1])
