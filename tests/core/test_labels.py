from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wadlib import labels
from wadlib.errors import LabelError
from wadlib.labels import (
    BACKGROUND,
    CLASSES,
    IDS,
    IGNORE,
    NO_INDEX,
    by_name,
    class_map,
    decode,
    encode,
    evaluated_index,
    instance_codes,
    label_from_indices,
    network_indices,
)


def test_the_seven_classes_in_the_order_of_the_networks():
    assert IDS == (33, 34, 35, 36, 38, 39, 40)
    assert [row.name for row in CLASSES.values()] == [
        "car", "motorbicycle", "bicycle", "person", "truck", "bus", "tricycle",
    ]  # fmt: skip
    assert list(labels.NETWORK_INDEX.values()) == [1, 2, 3, 4, 5, 6, 7]
    assert len({row.id for row in labels.TABLE}) == len(labels.TABLE) == 36
    assert len({row.colour for row in CLASSES.values()}) == 7
    assert by_name("pedestrian") is by_name("person") is CLASSES[36]
    assert by_name("rider").id == 37
    assert not by_name("rider").evaluated


def test_unknown_name():
    with pytest.raises(LabelError, match=r"no class 'motorcycle'[\s\S]*motorbicycle"):
        by_name("motorcycle")


@given(st.integers(1, 64), st.integers(0, 999))
def test_decode_undoes_encode(class_id, instance):
    code = encode(class_id, instance)
    assert code == class_id * 1000 + instance
    assert tuple(int(v) for v in decode(code)) == (class_id, instance)


def test_background_and_ignore_are_no_instances():
    label = np.array([[0, BACKGROUND, 999], [IGNORE, 65534, 33000]], np.uint16)
    class_id, instance = decode(label)
    assert class_id.tolist() == [[0, 0, 0], [0, 65, 33]]
    assert instance.tolist() == [[0, 0, 0], [0, 534, 0]]
    assert class_map(label).dtype == np.uint8
    assert class_map(label).tolist() == class_id.tolist()


def test_instance_codes():
    label = np.array([[33001, 33000, 36005], [37000, 255, 65535]], np.uint16)
    assert instance_codes(label).tolist() == [33000, 33001, 36005]
    assert instance_codes(label, 33).tolist() == [33000, 33001]
    assert instance_codes(label, 40).tolist() == []


@pytest.mark.parametrize(
    ("class_id", "instance"), [(161, 0), (65, 535), (65, 999), (33, 1000), (33, -1), (0, 5), (-33, 0)]
)
def test_encode_refuses_what_does_not_fit(class_id, instance):
    with pytest.raises(LabelError, match=f"class {class_id} with instance {instance} is not a code"):
        encode(np.array([33, class_id]), np.array([0, instance]))


def test_encode_and_decode_refuse_fractions():
    with pytest.raises(LabelError, match="instance must be whole numbers, got dtype float64"):
        encode(33, 1.5)
    with pytest.raises(LabelError, match=r"whole numbers in 0..65535, got dtype float32"):
        decode(np.zeros((2, 2), np.float32))


@pytest.mark.parametrize("bad", [-1, 65536])
def test_decode_refuses_numbers_out_of_range(bad):
    with pytest.raises(LabelError, match=f"whole numbers in 0..65535, got .*{bad}"):
        decode(np.array([0, bad]))


def test_empty_arrays():
    assert decode(np.empty((0, 3), np.uint16))[0].shape == (0, 3)
    assert encode(np.empty(0, int), 0).shape == (0,)


class TestNetworkIndices:
    def test_every_class_of_the_table(self):
        codes = np.array([255, 0, 999, 33000, 34001, 35002, 36003, 37004, 38005, 39006, 40007, 49000, 65535], np.uint16)
        assert network_indices(codes).tolist() == [0, 0, 0, 1, 2, 3, 4, 0, 5, 6, 7, 0, 255]
        assert network_indices(codes).dtype == np.uint8

    def test_there_and_back_keeps_the_classes(self):
        label = np.array([[255, 33004, 40999], [65535, 36000, 37001]], np.uint16)
        expected = [[255, 33000, 40000], [65535, 36000, 255]]  # a rider is no class of the challenge
        assert label_from_indices(network_indices(label)).tolist() == expected

    def test_another_table(self):
        cars = {33: 1} | dict.fromkeys([34, 35, 36, 37, 38, 39, 40], NO_INDEX)
        label = np.array([255, 33000, 36000, 65535], np.uint16)
        assert network_indices(label, cars).tolist() == [0, 1, 255, 255]
        assert label_from_indices(np.array([0, 1]), cars).tolist() == [255, 33000]

    @pytest.mark.parametrize("code", [26003, 45000, 64999])
    def test_class_outside_the_table(self, code):
        with pytest.raises(LabelError, match=f"class {code // 1000} is not in the class table"):
            network_indices(np.array([[33000, code]], np.uint16))

    def test_class_ids_are_not_codes(self):
        with pytest.raises(LabelError, match="expected uint16 codes, got int64"):
            network_indices(np.array([33]))

    @pytest.mark.parametrize("index", [8, 33, -1, 300])
    def test_index_without_a_class(self, index):
        with pytest.raises(LabelError, match=rf"one of \[1, 2, 3, 4, 5, 6, 7\], got index {index}"):
            label_from_indices(np.array([[0, index]]))

    def test_probabilities_are_not_indices(self):
        with pytest.raises(LabelError, match="got dtype float64"):
            label_from_indices(np.array([0.5]))


def test_the_evaluated_classes_of_all_codes():
    codes = np.arange(65536)
    class_ids = np.where(codes == 65535, 0, codes // 1000)
    expected = [IDS.index(c) + 1 if c in IDS else 0 for c in class_ids.tolist()]
    assert evaluated_index(codes.astype(np.uint16)).tolist() == expected
