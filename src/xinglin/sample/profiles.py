"""Profiles: what kind of hospital each of the four is. All are fictional."""

from __future__ import annotations

import msgspec


class Profile(msgspec.Struct, frozen=True):
    """A fictional hospital: its size, its case mix, and how much its records miss.

    Ages and pressures are means in years and mmHg; shares are within 0 … 1.
    """

    slug: str
    name: str
    name_zh: str
    kind: str
    persons: int
    mean_age: float
    share_male: float
    share_exang: float
    mean_pressure: float
    encounters_per_person: float
    missing: dict[str, float]


PROFILES: tuple[Profile, ...] = (
    Profile(
        slug="university",
        name="Apricot Grove University Hospital (generated)",
        name_zh="杏林大学附属医院（生成数据）",
        kind="university hospital",
        persons=900,
        mean_age=57,
        share_male=0.55,
        share_exang=0.33,
        mean_pressure=132,
        encounters_per_person=2.6,
        missing={"chol": 0.06, "ldl": 0.10, "smoker": 0.05, "thalach": 0.04},
    ),
    Profile(
        slug="county",
        name="Lushan County Hospital (generated)",
        name_zh="庐山县医院（生成数据）",
        kind="county hospital",
        persons=500,
        mean_age=61,
        share_male=0.50,
        share_exang=0.28,
        mean_pressure=138,
        encounters_per_person=1.9,
        missing={"chol": 0.15, "ldl": 0.24, "smoker": 0.12, "thalach": 0.13, "trestbps": 0.02},
    ),
    Profile(
        slug="heart",
        name="Red Plum Heart Centre (generated)",
        name_zh="红梅心脏病中心（生成数据）",
        kind="heart centre",
        persons=1200,
        mean_age=63,
        share_male=0.66,
        share_exang=0.46,
        mean_pressure=136,
        encounters_per_person=3.1,
        missing={"chol": 0.02, "ldl": 0.03, "smoker": 0.03, "thalach": 0.01},
    ),
    Profile(
        slug="clinic",
        name="East Lane Community Clinic (generated)",
        name_zh="东巷社区诊所（生成数据）",
        kind="community clinic",
        persons=160,
        mean_age=49,
        share_male=0.44,
        share_exang=0.12,
        mean_pressure=126,
        encounters_per_person=4.2,
        missing={"chol": 0.22, "ldl": 0.38, "smoker": 0.08, "thalach": 0.27, "trestbps": 0.05, "exang": 0.06},
    ),
)
