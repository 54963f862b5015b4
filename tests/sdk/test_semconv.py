from tokenpnl import semconv

NAMES = {name: value for name, value in vars(semconv).items() if name.isupper() and isinstance(value, str)}


def test_every_attribute_name_has_one_home() -> None:
    assert len(set(NAMES.values())) == len(NAMES)


def test_names_of_our_own_start_with_our_prefix_and_the_others_belong_to_a_convention() -> None:
    namespaces = {value.split(".")[0] for name, value in NAMES.items() if name != "GENAI_CONVENTION"}
    assert namespaces == {"tokenpnl", "gen_ai", "error", "http", "service", "deployment", "user"}
