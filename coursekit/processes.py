"""Python code run in a process of its own: nothing of this kernel is known there, and Keras may have another backend.

Born in notebook 06.
"""

import os
import subprocess
import sys

_SETTINGS = {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu", "TF_CPP_MIN_LOG_LEVEL": "3"}


def in_fresh_process(code, backend, *, seconds=300):
    """Run Python code in a new process, in the working directory, on the CPU; return what it printed, stripped.

    code:    lines of Python
    backend: what KERAS_BACKEND is there; Keras loads TensorFlow beside another backend where it finds it, and so that
             it need not, there is none for the others
    seconds: after so many the process is killed, and subprocess.TimeoutExpired raised
    Raises RuntimeError with the end of what the process said where it fails.
    """
    if backend != "tensorflow":
        code = f"import sys; sys.modules['tensorflow'] = None\n{code}"
    process = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | _SETTINGS | {"KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        timeout=seconds,
    )
    if process.returncode:
        raise RuntimeError(process.stderr[-2000:])
    return process.stdout.strip()
