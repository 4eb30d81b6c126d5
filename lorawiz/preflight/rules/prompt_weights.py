"""Rules on the weights of a prompt's words."""

import re
from collections.abc import Iterator

from lorawiz.families.clip.weights import has_weights
from lorawiz.preflight.finding import Problem, rule
from lorawiz.preflight.fixes import add_rule, review, set_to
from lorawiz.preflight.inspection import Inspection
from lorawiz.preflight.rules.words import name_some

_NUMBERED = re.compile(r"\([^()]*:\s*[+-]?[\d.]+\s*\)")
_NAMED = re.compile(r"\w[ _]\((?P<said>[^()\[\]:\\]+)\)")
"""What tags say of a name, such as the series in alice (wonderland)."""


@rule("weights-unread", "warning")
def find_unread_weights(at: Inspection) -> Iterator[Problem]:
    """(red:1.2) means 1.2 times red only where weights are read; otherwise its signs are trained."""
    if at.spec.prompt.weighted_captions:
        return
    found = [path for path, texts in at.prompts.items() if any(map(_NUMBERED.search, texts))]
    if found:
        yield Problem(
            f"weights such as (red:1.2) are trained as they stand in {name_some(found)}",
            set_to("prompt.weighted_captions", True) | review(image_paths=found),
            "prompt.weighted_captions",
        )


@rule("names-as-weights", "warning")
def find_names_as_weights(at: Inspection) -> Iterator[Problem]:
    """Where weights are read, alice (wonderland) loses its brackets, and the series counts more."""
    if not at.spec.prompt.weighted_captions:
        return
    found = [path for path, texts in at.prompts.items() if any(map(_NAMED.search, texts))]
    if found:
        yield Problem(
            f"brackets that belong to a name count as weights in {name_some(found)}",
            add_rule(
                "regex",
                r"put a backslash before them: {}",
                pattern=r"(\w[ _])\(([^()\[\]:\\]+)\)",
                replacement=r"\1\\(\2\\)",
            )
            | set_to("prompt.weighted_captions", False)
            | review(image_paths=found),
            "prompt.weighted_captions",
        )


@rule("weights-idle", "info")
def find_idle_weights(at: Inspection) -> Iterator[Problem]:
    """Weights are read, and no prompt has any."""
    if not (at.spec.prompt.weighted_captions and at.records):
        return
    if not any(has_weights(text) for texts in at.prompts.values() for text in texts):
        yield Problem(
            "weighted_captions is on, but no prompt has a weight such as (red:1.2)",
            set_to("prompt.weighted_captions", False),
            "prompt.weighted_captions",
        )
