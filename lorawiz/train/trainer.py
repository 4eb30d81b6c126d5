"""The run from its first load to its last save; the loop itself is in loop.py.

Models come one after the other and leave when their outputs are cached: VAE, text encoder,
U-Net. So the peak is the U-Net's alone.
"""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lorawiz.dataset.batches import Item, build_validation_views, find_unused, iter_steps
from lorawiz.dataset.prompts import effective_prompt, settled_prompt, varies
from lorawiz.errors import RunError
from lorawiz.families import load_adapter
from lorawiz.families.adapter import Adapter
from lorawiz.families.clip.new_token import NewToken
from lorawiz.families.clip.reading import Reading
from lorawiz.families.conditioning import TextConditioning
from lorawiz.paths import file_sha256
from lorawiz.runs.journal import JournalWriter
from lorawiz.runs.states import VerifiedState
from lorawiz.train.averaging import MovingAverage
from lorawiz.train.building import build_savers, prepare_models
from lorawiz.train.caches import TensorCache, TextCache, latents_key, load_pixels
from lorawiz.train.diffusion import Diffusion, rescale_to_zero_terminal_snr
from lorawiz.train.finiteness import refuse_diverged
from lorawiz.train.image_losses import STATE_FILE, ImageLosses
from lorawiz.train.job import Job
from lorawiz.train.losses import Loss
from lorawiz.train.masks import LossMasks
from lorawiz.train.optimizers import averaged_weights, build_optimizer
from lorawiz.train.precision import SAVE_DTYPES, compute_dtype, weights_dtype
from lorawiz.train.rates import Rates, build_rates
from lorawiz.train.sampling import SamplePrompt, draw_latents, save_pictures
from lorawiz.train.saving import Saver
from lorawiz.train.state import restore_state, save_state
from lorawiz.train.steering import BeforeTraining, Steering
from lorawiz.train.stopping import StopRequested, StopWatch
from lorawiz.train.trained import Trained, TrainedTogether
from lorawiz.train.trial import try_optimizer
from lorawiz.train.world import World, build_accelerator


@dataclass
class Models:
    """What training keeps in memory."""

    unet: Any
    text_encoder: nn.Module | None
    """None once all its outputs are cached."""
    network: Trained
    """All that trains."""
    savers: Sequence[Saver]
    optimizer: torch.optim.Optimizer
    rates: Rates
    average: MovingAverage | None
    """Of what trains; None where it is not kept."""

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Inside, what trains is what would be saved: its average, where one is kept."""
        moving = nullcontext() if self.average is None else self.average.in_place()
        with averaged_weights(self.optimizer), moving:
            yield


class Trainer:
    """Holds the models of one job; the loop asks it for inputs and tells it to save."""

    def __init__(self, job: Job, journal: JournalWriter, stop: StopWatch) -> None:
        self.job = job
        self.stop = stop
        self.steering = Steering(job.run, journal, stop)
        self.journal = journal
        self.accelerator = build_accelerator(job.spec.train.mixed_precision)
        self.world = World(self.accelerator)
        self.device: torch.device = self.accelerator.device
        self.reading = Reading.of(job.spec)
        self.dtype = compute_dtype(job.spec)
        self.adapter: Adapter = load_adapter(job.spec.base.family)
        self.diffusion = build_diffusion(job, self.adapter)
        self.loss = Loss(job.spec.train, self.diffusion)
        self.first_step = 1
        self.masks = LossMasks(job.project, job.spec, job.vae_scale)
        self.image_losses = ImageLosses()
        self.validation_views = build_validation_views(job.spec, job.held_out)
        self._latents = TensorCache(job.project, "latents")
        self._texts = TextCache(job.project)
        self._sample_prompts: list[SamplePrompt] = []
        self.kept_step: int | None = None
        """The step of the newest state, once this process knows of one."""
        self.models: Models

    def prepare(self, state: VerifiedState | None) -> None:
        """Fill the caches, load what trains, go on from `state`. Raises LorawizError, PeerLost."""
        self._meet(state)
        self.journal.write("device", name=_device_name(self.device, self.world.size))
        try_optimizer(self.job.spec, self.job.count.total_steps, self.device)
        self._cache_latents()
        needed = self.world.iter_share(self._iter_needed_views())
        self.masks.prepare(needed, self._hold_or_stop)
        text_encoder = self._prepare_text()
        self.world.wait()
        self.models = self._load_models(text_encoder)
        if state is not None:
            self._restore(state)

    def load_moments(self, item: Item) -> Tensor:
        """moments_MHW of an image, from the cache."""
        moments = self._latents.find(*latents_key(item, self.job.spec, self.job.vae_sha256))
        if moments is None:
            raise RunError(
                "the latent cache was emptied while training", "lorawiz run --resume makes it anew"
            )
        return moments

    def encode_batch(self, batch: tuple[Item, ...]) -> TextConditioning:
        """What the U-Net reads of a batch's effective prompts, on the device."""
        return self.encode_prompts([item.draw_prompt(self.job.spec).text for item in batch])

    def encode_prompts(self, prompts: list[str]) -> TextConditioning:
        """What the U-Net reads of each prompt, on the device; with a graph where it is trained."""
        if self.models.text_encoder is not None:
            is_learning = torch.is_grad_enabled() and self.job.spec.changes_text
            with torch.set_grad_enabled(is_learning):
                return self._encode(self.models.text_encoder, prompts)
        return TextConditioning.cat([self._cached_text(p) for p in prompts]).to(self.device)

    def save_lora(self, path: Path, step: int, epoch: int) -> None:
        """Write what trains as it is behind `step`: the LoRA at `path`, others beside it."""
        with self.models.averaged():
            refuse_diverged(self.models.network, step)
            for saver in self.models.savers:
                self._save_product(saver, saver.find_path(path), step, epoch)

    def _save_product(self, saver: Saver, path: Path, step: int, epoch: int) -> None:
        precision = self.job.spec.train.save_precision
        if not saver.trained.fits(SAVE_DTYPES[precision]):
            said = f"{path.name} is saved in float: some weights are too large for {precision}"
            self.journal.write("warning", message=said)
            precision = "float"
        metadata = self.job.metadata(step, epoch, saver.product)
        num_bytes = saver.save(path, SAVE_DTYPES[precision], metadata)
        shown = path.relative_to(self.job.project.root).as_posix()
        self.journal.write("save", step=step, epoch=epoch, path=shown, num_bytes=num_bytes)

    def save_state(self, step: int) -> None:
        """Write the state that a resume continues from, unless it is there already."""
        if step == self.kept_step:
            return
        models = self.models
        refuse_diverged(models.network, step)
        scaler = self.accelerator.scaler
        scaler_state = scaler.state_dict() if scaler is not None else {}
        path = save_state(self.job.run.state, step, models, scaler_state, self.image_losses.pack())
        self.kept_step = step
        self.journal.write("state", step=step, path=path.name)

    @property
    def has_sample_prompts(self) -> bool:
        return bool(self._sample_prompts)

    @torch.no_grad()
    def draw_samples(self, step: int) -> None:
        """Draw every prompt of the spec and write the pictures."""
        if not self._sample_prompts:
            return
        with self.evaluating():
            prompts = self._sample_prompts
            if self.job.spec.changes_text:
                assert self.models.text_encoder is not None
                prompts = self._encode_samples(self.models.text_encoder)
            latents = []
            for done, prompt in enumerate(prompts):
                self._phase("sampling", done, len(prompts))
                with self.accelerator.autocast():
                    drawn = draw_latents(
                        self.adapter, self.models.unet, prompt, self.job.spec, self.device,
                        self.job.vae_scale,
                    )  # fmt: skip
                latents.append((prompt, drawn))
            saved = save_pictures(
                self.adapter, self._load_vae, latents,
                lambda index: self.job.run.samples / f"s{step:06d}-{index + 1}.png",
            )  # fmt: skip
        for prompt, path in saved:
            shown = path.relative_to(self.job.project.root).as_posix()
            self.journal.write(
                "sample", step=step, index=prompt.index, prompt=prompt.prompt, path=shown
            )

    # caches -----------------------------------------------------------------------------

    def _meet(self, state: VerifiedState | None) -> None:
        """Raises RunError where the processes do not see the same run folder, or PeerLost."""
        own = (file_sha256(self.job.run.manifest), state.step if state else 0)
        if any(other != own for other in self.world.gather(own)):
            raise RunError(
                f"the processes of {self.job.run.run_id} see different run folders",
                "share the project folder between the machines",
            )

    @torch.no_grad()
    def _cache_latents(self) -> None:
        # of all views, not of the missing: another process may have made some by now
        needed = self.world.iter_share(self._iter_needed_views())
        missing = [item for item in needed if self._is_missing(item)]
        if not missing:
            return
        vae = self._load_vae()
        for done, item in enumerate(missing):
            self._hold_or_stop()
            self._phase("caching latents", done, len(missing))
            pixels_BCYX = load_pixels(self.job.project, item, self.job.spec)[None].to(self.device)
            moments_MHW = self.adapter.encode_pixels(vae, pixels_BCYX)[0].cpu()
            if not torch.isfinite(moments_MHW).all():
                raise RunError(
                    f"{item.record.image_path}: the VAE makes NaN of it",
                    "use another VAE: lorawiz set base.vae NAME",
                )
            self._latents.put(moments_MHW, *latents_key(item, self.job.spec, self.job.vae_sha256))
        del vae
        self.release()

    def _iter_needed_views(self) -> Iterator[Item]:
        """Each view of an image that the run's steps and validations will ask for, once."""
        yield from self.validation_views
        views_per_image = 2 if self.job.spec.dataset.flip_aug else 1
        num_unused = len(find_unused(self.job.spec, self.job.records))
        expected = views_per_image * (len(self.job.records) - num_unused)
        seen = set()
        for plan in iter_steps(self.job.spec, self.job.records):
            for item in (item for batch in plan.batches for item in batch):
                view = (item.record.image_path, item.flipped)
                if view not in seen:
                    seen.add(view)
                    yield item
            if len(seen) == expected:
                return

    def _hold_or_stop(self) -> None:
        """Stay here while the run is paused. Raises StopRequested."""
        reason = self.steering.obey(BeforeTraining()) if self.world.is_main else ""
        if reason:
            raise StopRequested(reason)

    def _is_missing(self, item: Item) -> bool:
        return not self._latents.renew(*latents_key(item, self.job.spec, self.job.vae_sha256))

    @torch.no_grad()
    def _prepare_text(self) -> nn.Module | None:
        """Cache the text encoder's outputs where they cannot change; else return it."""
        spec = self.job.spec
        can_cache = not spec.changes_text and not varies(spec.prompt)
        if can_cache and not self.world.is_main:
            return None
        prompts = {effective_prompt(r, spec, 1) for r in self.job.records} if can_cache else set()
        if can_cache:
            prompts |= {settled_prompt(r, spec, spec.validation.seed) for r in self.job.held_out}
        missing = [p for p in sorted(prompts) if not self._texts.renew(*self._text_key(p))]
        if can_cache and not missing and not spec.sample.prompts:
            return None
        self._phase("loading the text encoder", 0, 1)
        dtype = weights_dtype(spec, "text_encoder")
        text_encoder = self.adapter.load_text_encoder(self.job.checkpoint, dtype)
        text_encoder.to(self.device)
        if spec.sample.prompts and self.world.is_main:
            self._sample_prompts = self._encode_samples(text_encoder)
        if not can_cache:
            return text_encoder
        for done, prompt in enumerate(missing):
            self._hold_or_stop()
            self._phase("caching text", done, len(missing))
            self._texts.put(self._encode(text_encoder, [prompt]), *self._text_key(prompt))
        del text_encoder
        self.release()
        return None

    def _cached_text(self, prompt: str) -> TextConditioning:
        text = self._texts.find(*self._text_key(prompt))
        if text is None:
            raise RunError(
                "the text cache was emptied while training", "lorawiz run --resume makes it anew"
            )
        return text

    def _text_key(self, prompt: str) -> tuple[object, ...]:
        return (prompt, self.job.base_sha256, *astuple(self.reading), str(self.dtype))

    def _encode(
        self, text_encoder: nn.Module, prompts: list[str], reading: Reading | None = None
    ) -> TextConditioning:
        with self.accelerator.autocast():
            return self.adapter.encode_prompts(text_encoder, prompts, reading or self.reading)

    def _encode_samples(self, text_encoder: nn.Module) -> list[SamplePrompt]:
        table = self.job.spec.sample
        drawn = [table.negative_prompt, *table.prompts]
        reading = self.reading.for_drawing(drawn, NewToken.of(self.job.spec))
        negative = self._encode(text_encoder, [table.negative_prompt], reading)
        return [
            SamplePrompt(index, prompt, self._encode(text_encoder, [prompt], reading), negative)
            for index, prompt in enumerate(table.prompts)
        ]

    # models -----------------------------------------------------------------------------

    def _load_models(self, text_encoder: nn.Module | None) -> Models:
        spec = self.job.spec
        self._phase("loading the U-Net", 0, 1)
        unet = self.adapter.load_unet(self.job.checkpoint, weights_dtype(spec, "unet"))
        savers = build_savers(self.job, self.adapter, unet, text_encoder, self.device)
        network = TrainedTogether([saver.trained for saver in savers])
        prepare_models(spec, self.adapter, unet, text_encoder, self.device)
        network.set_training(True)
        optimizer = build_optimizer(spec, network)
        rates = build_rates(spec.train, optimizer, self.job.count.total_steps)
        decay = spec.train.ema_decay
        average = None if decay is None else MovingAverage(network, decay)
        return Models(unet, text_encoder, network, savers, optimizer, rates, average)

    def _restore(self, state: VerifiedState) -> None:
        models = self.models
        scaler_state = restore_state(state, models)
        if self.accelerator.scaler is not None and scaler_state:
            self.accelerator.scaler.load_state_dict(scaler_state)
        self.image_losses.restore(state.files.get(STATE_FILE))
        self.first_step = state.step + 1
        self.kept_step = state.step

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Inside, nothing is dropped, and weights that are averaged are their average."""
        self.models.network.set_training(False)
        try:
            with self.models.averaged():
                yield
        finally:
            self.models.network.set_training(True)
            self.release()

    def _load_vae(self) -> nn.Module:
        self._phase("loading the VAE", 0, 1)
        return self.adapter.load_vae(self.job.checkpoint, self.job.vae).to(self.device)

    def release(self) -> None:
        """Give back memory that nothing uses."""
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _phase(self, name: str, done: int, total: int) -> None:
        self.journal.write("phase", name=name, done=done, total=total)


def build_diffusion(job: Job, adapter: Adapter) -> Diffusion:
    """The noise levels of the job's base, and what it predicts."""
    alphas_N = adapter.alphas_cumprod()
    if job.spec.base.zero_terminal_snr:
        alphas_N = rescale_to_zero_terminal_snr(alphas_N)
    return Diffusion(alphas_N, job.spec.base.prediction_type or job.card.prediction)


def _device_name(device: torch.device, num: int) -> str:
    times = f"{num} × " if num > 1 else ""
    if device.type == "cuda":
        return times + torch.cuda.get_device_name(device)
    return f"{times}{device.type}, {torch.get_num_threads()} threads"
