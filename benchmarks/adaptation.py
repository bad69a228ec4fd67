"""The paper's recipe with fresh views beside ours, on `examples/clipart`: seconds, memory, accuracy over time.

    python benchmarks/adaptation.py --recipe-steps 5000 --json benchmarks/results/adaptation.json --plot adaptation.png

Both recipes take 5,000 steps. What they cost is extrapolated from `--recipe-steps` and `--model-steps` of them, and
labelled so, unless all are run. The accuracy of prompt tuning after all of them is then that of the recipe over four
fixed views, which costs the encoder nothing. Contenders are processes of their own, with PyTorch's threads as they are;
those that are compared step by step take turns.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from adaptation_contenders import CONTENDERS
from clipart import environment
from recipe import STEPS
from rich.console import Console
from rich.table import Table

COST_CLAIM, STEP_CLAIM = 1 / 100, 1 / 4
TURNS = 4


def main(
    recipe_steps: Annotated[int, typer.Option(min=4, help="Steps of the recipe's prompt tuning.")] = 100,
    model_steps: Annotated[int, typer.Option(min=4, help="Steps of the recipe's model tuning.")] = 200,
    own_model_steps: Annotated[int, typer.Option(min=4, help="Steps of ours that are timed beside them.")] = 32,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw accuracy over time here.")] = None,
    alone: Annotated[str | None, typer.Option(hidden=True, help="Be this contender.")] = None,
) -> None:
    """Run all and print a table."""
    if alone is not None:
        serve(alone)
        return
    rows = [
        *taking_turns({"recipe, prompt": recipe_steps}),
        *taking_turns({"recipe, model": model_steps, "ours, a step of model": own_model_steps}),
        *(once(name) for name in ("ours, prompt", "ours, model", "ours, default")),
    ]
    if recipe_steps < STEPS:
        rows.append(once("recipe over four fixed views, prompt"))
    shown = {row["name"]: row for row in rows}
    claims = verdicts(shown)
    print_table(rows, claims)
    if json_file:
        figures = {**environment(), "recipe_steps": STEPS, "rows": rows, "claims": claims}
        json_file.write_text(json.dumps(figures, indent=2) + "\n")
    if plot:
        draw(rows, plot)


def serve(name: str) -> None:
    """Be a contender: for each number of steps on stdin, take them and answer with a line of JSON."""
    contender = CONTENDERS[name]()
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(contender.take(int(line))), flush=True)


def taking_turns(wanted: dict[str, int]) -> list[dict[str, Any]]:
    """Rows of contenders that take so many steps each, in turns."""
    with started(wanted) as processes:
        answers: dict[str, list[dict[str, Any]]] = {name: [] for name in wanted}
        for turn in range(TURNS):
            for name, steps in wanted.items():
                count = steps * (turn + 1) // TURNS - steps * turn // TURNS
                answers[name].append(ask(processes[name], count))
                print(f"{name}: {answers[name][-1]['seconds']:.0f} s for {count} steps", file=sys.stderr, flush=True)
    return [summary(name, found) for name, found in answers.items()]


def once(name: str) -> dict[str, Any]:
    """The row of a contender that does all it does at once."""
    with started([name]) as processes:
        found = ask(processes[name], 0)
    print(f"{name}: {found['seconds']:.0f} s", file=sys.stderr, flush=True)
    return {"name": name, "extrapolated": False, **found}


@contextmanager
def started(names: Sequence[str] | dict[str, int]) -> Iterator[dict[str, subprocess.Popen[str]]]:
    """Processes of contenders, which are ready; they have ended when the block ends."""
    processes = {}
    for name in names:
        command = [sys.executable, __file__, "--alone", name]
        processes[name] = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        for name, process in processes.items():
            assert process.stdout is not None
            if process.stdout.readline().strip() != "ready":
                raise RuntimeError(f"{name!r} ended with {process.wait()}")
        yield processes
    finally:
        for process in processes.values():
            process.kill()
            process.wait()


def ask(process: subprocess.Popen[str], steps: int) -> dict[str, Any]:
    """Let a contender take steps."""
    assert process.stdin is not None and process.stdout is not None
    print(steps, file=process.stdin, flush=True)
    answer: dict[str, Any] = json.loads(process.stdout.readline())
    return answer


def summary(name: str, turns: list[dict[str, Any]]) -> dict[str, Any]:
    """One row of several turns: seconds of all the recipe's steps, extrapolated where not all were taken."""
    steps, seconds = sum(turn["steps"] for turn in turns), sum(turn["seconds"] for turn in turns)
    passed, curve = 0.0, []
    for turn in turns:
        passed += turn["seconds"]
        curve += [[passed, turn["accuracy"]]] if turn.get("accuracy") is not None else []
    is_recipe = name.startswith("recipe")
    return {
        "name": name,
        "steps": steps,
        "seconds_a_step": seconds / steps,
        "pictures_a_step": turns[0]["pictures_a_step"],
        "measured_seconds": seconds,
        "seconds": seconds / steps * STEPS if is_recipe else None,
        "extrapolated": is_recipe and steps < STEPS,
        "accuracy": curve[-1][1] if curve else None,
        "zero_shot_accuracy": turns[0].get("zero_shot_accuracy"),
        "curve": [[0.0, turns[0]["zero_shot_accuracy"]], *curve] if curve else [],
        "peak_mib": max(turn["peak_mib"] for turn in turns),
    }


def verdicts(rows: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The claims beside what was found."""
    ours, recipe = rows["ours, prompt"], rows["recipe, prompt"]
    whole = rows.get("recipe over four fixed views, prompt", recipe)
    step, theirs = rows["ours, a step of model"], rows["recipe, model"]
    share = step["seconds_a_step"] / theirs["seconds_a_step"]
    return {
        "prompt_cost": ours["seconds"] / recipe["seconds"],
        "prompt_cost_claimed": COST_CLAIM,
        "prompt_cost_is_extrapolated": recipe["extrapolated"],
        "prompt_points_over_recipe": 100 * (ours["accuracy"] - whole["accuracy"]),
        "recipe_accuracy_is_that_of": whole["name"],
        "model_cost": rows["ours, model"]["seconds"] / theirs["seconds"],
        "model_step": share,
        "model_step_claimed": STEP_CLAIM,
        "model_step_a_picture": share * theirs["pictures_a_step"] / step["pictures_a_step"],
    }


def print_table(rows: Sequence[dict[str, Any]], claims: dict[str, Any]) -> None:
    """The rows, for people."""
    table = Table(title="Adaptation on clip art (~: extrapolated to 5,000 steps)")
    for heading in ("what", "seconds", "seconds a step", "accuracy %", "peak MiB"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for row in rows:
        seconds = "" if row["seconds"] is None else f"{'~' if row['extrapolated'] else ''}{row['seconds']:,.0f}"
        step = f"{row['seconds_a_step']:.2f}" if "seconds_a_step" in row else ""
        after = f" after {row['steps']} steps" if row["extrapolated"] else ""
        accuracy = "" if row["accuracy"] is None else f"{100 * row['accuracy']:.1f}{after}"
        table.add_row(row["name"], seconds, step, accuracy, f"{row['peak_mib']:,.0f}")
    Console().print(table)
    for name, value in claims.items():
        print(f"{name}: {value:.4g}" if isinstance(value, float) else f"{name}: {value}")


def draw(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Accuracy over seconds, as a picture."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4))
    for row in rows:
        if row.get("curve"):
            seconds, accuracies = zip(*row["curve"], strict=True)
            axes.plot(seconds, [100 * accuracy for accuracy in accuracies], marker=".", label=row["name"])
    axes.set_xscale("symlog", linthresh=1)
    axes.set_xlabel("seconds")
    axes.set_ylabel("accuracy, %")
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    typer.run(main)
