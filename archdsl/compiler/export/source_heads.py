"""Heads as classes of an exported source file.

Each function gives the call that makes the module, with what its options leave of the class; what
it computes is what the module of `archdsl.nn` computes, in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from archdsl.compiler.export.source_text import Call, Classes, call, class_text, line, lines
from archdsl.nn.heads.cross_attention import CARRY_EPS, NORM_EPS
from archdsl.nn.heads.linear_attention import NORMALISER_EPS
from archdsl.nn.heads.tied_attention import SUM_EPS

Arguments = Mapping[str, Any]
Maker = Callable[[Classes, Arguments], Call]

_HEAD = "target: Tensor, source: Tensor"
_READ = "(batch, target tokens, target_dim), (batch, source tokens, source_dim) -> as target."
_STATE = "state = torch.matmul(k.transpose(-2, -1), v)  # (batch, heads, latent/heads, dim/heads)"
_SPLIT = "split_heads(self.{}, self.num_heads)"


def made(name: str, arguments: Arguments, words: str) -> Call:
    """The call of a class with those of some arguments that it takes."""
    return call(name, **{word: arguments[word] for word in words.split()})


def typed(words: str) -> str:
    """Whole numbers as arguments."""
    return ", ".join(f"{word}: int" for word in words.split())


def layer_norm(dim: str, eps: float) -> str:
    """As text."""
    return f"nn.LayerNorm({dim}, eps={eps})"


def _linear_attention(classes: Classes, a: Arguments) -> Call:
    words = "target_dim source_dim latent_dim num_heads"
    normalise, out_proj = a.get("normalise", True), a.get("out_proj", False)
    read = "join_heads(torch.matmul(q, state))"
    text = class_text(
        "phi(q) (phi(k)^T v)"
        + (" / (phi(q) sum(phi(k)) + eps)" if normalise else "")
        + ", head by head; phi(x) = 1 + elu(x).",
        arguments=typed(words),
        init=lines(
            "self.num_heads = num_heads",
            "self.q = nn.Linear(target_dim, latent_dim)",
            "self.k = nn.Linear(source_dim, latent_dim)",
            "self.v = nn.Linear(source_dim, target_dim)",
            out_proj and "self.proj = nn.Linear(target_dim, target_dim)",
        ),
        takes=_HEAD,
        shapes=_READ,
        forward=lines(
            f"q = 1 + functional.elu({_SPLIT.format('q(target)')})",
            f"k = 1 + functional.elu({_SPLIT.format('k(source)')})",
            f"v = {_SPLIT.format('v(source)')}",
            _STATE,
            normalise
            and "normaliser = torch.matmul(q, k.sum(dim=-2, keepdim=True).transpose(-2, -1))",
            normalise and f"q = q / (normaliser + {NORMALISER_EPS})",
            f"return self.proj({read})" if out_proj else f"return {read}",
        ),
    )
    return made(classes.name("LinearAttention", text), a, words)


def _cross_attention(classes: Classes, a: Arguments) -> Call:
    words = "target_dim source_dim num_heads"
    if a.get("carried"):
        inside = {**a, "target_dim": a["source_dim"], "carried": False}
        return _carried(classes, a, _cross_attention(classes, inside))
    norms, out_proj, mapped = a.get("norms", "qkv"), a.get("out_proj", True), a.get("mapped", False)

    def projected(letter: str, stream: str) -> str:
        plain = f"{letter}({stream})"
        normed = f"{letter}_norm(self.{plain})" if letter in norms else plain
        return f"{letter} = {_SPLIT.format(normed)}"

    def answer(read: str) -> str:
        return f"self.proj(join_heads({read}))" if out_proj else f"join_heads({read})"

    attend = (
        (
            "scores = torch.matmul(q * self.scale, k.transpose(-2, -1))",
            "shares = scores.softmax(dim=-1)  # (batch, heads, target tokens, source tokens)",
            f"return {answer('torch.matmul(shares, v)')}, shares",
        )
        if mapped
        else (f"return {answer('functional.scaled_dot_product_attention(q, k, v)')}",)
    )
    text = class_text(
        "softmax(q k^T / sqrt(d/H)) v, head by head" + (", and the softmax." if mapped else "."),
        arguments=typed(words),
        init=lines(
            "self.num_heads = num_heads",
            mapped and "self.scale = (target_dim // num_heads) ** -0.5",
            "self.q = nn.Linear(target_dim, target_dim)",
            "self.k = nn.Linear(source_dim, target_dim)",
            "self.v = nn.Linear(source_dim, target_dim)",
            *(f"self.{each}_norm = {layer_norm('target_dim', NORM_EPS)}" for each in norms),
            out_proj and "self.proj = nn.Linear(target_dim, target_dim)",
        ),
        takes=_HEAD,
        shapes=_READ,
        gives="tuple[Tensor, Tensor]" if mapped else "Tensor",
        forward=lines(
            bool(a.get("with_query")) and "source = torch.cat([target, source], dim=1)",
            projected("q", "target"),
            projected("k", "source"),
            projected("v", "source"),
            *attend,
        ),
    )
    return made(classes.name("CrossAttention", text), a, words)


def _carried(classes: Classes, a: Arguments, head: Call) -> Call:
    def carry(dim: str, to: str) -> Call:
        norm, linear = layer_norm(dim, CARRY_EPS), f"nn.Linear({dim}, {to})"
        return call("nn.Sequential", norm, "nn.GELU()", linear)

    text = class_text(
        "A head in the source's width: queries go there, attend with a residual, come back.",
        arguments="target_dim: int, source_dim: int, head: nn.Module",
        init=[
            line("self.there = ", carry("target_dim", "source_dim")),
            *lines(f"self.norm = {layer_norm('source_dim', CARRY_EPS)}", "self.head = head"),
            line("self.back = ", carry("source_dim", "target_dim")),
        ],
        takes=_HEAD,
        shapes=_READ,
        forward=lines(
            "query = self.there(target)",
            "return self.back(query + self.head(self.norm(query), self.norm(source)))",
        ),
    )
    name = classes.name("Carried", text)
    return call(name, target_dim=a["target_dim"], source_dim=a["source_dim"], head=head)


def _tied_attention(classes: Classes, a: Arguments) -> Call:
    own, norm, out = not a.get("tied_values"), a.get("norm", False), a.get("out_proj", False)
    words = "target_dim num_heads" if norm or out else "num_heads"
    words = "target_dim source_dim num_heads" if own else words
    values = "self.v(source)" if own else "source"
    values = f"self.v_norm({values})" if norm else values
    written = "join_heads(torch.matmul(shares, v))"
    text = class_text(
        "map^T v, head by head" + (", renormalised." if a.get("renormalise") else "."),
        arguments=typed(words),
        init=lines(
            "self.num_heads = num_heads",
            own and "self.v = nn.Linear(source_dim, target_dim)",
            norm and f"self.v_norm = {layer_norm('target_dim', NORM_EPS)}",
            out and "self.proj = nn.Linear(target_dim, target_dim)",
        ),
        takes="shares: Tensor, source: Tensor",
        shapes="(batch, heads, source tokens, target tokens), the source -> as target.",
        forward=lines(
            "shares = shares.transpose(-2, -1)",
            bool(a.get("renormalise"))
            and f"shares = shares * (shares.sum(dim=-1, keepdim=True) + {SUM_EPS}).reciprocal()",
            f"v = split_heads({values}, self.num_heads)",
            f"return self.proj({written})" if out else f"return {written}",
        ),
    )
    return made(classes.name("TiedAttention", text), a, words)


def _self_attention(classes: Classes, a: Arguments) -> Call:
    words = "target_dim source_dim num_heads"
    text = class_text(
        "softmax(q k^T / sqrt(d/H)) v, all of the source, head by head.",
        arguments=typed(words),
        init=lines(
            "self.num_heads = num_heads",
            "self.qkv = nn.Linear(source_dim, 3 * source_dim)",
            "self.proj = nn.Linear(source_dim, target_dim)",
        ),
        takes="source: Tensor",
        shapes="(batch, tokens, source_dim) -> (batch, tokens, target_dim).",
        forward=lines(
            "qkv = self.qkv(source).chunk(3, dim=-1)",
            "q, k, v = (split_heads(each, self.num_heads) for each in qkv)",
            "read = functional.scaled_dot_product_attention(q, k, v)",
            "return self.proj(join_heads(read))",
        ),
    )
    return made(classes.name("SelfAttention", text), a, words)


def _mlp_head(classes: Classes, a: Arguments) -> Call:
    words = "target_dim source_dim mlp_dim"
    text = class_text(
        "W2 GELU(W1 source).",
        arguments=typed(words),
        init=lines(
            "self.fc1 = nn.Linear(source_dim, mlp_dim)",
            "self.act = nn.GELU()",
            "self.fc2 = nn.Linear(mlp_dim, target_dim)",
        ),
        takes="source: Tensor",
        shapes="(batch, tokens, source_dim) -> (batch, tokens, target_dim).",
        forward=lines("return self.fc2(self.act(self.fc1(source)))"),
    )
    return made(classes.name("MlpHead", text), a, words)


def _token_summary(classes: Classes, a: Arguments) -> Call:
    same = a["source_dim"] == a["target_dim"]
    words = "target_dim tokens" if same else "target_dim source_dim tokens"
    source = "source" if same else "self.source(source)"
    text = class_text(
        "Each target token becomes a learned weighted sum of all source and target tokens.",
        arguments=typed(words),
        init=lines(
            not same and "self.source = nn.Linear(source_dim, target_dim)",
            f"self.norm = {layer_norm('target_dim', NORM_EPS)}",
            "self.fc1 = nn.Linear(target_dim, tokens)",
            "self.act = nn.GELU()",
            "self.fc2 = nn.Linear(tokens, tokens)",
        ),
        takes=_HEAD,
        shapes=_READ,
        forward=lines(
            f"every = torch.cat([{source}, target], dim=1)",
            "scores = self.fc2(self.act(self.fc1(self.norm(every))))  # (batch, all, target)",
            "return torch.matmul(scores.softmax(dim=1).transpose(1, 2), every)",
        ),
    )
    return made(classes.name("TokenSummary", text), a, words)


HEADS: Mapping[str, Maker] = {
    "linear_attention": _linear_attention,
    "cross_attention": _cross_attention,
    "tied_attention": _tied_attention,
    "self_attention": _self_attention,
    "mlp": _mlp_head,
    "token_summary": _token_summary,
}
OF_SOURCE = ("self_attention", "mlp")
"""Heads that do not look at the target."""
