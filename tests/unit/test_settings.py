"""Settings come from the environment and a file; wrong ones are named, secrets never shown."""

from pathlib import Path

import pytest

from aitrain.domain.errors import InvalidInput
from aitrain.settings import load_settings


def test_environment_wins_over_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "aitrain.toml"
    file.write_text('namespace = "from-file"\ncurrency = "CHF"\n[host]\nname = "gpu-01"\nunits = { v100s = 4 }\n')
    monkeypatch.setenv("AITRAIN_CONFIG", str(file))
    monkeypatch.setenv("AITRAIN_NAMESPACE", "from-env")
    settings = load_settings()
    assert (settings.namespace, settings.currency, settings.host.name) == ("from-env", "CHF", "gpu-01")
    assert settings.host.unit_ids == {"v100s": ["0", "1", "2", "3"]}


def test_nested_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AITRAIN_HOST__NAME", "gpu-07")
    monkeypatch.setenv("AITRAIN_HOST__UNITS", '{"h100": ["GPU-a", "GPU-b"]}')
    settings = load_settings()
    assert settings.host.unit_ids == {"h100": ["GPU-a", "GPU-b"]}
    assert settings.host.most_jobs(2) == 4


@pytest.mark.parametrize(
    ("name", "value", "field"),
    [
        ("AITRAIN_HOST__NAME", "No Good", "host.name"),
        ("AITRAIN_HOST__UNITS", '{"cpu": 0}', "host.units"),
        ("AITRAIN_TIMING__HEARTBEAT_SECONDS", "-1", "timing.heartbeat_seconds"),
        ("AITRAIN_HOST", "{not json", "settings"),
        ("AITRAIN_HOST__CONTAINER_USER", "nobody", "host.container_user"),
        ("AITRAIN_HOST__DATA_DIR", "relative", "host.data_dir"),
        ("AITRAIN_HOST__CA_FILE", "relative", "host.ca_file"),
        ("AITRAIN_HOST__UNITS", '{"v100s": ["GPU-a", "GPU-a"]}', "host.units"),
        ("AITRAIN_HOST__INVENTORY", "guessed", "host.inventory"),
        ("AITRAIN_FLAVORS", "{}", "flavors"),
        ("AITRAIN_FLAVORS__CPU__KIND", "tpu", "flavors.cpu.kind"),
        ("AITRAIN_CONFIG", "/does/not/exist.toml", "AITRAIN_CONFIG"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str, field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidInput) as caught:
        load_settings()
    assert caught.value.problems[0].field == field


CPU = {"kind": "cpu", "cpu": 1, "memory_gib": 1, "hourly_price": 0}


@pytest.mark.parametrize(
    ("flavors", "field", "said"),
    [
        ({"a": {**CPU, "default": True}, "b": {**CPU, "default": True}}, "flavors", "a, b are all the default"),
        ({"a": {**CPU, "model": "H100"}}, "flavors.a", "is of kind cpu and has brand, model"),
        ({"a": {**CPU, "max_units": 0}}, "flavors.a.max_units", "greater than or equal to 1"),
        ({"a": {**CPU, "disk_gib": -1}}, "flavors.a.disk_gib", "greater than or equal to 0"),
        ({"A": CPU}, "flavors.A", "match"),
    ],
)
def test_a_wrong_catalogue_is_named(flavors: dict[str, object], field: str, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        load_settings(flavors=flavors)
    problem = caught.value.problems[0]
    assert problem.field.startswith(field)
    assert said in problem.message


def test_a_secret_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "hunter2-secret"
    store = {"endpoint_url": "http://x", "secret_access_key": secret}
    settings = load_settings(data_stores={"s3": store})
    assert secret not in repr(settings)
    assert secret not in str(settings.model_dump())
    monkeypatch.setenv("AITRAIN_DATA_STORES", '{"s3": {"secret_access_key": "hunter2-secret", "wrong": 1}}')
    with pytest.raises(InvalidInput) as caught:
        load_settings()
    assert secret not in str(caught.value)
    monkeypatch.setenv("AITRAIN_DATA_STORES", '{"s3": {"secret_acess_key": "hunter2-secret"}}')
    with pytest.raises(InvalidInput) as caught:
        load_settings()
    assert secret not in str(caught.value)
    monkeypatch.delenv("AITRAIN_DATA_STORES")
    assert secret not in repr(load_settings(data_stores={}, redis_url=f"redis://:{secret}@h/0"))


def test_the_example_file_is_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    example = Path(__file__).parents[2] / "deploy" / "aitrain.example.toml"
    monkeypatch.setenv("AITRAIN_CONFIG", str(example))
    settings = load_settings()
    assert settings.host.name == "gpu-01"
    assert set(settings.site.data_stores) == {"s3"}
