"""What is made of files once and kept on disk between runs, as long as the files stay as they are."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pyoxigraph as ox

from kb_tools.errors import KbError
from kb_tools.writing import write_atomically

# Changes when graphs are laid out differently, so that an older store is not used.
LAYOUT = "3"
# What was made of an earlier state of the files is removed when it was not used for this long, in seconds.
UNUSED = 24 * 60 * 60
# The names of what is being made begin with this.
TEMPORARY = "aside-"


class Cache:
    """What was made of one state of the files of a knowledge base.

    Attributes:
        size: of the files, in bytes.
    """

    def __init__(self, root: Path, files: Mapping[Path, str]) -> None:
        """Looks at the files.

        Args:
            root: the folder of the knowledge base.
            files: each with the name of its graph.
        """
        self._root = hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:8]
        self.size = 0
        state = hashlib.sha256(f"{LAYOUT} {ox.__version__}\n".encode())
        for path, name in files.items():
            try:
                stat = path.stat()
            except FileNotFoundError:
                # Its content is held in memory, and the file was removed since.
                state.update(f"{path}\0{name}\0gone\n".encode())
                continue
            self.size += stat.st_size
            # The time of the last change to the file's entry, where there is one, cannot be set back as the other can.
            state.update(f"{path}\0{name}\0{stat.st_size}\0{stat.st_mtime_ns}\0{stat.st_ctime_ns}\n".encode())
        self._state = state.hexdigest()[:24]

    @property
    def folder(self) -> Path:
        """Where it is kept.

        Raises:
            KbError: there is no home folder.
        """
        return cache_folder() / f"{self._root}-{self._state}"

    def has(self, name: str) -> bool:
        """Whether a folder of that name is kept."""
        return (self.folder / name).is_dir()

    def keep(self, name: str, make: Callable[[Path], None]) -> None:
        """Makes a folder, unless it is there: aside, and moved into place, so that no other run sees half of it.

        Raises:
            KbError: it cannot be written.
        """
        target = self.folder / name
        if target.is_dir():
            return
        try:
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=target.parent))
            try:
                make(temporary)
                # Fails where another run was faster; then that one's is used.
                with suppress(OSError):
                    temporary.rename(target)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
            if not target.is_dir():
                raise OSError("cannot be moved into place")
        except OSError as error:
            raise KbError(
                f"the graphs cannot be kept: {error.strerror or error}",
                where=str(target),
                hint="set XDG_CACHE_HOME to a folder with room",
            ) from error

    def open(self, name: str) -> ox.Store:
        """The store in a folder that is kept; it is only read.

        Raises:
            KbError: it is damaged.
        """
        folder = self.folder / name
        with self.reading():
            store = ox.Store.read_only(str(folder / "store"))
        # Each time that it is opened it leaves a log behind.
        for path in folder.glob("store/LOG.old.*"):
            path.unlink(missing_ok=True)
        return store

    @contextmanager
    def reading(self, *more: type[Exception]) -> Iterator[None]:
        """While something is read: where it turns out to be damaged, the error says what to remove.

        Args:
            more: errors that say so too.
        """
        try:
            yield
        except Exception as error:
            if isinstance(error, RecursionError) or not isinstance(error, (OSError, RuntimeError, *more)):
                raise
            reason = " ".join(str(error).split())[:200]
            hint = "remove the folder: it is made again"
            raise KbError(f"the graphs kept here are damaged: {reason}", where=str(self.folder), hint=hint) from error

    def used(self) -> None:
        """Notes that this state of the files is in use."""
        with suppress(OSError):
            os.utime(self.folder)

    def text(self, name: str) -> bytes | None:
        """What a file that is kept holds; None where there is none, or it is not what was written."""
        return kept_text(self.folder / name)

    def keep_text(self, name: str, written: bytes) -> None:
        """Keeps a file where it can be written: see `keep_text`."""
        if keep_text(self.folder / name, written):
            self.prune()

    def prune(self) -> None:
        """Removes what was made of earlier states of these files, and what a run that was ended left half made."""
        earlier = self.folder.parent.glob(f"{self._root}-*")
        for path in [*(folder for folder in earlier if folder != self.folder), *self.folder.rglob(f"*{TEMPORARY}*")]:
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > UNUSED:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()


def cache_folder() -> Path:
    """Where what can be made again is kept between runs."""
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".cache") / "kb-tools"
    except RuntimeError as error:
        raise KbError("no home folder to keep things in", hint="set XDG_CACHE_HOME") from error


def kept_text(path: Path) -> bytes | None:
    """What a file that is kept holds; None where there is none, or it is not what was written."""
    try:
        # What is no file, a named pipe for instance, could be waited for without end.
        if not path.is_file():
            return None
        line, end, written = path.read_bytes().partition(b"\n")
    except OSError:
        return None
    return written if line + end == _digest_line(written) else None


def keep_text(path: Path, written: bytes) -> bool:
    """Keeps a file where it can be written: a comment with the digest of the text, and the text.

    Only its owner may read it. What is no file is left as it is.

    Returns:
        whether it is kept.
    """
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists() or path.is_file():
            write_atomically({path: _digest_line(written) + written}, private=True)
            return True
    return False


def _digest_line(written: bytes) -> bytes:
    return f"# sha256 {hashlib.sha256(written).hexdigest()}\n".encode()
