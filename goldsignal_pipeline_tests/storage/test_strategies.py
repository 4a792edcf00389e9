from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text

from goldsignal_pipeline.storage import strategies
from goldsignal_pipeline.storage.database import Database
from goldsignal_pipeline.storage.strategies import RegistryChange, RegistryRow

FIRST, SECOND = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
EMA, SWEEP = ("ema_momentum", "H1"), ("liquidity_sweep", "H1")


def row(track: tuple[str, str], **different: Any) -> RegistryRow:
    content = {"version": "1", "parameters": {"fast": 21, "limits": (1.5, 2)}, "description": "made up"} | different
    return RegistryRow(*track, **content)


def register(database: Database, *rows: RegistryRow, at: datetime = SECOND) -> RegistryChange:
    with database.transaction() as connection:
        return strategies.update_registry(connection, rows, changed_at=at)


def changed_at(database: Database) -> dict[str, datetime]:
    with database.transaction() as connection:
        return {one.strategy: one.changed_at for one in connection.execute(text("SELECT * FROM goldsignal.strategies"))}


def test_i19_the_registry_is_written_once_and_again_changes_nothing(database: Database) -> None:
    assert register(database, row(SWEEP), row(EMA), at=FIRST) == RegistryChange((EMA, SWEEP), (), ())
    again = register(database, row(EMA, parameters={"limits": [1.5, 2], "fast": 21}), row(SWEEP))
    assert not again
    assert set(changed_at(database).values()) == {FIRST}
    with database.transaction() as connection:
        assert strategies.read(connection) == [
            row(EMA, parameters={"fast": 21, "limits": [1.5, 2]}),
            row(SWEEP, parameters={"fast": 21, "limits": [1.5, 2]}),
        ]


def test_what_changed_is_told_and_dated(database: Database) -> None:
    register(database, row(SWEEP), row(EMA), at=FIRST)
    assert register(database, row(SWEEP), row(EMA, parameters={"fast": 34})) == RegistryChange((), (EMA,), ())
    assert changed_at(database) == {"ema_momentum": SECOND, "liquidity_sweep": FIRST}
    assert register(database, row(SWEEP, version="2"), row(EMA, parameters={"fast": 34})).changed == (SWEEP,)


def test_what_is_no_longer_registered_stays_inactive_and_may_return(database: Database) -> None:
    register(database, row(SWEEP), row(EMA), at=FIRST)
    assert register(database, row(EMA)) == RegistryChange((), (), (SWEEP,))
    assert not register(database, row(EMA))
    with database.transaction() as connection:
        assert {one.track: one.is_active for one in strategies.read(connection)} == {EMA: True, SWEEP: False}
    assert register(database, row(EMA), row(SWEEP)) == RegistryChange((), (SWEEP,), ())
    with database.transaction() as connection:
        assert all(one.is_active for one in strategies.read(connection))


def test_a_strategy_has_a_row_for_each_timeframe(database: Database) -> None:
    register(database, row(EMA), row(("ema_momentum", "H4")))
    assert register(database, row(("ema_momentum", "H4"))).retired == (EMA,)
