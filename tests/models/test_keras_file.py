"""The objects in a .keras file: found at any depth, and read as text only."""

import json
import zipfile

from coursekit.models.keras_file import objects_in


def test_objects_are_found_at_any_depth_and_nothing_is_loaded(tmp_path):
    code = {"class_name": "__lambda__", "config": {"code": "no bytecode"}}
    layer = {"class_name": "Lambda", "module": "keras.layers", "config": {"function": code, "names": [["a"], 1, None]}}
    config = {"class_name": "Sequential", "module": "keras", "config": {"layers": [layer]}, "compile_config": None}
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", b"no weights")
    assert sorted(part["class_name"] for part in objects_in(path)) == ["Lambda", "Sequential", "__lambda__"]
    assert code in objects_in(path)
