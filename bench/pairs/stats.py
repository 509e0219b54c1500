"""Statistics of paired measurements."""

import math
import random
import statistics

_RESAMPLES = 10_000
_SEED = 20


def paired_ratio(pairs):
    """Median of paired ratios with a bootstrap 95% interval.

    `pairs` holds (numerator, denominator), both above 0. Works on logarithms, so that a ratio and its inverse give
    the same answer. None without pairs. With fewer than 3 pairs the interval says little; `pairs` in the result tells.
    """
    logs = [math.log(above / below) for above, below in pairs]
    if not logs:
        return None
    randomness = random.Random(_SEED)
    medians = sorted(statistics.median(randomness.choices(logs, k=len(logs))) for _ in range(_RESAMPLES))
    return {"median": math.exp(statistics.median(logs)),
            "low": math.exp(medians[int(0.025 * _RESAMPLES)]),
            "high": math.exp(medians[int(0.975 * _RESAMPLES) - 1]),
            "min": math.exp(min(logs)), "max": math.exp(max(logs)), "pairs": len(logs)}


def median_or_none(values):
    present = [value for value in values if value is not None]
    return statistics.median(present) if present else None


def merge_histograms(histograms):
    """Joins lists of [highest value of a bucket, count]; sorted by value."""
    merged = {}
    for histogram in histograms:
        for value, count in histogram:
            merged[value] = merged.get(value, 0) + count
    return sorted(merged.items())


def quantile(histogram, wanted):
    """Value below or at which the share `wanted` of a merged histogram lies; None when it is empty."""
    total = sum(count for _, count in histogram)
    seen = 0
    for value, count in histogram:
        seen += count
        if seen >= wanted * total:
            return value
    return None


def share_below(histogram, limit):
    """Share of a merged histogram's values below `limit`; None when it is empty."""
    total = sum(count for _, count in histogram)
    return sum(count for value, count in histogram if value < limit) / total if total else None
