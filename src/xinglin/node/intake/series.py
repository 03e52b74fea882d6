"""Series of images that came as files: each gets its count of instances, also where no listener counts along."""

from __future__ import annotations

from pathlib import Path

from xinglin.feeds.dicom_counting import SeriesCounter
from xinglin.intake.ports import RawStore
from xinglin.kernel.instants import Clock, system_clock
from xinglin.records.dicom.files import DICOM_MEDIA_TYPE
from xinglin.stores.dicom_index import open_dicom_index

INDEX_FILE = "dicom.db"


def is_image(media_type: str) -> bool:
    """Whether an object of this media type is an instance of a series."""
    return media_type.partition(";")[0].strip().lower() == DICOM_MEDIA_TYPE


def count_series(folder: Path, raw: RawStore, clock: Clock = system_clock) -> int:
    """Index what was kept since, and keep a summary of every series that changed; how many.

    A summary is an object like any other: whoever calls this has it carried. The index may be open elsewhere: what is
    done twice has the same effect. Raises ``IntakeError``.
    """
    index = open_dicom_index(folder / INDEX_FILE)
    try:
        counter = SeriesCounter(index, raw, clock=clock)
        counter.follow()
        return counter.summarise(clock())
    finally:
        index.close()
