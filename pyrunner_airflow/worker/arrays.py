"""Context values of numpy and pandas, which are imported only where there are such values."""

from __future__ import annotations

import io
import sys
from typing import Any

from .kind import Kind, Refused, shown


def kind_of(value: Any) -> str | None:
    """Return the name of a value's kind, or None if it has none here."""
    numpy = sys.modules.get("numpy")
    if numpy and isinstance(value, numpy.generic):
        return "numpy"
    cls = type(value)
    name = f"{cls.__module__.partition('.')[0]}.{cls.__name__}"
    if name == "pandas.DataFrame" and not value.attrs and not _freq(value):
        return "pandas.parquet"  # which carries all that there is
    return name if name in KINDS else None


def _dump_array(value: Any) -> list[Any]:
    import numpy

    empty = numpy.empty(0, value.dtype)
    if _array_parts(_load_array(_save(empty))) != _array_parts(empty):
        raise Refused(
            "whose dtype would come back different: "
            "store .astype(...) of it, or numpy.lib.recfunctions.repack_fields(...)"
        )
    return _save(value)


def _save(value: Any) -> list[Any]:
    import numpy

    file = io.BytesIO()
    numpy.save(file, value, allow_pickle=False)
    return [file.getvalue(), value.dtype.isalignedstruct]


def _load_array(data: list[Any]) -> Any:
    import numpy

    content, is_aligned = data
    array = numpy.load(io.BytesIO(content), allow_pickle=False)
    if not is_aligned:
        return array
    layout: Any = {
        "names": array.dtype.names,
        "formats": [array.dtype.fields[name][0] for name in array.dtype.names],
        "offsets": [array.dtype.fields[name][1] for name in array.dtype.names],
        "itemsize": array.dtype.itemsize,
    }
    return array.view(numpy.dtype(layout, align=True))


def _array_parts(array: Any) -> list[Any]:
    names = array.dtype.names
    # Between the fields there may be bytes that mean nothing.
    content = [_array_parts(array[name]) for name in names] if names else array.tobytes()
    return [repr(array.dtype), array.dtype.metadata, array.shape, content]


def _freq(frame: Any) -> Any:
    return frame.index.freqstr if frame.index.dtype.kind in "mM" else None


def _dump_parquet(frame: Any) -> bytes:
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise Refused("which travels as Parquet: install pyarrow beside pandas") from error
    if not _is_carried(frame):
        raise Refused(_why_not(frame))
    return _to_parquet(frame)


def _to_parquet(frame: Any) -> bytes:
    import pyarrow
    import pyarrow.parquet

    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pandas(frame), file, compression="snappy")
    return file.getvalue()


def _load_parquet(data: bytes) -> Any:
    import pyarrow.parquet

    return pyarrow.parquet.read_table(io.BytesIO(data)).to_pandas()


def _dump_frame(value: Any) -> dict[str, Any]:
    """Take off a frame what Parquet lacks."""
    freq = _freq(value)
    bare = value.copy(deep=False)
    bare.attrs = {}
    if freq:
        bare.index = value.index.copy(deep=True)  # else pandas 1 and 2 share the frequency
        bare.index.freq = None
    return {"frame": bare, "freq": freq, "attrs": value.attrs}


def _load_frame(data: dict[str, Any]) -> Any:
    frame = data["frame"]
    if data["freq"]:
        frame.index.freq = data["freq"]
    frame.attrs = data["attrs"]
    return frame


def _frame_parts(frame: Any) -> list[Any]:
    return [_Frame(frame), frame.attrs]


class _Frame:
    """A DataFrame that is compared as a whole."""

    def __init__(self, frame: Any) -> None:
        self.frame = frame

    def __eq__(self, other: object) -> bool:
        from pandas.testing import assert_frame_equal

        assert isinstance(other, _Frame)
        try:
            assert_frame_equal(self.frame, other.frame, check_exact=True, check_freq=True)
        except AssertionError:
            return False
        return self._objects() == other._objects()

    def _objects(self) -> str:
        # To pandas a list in a cell is the same as an array, and so are dictionaries of another order.
        return repr([column.tolist() for _, column in self.frame.items() if column.dtype == object])


def _why_not(frame: Any) -> str:
    """Say why a frame is not carried, and what to do."""
    for position, (label, dtype) in enumerate(zip(frame.columns, frame.dtypes)):
        column = frame.iloc[:, [position]].reset_index(drop=True).set_axis(["x"], axis=1)
        if not _is_carried(column):
            types = ", ".join(sorted({type(item).__name__ for item in column["x"].head(1000)}))
            return (
                f"whose column {shown(label)} ({dtype} of {types:.100}) would come back different: "
                f"convert it, for example with .astype(str), or store .to_dict() of the frame"
            )
    return (
        "whose index or column labels would come back different: "
        "store .reset_index() of it, with a text of its own over each column"
    )


def _is_carried(frame: Any) -> bool:
    try:
        return _Frame(frame) == _Frame(_load_parquet(_to_parquet(frame)))
    except Exception:  # whatever pyarrow raises
        return False


def _dump_timestamp(value: Any) -> list[Any]:
    return [str(value.asm8), _unit(value), _zone(value)]


def _zone(value: Any) -> Any:
    """Return a moment's zone by its name, where pandas makes the same of that: each pandas has its own."""
    zone = value.tzinfo
    name = getattr(zone, "key", getattr(zone, "zone", None))
    return name if name and type(value.tz_convert(name).tzinfo) is type(zone) else zone


def _load_timestamp(data: list[Any]) -> Any:
    import numpy
    import pandas

    text, unit, zone = data
    moment = pandas.Timestamp(numpy.datetime64(text, unit))
    return moment if zone is None else moment.tz_localize("UTC").tz_convert(zone)


def _dump_delta(value: Any) -> list[Any]:
    return [int(value.asm8.astype("int64")), _unit(value)]


def _unit(value: Any) -> str:
    return getattr(value, "unit", "ns")  # pandas 1 knows no other


def _load_delta(data: list[Any]) -> Any:
    import numpy
    import pandas

    return pandas.Timedelta(numpy.timedelta64(*data))


def _load_nat(data: None) -> Any:
    import pandas

    return pandas.NaT


def _dump_series(value: Any) -> list[Any]:
    return [value.name, value.to_frame("values")]


def _load_series(data: list[Any]) -> Any:
    name, frame = data
    return frame["values"].rename(name)


KINDS = {
    "numpy.ndarray": Kind(None, _dump_array, _load_array, _array_parts),
    "numpy": Kind(None, _dump_array, lambda data: _load_array(data)[()], _array_parts),
    "pandas.DataFrame": Kind(None, _dump_frame, _load_frame, _frame_parts),
    "pandas.parquet": Kind(None, _dump_parquet, _load_parquet, _frame_parts),
    "pandas.Series": Kind(None, _dump_series, _load_series),
    "pandas.Timestamp": Kind(None, _dump_timestamp, _load_timestamp),
    "pandas.Timedelta": Kind(None, _dump_delta, _load_delta),
    "pandas.NaTType": Kind(None, lambda _: None, _load_nat),
}
"""By the name under which they are stored."""
