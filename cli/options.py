"""The options of `pouf adapt`, and those that several commands share."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from cli import class_names


def _named_tab(delimiter: str | None) -> str | None:
    return "\t" if delimiter in ("\\t", "tab") else delimiter


DataDir = Annotated[Path | None, typer.Option(help="Where everything is kept. Default: POUF_DATA_DIR, else ./.pouf.")]
DemoDir = Annotated[Path, typer.Option(help="Where the demo's own service keeps its data.")]
RunningUrl = Annotated[str | None, typer.Option(help="Use this running service instead of starting one.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]

Data = Annotated[
    Path,
    typer.Argument(
        help="A folder or archive of unlabelled pictures; or, for a base model of texts, a file of them (.txt, .csv, "
        ".jsonl, .json, .xlsx, .parquet; packed too), or a folder or archive of such files.",
        exists=True,
    ),
]
ClassNames = Annotated[str, typer.Option("--class-names", "--classes", help=class_names.HELP)]
Out = Annotated[Path, typer.Option(help="Where to write the adapted model (a folder).")]
BaseModel = Annotated[str, typer.Option(help="What to adapt. auto: pouf-lite for pictures, minilm for texts.")]
Activation = Annotated[
    Literal["gelu", "quick_gelu"] | None,
    typer.Option(
        help="For an open_clip model given as a file of weights: gelu or quick_gelu, whichever they were trained with. "
        "Default: that of the architecture."
    ),
]
PromptTemplate = Annotated[
    str | None,
    typer.Option(
        help="With {} where the class name goes; for a language model with {text}, or {text_a} and {text_b}, and "
        "{mask}."
    ),
]
LabelWords = Annotated[
    list[str] | None, typer.Option(help="For a language model: class=word, or class=word,word. Once for each class.")
]
TextLimit = Annotated[
    list[str] | None,
    typer.Option(help="For a language model: text=tokens, or text_a=tokens, that are read at most. Repeatable."),
]
TextColumn = Annotated[
    str | None, typer.Option(help="The column or field with the text. Default: text, or the only one with texts.")
]
LabelColumn = Annotated[str | None, typer.Option(help="The one with labels, which are for evaluation alone.")]
Encoding = Annotated[str | None, typer.Option(help="Of files of texts, such as windows-1252.")]
Delimiter = Annotated[str | None, typer.Option(help="Of tables of texts: one character, or tab.", callback=_named_tab)]
Header = Annotated[bool | None, typer.Option("--header/--no-header", help="Whether the first row names the columns.")]
Labels = Annotated[
    Literal["auto", "folders", "file", "none"],
    typer.Option(help="Evaluation labels: of files (columns, labels.csv, COCO …), folders, auto for either, or none."),
]
Quality = Annotated[
    Literal["fast", "best"],
    typer.Option(help="fast takes seconds; best then trains projections on what that is confident of, for minutes."),
]
Method = Annotated[str, typer.Option(help="pouf, or a baseline: prior-matching or zero-shot.")]
Tune = Annotated[
    str | None,
    typer.Option(
        help="auto, calibrate, gaussian, propagate, prompt, prototypes, head, last_n, norm or model. Default: auto."
    ),
]
Preset = Annotated[str | None, typer.Option(help="default or paper. Default: default.")]
MaxSteps = Annotated[int | None, typer.Option(help="Training steps at most.", min=1)]
Seed = Annotated[int, typer.Option(help="The same seed and data give the same model.")]
Variant = Annotated[
    Literal["adapted", "zero_shot"] | None,
    typer.Option(help="Which variant answers. Default: adapted, unless the model fell back to zero-shot."),
]
Threshold = Annotated[
    str | None,
    typer.Option(
        help="auto, or a probability from 0 to 1: items whose largest class probability is below get no class. "
        "Default: every item gets one, or what the model was adapted with."
    ),
]
WishedAccuracy = Annotated[
    float | None, typer.Option(help="Share of right answers that the proposed threshold is to reach. Default: 0.95.")
]
Cache = Annotated[
    bool, typer.Option(help="Keep features of the items in ~/.cache/pouf/features, so that none is encoded twice.")
]
Threads = Annotated[int | None, typer.Option(help="CPU threads. Default: all cores.", min=1, max=1024)]
Deterministic = Annotated[
    bool | None, typer.Option(help="Deterministic algorithms only. Default: on a CPU, not on a GPU.")
]
