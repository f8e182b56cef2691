"""`igmsweep ablate`: from the paper's default to the winner one change at a time, every step trained again.

Fawcett and Hoos, Analysing differences between algorithm configurations through ablation, Journal of Heuristics 22 (2016).
"""
