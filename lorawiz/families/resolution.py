"""Settings that a base answers for itself where the spec leaves them open."""

from lorawiz.errors import ModelError, visible_text
from lorawiz.families import FAMILIES
from lorawiz.families.checkpoints import Checkpoint
from lorawiz.spec.tables import BaseTable


def resolve_base(base: BaseTable, checkpoint: Checkpoint) -> BaseTable:
    """`base` with prediction_type and zero_terminal_snr decided: what it sets wins, then what the
    checkpoint says, then the family's usual.

    Raises ModelError when the checkpoint is of another family.
    """
    if checkpoint.family != base.family:
        raise ModelError(
            f"{visible_text(checkpoint.path.name)} is {checkpoint.family}, "
            f"but base.family = {base.family!r}",
            f"lorawiz set base.family {checkpoint.family}",
        )
    prediction = base.prediction_type or checkpoint.prediction
    zero_terminal_snr = base.zero_terminal_snr
    if zero_terminal_snr is None:
        zero_terminal_snr = checkpoint.zero_terminal_snr
    return base.model_copy(
        update={
            "prediction_type": prediction or FAMILIES[base.family].prediction,
            "zero_terminal_snr": zero_terminal_snr,
        }
    )
