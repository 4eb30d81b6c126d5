"""Rules on the base checkpoint and the VAE."""

from collections.abc import Iterator

from lorawiz.errors import LorawizError, ModelError, visible_text
from lorawiz.families.checkpoints import Checkpoint, find_checkpoint
from lorawiz.families.safetensors_header import read_header
from lorawiz.paths import model_sha256
from lorawiz.preflight.finding import Problem, rule
from lorawiz.preflight.fixes import by_hand, choose_model, set_to, unset
from lorawiz.preflight.inspection import Inspection


@rule("base-unset", "error")
def find_unset_base(at: Inspection) -> Iterator[Problem]:
    """A LoRA is trained on a base model."""
    if at.base is None:
        yield Problem(
            "no base checkpoint",
            choose_model("base.checkpoint", "put it into models/, then: {}"),
            "base.checkpoint",
        )


@rule("base-missing", "error", "machine")
def find_missing_base(at: Inspection) -> Iterator[Problem]:
    """The same project runs on laptop and box; the checkpoint must be on the box."""
    if isinstance(at.base, ModelError) and _is_absent(at) and not at.base_is_on_hub:
        yield Problem(
            at.base.message, choose_model("base.checkpoint", _advise(at.base)), "base.checkpoint"
        )


@rule("base-fetched", "info", "machine")
def find_hub_base(at: Inspection) -> Iterator[Problem]:
    """A hub id that is not on this machine is fetched before the run starts."""
    if isinstance(at.base, ModelError) and at.base_is_on_hub:
        fix = by_hand(at.base.hint, "the run fetches it before its first step")
        yield Problem(
            at.base.message,
            fix | choose_model("base.checkpoint", "take another: {}"),
            "base.checkpoint",
        )


@rule("base-unusable", "error")
def find_unusable_base(at: Inspection) -> Iterator[Problem]:
    """A pickled, torn or foreign file cannot be trained on."""
    if isinstance(at.base, ModelError) and not _is_absent(at) and not at.base_is_on_hub:
        yield Problem(
            at.base.message, choose_model("base.checkpoint", _advise(at.base)), "base.checkpoint"
        )


@rule("base-family", "error")
def find_wrong_family(at: Inspection) -> Iterator[Problem]:
    """Another family has other layers: its LoRA would fit nothing."""
    if isinstance(at.base, Checkpoint) and at.base.family != at.family:
        yield Problem(
            f"{visible_text(at.base.path.name)} is {at.base.family}, but base.family = {at.family!r}",
            set_to("base.family", at.base.family),
            "base.family",
        )


@rule("base-changed", "error")
def find_changed_base(at: Inspection) -> Iterator[Problem]:
    """Another file of the same name gives another LoRA."""
    expected = at.spec.base.sha256
    if at.base_path is None or not expected:
        return
    found = model_sha256(at.base_path)
    if found != expected:
        yield Problem(
            f"{visible_text(at.base_path.name)} has SHA-256 {found[:12]}…, the spec says "
            f"{expected[:12]}…",
            choose_model("base.checkpoint", "find the right file: {}")
            | set_to("base.sha256", found, "accept this one: {}"),
            "base.sha256",
        )


@rule("vae-missing", "error", "machine")
def find_missing_vae(at: Inspection) -> Iterator[Problem]:
    """The VAE that is named must be there and be whole."""
    if not at.spec.base.vae:
        return
    try:
        path = find_checkpoint(at.spec.base.vae, at.project)
        if path.is_file():
            read_header(path)
    except LorawizError as error:
        fix = choose_model("base.vae", _advise(error)) | unset("base.vae")
        yield Problem(error.message, fix, "base.vae")


def _advise(error: LorawizError) -> str:
    """What the error itself advises; the command where it does not."""
    return error.hint or "{}"


def _is_absent(at: Inspection) -> bool:
    try:
        find_checkpoint(at.spec.base.checkpoint, at.project)
    except LorawizError:
        return True
    return False
