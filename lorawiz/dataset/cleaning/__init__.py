"""Cleaning: the spec's ordered rules, replayed over the raw words of all images at once.

Nothing here keeps a state: the same words and rules give the same words again. Importing this
package fills the table of rules, a file a subject.
"""

from lorawiz.dataset.cleaning import kohya, rules_order, rules_removal, rules_spelling
from lorawiz.dataset.cleaning.replay import apply_rules
from lorawiz.dataset.cleaning.rule import RawWords
from lorawiz.dataset.cleaning.trace import RuleTrace

__all__ = [
    "RawWords",
    "RuleTrace",
    "apply_rules",
    "kohya",
    "rules_order",
    "rules_removal",
    "rules_spelling",
]
