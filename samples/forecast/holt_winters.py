"""Exponential smoothing by Holt and Winters, additive: a level, a trend and, if there is one, a season."""

from itertools import product
from math import isfinite, sqrt
from typing import Any, NamedTuple

# Bounds of a request: the longest of them takes well under a second.
MAX_SERIES = 5000
MAX_HORIZON = 1000
# Tried for a factor that is not given, first coarsely, then around the best.
GRID = (0.1, 0.3, 0.5, 0.7, 0.9)
FINER = (-0.1, -0.05, 0.0, 0.05, 0.1)
# Series that are longer than this are fitted by their end.
MAX_FITTED = 400


class Fit(NamedTuple):
    """Where smoothing has come to at the end of a series."""

    level: float
    trend: float
    season: list[float]
    squared_error: float


def forecast(
    series: list[float],
    season: int = 0,
    horizon: int = 12,
    alpha: float | None = None,
    beta: float | None = None,
    gamma: float | None = None,
) -> dict[str, Any]:
    """The next values of a series, the factors they come from, and how far one-step forecasts were off in the past."""
    check(series, season, horizon, {"alpha": alpha, "beta": beta, "gamma": gamma})
    factors = fit(series, season, (alpha, beta, gamma if season else 0.0))
    state = smooth(series, season, factors)
    values = [
        state.level + step * state.trend + (state.season[(len(series) + step - 1) % season] if season else 0.0)
        for step in range(1, horizon + 1)
    ]
    steps = len(series) - max(season, 2)
    answer = {
        "forecast": [round(value, 6) for value in values],
        "alpha": round(factors[0], 6),
        "beta": round(factors[1], 6),
        "error": round(sqrt(state.squared_error / steps), 6) if steps > 0 else 0.0,
    }
    if season:
        answer["gamma"] = round(factors[2], 6)
    return answer


def check(series: Any, season: Any, horizon: Any, factors: dict[str, Any]) -> None:
    """Says what is wrong with a request, if anything is."""
    if not isinstance(series, list) or not all(is_number(value) for value in series):
        raise ValueError("series must be an array of numbers")
    for name, value, most in (("season", season, MAX_SERIES // 2), ("horizon", horizon, MAX_HORIZON)):
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
            raise ValueError(f"{name} must be a whole number from 0 to {most}")
    if season == 1:
        raise ValueError("season must be 0, or 2 and more")
    least = max(2 * season, 3)
    if not least <= len(series) <= MAX_SERIES:
        raise ValueError(f"series must have {least} to {MAX_SERIES} values")
    for name, value in factors.items():
        if value is not None and not (is_number(value) and 0 <= value <= 1):
            raise ValueError(f"{name} must be a number from 0 to 1")


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)


def fit(series: list[float], season: int, given: tuple[float | None, ...]) -> tuple[float, ...]:
    """The factors with the least squared error of one-step forecasts; those that are given stay."""
    end = series[-max(MAX_FITTED, 2 * season) :]

    def error(factors: tuple[float, ...]) -> float:
        return smooth(end, season, factors).squared_error

    coarse = min(product(*(GRID if value is None else (value,) for value in given)), key=error)
    around = (
        sorted({min(max(found + by, 0.01), 0.99) for by in FINER}) if value is None else (value,)
        for value, found in zip(given, coarse, strict=True)
    )
    return min(product(*around), key=error)


def smooth(series: list[float], season: int, factors: tuple[float, ...]) -> Fit:
    """Goes through a series, from a start that its first values give."""
    alpha, beta, gamma = factors
    if season:
        level = sum(series[:season]) / season
        trend = (sum(series[season : 2 * season]) - sum(series[:season])) / season**2
        seasonal = [value - level for value in series[:season]]
        start = season
    else:
        level, trend, seasonal, start = series[1], series[1] - series[0], [0.0], 2
    squared_error = 0.0
    for at in range(start, len(series)):
        phase = at % season if season else 0
        expected = level + trend + seasonal[phase]
        off = series[at] - expected
        squared_error += off * off
        before = level
        level = alpha * (series[at] - seasonal[phase]) + (1 - alpha) * (level + trend)
        trend = beta * (level - before) + (1 - beta) * trend
        if season:
            seasonal[phase] = gamma * (series[at] - level) + (1 - gamma) * seasonal[phase]
    return Fit(level, trend, seasonal, squared_error)
