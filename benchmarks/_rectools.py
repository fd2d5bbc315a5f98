"""Peers of a recommender from RecTools 0.19: SASRec, EASE, items' nearest items, and the most popular.

It runs in an environment of its own, made from rectools-requirements.txt, and imports nothing of tagloom:

    python _rectools.py IN.npz OUT.npz --model sasrec --epochs 200 --seed 1 --minutes 60 --threads 2

IN holds `users [N]` and `items [N]`, integers; of one user the later line is the later event. OUT holds

- `users [U]`, sorted, and `top [U, 100]`: for each the best items that the user has not had, best first; -1: no more;
- `seconds_training`, `seconds_validating` (apart from it), `seconds_recommending`, `peak_mib`;
- `epochs` (with a fraction where time ran out), `best_epoch` (its weights answer; of equals the latest), `recalls [E]`;
- `events_per_second`: N times epochs / seconds of training;
- `settings`: all settings and the versions of the libraries, as JSON.

SASRec (Kang and McAuley 2018, "Self-Attentive Sequential Recommendation") stands as its makers set it for Amazon
Beauty: Tikhonovich et al. 2025, "eSASRec: Enhancing Transformer-based Recommendations in a Modular Fashion", table of
hyperparameters in the README of github.com/blondered/transformer_benchmark at 2b03992. There one block, one head, 64
factors, dropout 0.2, length 50, batch 128, step size 0.001, at most 200 epochs, stopped when Recall@10 of left-out last
items has not risen for 50, and the best weights kept: nDCG@10 0.0531 with `--loss sampled_softmax` and 256 negatives.
(Their configs/paper/loo/s3_vanilla.yaml has 256 factors; spotify-research/sequential-capacity-probes found 0.0537 with
64.) As in their earlier github.com/blondered/bert4rec_repro the last item of 2,048 users drawn by chance is left out,
not of all, so that most last items are learned from. `--validating 0` leaves out none and trains for all the epochs.

RecTools scores the whole catalogue at padded places too, which are most of a batch where histories are short, and drops
what comes of it. `--padding skipped` gets the same losses without, several times as fast; `scored` is RecTools' pace.
"""

from __future__ import annotations

import argparse
import json
import logging
import resource
import sys
import time
import warnings
from datetime import timedelta
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
import torch
from pytorch_lightning import LightningModule, Trainer, seed_everything
from pytorch_lightning.callbacks import Callback, EarlyStopping, Timer
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import EASEModel, ImplicitItemKNNWrapperModel, PopularModel, SASRecModel
from rectools.models.base import ModelBase
from rectools.models.nn.item_net import IdEmbeddingsItemNet
from rectools.models.nn.transformers.lightning import TransformerLightningModule
from rectools.models.nn.transformers.utils import leave_one_out_mask
from threadpoolctl import threadpool_limits

K = 100
RECALL = "recall@10"
LIBRARIES = ("rectools", "torch", "pytorch-lightning", "pm-implicit", "numpy", "scipy")
SETTINGS: dict[str, dict[str, Any]] = {
    "sasrec": {
        "loss": "softmax",
        "negatives": 256,  # for each event, of the losses that draw them
        "gbce_t": 0.75,
        "blocks": 1,
        "heads": 1,
        "factors": 64,
        "dropout": 0.2,
        "length": 50,
        "batch": 128,
        "lr": 1e-3,
        "patience": 50,
        "validating": 2048,
        "padding": "skipped",
    },
    "itemknn": {"neighbours": 100, "weighting": "CosineRecommender"},
    "ease": {"regularization": 500.0},
    "popular": {},
}
CHOICES = {
    "loss": ("softmax", "sampled_softmax", "BCE", "gBCE"),
    "padding": ("skipped", "scored"),
    "weighting": ("CosineRecommender", "BM25Recommender", "TFIDFRecommender"),
}


class ScoringLast(TransformerLightningModule):
    """SASRec that scores each item as the next of a history, and no place before."""

    def validation_step(self, batch: dict[str, torch.Tensor], batch_ix: int) -> dict[str, torch.Tensor]:  # noqa: ARG002
        last = self.torch_model.encode_sessions(batch, self.item_embs)[:, -1]  # [B, D]
        return {"scores": last @ self.item_embs.T}


class WithoutPadding(ScoringLast):
    """The same where padding is dropped before its scores are taken, not after."""

    def training_step(self, batch: dict[str, torch.Tensor], batch_ix: int) -> torch.Tensor:  # noqa: ARG002
        items = self.torch_model.item_model.get_all_embeddings()
        real = batch["y"] != 0  # [B, T]
        histories = self.torch_model.encode_sessions(batch, items)[real][None]  # [1, events, D]
        wanted, candidates = batch["y"][real][None], None
        if "negatives" in batch:
            candidates = torch.cat([wanted[..., None], batch["negatives"][real][None]], dim=-1)
        scores = self.torch_model.similarity_module(histories, items, candidates)
        return self.loss_calculator(scores, wanted, batch["yw"][real][None])


class Validation(Callback):
    """Recall@10 of the left-out items among those that the user has not had; the best weights are kept."""

    def __init__(self) -> None:
        self.recalls: list[float] = []
        self.best: dict[str, torch.Tensor] = {}
        self.best_epoch = 0.0
        self.seconds = 0.0
        self._started = 0.0
        self._hits: list[torch.Tensor] = []

    def on_validation_start(self, trainer: Trainer, module: LightningModule) -> None:  # noqa: ARG002
        self._started = time.perf_counter()
        self._hits = []

    def on_validation_batch_end(
        self,
        trainer: Trainer,  # noqa: ARG002
        module: LightningModule,  # noqa: ARG002
        outputs: dict[str, torch.Tensor],
        batch: dict[str, torch.Tensor],
        *_: Any,
    ) -> None:
        scores = outputs["scores"].scatter(1, batch["x"], -torch.inf)  # [B, items]
        scores[:, 0] = -torch.inf  # padding
        top = scores.topk(min(10, scores.shape[1])).indices
        self._hits.append((top == batch["y"]).any(1))

    def on_validation_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        recall = torch.cat(self._hits).float().mean().item()
        # Of equals the later, which has learned longer.
        if recall >= max(self.recalls, default=0.0):
            self.best = {name: weight.clone() for name, weight in module.state_dict().items()}
            self.best_epoch = trainer.global_step / trainer.num_training_batches
        self.recalls.append(recall)
        self.log(RECALL, recall)

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:  # noqa: ARG002
        self.seconds += time.perf_counter() - self._started


def main() -> None:
    args = _arguments()
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    # Lightning's advice on workers, loggers and devices; what RecTools calls of pandas and pydantic in an old way.
    warnings.filterwarnings("ignore", module=r"pytorch_lightning|lightning_fabric|rectools|pydantic")
    seed_everything(args.seed, verbose=False)
    torch.set_num_threads(args.threads)
    given = np.load(args.events)
    with threadpool_limits(args.threads):
        dataset = _dataset(given["users"], given["items"], distinct=args.model != "sasrec")
        model, told = sasrec(dataset, args) if args.model == "sasrec" else matrix_model(dataset, args)
        users = np.unique(given["users"])
        started = time.perf_counter()
        told["top"] = recommended(model, dataset, users)
        told["seconds_recommending"] = time.perf_counter() - started
    told["events_per_second"] = len(given["users"]) * told["epochs"] / told["seconds_training"]
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    told["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
    common = ("model", "epochs", "seed", "minutes", "threads")
    settings = {name: getattr(args, name) for name in (*common, *SETTINGS[args.model])}
    settings["versions"] = {name: version(name) for name in LIBRARIES}
    np.savez_compressed(args.into, users=users, settings=json.dumps(settings), **told)


def sasrec(dataset: Dataset, args: argparse.Namespace) -> tuple[ModelBase, dict[str, Any]]:
    """SASRec with the weights of its best epoch, and what its training was like."""
    left_out: dict[str, Any] = {}
    callbacks: list[Callback] = [Timer(timedelta(minutes=args.minutes), verbose=False)]
    if args.validating:
        users = min(args.validating, dataset.user_id_map.size)
        left_out = {"get_val_mask_func": leave_one_out_mask, "get_val_mask_func_kwargs": {"val_users": users}}
        callbacks += [Validation(), EarlyStopping(RECALL, mode="max", patience=args.patience)]
    model = SASRecModel(
        n_blocks=args.blocks,
        n_heads=args.heads,
        n_factors=args.factors,
        dropout_rate=args.dropout,
        session_max_len=args.length,
        batch_size=args.batch,
        loss=args.loss,
        n_negatives=args.negatives,
        gbce_t=args.gbce_t,
        lr=args.lr,
        item_net_block_types=(IdEmbeddingsItemNet,),
        lightning_module_type=WithoutPadding if args.padding == "skipped" else ScoringLast,
        **left_out,
    )
    # Its own way to a trainer of one's choice: a function with arguments of its own would have to be importable.
    model._trainer = Trainer(
        max_epochs=args.epochs,
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        callbacks=callbacks,
    )
    started = time.perf_counter()
    model.fit(dataset)
    seconds = time.perf_counter() - started
    trainer = model.fit_trainer
    epochs = trainer.global_step / trainer.num_training_batches
    best_epoch, recalls, validating = epochs, [], 0.0
    # The trainer that fitted is a copy of ours, with copies of the callbacks.
    for watch in (callback for callback in trainer.callbacks if isinstance(callback, Validation)):
        model.lightning_model.load_state_dict(watch.best)
        best_epoch, recalls, validating = watch.best_epoch, watch.recalls, watch.seconds
    return model, _told(epochs, best_epoch, recalls, seconds - validating, validating)


def matrix_model(dataset: Dataset, args: argparse.Namespace) -> tuple[ModelBase, dict[str, Any]]:
    """A model of who had what, whatever the order, fitted at one go."""
    if args.model == "popular":
        model = PopularModel()
    elif args.model == "ease":
        model = EASEModel(args.regularization, recommend_n_threads=args.threads)
    else:
        import implicit.nearest_neighbours

        # An item is the nearest of its own neighbours.
        kind = getattr(implicit.nearest_neighbours, args.weighting)
        model = ImplicitItemKNNWrapperModel(kind(K=args.neighbours + 1, num_threads=args.threads))
    started = time.perf_counter()
    model.fit(dataset)
    if args.model == "ease":
        # RecTools 0.19 answers with the weights the wrong way round: Steck 2019, "Embarrassingly Shallow Autoencoders
        # for Sparse Data", scores X B, its ranker X B'.
        model.weight = np.ascontiguousarray(model.weight.T)
    return model, _told(1.0, 1.0, [], time.perf_counter() - started, 0.0)


def _told(epochs: float, best_epoch: float, recalls: list[float], training: float, validating: float) -> dict[str, Any]:
    return {
        "epochs": epochs,
        "best_epoch": best_epoch,
        "recalls": recalls,
        "seconds_training": training,
        "seconds_validating": validating,
    }


def recommended(model: ModelBase, dataset: Dataset, users: np.ndarray) -> np.ndarray:
    """The best items [U, 100] of each user, best first; -1 where there are no more."""
    found = model.recommend(users, dataset, k=K, filter_viewed=True, on_unsupported_targets="ignore")
    top = np.full((len(users), K), -1, np.int64)
    top[np.searchsorted(users, found[Columns.User]), found[Columns.Rank] - 1] = found[Columns.Item]
    return top


def _dataset(users: np.ndarray, items: np.ndarray, distinct: bool) -> Dataset:
    # Only the order of the times matters.
    times = np.arange(len(users)).astype("datetime64[s]").astype("datetime64[ns]")
    events = pd.DataFrame({Columns.User: users, Columns.Item: items, Columns.Weight: 1.0, Columns.Datetime: times})
    return Dataset.construct(events.drop_duplicates([Columns.User, Columns.Item]) if distinct else events)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("events", metavar="IN.npz")
    parser.add_argument("into", metavar="OUT.npz")
    parser.add_argument("--model", choices=SETTINGS, required=True)
    for name, default in {"epochs": 200, "seed": 1, "minutes": 60.0, "threads": 1}.items():
        parser.add_argument(f"--{name}", type=type(default), default=default)
    for model, settings in SETTINGS.items():
        for name, default in settings.items():
            told = f"of {model}, {default} unless given"
            parser.add_argument(f"--{name}", type=type(default), default=default, help=told, choices=CHOICES.get(name))
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
