"""The survey's phrases in the user's language."""

from lorawiz.preflight.standing import STEPS, Phrase, StepName
from lorawiz.tui.language import tr

_TEXTS = (
    # titles
    "Project", "Images", "Base model", "Crop, cut-out", "Captions", "Tags", "Review", "Clean",
    "Settings", "Check", "Run",
    # what preflight/standing.py says; a test holds that none is missing
    "name: {name}", "trigger: {word}", "class word: {word}",
    "{num} image", "{num} images", "{num} is rejected", "{num} are rejected",
    "{sizes}", "{sizes} and {num} other size", "{sizes} and {num} other sizes",
    "{num} not measured yet: the check does that",
    "faces: none in {num} images",
    "faces: {one} with one, {several} with several, {none} with none; smallest {side_px} px",
    "not chosen yet", "{model}", "{family}, {size}",
    "not on this machine yet: fetched now or when the run starts",
    "not on this machine yet: fetched when it is asked",
    "{num} of {total} with a crop box", "{num} of {total} with a mask; background: {background}",
    "nobody has looked for faces yet",
    "{num} of {total} with a caption", "{num} of {total} with tags",
    "no model: words come with the images, or by hand", "model: {model}",
    "{kept} kept, {rejected} rejected",
    "{num} image with edits by hand", "{num} images with edits by hand",
    "{num} finding to look at", "{num} findings to look at",
    "{num} rule", "{num} rules", "{num} image would change", "{num} images would change",
    "all of them are applied",
    "{kind}, dim {dim}, alpha {alpha}",
    "textual inversion alone",
    "new word {word}, {num} vector",
    "new word {word}, {num} vectors",
    "full fine-tuning of U-Net and text encoder",
    "full fine-tuning of the U-Net",
    "full fine-tuning of the text encoder",
    "{size} px, batch {batch}, {num} epoch", "{size} px, batch {batch}, {num} epochs",
    "{size} px, batch {batch}, {num} step", "{size} px, batch {batch}, {num} steps",
    "{optimizer}, learning rate {rate}, {scheduler}",
    "not checked yet", "{num} error", "{num} errors", "{num} warning", "{num} warnings",
    "changed since it was checked",
    "no runs yet", "{run}  {state}  {step}/{total}",
    "and {num} older run", "and {num} older runs",
)  # fmt: skip
_TITLES: dict[StepName, str] = dict(zip(STEPS, _TEXTS, strict=False))


def show_title(name: StepName) -> str:
    """`Base model`."""
    return tr(_TITLES[name])


def show_phrase(phrase: Phrase) -> str:
    """What the survey says, safe to show."""
    return tr(phrase.text, **phrase.values)
