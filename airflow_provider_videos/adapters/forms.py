"""Form of a connection for Airflow before 3.2, which reads it from the hook; later ones read its table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_videos.adapters.release import is_before

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_videos.adapters.names import BaseHook

Hook = TypeVar("Hook", bound="type[BaseHook]")


def with_form(provider_info: Callable[[], Mapping[str, Any]]) -> Callable[[Hook], Hook]:
    """
    Give a hook the methods by which Airflow draws its form, where it does not draw it from the provider info.

    :param provider_info: returns the provider info; its one connection type is the hook's.
    """

    def add(hook: Hook) -> Hook:
        hook_class: Any = hook
        # Airflow looks for them in the very class.
        if is_before(3, 2):
            (form,) = provider_info()["connection-types"]
            hook_class.get_connection_form_widgets = staticmethod(lambda: _widgets(form["conn-fields"]))
            hook_class.get_ui_field_behaviour = staticmethod(lambda: _behaviour(form["ui-field-behaviour"]))
        return hook

    return add


def _widgets(table: Mapping[str, Any]) -> dict[str, Any]:
    # Where they are missing there is no form to show.
    from flask_appbuilder.fieldwidgets import BS3TextAreaFieldWidget, BS3TextFieldWidget
    from wtforms import StringField
    from wtforms.validators import AnyOf, Optional

    def field(label: str, description: str, schema: Mapping[str, Any]) -> Any:
        choices = schema.get("enum")
        is_object = "object" in schema["type"]
        return StringField(
            label,
            description=f"{description} One of {', '.join(choices)}." if choices else description,
            widget=BS3TextAreaFieldWidget() if is_object else BS3TextFieldWidget(),
            validators=[Optional(), *([AnyOf(choices)] if choices else [])],
        )

    return {name: field(**one) for name, one in table.items()}


def _behaviour(table: Mapping[str, Any]) -> dict[str, Any]:
    return {name.replace("-", "_"): value for name, value in table.items()}
