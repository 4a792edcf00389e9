"""The proofs as checks of the night: they pass on a sound graph, and one changed value or a strategy that peeks is named."""

from __future__ import annotations

import dagster as dg
import numpy as np
import pytest
from sqlalchemy import text

from goldsignal_pipeline.assets.partitioning import months
from goldsignal_pipeline.checks import proofs
from goldsignal_pipeline.definitions import definitions
from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline.strategies import registry
from goldsignal_pipeline.strategies.ema_momentum import EmaMomentum
from goldsignal_pipeline_tests.assets.conftest import Materialize, materialize  # noqa: F401  (a fixture)
from goldsignal_pipeline_tests.graph import MONTHS, NOW


def evaluations(result: dg.ExecuteInProcessResult) -> list[dg.AssetCheckEvaluation]:
    return list(result.get_asset_check_evaluations())


def untouched(name: str) -> dg.AssetsDefinition:
    """An asset that leaves its rows as they are, so that its check runs on them."""

    @dg.asset(name=name, partitions_def=months, backfill_policy=dg.BackfillPolicy.single_run())
    def nothing() -> None:
        return None

    return nothing


def test_parity_holds_on_a_filled_graph_and_one_changed_value_is_named(
    graph_database: Database,
    materialize: Materialize,  # noqa: F811  (the fixture above)
) -> None:
    def verdict() -> dg.AssetCheckEvaluation:
        result = materialize(
            MONTHS[0],
            MONTHS[-1],
            now=NOW,
            selection=[untouched("strategy_performance"), proofs.parity],
            other_database=graph_database,
            base_timeframe=Timeframe.H1,
        )
        return evaluations(result)[0]

    sound = verdict()
    assert sound.passed
    assert sound.metadata["rows_compared"].value > 1_000
    with graph_database.transaction() as connection:
        connection.execute(
            text(
                "UPDATE outcomes SET favourable_r = favourable_r + 0.0001"
                " WHERE result <> 'missed' AND resolved_at = (SELECT max(resolved_at) FROM outcomes WHERE result <> 'missed')"
            )
        )
    broken = verdict()
    assert not broken.passed
    assert "outcomes" in str(broken.metadata["differences"])


class PeekingMomentum(EmaMomentum):
    """Knows the next close."""

    def find(self, bars):  # type: ignore[no-untyped-def]
        found = super().find(bars)
        following = np.minimum(found.bar + 1, len(bars) - 1)
        return type(found)(
            found.bar,
            found.leg,
            found.stop + (bars.close[following] - bars.close[found.bar]),
            found.take_profit_1,
            found.take_profit_2,
            found.invalidation,
            found.conditions,
            found.one_setup_per_leg,
        )


def test_a_strategy_that_peeks_fails_the_check_by_name(
    materialize: Materialize,  # noqa: F811  (the fixture above)
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(registry, "load_strategies", lambda: {"ema_momentum": EmaMomentum()})
    assert evaluations(
        materialize(MONTHS[-1], MONTHS[-1], now=NOW, selection=[untouched("setups"), proofs.strategies_are_unbiased])
    )[0].passed
    monkeypatch.setattr(registry, "load_strategies", lambda: {"ema_momentum": PeekingMomentum()})
    caught = evaluations(
        materialize(MONTHS[-1], MONTHS[-1], now=NOW, selection=[untouched("setups"), proofs.strategies_are_unbiased])
    )[0]
    assert not caught.passed
    assert "ema_momentum" in str(caught.metadata["biases"])


@pytest.mark.parametrize(("job", "proves"), [("live_cycle", False), ("backfill", False), ("nightly_backtests", True)])
def test_proofs_run_by_night_and_never_in_a_live_cycle(job: str, proves: bool) -> None:
    nodes = {node.name for node in definitions.resolve_job_def(job).nodes}
    assert any("parity" in name for name in nodes) is proves
    assert any("unbiased" in name for name in nodes) is proves
