"""Refusal of templates that come out of data: a mapped row must not read connections or Variables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_videos.adapters.names import AirflowFailException, BaseOperator, MappedOperator

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_videos.adapters.names import Context

_MARKS = ("{{", "{%", "{#")


class PlainMappedData(BaseOperator):
    """
    An operator whose mapped arguments are data: a template in one is refused, and nothing of it is sent.

    Airflow renders what ``.expand_kwargs()`` brings, also out of an XCom, so that a row could read any
    connection the task may read. Templates belong in ``.partial()``.
    """

    def _do_render_template_fields(
        self, parent: Any, template_fields: Iterable[str], context: Context, *args: Any, **kwargs: Any
    ) -> None:
        names = self._mapped_fields(template_fields, context) if parent is self else set()
        given = {name: getattr(self, name, None) for name in names}
        super()._do_render_template_fields(parent, template_fields, context, *args, **kwargs)
        for name, value in given.items():
            if _has_template(value) and getattr(self, name) != value:
                raise AirflowFailException(
                    f"{name}: a mapped value holds a template, and data must not be rendered, since it could "
                    "read connections and Variables; nothing was sent. Put templates into partial(), or take "
                    "the braces out of the data"
                )

    def _mapped_fields(self, template_fields: Iterable[str], context: Context) -> set[str]:
        task = context["dag"].task_dict.get(self.task_id)
        return (
            set(template_fields) - task.partial_kwargs.keys() if isinstance(task, MappedOperator) else set()
        )


def _has_template(value: object) -> bool:
    if isinstance(value, str):
        return any(mark in value for mark in _MARKS)
    if isinstance(value, dict):
        return any(map(_has_template, (*value, *value.values())))
    return isinstance(value, list | tuple | set) and any(map(_has_template, value))
