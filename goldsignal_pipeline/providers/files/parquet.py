"""Parquet files of candles: the columns of a plain CSV, times as timestamps, epochs or text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from goldsignal_pipeline.market.sources import Side
from goldsignal_pipeline.market.zones import Instants
from goldsignal_pipeline.providers.files.errors import FileFormatError
from goldsignal_pipeline.providers.files.reader import Chunk, Facts, joined_payload
from goldsignal_pipeline.providers.files.stamps import parse_epoch_or_text, states_offset
from goldsignal_pipeline.providers.files.streams import open_bytes
from goldsignal_pipeline.providers.files.text import quote_of
from goldsignal_pipeline.providers.files.text_layout import TextLayout, recognise
from goldsignal_pipeline.providers.files.zones import UTC_ZONE

_ROWS: Final = 65_536


class ParquetReader:
    """A parquet file, read in batches of rows."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with open_bytes(path) as source:
            file = _open(source.stream, name=path.name)
            # The header of a CSV with these columns: names are recognised in one place only.
            self._layout: TextLayout = recognise(",".join(file.schema_arrow.names) + "\n", name=path.name)
            self._names = dict(zip(self._layout.columns, file.schema_arrow.names, strict=True))
            field = file.schema_arrow.field(self._names[self._layout.time_columns[0]])
            self._instants = pa.types.is_timestamp(field.type) and field.type.tz is not None
            sample = next(file.iter_batches(batch_size=1000), None)
        text = pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
        self._with_offset = bool(text and sample is not None and states_offset(sample.column(field.name).to_pandas()))

    @property
    def facts(self) -> Facts:
        """What column names, column types and the file's name say."""
        stated = self._layout.facts
        zone = UTC_ZONE if self._instants or self._with_offset else stated.zone
        reason = "its timestamps carry a zone" if self._instants or self._with_offset else stated.zone_reason
        return Facts(
            "parquet" if stated.format == "csv" else f"parquet of {stated.format}",
            "parquet" if stated.vendor == "csv" else stated.vendor,
            stated.sides,
            zone=zone,
            zone_reason=reason,
            states_instants=self._instants or self._with_offset,
            side_assumed=stated.side_assumed,
        )

    def chunks(self) -> Iterator[Chunk]:
        """All rows in file order."""
        layout = self._layout
        side: Side = layout.facts.sides[0]
        with open_bytes(self._path) as source:
            file = _open(source.stream, name=self._path.name)
            wanted = [*layout.time_columns, *layout.price_columns, *([layout.volume_column] if layout.volume_column else [])]
            for batch in file.iter_batches(batch_size=_ROWS, columns=[self._names[name] for name in wanted]):
                frame = batch.to_pandas()[[self._names[name] for name in wanted]].set_axis(wanted, axis=1)
                quote = quote_of(frame, prices=layout.price_columns, volume=layout.volume_column)
                yield Chunk(self._stamps(frame), {side: quote}, joined_payload(frame, separator=","), source.position())

    def _stamps(self, frame: pd.DataFrame) -> Instants:
        times = frame[self._layout.time_columns[0]]
        if len(self._layout.time_columns) == 2:
            times = times.astype("str") + " " + frame[self._layout.time_columns[1]].astype("str")
        if isinstance(times.dtype, pd.DatetimeTZDtype):
            times = times.dt.tz_convert("UTC").dt.tz_localize(None)
        if times.dtype.kind == "M":
            return np.asarray(times.to_numpy().astype("datetime64[us]"))
        return parse_epoch_or_text(times, with_offset=self._with_offset)


def _open(stream: object, *, name: str) -> parquet.ParquetFile:
    try:
        return parquet.ParquetFile(stream)
    except (pa.ArrowInvalid, OSError) as error:
        raise FileFormatError(
            f"{name} is a damaged parquet file: {error}", done="nothing was read", fix="write it again"
        ) from error
