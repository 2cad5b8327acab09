"""Networks in .npz files: bit for bit there and back; hostile files are refused, whole."""

import io
import struct
import zipfile
from collections.abc import Callable
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from judge import network
from strategies import Case, cases

import pyexpr
from pyexpr import Network
from pyexpr.activations import BY_NAME
from pyexpr.io import _archive

Arrays = dict[str, Any]  # arrays; to numpy's types a name could be a flag of savez
GOOD: Arrays = {
    "W0": np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]),
    "b0": np.array([0.5, 0.25, -1.0]),
    "W1": np.array([[1.0, -1.0, 2.0]]),
    "b1": np.array([0.0]),
    "act": np.array("relu"),
}


def write(path: Path, arrays: Arrays) -> Path:
    np.savez(path, **arrays)
    return path


def assert_same(a: Network, b: Network) -> None:
    assert len(a.layers) == len(b.layers)
    for left, right in zip(a.layers, b.layers, strict=True):
        assert left.weight.shape == right.weight.shape
        assert left.weight.tobytes() == right.weight.tobytes()
        assert left.bias.tobytes() == right.bias.tobytes()
        assert left.activation == right.activation


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


# There and back.


@given(case=cases())
def test_a_saved_network_is_loaded_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory, case: Case
) -> None:
    path = tmp_path_factory.getbasetemp() / "round_trip.npz"
    net = network(case)
    pyexpr.save(net, path)
    assert_same(pyexpr.load(path), net)


ACTIVATIONS: dict[str, Any] = {
    **{name: name for name in BY_NAME},
    "clip": pyexpr.Clip(-1.0, 1.0),
    "prelu": pyexpr.PReLU(np.linspace(-1, 1, 4)),
    "mixed": ["relu", pyexpr.Abs()],
    "first letters": pyexpr.PiecewiseLinear([0.1, 0.3], [1.0, 0.5, -2.0], 3.25, first_letter=-7),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_is_saved(tmp_path: Path, name: str) -> None:
    net = Network.random([3, 4, 4, 2], ACTIVATIONS[name], seed=1)
    pyexpr.save(net, tmp_path / "net.npz")
    assert_same(pyexpr.load(str(tmp_path / "net.npz")), net)


def test_extreme_numbers_are_saved(tmp_path: Path) -> None:
    weight = np.array([[5e-324, 1.7976931348623157e308, -0.0, 0.1, 1 / 3]])
    net = Network.dense([(weight, [-5e-324])])
    pyexpr.save(net, tmp_path / "net.npz")
    assert_same(pyexpr.load(tmp_path / "net.npz"), net)


def test_a_saved_file_is_read_by_numpy(tmp_path: Path) -> None:
    path = tmp_path / "net.npz"
    pyexpr.save(Network.dense([(GOOD["W0"], GOOD["b0"]), (GOOD["W1"], GOOD["b1"])]), path)
    with np.load(path, allow_pickle=False) as arrays:
        assert {key: arrays[key].tolist() for key in arrays} == {
            key: array.tolist() for key, array in GOOD.items()
        }


@pytest.mark.parametrize("name", ["relu", "hard_tanh", "hardtanh"])
@pytest.mark.parametrize("dtype", ["f4", "f8", ">f8", "i2"])
def test_a_file_of_numpys_is_read(tmp_path: Path, name: str, dtype: str) -> None:
    layers = [([[1, 2], [3, 4]], [5, 6]), ([[1, -1]], [2])]
    arrays = {f"W{i}": np.array(w, dtype, order="F") for i, (w, _) in enumerate(layers)}
    arrays |= {f"b{i}": np.array(b, dtype) for i, (_, b) in enumerate(layers)}
    ignored = {"test_accuracy": np.array(0.9), "names": np.array(["a", "b"])}
    path = tmp_path / "net.npz"
    for write_archive in (np.savez, np.savez_compressed):
        everything: dict[str, Any] = {**arrays, **ignored, "act": np.array(name)}
        write_archive(path, **everything)
        assert_same(pyexpr.load(path), Network.dense(layers, name))


def test_arrays_that_are_not_ours_are_not_even_read(tmp_path: Path) -> None:
    path = tmp_path / "net.npz"
    np.savez(path, **GOOD, comment=np.array([{"any": "object"}], object))
    assert pyexpr.load(path).input_shape == (2,)


@pytest.mark.parametrize(
    ("name", "widths", "activation"),
    [
        ("digits_relu.npz", (64, 64, 64, 64, 64, 10), pyexpr.ReLU()),
        ("digits_hard_tanh.npz", (64, 48, 48, 48, 48, 48, 10), pyexpr.HardTanh()),
    ],
)
def test_the_digits_networks_come_with_the_package(
    name: str, widths: tuple[int, ...], activation: pyexpr.PiecewiseLinear
) -> None:
    with as_file(files("pyexpr") / "data" / name) as path, np.load(path) as arrays:
        net = pyexpr.load(path)
        assert net.input_shape + net.neurons_per_layer + net.output_shape == widths
        assert {layer.activation for layer in net.layers[:-1]} == {activation}
        for i, layer in enumerate(net.layers):
            assert np.array_equal(layer.weight, arrays[f"W{i}"])
            assert np.array_equal(layer.bias, arrays[f"b{i}"])
        assert float(arrays["test_accuracy"]) > 0.9


# Malformed and hostile files.


def without(*keys: str) -> Arrays:
    return {key: array for key, array in GOOD.items() if key not in keys}


GENERAL: Arrays = without("act") | {
    "breakpoints0": np.array([-1.0, 1.0]),
    "slopes0": np.array([0.0, 1.0, 0.0]),
    "value0": np.array(-1.0),
    "first_letter0": np.array(-1),
}


def general_without(*keys: str) -> Arrays:
    return {key: array for key, array in GENERAL.items() if key not in keys}


def test_a_general_activation_is_read(tmp_path: Path) -> None:
    net = pyexpr.load(write(tmp_path / "net.npz", GENERAL))
    assert net.layers[0].activation == pyexpr.HardTanh()


MALFORMED: dict[str, tuple[Arrays, str]] = {
    "nothing": ({}, "W0"),
    "no activation": (without("act"), "act"),
    "no first weight": (without("W0"), "W0"),
    "no first bias": (without("b0"), "b0"),
    "no last bias": (without("b1"), "b1"),
    "no last weight": (without("W1"), "W1"),
    "a gap": (without("W1", "b1") | {"W2": GOOD["W1"], "b2": GOOD["b1"]}, "W2|b2|W1|b1"),
    "an unknown activation": (GOOD | {"act": np.array("gelu")}, "act.*gelu"),
    "two activations": (GOOD | {"act": np.array(["relu", "relu"])}, "act"),
    "a numeric activation": (GOOD | {"act": np.array(1.0)}, "act"),
    "a bytes activation": (GOOD | {"act": np.array(b"relu")}, "act"),
    "an object activation": (GOOD | {"act": np.array({"a": 1}, object)}, "act"),
    "a long activation": (GOOD | {"act": np.array("relu" * 100_000)}, "act"),
    "object weights": (GOOD | {"W0": np.array([[1, None]], object)}, "W0"),
    "object bias": (GOOD | {"b1": np.array([None], object)}, "b1"),
    "complex weights": (GOOD | {"W0": GOOD["W0"] * 1j}, "W0"),
    "string weights": (GOOD | {"W0": np.array([["1", "2"]])}, "W"),
    "records": (GOOD | {"W0": np.zeros((3, 2), [("a", "f8"), ("b", "f8")])}, "W0"),
    "dates": (GOOD | {"b0": np.zeros(3, "M8[s]")}, "b0"),
    "nan weights": (GOOD | {"W0": GOOD["W0"] * np.nan}, "nan"),
    "infinite bias": (GOOD | {"b1": np.array([np.inf])}, "inf"),
    "a weight vector": (GOOD | {"W0": GOOD["b0"]}, "W"),
    "a bias matrix": (GOOD | {"b0": GOOD["W0"]}, "b"),
    "a scalar bias": (GOOD | {"b0": np.array(1.0)}, "b"),
    "layers that do not fit": (GOOD | {"W1": np.ones((1, 7))}, r"\(1, 7\)"),
    "a bias that does not fit": (GOOD | {"b0": np.ones(4)}, r"\(4,\)"),
    "no inputs": (GOOD | {"W0": np.zeros((3, 0))}, r"\(3, 0\)"),
    "wide integers": (GOOD | {"b1": np.array([2**53 + 1])}, "9007199254740993"),
    "no breakpoints": (general_without("breakpoints0"), "breakpoints0"),
    "no slopes": (general_without("slopes0"), "slopes0"),
    "no value": (general_without("value0"), "value0"),
    "no first letter": (general_without("first_letter0"), "first_letter0"),
    "decreasing breakpoints": (GENERAL | {"breakpoints0": np.array([1.0, -1.0])}, "breakpoints"),
    "too few slopes": (GENERAL | {"slopes0": np.array([1.0])}, "slopes"),
    "slopes for other neurons": (GENERAL | {"slopes0": np.ones((5, 3))}, "5"),
    "a value vector": (GENERAL | {"value0": np.array([1.0])}, "value"),
    "a fractional letter": (GENERAL | {"first_letter0": np.array(0.5)}, "first_letter"),
    "a letter beyond int8": (GENERAL | {"first_letter0": np.array(1000)}, "first_letter"),
    "an object value": (GENERAL | {"value0": np.array(None, object)}, "value"),
}


@pytest.mark.parametrize("bad", MALFORMED)
def test_a_malformed_file_is_refused(tmp_path: Path, bad: str) -> None:
    arrays, text = MALFORMED[bad]
    path = write(tmp_path / "malformed.npz", arrays)
    with pytest.raises(ValueError, match=rf"(?s)malformed\.npz.*({text})"):
        pyexpr.load(path)


class Exploit:
    """Leaves a file behind if it is ever unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("key", ["W0", "b1", "act", "comment"])
def test_nothing_is_unpickled(tmp_path: Path, key: str) -> None:
    victim = tmp_path / "victim"
    payload = np.array([Exploit(victim)], object)
    path = write(tmp_path / "net.npz", GOOD | {key: payload})
    if key == "comment":
        pyexpr.load(path)
    else:
        with pytest.raises(ValueError, match=r"net\.npz"):
            pyexpr.load(path)
    assert not victim.exists()


def npy(array: npt.NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array)
    return stream.getvalue()


def header(text: str) -> bytes:
    encoded = text.encode("latin1")
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(encoded)) + encoded


def archive(path: Path, **members: bytes) -> Path:
    """GOOD with some members' bytes replaced."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for key, array in GOOD.items():
            file.writestr(f"{key}.npy", members.get(key, npy(array)))
    return path


HOSTILE_MEMBERS: dict[str, bytes] = {
    "an absurd shape": header("{'descr': '<f8', 'fortran_order': False, 'shape': (10**15, 2)}"),
    "a huge shape": header(
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 1000000000)}"
    ),
    "a shape beyond the data": header("{'descr': '<f8', 'fortran_order': False, 'shape': (3, 2)}"),
    "a negative shape": header("{'descr': '<f8', 'fortran_order': False, 'shape': (-3, -2)}")
    + bytes(48),
    "a shape of floats": header("{'descr': '<f8', 'fortran_order': False, 'shape': (3.0, 2)}")
    + bytes(48),
    "a header that is code": header("__import__('os').abort()"),
    "a nested header": header("(" * 3000 + ")" * 3000),
    "no header": b"",
    "no numpy": b"W0 is 1, 2, 3",
    "a cut header": npy(GOOD["W0"])[:40],
    "cut data": npy(GOOD["W0"])[:-1],
    "too much data": npy(GOOD["W0"]) + b"\x00",
    "a later version": npy(GOOD["W0"]).replace(b"NUMPY\x01", b"NUMPY\x09"),
    "a header length beyond the file": b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**32 - 1) + b"{",
    "an unknown dtype": header("{'descr': '<q99', 'fortran_order': False, 'shape': (3, 2)}"),
}


@pytest.mark.parametrize("bad", HOSTILE_MEMBERS)
def test_a_hostile_member_is_refused(tmp_path: Path, bad: str) -> None:
    path = archive(tmp_path / "hostile.npz", W0=HOSTILE_MEMBERS[bad])
    with pytest.raises(ValueError, match=r"hostile\.npz"):
        pyexpr.load(path)


def test_the_good_archive_is_good(tmp_path: Path) -> None:
    assert pyexpr.load(archive(tmp_path / "good.npz")).input_shape == (2,)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    # 4 GB of zeros take 4 MB deflated; MAX_BYTES is 2 GB. A tenth of the limit here, for time.
    size = 2**27
    text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({size // 8}, 1)}}"
    path = archive(tmp_path / "bomb.npz", W0=header(text) + bytes(size))
    assert path.stat().st_size < 2**20
    limit = _archive.MAX_BYTES
    try:
        _archive.MAX_BYTES = size // 2
        with pytest.raises(ValueError, match=r"bomb\.npz.*limit"):
            pyexpr.load(path)
    finally:
        _archive.MAX_BYTES = limit


def test_a_name_given_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "twice.npz"
    with zipfile.ZipFile(path, "w") as file:
        for key, array in [*GOOD.items()]:
            file.writestr(f"{key}.npy", npy(array))
        with pytest.warns(UserWarning, match="Duplicate"):
            file.writestr("W0.npy", npy(2 * GOOD["W0"]))
    with pytest.raises(ValueError, match=r"twice\.npz.*W0"):
        pyexpr.load(path)


@pytest.mark.parametrize("seed", range(200))
def test_a_damaged_file_is_refused_or_read_whole(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    path = write(tmp_path / "damaged.npz", GOOD)
    data = bytearray(path.read_bytes())
    if seed % 2:
        del data[rng.integers(len(data)) :]
    for _ in range(seed % 5):
        if data:
            data[rng.integers(len(data))] = rng.integers(256)
    path.write_bytes(data)
    try:
        net = pyexpr.load(path)
    except ValueError as error:
        assert "damaged.npz" in str(error)
    else:
        # Only bytes that no checksum covers were changed: dates, comments, the act's name.
        assert net.layers[0].weight.tobytes() == GOOD["W0"].tobytes()
        assert net.layers[1].weight.tobytes() == GOOD["W1"].tobytes()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"hello", bytes(1000)])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "no_archive.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"no_archive\.npz"):
        pyexpr.load(path)


def test_a_file_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        pyexpr.load(tmp_path / "missing.npz")
    with pytest.raises(FileNotFoundError):
        pyexpr.save(pyexpr.load(write(tmp_path / "a.npz", GOOD)), tmp_path / "no" / "b.npz")


@pytest.mark.parametrize("name", ["net.pb", "net", "net.pt", "net.npz.gz", ".npz/net"])
def test_an_unknown_suffix_is_a_value_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"\.npz"):
        pyexpr.load(tmp_path / name)


# Saving: all or nothing.


def test_a_failed_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "net.npz", GOOD)
    before = path.read_bytes()

    def full_disk(file: Any, **arrays: Any) -> None:
        file.write(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(np, "savez", full_disk)
    with pytest.raises(OSError, match="no space"):
        pyexpr.save(Network.random([2, 2]), path)
    assert path.read_bytes() == before
    assert names(tmp_path) == ["net.npz"]


def test_a_save_replaces_the_old_file(tmp_path: Path) -> None:
    path = write(tmp_path / "net.npz", GOOD)
    net = Network.random([2, 3, 1])
    pyexpr.save(net, path)
    assert_same(pyexpr.load(path), net)
    assert names(tmp_path) == ["net.npz"]


@pytest.mark.parametrize("name", ["net", "net.onnx", "net.npz.txt"])
def test_a_save_to_another_format_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"\.npz"):
        pyexpr.save(Network.random([2, 2]), tmp_path / name)
    assert names(tmp_path) == []


def test_what_is_no_network_is_not_saved(tmp_path: Path) -> None:
    layers: Any = [(np.eye(2), np.zeros(2))]
    with pytest.raises(TypeError, match="net"):
        pyexpr.save(layers, tmp_path / "net.npz")
    assert names(tmp_path) == []
