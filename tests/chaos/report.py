"""The table of a campaign."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.chaos.campaign import Result
    from tests.chaos.judge import Seen

HEAD = f"{'':>3}  {'fault':<86} {'tries':>5} {'accepted':>8} {'delivered':>9} {'in doubt':>8} {'seconds':>7}"


def row(result: Result) -> str:
    """
    One line of the table; what must not be follows in lines of its own.

    :param result: what became of a fault.
    """
    seen, verdict = result.seen, result.verdict
    line = (
        f"{result.fault.number:>3}  {result.fault!s:<86} {seen.tries:>5} {len(seen.bought):>8} "
        f"{verdict.delivered:>9} {verdict.in_doubt:>8} {result.seconds:>7.1f}"
    )
    logs = [f"     logs: {path}" for path in result.logs if verdict.breaches]
    return "\n".join([line, *(f"     BREACH: {breach}" for breach in verdict.breaches), *logs])


def totals(results: Sequence[Result]) -> str:
    """
    The last lines.

    :param results: all of them.
    """
    verdicts = [result.verdict for result in results]
    honest = [result.seen for result in results if not result.fault.kind.lies]
    lying = [result.seen for result in results if result.fault.kind.lies]
    return (
        f"lost answers on an honest server: {_settled(honest)}; where the list lies: {_settled(lying)}\n"
        f"{len(results)} faults: {sum(len(result.seen.bought) for result in results)} creates accepted, "
        f"{sum(result.seen.allowed for result in results)} allowed, "
        f"{sum(verdict.delivered for verdict in verdicts)} videos delivered, "
        f"{sum(verdict.named for verdict in verdicts)} not delivered but named, "
        f"{sum(verdict.in_doubt for verdict in verdicts)} creates in doubt, "
        f"{sum(bool(verdict.breaches) for verdict in verdicts)} faults with a breach"
    )


def _settled(observations: Sequence[Seen]) -> str:
    lost, settled = sum(seen.lost for seen in observations), sum(seen.settled for seen in observations)
    return f"{settled} of {lost} settled by themselves, {lost - settled} in doubt"
