"""coursekit as a wheel, as on Colab where only the notebook is there: it brings its data along."""

import subprocess
import sys
import zipfile

import pytest
from helpers import ROOT

pytestmark = pytest.mark.slow
CODE = """
import coursekit as ck
assert ck.paths.repository_root() is None and ck.paths.data_dir().name == "_data"
assert ck.recorded("00", "accuracy").values
assert len(ck.load("digits").x_test) == 360
from coursekit.models.transfer import SOURCES, weights_file
from coursekit.models.weights import load_weights
assert all(load_weights(weights_file(source)) for source in SOURCES)
print(ck.__file__)
"""


def test_the_wheel_holds_the_package_and_its_data(tmp_path):
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("coursekit_notebooks-*.whl")
    unpacked = tmp_path / "unpacked"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(unpacked)
        assert not [
            name for name in archive.namelist() if name.startswith(("tests/", "notebooks/", "coursekit/_data/."))
        ]
    code = f"import sys; sys.path.insert(0, {str(unpacked)!r})\n{CODE}"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert str(unpacked) in done.stdout
