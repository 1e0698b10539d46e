"""Which parts of a network reach its predicted output, and which are computed for nothing else.

A part reaches it if a tensor it makes does; which tokens of a stream a pooling or an attention
takes is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from archdsl.plan.cost import cost, params_of
from archdsl.plan.plan import (
    BlocksStep,
    ExchangeStep,
    ParallelStep,
    Plan,
    Step,
    StreamName,
    WordStep,
    classifier_streams,
    word_steps,
)
from archdsl.spec.base import words
from archdsl.spec.embeds import Embed
from archdsl.spec.heads import Head


@dataclass(frozen=True, kw_only=True)
class Influence:
    """The parts of a network by whether they reach `model(images)`, in the order they run.

    Args:
        reaching: paths of their modules: `embeds.memory`, `layers.3.read`, `classifiers.process`.
        only_norm: paths of words of which nothing reaches it but the norm that replaces a stream.
        idle: paths of the others. Their weights get no gradient from the predicted output.
        unused_share: of the parameters, from 0 to 1, that of those that `sentences` names.
    """

    reaching: tuple[str, ...]
    only_norm: tuple[str, ...]
    idle: tuple[str, ...]
    unused_share: float

    def sentences(self) -> list[str]:
        """What is computed for nothing, on one line; none where all reaches the prediction.
        Classifiers are trained for their own sake and not among it."""
        idle = [path for path in self.idle if not path.startswith("classifiers.")]
        parts = _ranges(idle) + [f"{each} (but for its norm)" for each in _ranges(self.only_norm)]
        share = f"{100 * self.unused_share:.1f} % of the parameters"
        return [f"no influence on the prediction: {', '.join(parts)}; {share}"] if parts else []


def influence(plan: Plan) -> Influence:
    """What reaches the predicted output of a plan."""
    reaching, only_norm = set(_classifiers(plan)), set[str]()
    live: set[StreamName] = {
        stream
        for name in _predicted(plan)
        for stream in classifier_streams(name, plan.output.classifiers[name])
    }
    for number in reversed(range(len(plan.layers))):
        for word, whole in _trace_layer(plan.layers[number], live).items():
            (reaching if whole else only_norm).add(f"layers.{number}.{word}")
    reaching |= {f"embeds.{name}" for name in _embeds(plan, live)}
    paths = list(_paths(plan))
    trained = reaching | {path for path in paths if path.startswith("classifiers.")}
    return Influence(
        reaching=tuple(path for path in paths if path in reaching),
        only_norm=tuple(path for path in paths if path in only_norm),
        idle=tuple(path for path in paths if path not in reaching | only_norm),
        # Every candidate of a search is asked, and of most all parts reach the prediction.
        unused_share=0.0 if trained >= set(paths) else _unused_share(plan, trained, only_norm),
    )


def _unused_share(plan: Plan, trained: set[str], only_norm: set[str]) -> float:
    total = cost(plan).params
    return (total - params_of(plan, trained, norms=only_norm)) / total


def _ranges(paths: Sequence[str]) -> list[str]:
    """The same paths, a word of layers that follow each other once: `layers.0-3.write`."""
    found = [path for path in paths if not path.startswith("layers.")]
    runs: dict[str, list[list[int]]] = {}
    for number, word in (path.split(".")[1:] for path in paths if path.startswith("layers.")):
        of_word = runs.setdefault(word, [])
        if not of_word or of_word[-1][-1] != int(number) - 1:
            of_word.append([])
        of_word[-1].append(int(number))
    for word, of_word in runs.items():
        ends = ("-".join(dict.fromkeys((str(run[0]), str(run[-1])))) for run in of_word)
        found += [f"layers.{end}.{word}" for end in ends]
    return found


def _paths(plan: Plan) -> Iterator[str]:
    yield from (f"embeds.{name}" for name in plan.streams)
    for number, layer in enumerate(plan.layers):
        yield from (f"layers.{number}.{step.word}" for step in word_steps(layer))
    yield from (f"classifiers.{name}" for name in plan.output.classifiers)


def _predicted(plan: Plan) -> list[str]:
    """Classifiers whose logits `model(images)` is made of."""
    predict = plan.output.predict
    return list(plan.output.classifiers) if predict == "mean" else [predict]


def _classifiers(plan: Plan) -> Iterator[str]:
    """Those predicted from, and those whose norm of all tokens another one sees."""
    predicted = _predicted(plan)
    streams = {
        stream
        for name in predicted
        for stream in classifier_streams(name, plan.output.classifiers[name])
    }
    for name, classifier in plan.output.classifiers.items():
        seen = streams & set(classifier_streams(name, classifier))
        if name in predicted or (seen and classifier.norm in ("tokens", "both")):
            yield f"classifiers.{name}"


def _trace_layer(layer: tuple[Step, ...], live: set[StreamName]) -> dict[str, bool]:
    """Words of a layer that reach a live stream, and whether more of them does than their norm.

    Args:
        live: streams behind the layer that reach the output; becomes those before it.
    """
    found: dict[str, bool] = {}
    map_taken = False
    for step in reversed(layer):
        group = step.parallel if isinstance(step, ParallelStep) else (step,)
        needed: set[StreamName] = set()
        for word in group:
            taken = map_taken and isinstance(word, ExchangeStep) and word.gives_map
            if _changed(word) in live or taken:
                found[word.word] = True
                needed |= _needed(word, whole=taken)
                map_taken |= isinstance(word, ExchangeStep) and bool(word.takes_map_of)
            elif _normalises(word, live):
                found[word.word] = False
        live -= {_changed(word) for word in group}
        live |= needed
    return found


def _changed(word: WordStep) -> StreamName:
    return word.word if isinstance(word, BlocksStep) else word.target


def _normalises(word: WordStep, live: set[StreamName]) -> bool:
    """Whether all that is left of a word is that its norm replaces a live source."""
    if isinstance(word, BlocksStep) or word.norm.placement != "replace":
        return False
    return word.source in live and word.source in word.normalised


def _needed(word: WordStep, *, whole: bool) -> set[StreamName]:
    """Streams that a word which reaches the output is made of.

    Args:
        whole: another word takes its attention map.
    """
    if isinstance(word, BlocksStep):
        return {word.word}
    carried = word.fusion.type != "erase" or word.queries == "cls"
    asks = whole or carried or words(Head)[word.head.type].reads_target
    return {word.source, word.target} if asks else {word.source}


def _embeds(plan: Plan, live: set[StreamName]) -> set[StreamName]:
    """Streams whose first tokens are live, or what live ones are made from."""
    made_of_other = any(
        words(Embed)[plan.streams[name].embed.type].origin in ("other", "copy") for name in live
    )
    return set(plan.streams) if made_of_other else live
