"""The part of the report to argue with: the code, the rules and the data that every number follows from."""

from __future__ import annotations

from goldsignal_pipeline.report.facts import ReportFacts
from goldsignal_pipeline.report.html import Html, Number, element, note, section, table


def versions_part(facts: ReportFacts) -> Html:
    """Versions, the events the gate was told, and a digest per asset and month."""
    versions = facts.versions
    told = [(f"{at:%Y-%m-%d %H:%M} UTC", kind, element("code", detail)) for at, kind, detail in versions.gate_events]
    rules = [
        (row["strategy"], row["timeframe"], row["version"], element("code", row["parameters"])) for row in versions.strategies
    ]
    digests = [
        (
            row["asset"],
            row["month"],
            Number(f"{row['rows']:,}"),
            row["code_version"],
            "yes" if row["complete"] else "no",
            element("code", row["digest"][:16]),
            element("code", row["inputs_digest"][:16]),
        )
        for row in versions.digests
    ]
    return section(
        "What the numbers follow from",
        note(
            f"GoldSignal {versions.code}, trading calendar {versions.calendar}. Whoever has the same candles, code and events "
            "gets the same digests; `goldsignal prove reproduce` computes them again."
        ),
        table(("strategy", "of", "version", "parameters"), rules, empty="No strategy is registered."),
        element("h3", "What the gate was told"),
        table(("from", "what", "detail"), told, empty="Nothing."),
        element("h3", "Months"),
        table(("asset", "month", "rows", "code", "complete", "content", "made of"), digests, empty="No month is stored."),
    )
