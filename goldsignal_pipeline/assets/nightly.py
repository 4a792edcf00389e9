"""When the ends of the graph must have been made: the deadline that Dagster's page shows as freshness.

Dagster counts by the clock, and the market does not trade on every weekday. So there are two deadlines a week, and each asks for
what was made within the two days before: no weekend and no holiday of the calendar lies wholly in such a stretch. How late the
newest bar is, which matters by the minute, is the check `feed_is_fresh`, in trading time.
"""

from datetime import timedelta
from typing import Final

import dagster as dg

NIGHTLY_END: Final = dg.FreshnessPolicy.cron(
    deadline_cron="0 19 * * 2,5", lower_bound_delta=timedelta(days=2), timezone="America/New_York"
)
"""Tuesdays and Fridays, after the night of 17:20."""
