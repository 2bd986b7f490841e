"""What the tabs of the pages said of one stop: each replaces what it said before, all count together. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Report = Mapping[str, Any]

MOST_TABS = 50
"""How many tabs are remembered; the one that reported longest ago is dropped first."""
MOST_PATHS = 1000
"""How many paths are told; no report has more, which `Body.items` sees to."""
_LISTS = ("saved", "not_saved")
_KEYS = ("path", "why")


def put(
    run: Mapping[str, Any],
    tab: str,
    *,
    saved: Sequence[str],
    not_saved: Sequence[Mapping[str, str]],
) -> dict[str, Any]:
    """The run as kept, with this report of a tab in the place of its former one.

    Args:
        run: As kept.
        tab: Who reports; "" for one that does not say.
        saved: The paths of what it saved.
        not_saved: ``path`` and ``why`` of what it could not.
    """
    others = {name: report for name, report in _reports(run).items() if name != tab}
    mine = {"saved": list(saved), "not_saved": list(not_saved)}
    newest = list({**others, tab: mine}.items())[-MOST_TABS:]
    return {**{k: v for k, v in run.items() if k not in _LISTS}, "tabs": dict(newest)}


def together(run: Mapping[str, Any]) -> dict[str, Any]:
    """All that was ``saved`` and ``not_saved``, each path once, and once for each reason that it was not.

    A path may be in both: what one tab saved, another could not, whose copy was another one.
    """
    reports = _reports(run).values()
    saved = dict.fromkeys(path for each in reports for path in each["saved"])
    failed = {(v["path"], v["why"]): dict(v) for each in reports for v in each["not_saved"]}
    return {"saved": list(saved)[:MOST_PATHS], "not_saved": list(failed.values())[:MOST_PATHS]}


def readable(run: Mapping[str, Any]) -> bool:
    """Whether the reports in a run are what `put` writes; a file may hold anything."""
    tabs = run.get("tabs", {})
    return isinstance(tabs, dict) and all(map(_is_report, [_nameless(run), *tabs.values()]))


def _is_report(report: object) -> bool:
    if not isinstance(report, dict):
        return False
    saved, failed = (report.get(name) for name in _LISTS)
    if not isinstance(saved, list) or not isinstance(failed, list):
        return False
    texts = [*saved, *(each.get(k) for each in failed if isinstance(each, dict) for k in _KEYS)]
    return len(texts) == len(saved) + len(_KEYS) * len(failed) and all(
        isinstance(each, str) for each in texts
    )


def _reports(run: Mapping[str, Any]) -> Mapping[str, Report]:
    """By tab."""
    nameless = _nameless(run)
    before = {"": nameless} if any(nameless.values()) else {}
    return {**before, **run.get("tabs", {})}


def _nameless(run: Mapping[str, Any]) -> Report:
    """The lists of no tab, which were written before tabs were told apart."""
    return {name: run.get(name, []) for name in _LISTS}
