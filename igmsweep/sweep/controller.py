"""A sweep under way, as its runner sees it: ask for a task, report a cycle's end, tell how a trial ended.

All decisions are made here and written to the ledger before anything follows from them, so that a driver that is
killed at any moment is replaced by one that reads the folder.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from igmsweep.config import TrainConfig
from igmsweep.errors import UserError
from igmsweep.record.failures import TRANSIENT, UNKNOWN, Failure, FailureClass, SweepFailed, TrialsFail
from igmsweep.record.ledger import Ledger
from igmsweep.record.paths import ERROR, LEDGER, trial_folder
from igmsweep.record.ranking import best
from igmsweep.record.results import forget_result, outcome, read_result
from igmsweep.record.rows import Report, TrialRow, folded, merged, repeat_source
from igmsweep.record.states import State
from igmsweep.record.stopping import Stopping
from igmsweep.schema.paths import refuse_places
from igmsweep.spaces.space import SearchSpace
from igmsweep.sweep.checkpoints import Checkpoints
from igmsweep.sweep.options import SweepOptions
from igmsweep.sweep.progress import Display
from igmsweep.sweep.recovery import left_behind, runs_alone_next
from igmsweep.sweep.repeats import Repeats
from igmsweep.sweep.resources import Allotment
from igmsweep.sweep.search import Proposal, Proposer
from igmsweep.sweep.task import Task

logger = logging.getLogger(__name__)

EQUAL_BUGS = 3
"""As many first trials that fail as bugs, with none complete, end a sweep."""

LOST = {FailureClass.WORKER: "the worker process died", FailureClass.NODE: "the node it ran on was lost"}


@dataclass(frozen=True)
class _Attempt:
    """A trial that is to run, or runs. `decided`: the last cycle whose score is in the ledger."""

    proposal: Proposal
    number: int = 0
    alone: bool = False
    decided: int = 0
    retried: int = 0


class Controller:
    """The state of a running sweep, and every decision about it."""

    def __init__(
        self,
        folder: Path,
        base: TrainConfig,
        space: SearchSpace,
        proposer: Proposer,
        stopping: Stopping,
        allotment: Allotment,
        settings: SweepOptions,
    ) -> None:
        self.folder, self.base, self.space, self.settings = folder, base, space, settings
        self.proposer, self.stopping_rule, self.allotment = proposer, stopping, allotment
        self.ledger = Ledger(folder / LEDGER)
        self.rows: dict[int, TrialRow] = {}
        self.progress = Display(space.metric, space.mode, self.wanted, allotment.concurrent, settings.quiet)
        budget = settings.time_budget_s
        self.deadline = None if budget is None else time.monotonic() + budget
        self._fault: Exception | None = None
        self._stop_code = 0
        self._open: dict[int, _Attempt] = {}
        self._again: list[_Attempt] = []
        everyone = settings.repeat_top >= proposer.limit
        self._repeats = Repeats(space.metric, space.mode, settings.repeat_top, settings.seeds, base.seed, everyone)
        self._checkpoints = Checkpoints(folder, settings.keep_checkpoints)

    @property
    def wanted(self) -> int:
        """Trials in all, repeated trainings counted in."""
        repeats = min(self.settings.repeat_top, self.proposer.limit) * (self.settings.seeds - 1)
        return self.proposer.limit + repeats

    @property
    def fault(self) -> Exception | None:
        """What went wrong in the driver itself, which a library's callbacks would swallow."""
        return self._fault

    def fail(self, error: Exception) -> None:
        """End the sweep with an error; the first one is told."""
        self._fault = self._fault or error

    @property
    def stop_code(self) -> int:
        """The exit code of the signal that ends the sweep; 0 for none."""
        return self._stop_code

    def stop(self, code: int) -> None:
        """End the sweep in order, since a signal asks for it; the first one counts."""
        self._stop_code = self._stop_code or code

    @property
    def stopping(self) -> bool:
        """Whether a signal, a fault of the driver or the time budget asks for an end."""
        late = self.deadline is not None and time.monotonic() > self.deadline
        return bool(self._stop_code) or self._fault is not None or late

    @property
    def busy(self) -> bool:
        """Whether a running trial may still bring new work: a retry, or the repeats that wait for the last one."""
        return bool(self._open)

    @property
    def over(self) -> bool:
        """Whether nothing is left to train."""
        left = self._open or self._again or self.proposer.proposed < self.proposer.limit
        return not left and self._repeats.missing(self.rows) is None

    def restore(self, retry_failed: bool = False) -> None:
        """Take up what the folder tells: finished trials, scores at rungs, and trials to be gone on with."""
        lines, aside = self.ledger.read()
        if aside is not None:
            logger.warning("%s", aside.words())
        self.rows = folded(lines)
        for owed in left_behind(self.folder, self.rows, self.allotment.concurrent):
            self._write(owed.pop("trial"), **owed)
        stopped: dict[int, Report] = {}
        for line in lines:  # in the order in which the decisions were made
            heard, number = Report.read(line.get("report")), line["trial"]
            if heard is None or self.rows[number].is_repeat:
                continue
            if self.stopping_rule.report(number, heard.cycle, heard.score):
                stopped[number] = heard
        for number, heard in stopped.items():  # decided, and killed before the decision was written down
            if not self.rows[number].finished:
                self._write(number, State.PRUNED, metrics=dict(heard.metrics), rung=heard.cycle)
        for number, row in list(self.rows.items()):
            if retry_failed and row.failed:
                self._write(number, State.WAITING, attempt=row.attempt + 1, retried=0)
                forget_result(trial_folder(self.folder, number))
        unfinished, unfit = self.proposer.restore(self.rows)
        if unfit:
            first = min(unfit)
            logger.warning(
                "%d trial%s no configuration of this space, and left out of the search: the first is #%d (%s)",
                len(unfit),
                " is" if len(unfit) == 1 else "s are",
                first,
                unfit[first],
            )
        for number, wrong in unfit.items():
            if not self.rows[number].finished:
                self._write(number, State.FAILED, error=Failure(UNKNOWN, wrong).plain())
        for proposal in unfinished:
            row = self.rows[proposal.number]
            self._again.append(_Attempt(proposal, row.attempt, row.alone, max(row.rungs, default=0), row.retried))
        self.progress.restored(self.rows)
        self._checkpoints.tidy(self.rows, None, self._may_win)

    @property
    def share(self) -> float:
        """Of all trainings, what has ended or is running, in [0, 1]."""
        return (self.progress.done + len(self._open)) / max(1, self.wanted)

    @property
    def runs_alone(self) -> bool:
        """Whether a trial is running that no other may run beside."""
        return any(attempt.alone for attempt in self._open.values())

    def next_task(self, others: bool = False) -> dict[str, Any] | None:
        """The next trial to train, as `Task.plain`; None when there is none now. Duplicates are answered here.

        Args:
            others: whether trials of other sweeps are running, which one that must run alone waits for.
        """
        while not self.stopping:
            if self.runs_alone:
                return None
            if self._again:
                following = min(self._again, key=lambda attempt: attempt.alone)  # those that run alone come last
                if following.alone and (self._open or others):
                    return None
                self._again.remove(following)
            else:
                proposal = self.proposer.ask() or self._repeat()
                if proposal is None:
                    return None
                if proposal.known is not None:
                    self._answer(proposal, proposal.known)
                    continue
                following = _Attempt(proposal)
            task = self._start(following)
            if task is not None:
                return task.plain()
        return None

    def reported(self, number: int, cycle: int, metrics: Mapping[str, float]) -> bool:
        """A stage of a trial ended; `cycle` is 0 inside a cycle. Returns whether the trial stops here.

        The score is in the ledger before anybody acts on it.
        """
        attempt = self._open.get(number)
        score = metrics.get(self.space.metric)
        if attempt is None or score is None:
            return False
        self.progress.reported(number, metrics)
        if cycle <= 0 or cycle <= attempt.decided:
            return False
        self._open[number] = replace(attempt, decided=cycle)
        heard = Report(cycle, score, dict(metrics))
        rungs = {**self.rows[number].rungs, cycle: score}
        written = {str(at): value for at, value in rungs.items()}
        self._write(number, State.RUNNING, report=heard.plain(), rungs=written)
        self.proposer.report(number, cycle, score)
        if attempt.proposal.repeats or not self.stopping_rule.report(number, cycle, score):
            return False
        self._finish(number, State.PRUNED, metrics=dict(metrics), rung=cycle)
        return True

    def ended(self, number: int, lost: str = FailureClass.WORKER) -> None:
        """A trial's worker has returned or died: what its folder says goes into the ledger and to the sampler.

        Args:
            lost: `worker` or `node`, what died when there is no result.
        """
        attempt = self._open.get(number)
        if attempt is None:
            return  # stopped at a rung, or told already
        result = self._result_of(attempt)
        if result is None and self.stopping:
            return
        if result is None:
            kind = FailureClass(lost)
            result = TrialRow(number, State.FAILED, error=Failure(kind, LOST[kind]))
        error = result.error
        if error is not None and error.kind == FailureClass.DISK:
            forget_result(trial_folder(self.folder, number))
            self.no_room(error.message)  # nothing is wrong with the trial
            return
        transient = error is not None and error.kind in TRANSIENT and attempt.retried < self.settings.retries
        alone = runs_alone_next(result, attempt.alone, self.allotment.concurrent)
        if error is not None and (transient or alone):
            self._run_again(attempt, error, transient, alone)
        else:
            self._finish(number, result.state, **outcome(result))

    def no_room(self, message: str) -> None:
        """A trial could not write: the sweep ends with one line, and the trial goes on after a `resume`."""
        self.fail(
            SweepFailed(
                f"{self.folder}: a trial could not write ({message}); nothing recorded is lost, `igmsweep resume "
                f"{self.folder}` goes on"
            )
        )

    def close(self) -> None:
        """Write down what was left unfinished."""
        try:
            for number in list(self._open):
                if self._result_of(self._open[number]) is not None:
                    self.ended(number)
                if number in self._open:
                    self._write(number, State.INTERRUPTED)
            self.proposer.abandon()
        except OSError as error:  # a full disk: the ledger ends where it could last be written, which is enough
            self.fail(error)
        finally:
            self.progress.close()

    def _result_of(self, attempt: _Attempt) -> TrialRow | None:
        """What the trial's folder says of this attempt, not of an earlier one."""
        result = read_result(trial_folder(self.folder, attempt.proposal.number))
        return result if result is not None and result.attempt == attempt.number else None

    def _start(self, attempt: _Attempt) -> Task | None:
        proposal = attempt.proposal
        number, folder = proposal.number, trial_folder(self.folder, proposal.number)
        self._open[number] = attempt
        try:
            refuse_places(proposal.extra)  # which the ledger may have from anybody
            config = self.base.override({**proposal.extra, **proposal.params})
        except UserError as error:  # values that are legal one by one and not together
            self._finish(number, State.FAILED, error=Failure(FailureClass.BUG, str(error)).plain())
            return None
        allotment = self.allotment.alone() if attempt.alone else self.allotment
        self._write(
            number,
            State.RUNNING,
            source=proposal.source,
            params=proposal.params,
            config_hash=config.hash(),
            seed=config.seed,
            attempt=attempt.number,
            **({"fixed_overrides": proposal.extra} if proposal.extra else {}),
        )
        forget_result(folder)  # of an earlier attempt
        self.progress.started(number, proposal.params)
        return Task(
            number=number,
            attempt=attempt.number,
            folder=str(folder),
            config=config.to_dict(),
            params=proposal.params,
            metric=self.space.metric,
            threads=allotment.threads,
            cpus=allotment.cpus,
            gpus=allotment.gpus,
            folds=self.settings.folds,
            keep_predictions=self.settings.keep_predictions,
            decided=attempt.decided,
            timeout=self.settings.trial_timeout_s,
        )

    def _run_again(self, attempt: _Attempt, error: Failure, transient: bool, alone: bool) -> None:
        number = attempt.proposal.number
        del self._open[number]
        forget_result(trial_folder(self.folder, number))
        again = replace(
            attempt,
            number=attempt.number + 1,
            alone=attempt.alone or alone,
            retried=attempt.retried + transient,
        )
        told = {"attempt": again.number, "alone": again.alone, "retried": again.retried, "error": error.plain()}
        self._write(number, State.WAITING, **told)
        self._again.append(again)
        self.progress.waiting(number, error, alone)

    def _answer(self, proposal: Proposal, known: TrialRow) -> None:
        """A configuration that has been trained already costs nothing."""
        self._open[proposal.number] = _Attempt(proposal)
        kept = {key: value for key, value in outcome(known).items() if key not in ("seconds", "epochs")}
        kept |= {"fixed_overrides": proposal.extra} if proposal.extra else {}
        told = {**kept, "seconds": 0.0, "epochs": 0, "duplicate_of": known.trial}
        self._finish(proposal.number, State.COMPLETE, **told)

    def _finish(self, number: int, state: State, **fields: Any) -> None:
        proposal = self._open.pop(number).proposal
        row = self._write(number, state, source=proposal.source, params=proposal.params, **fields)
        self.proposer.tell(row)
        self.progress.finished(row)
        self._checkpoints.tidy(self.rows, number, self._may_win)
        if row.failed:
            self._same_bug()

    def _write(self, number: int, state: State, **fields: Any) -> TrialRow:
        row = merged(self.rows.get(number), self.ledger.append(number, state, **fields))
        self.rows[number] = row
        return row

    def _repeat(self) -> Proposal | None:
        """Another seed of one of the best configurations, once all proposals have ended."""
        waits = any(not attempt.proposal.repeats for attempt in self._open.values())
        found = None if waits else self._repeats.missing(self.rows)
        if found is None:
            return None
        row, seed = found
        extra = {**row.fixed_overrides, "seed": seed}
        return Proposal(self.proposer.number(), dict(row.params), repeat_source(row.trial), extra)

    def _same_bug(self) -> None:
        """Two hundred equal failures help nobody."""
        rows = [row for row in self.rows.values() if row.finished]
        bugs = [row for row in rows if row.error and row.error.kind in (FailureClass.BUG, FailureClass.DATA)]
        if len(bugs) == len(rows) >= EQUAL_BUGS:
            first = min(bugs, key=lambda row: row.trial)
            self.fail(
                TrialsFail(
                    f"{self.folder}: stopped, as the first {len(rows)} trials all failed: "
                    f"{first.error.message if first.error else ''}; see {trial_folder(self.folder, first.trial) / ERROR}"
                )
            )

    def _may_win(self) -> list[int]:
        """The trials that may still be the best one."""
        if self._repeats.missing(self.rows) is not None:  # which of these is best, their repeats will tell
            return self._repeats.best(self.rows)
        winner = best(self.rows, self.space.metric, self.space.mode)
        return [] if winner is None else [winner.trial]
