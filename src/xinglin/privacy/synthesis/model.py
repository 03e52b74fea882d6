"""The model that is kept: potentials, codings and what was spent; rows are drawn from it as often as wanted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import msgspec
import numpy as np

from xinglin.privacy.noise import to_epsilon
from xinglin.privacy.synthesis.coding import Coding, Columns, decode
from xinglin.privacy.synthesis.draw import Codes, draw_codes, generator
from xinglin.privacy.synthesis.errors import BadModel, SynthesisError, TooWide
from xinglin.privacy.synthesis.inference import Array, Calibrated, calibrate, spread
from xinglin.privacy.synthesis.meter import Entropy, Spend
from xinglin.privacy.synthesis.rules import keep_rules
from xinglin.privacy.synthesis.schema import Schema
from xinglin.privacy.synthesis.tree import Attributes, build_tree

VERSION = 1
"""Of the bytes; append-only. A newer one is refused."""
MAX_ROWS = 100_000_000
MAX_MODEL_BYTES = 256 * 1024 * 1024
MAX_CELLS = 20_000_000
"""Of a model's junction tree."""


class Guarantee(msgspec.Struct, frozen=True):
    """What a model promises: differential privacy of a person, whose rows are added or taken away.

    ``rho_units`` of 10^-12 (zero-concentrated), shown as ``epsilon_spent`` at ``delta``; a person has at most
    ``rows_per_person`` rows, in all tables taken together as ``unit`` says.
    """

    rho_units: int
    epsilon_spent: Fraction
    delta: Fraction
    rows_per_person: int
    unit: str


class Potential(msgspec.Struct, frozen=True):
    """Logarithms over a set of attributes: little-endian float64 in the set's shape."""

    attributes: Attributes
    values: bytes


class Model(msgspec.Struct, frozen=True):
    """A fitted model of one table. Version 1; append-only.

    ``base``: a logarithm a level of each column. ``last``: columns that may be given when rows are drawn.
    ``total``: rows of the data, as the noisy counts tell. ``spends``: every release, in order.
    """

    schema: Schema
    method: str
    codings: tuple[Coding, ...]
    base: tuple[bytes, ...]
    potentials: tuple[Potential, ...]
    last: tuple[int, ...]
    total: float
    rows_per_person: int
    rho_units: int
    spends: tuple[Spend, ...]
    version: int = VERSION

    @property
    def sizes(self) -> tuple[int, ...]:
        """Levels of each column, *missing* counted."""
        return tuple(coding.size for coding in self.codings)

    def guarantee(self, delta: Fraction) -> Guarantee:
        """The guarantee as (ε, δ) by the tightest conversion; ``delta`` in (0, 1)."""
        epsilon = Fraction(to_epsilon(self.rho_units, delta))
        return Guarantee(self.rho_units, epsilon, delta, self.rows_per_person, "a person in this table")

    def calibrated(self) -> Calibrated:
        """The model's tables, for any marginal."""
        tree = build_tree(self.sizes, [one.attributes for one in self.potentials], self.last)
        logs: list[Array] = [np.zeros([tree.sizes[a] for a in clique]) for clique in tree.cliques]
        parts: list[tuple[Attributes, bytes]] = [((i,), values) for i, values in enumerate(self.base)]
        parts += [(one.attributes, one.values) for one in self.potentials]
        for attributes, values in parts:
            home = tree.home(attributes)
            if home is None:
                raise BadModel("The model names columns that it has not.")
            table = _values(values, tuple(tree.sizes[a] for a in attributes))
            logs[home] = logs[home] + spread(table, attributes, tree.cliques[home])
        return Calibrated(tree, calibrate(tree, logs)[0])

    def draw(self, rows: int, entropy: Entropy) -> Columns:
        """``rows`` rows in the schema's columns, its rules kept; raises ``TooWide`` above ``MAX_ROWS``.

        Guarantee: post-processing; drawing again costs nothing. ``entropy`` seeds the order of the rows only.
        """
        if not 0 <= rows <= MAX_ROWS:
            raise TooWide(f"From 0 to {MAX_ROWS} rows can be drawn at once.")
        random = generator(entropy)
        codes = draw_codes(self.calibrated(), rows, random)
        return keep_rules(self.decode(codes, random), self.schema)

    def decode(self, codes: Codes, random: np.random.Generator) -> Columns:
        """Values for level numbers."""
        return decode(codes, self.codings, random)

    def to_bytes(self) -> bytes:
        """The model as bytes (MessagePack), with its version."""
        return msgspec.msgpack.encode(self)


def from_bytes(data: bytes) -> Model:
    """The model of ``to_bytes``; raises ``BadModel`` for other bytes, or a version that is not known here."""
    if len(data) > MAX_MODEL_BYTES:
        raise BadModel(f"A model has at most {MAX_MODEL_BYTES} bytes.")
    try:
        version = msgspec.msgpack.decode(data, type=_Versioned).version
        if version != VERSION:
            raise BadModel(f"The model is of version {version}; this program knows {VERSION}.")
        return checked(msgspec.msgpack.decode(data, type=Model))
    except (msgspec.MsgspecError, SynthesisError) as error:
        if isinstance(error, BadModel):
            raise
        raise BadModel("These bytes are no model.") from error


def checked(model: Model) -> Model:
    """The model, whose parts fit each other; raises ``BadModel`` where one does not."""
    count = len(model.codings)
    sets = [one.attributes for one in model.potentials]
    known = all(
        one and one[0] >= 0 and one[-1] < count and list(one) == sorted(set(one)) for one in (*sets, model.last or (0,))
    )
    columns = [coding.column for coding in model.codings]
    if not count or columns != list(model.schema.columns) or len(model.base) != count or not known:
        raise BadModel("The parts of the model do not fit each other.")
    if min(model.sizes) < 1 or build_tree(model.sizes, sets, model.last).cells > MAX_CELLS:
        raise BadModel(f"The tables of a model have at most {MAX_CELLS} cells.")
    for size, values in zip(model.sizes, model.base, strict=True):
        _values(values, (size,))
    for one in model.potentials:
        _values(one.values, tuple(model.sizes[a] for a in one.attributes))
    return model


def _values(values: bytes, shape: tuple[int, ...]) -> Array:
    """Little-endian float64 in a shape; raises ``BadModel`` where they are not as many, or not finite."""
    if len(values) != 8 * math.prod(shape):
        raise BadModel("A table of the model has not the size of its columns.")
    table = np.frombuffer(values, dtype="<f8").reshape(shape)
    if not np.isfinite(table).all():
        raise BadModel("A table of the model holds what is no number.")
    return table


class _Versioned(msgspec.Struct):
    version: int


def packed(attributes: Sequence[Attributes], potentials: Sequence[Array]) -> tuple[Potential, ...]:
    """Potentials as the model keeps them; those of the same set are added up."""
    sums: dict[Attributes, Array] = {}
    for over, values in zip(attributes, potentials, strict=True):
        sums[over] = sums[over] + values if over in sums else values
    return tuple(Potential(over, values.astype("<f8").tobytes()) for over, values in sums.items())
