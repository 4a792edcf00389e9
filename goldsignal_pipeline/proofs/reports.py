"""Reports: what a proof of freedom from bias found, as data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from goldsignal_pipeline.errors import GoldSignalError
from goldsignal_pipeline.market.timeframes import Timeframe


class ProofError(GoldSignalError):
    """A strategy cannot be put to the proof at all."""

    exit_code = 2


class Proof(StrEnum):
    """One thing that is tried out."""

    ROWS = "rows"
    BAN = "ban"
    PREFIX = "prefix"
    FUTURE_NOISE = "future_noise"
    FUTURE_GAPS = "future_gaps"
    FUTURE_NAN = "future_nan"
    ORIGIN = "origin"
    CHUNKS = "chunks"
    MIRROR = "mirror"
    REPETITION = "repetition"


MEANINGS: Final[dict[Proof, str]] = {
    Proof.ROWS: "the months give setups or near misses to prove anything on",
    Proof.BAN: "no clock, randomness, environment, file, network or thread is used during evaluation",
    Proof.PREFIX: "cutting the future changes nothing before the cut (I6)",
    Proof.FUTURE_NOISE: "another future, of noise, changes nothing before it",
    Proof.FUTURE_GAPS: "a future full of holes and jumps changes nothing before it",
    Proof.FUTURE_NAN: "a future of NaN changes nothing before it",
    Proof.ORIGIN: "history older than the origin, absent or other, changes nothing (I7)",
    Proof.CHUNKS: "month by month, the last first, gives the rows of one pass (I8)",
    Proof.MIRROR: "a record turned upside down gives the same rows with BUY and SELL exchanged (I14)",
    Proof.REPETITION: "the same evaluation once more gives the same rows",
}


@dataclass(frozen=True, slots=True)
class Bias:
    """The first thing that a proof found wrong.

    `column` is a column of setups or, as `conditions.<column>[<name>]`, of a condition; "" where no value differs but the
    strategy raised, or did something banned. `bar` is the open of the first bar that differs.
    """

    proof: Proof
    column: str
    bar: datetime | None
    direction: str
    detail: str


@dataclass(frozen=True, slots=True)
class Trial:
    """One proof of one strategy: how many evaluations were compared, what was found, and what could not be tried."""

    proof: Proof
    evaluations: int
    bias: Bias | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class BiasReport:
    """Everything that was tried out on one strategy and timeframe; `rows` are the setups and near misses it was tried on."""

    strategy: str
    timeframe: Timeframe
    months: tuple[str, ...]
    rows: int
    trials: tuple[Trial, ...]

    @property
    def biases(self) -> tuple[Bias, ...]:
        """What was found wrong, at most one thing a proof."""
        return tuple(trial.bias for trial in self.trials if trial.bias is not None)

    @property
    def passed(self) -> bool:
        """Nothing was found wrong."""
        return not self.biases

    @property
    def evaluations(self) -> int:
        """How often the strategy was evaluated for it."""
        return sum(trial.evaluations for trial in self.trials)

    def as_dict(self) -> dict[str, Any]:
        """The report as plain values; times aware."""
        return {
            "strategy": self.strategy,
            "timeframe": self.timeframe.value,
            "months": list(self.months),
            "rows": self.rows,
            "evaluations": self.evaluations,
            "passed": self.passed,
            "proofs": [_trial_as_dict(trial) for trial in self.trials],
        }

    def __str__(self) -> str:
        if self.passed:
            return f"{self.strategy} {self.timeframe}: nothing differs in {self.evaluations} evaluations of {self.rows} rows"
        return "\n".join(f"{self.strategy} {self.timeframe}, {bias.proof}: {_words(bias)}" for bias in self.biases)


def _trial_as_dict(trial: Trial) -> dict[str, Any]:
    bias = trial.bias
    found = None
    if bias is not None:
        found = {"column": bias.column, "bar": bias.bar, "direction": bias.direction, "detail": bias.detail}
    return {"proof": trial.proof.value, "evaluations": trial.evaluations, "bias": found, "note": trial.note}


def _words(bias: Bias) -> str:
    where = f"{bias.direction} {bias.bar:%Y-%m-%d %H:%M} UTC" if bias.bar is not None else ""
    return " ".join(part for part in (bias.column, where, bias.detail) if part)
