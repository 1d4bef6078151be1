"""`coursekit refresh`: execute notebooks as a student without a GPU would, and store them with their outputs."""

import asyncio

from coursekit.authoring import notebooks
from coursekit.authoring.execution.execute import execute


def refresh(wanted):
    """Execute each notebook at `quick` on TensorFlow with seed 0 and store it; True if all went well.

    A notebook that fails, or is interrupted, stays as it was.
    """
    went_well = True
    for path in notebooks.find(wanted):
        outcome = asyncio.run(execute(notebooks.read(path), path.parent))
        if outcome.status == "ok":
            notebooks.about(outcome.notebook)["executed"] = notebooks.content_hash(outcome.notebook)
            notebooks.write(path, outcome.notebook)
            claims, exercises = f"{outcome.held} claims held", f"{outcome.solved} exercises solved"
            print(f"✓ {path.name}: {claims}, {exercises}, {outcome.minutes:.2f} min, {outcome.peak_mb} MB")
        else:
            went_well = False
            print(f"✗ {path.name} is left as it was: {outcome.error}")
    return went_well
