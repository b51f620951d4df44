"""Write files completely or not at all: under another name first, then moved, so that a failure leaves the old ones."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

# The names of what is being written begin with this.
TEMPORARY = ".aside-"


def write_atomically(contents: Mapping[Path, bytes], private: bool = False) -> None:
    """Write files that belong together, each in place of the one of its name.

    A link is followed, and what is no file (a device, a pipe) is written to as it is.

    Args:
        private: whether only the owner may read them.

    Raises:
        OSError: one cannot be written; then every file is as it was before.
    """
    waiting: list[tuple[Path, Path]] = []
    try:
        for path, content in contents.items():
            if path.exists() and not path.is_file():
                path.write_bytes(content)
                continue
            target = path.resolve()
            with tempfile.NamedTemporaryFile(prefix=TEMPORARY, dir=target.parent, delete=False) as temporary:
                waiting.append((Path(temporary.name), target))
                temporary.write(content)
                temporary.flush()
                os.fsync(temporary.fileno())
            Path(temporary.name).chmod(0o600 if private else _mode(target))
        for written, target in waiting:
            written.replace(target)
    finally:
        for written, _ in waiting:
            with suppress(OSError):
                written.unlink(missing_ok=True)


def _mode(path: Path) -> int:
    """The permissions of the file that is there, or those that a new one gets."""
    if path.exists():
        return path.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Make a folder that is there once all in it is: what is yielded has another name until then.

    Raises:
        OSError: it cannot be made, or something of the name is there.
    """
    # One level deeper than the folder is to stand, where nothing looks for it.
    temporary = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=path.parent))
    try:
        made = temporary / path.name
        made.mkdir()
        yield made
        made.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
