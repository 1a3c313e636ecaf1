"""Context values of numpy and pandas, which are imported only where there are such values."""

from __future__ import annotations

import base64
import io
from importlib import import_module
from typing import Any

from .kind import HINT, Kind, Refused, shown
from .standard import ZONE, ZONE_NAME

_EXECUTED = [base64.b64encode(b" " * shift + b"arrow.py_extension_type")[4:-4] for shift in range(3)]
"""
The name of a type of which pyarrow before 14.0.1 unpickles columns (CVE-2023-47248), as a file has it.

That is in base64, without the characters that depend on what stands before and after.
"""


def _dump_array(value: Any) -> list[Any]:
    if value.dtype.hasobject:
        raise Refused(f"which cannot travel to another task (it holds objects of Python): {HINT}")
    file = io.BytesIO()
    import_module("numpy").save(file, value, allow_pickle=False)
    return [file.getvalue(), value.dtype.isalignedstruct]


def _load_array(data: list[Any]) -> Any:
    content, is_aligned = data
    array = import_module("numpy.lib.format").read_array(io.BytesIO(content), allow_pickle=False)
    if is_aligned:  # which the file does not tell
        fields = import_module("numpy.lib.recfunctions")
        return array.view(fields.repack_fields(array.dtype, align=True))
    return array


def _array_fault(value: Any, back: Any) -> str | None:
    if repr(value.dtype) == repr(back.dtype) and value.dtype.metadata == back.dtype.metadata:
        return None
    return (
        "whose dtype would come back different: "
        "store .astype(...) of it, or numpy.lib.recfunctions.repack_fields(...)"
    )


def _to_parquet(frame: Any) -> bytes:
    file = io.BytesIO()
    table = import_module("pyarrow").Table.from_pandas(frame)
    import_module("pyarrow.parquet").write_table(table, file, compression="snappy")
    return file.getvalue()


def _from_parquet(content: bytes) -> Any:
    if any(form in content for form in _EXECUTED):
        raise ValueError("it has a column of which pyarrow may run code")
    return import_module("pyarrow.parquet").ParquetFile(io.BytesIO(content)).read().to_pandas()


def _dump_frame(frame: Any) -> dict[str, Any]:
    freq = frame.index.freqstr if frame.index.dtype.kind in "mM" else None
    bare = frame.copy(deep=False)
    bare.attrs = {}
    if freq:
        bare.index = frame.index.copy(deep=True)  # else pandas 1 and 2 share the frequency
        bare.index.freq = None
    try:
        return {"freq": freq, "attrs": frame.attrs, "parquet": _to_parquet(bare)}
    except ImportError as error:
        raise Refused("which travels as Parquet: install pyarrow beside pandas") from error
    except Exception as error:  # whatever pyarrow raises
        raise Refused(_frame_fault(bare)) from error


def _load_frame(data: dict[str, Any]) -> Any:
    frame = _from_parquet(data["parquet"])
    if data["freq"]:
        frame.index.freq = data["freq"]
    frame.attrs = data["attrs"]
    return frame


def _is_same_frame(frame: Any, other: Any) -> bool:
    try:
        import_module("pandas.testing").assert_frame_equal(frame, other, check_exact=True, check_freq=True)
    except AssertionError:
        return False
    # To pandas a list in a cell is the same as an array, and so are dictionaries of another order.
    first, second = (
        repr([column.tolist() for _, column in one.items() if column.dtype == object])
        for one in (frame, other)
    )
    return first == second


def _frame_fault(frame: Any, back: Any = None) -> str | None:
    if back is not None and _is_same_frame(frame, back):
        return None
    for position, (label, dtype) in enumerate(zip(frame.columns, frame.dtypes)):
        column = frame.iloc[:, [position]].reset_index(drop=True).set_axis(["x"], axis=1)
        try:
            is_same = _is_same_frame(column, _from_parquet(_to_parquet(column)))
        except Exception:  # whatever pyarrow raises
            is_same = False
        if not is_same:
            types = ", ".join(sorted({type(item).__name__ for item in column["x"].head(1000)}))
            return (
                f"whose column {shown(label)} ({dtype} of {types:.100}) would come back different: "
                f"convert it, for example with .astype(str), or store .to_dict() of the frame"
            )
    return (
        "whose index or column labels would come back different: "
        "store .reset_index() of it, with a text of its own over each column"
    )


def _dump_series(series: Any) -> dict[str, Any]:
    return {"name": series.name, **_dump_frame(series.to_frame("values"))}


def _load_series(data: dict[str, Any]) -> Any:
    return _load_frame(data)["values"].rename(data["name"])


def _unit(value: Any) -> str:
    return getattr(value, "unit", "ns")  # pandas 1 knows no other


def _dump_timestamp(value: Any) -> list[Any]:
    zone = value.tzinfo
    name = getattr(zone, "key", getattr(zone, "zone", None))
    # By its name, where pandas makes the same of that: each pandas has its own zones.
    is_named = name and type(value.tz_convert(name).tzinfo) is type(zone)
    return [str(value.asm8), _unit(value), name if is_named else zone]


def _load_timestamp(data: list[Any]) -> Any:
    text, unit, zone = data
    moment = import_module("pandas").Timestamp(import_module("numpy").datetime64(text, unit))
    return moment if zone is None else moment.tz_localize("UTC").tz_convert(zone)


def _load_delta(data: list[Any]) -> Any:
    return import_module("pandas").Timedelta(import_module("numpy").timedelta64(*data))


_ARRAY = [bytes, bool]
_FRAME = {"freq": (None, str), "attrs": dict, "parquet": bytes}
KINDS: dict[str, Kind] = {
    "numpy.ndarray": Kind(None, _ARRAY, _dump_array, _load_array, _array_fault),
    "numpy.generic": Kind(None, _ARRAY, _dump_array, lambda d: _load_array(d)[()], _array_fault),
    "pandas.DataFrame": Kind(None, _FRAME, _dump_frame, _load_frame, _frame_fault),
    "pandas.Series": Kind(None, _FRAME, _dump_series, _load_series),
    "pandas.Timestamp": Kind(None, [str, str, (*ZONE, ZONE_NAME)], _dump_timestamp, _load_timestamp),
    "pandas.Timedelta": Kind(
        None, [int, str], lambda v: [int(v.asm8.astype("int64")), _unit(v)], _load_delta
    ),
    "pandas.NaTType": Kind(None, None, lambda _: None, lambda _: import_module("pandas").NaT),
}
"""By the name under which they are stored: that of their class in its library."""
