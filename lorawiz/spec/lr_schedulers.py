"""The learning-rate schedules that a spec may name, and which settings each one reads."""

_WARMUP, _DECAY = "lr_warmup_steps", "lr_decay_steps"
_CYCLES, _POWER = "lr_scheduler_num_cycles", "lr_scheduler_power"
_TIMESCALE, _MIN_RATIO = "lr_scheduler_timescale", "lr_scheduler_min_lr_ratio"

SCHEDULE_SETTINGS = (_WARMUP, _DECAY, _CYCLES, _POWER, _TIMESCALE, _MIN_RATIO)
"""Every setting that shapes a schedule, beside lr_scheduler_args."""

LR_SCHEDULERS: dict[str, tuple[str, ...]] = {
    "constant": (_WARMUP,),
    "constant_with_warmup": (_WARMUP,),
    "linear": (_WARMUP,),
    "cosine": (_WARMUP,),
    "cosine_with_restarts": (_WARMUP, _CYCLES),
    "polynomial": (_WARMUP, _POWER),
    "inverse_sqrt": (_WARMUP, _TIMESCALE),
    "cosine_with_min_lr": (_WARMUP, _CYCLES, _MIN_RATIO),
    "warmup_stable_decay": (_WARMUP, _DECAY, _CYCLES, _MIN_RATIO),
    "piecewise_constant": (),
    "rex": (_WARMUP, _MIN_RATIO),
    "adafactor": (),
}
"""sd-scripts' names and REX; by name the settings that count."""
