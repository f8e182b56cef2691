"""`analyze` of 10,000 synthetic trials: time as a ratio to pandas.read_json of the same ledger, memory above the
imports, and the size of the page.

    python benchmarks/analyze_10k.py [trials]
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def peak_mb() -> float:
    """Peak resident memory of this process so far, MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 if sys.platform != "darwin" else 1024**2)


def measure(folder: Path, warm: Path) -> None:
    """In a process of its own, whose peak of memory is that of the analysis."""
    import pandas as pd

    from igmsweep.analysis import analyze

    analyze(warm, say=lambda _: None)  # loads whatever loads late
    before, started, cpu = peak_mb(), time.perf_counter(), time.process_time()
    page = analyze(folder, say=lambda _: None)[0]
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    memory, reads = peak_mb() - before, []
    for _ in range(3):
        started = time.process_time()
        pd.read_json(folder / "trials.jsonl", lines=True)
        reads.append(time.process_time() - started)
    print(f"pandas.read_json: {min(reads):.2f} s; analyze: {seconds:.1f} s, of it CPU {cpu:.1f} s")
    print(f"ratio of CPU times: {cpu / min(reads):.0f}")
    print(f"memory above the imports: {memory:.0f} MB; report: {page.stat().st_size / 1e6:.1f} MB")


def main(trials: int) -> None:
    sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
    from fake_sweep import write_sweep

    with tempfile.TemporaryDirectory() as place:
        folder = write_sweep(Path(place), "ten", n=trials, failed=100, sampler="random")
        warm = write_sweep(Path(place), "warm", n=30)
        print(f"ledger: {trials} trials, {(folder / 'trials.jsonl').stat().st_size / 1e6:.1f} MB", flush=True)
        subprocess.run([sys.executable, __file__, "--measure", str(folder), str(warm)], check=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
