"""Makes `market/calendar.csv`: a library's exceptional days, corrected by what brokers were seen to do.

Run by hand, never by the suite, because the library's answers about the past change between releases:

    python -m goldsignal_pipeline_tests.market.generate_calendar VERSION > goldsignal_pipeline/market/calendar.csv

A changed table needs a new version. The basis column says where each row comes from.
"""

from __future__ import annotations

import csv
import sys
from datetime import date, timedelta
from importlib.metadata import version as installed_version

import pandas as pd
import pandas_market_calendars

FIRST, LAST = date(2003, 5, 1), date(2030, 12, 31)
LIBRARY = "pandas_market_calendars"
CALENDAR = "CMEGlobex_GC"
CLOSED = ("", "", "holiday")


def early(close: str) -> tuple[str, str, str]:
    """A day that opens as usual and ends at `close`, New York."""
    return "18:00", close, "early_close"


# Seen in recorded candles. What only one broker of several shows stays as the library lists it.
OBSERVED_CLOSES: dict[str, str] = {
    # Both records hold a bar of 13:00, with the ticks of about a quarter of an hour.
    **dict.fromkeys(("2012-05-28", "2012-07-04", "2012-11-22", "2013-01-21", "2013-02-18"), "13:15"),
    **dict.fromkeys(("2013-05-27", "2013-07-04", "2013-09-02", "2013-11-28", "2014-02-17"), "13:15"),
    # Both records end by 14:00 on these New Year's Eves, and on no later one.
    **dict.fromkeys(("2012-12-31", "2013-12-31", "2014-12-31", "2015-12-31"), "14:00"),
    "2024-11-29": "15:00",
    "2025-07-04": "13:00",
    "2025-11-28": "15:00",
    "2026-01-19": "16:00",
}

# Christmas Eves on which the library has the market closed (Christmas falls on a Saturday) and so had the brokers.
CLOSED_CHRISTMAS_EVES = {2004, 2021, 2027}


def library_days() -> dict[date, tuple[str, str, str]]:
    """Every weekday on which the library's hours are not 18:00 to 17:00 New York."""
    schedule = pandas_market_calendars.get_calendar(CALENDAR).schedule(FIRST, LAST, tz="America/New_York")
    schedule.index = pd.DatetimeIndex(schedule.index)
    days: dict[date, tuple[str, str, str]] = {
        day.date(): CLOSED for day in pd.bdate_range(FIRST, LAST).difference(schedule.index)
    }
    for day, row in schedule.iterrows():
        opens, closes = f"{row['market_open']:%H:%M}", f"{row['market_close']:%H:%M}"
        if (opens, closes) != ("18:00", "17:00"):
            days[day.date()] = (opens, closes, "early_close")
    return days


def observed_days() -> dict[date, tuple[str, str, str]]:
    """What replaces the library's answer."""
    days = {date.fromisoformat(day): early(close) for day, close in OBSERVED_CLOSES.items()}
    for year in range(FIRST.year, LAST.year + 1):
        christmas_eve = date(year, 12, 24)
        if christmas_eve.weekday() < 5 and year not in CLOSED_CHRISTMAS_EVES:
            days[christmas_eve] = early("14:00")
        if year >= 2022:
            days[first_monday_of_september(year)] = early("14:30")
    return days


def first_monday_of_september(year: int) -> date:
    """Labor Day."""
    first = date(year, 9, 1)
    return first + timedelta(days=-first.weekday() % 7)


def main() -> None:
    """Write the table to standard output."""
    table = {day: (*row, f"{LIBRARY} {installed_version(LIBRARY)}") for day, row in library_days().items()}
    table |= {day: (*row, "recorded candles") for day, row in observed_days().items()}
    print(f"# version {sys.argv[1]}")
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["date", "open", "close", "reason", "basis"])
    writer.writerows([day.isoformat(), *table[day]] for day in sorted(table))


if __name__ == "__main__":
    main()
