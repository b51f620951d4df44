"""Where inputs are read and rows are written: files of this machine, and objects of a store that fsspec can reach.

A file is written aside and then moved; an object is put whole. Either way what is there is complete.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path, PurePosixPath
from typing import IO, Any, TypeAlias
from urllib.parse import urlsplit
from urllib.request import url2pathname

from kb_tools.errors import KbError, UnreadableInput
from kb_tools.rdf.files import unopened
from kb_tools.writing import write_atomically

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
# A password before the host, and a query: either may be a secret.
_SECRET = re.compile(r"://[^/@]*:[^/@]*@|[?#]")
# Bytes that are asked for at a time where a file of a store is read from its beginning.
_BUFFER = 4 * 2**20
# By what a store tells the states of an object apart, the strictest first.
_VERSIONS = ("VersionId", "version_id", "generation", "ETag", "etag")


@dataclass(frozen=True)
class Url:
    """A file or a folder of an object store, by its address."""

    text: str

    def __str__(self) -> str:
        return self.text

    def __truediv__(self, name: str) -> Url:
        return Url(f"{self.text.rstrip('/')}/{name}")

    @property
    def name(self) -> str:
        return PurePosixPath(self.text).name

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.text).suffix


Location: TypeAlias = Path | Url


def location(text: str) -> Location:
    """What a path or an address stands for; `file://` is a file of this machine.

    Raises:
        KbError: it is empty, or holds what may be a secret, and would be written into the manifest.
    """
    if not text:
        raise KbError("an empty argument names no file and no folder", hint="name one; . is this folder")
    found = _ADDRESS.match(text)
    if not found:
        return Path(text)
    scheme = found[1].lower()
    if _SECRET.search(text):
        raise KbError(
            f"an address of {scheme} with a password, a query or a fragment is not taken: it would be written down",
            hint="let the driver find the credentials itself, and rename files whose name holds ? or #",
        )
    if scheme == "file":
        return Path(url2pathname(urlsplit(text).path))
    return Url(text)


def absolute(place: Location) -> Location:
    """The same place, wherever a process stands; links are followed, so that a file has one place."""
    return place.resolve() if isinstance(place, Path) else place


# ---------------------------------------------------------------------- reading


def is_folder(place: Location) -> bool:
    """Whether there is such a folder.

    Raises:
        OSError: the store cannot be asked.
    """
    if isinstance(place, Path):
        return place.is_dir()
    with _store(place) as (store, path):
        return bool(store.isdir(path))


def is_file(place: Location) -> bool:
    """Whether there is such a file.

    Raises:
        OSError: the store cannot be asked.
    """
    if isinstance(place, Path):
        return place.is_file()
    with _store(place) as (store, path):
        return bool(store.isfile(path))


def files_below(folder: Url) -> list[Url]:
    """The objects in a folder and in all below it, in the order of their names; none where there is no such folder.

    Raises:
        OSError: it cannot be listed.
    """
    with _store(folder) as (store, path):
        names = [name.removeprefix(path).lstrip("/") for name in store.find(path)]
    return [folder / name for name in sorted(names)]


def holds_something(folder: Location) -> bool:
    """Whether there is anything in a folder.

    Raises:
        OSError: it cannot be listed.
    """
    return any(folder.iterdir()) if isinstance(folder, Path) else bool(files_below(folder))


def size_of(place: Location) -> int:
    """How many bytes a file has; -1 where the store does not tell.

    Raises:
        OSError: there is no such file, or the store cannot be asked.
    """
    if isinstance(place, Path):
        return place.stat().st_size
    with _store(place) as (store, path):
        found = store.size(path)
    return -1 if found is None else int(found)


def version_of(place: Location) -> str:
    """What the store calls the present state of an object: its version or its ETag; "" where nothing is told.

    Raises:
        OSError: there is no such object, or the store cannot be asked.
    """
    if isinstance(place, Path):
        return ""
    with _store(place) as (store, path):
        info = store.info(path)
    return next((str(info[key]) for key in _VERSIONS if info.get(key) not in (None, "", "null")), "")


@contextmanager
def opened(place: Location) -> Iterator[IO[bytes]]:
    """A file opened for reading, in which one can go forward and back.

    Raises:
        OSError: it cannot be opened or read.
    """
    if isinstance(place, Path):
        with place.open("rb") as file:
            yield file
    else:
        with _store(place) as (store, path), store.open(path, "rb") as file:
            # The files of drivers have not all that files have.
            yield BufferedReader(file, _BUFFER)


def read(place: Location, start: int = 0, end: int | None = None) -> bytes:
    """The bytes of a file from `start` to before `end`, or all.

    Raises:
        OSError: they cannot be read.
    """
    if isinstance(place, Path):
        with place.open("rb") as file:
            file.seek(start)
            return file.read(-1 if end is None else end - start)
    with _store(place) as (store, path):
        return bytes(store.cat_file(path, start=start, end=end))


# ---------------------------------------------------------------------- writing


def make_folder(folder: Location) -> None:
    """Makes a folder where there is none; in an object store there is nothing to make.

    Raises:
        OSError: it cannot be made.
    """
    if isinstance(folder, Path):
        folder.mkdir(parents=True, exist_ok=True)


def write(place: Location, content: bytes) -> None:
    """Writes a file, or puts an object, whole or not at all.

    Raises:
        OSError: it cannot be written; then what was there is unchanged.
    """
    if isinstance(place, Path):
        write_atomically({place: content})
        return
    with _store(place) as (store, path):
        store.pipe_file(path, content)


def unread(error: OSError, place: Location) -> UnreadableInput:
    """What hinders reading a place, as one line."""
    if isinstance(place, Path):
        return unopened(error, place)
    hint = "check the address, and the credentials as its driver wants them"
    return UnreadableInput(error.strerror or "cannot be read", where=str(place), hint=hint)


@contextmanager
def writing(place: Location) -> Iterator[None]:
    """Turns what hinders writing there into the line that says so.

    Raises:
        KbError: it cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise KbError(
            f"cannot be written: {error.strerror or error}",
            where=str(place),
            hint="make room or give access, and run again: the parts that are there are kept",
        ) from error


# ---------------------------------------------------------------------- object stores


@contextmanager
def _store(url: Url) -> Iterator[tuple[Any, str]]:
    """The driver of the store of an address, and what it calls the place.

    What a driver raises becomes an OSError without the driver's own words, in which secrets could stand.

    Raises:
        KbError: fsspec or the driver is not installed.
        OSError: the store refuses, or cannot be reached.
    """
    store, path = _driver(url)
    try:
        yield store, path
    except (KbError, TypeError, AttributeError, AssertionError):
        raise  # None of these is the store's.
    except FileNotFoundError as error:
        raise OSError(errno.ENOENT, "no such file or folder") from error
    except PermissionError as error:
        raise OSError(errno.EACCES, "the store gives no permission") from error
    except Exception as error:
        raise OSError(errno.EIO, f"the store cannot be used ({type(error).__name__})") from error


def _driver(url: Url) -> tuple[Any, str]:
    scheme = url.text.partition("://")[0].lower()
    try:
        import fsspec
        from fsspec.registry import known_implementations
    except ImportError:
        raise KbError(
            f"{scheme}:// needs fsspec, which is not installed", hint="pip install 'kb-tools[batch]'"
        ) from None
    try:
        store, path = fsspec.core.url_to_fs(url.text)
    except ImportError:
        named = str(known_implementations[scheme]["class"]).partition(".")[0]
        what = f"pip install {named}" if named != "fsspec" else str(known_implementations[scheme].get("err"))
        raise KbError(f"{scheme}:// needs a driver, which is not installed", where=str(url), hint=what) from None
    except ValueError:
        raise KbError(
            f"{scheme}:// is of no store that fsspec knows", where=str(url), hint="for instance s3://, gs://, abfs://"
        ) from None
    except Exception as error:
        raise KbError(
            f"the store cannot be used ({type(error).__name__})",
            where=str(url),
            hint="check the address, and the credentials as its driver wants them",
        ) from error
    # Lists that a driver remembers would hide what changed since.
    store.invalidate_cache()
    return store, str(path)
