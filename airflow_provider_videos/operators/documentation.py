"""Documentation that several operators share."""

from __future__ import annotations

from inspect import cleandoc


def with_parameters(documentation: str | None, base: type) -> str | None:
    """
    Add to a class's documentation the parameters that its base class documents.

    Neither ``help()`` nor Sphinx shows them together, and a copy in each class would soon differ.

    :param documentation: the class's own; None if it has none, or Python runs with ``-OO``.
    :param base: the base class.
    """
    if not documentation or not base.__doc__:
        return documentation
    own, shared = cleandoc(documentation), cleandoc(base.__doc__)
    parameters = shared[shared.index(":param ") :]
    if parameters.splitlines()[0] in own:
        return documentation
    return "\n".join([own, *([] if ":param " in own else [""]), parameters])
