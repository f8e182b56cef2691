"""A sweep under way, as its runner sees it: ask for a task, report a cycle's end, tell how a trial ended.

All decisions are made here and written to the ledger before anything follows from them, so that a driver that is
killed at any moment is replaced by one that reads the folder.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from igmsweep.config import TrainConfig
from igmsweep.errors import UserError
from igmsweep.record.failures import TRANSIENT, SweepFailed
from igmsweep.record.ledger import FINISHED, OUTCOME, Ledger, read_result, trial_folder
from igmsweep.record.lock import alive
from igmsweep.spaces.space import SearchSpace
from igmsweep.sweep.options import SweepOptions
from igmsweep.sweep.progress import Progress
from igmsweep.sweep.resources import Allotment
from igmsweep.sweep.result import best_of, ranked
from igmsweep.sweep.search import Proposal, Proposer
from igmsweep.sweep.stopping import Stopping
from igmsweep.sweep.trial import CHECKPOINT

EQUAL_BUGS = 3
"""As many first trials that fail as bugs, with none complete, end a sweep."""

COPIED = ("config_hash", "metrics", "stderr", "folds", "seconds", "epochs", "error")


@dataclass
class _Attempt:
    """A trial that is to run, or runs."""

    proposal: Proposal
    number: int = 0
    alone: bool = False
    decided: int = 0
    retried: int = 0
    """Reruns that a lost worker or node has cost; others do not count against `--retries`."""


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
        self.ledger = Ledger(folder / "trials.jsonl")
        self.rows: dict[int, dict[str, Any]] = {}
        self.progress = Progress(space.metric, space.mode, self.wanted, allotment.concurrent, settings.quiet)
        self.stop_code = 0
        self.fault: Exception | None = None
        """What went wrong in the driver itself, which a library's callbacks would swallow."""
        budget = settings.time_budget_s
        self.deadline = None if budget is None else time.monotonic() + budget
        self._open: dict[int, _Attempt] = {}
        self._again: list[_Attempt] = []
        self._kept: set[int] = set()

    @property
    def wanted(self) -> int:
        """Trials in all, repeated trainings counted in."""
        repeats = min(self.settings.repeat_top, self.proposer.limit) * (self.settings.seeds - 1)
        return self.proposer.limit + repeats

    @property
    def stopping(self) -> bool:
        """Whether a signal, a fault of the driver or the time budget asks for an end."""
        return (
            bool(self.stop_code)
            or self.fault is not None
            or (self.deadline is not None and time.monotonic() > self.deadline)
        )

    @property
    def busy(self) -> bool:
        """Whether a running trial may still bring new work: a retry, or the repeats that wait for the last one."""
        return bool(self._open)

    @property
    def over(self) -> bool:
        """Whether nothing is left to train."""
        return (
            not self._open
            and not self._again
            and self.proposer.proposed >= self.proposer.limit
            and self._missing_repeat() is None
        )

    def fail(self, error: Exception) -> None:
        """The driver cannot go on; the first reason stands."""
        self.fault = self.fault or error

    def stop(self, code: int) -> None:
        """End in order; `code` is the exit code that says why."""
        self.stop_code = self.stop_code or code

    def restore(self, retry_failed: bool = False) -> None:
        """Take up what the folder tells: finished trials, scores at rungs, and trials to be gone on with."""
        self._recover()
        self.rows = self.ledger.rows()
        stopped: dict[int, Mapping[str, Any]] = {}
        for row in self.ledger.lines():  # in the order in which the decisions were made
            heard, number = row.get("report"), row["trial"]
            if not isinstance(heard, Mapping) or str(self.rows[number].get("source", "")).startswith("repeat:"):
                continue
            if self.stopping_rule.report(number, int(heard["cycle"]), float(heard["score"])):
                stopped[number] = heard
        for number, heard in stopped.items():  # decided, and killed before the decision was written down
            if self.rows[number].get("state") not in FINISHED:
                self._write(number, "pruned", metrics=heard.get("metrics", {}), rung=heard["cycle"])
        if retry_failed:
            for number, row in self.rows.items():
                if row.get("state") == "failed":
                    self._write(number, "waiting", attempt=int(row.get("attempt") or 0) + 1, retried=0)
                    (trial_folder(self.folder, number) / "result.json").unlink(missing_ok=True)
        for proposal in self.proposer.restore(self.rows):
            row = self.rows[proposal.number]
            decided = max((int(cycle) for cycle in row.get("rungs") or {}), default=0)
            attempt = int(row.get("attempt") or 0)
            retried = int(row.get("retried") or 0)
            self._again.append(_Attempt(proposal, attempt, bool(row.get("alone")), decided, retried))
        self.progress.restored(self.rows)
        self._keep_best()

    def next_task(self) -> dict[str, Any] | None:
        """The next trial to train as plain data, or None when there is none now. Duplicates are answered here."""
        while not self.stopping:
            if any(attempt.alone for attempt in self._open.values()):
                return None
            if self._again:
                following = min(self._again, key=lambda attempt: attempt.alone)  # those that run alone come last
                if following.alone and self._open:
                    return None
                self._again.remove(following)
                task = self._start(following)
                if task is not None:
                    return task
                continue
            proposal = self.proposer.ask()
            if proposal is None:
                proposal = self._repeat()
            if proposal is None:
                return None
            if proposal.known is not None:
                self._answer(proposal, proposal.known)
                continue
            task = self._start(_Attempt(proposal))
            if task is not None:
                return task
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
        attempt.decided = cycle
        rungs = {**(self.rows[number].get("rungs") or {}), str(cycle): score}
        heard = {"cycle": cycle, "score": score, "metrics": dict(metrics)}
        self._write(number, "running", report=heard, rungs=rungs)
        self.proposer.report(number, cycle, score)
        if attempt.proposal.source.startswith("repeat:"):
            return False
        if not self.stopping_rule.report(number, cycle, score):
            return False
        self._finish(number, {"state": "pruned", "metrics": dict(metrics), "rung": cycle})
        return True

    def ended(self, number: int, lost: str = "worker") -> None:
        """A trial's worker has returned or died: what its folder says goes into the ledger and to the sampler.

        Args:
            lost: `worker` or `node`, what died when there is no result.
        """
        attempt = self._open.get(number)
        if attempt is None:
            return  # stopped at a rung, or told already
        result = self._result_of(attempt)
        if result is not None and (result.get("error") or {}).get("class") == "disk":
            (trial_folder(self.folder, number) / "result.json").unlink(missing_ok=True)
            self.no_room(result["error"]["message"])  # nothing is wrong with the trial
            return
        if result is None and self.stopping:
            return
        if result is None:
            message = "the worker process died" if lost == "worker" else "the node it ran on was lost"
            result = {"state": "failed", "error": {"class": lost, "message": message}}
        failure = (result.get("error") or {}).get("class")
        transient = failure in TRANSIENT and attempt.retried < self.settings.retries
        alone = failure == "oom" and not attempt.alone and self.allotment.concurrent > 1
        if transient or alone:
            del self._open[number]
            (trial_folder(self.folder, number) / "result.json").unlink(missing_ok=True)
            again = _Attempt(
                attempt.proposal,
                attempt.number + 1,
                attempt.alone or alone,
                attempt.decided,
                attempt.retried + bool(transient),
            )
            self._write(
                number,
                "waiting",
                attempt=again.number,
                alone=again.alone,
                retried=again.retried,
                error=result["error"],
            )
            self._again.append(again)
            self.progress.waiting(number, result["error"], alone)
            return
        self._finish(number, result)

    def no_room(self, message: str) -> None:
        """A trial could not write: the sweep ends with one line, and the trial goes on after a `resume`."""
        self.fault = self.fault or SweepFailed(
            f"{self.folder}: a trial could not write ({message}); nothing recorded is lost, `igmsweep resume "
            f"{self.folder}` goes on"
        )

    def _result_of(self, attempt: _Attempt) -> dict[str, Any] | None:
        """What the trial's folder says of this attempt, not of an earlier one."""
        result = read_result(trial_folder(self.folder, attempt.proposal.number))
        return result if result is not None and int(result.get("attempt") or 0) == attempt.number else None

    def close(self) -> None:
        """Write down what was left unfinished."""
        try:
            for number in list(self._open):
                if self._result_of(self._open[number]) is not None:
                    self.ended(number)
                if number in self._open:
                    self._write(number, "interrupted")
            self.proposer.abandon()
        except OSError as error:  # a full disk: the ledger ends where it could last be written, which is enough
            self.fault = self.fault or error
        finally:
            self.progress.close()

    def _start(self, attempt: _Attempt) -> dict[str, Any] | None:
        proposal = attempt.proposal
        number = proposal.number
        try:
            config = self.base.override({**proposal.extra, **proposal.params})
        except UserError as error:  # values that are legal one by one and not together
            self._open[number] = attempt
            self._finish(number, {"state": "failed", "error": {"class": "bug", "message": str(error)}})
            return None
        allotment = self.allotment.alone() if attempt.alone else self.allotment
        self._write(
            number,
            "running",
            source=proposal.source,
            params=proposal.params,
            config_hash=config.hash(),
            seed=config.seed,
            attempt=attempt.number,
            **({"fixed_overrides": proposal.extra} if proposal.extra else {}),
        )
        (trial_folder(self.folder, number) / "result.json").unlink(missing_ok=True)  # of an earlier attempt
        self.progress.started(number, proposal.params)
        self._open[number] = attempt
        return {
            "number": number,
            "attempt": attempt.number,
            "folder": str(trial_folder(self.folder, number)),
            "config": config.to_dict(),
            "params": proposal.params,
            "metric": self.space.metric,
            "threads": allotment.threads,
            "cpus": allotment.cpus,
            "gpus": allotment.gpus,
            "folds": self.settings.folds,
            "decided": attempt.decided,
            "timeout": self.settings.trial_timeout_s,
        }

    def _answer(self, proposal: Proposal, known: Mapping[str, Any]) -> None:
        """A configuration that has been trained already costs nothing."""
        kept = {key: known[key] for key in ("metrics", "stderr", "folds", "config_hash") if key in known}
        row = self._write(
            proposal.number,
            "complete",
            source=proposal.source,
            params=proposal.params,
            **({"fixed_overrides": proposal.extra} if proposal.extra else {}),
            **kept,
            seconds=0.0,
            epochs=0,
            duplicate_of=proposal.duplicate_of,
        )
        self.proposer.tell(proposal.number, row)
        self.progress.finished(row)

    def _finish(self, number: int, result: Mapping[str, Any]) -> None:
        proposal = self._open.pop(number).proposal
        fields = {key: result[key] for key in COPIED if result.get(key) is not None}
        if result["state"] == "pruned":
            fields["rung"] = result["rung"]
        row = self._write(number, result["state"], source=proposal.source, params=proposal.params, **fields)
        self.proposer.tell(number, row)
        self.progress.finished(row)
        self._keep_best(number)
        if row["state"] == "failed":
            self._same_bug()

    def _write(self, number: int, state: str, **fields: Any) -> dict[str, Any]:
        row = self.ledger.append(number, state, **fields)
        known = self.rows.setdefault(number, {})
        if state in ("running", "waiting") and "report" not in fields:
            for key in OUTCOME:
                known.pop(key, None)
        known.update(row)
        return known

    def _repeat(self) -> Proposal | None:
        """Another seed of one of the best configurations, once all proposals have ended."""
        waits = any(not attempt.proposal.source.startswith("repeat:") for attempt in self._open.values())
        found = None if waits else self._missing_repeat()
        if found is None:
            return None
        best, seed = found
        extra = {**(best.get("fixed_overrides") or {}), "seed": seed}
        return Proposal(self.proposer.number(), dict(best["params"]), f"repeat:{best['trial']}", extra)

    def _missing_repeat(self) -> tuple[dict[str, Any], int] | None:
        if self.settings.seeds < 2:
            return None  # asked at the end of every trial, and a ranking of thousands takes its time
        trained = {(row.get("source"), (row.get("fixed_overrides") or {}).get("seed")) for row in self.rows.values()}
        for best in ranked(self.rows, self.space.metric, self.space.mode)[: self.settings.repeat_top]:
            for seed in range(self.base.seed + 1, self.base.seed + self.settings.seeds):
                if (f"repeat:{best['trial']}", seed) not in trained:
                    return best, seed
        return None

    def _same_bug(self) -> None:
        """Two hundred equal failures help nobody."""
        rows = [row for row in self.rows.values() if row.get("state") in FINISHED]
        bugs = [row for row in rows if (row.get("error") or {}).get("class") in ("bug", "data")]
        if len(bugs) == len(rows) >= EQUAL_BUGS and self.fault is None:
            first = min(bugs, key=lambda row: row["trial"])
            self.fault = SweepFailed(
                f"{self.folder}: stopped, as the first {len(rows)} trials all failed: {first['error']['message']}; see "
                f"{trial_folder(self.folder, first['trial']) / 'error.txt'}"
            )

    def _keep_best(self, number: int | None = None) -> None:
        """Remove the checkpoints of finished trials that are not worth their space."""
        keep = self.settings.keep_checkpoints
        if keep == "all":
            return
        kept: set[int] = set()
        if keep == "best" and self._missing_repeat() is not None:  # which of these is best, their repeats will tell
            order = ranked(self.rows, self.space.metric, self.space.mode)
            kept = {row["trial"] for row in order[: self.settings.repeat_top]}
        elif keep == "best":
            best = best_of(self.rows, self.space.metric, self.space.mode)
            kept = set() if best is None else {best["trial"]}
        candidates = self._kept | {number} if number is not None else set(self.rows)
        for other in candidates - kept:
            if self.rows[other].get("state") in FINISHED:
                (trial_folder(self.folder, other) / CHECKPOINT).unlink(missing_ok=True)
        self._kept = kept

    def _recover(self) -> None:
        """What workers wrote after the driver had died goes into the ledger; workers that still run are ended."""
        rows = self.ledger.rows()
        for folder in sorted((self.folder / "trials").iterdir()) if (self.folder / "trials").is_dir() else ():
            if not folder.name.isdigit():
                continue
            number = int(folder.name)
            row = rows.get(number, {})
            if row.get("state") in FINISHED:
                continue
            _end_worker(folder)
            result = read_result(folder)
            if result is None or int(result.get("attempt") or 0) < int(row.get("attempt") or 0):
                continue
            failure = (result.get("error") or {}).get("class")
            if failure == "disk" or row.get("state") == "waiting":
                continue  # to be trained, whatever an earlier attempt has left
            if failure == "oom" and not row.get("alone") and self.allotment.concurrent > 1:
                attempt = int(row.get("attempt") or 0) + 1
                self.ledger.append(number, "waiting", attempt=attempt, alone=True, error=result["error"])
                continue  # as the driver would have done
            fields = {key: result[key] for key in COPIED if result.get(key) is not None}
            self.ledger.append(
                number,
                result["state"],
                source=row.get("source", ""),
                params=row.get("params", result.get("params", {})),
                **fields,
            )


def _end_worker(folder: Path) -> None:
    """Kill a worker that has outlived its driver, so that two processes never write one trial."""
    try:
        worker = json.loads((folder / "worker.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    if isinstance(worker, dict) and worker.get("pid") != os.getpid() and alive(worker):
        try:
            os.kill(worker["pid"], signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return
        deadline = time.monotonic() + 10
        while alive(worker) and time.monotonic() < deadline:
            time.sleep(0.05)
