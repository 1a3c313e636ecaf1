"""Reading files that anybody may have put into a folder: what is none, or has no end, is an error at once."""

from __future__ import annotations

import errno
import os
import stat

JSON_ENDING = ".json"
ENDINGS = (".lst", JSON_ENDING)
"""Of the names of task lists; a ``.json`` may be anybody's."""
MOST_BYTES = 10_000_000
"""How large a file may be."""
# To open a named pipe or a terminal would wait for another program, or make it that of this one.
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


StrPath = str | os.PathLike[str]


def read_file(path: StrPath, most: int = MOST_BYTES) -> bytes:
    """Return what is in a file.

    Raises OSError if it can't be read, is no ordinary file, or has more than so many bytes.
    """
    data = read_beginning(path, most + 1)
    if len(data) > most:
        raise OSError(errno.EFBIG, f"it is larger than {most / 1_000_000:g} MB", os.fspath(path))
    return data


def read_beginning(path: StrPath, length: int) -> bytes:
    """Return what is in a file, up to so many bytes. Raises OSError as `read_file` does."""
    _refuse_others(os.stat(path), path)  # before it is opened, which is enough to set off some devices
    descriptor = os.open(path, _FLAGS)
    try:
        status = os.fstat(descriptor)
        _refuse_others(status, path)
        data = bytearray()
        # Files of /proc say that they are empty, and some never end.
        while len(data) < length and (
            piece := os.read(descriptor, min(length - len(data), max(status.st_size + 1, 65_536)))
        ):
            data += piece
        return bytes(data)
    finally:
        os.close(descriptor)


def _refuse_others(status: os.stat_result, path: StrPath) -> None:
    kind = stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFDIR:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    if kind != stat.S_IFREG:
        what = _KINDS.get(kind, "something else")
        raise OSError(errno.EINVAL, f"it is {what}, not a file", os.fspath(path))
