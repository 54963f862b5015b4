import inspect

from tokenpnl import errors


def test_every_error_is_of_the_tree_and_drawn_in_it() -> None:
    tree = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]
    assert all(issubclass(kind, errors.TokenpnlError) for kind in tree)
    assert all(kind.__name__ in (errors.__doc__ or "") for kind in tree)
