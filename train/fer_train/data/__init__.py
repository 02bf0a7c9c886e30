"""Labelled face pictures: how a data set lies on disk, which class each picture is, and what could not be read."""

from fer_train.data.dataset import Dataset
from fer_train.data.entries import PICTURES, SPLITS, Problem
from fer_train.data.fer2013 import MAX_ROW_CHARS
from fer_train.data.layouts import root_of
from fer_train.data.loading import has_split, load

__all__ = ["MAX_ROW_CHARS", "PICTURES", "SPLITS", "Dataset", "Problem", "has_split", "load", "root_of"]
