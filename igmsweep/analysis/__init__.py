"""What a sweep's folder says: one tidy DataFrame, figures, tables, and one offline page. Reads folders only."""

from igmsweep.analysis.frame import Sweep, find_sweeps, load, read_sweep
from igmsweep.analysis.report import analyze
from igmsweep.analysis.tables import best_config, best_table

__all__ = ["Sweep", "analyze", "best_config", "best_table", "find_sweeps", "load", "read_sweep"]
