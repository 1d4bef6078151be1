"""Published data sets: where they are found, and that nothing but the true data is ever served."""

import contextlib
import os
import pickle
import tracemalloc

import numpy as np
import pytest
import tiny_set

from coursekit.datasets import load, sources
from coursekit.errors import DataRefused, DataUnavailable


def same(data, arrays):
    for name, array in arrays.items():
        np.testing.assert_array_equal(getattr(data, name), array)
        assert getattr(data, name).dtype == "uint8" and getattr(data, name).flags.writeable
    return True


def refusal(name, folder):
    """The message with which the file in `folder` is refused: one paragraph that says what to do, quickly read."""
    with pytest.raises(DataRefused) as failure:
        load(name, data_dir=folder)
    message = str(failure.value)
    assert "\n" not in message and len(message) < 700
    assert str(folder) in message and "Delete it, or put the true" in message
    return message


@contextlib.contextmanager
def little_memory():
    """The block sets aside 16 MB at most, by Python's own count."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()


# ---- containers and places -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("place", ["", "tiny"])
def test_idx_files_plain_and_gzipped(tiny, tmp_path, zipped, place):
    tiny_set.write(tmp_path / "data" / place, tiny_set.idx_files(tiny, zipped))
    data = load("tiny", data_dir=tmp_path / "data")
    assert same(data, tiny) and data.card.tier == "found"


@pytest.mark.parametrize("how", [np.savez, np.savez_compressed])
def test_npz_however_it_was_written(tiny, tmp_path, how):
    how(tmp_path / "tiny.npz", **{name: np.asfortranarray(array) for name, array in tiny.items()})
    assert same(load("tiny", data_dir=tmp_path), tiny)


def test_verified_by_the_publishers_files(tiny, tmp_path):
    tiny_set.write(tmp_path / "tiny-by-md5", tiny_set.idx_files(tiny))
    assert same(load("tiny_by_md5", data_dir=tmp_path), tiny)


@pytest.mark.parametrize("contents", ["plain", "npz"])
def test_true_data_that_nobody_can_verify_are_refused(tiny, tmp_path, contents):
    files = {"tiny_by_md5.npz": tiny_set.npz(tiny)} if contents == "npz" else tiny_set.idx_files(tiny, zipped=False)
    assert "only the published files" in refusal("tiny_by_md5", tiny_set.write(tmp_path / "data", files))


def test_keras_cache_is_found(tiny):
    tiny_set.write(sources.keras_folder(), {"tiny.npz": tiny_set.npz(tiny)})
    data = load("tiny")
    assert same(data, tiny) and data.card.tier == "found"


def test_keras_folder_is_where_keras_says():
    """Asked of the installed Keras, in a process of its own because it reads its home when it is imported."""
    import subprocess
    import sys

    code = "from keras.src.backend import config; import sys; print(config.keras_home(), file=sys.stdout)"
    env = {**os.environ, "KERAS_BACKEND": "numpy", "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    if done.returncode:
        pytest.skip(f"this Keras does not say where its home is: {done.stderr.strip().splitlines()[-1]}")
    assert sources.keras_folder() == sources.Path(done.stdout.strip()) / "datasets"


def test_an_interrupted_download_of_keras_is_passed_over(tiny, server):
    contents = tiny_set.idx_files(tiny)
    server.contents = contents
    first = next(iter(contents))
    tiny_set.write(sources.keras_folder() / "tiny-by-md5", {first: contents[first]})
    assert load("tiny_by_md5").card.tier == "downloaded"


def test_coursekit_data_comes_first(tiny, tmp_path, monkeypatch):
    tiny_set.write(sources.keras_folder(), {"tiny.npz": b"never looked at"})
    tiny_set.write(tmp_path / "data", {"tiny.npz": tiny_set.npz(tiny)})
    monkeypatch.setenv("COURSEKIT_DATA", str(tmp_path / "data"))
    assert same(load("tiny"), tiny)


def test_relative_folder_from_the_working_directory_then_from_the_root(tiny, tmp_path, monkeypatch):
    root, work = tmp_path / "root", tmp_path / "root" / "notebooks"
    work.mkdir(parents=True)
    monkeypatch.chdir(work)
    monkeypatch.setattr(sources, "repository_root", lambda: root)
    monkeypatch.setenv("COURSEKIT_DATA", "data")
    tiny_set.write(root / "data", {"tiny.npz": tiny_set.npz(tiny)})
    assert sources.readers_folder() == root / "data" and same(load("tiny"), tiny)
    (work / "data").mkdir()
    assert sources.readers_folder() == work / "data"


@pytest.mark.parametrize("what", ["missing", "a file"])
def test_coursekit_data_that_is_no_folder(tiny, tmp_path, monkeypatch, what):
    (tmp_path / "a file").write_bytes(b"")
    monkeypatch.setenv("COURSEKIT_DATA", str(tmp_path / what))
    with pytest.raises(
        DataUnavailable, match=r"there is no folder .* that can be read: set COURSEKIT_DATA to the folder"
    ):
        load("tiny")


# ---- refusals --------------------------------------------------------------------------------------------------------


def test_cut_npz(tiny, tmp_path):
    whole = tiny_set.npz(tiny)
    for length in (0, 3, len(whole) // 2, len(whole) - 1):
        message = refusal("tiny", tiny_set.write(tmp_path, {"tiny.npz": whole[:length]}))
        assert "cut or damaged" in message or "empty" in message


@pytest.mark.parametrize("name", ["tiny", "tiny_by_md5"])
def test_cut_gz(tiny, tmp_path, name):
    contents = tiny_set.idx_files(tiny)
    contents["train-images-idx3-ubyte.gz"] = contents["train-images-idx3-ubyte.gz"][:-9]
    message = refusal(name, tiny_set.write(tmp_path, contents))
    assert "train-images-idx3-ubyte.gz" in message and "cut or" in message


def test_cut_and_overlong_idx(tiny, tmp_path):
    contents = tiny_set.idx_files(tiny, zipped=False)
    images = contents["t10k-images-idx3-ubyte"]
    tiny_set.write(tmp_path, contents | {"t10k-images-idx3-ubyte": images[:-1]})
    assert "cut, with 135 of 136 bytes" in refusal("tiny", tmp_path)
    tiny_set.write(tmp_path, contents | {"t10k-images-idx3-ubyte": images + b"\0"})
    assert "longer than its header says" in refusal("tiny", tmp_path)


@pytest.mark.parametrize("container", ["npz", "gz", "md5"])
def test_one_changed_value(tiny, tmp_path, container):
    tiny["x_test"][3, 5, 4] ^= 1
    files = {"tiny.npz": tiny_set.npz(tiny)} if container == "npz" else tiny_set.idx_files(tiny)
    message = refusal("tiny_by_md5" if container == "md5" else "tiny", tiny_set.write(tmp_path, files))
    assert ("altered" if container == "md5" else "the values of x_test are not the published ones") in message


def test_any_damage_is_refused_or_harmless(tiny, tmp_path):
    """Three hundred files with a byte changed or an end cut off: the true data or a refusal, and nothing else."""
    rng, whole, refused = np.random.default_rng(3), tiny_set.npz(tiny), 0
    for _ in range(300):
        damaged = bytearray(whole)
        damaged[rng.integers(len(damaged))] ^= int(rng.integers(1, 256))
        damaged = damaged[: rng.integers(len(damaged) + 1)] if rng.random() < 0.2 else damaged
        tiny_set.write(tmp_path, {"tiny.npz": bytes(damaged)})
        try:
            assert same(load("tiny", data_dir=tmp_path), tiny)  # a time stamp in the archive, say
        except DataRefused:
            refused += 1
    assert refused > 150


def test_other_shape_type_and_names(tiny, tmp_path):
    for change, words in (
        (
            {"x_train": tiny["x_train"][:11]},
            "its x_train has shape (11, 6, 5) and type uint8, not (12, 6, 5) and uint8",
        ),
        ({"x_train": tiny["x_train"].astype("float32")}, "its x_train has shape (12, 6, 5) and type float32"),
        ({"y_test": None}, "its y_test holds pickled Python objects"),
    ):
        folder = tiny_set.write(tmp_path, {"tiny.npz": tiny_set.npz(tiny | change)})
        assert words in refusal("tiny", folder)
    del tiny["y_test"]
    assert "it holds no array y_test" in refusal("tiny", tiny_set.write(tmp_path, {"tiny.npz": tiny_set.npz(tiny)}))


def test_idx_header_with_another_shape(tiny, tmp_path):
    contents = tiny_set.idx_files(tiny | {"x_train": tiny["x_train"].reshape(12, 5, 6)})
    assert "its header announces another shape than (12, 6, 5)" in refusal("tiny", tiny_set.write(tmp_path, contents))


@pytest.mark.parametrize("where", ["bare", "in npz", "as idx", "as gz"])
def test_a_pickle_is_never_opened(tiny, tmp_path, where):
    marker = tmp_path / "marker"
    trap = tiny_set.trap_pickle(marker)
    if where == "bare":
        contents = {"tiny.npz": trap}
    elif where == "in npz":
        contents = {"tiny.npz": tiny_set.npz(tiny | {"x_train": np.array([tiny_set.Trap(marker)], dtype=object)})}
    else:
        contents = tiny_set.idx_files(tiny) | {"train-images-idx3-ubyte.gz": trap}
        if where == "as gz":
            import gzip

            contents["train-images-idx3-ubyte.gz"] = gzip.compress(trap)
    assert "pickle" in refusal("tiny", tiny_set.write(tmp_path / "data", contents))
    assert not marker.exists()
    pickle.loads(trap)
    assert marker.exists()  # the trap works: had it been opened, we would know


def test_absurd_headers_and_bombs_cost_no_memory(tiny, tmp_path):
    """Headers that announce terabytes, and small files that unpack into 64 MB."""
    import gzip
    import io
    import zipfile

    def npz_with(member):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in tiny:
                archive.writestr(f"{name}.npy", member)
        return buffer.getvalue()

    absurd = io.BytesIO()
    np.lib.format.write_array_header_1_0(absurd, {"descr": "|u1", "fortran_order": False, "shape": (10**13,)})
    zeros = bytes(2**26)
    idx = tiny_set.idx_files(tiny)
    cases = [
        {"tiny.npz": npz_with(absurd.getvalue())},
        {"tiny.npz": npz_with(zeros)},
        {"tiny.npz": npz_with(b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + b" " * 1000)},
        idx | {"train-images-idx3-ubyte.gz": b"\0\0\x08\x03" + b"\xff" * 12},
        idx | {"train-images-idx3-ubyte.gz": gzip.compress(b"\0\0\x08\x03\0\0\0\x0c\0\0\0\x06\0\0\0\x05" + zeros, 1)},
    ]
    del zeros
    for number, contents in enumerate(cases):
        assert max(map(len, contents.values())) < 2**20  # small enough to be read at all
        with little_memory():
            refusal("tiny", tiny_set.write(tmp_path / str(number), contents))


def test_a_file_larger_than_the_data_is_not_read(tiny, tmp_path):
    with open(tiny_set.write(tmp_path, {"tiny.npz": b"PK"}) / "tiny.npz", "r+b") as file:
        file.truncate(2**30)  # sparse: takes no room on disk
    with little_memory():
        assert "larger than the data" in refusal("tiny", tmp_path)


@pytest.mark.parametrize("kind", ["folder", "broken link", "pipe"])
def test_what_is_not_a_file_is_refused(tiny, tmp_path, kind):
    path = tmp_path / "tiny.npz"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)  # opening it would wait for ever
    else:
        path.symlink_to(tmp_path / "nowhere")
    assert "it is not a regular file" in refusal("tiny", tmp_path)


def test_part_of_a_set(tiny, tmp_path):
    contents = tiny_set.idx_files(tiny)
    del contents["t10k-labels-idx1-ubyte.gz"]
    with pytest.raises(DataRefused, match=r"holds only a part of tiny: put t10k-labels-idx1-ubyte\.gz there too"):
        load("tiny", data_dir=tiny_set.write(tmp_path, contents))


def test_files_of_another_set_with_the_same_names(tiny, tmp_path):
    message = refusal("tiny", tiny_set.write(tmp_path, tiny_set.idx_files({k: v ^ 1 for k, v in tiny.items()})))
    assert "keep the files of tiny in the sub-folder tiny and the others in theirs" in message


@pytest.mark.parametrize("place", ["readers", "keras", "cache"])
def test_a_bad_file_is_never_passed_over(tiny, tmp_path, server, monkeypatch, place):
    """The true data could be downloaded, but a reader who put a file there must hear that it is bad."""
    server.contents["tiny.npz"] = tiny_set.npz(tiny)
    monkeypatch.setenv("COURSEKIT_DATA", str(tiny_set.write(tmp_path / "data", {})))
    folder = {"readers": tmp_path / "data", "keras": sources.keras_folder(), "cache": sources.cache_folder()}[place]
    tiny_set.write(folder, {"tiny.npz": b"<html>"})
    with pytest.raises(DataRefused, match="a web page"):
        load("tiny")
    assert server.requests == []
    (folder / "tiny.npz").unlink()  # what the message says to do
    assert same(load("tiny"), tiny)


# ---- the true MNIST --------------------------------------------------------------------------------------------------


def test_true_mnist(true_mnist, monkeypatch):
    monkeypatch.setenv("COURSEKIT_DATA", str(true_mnist))
    data = load("mnist")
    assert data.card.tier == "found" and data.x_train.shape == (60000, 28, 28) and data.x_test.shape == (10000, 28, 28)
    assert np.bincount(data.y_test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert (data.x_train.min(), data.x_train.max()) == data.card.range


def test_true_mnist_in_its_first_form_and_altered(true_mnist, tmp_path):
    with np.load(true_mnist / "mnist.npz", allow_pickle=False) as archive:
        arrays = dict(archive)
    contents = tiny_set.idx_files(arrays)
    assert same(load("mnist", data_dir=tiny_set.write(tmp_path / "mnist", contents)), arrays)
    arrays["y_test"][17] = (arrays["y_test"][17] + 1) % 10
    tiny_set.write(tmp_path / "mnist", tiny_set.idx_files({"y_test": arrays["y_test"]}))
    assert "the values of y_test are not the published ones" in refusal("mnist", tmp_path)
