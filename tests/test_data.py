"""Data sets: how they are split and scaled; hostile files are refused."""

import pickle
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from pyexpr.experiments import _sources, data
from pyexpr.experiments.data import DataSet, load_data

Arrays = dict[str, Any]  # arrays; to numpy's types a name could be a flag of savez

RNG = np.random.default_rng(0)  # of these alone: no test depends on those before it
WHOLE: Arrays = {
    "x": RNG.integers(0, 256, (30, 4, 5), dtype=np.uint8),
    "y": np.arange(30, dtype=np.uint8) % 3,
}
PARTS: Arrays = {
    "x_train": RNG.standard_normal((6, 2, 3, 4)),
    "y_train": np.array([0, 1, 0, 1, 0, 1]),
    "x_test": RNG.standard_normal((3, 2, 3, 4)).astype(np.float32),
    "y_test": np.array([0, 4, 1], np.int16),
}


def write(path: Path, arrays: Arrays) -> Path:
    np.savez(path, **arrays)
    return path


def load(folder: Path, arrays: Arrays) -> DataSet:
    return load_data(write(folder / "set.npz", arrays))


def everything(data_set: DataSet) -> tuple[bytes, ...]:
    arrays = (data_set.x_train, data_set.y_train, data_set.x_test, data_set.y_test)
    return tuple(array.tobytes() for array in arrays)


# Digits.


@pytest.fixture(scope="module")
def digits() -> DataSet:
    pytest.importorskip("sklearn")
    return load_data()


def test_the_digits(digits: DataSet) -> None:
    assert (digits.name, digits.shape, digits.classes) == ("digits", (1, 8, 8), 10)
    assert digits.x_train.shape == (1438, 1, 8, 8)
    assert digits.x_test.shape == (359, 1, 8, 8)
    assert [x.dtype for x in (digits.x_train, digits.y_train)] == ["float32", "int64"]
    assert np.bincount(digits.y_test).min() > 20  # every class is there
    assert repr(digits) == "<DataSet digits: 1,438 + 359 images 1x8x8, 10 classes>"


def test_the_digits_are_those_of_scikit_learn(digits: DataSet) -> None:
    found = import_module("sklearn.datasets").load_digits()
    mean, deviation = found.images.mean(), found.images.std()  # of all, close to the training set's
    ours = np.concatenate([digits.x_train, digits.x_test]).reshape(-1, 64)
    theirs = found.images.reshape(-1, 64)
    labels = np.concatenate([digits.y_train, digits.y_test])
    assert np.bincount(labels).tolist() == np.bincount(found.target).tolist()
    order = [np.lexsort(np.rint(x).T) for x in (ours * deviation + mean, theirs)]
    assert np.allclose(ours[order[0]] * deviation + mean, theirs[order[1]], atol=0.1)
    assert labels[order[0]].tolist() == found.target[order[1]].tolist()


def test_the_split_is_the_same_every_time(digits: DataSet) -> None:
    assert everything(load_data("digits")) == everything(digits)


# Files.


def test_a_file_to_be_split(tmp_path: Path) -> None:
    images = np.arange(30.0).reshape(30, 1, 1) * np.ones((4, 5))  # each tells its index
    found = load(tmp_path, {"x": images, "y": np.arange(30)})
    assert (found.name, found.shape, found.classes) == ("set", (1, 4, 5), 30)
    assert (len(found.x_train), len(found.x_test)) == (24, 6)
    assert sorted([*found.y_train, *found.y_test]) == [*range(30)]  # none in both
    assert found.y_test.tolist() != [*range(24, 30)]  # shuffled
    for x, y in ((found.x_train, found.y_train), (found.x_test, found.y_test)):
        expected = (y - found.y_train.mean()) / images[found.y_train].std()
        assert np.allclose(x, expected[:, None, None, None], rtol=1e-6)  # images keep their labels


def test_a_file_in_parts(tmp_path: Path) -> None:
    found = load(tmp_path, PARTS | {"comment": np.array([{"any": "object"}], object)})
    assert (found.shape, found.classes) == ((2, 3, 4), 5)  # label 4 is in the test set alone
    train, test = PARTS["x_train"], PARTS["x_test"]
    assert np.allclose(found.x_train, (train - train.mean()) / train.std(), rtol=1e-5, atol=1e-6)
    assert np.allclose(found.x_test, (test - train.mean()) / train.std(), rtol=1e-5, atol=1e-6)
    assert found.y_train.tolist() == [0, 1, 0, 1, 0, 1]
    assert found.y_test.tolist() == [0, 4, 1]


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((7,), (1, 1, 7)), ((4, 5), (1, 4, 5)), ((3, 4, 5), (3, 4, 5)), ((1,), (1, 1, 1))],
)
@pytest.mark.parametrize("dtype", ["u1", "f4", "f8", ">f4"])
def test_shapes_and_dtypes(
    tmp_path: Path, shape: tuple[int, ...], expected: tuple[int, ...], dtype: str
) -> None:
    numbers = np.random.default_rng(1).integers(0, 256, (11, *shape)).astype(dtype)
    for order in ("C", "F"):
        images = np.array(numbers, order="F" if order == "F" else "C")
        found = load(tmp_path, {"x": images, "y": np.arange(11)})
        assert found.shape == expected
        assert found.x_train.dtype == np.float32
        plain = numbers[found.y_train].astype(np.float64)
        wanted = ((plain - plain.mean()) / plain.std()).reshape(-1, *expected)
        assert np.allclose(found.x_train, wanted, rtol=1e-6, atol=1e-6)


def test_bytes_and_floats_have_one_scale(tmp_path: Path) -> None:
    parts = {"y_train": np.arange(30), "y_test": np.arange(30), "x_train": WHOLE["x"]}
    found = load(tmp_path, parts | {"x_test": WHOLE["x"] / 255})
    assert found.x_train.tobytes() == found.x_test.tobytes()


@pytest.mark.parametrize("at_once", [1, 50, 1 << 20])
def test_training_images_are_standardised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(data, "_AT_ONCE", at_once)
    x = 1e6 + np.random.default_rng(2).standard_normal((500, 2, 3, 4))  # float32 would lose it
    found = load(tmp_path, {"x": x, "y": np.zeros(500, int)})
    assert abs(found.x_train.mean(dtype=np.float64)) < 1e-7
    assert abs(found.x_train.std(dtype=np.float64) - 1) < 1e-7


def test_a_long_file_name_and_an_upper_case_one(tmp_path: Path) -> None:
    path = write(tmp_path / "a.b.npz", WHOLE).rename(tmp_path / "a.b.NPZ")
    assert load_data(str(path)).name == "a.b"


# Refused files.


def with_x(change: Callable[[npt.NDArray[Any]], Any]) -> Arrays:
    return WHOLE | {"x": change(WHOLE["x"].astype(np.float64))}


def with_one(number: float) -> Callable[[npt.NDArray[Any]], Any]:
    return lambda x: np.where(np.arange(x.size).reshape(x.shape) == 37, number, x)


def without(*keys: str) -> Arrays:
    return {key: array for key, array in PARTS.items() if key not in keys}


REFUSED: dict[str, tuple[Arrays, str]] = {
    "nothing": ({"z": np.zeros(3)}, "x_train is missing; arrays are x, y or x_train"),
    "no labels": ({"x": WHOLE["x"]}, "y is missing"),
    "no images": ({"y": WHOLE["y"]}, "x is missing"),
    "no test labels": (without("y_test"), "y_test is missing"),
    "no test set": (without("x_test", "y_test"), "x_test is missing"),
    "both formats": (WHOLE | PARTS, "both x or y and x_test"),
    "few labels": (WHOLE | {"y": WHOLE["y"][1:]}, "x has 30 images, but y 29 labels"),
    "few test images": (PARTS | {"x_test": PARTS["x_test"][1:]}, "x_test has 2 .* y_test 3"),
    "other test images": (
        PARTS | {"x_test": PARTS["x_test"][:, :1]},
        r"x_train have shape \(2, 3, 4\), those of x_test \(1, 3, 4\)",
    ),
    "NaN": (with_x(with_one(np.nan)), "x holds nan; every number must be finite"),
    "infinity": (with_x(with_one(-np.inf)), "x holds -inf"),
    "a NaN to test": (PARTS | {"x_test": PARTS["x_test"] * np.nan}, "x_test holds nan"),
    "float16": (with_x(lambda x: x.astype(np.float16)), "x has dtype float16; images are uint8"),
    "a long double": (with_x(lambda x: x.astype(np.longdouble)), "x has dtype"),
    "complex": (with_x(lambda x: x + 1j), "complex128; it must hold real numbers"),
    "strings": (with_x(lambda x: x.astype("U8")), "x has dtype <U8"),
    "bytes": (with_x(lambda x: x.astype("S8")), "must hold real numbers"),
    "booleans": (with_x(lambda x: x > 99), "x has dtype bool"),
    "integers": (with_x(lambda x: x.astype(np.int64)), "x has dtype int64"),
    "dates": (with_x(lambda x: x.astype("M8[s]")), "must hold real numbers"),
    "objects": (with_x(lambda x: x.astype(object)), "must hold real numbers"),
    "numbers": (with_x(lambda x: x[:, 0, 0]), r"x has shape \(30,\); images are \[N, C, H, W\]"),
    "videos": (with_x(lambda x: x[:, None, None]), r"x has shape \(30, 1, 1, 4, 5\)"),
    "no pixels": (with_x(lambda x: x[:, :0]), r"x has shape \(30, 0, 5\)"),
    "no image": ({key: array[:0] for key, array in WHOLE.items()}, "training set has no images"),
    "few images": ({key: array[:4] for key, array in WHOLE.items()}, "test set has no images"),
    "no training image": (
        PARTS | {key: PARTS[key][:0] for key in ("x_train", "y_train")},
        "training set has no images",
    ),
    "no test image": (
        PARTS | {key: PARTS[key][:0] for key in ("x_test", "y_test")},
        "test set has no images",
    ),
    "one colour": (with_x(lambda x: 0 * x + 0.1), "pixels of the training images are equal"),
    "nearly one colour": (with_x(lambda x: x * 1e-200), "standard deviation 0.0"),
    "a huge number": (with_x(lambda x: x * 1e300), "standard deviation (inf|nan)"),
    "a huge test image": (PARTS | {"x_test": PARTS["x_train"][:3] * 1e300}, "beyond float32"),
    "a negative label": (WHOLE | {"y": np.arange(30) - 1}, "y holds -1; labels are 0 to 65535"),
    "a huge label": (WHOLE | {"y": np.arange(30) + 2**40}, "y holds 1099511627776"),
    "a label beyond int64": (WHOLE | {"y": np.full(30, 2**64 - 1, np.uint64)}, "18446744073709551"),
    "labels of floats": (WHOLE | {"y": np.arange(30.0)}, "y has shape .* dtype float64"),
    "labels of booleans": (WHOLE | {"y": np.arange(30) > 9}, "y has shape .* dtype bool"),
    "a column of labels": (WHOLE | {"y": WHOLE["y"][:, None]}, r"y has shape \(30, 1\)"),
    "one label": (WHOLE | {"y": np.array(3)}, r"y has shape \(\)"),
    "labels of objects": (WHOLE | {"y": np.array([None] * 30)}, "must hold real numbers"),
}


@pytest.mark.parametrize("bad", REFUSED)
def test_what_is_no_data_set_is_refused(tmp_path: Path, bad: str) -> None:
    arrays, text = REFUSED[bad]
    with pytest.raises(ValueError, match=rf"(?s)set\.npz' holds no data set: .*{text}"):
        load(tmp_path, arrays)


class Exploit:
    """Leaves a file behind if it is ever unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("key", ["x", "y", "comment"])
def test_nothing_is_unpickled(tmp_path: Path, key: str) -> None:
    victim = tmp_path / "victim"
    arrays = WHOLE | {key: np.array([Exploit(victim)], object)}
    if key == "comment":
        load(tmp_path, arrays)
    else:
        with pytest.raises(ValueError, match=r"set\.npz"):
            load(tmp_path, arrays)
    assert not victim.exists()


@pytest.mark.parametrize("keep", [0, 10, 200, 500, -1])
def test_a_cut_archive_is_refused(tmp_path: Path, keep: int) -> None:
    path = write(tmp_path / "set.npz", WHOLE)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"set\.npz' holds no data set"):
        load_data(path)


def test_a_changed_byte_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "set.npz", WHOLE)
    content = bytearray(path.read_bytes())
    content[300] ^= 1  # of an image: only the archive's checksum tells
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"set\.npz' holds no data set"):
        load_data(path)


def test_a_shape_beyond_the_file_is_refused(tmp_path: Path) -> None:
    text = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000000, 28, 28)}"
    with zipfile.ZipFile(tmp_path / "set.npz", "w") as archive:
        archive.writestr("x.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text)
    with pytest.raises(ValueError, match=r"set\.npz.*claims shape \(1000000000000, 28, 28\)"):
        load_data(tmp_path / "set.npz")


def test_what_takes_too_much_as_float32_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "MAX_BYTES", 2399)
    with pytest.raises(ValueError, match=r"set\.npz.*2400 bytes in float32; the limit is 2399"):
        load(tmp_path, WHOLE)


# Sources that are none.


@pytest.mark.parametrize(
    "source", ["mnits", "", "MNIST", "digits.csv", "data/mnist", Path("mnist")]
)
def test_unknown_sources(source: Any) -> None:
    known = r'"digits", "mnist", "cifar10" or a path to a \.npz file'
    with pytest.raises(ValueError, match=rf"source is '.*'; it must be {known}"):
        load_data(source)


@pytest.mark.parametrize("source", [None, 3, b"set.npz", np.zeros(3), ["digits"]])
def test_sources_of_wrong_types(source: Any) -> None:
    with pytest.raises(TypeError, match=r"source is .*it must be"):
        load_data(source)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.npz"):
        load_data(tmp_path / "nowhere.npz")


def test_scikit_learn_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match=r"pip install \"pyexpr-regions\[sklearn\]\""):
        load_data()


def test_nothing_is_imported_before_it_is_needed(tmp_path: Path) -> None:
    path = write(tmp_path / "set.npz", WHOLE)
    code = (
        "import sys; from pyexpr.experiments.data import load_data; load_data(sys.argv[1]); "
        "assert not {'torch', 'torchvision', 'sklearn'} & {*sys.modules}"
    )
    subprocess.run([sys.executable, "-c", code, path], check=True)


# Subsets.


def test_a_subset(digits: DataSet) -> None:
    some = digits.subset(50, 20)
    assert (some.x_train.shape, some.y_train.shape) == ((50, 1, 8, 8), (50,))
    assert (some.x_test.shape, some.y_test.shape) == ((20, 1, 8, 8), (20,))
    rows = {
        image.tobytes(): label for image, label in zip(digits.x_train, digits.y_train, strict=True)
    }
    assert len({image.tobytes() for image in some.x_train}) == 50
    for image, label in zip(some.x_train, some.y_train, strict=True):
        assert rows[image.tobytes()] == label


def test_a_subset_depends_on_its_seed_alone(digits: DataSet) -> None:
    some = digits.subset(50, 20, seed=1)
    assert everything(some) == everything(digits.subset(50, 20, seed=1))
    assert some.x_train.tobytes() != digits.subset(50, 20, seed=2).x_train.tobytes()
    assert some.x_test.tobytes() == digits.subset(None, 20, seed=1).x_test.tobytes()
    larger = {image.tobytes() for image in digits.subset(51, None, seed=1).x_train}
    assert {image.tobytes() for image in some.x_train} < larger


def test_a_subset_of_all_is_the_whole(digits: DataSet) -> None:
    assert everything(digits.subset(None, None)) == everything(digits)
    assert everything(digits.subset(1438, 359, seed=5)) == everything(digits)


def test_a_subset_has_the_classes_of_the_whole(digits: DataSet) -> None:
    one = digits.subset(1, 1)
    assert (one.classes, one.name, one.shape) == (10, "digits", (1, 8, 8))


@pytest.mark.parametrize(
    ("arguments", "kind", "text"),
    [
        ((0, None), ValueError, "train is 0; it must be at least 1"),
        ((None, -1), ValueError, "test is -1"),
        ((1439, None), ValueError, "train is 1439; there are 1438 images"),
        ((None, 360), ValueError, "test is 360; there are 359 images"),
        ((1, 1, -1), ValueError, "seed is -1"),
        ((2.0, None), TypeError, r"train is 2\.0 .*integer"),
        ((None, "3"), TypeError, "test is '3'"),
        ((1, 1, None), TypeError, "seed is None"),
    ],
)
def test_subsets_that_there_are_not(
    digits: DataSet, arguments: Any, kind: type[Exception], text: str
) -> None:
    with pytest.raises(kind, match=text):
        digits.subset(*arguments)


# The class itself.


def small(**changes: Any) -> DataSet:
    x, y = np.zeros((2, 1, 3, 3), np.float32), np.array([0, 2])
    fields: Arrays = {"name": "a", "x_train": x, "y_train": y, "x_test": x, "y_test": y}
    return DataSet(**fields | changes)


def test_arrays_are_read_only() -> None:
    given = np.zeros((2, 1, 3, 3), np.float32)
    found = small(x_train=given)
    copy = pickle.loads(pickle.dumps(found))
    assert everything(copy) == everything(found)
    for array in (found.x_train, found.y_train, found.x_test, found.y_test, copy.x_train):
        with pytest.raises(ValueError, match="read-only"):
            array[:1] = 1
    given[...] = 1
    assert not found.x_train.any()


def test_classes_may_be_given() -> None:
    assert small().classes == 3
    assert small(classes=5).classes == 5
    assert pickle.loads(pickle.dumps(small(classes=5))).classes == 5


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"x_train": np.zeros((2, 1, 3, 3))}, "x_train has .*float64; it must be float32"),
        ({"x_test": np.zeros((2, 3, 3), np.float32)}, r"x_test has shape \(2, 3, 3\)"),
        ({"x_test": [1.0]}, r"x_test has shape \(1,\)"),
        ({"x_test": np.zeros((2, 1, 3, 4), np.float32)}, "differ in shape"),
        ({"x_train": np.zeros((0, 1, 3, 3), np.float32)}, "x_train has shape"),
        ({"y_train": np.array([0])}, r"y_train has shape \(1,\) .*int64 \[2\]"),
        ({"y_test": np.array([0, 1], np.uint8)}, "y_test has .*uint8"),
        ({"y_test": np.array([0, -1])}, "not negative"),
        ({"classes": 2}, "classes is 2; it must be at least 3"),
    ],
)
def test_arrays_that_are_no_data_set(changes: Arrays, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        small(**changes)


# torchvision: what it is asked and how it may fail, by another in its place; then itself.


def replace_torchvision(monkeypatch: pytest.MonkeyPatch, make: Callable[..., Any]) -> None:
    datasets = SimpleNamespace(MNIST=make, CIFAR10=make)
    monkeypatch.setattr(_sources, "import_module", lambda _: datasets)


def failing(error: Exception) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


@pytest.mark.parametrize("download", [False, True])
def test_what_torchvision_is_asked(monkeypatch: pytest.MonkeyPatch, download: bool) -> None:
    asked = []

    def make(root: str, *, train: bool, download: bool) -> Any:
        asked.append((root, train, download))
        channels_last = np.arange(2 * 4 * 5 * 3, dtype=np.uint8).reshape(2, 4, 5, 3)
        return SimpleNamespace(data=channels_last, targets=[3, 1])

    replace_torchvision(monkeypatch, make)
    found = load_data("cifar10", root="there", download=download)
    assert asked == [("there", True, download), ("there", False, download)]
    assert (found.name, found.shape, found.classes) == ("cifar10", (3, 4, 5), 4)
    order = np.arange(2 * 4 * 5 * 3).reshape(2, 4, 5, 3).transpose(0, 3, 1, 2)
    assert np.argsort(found.x_train, axis=None).tolist() == np.argsort(order, axis=None).tolist()


@pytest.mark.parametrize("variable", ["/x/cache", None])
def test_where_torchvision_looks(monkeypatch: pytest.MonkeyPatch, variable: str | None) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", variable or "")
    folder = Path(variable or Path.home() / ".cache") / "pyexpr"
    replace_torchvision(monkeypatch, failing(RuntimeError("Dataset not found.")))
    with pytest.raises(FileNotFoundError) as caught:
        load_data("mnist")
    assert str(caught.value) == (
        f"mnist is not in {str(folder)!r}, or not all of it; "
        'load_data("mnist", download=True) downloads it, on the command line --download'
    )


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (RuntimeError("Error downloading"), OSError, "mnist could not be downloaded to 'there'"),
        (OSError("no network"), OSError, "could not be downloaded.*no network"),
        (ValueError("no label"), ValueError, "'there' holds no mnist: no label"),
        (AssertionError(), ValueError, "'there' holds no mnist: a file is malformed"),
        (KeyError(9), ValueError, "'there' holds no mnist"),
    ],
)
def test_torchvision_may_fail(
    monkeypatch: pytest.MonkeyPatch, error: Exception, kind: type[Exception], text: str
) -> None:
    replace_torchvision(monkeypatch, failing(error))
    with pytest.raises(kind, match=text):
        load_data("mnist", root="there", download=True)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ModuleNotFoundError(name="torchvision"), "need torchvision.*pip install torchvision"),
        (ModuleNotFoundError(name="torch"), "need torchvision.*pip install torchvision"),
        (ModuleNotFoundError("No module named 'PIL'", name="PIL"), "No module named 'PIL'"),
        (
            RuntimeError("operator torchvision::nms does not exist"),
            "its build does not fit torch's .operator torchvision::nms does not exist",
        ),
        (AttributeError("partially initialized module"), "its build does not fit torch's"),
    ],
)
@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_torchvision_may_not_be_imported(
    monkeypatch: pytest.MonkeyPatch, name: str, error: Exception, text: str
) -> None:
    monkeypatch.setattr(_sources, "import_module", failing(error))
    with pytest.raises(ImportError, match=text):
        load_data(name)


@pytest.fixture
def torchvision() -> None:
    """Skips where it cannot be imported: it raises RuntimeError where it does not fit torch."""
    try:
        import_module("torchvision.datasets")
    except (ImportError, AttributeError, OSError, RuntimeError) as error:
        pytest.skip(f"torchvision cannot be imported: {error}")


def images(n: int) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(n).integers(0, 256, (n, 28, 28), np.uint8)


def write_idx(path: Path, array: npt.NDArray[np.uint8]) -> None:
    head = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    path.write_bytes(head + array.tobytes())


def write_mnist(root: Path, **parts: npt.NDArray[np.uint8]) -> None:
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    for part, array in parts.items():
        write_idx(raw / f"{part}-images-idx3-ubyte", array)
        write_idx(raw / f"{part}-labels-idx1-ubyte", np.arange(len(array), dtype=np.uint8))


@pytest.mark.usefixtures("torchvision")
def test_mnist_is_read(tmp_path: Path) -> None:
    train, test = images(10), images(4)
    write_mnist(tmp_path, train=train, t10k=test)
    found = load_data("mnist", root=tmp_path)
    assert (found.name, found.shape, found.classes) == ("mnist", (1, 28, 28), 10)
    for part, ours in ((train, found.x_train), (test, found.x_test)):
        expected = (part - train.mean()) / train.std()
        assert np.allclose(ours[:, 0], expected, rtol=1e-6, atol=1e-6)
    assert found.y_train.tolist() == [*range(10)]


@pytest.mark.usefixtures("torchvision")
@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_data_that_are_not_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError, match=rf'load_data\("{name}", download=True\)'):
        load_data(name, root=tmp_path)
    assert not [*tmp_path.iterdir()]


@pytest.mark.usefixtures("torchvision")
def test_a_pickle_that_is_not_cifars_is_not_read(tmp_path: Path) -> None:
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    victim = tmp_path / "victim"
    for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch", "batches.meta"):
        (folder / name).write_bytes(pickle.dumps(Exploit(victim)))
    with pytest.raises(FileNotFoundError, match=r"cifar10 is not in .*, or not all of it"):
        load_data("cifar10", root=tmp_path)
    assert not victim.exists()


@pytest.mark.usefixtures("torchvision")
@pytest.mark.parametrize("keep", [0, 3, 4])
def test_a_malformed_mnist_is_refused(tmp_path: Path, keep: int) -> None:
    write_mnist(tmp_path, train=images(4), t10k=images(4))
    path = tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match="holds no mnist"):
        load_data("mnist", root=tmp_path)
