"""The report's sentences, in English and Chinese."""

from __future__ import annotations

from typing import Any

from xinglin.privacy.synthesis.errors import SynthesisError

_WORDS = {
    "en": {
        "rows": "{0:,} training rows, {1:,} hold-out rows, {2:,} synthetic rows.",
        "distance": "{width}-column tables differ by {mean:.3f} in the mean, {worst:.3f} at worst ({columns}); "
        "another sample of the same people differs by {holdout:.3f}.",
        "use": "Telling {target!r}: a model trained on synthetic rows reaches an AUC of {synthetic:.3f}, on real rows "
        "{real:.3f}, both tested on real rows.",
        "detection": "A classifier tells synthetic from real rows with an AUC of {detection:.3f} (0.5: it cannot); "
        "pMSE {propensity_error:.4f}.",
        "closer": "{closer_to_train:.1%} of synthetic rows are nearer to a training row than to a hold-out row "
        "(50 %: no memory of single rows).",
        "matches": "{matches_train:.1%} of synthetic rows equal a training row, {matches_holdout:.1%} a hold-out row.",
        "membership": "Telling who was in the data: AUC {membership_by_distance:.3f} by distance, "
        "{membership_by_density:.3f} by density (0.5: chance), {caught:.1%} found at 1 % false alarms.",
        "flags": {
            "membership": "Look: somebody can tell better than chance who was in the data.",
            "closer_to_train": "Look: synthetic rows are nearer to the training rows than chance allows.",
            "matches_train": "Look: synthetic rows repeat training rows more often than they repeat others.",
            "use_lost": "Look: for a column, models trained on synthetic rows are much worse than on real ones.",
        },
    },
    "zh": {
        "rows": "训练行 {0:,}，留出行 {1:,}，合成行 {2:,}。",
        "distance": "{width} 列联合分布的总变差距离：平均 {mean:.3f}，最差 {worst:.3f}（{columns}）；"
        "同一人群的另一份样本为 {holdout:.3f}。",
        "use": "预测“{target}”：用合成数据训练的模型 AUC 为 {synthetic:.3f}，"
        "用真实数据训练为 {real:.3f}，均在真实留出行上检验。",
        "detection": "分类器区分合成行与真实行的 AUC 为 {detection:.3f}"
        "（0.5 表示无法区分）；pMSE 为 {propensity_error:.4f}。",
        "closer": "{closer_to_train:.1%} 的合成行离训练行比离留出行更近（50 % 表示未记住个体行）。",
        "matches": "{matches_train:.1%} 的合成行与某训练行相同，{matches_holdout:.1%} 与某留出行相同。",
        "membership": "成员推断：按距离 AUC {membership_by_distance:.3f}，按密度 {membership_by_density:.3f}"
        "（0.5 为随机）；误报 1 % 时找出 {caught:.1%}。",
        "flags": {
            "membership": "请注意：能以高于随机的把握判断谁在数据中。",
            "closer_to_train": "请注意：合成行离训练行过近。",
            "matches_train": "请注意：合成行重复训练行的次数多于重复其他行。",
            "use_lost": "请注意：某一列上，用合成数据训练的模型明显差于用真实数据训练的模型。",
        },
    },
}


def sentences(report: dict[str, Any], language: str) -> tuple[str, ...]:
    """A report's plain values in sentences; raises ``SynthesisError`` for a language that is not spoken here."""
    if language not in _WORDS:
        raise SynthesisError(f"The report is not written in {language!r}.", remedy="Ask for en or zh.")
    words: dict[str, Any] = _WORDS[language]
    between = ", " if language == "en" else "、"
    said = [words["rows"].format(*report["rows"])]
    said += [words["distance"].format(**one, columns=between.join(one["worst_columns"])) for one in report["distances"]]
    said += [words["use"].format(**one) for one in report["uses"]]
    said.append(words["detection"].format(**report))
    said += [words[name].format(**report["exposure"]) for name in ("closer", "matches", "membership")]
    said += [words["flags"][flag] for flag in report["flags"]]
    return tuple(said)
