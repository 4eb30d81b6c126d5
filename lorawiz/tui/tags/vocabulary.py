"""The words that the project's tagger knows, from its table of tags; the model itself stays shut."""

from lorawiz.annotate import cl_tagger, wd14
from lorawiz.annotate.protocols import Label
from lorawiz.annotate.registry import TAGGERS, find_model
from lorawiz.dataset.tag_selection import spell_label
from lorawiz.errors import LorawizError
from lorawiz.paths import Project
from lorawiz.spec import Spec

_NO_TAGGER = ("", "none")
_WORDS = ("general", "character", "copyright", "artist", "meta")
"""Labels of these kinds are tags; ratings are not."""


def load_vocabulary(project: Project, spec: Spec) -> tuple[str, ...]:
    """The tagger's words as this project spells them, most used first as its table has them.

    Empty where no tagger is set, or it is not on this machine. Reads a table of text, never the
    network; takes a tenth of a second for 10,000 words.
    """
    if spec.tag.model in _NO_TAGGER:
        return ()
    try:
        layout, folder = find_model(TAGGERS, spec.tag.model, project)
        labels: list[Label]
        if layout.name == "wd14":
            labels = wd14.read_labels(folder / wd14.FILES[1])
        else:
            labels = cl_tagger.read_labels(folder / cl_tagger.FILES[1])
    except LorawizError:  # `lorawiz tag` and the check screen tell what is wrong with it
        return ()
    words = (
        word
        for label in labels
        if label.name and label.category in _WORDS
        for word in spell_label(label.name, label.category, spec.tag)
    )
    return tuple(dict.fromkeys(words))
