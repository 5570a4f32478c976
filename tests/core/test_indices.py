"""Label codes to network indices and back."""

import numpy as np
import pytest

from wadlib.errors import LabelError
from wadlib.indices import NO_INDEX, label_from_indices, network_indices


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
