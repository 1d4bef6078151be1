"""The exceptions of coursekit. Each message says in a sentence what is wrong and what to do. Born in notebook 00."""

import os
import traceback


class CoursekitError(Exception):
    """Parent of everything that coursekit raises on purpose."""

    def _render_traceback_(self):
        """What a notebook shows: the reader's own lines that led here, none of coursekit's, and the message.

        IPython asks for it by this name. A cell is code that stands in no file.
        """
        cells = [frame for frame in traceback.extract_tb(self.__traceback__) if not os.path.isfile(frame.filename)]
        lines = [f"line {frame.lineno}: {frame.line}" for frame in cells if frame.line]
        return [*lines, "", f"{type(self).__name__}: {self}"] if lines else [f"{type(self).__name__}: {self}"]


class SetupError(CoursekitError):
    """The session cannot be set up as asked: an unknown profile, seed or backend, or a stranger's package."""


class FileNotWritten(CoursekitError, OSError):
    """A file can't be written, on a disk that is full or read-only for example; an old one is as it was."""


class DataUnavailable(CoursekitError):
    """A data set can't be had here: it is neither bundled, nor found on this machine, nor can it be downloaded."""


class DataRefused(CoursekitError):
    """A data file is not what it says it is: cut, altered, or of a kind that would run code when opened."""


class ClaimFailed(CoursekitError, AssertionError):
    """A sentence about a result turned out not to hold."""


class WrongAnswer(CoursekitError, AssertionError):
    """Raised by `grade`, never by `check`: the answer to an exercise is missing or not right."""


class CheckpointError(CoursekitError):
    """A checkpoint can't be taken up: it is cut or altered, or belongs to another model or optimizer."""


class TuningError(CoursekitError, ValueError):
    """A search can't be made as asked: a space with nothing to choose, or a folder that holds another search."""


class WorkerError(CoursekitError):
    """A process that was to train or to serve has failed, or has taken too long and was killed."""


class CompressedFileError(CoursekitError):
    """A compressed model can't be written or read: a cut or altered file, or one that names what may not be built."""


class CompressionError(CoursekitError, ValueError):
    """A model can't be clustered, pruned or stripped as asked; the message names the layer and says what to do."""
