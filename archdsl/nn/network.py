"""The whole network: streams embedded, layers run, classifiers read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from archdsl.nn.classifier import Classifier
from archdsl.nn.embeds.stream import Embeds, StreamEmbed
from archdsl.nn.intermediates import as_tuple, layers_taken, prefixes, shaped
from archdsl.nn.layer import Borrowed, Layer, Streams
from archdsl.nn.reversible import run_layers
from archdsl.plan.plan import Plan
from archdsl.spec.model import ModelSpec


class Network(nn.Module):
    """A compiled model document, with timm's habits.

    `model(images)` gives the logits of `output.predict`, `model.forward_heads(images)` those of
    every classifier, `model.plan` what was compiled, `model.spec` its document where it is known.

    Args:
        embeds: stream name -> its embedding.
        layers: the layers, in order.
        classifiers: name -> classifier, in the order of `forward_heads`.
        shared: modules whose weights several layers borrow, by role.
        plan: what the modules were made from.
    """

    spec: ModelSpec | None = None

    def __init__(
        self,
        *,
        embeds: Mapping[str, StreamEmbed],
        layers: Sequence[Layer],
        classifiers: Mapping[str, Classifier],
        shared: Mapping[str, nn.Module],
        plan: Plan,
    ) -> None:
        super().__init__()
        self.plan = plan
        self.embeds = Embeds(embeds)
        self.shared = nn.ModuleDict(dict(shared))
        self.layers = nn.ModuleList(layers)
        self.classifiers = nn.ModuleDict(dict(classifiers))
        # Tensors of the published layout that nothing reads; never trained either.
        self.unused = nn.ParameterDict(
            {
                name.replace(".", "/"): nn.Parameter(torch.zeros(shape), requires_grad=False)
                for name, shape in plan.unused.items()
            }
        )
        self._lend()

    @property
    def num_classes(self) -> int:
        """Number of logits of each classifier."""
        return self.plan.output.num_classes

    @property
    def num_features(self) -> int:
        """Number of pooled features that `model(images)` gives after `reset_classifier(0)`."""
        dims = self._answering_dims()
        return dims[0] if len(set(dims)) == 1 else sum(dims)

    head_hidden_size = num_features
    """timm's other name of it."""

    @property
    def in_chans(self) -> int:
        """Number of channels of its images."""
        return self.plan.image[0]

    def forward(self, images: Tensor) -> Tensor:
        """images: (batch, channels, height, width) -> logits: (batch, num_classes)."""
        logits = self.forward_heads(images)
        predict = self.plan.output.predict
        if predict != "mean":
            return logits[predict]
        answers = list(logits.values())
        if not self.num_classes and len(set(self._answering_dims())) > 1:
            return torch.cat(answers, dim=1)  # pooled features that have no mean
        return torch.stack(answers).mean(dim=0)

    def _answering_dims(self) -> list[int]:
        predict = self.plan.output.predict
        return [x.dim for name, x in self._classifiers().items() if predict in ("mean", name)]

    def forward_heads(self, images: Tensor) -> dict[str, Tensor]:
        """images: (batch, channels, height, width) -> classifier -> (batch, num_classes).

        A classifier has the name of its stream, or is `distillation` or `concat`.
        """
        return self.forward_head(self.forward_features(images))

    def forward_features(self, images: Tensor) -> Streams:
        """images: (batch, channels, height, width) -> stream name -> (batch, tokens, dim).

        Final tokens, normalised where the output normalises tokens before pooling.
        """
        streams = run_layers(self.layers, self.embeds(images), training=self.training)
        return self._normalised(streams)

    def _normalised(self, streams: Streams) -> Streams:
        for classifier in self._classifiers().values():
            streams = {**streams, **classifier.normalised(streams)}
        return streams

    def forward_intermediates(  # noqa: PLR0917 - timm's signature
        self,
        images: Tensor,
        indices: int | Sequence[int] | None = None,
        return_prefix_tokens: bool = False,
        norm: bool = False,
        stop_early: bool = False,
        output_fmt: str = "NCHW",
        intermediates_only: bool = False,
        output_dict: bool = False,
    ) -> Any:
        """Tokens of every stream behind some layers: timm's method, with streams by name.

        Args:
            images: (batch, channels, height, width).
            indices: of layers, from the end where negative; an int is that many last ones; all
                unless given.
            return_prefix_tokens: each element becomes a pair of patches and prefix tokens, (batch,
                prefix tokens, dim), in the streams that have prefix tokens.
            norm: normalise as `forward_features` does.
            stop_early: leave out the layers behind the last of `indices`.
            output_fmt: `NCHW` gives (batch, dim, rows, columns), `NLC` (batch, rows * columns,
                dim), in both without prefix tokens.
            intermediates_only: leave the final tokens out.
            output_dict: a dict with `image_features`, `image_intermediates` and, if asked for,
                `image_intermediates_prefix`.

        Returns:
            (final, intermediates): `final` as from `forward_features`, of the last layer that was
            run; `intermediates` is stream name -> a list, one element for each of `indices` in the
            order of the layers.

        Raises:
            ValueError: there is no layer of such an index; another `output_fmt`.
        """
        if output_fmt not in ("NCHW", "NLC"):
            raise ValueError(f"output_fmt is {output_fmt!r}, not one of: NCHW, NLC")
        taken = layers_taken(len(self.layers), indices)
        streams: Streams = self.embeds(images)
        states: list[Streams] = []
        for number, layer in enumerate(self.layers):
            if stop_early and number > max(taken):
                break
            streams = layer(streams)
            if number in taken:
                states.append(self._normalised(streams) if norm else streams)
        found: dict[str, Any] = {
            "image_intermediates": shaped(states, self.plan.streams, output_fmt)
        }
        if return_prefix_tokens:
            found["image_intermediates_prefix"] = prefixes(states, self.plan.streams)
        if not intermediates_only:
            found["image_features"] = self._normalised(streams)
        return found if output_dict else as_tuple(found)

    def forward_head(self, features: Streams, pre_logits: bool = False) -> dict[str, Tensor]:
        """Tokens of `forward_features` -> classifier -> (batch, num_classes); with `pre_logits`
        what its linear map would be given, (batch, dim)."""
        return {
            name: classifier.pooled(features) if pre_logits else classifier(features)
            for name, classifier in self._classifiers().items()
        }

    def parts(self) -> dict[str, tuple[nn.Module, ...]]:
        """Path of each part (`embeds.memory`, `layers.3.read`, `classifiers.process`) -> the
        modules whose calls are all that it does in `forward_heads`, in the order they run."""
        found: dict[str, tuple[nn.Module, ...]] = {
            f"embeds.{name}": (embed,) for name, embed in self.embeds.items()
        }
        for number, layer in enumerate(self.layers):
            found |= {f"layers.{number}.{word}": (step,) for word, step in layer.named_children()}
        # A classifier's norm runs before the classifier: its tokens are the network's features.
        for name, classifier in self._classifiers().items():
            found[f"classifiers.{name}"] = (classifier.norm, classifier)
        return found

    def replace(self, path: str, module: nn.Module) -> None:
        """Put a module in another's place: whoever calls or borrows that one gets the new one.

        Args:
            path: as in `named_modules`, such as `layers.3.read.head` or `shared.read_head`.

        Raises:
            AttributeError: there is no module of that path.
            ValueError: something else borrows a part of the replaced module that the new one has
                not. The network is then unchanged.
        """
        replaced = self.get_submodule(path)
        self.set_submodule(path, module)
        lost = self._lend()
        if lost:
            self.set_submodule(path, replaced)
            self._lend()
            raise ValueError(f"the new module of {path} lacks what is borrowed: {'; '.join(lost)}")

    def _lend(self) -> list[str]:
        """Show all borrowers this network; those that do not find what they borrow."""
        borrowers = [
            (path, each) for path, each in self.named_modules() if isinstance(each, Borrowed)
        ]
        for path, each in borrowers:
            each.look_in(self, path)
        return [f"{path} borrows {each.path}" for path, each in borrowers if not each.is_there()]

    def reset_classifier(self, num_classes: int) -> None:
        """Replace every classifier's linear map; 0 leaves the pooled features."""
        for classifier in self._classifiers().values():
            classifier.reset(num_classes)
        vars(self).pop("spec", None)  # the document says another number
        self.plan = replace(self.plan, output=replace(self.plan.output, num_classes=num_classes))

    def get_classifier(self) -> nn.ModuleDict:
        """The classifiers by stream."""
        return self.classifiers

    def no_weight_decay(self) -> set[str]:
        """Names of position tables and prefix tokens."""
        return {
            name
            for name, _ in self.named_parameters()
            if name.startswith("embeds.") and name.endswith((".position", ".prefix"))
        }

    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """timm's: which parameters make up the embeddings, each layer, the classifiers. What layers
        share, and norms in front of a classifier, go with the last layer."""
        last = (len(self.layers) - 1,)
        return {
            "embeds": r"^embeds\.",
            "layers": [
                (r"^layers\.(\d+)\.", None),
                (r"^shared\.", last),
                (r"^classifiers\.[^.]+\.norm\.", last),
            ],
            "classifiers": r"^classifiers\.",
        }

    def _classifiers(self) -> dict[str, Classifier]:
        return {name: cast(Classifier, module) for name, module in self.classifiers.items()}
