"""What a GPU computes is what the CPU computes; without one, its code runs on the CPU."""

import time
from contextlib import contextmanager
from threading import Thread
from unittest import mock

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import torch
from scipy.linalg import LinAlgError
from threadpoolctl import threadpool_info, threadpool_limits

import txpert as tx
from txpert import _accelerator
from txpert._accelerator import product
from txpert._ranking import Scorer, top_pairs
from txpert.effects import _cholesky, _fit_blocks
from txpert.effects._cholesky import factorized
from txpert.effects._gene_kernels import GeneKernels
from txpert.effects._gene_process import GeneGaussianProcess
from txpert.effects._left_out import LeftOut
from txpert.effects._measured_effects import MeasuredEffects
from txpert.graph import KnowledgeGraph

GENES = pd.Index([f"g{i:02d}" for i in range(40)], dtype=object)
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")


@contextmanager
def moved(device):
    """Let everything be large enough for a GPU."""
    with (
        mock.patch.multiple(_accelerator, _LEAST_WORK=0, _LEAST_ROWS=1, has_gpu=lambda: True),
        mock.patch.object(torch.cuda, "is_available", return_value=device == "cuda"),
    ):
        yield


@contextmanager
def kept():
    """Let nothing be moved."""
    with mock.patch.object(torch.cuda, "is_available", return_value=False):
        yield


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=needs_gpu)])
def device(request):
    return request.param


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_factor_is_that_of_the_cpu(device, dtype, order):
    rng = np.random.default_rng(0)
    root = rng.standard_normal((30, 30))
    matrix = (root @ root.T + np.eye(30)).astype(dtype)
    right = rng.standard_normal((30, 4)).astype(dtype)
    with kept():
        expected = factorized(matrix.copy())
        log, solved = expected.log_determinant, expected.solve(right.copy())
        vector, inverse = expected.solve(right[:, 0].copy()), expected.inverse()
    with moved(device):
        found = factorized(np.array(matrix, order=order))
        assert type(found) is not type(expected)
        assert found.log_determinant == pytest.approx(log, rel=1e-5)
        for one, other in (
            (found.solve(right.copy()), solved),
            (found.solve(right[:, 0].copy()), vector),
            (found.inverse(), inverse),
        ):
            assert one.dtype == dtype
            np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


def test_a_matrix_without_a_factor_is_refused_alike(device):
    with moved(device), pytest.raises(LinAlgError):
        factorized(-np.eye(3))
    with kept(), pytest.raises(LinAlgError):
        factorized(-np.eye(3))


def test_a_product_is_that_of_the_cpu(device):
    rng = np.random.default_rng(0)
    left, right = rng.standard_normal((7, 5)), rng.standard_normal((6, 5)).astype(np.float32)
    with moved(device):
        found, out = product(left, right.T), np.empty((7, 6), np.float32)
        assert product(left, right.T, out=out) is out
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, left @ right.T, rtol=1e-12)
    np.testing.assert_allclose(out, left @ right.T, rtol=1e-5)


def test_small_matrices_stay_where_they_are():
    with (
        mock.patch.object(_accelerator, "has_gpu", return_value=True),
        mock.patch.object(_cholesky.GpuFactor, "of", side_effect=AssertionError),
    ):
        factorized(np.eye(3))
        product(np.eye(3), np.eye(3))


def fitted_and_asked(earlier=None):
    rng = np.random.default_rng(0)
    source, target = rng.integers(40, size=(2, 160))
    weight = rng.random(160).astype(np.float32)
    graph = KnowledgeGraph("random", GENES, source, target, weight)
    targets = [(g,) for g in GENES[:20]] + [(GENES[3], GENES[7])]
    effects = MeasuredEffects.of(targets, rng.normal(size=(21, 15)))
    kernels = GeneKernels([graph], {}, GENES[:20])
    process = GeneGaussianProcess.fit(effects, kernels, earlier, keep=earlier is not None)
    asked = [(g,) for g in GENES] + [(GENES[1], GENES[30])]
    found = process.predict(asked, kernels, return_std=True, return_specific=True)
    return process, [*found, LeftOut.of(process, kernels).predicted]


def test_the_process_predicts_the_same(device):
    with kept():
        process, expected = fitted_and_asked()
    with moved(device):
        _, found = fitted_and_asked(process.fitted_variances)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4 * np.abs(other).max())


def test_pairs_rank_the_same(device):
    effects = np.random.default_rng(0).standard_normal((30, 8)).astype(np.float32)
    scorer = Scorer.of("cosine", effects[0])
    with kept():
        expected = top_pairs(effects, scorer, 20)
    with moved(device):
        found = top_pairs(effects, scorer, 20)
    assert found.first.tolist() == expected.first.tolist()
    assert found.second.tolist() == expected.second.tolist()


@needs_gpu
def test_a_model_trained_on_a_gpu_predicts_on_the_cpu_what_it_predicts_there(tmp_path):
    adata = tx.datasets.toy()
    tx.TxPertModel.setup_anndata(adata)
    model = tx.TxPertModel(adata, tx.datasets.toy_graph())
    model.train(max_epochs=3, enable_progress_bar=False, accelerator="gpu")
    assert model.device.type == "cuda"
    asked = adata.obs.loc[~adata.obs["control"], "perturbation"].astype(str).unique()[:5]
    there = model.predict(list(asked))
    model.save(tmp_path / "model", save_anndata=True)
    here = tx.TxPertModel.load(tmp_path / "model", accelerator="cpu")
    assert here.device.type == "cpu"
    found = here.predict(list(asked))
    assert isinstance(found, ad.AnnData)
    np.testing.assert_allclose(found.X, there.X, rtol=1e-4, atol=1e-5)
    explained = [each.explain(asked[0]) for each in (model, here)]
    pd.testing.assert_frame_equal(*explained, rtol=1e-3, atol=1e-5)


def test_fits_take_one_thread_of_blas_and_leave_the_number_as_it_was():
    def n_threads():
        found = [each for each in threadpool_info() if each["user_api"] == "blas"]
        return [each["num_threads"] for each in found]

    def wait(seconds):
        with _fit_blocks._one_thread():
            time.sleep(seconds)

    with threadpool_limits(2, user_api="blas"):
        before = n_threads()
        with _fit_blocks._one_thread():
            assert set(n_threads()) == {1}
        threads = [Thread(target=wait, args=(seconds,)) for seconds in (0.05, 0.15)]
        for thread in threads:
            thread.start()
            time.sleep(0.01)
        for thread in threads:
            thread.join()
        assert n_threads() == before
