"""What stands in a .keras file, read as text: nothing is loaded, so nothing in the file can run.

Born in notebook 06.
"""

import json
import zipfile


def objects_in(path):
    """Every dictionary with a "class_name" in the config.json of a .keras file, at any depth: a list.

    Keras writes such a dictionary for each model, layer, function, initializer and so on; most have a "module", in
    which the class lives, and a "config". A lambda has the class name "__lambda__", a tensor of the graph
    "__keras_tensor__".
    """
    with zipfile.ZipFile(path) as archive:
        to_see = [json.loads(archive.read("config.json"))]
    found = []
    while to_see:
        part = to_see.pop()
        if isinstance(part, dict):
            found += [part] if "class_name" in part else []
            to_see += part.values()
        elif isinstance(part, list):
            to_see += part
    return found
