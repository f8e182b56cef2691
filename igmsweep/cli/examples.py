"""What stands at the end of each command's help: lines to copy. Every one of them is a command line that the parser takes."""

from __future__ import annotations

EXAMPLES: dict[str, tuple[tuple[str, str], ...]] = {
    "": (
        ("a first search, minutes on two cores, and its page", "igmsweep demo --open"),
        ("everything about a command", "igmsweep tune --help"),
    ),
    "demo": (
        ("forty trials, a few minutes, and its page", "igmsweep demo --open"),
        ("a look: four trials", "igmsweep demo --trials 4 --out /tmp/results"),
    ),
    "tune": (
        ("a first search, minutes on two cores", "igmsweep tune avdigits --space demo --sampler random --trials 40"),
        ("what a night would do, before it does", "igmsweep tune cremad --root ~/CREMA-D --time-budget 8h --dry-run"),
        ("four trials a GPU, hopeless ones stopped", "igmsweep tune cremad --gpus-per-trial 0.25 --scheduler asha"),
        ("another method on samples of your own", "igmsweep tune ./samples.csv --method ogm --set optim.batch_size=16"),
    ),
    "resume": (
        ("go on after a crash, or Ctrl-C", "igmsweep resume results/avdigits-igm"),
        (
            "60 trials in all, for at most two hours",
            "igmsweep resume results/avdigits-igm --trials 60 --time-budget 2h",
        ),
    ),
    "status": (("also while it runs", "igmsweep status results/avdigits-igm"),),
    "repair": (("a copy of a sweep on a disk that failed", "igmsweep repair results/cremad-igm"),),
    "best": (
        ("the winner's configuration, to train it again", "igmsweep best results/avdigits-igm > best.yaml"),
        ("", "igmsweep train avdigits --config best.yaml"),
    ),
    "doctor": (
        ("this machine", "igmsweep doctor"),
        ("would four trials a GPU be granted?", "igmsweep doctor --gpus-per-trial 0.25 --max-concurrent 4"),
    ),
    "analyze": (
        ("one page, tables and best_config.yaml in the sweep's folder", "igmsweep analyze results/avdigits-igm --open"),
        ("an index of all sweeps", "igmsweep analyze results/"),
        ("figures and tables for a paper", "igmsweep analyze results/avdigits-igm --format pdf,tex --out figures/"),
    ),
    "compare": (
        ("two methods, tuned with the same budget", "igmsweep compare results/avdigits-igm results/avdigits-ogm"),
        ("all sweeps of a folder", "igmsweep compare results/ --format html,tex --out comparison/"),
    ),
    "evaluate": (
        ("winner and the paper's default on the test set", "igmsweep evaluate results/avdigits-igm --confirm-test"),
        ("to compare methods", "igmsweep evaluate results/avdigits-igm --confirm-test --train-on train"),
    ),
    "ablate": (
        ("what would be trained", "igmsweep ablate results/avdigits-igm --dry-run"),
        ("five seeds of each step", "igmsweep ablate results/avdigits-igm --seeds 5"),
    ),
    "train": (
        ("one training of IGM as in the paper", "igmsweep train avdigits --out runs/paper"),
        ("as the authors' code runs", "igmsweep train cremad --preset released --seed 1"),
        ("one value changed", "igmsweep train avdigits --set method.tau=1.0 --set optim.lr.audio=0.01"),
    ),
    "methods": (
        ("all of them as a table", "igmsweep methods"),
        ("what the parameters of two of them mean", "igmsweep methods igm ogm"),
    ),
    "study": (
        ("which there are", "igmsweep study list"),
        ("Table 2 on the embedded data", "igmsweep study table2 avdigits --seeds 3"),
        ("everything, and how long it would take", "igmsweep study paper cremad --dry-run"),
        ("go on", "igmsweep study resume results/table2-avdigits"),
    ),
    "data": (
        ("what there is, and where it lies", "igmsweep data list"),
        ("is a copy whole? its folder is remembered", "igmsweep data check cremad --root ~/CREMA-D"),
    ),
    "data cache": (("what the decoded copies take", "igmsweep data cache list"),),
    "space": (("what IGM's searches on CREMA-D, path by path", "igmsweep space show igm --data cremad"),),
    "data list": (("what there is, and where it lies", "igmsweep data list"),),
    "data check": (
        ("the first time: the folder is remembered", "igmsweep data check cremad --root ~/CREMA-D"),
        ("every file read to its end", "igmsweep data check cremad --decode"),
        ("for other programs", "igmsweep data check ./samples.csv --json"),
    ),
    "data sample": (
        ("what the model will see of samples of your own", "igmsweep data sample ./samples.csv"),
        ("with training's random crops", "igmsweep data sample cremad --training --each 4 --out seen.png"),
    ),
    "data prepare": (
        ("decode once, for all trials", "igmsweep data prepare cremad --jobs 8"),
        ("three frames a clip", "igmsweep data prepare cremad --set data.options.frames=3"),
    ),
    "data make": (("to look into", "igmsweep data make avdigits --root avdigits"),),
    "data cache list": (("for other programs", "igmsweep data cache list --json"),),
    "data cache remove": (("all copies of a data set", "igmsweep data cache remove cremad"),),
    "space show": (
        ("the shipped spaces", "igmsweep space show"),
        ("what IGM's searches on CREMA-D, path by path", "igmsweep space show igm --data cremad"),
        ("a file of your own to begin with", "igmsweep space show igm > mine.yaml"),
    ),
    "space validate": (("", "igmsweep space validate igm --data cremad"),),
}


def epilog(command: str) -> str:
    """The examples of a command, such as `data check`, or of a group, as its help shows them; that of igmsweep is empty."""
    lines = ["[bold]Examples[/bold]"]
    for meant, line in EXAMPLES[command]:
        lines += [f"  [dim]# {meant}[/dim]"] if meant else []
        lines.append(f"  {line}")
    return "\n".join(lines)
