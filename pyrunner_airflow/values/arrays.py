"""Context values of numpy and pandas, which are imported only where there are such values."""

from __future__ import annotations

import base64
import io
import math
import re
from contextlib import suppress
from importlib import import_module
from typing import Any

from .kinds import ZONE, ZONE_NAME, Kind, Refused, fits, shown

# A type of which pyarrow before 14.0.1 unpickles columns (CVE-2023-47248), as a file has it: in base64, and
# without the characters that depend on what stands around it.
_EXECUTED = [base64.b64encode(b" " * shift + b"arrow.py_extension_type")[4:-4] for shift in range(3)]
_TEXT = re.compile(r"(dictionary<values=)?(large_)?(string|binary)\b")
_OBJECT = re.compile(r"date|decimal|time\d")  # one of Python's for each row
# Of one short value a row, or a text; and no type of another library, which may unpickle what it holds.
_FLAT = re.compile(r"(?!.*(list|struct|map|union|fixed|view|extension<(?!pandas\.period))).*")
# Without a time zone that is a file of any path, and without a text that pandas reads for ever.
_DTYPES = [{"numpy_type": re.compile(r"(?!.*dateutil/).{,200}")}, ...]
_PACKED = ("SNAPPY", "UNCOMPRESSED")  # others make thousands of bytes of one
MAX_BYTES = 2**30  # of memory, for one array or frame


def _check_size(size: int) -> None:
    if size > MAX_BYTES:
        raise Refused(f"which takes more than {MAX_BYTES:,} bytes of memory: keep it in a file")


def _dump_array(value: Any) -> list[Any]:
    file = io.BytesIO()
    import_module("numpy").save(file, value, allow_pickle=False)
    return [file.getvalue(), value.dtype.isalignedstruct]


def _load_array(data: list[Any]) -> Any:
    array = import_module("numpy.lib.format").read_array(io.BytesIO(data[0]), allow_pickle=False)
    _check_size(math.prod(length or 1 for length in array.shape) * (array.itemsize or 1))
    repack = import_module("numpy.lib.recfunctions").repack_fields
    return array.view(repack(array.dtype, align=True)) if data[1] else array  # which the file does not tell


def _check_array(value: Any, back: Any) -> None:
    told = [(repr(one.dtype), one.dtype.metadata) for one in (value, back) if one is not None]
    if told[0] != told[-1]:
        instead = "store .astype(...) of it, or numpy.lib.recfunctions.repack_fields(...)"
        raise Refused(f"whose dtype would come back different: {instead}")


def _from_parquet(content: bytes) -> Any:
    if any(form in content for form in _EXECUTED):
        raise ValueError("it has a column of which pyarrow may run code")
    file = import_module("pyarrow.parquet").ParquetFile(io.BytesIO(content))
    schema, groups = file.schema_arrow, map(file.metadata.row_group, range(file.metadata.num_row_groups))
    types, told = [*map(str, schema.types)], schema.pandas_metadata or {"columns": []}
    texts = [name for name, cls in zip(schema.names, types) if _TEXT.match(cls)]
    is_known = texts == [c.path for c in file.schema if c.physical_type == "BYTE_ARRAY"]
    is_known &= all(map(_FLAT.fullmatch, types)) and all(c.length <= 32 for c in file.schema)  # of a Decimal
    is_known &= all(group.column(i).compression in _PACKED for group in groups for i in range(len(types)))
    if not is_known or not fits(told["columns"] + told.get("column_indexes", []), _DTYPES):
        raise ValueError("it has a column of which pandas may run code, open files or take all memory")
    size = file.metadata.num_rows * sum(128 if _OBJECT.match(cls) else 8 for cls in types)
    _check_size(size)
    compute = import_module("pyarrow.compute")
    # A text may be stored once for many rows: what it takes is counted before it is written into them.
    for batch in type(file)(io.BytesIO(content), read_dictionary=schema.names).iter_batches():
        for column, cls in zip(batch.columns, schema.types):
            if column.type != cls:
                column = compute.binary_length(column.dictionary).take(column.indices)
                size += compute.sum(column).as_py() or 0
            size += column.nbytes
        _check_size(size)
    return file.read().to_pandas()


def _dump_frame(frame: Any) -> dict[str, Any]:
    freq = frame.index.freqstr if frame.index.dtype.kind in "mM" else None
    bare = frame.copy(deep=False)
    bare.attrs = {}
    try:
        parquet = bare.to_parquet(engine="pyarrow")
    except ImportError as error:
        raise Refused("which travels as Parquet: install pyarrow beside pandas") from error
    return {"freq": freq, "attrs": frame.attrs, "parquet": parquet}


def _load_frame(data: dict[str, Any]) -> Any:
    frame = _from_parquet(data["parquet"])
    if data["freq"]:
        frame.index.freq = data["freq"]
    frame.attrs = data["attrs"]
    return frame


def _is_same_frame(frame: Any, other: Any) -> bool:
    with suppress(AssertionError):
        import_module("pandas.testing").assert_frame_equal(frame, other, check_exact=True, check_freq=True)
        cells = [[c.tolist() for _, c in one.items() if c.dtype == object] for one in (frame, other)]
        return repr(cells[0]) == repr(cells[1])
    return False


def _check_frame(frame: Any, back: Any) -> None:
    if back is not None and _is_same_frame(frame, back):
        return
    what = "index or column labels"
    instead = "store .reset_index() of it, with a text of its own over each column"
    for position, (label, dtype) in enumerate(zip(frame.columns, frame.dtypes)):
        column = import_module("pandas").DataFrame({"x": frame.iloc[:, position].array})
        with suppress(Exception):  # whatever pyarrow raises
            if _is_same_frame(column, _from_parquet(column.to_parquet(engine="pyarrow"))):
                continue
        types = ", ".join(sorted({type(item).__name__ for item in column["x"].head(1000)}))
        what = f"column {shown(label)} ({dtype} of {types:.100})"
        instead = "convert it, for example with .astype(str), or store .to_dict() of the frame"
        break
    raise Refused(f"whose {what} would come back different: {instead}")


def _load_series(data: list[Any]) -> Any:
    series = data[1].iloc[:, 0]  # by a label it may be a frame
    series.name = data[0]  # rename() would call what can be called
    return series


def _dump_timestamp(value: Any) -> list[Any]:
    zone = value.tzinfo
    name = getattr(zone, "key", getattr(zone, "zone", None))
    # By its name, where pandas makes the same of that: each pandas has its own zones.
    is_named = name and type(value.tz_convert(name).tzinfo) is type(zone)
    return [str(value.asm8), name if is_named else zone]


def _load_timestamp(data: list[Any]) -> Any:
    moment = import_module("pandas").Timestamp(import_module("numpy").datetime64(data[0]))
    return moment if data[1] is None else moment.tz_localize("UTC").tz_convert(data[1])


_ARRAY, _SERIES = [bytes, bool], [object, "pandas.DataFrame"]
_FRAME = {"freq": (None, re.compile(r"[\w+.-]{1,50}", re.ASCII)), "attrs": dict, "parquet": bytes}
KINDS: dict[str, Kind] = {
    "numpy.ndarray": Kind(_ARRAY, _dump_array, _load_array, _check_array),
    "numpy.generic": Kind(_ARRAY, _dump_array, lambda d: _load_array(d)[()], _check_array),
    "pandas.DataFrame": Kind(_FRAME, _dump_frame, _load_frame, _check_frame),
    "pandas.Series": Kind(_SERIES, lambda v: [v.name, v.to_frame("values")], _load_series),
    "pandas.Timestamp": Kind([str, (*ZONE, ZONE_NAME)], _dump_timestamp, _load_timestamp),
    "pandas.Timedelta": Kind(
        ["numpy.timedelta64"], lambda v: [v.asm8], lambda d: import_module("pandas").Timedelta(*d)
    ),
    "pandas.NaTType": Kind(None, lambda _: None, lambda _: import_module("pandas").NaT),
}
