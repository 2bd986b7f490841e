"""What the tabs of the pages said of one stop: each replaces what it said before, all count together. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Report = Mapping[str, Any]

MAX_TABS = 50
"""How many tabs are remembered; the one that reported longest ago is dropped first."""
MAX_PATHS = 1000
"""How many paths are told; no report has more, which `Body.items` sees to."""
_LIST_FIELDS = ("saved", "not_saved")
_NOT_SAVED_FIELDS = ("path", "reason")


def add_report(
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
        not_saved: ``path`` and ``reason`` of what it could not.
    """
    others = {name: report for name, report in _reports_by_tab(run).items() if name != tab}
    new_report = {"saved": list(saved), "not_saved": list(not_saved)}
    newest = list({**others, tab: new_report}.items())[-MAX_TABS:]
    return {**{k: v for k, v in run.items() if k not in _LIST_FIELDS}, "tabs": dict(newest)}


def merge_reports(run: Mapping[str, Any]) -> dict[str, Any]:
    """All that was ``saved`` and ``not_saved``, each path once, and once for each reason that it was not.

    A path may be in both: what one tab saved, another could not, whose copy was another one.
    """
    reports = _reports_by_tab(run).values()
    saved = dict.fromkeys(path for each in reports for path in each["saved"])
    not_saved = {(v["path"], v["reason"]): dict(v) for each in reports for v in each["not_saved"]}
    return {"saved": list(saved)[:MAX_PATHS], "not_saved": list(not_saved.values())[:MAX_PATHS]}


def reports_are_valid(run: Mapping[str, Any]) -> bool:
    """Whether the reports in a run are what `put` writes; a file may hold anything."""
    tabs = run.get("tabs", {})
    return isinstance(tabs, dict) and all(
        map(_is_valid_report, [_untagged_report(run), *tabs.values()])
    )


def _is_valid_report(report: object) -> bool:
    if not isinstance(report, dict):
        return False
    saved, not_saved = (report.get(name) for name in _LIST_FIELDS)
    if not isinstance(saved, list) or not isinstance(not_saved, list):
        return False
    texts = [
        *saved,
        *(each.get(k) for each in not_saved if isinstance(each, dict) for k in _NOT_SAVED_FIELDS),
    ]
    return len(texts) == len(saved) + len(_NOT_SAVED_FIELDS) * len(not_saved) and all(
        isinstance(each, str) for each in texts
    )


def _reports_by_tab(run: Mapping[str, Any]) -> Mapping[str, Report]:
    """By tab."""
    untagged = _untagged_report(run)
    earlier = {"": untagged} if any(untagged.values()) else {}
    return {**earlier, **run.get("tabs", {})}


def _untagged_report(run: Mapping[str, Any]) -> Report:
    """The lists of no tab, which were written before tabs were told apart."""
    return {name: run.get(name, []) for name in _LIST_FIELDS}
