"""Bias: whether a strategy knows anything it cannot know, tried out on candles.

1. It is evaluated on the record cut at some bars, the earliest first, so that nothing can be remembered of a later future; then
   on the whole record, and cut at some bars with rows, context and all. Every evaluation is watched by `ban`.
2. At more bars it is handed bars without a future and with other futures (`poisoning`): what was known by the cut must be equal.
3. More or other history, another split into months, and the same once more must change nothing; a record turned upside down
   must give the mirrored rows.

A row is a setup, a refusal or a near miss with each of its conditions, and equal means bit for bit (mirrored rows: within a
thousandth of a tick, because averages of other prices round otherwise). A proof stops at the first thing it finds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import Final

import numpy as np
import pandas as pd

from goldsignal_pipeline.market.timeframes import Timeframe
from goldsignal_pipeline.market.zones import Instants, to_datetime
from goldsignal_pipeline.proofs import poisoning
from goldsignal_pipeline.proofs.ban import Watch
from goldsignal_pipeline.proofs.comparing import EXACT, Rows, Span, Tolerance, first_difference
from goldsignal_pipeline.proofs.record import Record, month_end, month_of, month_start
from goldsignal_pipeline.proofs.reports import Bias, BiasReport, Proof, ProofError, Trial
from goldsignal_pipeline.strategies.base import Candidates, Condition, Strategy
from goldsignal_pipeline.strategies.directed import DirectedBars
from goldsignal_pipeline.strategies.evaluation import evaluate

RECORD_CUTS: Final = 4
ROW_CUTS: Final = 18
MIRRORED: Final = Tolerance(relative=1e-6, absolute=1e-3)
FUTURES: Final[dict[Proof, Callable[..., DirectedBars]]] = {
    Proof.PREFIX: poisoning.no_future,
    Proof.FUTURE_NOISE: poisoning.noise_after,
    Proof.FUTURE_GAPS: poisoning.gaps_after,
    Proof.FUTURE_NAN: poisoning.nan_after,
}

Find = Callable[[DirectedBars], Candidates]
Cut = np.datetime64


def prove_bias(strategy: Strategy, *, record: Record) -> BiasReport:
    """Everything that can be tried out on a strategy with the candles of `record`.

    Raises ProofError when it cannot be evaluated on them at all.
    """
    bench = _Bench(strategy, record)
    with bench.watch.generators():
        early = bench.cut_at(_spread(record.bar_closes(), RECORD_CUTS))
        whole = bench.whole()
    on_cut_record = early + bench.cut_at(_spread(np.unique(whole.setups.known), RECORD_CUTS))
    trials = [_rows(bench, whole), *_futures(bench, whole, on_cut_record), _origin(bench, whole), _chunks(bench, whole)]
    trials += [_mirror(bench, whole), _repetition(bench, whole), _ban(bench)]
    return BiasReport(strategy.name, record.timeframe, record.months, len(whole.setups), tuple(trials))


@dataclass(frozen=True, slots=True)
class _Raised:
    """An evaluation that ended with an exception, in words."""

    words: str


_Outcome = Rows | _Raised


@dataclass(slots=True, eq=False)
class _Bench:
    """Evaluates one strategy on one record, always under watch."""

    strategy: Strategy
    record: Record
    watch: Watch = field(default_factory=Watch)

    def whole(self) -> Rows:
        """The rows of all months on the whole record."""
        outcome = self.on(self.record.candles, self.record.months)
        if isinstance(outcome, _Raised):
            what = f"{self.strategy.name} cannot be evaluated on {self.record.timeframe}: it {outcome.words}"
            raise ProofError(what, done="nothing was proved of it", fix="correct its find")
        return outcome

    def cut_at(self, cuts: Sequence[Cut]) -> list[tuple[Cut, _Outcome]]:
        """The rows of the month of each cut, on the record cut there."""
        return [(cut, self.on_stretch([month_of(cut)], until=cut)) for cut in cuts]

    def on_stretch(self, months: Sequence[str], *, until: Cut | None = None) -> _Outcome:
        """The rows of months on no more than they read, cut at `until`."""
        return self.on(self.record.stretch(months, until=until), months)

    def on(self, candles: Mapping[Timeframe, pd.DataFrame], months: Sequence[str]) -> _Outcome:
        """The rows of months on some candles."""
        raised: list[_Raised] = []
        rows = self._evaluate(
            candles, months, [_called(self.strategy, self.strategy.name, self._guarded(self.strategy.find, raised))]
        )
        return raised[0] if raised else rows

    def in_futures(self, month: str, tries: Sequence[tuple[Proof, Cut]]) -> list[_Outcome]:
        """The rows of a month in other futures, in the order of `tries`; one evaluation for all of them."""
        raised: list[list[_Raised]] = [[] for _ in tries]
        aliases = [f"{self.strategy.name} {position}" for position in range(len(tries))]
        others = [
            _called(self.strategy, alias, self._guarded(self._in_future(proof, cut), told))
            for (proof, cut), alias, told in zip(tries, aliases, raised, strict=True)
        ]
        rows = self._evaluate(self.record.stretch([month]), [month], others)
        by_alias = rows.by_strategy(aliases, name=self.strategy.name)
        return [told[0] if told else by_alias[alias] for alias, told in zip(aliases, raised, strict=True)]

    def _in_future(self, proof: Proof, cut: Cut) -> Find:
        return lambda bars: self.strategy.find(FUTURES[proof](bars, cut=cut))

    def _guarded(self, find: Find, raised: list[_Raised]) -> Find:
        """`find` under watch; where it raises, that is remembered and nothing is found."""

        def guarded(bars: DirectedBars) -> Candidates:
            try:
                return self.watch.call(find, bars)
            except Exception as error:
                raised.append(_Raised(f"raised {type(error).__name__}: {error}"))
                return _NOTHING

        return guarded

    def _evaluate(self, candles: Mapping[Timeframe, pd.DataFrame], months: Sequence[str], strategies: Iterable[Strategy]) -> Rows:
        timeframe, start = self.record.timeframe, self.record.start
        result = evaluate(strategies, candles=candles, timeframe=timeframe, months=months, record_start=start)
        return Rows.of(result, timeframe=timeframe)


_NO_PRICES: Final = np.zeros(0)
_NO_BARS: Final = np.zeros(0, dtype=np.intp)
_NOTHING: Final = Candidates(_NO_BARS, _NO_BARS, *(_NO_PRICES,) * 4, conditions=(Condition("nothing", _NO_PRICES, ">", 0.0),))


def _called(strategy: Strategy, name: str, find: Find) -> Strategy:
    """The strategy under another name and with another `find`."""
    told = ("version", "description", "timeframes", "uses_ema200", "parameters")
    namespace = {key: getattr(strategy, key) for key in told} | {"name": name}
    namespace["find"] = lambda _, bars: find(bars)
    namespace["warm_up_days"] = lambda _, timeframe: strategy.warm_up_days(timeframe)
    made: Strategy = type("Watched", (Strategy,), namespace)()
    return made


def _spread(closes: Instants, count: int) -> list[Cut]:
    """Up to `count` of the ascending instants, evenly spread."""
    return list(closes[np.unique(np.linspace(0, len(closes) - 1, count).round().astype(int))]) if len(closes) else []


def _cuts(record: Record, whole: Rows) -> list[Cut]:
    """Closes of bars: of setups, of other rows, and of bars just before a row, where there may be none only in hindsight."""
    setups = np.unique(whole.setups.known[whole.setups.columns["kind"] == "setup"])
    rows = np.unique(whole.setups.known)
    closes = record.bar_closes()
    before = closes[np.maximum(np.searchsorted(closes, rows) - 1, 0)]
    third = ROW_CUTS // 3
    chosen = set(_spread(setups, third))
    for others in (rows, before):
        chosen.update(_spread(np.setdiff1d(others, np.array(sorted(chosen), dtype=others.dtype)), third))
    return sorted(chosen)


def _compare(proof: Proof, whole: Rows, outcome: _Outcome, span: Span, *, tolerance: Tolerance = EXACT) -> Bias | None:
    if isinstance(outcome, _Raised):
        return Bias(proof, "", None, "", f"{outcome.words}, where the bars known by {_words(span.last)} are the same")
    difference = first_difference(whole, outcome, span=span, tolerance=tolerance)
    if difference is None:
        return None
    detail = f"{difference}, in what was known by {_words(span.last)}"
    return Bias(proof, difference.column, to_datetime(difference.bar), difference.direction, detail)


def _words(instant: np.datetime64) -> str:
    return f"{to_datetime(instant):%Y-%m-%d %H:%M} UTC"


def _until(cut: Cut) -> Span:
    """What the evaluation of the month of `cut` knew by then."""
    return Span(month_start(month_of(cut)), cut)


def _trial(proof: Proof, biases: Iterator[Bias | None]) -> Trial:
    """Goes through comparisons until one finds something."""
    tried = 0
    for bias in biases:
        tried += 1
        if bias is not None:
            return Trial(proof, tried, bias)
    return Trial(proof, tried)


def _rows(bench: _Bench, whole: Rows) -> Trial:
    if len(whole.setups):
        return Trial(Proof.ROWS, 1)
    detail = f"no setup and no near miss in {', '.join(bench.record.months)}: nothing is proved"
    return Trial(Proof.ROWS, 1, Bias(Proof.ROWS, "", None, "", detail))


def _futures(bench: _Bench, whole: Rows, on_cut_record: Sequence[tuple[Cut, _Outcome]]) -> list[Trial]:
    """The trials of all futures; that of none includes the cut records."""
    outcomes: dict[Proof, list[tuple[Cut, _Outcome]]] = {proof: [] for proof in FUTURES}
    outcomes[Proof.PREFIX] += on_cut_record
    cuts = _cuts(bench.record, whole)
    with np.errstate(invalid="ignore"):
        for month in bench.record.months:
            tries = [(proof, cut) for cut in cuts if month_of(cut) == month for proof in FUTURES]
            for (proof, cut), outcome in zip(tries, bench.in_futures(month, tries), strict=True):
                outcomes[proof].append((cut, outcome))
    return [_future(proof, whole, sorted(outcomes[proof], key=itemgetter(0))) for proof in FUTURES]


def _future(proof: Proof, whole: Rows, outcomes: Sequence[tuple[Cut, _Outcome]]) -> Trial:
    # Prices are never NaN, so a strategy may refuse to read one; the other futures have been tried on it.
    refused = [outcome for _, outcome in outcomes if proof is Proof.FUTURE_NAN and isinstance(outcome, _Raised)]
    compared = [(cut, outcome) for cut, outcome in outcomes if outcome not in refused]
    trial = _trial(proof, (_compare(proof, whole, outcome, _until(cut)) for cut, outcome in compared))
    return replace(trial, note=f"not compared in {len(refused)} of {len(outcomes)}: {refused[0].words}") if refused else trial


def _origin(bench: _Bench, whole: Rows) -> Trial:
    record = bench.record
    other = {
        timeframe: poisoning.noise_before(frame, origin=record.origin(timeframe, month=record.months[0]))
        for timeframe, frame in record.candles.items()
    }

    def biases() -> Iterator[Bias | None]:
        yield _compare(Proof.ORIGIN, whole, bench.on_stretch(record.months), record.span)
        yield _compare(Proof.ORIGIN, whole, bench.on(other, record.months), record.span)

    return _trial(Proof.ORIGIN, biases())


def _chunks(bench: _Bench, whole: Rows) -> Trial:
    def biases() -> Iterator[Bias | None]:
        for month in reversed(bench.record.months):
            before_next = month_end(month) - np.timedelta64(1, "us")
            yield _compare(Proof.CHUNKS, whole, bench.on_stretch([month]), Span(month_start(month), before_next))

    return _trial(Proof.CHUNKS, biases())


def _mirror(bench: _Bench, whole: Rows) -> Trial:
    record = bench.record
    own = record.candles[record.timeframe]
    around = int(own["low"].min() + own["high"].max())
    turned = {timeframe: poisoning.turned(frame, around=around) for timeframe, frame in record.candles.items()}
    outcome = bench.on(turned, record.months)
    if isinstance(outcome, Rows):
        outcome = outcome.turned(around=around)
    return Trial(Proof.MIRROR, 1, _compare(Proof.MIRROR, whole, outcome, record.span, tolerance=MIRRORED))


def _repetition(bench: _Bench, whole: Rows) -> Trial:
    again = bench.on(bench.record.candles, bench.record.months)
    return Trial(Proof.REPETITION, 1, _compare(Proof.REPETITION, whole, again, bench.record.span))


def _ban(bench: _Bench) -> Trial:
    """What was banned and happened all the same in any evaluation."""
    violations = bench.watch.violations
    found = Bias(Proof.BAN, "", None, "", "; ".join(map(str, violations))) if violations else None
    return Trial(Proof.BAN, 0, found)
