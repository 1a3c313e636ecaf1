"""Context values of numpy and pandas, which are imported only where there are such values."""

from __future__ import annotations

import base64
import io
from typing import Any

from .kind import ANY, HINT, Kind, Refused, shown
from .standard import ZONE, zone_name

_EXECUTED = b"arrow.py_extension_type"
"""The name of columns that pyarrow before 14.0.1 unpickles (CVE-2023-47248); a file's end has it in base64."""
_EXECUTED_FORMS = [
    base64.b64encode(bytes(shift) + _EXECUTED)[-(-8 * shift // 6) : 8 * (shift + len(_EXECUTED)) // 6]
    for shift in range(3)
]
"""What is the same whatever stands before and after it."""


def _dump_array(value: Any) -> list[Any]:
    import numpy

    if value.dtype.hasobject:
        raise Refused(f"which cannot travel to another task (it holds Python objects): {HINT}")
    file = io.BytesIO()
    numpy.save(file, value, allow_pickle=False)
    return [file.getvalue(), value.dtype.isalignedstruct]


def _load_array(data: list[Any]) -> Any:
    import numpy

    content, is_aligned = data
    array: Any = numpy.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
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


def _why_no_array(value: Any) -> str:
    return (
        "whose dtype would come back different: "
        "store .astype(...) of it, or numpy.lib.recfunctions.repack_fields(...)"
    )


def _freq(frame: Any) -> Any:
    return frame.index.freqstr if frame.index.dtype.kind in "mM" else None


def _dump_frame(frame: Any) -> list[Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise Refused("which travels as Parquet: install pyarrow beside pandas") from error
    freq = _freq(frame)
    bare = frame.copy(deep=False)
    bare.attrs = {}
    if freq:
        bare.index = frame.index.copy(deep=True)  # else pandas 1 and 2 share the frequency
        bare.index.freq = None
    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pandas(bare), file, compression="snappy")
    return [file.getvalue(), freq, frame.attrs]


def _load_frame(data: list[Any]) -> Any:
    content, freq, attrs = data
    if any(form in content for form in _EXECUTED_FORMS):
        raise ValueError("it has a column of which pyarrow may run code")
    import pyarrow.parquet

    frame = pyarrow.parquet.ParquetFile(io.BytesIO(content)).read().to_pandas()
    if freq:
        frame.index.freq = freq
    frame.attrs = attrs
    return frame


class _Frame:
    """A DataFrame that is compared as a whole."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame

    def __eq__(self, other: object) -> bool:
        from pandas.testing import assert_frame_equal

        assert isinstance(other, _Frame)
        try:
            assert_frame_equal(self._frame, other._frame, check_exact=True, check_freq=True)
        except AssertionError:
            return False
        return self._objects() == other._objects()

    def _objects(self) -> str:
        # To pandas a list in a cell is the same as an array, and so are dictionaries of another order.
        return repr([column.tolist() for _, column in self._frame.items() if column.dtype == object])


def _frame_parts(frame: Any) -> list[Any]:
    return [_Frame(frame), frame.attrs]


def _why_no_frame(frame: Any) -> str:
    for position, (label, dtype) in enumerate(zip(frame.columns, frame.dtypes)):
        column = frame.iloc[:, [position]].reset_index(drop=True).set_axis(["x"], axis=1)
        if not _comes_back(column):
            types = ", ".join(sorted({type(item).__name__ for item in column["x"].head(1000)}))
            return (
                f"whose column {shown(label)} ({dtype} of {types:.100}) would come back different: "
                f"convert it, for example with .astype(str), or store .to_dict() of the frame"
            )
    return (
        "whose index or column labels would come back different: "
        "store .reset_index() of it, with a text of its own over each column"
    )


def _comes_back(frame: Any) -> bool:
    try:
        return _Frame(frame) == _Frame(_load_frame(_dump_frame(frame)))
    except Exception:  # whatever pyarrow raises
        return False


def _dump_series(value: Any) -> list[Any]:
    return [value.name, value.to_frame("values")]


def _load_series(data: list[Any]) -> Any:
    name, frame = data
    series = frame["values"]
    series.name = name
    return series


def _unit(value: Any) -> str:
    return getattr(value, "unit", "ns")  # pandas 1 knows no other


def _dump_timestamp(value: Any) -> list[Any]:
    zone = value.tzinfo
    name = getattr(zone, "key", getattr(zone, "zone", None))
    # By its name, where pandas makes the same of that: each pandas has its own zones.
    is_named = name and type(value.tz_convert(name).tzinfo) is type(zone)
    return [str(value.asm8), _unit(value), name if is_named else zone]


def _load_timestamp(data: list[Any]) -> Any:
    import numpy
    import pandas

    text, unit, zone = data
    moment = pandas.Timestamp(numpy.datetime64(text, unit))
    if zone is None:
        return moment
    return moment.tz_localize("UTC").tz_convert(zone_name(zone) if type(zone) is str else zone)


def _dump_delta(value: Any) -> list[Any]:
    return [int(value.asm8.astype("int64")), _unit(value)]


def _load_delta(data: list[Any]) -> Any:
    import numpy
    import pandas

    return pandas.Timedelta(numpy.timedelta64(*data))


def _load_nat(data: None) -> Any:
    import pandas

    return pandas.NaT


_ARRAY = [bytes, bool]
KINDS: dict[str, Kind] = {
    "numpy.ndarray": Kind(None, _ARRAY, _dump_array, _load_array, _array_parts, _why_no_array),
    "numpy.generic": Kind(
        None, _ARRAY, _dump_array, lambda d: _load_array(d)[()], _array_parts, _why_no_array
    ),
    "pandas.DataFrame": Kind(
        None, [bytes, (None, str), dict], _dump_frame, _load_frame, _frame_parts, _why_no_frame
    ),
    "pandas.Series": Kind(None, [ANY, "pandas.DataFrame"], _dump_series, _load_series),
    "pandas.Timestamp": Kind(None, [str, str, (*ZONE, str)], _dump_timestamp, _load_timestamp),
    "pandas.Timedelta": Kind(None, [int, str], _dump_delta, _load_delta),
    "pandas.NaTType": Kind(None, None, lambda _: None, _load_nat),
}
"""By the name under which they are stored: their class's in its library."""
