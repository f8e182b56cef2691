"""What a sweep's folder says: one tidy DataFrame, figures, tables, and one offline page. Reads folders only."""

from igmsweep.analysis.checkup import checkup
from igmsweep.analysis.comparison import compare, compare_sweeps
from igmsweep.analysis.importance import importance_data
from igmsweep.analysis.plots import importance_figure
from igmsweep.analysis.ranking import ranked, winner
from igmsweep.analysis.report import analyze
from igmsweep.analysis.sensitivity import flat_ranges, sensitivity_data
from igmsweep.analysis.sensitivity_plot import sensitivity_figure
from igmsweep.analysis.tables import best_config, best_table
from igmsweep.analysis.tuning import tuning_data
from igmsweep.frame import Sweep, find_sweeps, load, read_sweep

__all__ = [
    "Sweep",
    "analyze",
    "best_config",
    "best_table",
    "checkup",
    "compare",
    "compare_sweeps",
    "find_sweeps",
    "flat_ranges",
    "importance_data",
    "importance_figure",
    "load",
    "ranked",
    "read_sweep",
    "sensitivity_data",
    "sensitivity_figure",
    "tuning_data",
    "winner",
]
